"""Tensors made from nothing, from numbers, and from other libraries' arrays.

Signatures are the array API standard's, so there is no ``requires_grad=`` here: to differentiate with respect
to such a tensor, write ``Tensor(zeros((2, 3)), requires_grad=True)``. Without a dtype, Python floats give
float32, ints int64 and bools bool; the only device is "cpu", and another raises ArgumentError.
"""

from collections.abc import Sequence
from operator import index
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import ops
from .errors import ArgumentError, DTypeError, GradientError, ShapeError, unknown_name
from .ops.parameters import whole_number
from .tensor import Tensor, as_array, check_device

__all__ = [
    "arange",
    "asarray",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "full",
    "full_like",
    "linspace",
    "meshgrid",
    "ones",
    "ones_like",
    "zeros",
    "zeros_like",
]

Shape = int | Sequence[int]


def asarray(
    obj: Any, /, *, dtype: DTypeLike | None = None, device: str | None = None, copy: bool | None = None
) -> Tensor:
    """Return obj (a Tensor, an array, numbers, nested lists) as a Tensor of the same shape.

    A Tensor is given back as it is, in its graph, and conversions are recorded. An array shares its memory
    unless the dtype changes or ``copy=True``. Raises ArgumentError where ``copy=False`` can't be kept,
    DTypeError for what isn't real numbers.

    >>> asarray([[1, 2], [3, 4]], dtype="float32")
    Tensor([[1., 2.],
            [3., 4.]])
    """
    check_device(device)
    if isinstance(obj, Tensor):
        same = dtype is None or np.dtype(dtype) == obj.dtype
        if same and not copy:
            return obj
        if copy is False:
            raise ArgumentError(f"asarray: {obj.dtype} becomes {dtype} only by a copy, and copy=False")
        return ops.astype(obj, obj.dtype if dtype is None else dtype)
    array = as_array(obj, dtype)
    shared = isinstance(obj, np.ndarray) and np.may_share_memory(array, obj)
    if copy is False and not shared:
        raise ArgumentError("asarray: these values become an array only by a copy, and copy=False")
    return Tensor(array.copy() if copy and shared else array)


def zeros(shape: Shape, *, dtype: DTypeLike | None = None, device: str | None = None) -> Tensor:
    """Return a tensor of a shape, filled with 0, of float32 unless another dtype is named.

    Raises ShapeError for a negative length.

    >>> zeros((2, 2))
    Tensor([[0., 0.],
            [0., 0.]])
    """
    return full(shape, 0, dtype=_dtype(dtype), device=device)


def ones(shape: Shape, *, dtype: DTypeLike | None = None, device: str | None = None) -> Tensor:
    """Return a tensor of a shape, filled with 1, of float32 unless another dtype is named.

    Raises ShapeError for a negative length.

    >>> ones(3)
    Tensor([1., 1., 1.])
    """
    return full(shape, 1, dtype=_dtype(dtype), device=device)


def empty(shape: Shape, *, dtype: DTypeLike | None = None, device: str | None = None) -> Tensor:
    """Return a tensor of a shape (float32 unless named) whose values are whatever was in that memory.

    Raises ShapeError for a negative length.

    >>> empty((2, 3)).shape
    (2, 3)
    """
    check_device(device)
    return Tensor(np.empty(_shape("empty", shape), _dtype(dtype)))


def full(
    shape: Shape, fill_value: Any, *, dtype: DTypeLike | None = None, device: str | None = None
) -> Tensor:
    """Return a tensor of a shape, filled with a number, whose kind decides the dtype if none is named.

    Raises ShapeError for a negative length, ArgumentError for a number that the dtype can't hold.

    >>> full(2, 7)
    Tensor([7, 7])
    """
    check_device(device)
    value = _number("full", fill_value)
    try:
        return Tensor(
            np.full(_shape("full", shape), value, as_array(value).dtype if dtype is None else dtype)
        )
    except OverflowError as error:
        raise ArgumentError(f"full: {error}") from None


def zeros_like(x: Any, /, *, dtype: DTypeLike | None = None, device: str | None = None) -> Tensor:
    """Return zeros of x's shape and, unless another is named, dtype; no part of x's graph.

    Raises DTypeError for an x that isn't real numbers.

    >>> zeros_like(Tensor([1, 2]))
    Tensor([0, 0])
    """
    return full_like(x, 0, dtype=dtype, device=device)


def ones_like(x: Any, /, *, dtype: DTypeLike | None = None, device: str | None = None) -> Tensor:
    """Return ones of x's shape and, unless another is named, dtype; no part of x's graph.

    Raises DTypeError for an x that isn't real numbers.

    >>> ones_like(Tensor([1.5, 2.5]))
    Tensor([1., 1.])
    """
    return full_like(x, 1, dtype=dtype, device=device)


def empty_like(x: Any, /, *, dtype: DTypeLike | None = None, device: str | None = None) -> Tensor:
    """Return a tensor of x's shape and dtype whose values are whatever was in that memory.

    Raises DTypeError for an x that isn't real numbers.

    >>> empty_like(Tensor([1, 2])).dtype
    dtype('int64')
    """
    data = _values(x)
    return empty(data.shape, dtype=_dtype(dtype, data.dtype), device=device)


def full_like(
    x: Any, /, fill_value: Any, *, dtype: DTypeLike | None = None, device: str | None = None
) -> Tensor:
    """Return a tensor of x's shape and dtype, filled with a number; no part of x's graph.

    Raises ArgumentError for a number that the dtype can't hold.

    >>> full_like(Tensor([1.0, 2.0]), 7)
    Tensor([7., 7.])
    """
    data = _values(x)
    return full(data.shape, fill_value, dtype=_dtype(dtype, data.dtype), device=device)


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: DTypeLike | None = None,
    device: str | None = None,
) -> Tensor:
    """Return ones on a diagonal (the k-th above the main one, below if negative), and zeros elsewhere.

    Its shape is (n_rows, n_cols), square if n_cols is None; float32 unless another dtype is named. Raises
    ShapeError for a negative length.

    >>> eye(2, 3, k=1)
    Tensor([[0., 1., 0.],
            [0., 0., 1.]])
    """
    check_device(device)
    rows, columns = _shape("eye", (n_rows, n_rows if n_cols is None else n_cols))
    return Tensor(np.eye(rows, columns, whole_number("eye: k", k), dtype=_dtype(dtype)))


def arange(
    start: float,
    /,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: DTypeLike | None = None,
    device: str | None = None,
) -> Tensor:
    """Return start, start + step, … before stop, of shape (n,); with one argument, from 0 up to it.

    Ints give int64, floats float32; each value is computed in float64 and rounded once. Raises
    ArgumentError for a step of 0.

    >>> arange(3), arange(1, 2, 0.25)
    (Tensor([0, 1, 2]), Tensor([1.  , 1.25, 1.5 , 1.75]))
    """
    check_device(device)
    begin, end = (0, start) if stop is None else (start, stop)
    begin, end, step = (_number("arange", x) for x in (begin, end, step))
    if step == 0:
        raise ArgumentError("arange: a step of 0 never arrives")
    numbers = _common(begin, end, step)
    begin, end, step = (x.item() if hasattr(x, "item") else x for x in (begin, end, step))  # uint8 would wrap
    if numbers.kind == "f" and not np.isfinite([begin, end, step]).all():
        raise ArgumentError(f"arange: expected finite numbers, got {begin}, {end}, {step}")
    n = int(np.ceil((end - begin) / step)) if numbers.kind == "f" else -((begin - end) // step)
    return Tensor((begin + np.arange(max(0, n)) * step).astype(_dtype(dtype, numbers)))


def linspace(
    start: float,
    stop: float,
    /,
    num: int,
    *,
    dtype: DTypeLike | None = None,
    device: str | None = None,
    endpoint: bool = True,
) -> Tensor:
    """Return num evenly spaced floats (shape (num,)) from start to stop, or before it without ``endpoint``.

    Raises ShapeError for a negative num.

    >>> linspace(0, 1, 5)
    Tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    check_device(device)
    (n,) = _shape("linspace", num)
    begin, end = _number("linspace", start), _number("linspace", stop)
    return Tensor(np.linspace(begin, end, n, endpoint, dtype=_dtype(dtype, _common(begin, end, 1.0))))


def meshgrid(*arrays: Any, indexing: Literal["xy", "ij"] = "xy") -> tuple[Tensor, ...]:
    """Return the coordinates of a grid: each 1-d input repeated along the axes of all others.

    Inputs of lengths m, n, … give tensors of shape (m, n, …) with "ij", (n, m, …) with "xy". They keep
    their dtypes and stay in the graph. Raises ShapeError for inputs that aren't 1-d.

    >>> x, y = meshgrid(arange(3), arange(2))
    >>> x.tolist(), y.tolist()
    ([[0, 1, 2], [0, 1, 2]], [[0, 0, 0], [1, 1, 1]])
    """
    if indexing not in ("xy", "ij"):
        raise unknown_name("indexing", indexing, ["xy", "ij"])
    vectors = [asarray(x) for x in arrays]
    for x in vectors:
        if x.ndim != 1:
            raise ShapeError(f"meshgrid: expected 1-d tensors, got shape {x.shape}")
    order = list(range(len(vectors)))
    if indexing == "xy":
        order[:2] = order[:2][::-1]
    shape = [vectors[i].size for i in order]
    grids = []
    for i, x in enumerate(vectors):
        line = [x.size if j == i else 1 for j in order]
        grids.append(ops.broadcast_to(ops.reshape(x, line), shape))
    return tuple(grids)


def from_dlpack(x: Any, /, *, device: str | None = None, copy: bool | None = None) -> Tensor:
    """Return another library's array (PyTorch, JAX, NumPy …) as a Tensor on the same memory.

    ``copy=True`` gives it memory of its own. Raises DTypeError for complex numbers.

    >>> import numpy as np
    >>> from_dlpack(np.ones(2))
    Tensor([1., 1.], dtype=float64)
    """
    check_device(device)
    if not hasattr(x, "__dlpack__"):
        raise DTypeError(
            f"from_dlpack: a {type(x).__name__} shares no memory; te.asarray takes numbers and lists"
        )
    array = np.from_dlpack(x)
    return Tensor(array.copy() if copy else array)


def _values(x: Any) -> NDArray[Any]:
    return x.data if isinstance(x, Tensor) else as_array(x)


def _dtype(dtype: Any, default: Any = np.float32) -> Any:
    try:
        return np.dtype(default if dtype is None else dtype)
    except TypeError as error:
        raise DTypeError(f"{error}; expected a dtype as te.float32, or its name") from None


def _number(name: str, x: Any) -> Any:
    """Give a number; a Tensor's, where no gradient would be lost."""
    if np.ndim(x) != 0 or isinstance(x, str):
        raise DTypeError(f"{name}: expected a number, got {x!r}")
    if isinstance(x, Tensor):
        if x.requires_grad:
            raise GradientError(f"{name}: its numbers aren't differentiated; pass x.item() if that is meant")
        return x.data[()]
    return x


def _common(*numbers: Any) -> Any:
    """Give the dtype for these numbers: that of the floats among them, or else of them all."""
    dtypes = [as_array(x).dtype for x in numbers]
    return np.result_type(*([d for d in dtypes if d.kind == "f"] or dtypes))


def _shape(name: str, shape: Any) -> tuple[int, ...]:
    try:
        lengths = tuple([index(n) for n in ((shape,) if np.ndim(shape) == 0 else shape)])
    except TypeError:
        raise DTypeError(f"{name}: expected a shape of whole numbers, got {shape!r}") from None
    if any(n < 0 for n in lengths):
        raise ShapeError(f"{name}: a shape has no negative lengths, got {shape}")
    return lengths
