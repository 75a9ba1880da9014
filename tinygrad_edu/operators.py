"""The operators of Tensor: each calls the operation of the standard's name."""

from typing import TYPE_CHECKING, Any, NoReturn

from .context import context
from .errors import DTypeError, GradientError

if TYPE_CHECKING:
    from . import ops as ops
    from .tensor import Tensor
    # When the program runs, tensor.py puts ops in here: the operations need the finished class first.

__all__ = ["Operators"]


class Operators:
    """What +, @, [], == and the rest do; see Tensor."""

    __slots__ = ()

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

    def __floordiv__(self, other: Any) -> "Tensor":
        return ops.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> "Tensor":
        return ops.floor_divide(other, self)

    def __mod__(self, other: Any) -> "Tensor":
        return ops.remainder(self, other)

    def __rmod__(self, other: Any) -> "Tensor":
        return ops.remainder(other, self)

    def __divmod__(self, other: Any) -> "tuple[Tensor, Tensor]":
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> "tuple[Tensor, Tensor]":
        return other // self, other % self

    def __and__(self, other: Any) -> "Tensor":
        return ops.bitwise_and(self, other)

    def __rand__(self, other: Any) -> "Tensor":
        return ops.bitwise_and(other, self)

    def __or__(self, other: Any) -> "Tensor":
        return ops.bitwise_or(self, other)

    def __ror__(self, other: Any) -> "Tensor":
        return ops.bitwise_or(other, self)

    def __xor__(self, other: Any) -> "Tensor":
        return ops.bitwise_xor(self, other)

    def __rxor__(self, other: Any) -> "Tensor":
        return ops.bitwise_xor(other, self)

    def __lshift__(self, other: Any) -> "Tensor":
        return ops.bitwise_left_shift(self, other)

    def __rlshift__(self, other: Any) -> "Tensor":
        return ops.bitwise_left_shift(other, self)

    def __rshift__(self, other: Any) -> "Tensor":
        return ops.bitwise_right_shift(self, other)

    def __rrshift__(self, other: Any) -> "Tensor":
        return ops.bitwise_right_shift(other, self)

    def __invert__(self) -> "Tensor":
        return ops.bitwise_invert(self)

    def __neg__(self) -> "Tensor":
        return ops.Negative.apply(self)

    def __pos__(self) -> "Tensor":
        return self  # type: ignore[return-value]  # every Operators is a Tensor

    def __abs__(self) -> "Tensor":
        return ops.abs(self)

    def __round__(self, ndigits: int | None = None) -> "Tensor":
        if ndigits is not None:
            raise DTypeError(
                f"round(x, {ndigits}): a Tensor is rounded to whole numbers; for two decimals write "
                "round(x * 100) / 100"
            )
        return ops.round(self)

    def __eq__(self, other: object) -> "Tensor":  # type: ignore[override]
        return ops.equal(self, other)

    def __ne__(self, other: object) -> "Tensor":  # type: ignore[override]
        return ops.not_equal(self, other)

    __hash__ = object.__hash__  # by identity: == compares elements

    def __lt__(self, other: Any) -> "Tensor":
        return ops.less(self, other)

    def __le__(self, other: Any) -> "Tensor":
        return ops.less_equal(self, other)

    def __gt__(self, other: Any) -> "Tensor":
        return ops.greater(self, other)

    def __ge__(self, other: Any) -> "Tensor":
        return ops.greater_equal(self, other)

    def __contains__(self, value: Any) -> bool:
        """Whether any element equals the value."""
        return bool(ops.equal(self, value).data.any())

    def __getitem__(self, index: Any) -> "Tensor":
        return ops.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise DTypeError(
            "a Tensor's elements can't be assigned, since a recorded value must not change; x = "
            "x.at[index].set(v) makes a new one, x.data[index] = v changes it before the computation starts"
        )

    # In place: a parameter takes the new value under no_grad; elsewhere the name is bound to a new tensor.

    def __iadd__(self, other: Any) -> "Tensor":
        return self._in_place("+=", self + other)

    def __isub__(self, other: Any) -> "Tensor":
        return self._in_place("-=", self - other)

    def __imul__(self, other: Any) -> "Tensor":
        return self._in_place("*=", self * other)

    def __itruediv__(self, other: Any) -> "Tensor":
        return self._in_place("/=", self / other)

    def __ifloordiv__(self, other: Any) -> "Tensor":
        return self._in_place("//=", self // other)

    def __imod__(self, other: Any) -> "Tensor":
        return self._in_place("%=", self % other)

    def __ipow__(self, other: Any) -> "Tensor":
        return self._in_place("**=", self**other)

    def __imatmul__(self, other: Any) -> "Tensor":
        return self._in_place("@=", self @ other)

    def _in_place(self: Any, operator: str, result: "Tensor") -> "Tensor":
        """Let ``w -= rate * w.grad`` update a parameter under ``no_grad``; elsewhere bind a new tensor."""
        if not (self.requires_grad and self.node is None):
            return result
        if context.recording:
            raise GradientError(
                f"{operator} on {self.name or 'a leaf'} {self.shape}, which requires a gradient: recorded, "
                "it would stop being a leaf and never get one. Update it under `with no_grad():`;"
                " to compute with it, write `y = w + ...` with a new name"
            )
        self.data = result.data
        return self  # type: ignore[no-any-return]
