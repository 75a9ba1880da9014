"""Hypothesis strategies for shapes, axes, indices and arrays, as property tests of operations need them.

Shapes are drawn by Hypothesis, element by element, so a failure shrinks to the smallest shape. Values
come from a random generator whose seed is drawn: that is a hundred times quicker than drawing each number,
and gives numbers in general position, without the many zeros and ties that would sit on every kink.

Hypothesis is imported when a strategy is made; ``pip install hypothesis`` brings it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import ArgumentError, unknown_name
from ..tensor import Tensor

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = [
    "LAYOUTS", "arrays", "axes", "broadcastable_shapes", "indices", "shapes", "tensors", "with_layout",
]  # fmt: skip

Array = NDArray[Any]
Shape = tuple[int, ...]

LAYOUTS = ("contiguous", "transposed", "strided", "reversed", "offset")

# What an operation may stumble over: see the ``special`` of arrays().
_SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e30, -1e30, 1e-30, -1e-30)


def _hypothesis() -> Any:
    try:
        import hypothesis.extra.numpy
        import hypothesis.strategies
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "tinygrad_edu.testing draws its examples with hypothesis, which isn't installed: "
            "pip install hypothesis"
        ) from error
    return hypothesis


def shapes(
    *, min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4
) -> "SearchStrategy[Shape]":
    """Draw shapes, tuples of whole numbers, those with a side of 0 or 1 included.

    Hypothesis raises InvalidArgument at the first draw if a min is greater than its max.

    >>> from hypothesis import find
    >>> find(shapes(), lambda shape: len(shape) == 2 and 0 not in shape)
    (1, 1)
    """
    st = _hypothesis().strategies
    sides = st.integers(min_side, max_side)
    return st.lists(sides, min_size=min_dims, max_size=max_dims).map(tuple)  # type: ignore[no-any-return]


def broadcastable_shapes(
    n: int = 2, *, min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4
) -> "SearchStrategy[tuple[Shape, ...]]":
    """Draw n shapes that broadcast together: some lack leading axes of the result, some have 1 there.

    They come as a tuple of tuples of whole numbers. What it raises is as for :func:`shapes`.

    >>> from hypothesis import find
    >>> find(broadcastable_shapes(2), lambda s: s[0] != s[1])
    ((), (0,))
    """
    st = _hypothesis().strategies

    def seen_by_one(result: Shape) -> Any:
        ones = st.tuples(*[st.booleans() for _ in result])
        return st.tuples(ones, st.integers(min_dims, len(result))).map(
            lambda drawn: tuple(1 if one else side for one, side in zip(drawn[0], result, strict=True))[
                len(result) - drawn[1] :
            ]
        )

    results = shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)
    return results.flatmap(lambda r: st.tuples(*[seen_by_one(r) for _ in range(n)]))


def axes(ndim: int, *, none: bool = True, several: bool = True) -> "SearchStrategy[Any]":
    """Draw an axis of a tensor with ``ndim`` dimensions: an int, also negative; None; a tuple of ints.

    The ints are whole numbers from -ndim to ndim - 1, in a tuple none twice. Raises ArgumentError if there is
    nothing to draw.

    >>> from hypothesis import find
    >>> find(axes(3), lambda axis: isinstance(axis, tuple) and len(axis) == 2)
    (0, 1)
    """
    st = _hypothesis().strategies
    if not (ndim or none or several):
        raise ArgumentError("axes: a tensor without dimensions has no axis; allow none=True or several=True")
    kinds = []
    if none:
        kinds.append(st.none())
    if ndim:
        kinds.append(st.integers(-ndim, ndim - 1))
    if several:
        distinct = st.lists(st.integers(0, ndim - 1), unique=True, max_size=ndim) if ndim else st.just([])
        signs = st.lists(st.booleans(), min_size=ndim, max_size=ndim)
        kinds.append(
            st.tuples(distinct, signs).map(
                lambda d: tuple(a - ndim if turned else a for a, turned in zip(d[0], d[1], strict=False))
            )
        )
    return st.one_of(*kinds)  # type: ignore[no-any-return]


def indices(shape: Sequence[int]) -> "SearchStrategy[Any]":
    """Draw anything that may stand in x[...] for an x of this shape.

    Ints, slices with steps of either sign, None, ``...``, integer arrays with repeats, boolean masks, of
    which some stand together. Raises hypothesis' InvalidArgument for a shape with a negative side.

    >>> from hypothesis import find
    >>> index = find(indices((3,)), lambda index: isinstance(index, np.ndarray) and index.dtype == bool)
    >>> np.zeros(3)[index]
    array([], dtype=float64)
    """
    hypothesis = _hypothesis()
    st, hnp = hypothesis.strategies, hypothesis.extra.numpy
    shape = tuple(shape)
    kinds = [hnp.basic_indices(shape, allow_newaxis=True), hnp.arrays(bool, shape)]
    if shape and 0 not in shape:
        places = hnp.integer_array_indices(
            shape, result_shape=hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=4)
        )
        first = places.map(lambda index: index[0])
        # An array among slices, and two arrays apart: there NumPy moves the picked axis to the front.
        last = places.map(lambda index: (..., index[-1]))
        apart = places.map(lambda index: (index[0], None, *index[1:]))
        sides = [st.one_of(st.integers(-n, n - 1), st.slices(n)) for n in shape]

        def among(axis: int, array: Any) -> Any:
            """Put an array or a mask of one axis among ints and slices of the others."""
            return st.tuples(*sides[:axis], array, *sides[axis + 1 :])

        axis = st.integers(0, len(shape) - 1)
        mixed = axis.flatmap(
            lambda a: among(a, hnp.integer_array_indices(shape[a : a + 1]).map(lambda i: i[0]))
        )
        masked = axis.flatmap(lambda a: among(a, hnp.arrays(bool, shape[a])))
        kinds += [places, first, last, apart, mixed, masked]
    return st.one_of(*kinds)  # type: ignore[no-any-return]


def arrays(
    shape: Any = None,
    *,
    dtype: DTypeLike = np.float64,
    low: float = -2.0,
    high: float = 2.0,
    avoid: Sequence[float] = (),
    margin: float = 0.05,
    distinct: bool = False,
    special: bool = False,
    layouts: Sequence[str] = ("contiguous",),
) -> "SearchStrategy[Array]":
    """Draw arrays with values in general position.

    Parameters
    ----------
    shape
        A shape, or a strategy for one; by default ``shapes()``.
    dtype
        Floats, integers or bool.
    low, high
        Values lie between them; for integers the upper bound is left out.
    avoid, margin
        Kinks and poles, from which all values keep a distance of at least ``margin``.
    distinct
        Keep the values apart, so that none tie: for maxima and sorting. By (high - low) / 2n.
    special
        Mix in nan, inf, both zeros, huge and tiny numbers.
    layouts
        Which of ``LAYOUTS`` the arrays may have in memory.

    Raises
    ------
    ArgumentError
        If nothing is left between low and high, or a layout is unknown.

    Examples
    --------
    >>> from hypothesis import find
    >>> x = find(arrays((3,), avoid=[0]), lambda x: True)
    >>> x.shape, bool((abs(x) >= 0.05).all())
    ((3,), True)
    """
    st = _hypothesis().strategies
    dtype = np.dtype(dtype)
    if not low < high:
        raise ArgumentError(f"arrays: low={low} must be less than high={high}")
    for layout in layouts:
        if layout not in LAYOUTS:
            raise unknown_name("layout", layout, LAYOUTS)

    def make(drawn: tuple[Shape, int, str]) -> Array:
        at, seed, layout = drawn
        x: Array
        rng = np.random.default_rng(seed)
        if dtype.kind == "b":
            x = rng.random(at) < 0.5
        elif dtype.kind in "iu":
            x = rng.integers(int(low), int(high), at)
        elif distinct:
            n = int(np.prod(at))
            x = (rng.permutation(n) + rng.uniform(0, 0.5, n)).reshape(at) / max(n, 1) * (high - low) + low
        else:
            x = rng.uniform(low, high, at)
        x = np.asarray(x)
        for pole in avoid:
            near = np.abs(x - pole) < margin
            away = np.where(x < pole, pole - margin, pole + margin)
            away = np.where(away > high, pole - margin, np.where(away < low, pole + margin, away))
            # Not all to the same place, for then they would tie.
            x = np.where(near, away + (away - pole) * rng.random(at), x)
        if special and dtype.kind == "f":
            x = np.where(rng.random(at) < 0.5, rng.choice(_SPECIAL, at), x)
        return with_layout(x.astype(dtype), layout)

    if shape is None:
        shape = shapes()
    elif not hasattr(shape, "map"):
        shape = st.just(tuple(shape))
    return st.tuples(shape, st.integers(0, 2**32 - 1), st.sampled_from(list(layouts))).map(make)  # type: ignore[no-any-return]


def tensors(shape: Any = None, *, requires_grad: bool = True, **options: Any) -> "SearchStrategy[Tensor]":
    """Draw Tensors, float64 and of any shape by default; the parameters are those of :func:`arrays`.

    Raises what that does, and DTypeError for a dtype of whole numbers or bools unless
    ``requires_grad=False``.

    >>> from hypothesis import find
    >>> find(tensors((2, 3), dtype="float32"), lambda t: True).dtype
    dtype('float32')
    """
    return arrays(shape, **options).map(lambda x: Tensor(x, requires_grad=requires_grad))


def with_layout(x: Array, layout: str) -> Array:
    """Return an array of equal values, shape and dtype that lies otherwise in memory.

    "transposed": the first axis varies fastest; "strided": every second element of a longer array;
    "reversed": negative strides; "offset": a part of a larger array; "contiguous" as usual. Raises
    ArgumentError for another word.

    >>> x = np.arange(6.0).reshape(2, 3)
    >>> with_layout(x, "reversed").strides, bool((with_layout(x, "reversed") == x).all())
    ((-24, -8), True)
    """
    x = np.asarray(x)
    if layout == "contiguous":
        return np.array(x, order="C")
    if layout == "transposed":
        return np.array(x, order="F")
    back: Any = (..., *[slice(None, None, -1)] * x.ndim)  # ... since x[()] would be a number
    if layout == "reversed":
        turned: Array = np.array(x[back], order="C")[back]
        return turned
    step = {"strided": 2, "offset": 1}.get(layout)
    if step is None:
        raise unknown_name("layout", layout, LAYOUTS)
    # nan around the values, so that reading beyond them shows.
    odd = np.nan if x.dtype.kind == "f" else 1
    room = np.full([n * step + 2 for n in x.shape], odd, x.dtype)
    inner: Any = (..., *[slice(1, 1 + n * step, step) for n in x.shape])
    part: Array = room[inner]
    part[...] = x
    return part
