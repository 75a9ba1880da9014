"""Optimizers: they change parameters, in place, by their gradients.

One class serves both ways to train: handed to ``compile``, or with ``params=model.parameters()`` in a
loop of your own with ``zero_grad()``, ``loss.backward()`` and ``step()``.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from ..errors import ArgumentError, GradientError, ShapeError, unknown_name
from ..function import now_changed
from ..tensor import Tensor

__all__ = ["SGD", "Adam", "Optimizer", "get"]


class Optimizer:
    """The base: a subclass names its slots (arrays kept beside each parameter) and writes ``update``."""

    classes: ClassVar[dict[str, type["Optimizer"]]] = {}
    slots: tuple[str, ...] = ()

    def __init__(self, learning_rate: float, params: Iterable[Tensor] | None = None) -> None:
        self.learning_rate = _rate(learning_rate, "learning_rate", type(self).__name__)
        self.iterations = 0
        self.params: list[Tensor] = []
        self.state: list[dict[str, NDArray[Any]]] = []
        if params is not None:
            self.bind(params)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        Optimizer.classes[cls.__name__.lower()] = cls

    def bind(self, params: Iterable[Tensor]) -> Self:
        """Take charge of parameters, each once; those it had before keep their slots, new ones start at 0."""
        before = {id(p): state for p, state in zip(self.params, self.state, strict=True)}
        self.params = list({id(p): p for p in params}.values())
        wrong = [p for p in self.params if not (isinstance(p, Tensor) and p.requires_grad and p.node is None)]
        if wrong or not self.params:
            what = f"got {wrong[0]!r}" if wrong else "got none; is the model built?"
            raise ArgumentError(
                f"{type(self).__name__}: expected leaf tensors that require a gradient, {what}"
            )
        if not any(id(p) in before for p in self.params):
            self.iterations = 0
        self.state = [
            before.get(id(p)) or {slot: np.zeros(p.shape, p.dtype) for slot in self.slots}
            for p in self.params
        ]
        return self

    def release(self) -> None:
        """Let go of all parameters and their slots."""
        self.params, self.state, self.iterations = [], [], 0

    def zero_grad(self) -> None:
        """Forget the gradients, before the next ``backward`` adds to them."""
        for p in self.params:
            p.grad = None

    def step(self) -> None:
        """Change every parameter that has a gradient.

        Raises GradientError if none has one: ``backward`` wasn't called, or not on these parameters.
        """
        learning = [
            (p, state) for p, state in zip(self.params, self.state, strict=True) if p.grad is not None
        ]
        if not learning:
            raise GradientError(
                f"{type(self).__name__}.step: no parameter has a gradient; call loss.backward() before it"
                if self.params
                else f"{type(self).__name__}.step: it has no parameters; pass params=model.parameters()"
            )
        self.iterations += 1
        tick = now_changed()
        for p, state in learning:
            if not p._data.flags.carray:  # the kernels write in place, row by row
                p.data = np.array(p._data, order="C")
            self.update(p._data, p.grad._data, state)  # type: ignore[union-attr]
            p.changed = tick

    def update(self, p: NDArray[Any], g: NDArray[Any], state: dict[str, NDArray[Any]]) -> None:
        """Change one parameter's array in place, given its gradient and slots."""
        raise ArgumentError(f"{type(self).__name__} has no `update` method")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"learning_rate": self.learning_rate}

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return a copy of the slots and the count of steps, by name."""
        arrays = {f"{i}/{slot}": a.copy() for i, state in enumerate(self.state) for slot, a in state.items()}
        return {"iterations": np.array(self.iterations), **arrays}

    def load_state_dict(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on from a saved state; raises ShapeError if it belongs to other parameters."""
        mine = self.state_dict()
        wrong = [
            k for k in {*mine, *state} if k not in mine or k not in state or mine[k].shape != state[k].shape
        ]
        if wrong:
            raise ShapeError(
                f"{type(self).__name__}: the saved state belongs to another optimizer or model "
                f"({len(wrong)} of its entries don't fit, such as {sorted(wrong)[0]!r})"
            )
        self.iterations = int(state["iterations"])
        for i, slots in enumerate(self.state):
            for slot in slots:
                slots[slot][...] = state[f"{i}/{slot}"]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"


class SGD(Optimizer):
    """Gradient descent: w ← w - rate · g, by default without momentum.

    With momentum m the step remembers its way: v ← m v - rate · g, w ← w + v (Polyak 1964); with
    ``nesterov`` it looks ahead: w ← w + m v - rate · g (Sutskever et al. 2013).

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = SGD(0.1, params=[w])
    >>> (w ** 2).sum().backward(); optimizer.step(); w
    Tensor([0.8], requires_grad=True)
    """

    def __init__(
        self,
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        *,
        params: Iterable[Tensor] | None = None,
    ) -> None:
        self.momentum = _share(momentum, "momentum", "SGD")
        self.nesterov = bool(nesterov)
        self.slots = ("velocity",) if self.momentum else ()
        super().__init__(learning_rate, params)

    def update(self, p: NDArray[Any], g: NDArray[Any], state: dict[str, NDArray[Any]]) -> None:
        kernels.sgd(p, g, state.get("velocity"), self.learning_rate, self.momentum, self.nesterov)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}


class Adam(Optimizer):
    """Adam: each number gets a step size of its own, from running means of g and g² (Kingma & Ba 2015).

    m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g², w ← w - rate · m̂ / (√v̂ + ε), where the hats undo the
    start from 0; ε is added as in Keras, before that correction.

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = Adam(0.1, params=[w])
    >>> (w ** 2).sum().backward(); optimizer.step(); w.data.round(4)
    array([0.9], dtype=float32)
    """

    slots = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        *,
        params: Iterable[Tensor] | None = None,
    ) -> None:
        self.beta_1, self.beta_2 = _share(beta_1, "beta_1", "Adam"), _share(beta_2, "beta_2", "Adam")
        self.epsilon = _rate(epsilon, "epsilon", "Adam")
        super().__init__(learning_rate, params)

    def update(self, p: NDArray[Any], g: NDArray[Any], state: dict[str, NDArray[Any]]) -> None:
        m, v = state["momentum"], state["velocity"]
        kernels.adam(p, g, m, v, self.learning_rate, self.beta_1, self.beta_2, self.epsilon, self.iterations)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon
        }  # fmt: skip


def get(identifier: Any) -> Optimizer:
    """Return the optimizer for a name ("sgd", "adam"), a saved description, or itself.

    >>> get("adam")
    Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07)
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, type):
        raise ArgumentError(f"optimizer: {identifier.__name__} is a class; write {identifier.__name__}()")
    config: dict[str, Any] = {}
    if isinstance(identifier, dict):
        identifier, config = identifier.get("class"), identifier.get("config", {})
    name = str(identifier).lower()
    if name not in Optimizer.classes:
        raise unknown_name("optimizer", identifier, Optimizer.classes)
    return Optimizer.classes[name](**config)


def _rate(value: float, name: str, who: str) -> float:
    if not isinstance(value, int | float | np.number):
        hint = f"; parameters go by name: {who}(0.1, params=...)" if name == "learning_rate" else ""
        raise ArgumentError(f"{who}: {name} must be a number, got {value!r:.60}{hint}")
    if not np.isfinite(value) or value < 0:
        raise ArgumentError(f"{who}: {name} must be a number of at least 0, got {value!r}")
    return float(value)


def _share(value: float, name: str, who: str) -> float:
    if not 0 <= value < 1:
        raise ArgumentError(f"{who}: {name} must be at least 0 and below 1, got {value!r}")
    return float(value)
