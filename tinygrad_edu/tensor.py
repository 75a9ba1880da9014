"""Tensor: an array, its gradient, and the operation that made it."""

import sys
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import function, methods, operators
from .context import context
from .errors import ArgumentError, DTypeError, GradientError, ShapeError, unknown_name
from .function import Node, now_changed

if TYPE_CHECKING:
    from .hooks import Hook

__all__ = ["Tensor"]

API_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")  # each contains those before


class Tensor(operators.Operators, methods.Methods):
    """An n-dimensional array that remembers how it was computed, so that it can be differentiated.

    Parameters
    ----------
    data
        Anything NumPy makes a real array of. An array keeps its dtype, and is shared unless a gradient is
        required; Python floats become float32, Python ints int64, bools bool.
    requires_grad
        Record what is computed from this tensor, so that ``backward`` can fill ``.grad``. Floats only.
    dtype
        The dtype to convert to.
    name
        What errors and pictures call it.

    Attributes
    ----------
    data : numpy.ndarray
        The values. Assigning (also ``w.data -= 0.1 * w.grad.data``) changes them in place of the old ones;
        a graph that was recorded before then refuses to be differentiated with the wrong values.
    grad : Tensor or None
        dL/d(this) for a leaf, added up over ``backward`` calls until ``zero_grad``.
    node : Node or None
        The operation that made it; None for a leaf.

    Raises
    ------
    DTypeError
        For complex numbers, strings or objects, and for ``requires_grad`` on integers or bools.

    Examples
    --------
    >>> from tinygrad_edu import Tensor
    >>> W = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="W")
    >>> loss = (W @ W).sum()
    >>> loss.backward()
    >>> W.grad
    Tensor([[ 7., 11.],
            [ 9., 13.]])
    """

    __slots__ = ("__weakref__", "_data", "changed", "grad", "hooks", "name", "node", "requires_grad")

    _data: NDArray[Any]
    grad: "Tensor | None"
    node: Node | None
    requires_grad: bool
    name: str | None
    changed: int  # tick of the last change in place
    hooks: list[Any] | None  # of a leaf; set by the first register_hook

    def __init__(
        self,
        data: Any,
        requires_grad: bool = False,
        dtype: DTypeLike | None = None,
        name: str | None = None,
    ) -> None:
        self._data = as_array(data, dtype)
        if requires_grad and self._data is data:
            self._data = self._data.copy()  # what a graph is built on must not change behind its back
        if requires_grad and self._data.dtype.kind != "f":
            raise DTypeError(
                f"Tensor: only floats have gradients, and this is {self._data.dtype}; "
                'write the numbers as floats (1.0 for 1) or pass dtype="float32"'
            )
        self.requires_grad = bool(requires_grad)
        self.grad = None
        self.node = None
        self.name = name
        self.changed = 0
        self.hooks = None

    # -- the array -------------------------------------------------------------------------------------

    @property
    def data(self) -> NDArray[Any]:
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        if self.node is not None:
            raise GradientError(
                f"Tensor.data: this tensor {self.shape} was computed, and gradients may need its value as it "
                "was; compute a new one, or change a copy: Tensor(t.numpy().copy())"
            )
        array = as_array(value)
        if array.shape != self._data.shape:
            raise ShapeError(
                f"Tensor.data: {self.name or 'the tensor'} is {self.shape}, the new data {array.shape}; "
                "make a new Tensor for another shape"
            )
        if array is not self._data:  # a copy: an optimizer will write into it
            self._data = np.array(array, self._data.dtype, order="C")
        self.changed = now_changed()

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of the elements: one of floats, whole numbers, bools."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """How many axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """How many elements."""
        return self._data.size

    @property
    def itemsize(self) -> int:
        """Bytes for one element."""
        return self._data.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes for all elements."""
        return self._data.nbytes

    @property
    def device(self) -> str:
        """Where the values are: always "cpu"."""
        return "cpu"

    def to_device(self, device: str, /, *, stream: None = None) -> "Tensor":
        """Return the tensor itself; raises ArgumentError for a device other than "cpu"."""
        check_device(device)
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it."""
        return self.node is None

    def numpy(self) -> NDArray[Any]:
        """Return the values as an array that shares the tensor's memory and knows nothing of gradients."""
        return self._data

    def item(self) -> Any:
        """Return the only element as a Python number; raises ShapeError if there isn't exactly one."""
        if self._data.size != 1:
            raise ShapeError(f"item: expected a tensor with one element, got shape {self.shape}")
        return self._data.item()

    def tolist(self) -> Any:
        """Return the values as nested Python lists."""
        return self._data.tolist()

    def detach(self) -> "Tensor":
        """Return a tensor with the same memory that is no part of any graph."""
        return wrap(self._data, None)

    def astype(self, dtype: DTypeLike, *, copy: bool = True) -> "Tensor":
        """Convert to a dtype; between floats the gradient flows through. See :func:`tinygrad_edu.astype`."""
        return ops.astype(self, dtype, copy=copy)

    def copy(self) -> "Tensor":
        """Return the same values in memory of their own; the gradient flows through."""
        return ops.astype(self, self.dtype)

    # -- the gradient ----------------------------------------------------------------------------------

    def backward(
        self, gradient: Any = None, *, retain_graph: bool = False, create_graph: bool = False
    ) -> None:
        """Add d(self)/d(leaf) to the ``.grad`` of every leaf; see :func:`tinygrad_edu.backward`."""
        autograd.backward(self, gradient, retain_graph=retain_graph, create_graph=create_graph)

    def zero_grad(self) -> None:
        """Forget the gradient, before the next ``backward`` adds to it."""
        self.grad = None

    def register_hook(self, hook: "Callable[[Tensor], Tensor | None]") -> "Hook":
        """Call ``hook`` with dL/d(this), once in each backward pass, when all of it has arrived.

        What it returns replaces the gradient, for what lies further back and for ``.grad``; None leaves
        it. Hooks run in the order in which they were registered, on a gradient that can be differentiated
        under ``create_graph``. Returns a handle: ``remove()`` it, or use it as a ``with`` block. Raises
        GradientError for a tensor that requires no gradient, and in the pass if a replacement doesn't have
        the gradient's shape and dtype.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> with x.register_hook(lambda g: g * 10):
        ...     (x * x).sum().backward()
        >>> x.grad
        Tensor([20., 40.])
        """
        from .hooks import register

        return register(self, hook)

    # -- conversions -----------------------------------------------------------------------------------

    def __repr__(self) -> str:
        body = np.array2string(self._data, separator=", ", prefix="Tensor(", threshold=100)
        parts = [body]
        if self._data.dtype not in (np.float32, np.int64, np.bool_):
            parts.append(f"dtype={self._data.dtype}")
        if self.node is not None:
            parts.append(f"fn=<{self.node.fn.name}>")
        elif self.requires_grad:
            parts.append("requires_grad=True")
        if self.name:
            parts.append(f"name={self.name!r}")
        return f"{type(self).__name__}({', '.join(parts)})"

    def _repr_html_(self) -> str:
        from .viz.notebook import tensor_html

        return tensor_html(self)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if self.requires_grad and context.recording:
            raise GradientError(
                "a Tensor that requires a gradient was turned into a NumPy array, which would silently leave "
                "the graph; write t.numpy() or t.detach() if that is meant"
            )
        return np.array(self._data, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return numpy_functions.call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return numpy_functions.call_function(func, args, kwargs)

    def __array_namespace__(self, /, *, api_version: str | None = None) -> ModuleType:
        if api_version is not None and api_version not in API_VERSIONS:
            raise unknown_name("version of the array API standard", api_version, API_VERSIONS)
        return sys.modules["tinygrad_edu"]

    def __dlpack__(self, /, **options: Any) -> Any:
        """Hand the memory to another library without a copy; see :func:`tinygrad_edu.from_dlpack`."""
        given = {name: value for name, value in options.items() if value is not None}
        return self.__array__().__dlpack__(**given)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._data.__dlpack_device__()

    def __getstate__(self) -> Any:
        if self.node is not None:
            raise GradientError(
                f"a computed tensor {self.shape} can't be pickled or copied apart from the graph that it is "
                "part of; .detach() keeps its values, .copy() is recorded"
            )
        state: Any = object.__getstate__(self)
        # Hooks belong to the original alone, and so does a tick of this process's clock.
        return state[0], {**state[1], "hooks": None, "changed": 0}

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __bool__(self) -> bool:
        if self._data.size != 1:
            raise ShapeError(
                f"a Tensor of shape {self.shape} isn't true or false as a whole; ask x.any() or x.all()"
            )
        return bool(self._data)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return self._data.__index__()

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator["Tensor"]:
        if self.ndim == 0:
            raise DTypeError("a Tensor of shape () can't be iterated over")
        return (self[i] for i in range(self.shape[0]))


def wrap(data: Any, node: Node | None) -> Tensor:
    """Make a Tensor of an operation's result, without the checks that user input gets."""
    if type(data) is not np.ndarray:
        data = np.asarray(data)
    if data.dtype.kind not in "fiub":
        raise DTypeError(f"the result would be of dtype {data.dtype}, and a Tensor has real numbers or bools")
    t = _new(Tensor)
    t._data = data
    t.node = node
    t.requires_grad = node is not None
    t.grad = t.name = t.hooks = None
    t.changed = 0
    return t


_new = object.__new__


def check_device(device: Any) -> None:
    """Raise ArgumentError for a device other than the one there is."""
    if device is not None and device != "cpu":
        raise ArgumentError(f"device {device!r}: everything is on the CPU here; pass None or 'cpu'")


_TYPED = Tensor | np.ndarray | np.generic  # what has a dtype of its own, also if it is a Python float as well


def _dtypes_in(data: Any) -> Iterator[np.dtype[Any]]:
    """Find the dtypes of what has one in nested lists: arrays and NumPy's numbers, but not Python's."""
    if isinstance(data, list | tuple):
        if not set(map(type, data)) <= {float, int, bool}:  # all at once, since data may be long
            for part in data:
                yield from _dtypes_in(part)
    elif isinstance(data, _TYPED) or not isinstance(data, float | int):
        yield np.asarray(data).dtype


def as_arrays(*values: Any) -> list[Any]:
    """Make arrays of the numbers and lists among the values, as wide as the Tensors and arrays are."""
    return [x if isinstance(x, (Tensor, np.ndarray)) else as_array(x, beside=values) for x in values]


def as_array(data: Any, dtype: DTypeLike | None = None, beside: Iterable[Any] = ()) -> NDArray[Any]:
    """Make an array of data, whose Python floats have no width of their own.

    They take the width of the other floats in the data, or else of the Tensors and arrays that the data is
    used with (``beside``), or else float32.
    """
    if isinstance(data, Tensor):
        if data.node is not None:
            raise GradientError(
                "Tensor: this would take a computed tensor out of its graph; use it as it is, or .detach() it"
            )
        data = data._data
    try:
        array = np.asarray(data, dtype=dtype)
    except (ValueError, TypeError) as error:
        raise DTypeError(f"Tensor: can't make an array of {type(data).__name__}: {error}") from error
    if dtype is None and array.dtype == np.float64 and not isinstance(data, _TYPED):
        floats = [d for d in _dtypes_in(data) if d.kind == "f"]
        floats = floats or [x.dtype for x in beside if isinstance(x, _TYPED) and x.dtype.kind == "f"]
        array = array.astype(np.result_type(*floats) if floats else np.float32, copy=False)
    if array.dtype.kind not in "fiub":
        raise DTypeError(
            f"Tensor: expected real numbers or bools, got dtype {array.dtype}; "
            "convert or encode the data first (for example text labels to integers)"
        )
    return array


from . import ops  # noqa: E402  (last, since the operations need to know what a Tensor is)

from . import autograd, numpy_functions  # noqa: E402  # isort: skip

operators.ops = methods.ops = ops
function.Tensor, function.as_array, function.wrap = Tensor, as_array, wrap  # type: ignore[attr-defined]
