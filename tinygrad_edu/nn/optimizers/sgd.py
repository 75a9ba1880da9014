"""SGD: gradient descent, with momentum if wanted."""

from typing import Any

from ... import kernels
from .base import Array, Optimizer, share

__all__ = ["SGD"]


class SGD(Optimizer):
    """Gradient descent: w ← w - rate · g, by default without momentum.

    With momentum m the step remembers its way: v ← m v - rate · g, w ← w + v (Polyak 1964); with
    ``nesterov`` it looks ahead: w ← w + m v - rate · g (Sutskever et al. 2013). ``options`` are those of an
    Optimizer.

    >>> from tinygrad_edu import Tensor
    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = SGD(0.1, params=[w])
    >>> (w ** 2).sum().backward(); optimizer.step(); w
    Tensor([0.8], requires_grad=True)
    """

    fields = ("momentum", "nesterov")

    def __init__(
        self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **options: Any
    ) -> None:
        self.momentum = share(momentum, "momentum", "SGD")
        self.nesterov = bool(nesterov)
        self.slots = ("velocity",) if self.momentum else ()
        super().__init__(learning_rate, **options)

    def update(self, p: Array, g: Array, state: dict[str, Array], rate: float) -> None:
        kernels.sgd(p, g, state.get("velocity"), rate, self.momentum, self.nesterov)
