"""Adagrad and Adadelta: step sizes from all gradients so far."""

from typing import Any

import numpy as np

from .base import Array, Optimizer, number, share

__all__ = ["Adadelta", "Adagrad"]


class Adagrad(Optimizer):
    """a ← a + g², w ← w - rate · g / √(a + ε): what is rarely seen learns in large steps (Duchi et al. 2011).

    ``a`` starts at ``initial_accumulator_value``. ``options`` are those of an Optimizer.

    >>> from tinygrad_edu import Tensor
    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = Adagrad(0.1, initial_accumulator_value=0.0, params=[w])
    >>> (w ** 2).sum().backward(); optimizer.step(); w.data.round(4)
    array([0.9], dtype=float32)
    """

    slots = ("accumulator",)
    fields = ("initial_accumulator_value", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **options: Any,
    ) -> None:
        self.initial_accumulator_value = number(
            initial_accumulator_value, "initial_accumulator_value", "Adagrad"
        )
        self.epsilon = number(epsilon, "epsilon", "Adagrad")
        super().__init__(learning_rate, **options)

    def new_slots(self, p: Array) -> dict[str, Array]:
        return {"accumulator": np.full(p.shape, self.initial_accumulator_value, p.dtype)}

    def update(self, p: Array, g: Array, state: dict[str, Array], rate: float) -> None:
        total = state["accumulator"]
        total += np.square(g)
        p -= g * rate / np.sqrt(total + self.epsilon)


class Adadelta(Optimizer):
    """Steps in the weights' own unit: Δ = g · √(d + ε) / √(v + ε), w ← w - rate · Δ (Zeiler 2012).

    v and d are running means of g² and of Δ²: v ← rho v + (1 - rho) g², d ← rho d + (1 - rho) Δ². The
    paper's rate is 1. ``options`` are those of an Optimizer.

    >>> from tinygrad_edu import Tensor
    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = Adadelta(1.0, params=[w])
    >>> (w ** 2).sum().backward(); optimizer.step(); bool(w.item() < 1)
    True
    """

    slots = ("velocity", "delta")
    fields = ("rho", "epsilon")

    def __init__(
        self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **options: Any
    ) -> None:
        self.rho, self.epsilon = share(rho, "rho", "Adadelta"), number(epsilon, "epsilon", "Adadelta")
        super().__init__(learning_rate, **options)

    def update(self, p: Array, g: Array, state: dict[str, Array], rate: float) -> None:
        v, d = state["velocity"], state["delta"]
        v += (np.square(g) - v) * (1 - self.rho)
        delta = g * np.sqrt(d + self.epsilon) / np.sqrt(v + self.epsilon)
        d += (np.square(delta) - d) * (1 - self.rho)
        p -= delta * rate
