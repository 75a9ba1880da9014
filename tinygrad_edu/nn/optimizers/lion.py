"""Lion: steps of one size, in the direction of the momentum's sign."""

from typing import Any

import numpy as np

from .base import Array, Optimizer, share

__all__ = ["Lion"]


class Lion(Optimizer):
    """w ← w - rate · sign(β₁ m + (1 - β₁) g), then m ← β₂ m + (1 - β₂) g (Chen et al. 2023).

    Every number moves by the same amount, so the rate is best three to ten times smaller than Adam's, and the
    weight decay as much larger. ``options`` are those of an Optimizer.

    >>> from tinygrad_edu import Tensor
    >>> w = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = Lion(0.1, params=[w])
    >>> (w ** 2).sum().backward(); optimizer.step(); w
    Tensor([ 0.9, -1.9], requires_grad=True)
    """

    slots = ("momentum",)
    fields = ("beta_1", "beta_2")

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **options: Any
    ) -> None:
        self.beta_1, self.beta_2 = share(beta_1, "beta_1", "Lion"), share(beta_2, "beta_2", "Lion")
        super().__init__(learning_rate, **options)

    def update(self, p: Array, g: Array, state: dict[str, Array], rate: float) -> None:
        m = state["momentum"]
        p -= np.sign(m + (g - m) * (1 - self.beta_1)) * p.dtype.type(rate)
        m += (g - m) * (1 - self.beta_2)
