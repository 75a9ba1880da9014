"""Rows of windows over images."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from operations_table.row import (
    Array,
    Case,
    Row,
    bilinear,
)
from tinygrad_edu.kernels import reference
from tinygrad_edu.ops.windows import output_size, resolve_padding
from tinygrad_edu.testing import arrays


@st.composite
def windows(draw: Any, least: int, most: int) -> dict[str, Any]:
    """Draw sizes of an image and of a window that fits, with strides and padding."""
    n, channels, filters = draw(st.integers(least, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    size = draw(st.tuples(st.integers(1, most + 1), st.integers(1, most + 1)))
    kind = draw(st.sampled_from(["valid", "same", "pairs"]))
    window = tuple(draw(st.integers(1, n if kind == "valid" else 3)) for n in size)
    strides = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    if kind == "pairs":
        # Less than the window, so that each holds a pixel, and enough for one to fit.
        most_at = [(k - 1, max(k - s, 0)) for k, s in zip(window, size, strict=True)]
        kind = tuple((draw(st.integers(min(p, m), m)), draw(st.integers(min(p, m), m))) for m, p in most_at)
    padding = resolve_padding(kind, size, window, strides)
    out = output_size(size, window, strides, padding)
    return {
        "x": (n, *size, channels),
        "w": (*window, channels, filters),
        "y": (n, *out, filters),
        "pooled": (n, *out, channels),
        "pool_size": window,
        "strides": strides,
        "padding": padding,
    }


def conv_cases(first: str, second: str, result: str | None) -> Callable[[int, int], SearchStrategy[Case]]:
    def call(d: dict[str, Any]) -> Any:
        params = {"strides": d["strides"], "padding": d["padding"]}
        if result is not None:
            params["shape"] = d[result]
        return st.builds(lambda a, b: Case((a, b), params), arrays(d[first]), arrays(d[second]))

    return lambda least, most: windows(least, most).flatmap(call)


def pool_cases(kind: str) -> Callable[[int, int], SearchStrategy[Case]]:
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


def renamed(function: Any, shape: str = "x_shape") -> Any:
    """Call a reference kernel, whose shape argument has a longer name."""

    def value(*inputs: Any, **params: Any) -> Any:
        if "shape" in params:
            params[shape] = params.pop("shape")
        return function(*inputs, **params)

    return value


ROWS: dict[str, Row] = {
    "conv2d": bilinear(conv_cases("x", "w", None), reference.conv2d),
    "conv2d_input_grad": bilinear(conv_cases("y", "w", "x"), renamed(reference.conv2d_input_grad)),
    "conv2d_weight_grad": bilinear(
        conv_cases("x", "y", "w"), renamed(reference.conv2d_weight_grad, "w_shape")
    ),
    "max_pool2d": Row(pool_cases("max"), lambda x, **params: reference.max_pool2d(x, **params)[0]),
    "max_pool2d_scatter": bilinear(pool_cases("scatter"), renamed(reference.max_pool2d_scatter)),
    "max_pool2d_gather": Row(pool_cases("gather"), reference.max_pool2d_gather),
    "avg_pool2d": bilinear(pool_cases("avg"), reference.avg_pool2d),
    "avg_pool2d_scatter": bilinear(pool_cases("avg_scatter"), renamed(reference.avg_pool2d_scatter)),
}
