"""Adam and its variants: each number gets a step size of its own."""

from typing import Any

import numpy as np

from ... import kernels
from .base import Array, Optimizer, number, share

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Adam: steps by running means of g and g² (Kingma & Ba 2015).

    m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g², w ← w - rate · m̂ / (√v̂ + ε), where the hats undo the
    start from 0; ε is added as in Keras, before that correction. With ``amsgrad`` the largest v so far takes
    v's place, so that no step size grows again (Reddi et al. 2018). ``options`` are those of an Optimizer.

    >>> from tinygrad_edu import Tensor
    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = Adam(0.1, params=[w])
    >>> (w ** 2).sum().backward(); optimizer.step(); w.data.round(4)
    array([0.9], dtype=float32)
    """

    slots: tuple[str, ...] = ("momentum", "velocity")
    fields = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Any,
    ) -> None:
        who = type(self).__name__
        self.beta_1, self.beta_2 = share(beta_1, "beta_1", who), share(beta_2, "beta_2", who)
        self.epsilon, self.amsgrad = number(epsilon, "epsilon", who), bool(amsgrad)
        if self.amsgrad:
            self.slots = (*self.slots, "velocity_hat")
        super().__init__(learning_rate, **options)

    def update(self, p: Array, g: Array, state: dict[str, Array], rate: float) -> None:
        m, v = state["momentum"], state["velocity"]
        if not self.amsgrad:
            kernels.adam(p, g, m, v, rate, self.beta_1, self.beta_2, self.epsilon, self.iterations)
            return
        largest = state["velocity_hat"]
        m += (g - m) * (1 - self.beta_1)
        v += (np.square(g) - v) * (1 - self.beta_2)
        np.maximum(largest, v, out=largest)
        corrected = rate * np.sqrt(1 - self.beta_2**self.iterations) / (1 - self.beta_1**self.iterations)
        p -= m * float(corrected) / (np.sqrt(largest) + self.epsilon)


class AdamW(Adam):
    """Adam with weights that decay by themselves, by 0.004 · rate in a step (Loshchilov & Hutter 2019).

    An L2 price in the loss wouldn't do the same: Adam divides gradients by their size, and the price's with
    them. The other arguments are Adam's.

    >>> from tinygrad_edu import Tensor
    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = AdamW(0.1, weight_decay=0.5, params=[w])
    >>> (w * 0).sum().backward(); optimizer.step(); w
    Tensor([0.95], requires_grad=True)
    """

    def __init__(
        self, learning_rate: Any = 0.001, weight_decay: float = 0.004, *args: Any, **options: Any
    ) -> None:
        super().__init__(learning_rate, *args, weight_decay=weight_decay, **options)
