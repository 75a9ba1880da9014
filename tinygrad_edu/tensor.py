"""Tensor: an array, its gradient, and the operation that made it."""

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .context import context
from .errors import DTypeError, GradientError, ShapeError
from .function import Node, now

__all__ = ["Tensor"]


class Tensor:
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

    __slots__ = ("__weakref__", "_data", "changed", "grad", "name", "node", "requires_grad")

    _data: NDArray[Any]
    grad: "Tensor | None"
    node: Node | None
    requires_grad: bool
    name: str | None
    changed: int  # tick of the last change in place

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
        self.changed = now()

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._data.dtype

    @property
    def ndim(self) -> int:
        return self._data.ndim

    @property
    def size(self) -> int:
        return self._data.size

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

    def astype(self, dtype: DTypeLike) -> "Tensor":
        """Convert to a dtype; between floats the gradient flows through."""
        return ops.astype(self, dtype)

    # -- the gradient ----------------------------------------------------------------------------------

    def backward(
        self, gradient: Any = None, *, retain_graph: bool = False, create_graph: bool = False
    ) -> None:
        """Add d(self)/d(leaf) to the ``.grad`` of every leaf; see :func:`tinygrad_edu.backward`."""
        from .autograd import backward

        backward(self, gradient, retain_graph=retain_graph, create_graph=create_graph)

    def zero_grad(self) -> None:
        """Forget the gradient, before the next ``backward`` adds to it."""
        self.grad = None

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

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if self.requires_grad and context.recording:
            raise GradientError(
                "a Tensor that requires a gradient was turned into a NumPy array, which would silently leave "
                "the graph; write t.numpy() or t.detach() if that is meant"
            )
        return np.array(self._data, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        function = ops.UFUNCS.get(ufunc.__name__)
        if kwargs and not any(isinstance(x, Tensor) and x.requires_grad for x in inputs):
            # w.data -= rate * w.grad: nothing to record, so NumPy may do what it was asked.
            return getattr(ufunc, method)(
                *[x._data if isinstance(x, Tensor) else x for x in inputs], **kwargs
            )
        if method != "__call__" or function is None or kwargs:
            raise DTypeError(
                f"np.{ufunc.__name__}{'' if method == '__call__' else '.' + method} can't be recorded on a "
                f"Tensor{' with ' + ', '.join(kwargs) if kwargs else ''}; use tinygrad_edu's own function, "
                f"or t.numpy() where no gradient is needed. Known: {', '.join(sorted(ops.UFUNCS))}"
            )
        return function(*inputs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        function = ops.ARRAY_FUNCTIONS.get(func.__name__)
        if function is None:
            raise DTypeError(
                f"np.{func.__name__} can't be recorded on a Tensor; use tinygrad_edu's own function, or "
                f"t.numpy() where no gradient is needed. Known: {', '.join(sorted(ops.ARRAY_FUNCTIONS))}"
            )
        return function(*args, **kwargs)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __bool__(self) -> bool:
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

    __hash__ = object.__hash__  # by identity: == compares elements

    # -- operators -------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> "Tensor":
        return ops.Add.apply(self, other)

    def __radd__(self, other: Any) -> "Tensor":
        return ops.Add.apply(other, self)

    def __sub__(self, other: Any) -> "Tensor":
        return ops.Subtract.apply(self, other)

    def __rsub__(self, other: Any) -> "Tensor":
        return ops.Subtract.apply(other, self)

    def __mul__(self, other: Any) -> "Tensor":
        return ops.Multiply.apply(self, other)

    def __rmul__(self, other: Any) -> "Tensor":
        return ops.Multiply.apply(other, self)

    def __truediv__(self, other: Any) -> "Tensor":
        return ops.Divide.apply(self, other)

    def __rtruediv__(self, other: Any) -> "Tensor":
        return ops.Divide.apply(other, self)

    def __pow__(self, other: Any) -> "Tensor":
        return ops.Pow.apply(self, other)

    def __rpow__(self, other: Any) -> "Tensor":
        return ops.Pow.apply(other, self)

    def __matmul__(self, other: Any) -> "Tensor":
        return ops.Matmul.apply(self, other)

    def __rmatmul__(self, other: Any) -> "Tensor":
        return ops.Matmul.apply(other, self)

    def __neg__(self) -> "Tensor":
        return ops.Negative.apply(self)

    def __pos__(self) -> "Tensor":
        return self

    def __abs__(self) -> "Tensor":
        return ops.abs(self)

    def __eq__(self, other: object) -> "Tensor":  # type: ignore[override]
        return ops.equal(self, other)

    def __ne__(self, other: object) -> "Tensor":  # type: ignore[override]
        return ops.not_equal(self, other)

    def __lt__(self, other: Any) -> "Tensor":
        return ops.less(self, other)

    def __le__(self, other: Any) -> "Tensor":
        return ops.less_equal(self, other)

    def __gt__(self, other: Any) -> "Tensor":
        return ops.greater(self, other)

    def __ge__(self, other: Any) -> "Tensor":
        return ops.greater_equal(self, other)

    def __getitem__(self, index: Any) -> "Tensor":
        return ops.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise DTypeError(
            "a Tensor's elements can't be assigned, since a recorded value must not change; build a new one "
            "with where(mask, a, b) or concat, or change t.data[...] before the computation starts"
        )

    def __iadd__(self, other: Any) -> "Tensor":
        return self._in_place("+=", self + other)

    def __isub__(self, other: Any) -> "Tensor":
        return self._in_place("-=", self - other)

    def __imul__(self, other: Any) -> "Tensor":
        return self._in_place("*=", self * other)

    def __itruediv__(self, other: Any) -> "Tensor":
        return self._in_place("/=", self / other)

    def __ipow__(self, other: Any) -> "Tensor":
        return self._in_place("**=", self**other)

    def __imatmul__(self, other: Any) -> "Tensor":
        return self._in_place("@=", self @ other)

    def _in_place(self, operator: str, result: "Tensor") -> "Tensor":
        """Let ``w -= rate * w.grad`` update a parameter under ``no_grad``; elsewhere bind a new tensor."""
        if not (self.requires_grad and self.node is None):
            return result
        if context.recording:
            raise GradientError(
                f"{operator} on {self.name or 'a leaf'} {self.shape}, which requires a gradient: recorded, "
                "it would stop being a leaf and never get one. Update it under `with no_grad():`;"
                " to compute with it, write `y = w + ...` with a new name"
            )
        self.data = result._data
        return self

    # -- methods: the functions of the same name -------------------------------------------------------

    @property
    def T(self) -> "Tensor":
        """The transpose of a matrix, shape (m, n) to (n, m)."""
        if self.ndim != 2:
            raise ShapeError(f"T: expected two dimensions, got shape {self.shape}; use mT or permute_dims")
        return ops.permute_dims(self, (1, 0))

    @property
    def mT(self) -> "Tensor":
        """The last two dimensions swapped."""
        return ops.matrix_transpose(self)

    def reshape(self, *shape: Any) -> "Tensor":
        return ops.reshape(self, shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)

    def flatten(self) -> "Tensor":
        return ops.reshape(self, (-1,))

    def transpose(self, *axes: Any) -> "Tensor":
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return ops.permute_dims(self, order or tuple(reversed(range(self.ndim))))

    def squeeze(self, axis: int | Sequence[int]) -> "Tensor":
        return ops.squeeze(self, axis)

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> "Tensor":
        return ops.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> "Tensor":
        return ops.mean(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, *, keepdims: bool = False) -> "Tensor":
        return ops.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, *, keepdims: bool = False) -> "Tensor":
        return ops.min(self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> "Tensor":
        return ops.argmax(self, axis=axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, *, keepdims: bool = False) -> "Tensor":
        return ops.argmin(self, axis=axis, keepdims=keepdims)

    def exp(self) -> "Tensor":
        return ops.exp(self)

    def log(self) -> "Tensor":
        return ops.log(self)

    def sqrt(self) -> "Tensor":
        return ops.sqrt(self)

    def tanh(self) -> "Tensor":
        return ops.tanh(self)

    def sigmoid(self) -> "Tensor":
        return ops.sigmoid(self)

    def relu(self) -> "Tensor":
        return ops.relu(self)

    def softmax(self, axis: int = -1) -> "Tensor":
        return ops.softmax(self, axis=axis)

    def clip(self, min: Any = None, max: Any = None) -> "Tensor":
        return ops.clip(self, min, max)


def wrap(data: Any, node: Node | None) -> Tensor:
    """Make a Tensor of an operation's result, without the checks that user input gets."""
    t = Tensor.__new__(Tensor)
    t._data = data if type(data) is np.ndarray else np.asarray(data)
    t.node = node
    t.requires_grad = node is not None
    t.grad = None
    t.name = None
    t.changed = 0
    return t


def as_array(data: Any, dtype: DTypeLike | None = None) -> NDArray[Any]:
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
    if dtype is None and array.dtype == np.float64 and not isinstance(data, np.ndarray | np.generic):
        array = array.astype(np.float32)  # Python floats have no width of their own
    if array.dtype.kind not in "fiub":
        raise DTypeError(
            f"Tensor: expected real numbers or bools, got dtype {array.dtype}; "
            "convert or encode the data first (for example text labels to integers)"
        )
    return array


from . import ops  # noqa: E402  (last, since the operations need to know what a Tensor is)
