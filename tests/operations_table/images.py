"""Rows of windows over images and sequences: convolution, pooling, resizing."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tinygrad_edu as te
from operations_table.row import Array, Case, Row, bilinear, of_sizes
from tinygrad_edu.kernels import reference
from tinygrad_edu.kernels.resize import Blend
from tinygrad_edu.ops.windows import output_size, resolve_padding
from tinygrad_edu.testing import arrays

# --- Cases -----------------------------------------------------------------------------------------------


@st.composite
def windows(draw: Any, least: int, most: int, gaps: bool = False) -> dict[str, Any]:
    """Draw sizes of an image and of a window that fits, with strides and padding; dilation, groups."""
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2))) if gaps else (1, 1)
    groups = draw(st.integers(1, 2)) if gaps else 1
    n, channels, filters = draw(st.integers(least, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    size = draw(st.tuples(st.integers(1, most + 1), st.integers(1, most + 1)))
    kind = draw(st.sampled_from(["valid", "same", "pairs"]))
    window = tuple(
        draw(st.integers(1, (n - 1) // d + 1 if kind == "valid" else 3))
        for n, d in zip(size, dilation, strict=True)
    )
    strides = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    if kind == "pairs":
        # Less than the window, so that each holds a pixel, and enough for one to fit.
        reach = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
        most_at = [(k - 1, max(k - s, 0)) for k, s in zip(reach, size, strict=True)]
        kind = tuple((draw(st.integers(min(p, m), m)), draw(st.integers(min(p, m), m))) for m, p in most_at)
    padding = resolve_padding(kind, size, window, strides, dilation)
    out = output_size(size, window, strides, padding, dilation)
    return {
        "x": (n, *size, channels * groups),
        "w": (*window, channels, filters * groups),
        "y": (n, *out, filters * groups),
        "pooled": (n, *out, channels * groups),
        "depthwise": (*window, channels * groups, filters),
        "pointwise": (1, 1, channels * groups * filters, 2),
        "pool_size": window,
        "strides": strides,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
    }


Cases = Callable[[int, int], SearchStrategy[Case]]


def conv_cases(*inputs: str, result: str | None = None, groups: bool = True) -> Cases:
    def call(d: dict[str, Any]) -> Any:
        params = {name: d[name] for name in ("strides", "padding", "dilation", "groups")}
        if not groups:
            del params["groups"]
        if result is not None:
            params["shape"] = d[result]
        return st.tuples(*[arrays(d[name]) for name in inputs]).map(lambda drawn: Case(drawn, params))

    return lambda least, most: windows(least, most, gaps=True).flatmap(call)


def with_bias(cases: Cases, value: Any, channels: Callable[[Case], int]) -> Cases:
    """Add a bias, and in half of the cases ReLU, whose kink no sum comes close to."""

    def extend(case: Case) -> SearchStrategy[Case]:
        return st.builds(
            lambda b, activation: Case((*case.inputs, b), {**case.params, "activation": activation}),
            arrays((channels(case),), avoid=(0,), margin=0.05),
            st.sampled_from([None, "relu"]),
        )

    def has_slope(case: Case) -> bool:
        sums = value(*case.inputs, **{**case.params, "activation": None})
        return case.params["activation"] is None or bool(np.all(np.abs(sums) > 0.01))

    return lambda least, most: cases(least, most).flatmap(extend).filter(has_slope)


def pool_cases(kind: str) -> Cases:
    def call(d: dict[str, Any]) -> Any:
        params = {name: d[name] for name in ("pool_size", "strides", "padding")}
        if kind in ("max", "avg"):
            return arrays(d["x"], distinct=True).map(lambda x: Case((x,), params))
        if kind == "avg_scatter":
            return arrays(d["pooled"]).map(lambda x: Case((x,), {**params, "shape": d["x"]}))

        def winners(image: Array) -> Array:
            return reference.max_pool2d(image, d["pool_size"], d["strides"], d["padding"])[1]

        if kind == "scatter":
            params["shape"] = d["x"]
        values = arrays(d["pooled" if kind == "scatter" else "x"])
        return st.builds(lambda x, image: Case((x, winners(image)), params), values, arrays(d["x"]))

    return lambda least, most: windows(least, most).flatmap(call)


@st.composite
def conv1d_cases(draw: Any, least: int, most: int) -> Case:
    groups, dilation, strides = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    kind = draw(st.sampled_from(["valid", "same", "causal", "number", "pair"]))
    length, n = draw(st.integers(1, most + 1)), draw(st.integers(least, 2))
    k = draw(st.integers(1, (length - 1) // dilation + 1 if kind == "valid" else 3))
    enough = max((k - 1) * dilation + 1 - length, 0)
    padding = {"number": enough, "pair": (draw(st.integers(0, 2)), enough)}.get(kind, kind)
    x = draw(arrays((n, length, groups * draw(st.integers(1, 2)))))
    w = draw(arrays((k, x.shape[2] // groups, groups * draw(st.integers(1, 2)))))
    return Case((x, w), {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups})


def transpose_cases(axes: int) -> Cases:
    """Images of which a convolution could be the maker, or sequences."""

    @st.composite
    def draw_case(draw: Any, least: int, most: int) -> Case:
        def along() -> Any:
            return draw(st.tuples(*[st.integers(1, 3)] * axes))

        size, window, strides = along(), along(), along()
        dilation = draw(st.tuples(*[st.integers(1, 2)] * axes))
        reach = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
        padding = draw(st.sampled_from(["valid", "same", (min(reach) - 1) // 2]))
        more = None
        if draw(st.booleans()):  # in a class with what conv2d rounds down
            at_least = [1 - k % 2 if padding == "same" else 0 for k in reach]
            more = tuple(a + draw(st.integers(0, s - 1)) for a, s in zip(at_least, strides, strict=True))
        groups, n = draw(st.integers(1, 2)), draw(st.integers(least, 2))
        x = draw(arrays((n, *size, groups * draw(st.integers(1, 2)))))
        w = draw(arrays((*window, draw(st.integers(1, 2)), x.shape[-1])))
        given = {"strides": strides, "output_padding": more, "dilation": dilation}
        if axes == 1:
            given = {name: value and value[0] for name, value in given.items()}
        return Case((x, w), {**given, "padding": padding, "groups": groups})

    return draw_case


@st.composite
def pool1d_cases(draw: Any, least: int, most: int) -> Case:
    kind = draw(st.sampled_from(["valid", "same", "pair"]))
    length = draw(st.integers(1, most + 2))
    k = draw(st.integers(1, length if kind == "valid" else 3))
    padding = (k - 1, draw(st.integers(max(k - 1 - length, 0), k - 1))) if kind == "pair" else kind
    shape = draw(st.integers(least, 2)), length, draw(st.integers(1, 2))
    strides = draw(st.one_of(st.none(), st.integers(1, 3)))
    return Case(
        (draw(arrays(shape, distinct=True)),), {"pool_size": k, "strides": strides, "padding": padding}
    )


def whole_cases(axes: int) -> Cases:
    """Images, or sequences, all of whose pixels are taken together."""

    @st.composite
    def draw_case(draw: Any, least: int, most: int) -> Case:
        side = st.integers(max(least, 1), max(most, 1))
        shape = draw(st.tuples(st.integers(least, most), *[side] * axes, st.integers(least, most)))
        return Case((draw(arrays(shape, distinct=True)),), {"keepdims": draw(st.booleans())})

    return draw_case


@st.composite
def resize_cases(draw: Any, least: int, most: int, largest: int = 5) -> Case:
    side, new = st.integers(1, most), st.integers(1, largest)
    x = draw(arrays((draw(st.integers(least, 2)), draw(side), draw(side), draw(st.integers(least, 2)))))
    interpolation = draw(st.sampled_from(["nearest", "bilinear"]))
    return Case((x,), {"size": (draw(new), draw(new)), "interpolation": interpolation})


@st.composite
def resample_cases(draw: Any, least: int, most: int) -> Case:
    def blend(size: int) -> Blend:
        counts = draw(st.lists(st.integers(0, 3), min_size=1, max_size=5))
        sources = draw(st.lists(st.integers(0, size - 1), min_size=sum(counts), max_size=sum(counts)))
        weights = draw(arrays((len(sources),), low=0.5, high=2))
        return Blend(size, np.cumsum([0, *counts]), np.array(sources, np.int64), weights)

    side = st.integers(1, most)
    x = draw(arrays((draw(st.integers(least, 2)), draw(side), draw(side), draw(st.integers(least, 2)))))
    return Case((x,), {"down": blend(x.shape[1]), "across": blend(x.shape[2])})


# --- References ------------------------------------------------------------------------------------------


def renamed(function: Any, shape: str = "x_shape") -> Any:
    """Call a reference kernel, whose shape argument has a longer name."""

    def value(*inputs: Any, **params: Any) -> Any:
        if "shape" in params:
            params[shape] = params.pop("shape")
        return function(*inputs, **params)

    return value


def biased(function: Any) -> Any:
    """Let a reference add a bias and, if wanted, rectify."""

    def value(x: Array, w: Array, b: Array, activation: str | None, **params: Any) -> Array:
        y = function(x, w, **params) + b
        return np.maximum(y, 0) if activation == "relu" else y

    return value


def conv1d_value(x: Array, w: Array, strides: int, padding: Any, dilation: int, groups: int) -> Array:
    """Each output a sum over the taps, one by one."""
    (n, length, _), (k, c, filters) = x.shape, w.shape
    reach = (k - 1) * dilation
    if padding == "same":
        total = max((-(-length // strides) - 1) * strides + reach + 1 - length, 0)
        padding = (total // 2, total - total // 2)
    elif padding in ("valid", "causal"):
        padding = (reach if padding == "causal" else 0, 0)
    elif isinstance(padding, int):
        padding = (padding, padding)
    x = np.pad(x, ((0, 0), padding, (0, 0)))
    starts = range(0, x.shape[1] - reach, strides)
    y = np.zeros((n, len(starts), filters))
    for i, start in enumerate(starts):
        for f in range(filters):
            first = f // (filters // groups) * c  # of the channels that this filter sees
            for j in range(k):
                y[:, i, f] += x[:, start + j * dilation, first : first + c] @ w[j, :, f]
    return y


def depthwise_value(x: Array, w: Array, **params: Any) -> Array:
    """Each channel an image of its own."""
    return np.concatenate(
        [reference.conv2d(x[..., c : c + 1], w[:, :, c : c + 1], **params) for c in range(x.shape[3])], axis=3
    )


def separable_value(x: Array, depthwise: Array, pointwise: Array, **params: Any) -> Array:
    return depthwise_value(x, depthwise, **params) @ pointwise[0, 0]


def transpose_value(
    x: Array, w: Array, strides: Any, padding: Any, output_padding: Any, dilation: Any, groups: int
) -> Array:
    """Each pixel lays its filters, scaled, over a plane large enough, from which the result is cut out."""
    kh, kw, filters, channels = w.shape
    reach = ((kh - 1) * dilation[0] + 1, (kw - 1) * dilation[1] + 1)
    cut = []
    for i, (n, k, s) in enumerate(zip(x.shape[1:3], reach, strides, strict=True)):
        more = None if output_padding is None else output_padding[i]
        if padding == "same":
            size = n * s if more is None else (n - 1) * s + k % 2 + more
            start = max((n - 1) * s + k - size, 0) // 2
        else:
            start = 0 if padding == "valid" else np.broadcast_to(padding, 2)[i]
            size = (n - 1) * s + k - 2 * start + (max(s - k, 0) if more is None else more)
        cut.append(slice(start, start + size))
    plane = np.zeros((len(x), cut[0].stop + reach[0], cut[1].stop + reach[1], filters * groups))
    for y, z, c, i, j in np.ndindex(*x.shape[1:], kh, kw):
        first = c // (channels // groups) * filters
        place = y * strides[0] + i * dilation[0], z * strides[1] + j * dilation[1]
        plane[:, *place, first : first + filters] += np.multiply.outer(x[:, y, z, c], w[i, j, :, c])
    return plane[:, cut[0], cut[1]]


def transpose1d_value(
    x: Array, w: Array, strides: int, padding: Any, output_padding: Any, dilation: int, groups: int
) -> Array:
    """The same over images one pixel high."""
    around = padding if isinstance(padding, str) else (0, padding)
    more = None if output_padding is None else (0, output_padding)
    return transpose_value(x[:, None], w[None], (1, strides), around, more, (1, dilation), groups)[:, 0]


def pool1d_value(function: Any) -> Any:
    """Reduce what of each window lies on the sequence."""

    def value(x: Array, pool_size: int, strides: Any, padding: Any) -> Array:
        step, length = strides or pool_size, x.shape[1]
        if padding == "same":
            total = max((-(-length // step) - 1) * step + pool_size - length, 0)
            padding = (total // 2, total - total // 2)
        before, after = (0, 0) if padding == "valid" else padding
        starts = range(-before, length + after - pool_size + 1, step)
        return np.stack([function(x[:, max(i, 0) : i + pool_size], axis=1) for i in starts], axis=1)

    return value


def resize_value(x: Array, size: Any, interpolation: str) -> Array:
    """Each new pixel from the old ones around its centre."""
    (n, height, width, channels), (rows, columns) = x.shape, size
    y = np.zeros((n, rows, columns, channels))
    for i, j in np.ndindex(rows, columns):
        a, b = (i + 0.5) * height / rows, (j + 0.5) * width / columns
        if interpolation == "nearest":
            y[:, i, j] = x[:, int(a), int(b)]
            continue
        a, b = min(max(a - 0.5, 0), height - 1), min(max(b - 0.5, 0), width - 1)
        for p in {int(a), min(int(a) + 1, height - 1)}:
            for q in {int(b), min(int(b) + 1, width - 1)}:
                y[:, i, j] += (1 - abs(a - p)) * (1 - abs(b - q)) * x[:, p, q]
    return y


def upsample_value(x: Array, size: Any, interpolation: str) -> Array:
    return resize_value(x, (x.shape[1] * size[0], x.shape[2] * size[1]), interpolation)


def over(function: Any, axes: Any) -> Any:
    return lambda x, keepdims: function(x, axis=axes, keepdims=keepdims)


# --- Rows ------------------------------------------------------------------------------------------------

TIES = "where a window has several largest"


def composed(function: Any, cases: Any, value: Any, **options: Any) -> Row:
    """A function that is linear in each of its inputs."""
    return Row(cases, value, function=function, terms=of_sizes(value), **options)


def biased_row(cases: Cases, function: Any, channels: Callable[[Case], int], **params: Any) -> Row:
    value, one = biased(function), np.ones((1, 1, 1, 1))
    params |= {"strides": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}
    return Row(
        with_bias(cases, value, channels),
        value,
        kinks="where a sum is 0, with ReLU",
        at_kinks=(((one, one, -one[0, 0, 0]), {**params, "activation": "relu"}, (0 * one, 0 * one, [0.0])),),
        terms=of_sizes(value),
    )


ROWS: dict[str, Row] = {
    "conv2d": bilinear(conv_cases("x", "w"), reference.conv2d),
    "conv2d_bias": biased_row(conv_cases("x", "w"), reference.conv2d, lambda case: case.inputs[1].shape[3]),
    "conv2d_transpose_bias": biased_row(
        conv_cases("y", "w", result="x"),
        renamed(reference.conv2d_input_grad),
        lambda case: case.params["shape"][3],
        shape=(1, 1, 1, 1),
    ),
    "conv2d_input_grad": bilinear(conv_cases("y", "w", result="x"), renamed(reference.conv2d_input_grad)),
    "conv2d_weight_grad": bilinear(
        conv_cases("x", "y", result="w"), renamed(reference.conv2d_weight_grad, "w_shape")
    ),
    "conv1d": composed(te.conv1d, conv1d_cases, conv1d_value),
    "depthwise_conv2d": composed(
        te.depthwise_conv2d, conv_cases("x", "depthwise", groups=False), depthwise_value
    ),
    "separable_conv2d": composed(
        te.separable_conv2d, conv_cases("x", "depthwise", "pointwise", groups=False), separable_value
    ),
    "conv2d_transpose": composed(te.conv2d_transpose, transpose_cases(2), transpose_value),
    "conv1d_transpose": composed(te.conv1d_transpose, transpose_cases(1), transpose1d_value),
    "max_pool2d": Row(
        pool_cases("max"), lambda x, **params: reference.max_pool2d(x, **params)[0], kinks=TIES
    ),
    "max_pool2d_scatter": bilinear(pool_cases("scatter"), renamed(reference.max_pool2d_scatter)),
    "max_pool2d_gather": Row(pool_cases("gather"), reference.max_pool2d_gather),
    "avg_pool2d": bilinear(pool_cases("avg"), reference.avg_pool2d),
    "avg_pool2d_scatter": bilinear(pool_cases("avg_scatter"), renamed(reference.avg_pool2d_scatter)),
    "max_pool1d": Row(pool1d_cases, pool1d_value(np.max), kinks=TIES, function=te.max_pool1d),
    "avg_pool1d": composed(te.avg_pool1d, pool1d_cases, pool1d_value(np.mean)),
    "global_max_pool2d": Row(
        whole_cases(2),
        over(np.max, (1, 2)),
        kinks=TIES,
        function=te.global_max_pool2d,
        numpy=over(np.max, (1, 2)),
    ),
    "global_avg_pool2d": composed(te.global_avg_pool2d, whole_cases(2), over(np.mean, (1, 2))),
    "global_max_pool1d": Row(
        whole_cases(1), over(np.max, 1), kinks=TIES, function=te.global_max_pool1d, numpy=over(np.max, 1)
    ),
    "global_avg_pool1d": composed(te.global_avg_pool1d, whole_cases(1), over(np.mean, 1)),
    "resample2d": bilinear(resample_cases, reference.resample2d),
    "resize2d": composed(te.resize2d, resize_cases, resize_value),
    "upsample2d": composed(te.upsample2d, lambda a, b: resize_cases(a, b, largest=2), upsample_value),
}
