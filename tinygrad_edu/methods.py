"""The methods of Tensor that are functions of the package under the same, or NumPy's, name.

Arguments are as in NumPy: the axis may come by position. There is no ``out=`` and nothing is changed in
place (``sort`` returns the sorted tensor).
"""

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import ShapeError

if TYPE_CHECKING:
    from . import ops as ops
    from .tensor import Tensor
    # When the program runs, tensor.py puts ops in here: the operations need the finished class first.

__all__ = ["Methods"]

# What PyTorch and NumPy call a method, and what to write here.
_ELSEWHERE = {
    **dict.fromkeys(["add", "sub", "mul", "div", "mm", "bmm", "matmul", "eq"], "+, -, *, /, @, =="),
    **dict.fromkeys(["add_", "sub_", "mul_", "div_", "zero_", "fill_", "copy_", "fill", "put"],
                    "t.data[...] = values on a leaf; a recorded value never changes"),
    **dict.fromkeys(["float", "double", "long", "int", "bool", "half", "type", "to"], 'x.astype("float32")'),
    **dict.fromkeys(["cpu", "cuda", "contiguous"], "x itself: there is one device, and any layout will do"),
    **dict.fromkeys(["conj", "conjugate", "real", "imag"], "x itself: all numbers are real"),
    "chunk": "te.split(x, n)",
    "dim": "x.ndim",
    "expand": "te.broadcast_to(x, shape)",
    "gather": "te.take_along_axis(x, indices)",
    "grad_fn": "x.node",
    "masked_fill": "te.where(mask, value, x)",
    "norm": "te.linalg.vector_norm(x) or matrix_norm",
    "numel": "x.size",
    "permute": "x.transpose(axes)",
    "requires_grad_": "Tensor(x, requires_grad=True)",
    "t": "x.T",
    "unsqueeze": "te.expand_dims(x, axis)",
    "view": "x.reshape(shape)",
}  # fmt: skip


class Methods:
    """``x.sum(axis)`` for ``sum(x, axis=axis)`` and so on; see Tensor."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def shape(self) -> tuple[int, ...]: ...

        @property
        def ndim(self) -> int: ...
    else:  # mypy would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            """Name what is meant where another package has a method that we don't."""
            message = f"{type(self).__name__!r} object has no attribute {name!r}"
            if name in _ELSEWHERE:
                message += f"; here one writes {_ELSEWHERE[name]}"
            elif not name.startswith("_"):
                package = sys.modules[__package__]
                near = get_close_matches(name, dir(type(self)), n=1)
                if name in package.__all__:
                    message += f"; it is a function: tinygrad_edu.{name}(x)"
                elif near:
                    message += f"; did you mean {near[0]!r}?"
            raise AttributeError(message)

    # -- shape -----------------------------------------------------------------------------------------

    @property
    def T(self) -> "Tensor":
        """The transpose of a matrix, shape (m, n) to (n, m); raises ShapeError for anything else."""
        if self.ndim != 2:
            raise ShapeError(f"T: expected two dimensions, got shape {self.shape}; use mT or permute_dims")
        return ops.permute_dims(self, (1, 0))

    @property
    def mT(self) -> "Tensor":
        """The last two dimensions swapped, shape (..., m, n) to (..., n, m)."""
        return ops.matrix_transpose(self)

    @property
    def at(self) -> "ops.indexing.At":
        """``x.at[index].set(v)``, ``.add(v)`` …: a new tensor with some elements changed.

        See :class:`tinygrad_edu.ops.indexing.Places`.
        """
        return ops.indexing.At(self)

    def reshape(self, *shape: Any) -> "Tensor":
        """See :func:`tinygrad_edu.reshape`; the shape may come as one tuple or as several numbers."""
        return ops.reshape(self, shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)

    def flatten(self) -> "Tensor":
        """All elements in one dimension, row by row."""
        return ops.reshape(self, (-1,))

    def ravel(self) -> "Tensor":
        """The same as ``flatten``."""
        return ops.reshape(self, (-1,))

    def transpose(self, *axes: Any) -> "Tensor":
        """See :func:`tinygrad_edu.permute_dims`; without axes their order is reversed."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int | np.integer) else axes
        unset = order is None or np.size(order) == 0
        return ops.permute_dims(self, tuple(reversed(range(self.ndim))) if unset else order)

    def swapaxes(self, axis1: int, axis2: int) -> "Tensor":
        """Exchange two axes."""
        return ops.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: int | Sequence[int] | None = None) -> "Tensor":
        """See :func:`tinygrad_edu.squeeze`; None leaves out every axis of length 1."""
        ones = [i for i, n in enumerate(self.shape) if n == 1]
        return ops.squeeze(self, ones if axis is None else axis)

    def repeat(self, repeats: Any, axis: int | None = None) -> "Tensor":
        """See :func:`tinygrad_edu.repeat`."""
        return ops.repeat(self, repeats, axis=axis)

    def take(self, indices: Any, axis: int | None = None) -> "Tensor":
        """See :func:`tinygrad_edu.take`; None picks from all elements, flat."""
        return ops.take(self.flatten(), indices) if axis is None else ops.take(self, indices, axis=axis)

    def diagonal(self, offset: int = 0) -> "Tensor":
        """The diagonal of the last two axes, shape (..., m, n) to (..., k)."""
        return ops.indexing.diagonal(self, offset=offset)

    # -- reductions ------------------------------------------------------------------------------------

    def sum(self, axis: Any = None, *, dtype: Any = None, keepdims: bool = False) -> "Tensor":
        """See :func:`tinygrad_edu.sum`."""
        return ops.sum(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def prod(self, axis: Any = None, *, dtype: Any = None, keepdims: bool = False) -> "Tensor":
        """See :func:`tinygrad_edu.prod`."""
        return ops.prod(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> "Tensor":
        """See :func:`tinygrad_edu.mean`."""
        return ops.mean(self, axis=axis, keepdims=keepdims)

    def var(self, axis: Any = None, *, correction: float = 0.0, keepdims: bool = False) -> "Tensor":
        """See :func:`tinygrad_edu.var`; ``correction`` is NumPy's ddof."""
        return ops.var(self, axis=axis, correction=correction, keepdims=keepdims)

    def std(self, axis: Any = None, *, correction: float = 0.0, keepdims: bool = False) -> "Tensor":
        """See :func:`tinygrad_edu.std`; ``correction`` is NumPy's ddof."""
        return ops.std(self, axis=axis, correction=correction, keepdims=keepdims)

    def max(self, axis: Any = None, *, keepdims: bool = False) -> "Tensor":
        """See :func:`tinygrad_edu.max`."""
        return ops.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, *, keepdims: bool = False) -> "Tensor":
        """See :func:`tinygrad_edu.min`."""
        return ops.min(self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> "Tensor":
        """See :func:`tinygrad_edu.argmax`."""
        return ops.argmax(self, axis=axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, *, keepdims: bool = False) -> "Tensor":
        """See :func:`tinygrad_edu.argmin`."""
        return ops.argmin(self, axis=axis, keepdims=keepdims)

    def any(self, axis: Any = None, *, keepdims: bool = False) -> "Tensor":
        """See :func:`tinygrad_edu.any`."""
        return ops.any(self, axis=axis, keepdims=keepdims)

    def all(self, axis: Any = None, *, keepdims: bool = False) -> "Tensor":
        """See :func:`tinygrad_edu.all`."""
        return ops.all(self, axis=axis, keepdims=keepdims)

    def trace(self, offset: int = 0) -> "Tensor":
        """The sum of the diagonal of the last two axes."""
        return ops.trace(self, offset=offset)

    # -- along an axis ---------------------------------------------------------------------------------

    def cumsum(self, axis: int | None = None) -> "Tensor":
        """See :func:`tinygrad_edu.cumulative_sum`; None runs over all elements, flat."""
        return ops.cumulative_sum(self.flatten() if axis is None else self, axis=axis)

    def cumprod(self, axis: int | None = None) -> "Tensor":
        """See :func:`tinygrad_edu.cumulative_prod`; None runs over all elements, flat."""
        return ops.cumulative_prod(self.flatten() if axis is None else self, axis=axis)

    def sort(self, axis: int = -1, *, descending: bool = False, stable: bool = True) -> "Tensor":
        """See :func:`tinygrad_edu.sort`: a new tensor, while NumPy's method sorts in place."""
        return ops.sort(self, axis=axis, descending=descending, stable=stable)

    def argsort(self, axis: int = -1, *, descending: bool = False, stable: bool = True) -> "Tensor":
        """See :func:`tinygrad_edu.argsort`."""
        return ops.argsort(self, axis=axis, descending=descending, stable=stable)

    def softmax(self, axis: int = -1) -> "Tensor":
        """See :func:`tinygrad_edu.softmax`."""
        return ops.softmax(self, axis=axis)

    # -- element by element, and products --------------------------------------------------------------

    def exp(self) -> "Tensor":
        """See :func:`tinygrad_edu.exp`."""
        return ops.exp(self)

    def log(self) -> "Tensor":
        """See :func:`tinygrad_edu.log`."""
        return ops.log(self)

    def sqrt(self) -> "Tensor":
        """See :func:`tinygrad_edu.sqrt`."""
        return ops.sqrt(self)

    def tanh(self) -> "Tensor":
        """See :func:`tinygrad_edu.tanh`."""
        return ops.tanh(self)

    def sigmoid(self) -> "Tensor":
        """See :func:`tinygrad_edu.sigmoid`."""
        return ops.sigmoid(self)

    def relu(self) -> "Tensor":
        """See :func:`tinygrad_edu.relu`."""
        return ops.relu(self)

    def clip(self, min: Any = None, max: Any = None) -> "Tensor":
        """See :func:`tinygrad_edu.clip`."""
        return ops.clip(self, min, max)

    def round(self) -> "Tensor":
        """See :func:`tinygrad_edu.round`."""
        return ops.round(self)

    def dot(self, other: Any) -> "Tensor":
        """NumPy's ``dot``: the last axis with the other's last but one, or only one; a number multiplies."""
        ndim = np.ndim(other)
        if self.ndim == 0 or ndim == 0:
            return ops.multiply(self, other)
        return ops.tensordot(self, other, axes=((-1,), (-1 if ndim == 1 else -2,)))
