"""Operation: a function on tensors as a layer, so that it can stand in a model made of symbols."""

from typing import Any

from ... import ops
from ...errors import unknown_name
from ...tensor import Tensor
from .. import activations
from ..encoding import decode, encode
from .base import Layer

__all__ = ["Operation"]


def stop_gradient(x: Any) -> Tensor:
    """Return the value of x, through which no gradient passes back.

    >>> stop_gradient(Tensor([1.0], requires_grad=True) * 2)
    Tensor([2.])
    """
    return (x if isinstance(x, Tensor) else Tensor(x)).detach()


# By name: the engine's, and where Keras' activation of a name takes more arguments, that.
FUNCTIONS = {
    name: value for name, value in vars(ops).items()
    if callable(value) and not isinstance(value, type) and not name.startswith("_")
} | activations.KNOWN | {"stop_gradient": stop_gradient}  # fmt: skip


class Operation(Layer):
    """One of the engine's functions as a layer.

    Operators on symbols make these, and the functions in ``nn.functional`` called on them.

    Parameters
    ----------
    operation
        The function's name, "exp" for ``tinygrad_edu.exp``.
    args
        Its arguments in order, where None stands for a tensor that the layer is called on; without it those
        come first.
    arguments
        Its arguments by name.

    Raises ArgumentError for an unknown name.

    >>> from tinygrad_edu import nn
    >>> nn.Operation("sum", axis=-1)([[1.0, 2.0]])
    Tensor([3.])
    >>> nn.Operation("subtract", args=[1.0, None])([[0.25]])
    Tensor([[0.75]])
    """

    def __init__(
        self, operation: str, args: Any = None, *, name: str | None = None, dtype: Any = "float32",
        **arguments: Any,
    ) -> None:  # fmt: skip
        super().__init__(name=name, dtype=dtype)
        if operation not in FUNCTIONS:
            raise unknown_name("operation", operation, FUNCTIONS)
        self.operation, self.arguments = operation, arguments
        self.args = None if args is None else list(args)

    @property
    def default_name(self) -> str:
        return self.operation

    def _taken(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return super()._taken(inputs) if len(inputs) == 1 else inputs

    def call(self, *tensors: Any) -> Any:
        if self.args is not None:
            rest = iter(tensors)
            tensors = tuple([next(rest) if a is None else a for a in self.args])
        return FUNCTIONS[self.operation](*tensors, **self.arguments)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "operation": self.operation, "args": encode(self.args), "arguments": encode(self.arguments),
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Operation":
        config = dict(config)
        arguments = decode(config.pop("arguments", {"dict": {}}))
        return cls(**config | {"args": decode(config.get("args"))}, **arguments)
