"""RMSprop: steps divided by the gradients' recent size."""

from typing import Any

import numpy as np

from .base import Array, Optimizer, number, share

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """v ← rho v + (1 - rho) g², w ← w - rate · g / √(v + ε) (Hinton 2012, lecture 6e).

    ``centered`` takes the variance of g for its mean square: √(v - ḡ² + ε), ḡ a running mean like v. With
    ``momentum`` m the step remembers its way: s ← m s + rate · g / √(…), w ← w - s. ``options`` are those of
    an Optimizer.

    >>> from tinygrad_edu import Tensor
    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = RMSprop(0.1, params=[w])
    >>> (w ** 2).sum().backward(); optimizer.step(); w.data.round(3)
    array([0.684], dtype=float32)
    """

    fields = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **options: Any,
    ) -> None:
        self.rho, self.momentum = share(rho, "rho", "RMSprop"), share(momentum, "momentum", "RMSprop")
        self.epsilon, self.centered = number(epsilon, "epsilon", "RMSprop"), bool(centered)
        self.slots = ("velocity", *(["momentum"] * bool(self.momentum)), *(["average"] * self.centered))
        super().__init__(learning_rate, **options)

    def update(self, p: Array, g: Array, state: dict[str, Array], rate: float) -> None:
        v = state["velocity"]
        v += (np.square(g) - v) * (1 - self.rho)
        spread = v + self.epsilon
        if self.centered:
            average = state["average"]
            average += (g - average) * (1 - self.rho)
            spread -= np.square(average)
        step = g * rate / np.sqrt(spread)
        if self.momentum:
            way = state["momentum"]
            way *= self.momentum
            way += step
            step = way
        p -= step
