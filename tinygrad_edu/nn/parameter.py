"""Parameter: a Tensor that a module owns."""

from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from ..tensor import Tensor

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A Tensor that a module owns: learned if it is trainable, else a buffer that is only saved with it.

    >>> Parameter([1.0, 2.0], name="bias")
    Parameter([1., 2.], requires_grad=True, name='bias')
    """

    __slots__ = ("buffer", "constraint", "regularizer")

    buffer: bool  # never trained, whatever is frozen or unfrozen: running statistics, for example
    regularizer: Any  # adds to the loss, or None
    constraint: Any  # is applied after each step of an optimizer, or None

    def __init__(
        self, data: Any, name: str | None = None, *, trainable: bool = True, dtype: DTypeLike | None = None
    ) -> None:
        super().__init__(data, requires_grad=trainable, dtype=dtype, name=name)
        self.buffer = not trainable
        self.regularizer = self.constraint = None
        if self._data is data or not self._data.flags.carray:
            self._data = np.array(self._data, order="C")  # its own, since optimizers write into it

    def assign(self, value: Any) -> Self:
        """Take other numbers of the same shape; raises ShapeError.

        >>> w = Parameter([1.0, 2.0]); w.assign([3.0, 4.0]).tolist()
        [3.0, 4.0]
        """
        self.data = np.array(value.numpy() if isinstance(value, Tensor) else value, self.dtype)
        return self

    def assign_add(self, value: Any) -> Self:
        """Add to the numbers."""
        return self.assign(self.detach() + value)

    def assign_sub(self, value: Any) -> Self:
        """Take away from the numbers: ``w.assign_sub(rate * w.grad)`` is a step of gradient descent."""
        return self.assign(self.detach() - value)
