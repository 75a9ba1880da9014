"""Optimizer: what all optimizers share."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from ...errors import ArgumentError, GradientError, ShapeError, unknown_name
from ...function import now_changed
from ...tensor import Tensor
from ..named import Named, arguments_of
from ..parameter import Parameter
from .schedules import LearningRateSchedule

__all__ = ["Optimizer", "number", "share"]

Array = NDArray[Any]


class Optimizer(Named):
    """The base: a subclass names its slots (arrays kept beside each parameter) and writes ``update``.

    Parameters
    ----------
    learning_rate
        The size of the steps: a number, a schedule, or a function of the number of steps done so far.
    weight_decay
        The share that each weight loses in a step, times the learning rate: w ← w - rate · decay · w, apart
        from the gradient (Loshchilov & Hutter 2019).
    clipvalue, clipnorm, global_clipnorm
        At most one: no number of a gradient is larger, no gradient longer, or all of them together no longer
        than this (Pascanu et al. 2013).
    params
        The parameters, to use it without ``compile``; or groups of them, dicts with "params" and a
        "learning_rate" or "weight_decay" of their own.

    >>> from tinygrad_edu import nn
    >>> w, b = Tensor([1.0], requires_grad=True), Tensor([1.0], requires_grad=True)
    >>> groups = [{"params": [w], "weight_decay": 0.1}, {"params": [b], "learning_rate": 0.5}]
    >>> optimizer = nn.optimizers.SGD(0.1, params=groups)
    >>> (w + b).sum().backward(); optimizer.step(); w, b
    (Tensor([0.89], requires_grad=True), Tensor([0.5], requires_grad=True))
    """

    kind = "optimizer"

    @staticmethod
    def spelled(name: str) -> str:
        return name.lower()

    slots: tuple[str, ...] = ()
    fields: ClassVar[tuple[str, ...]] = ()  # the constructor's arguments besides those of the base

    def __init__(
        self,
        learning_rate: Any,
        *,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        params: Iterable[Any] | None = None,
        **unknown: Any,
    ) -> None:
        for argument in unknown:
            self._refuse(argument)
        self.learning_rate = learning_rate
        self.name = name or type(self).__name__.lower()
        who = type(self).__name__
        self.weight_decay = None if weight_decay is None else number(weight_decay, "weight_decay", who)
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        if sum(value is not None for value in clips.values()) > 1:
            raise ArgumentError(f"{who}: at most one of {', '.join(clips)} can be given")
        for key, value in clips.items():
            setattr(self, key, None if value is None else number(value, key, who))
        self.iterations = 0
        self.params: list[Tensor] = []
        self.state: list[dict[str, Array]] = []
        self.own: list[dict[str, Any]] = []  # what a parameter's group has of its own
        if params is not None:
            self.bind(params)

    def _refuse(self, argument: str) -> NoReturn:
        """Name what was meant by an argument that isn't there."""
        who = type(self).__name__
        if argument == "lr":
            raise ArgumentError(f"{who}: lr was Keras 2's name; write learning_rate=")
        if argument == "decay":
            raise ArgumentError(
                f"{who}: decay was Keras 2's; for a rate that falls give a schedule as learning_rate, "
                "such as schedules.InverseTimeDecay, and for weights that shrink weight_decay="
            )
        raise unknown_name(f"{who} argument", argument, [*arguments_of(type(self)), *arguments_of(Optimizer)])

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None

    # -- the learning rate -----------------------------------------------------------------------------

    @property
    def learning_rate(self) -> Any:
        """That of the next step, a number, also where a schedule gives it; assign another, or a schedule."""
        return self.rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(value, dict):
            value = LearningRateSchedule.find(value)
        self._learning_rate: float | Callable[[int], float] = (
            value if callable(value) else number(value, "learning_rate", type(self).__name__)
        )

    @property
    def rate(self) -> float:
        """The learning rate of the next step, a number."""
        return self._now(self._learning_rate)

    def _now(self, rate: Any) -> float:
        if not callable(rate):
            return rate  # type: ignore[no-any-return]
        return number(rate(self.iterations), "what the schedule gave", type(self).__name__)

    # -- parameters ------------------------------------------------------------------------------------

    def bind(self, params: Iterable[Any]) -> Self:
        """Take charge of parameters, each once; those it had before keep their slots, new ones start at 0."""
        before = {id(p): kept for p, *kept in zip(self.params, self.state, self.own, strict=True)}
        given = {id(p): (p, own) for p, own in self._grouped(params)}
        wrong = [
            p for p, _ in given.values() if not (isinstance(p, Tensor) and p.requires_grad and p.node is None)
        ]
        if wrong or not given:
            what = f"got {wrong[0]!r}" if wrong else "got none; is the model built?"
            raise ArgumentError(
                f"{type(self).__name__}: expected leaf tensors that require a gradient, {what}"
            )
        self.params = [p for p, _ in given.values()]
        if not any(id(p) in before for p in self.params):
            self.iterations = 0
        self.state = [before[id(p)][0] if id(p) in before else self.new_slots(p.data) for p in self.params]
        self.own = [own or before.get(id(p), (None, own))[1] for p, own in given.values()]
        return self

    def _grouped(self, params: Iterable[Any]) -> Iterable[tuple[Any, dict[str, Any]]]:
        """Yield each parameter with what its group has of its own."""
        for entry in params:
            if not isinstance(entry, dict):
                yield entry, {}
                continue
            own = {key: value for key, value in entry.items() if key != "params"}
            unknown = set(own) - {"learning_rate", "weight_decay"}
            if unknown or "params" not in entry:
                raise ArgumentError(
                    f"{type(self).__name__}: a group has 'params', and may have 'learning_rate' and "
                    f"'weight_decay', got {sorted(map(str, entry))}"
                )
            for key, value in own.items():
                if not callable(value):
                    own[key] = number(value, key, type(self).__name__)
            for p in [entry["params"]] if isinstance(entry["params"], Tensor) else entry["params"]:
                yield p, own

    def new_slots(self, p: Array) -> dict[str, Array]:
        """Return the slots of a parameter that hasn't been learned yet."""
        return {slot: np.zeros(p.shape, p.dtype) for slot in self.slots}

    def release(self) -> None:
        """Let go of all parameters and their slots."""
        self.params, self.state, self.own, self.iterations = [], [], [], 0

    def zero_grad(self) -> None:
        """Forget the gradients, before the next ``backward`` adds to them."""
        for p in self.params:
            p.grad = None

    # -- steps -----------------------------------------------------------------------------------------

    def step(self) -> None:
        """Change every parameter that has a gradient.

        Raises GradientError if none has one: ``backward`` wasn't called, or not on these parameters.
        """
        learning = [
            entry
            for entry in zip(self.params, self.state, self.own, strict=True)
            if entry[0].grad is not None
        ]
        if not learning:
            raise GradientError(
                f"{type(self).__name__}.step: no parameter has a gradient; call loss.backward() before it"
                if self.params
                else f"{type(self).__name__}.step: it has no parameters; pass params=model.parameters()"
            )
        gradients = self._clipped([p.grad._data for p, _, _ in learning])  # type: ignore[union-attr]
        rate, decay = self.rate, self.weight_decay
        owns = [
            (self._now(own.get("learning_rate", rate)), own.get("weight_decay", decay))
            if own
            else (rate, decay)
            for _, _, own in learning
        ]
        self.iterations += 1
        tick = now_changed()
        for (p, state, _), g, (step, shrink) in zip(learning, gradients, owns, strict=True):
            if not p._data.flags.carray:  # the kernels write in place, row by row
                p.data = np.array(p._data, order="C")
            if shrink:
                p._data *= 1 - step * shrink
            self.update(p._data, g, state, step)
            constraint = p.constraint if isinstance(p, Parameter) else None
            if constraint is not None:
                p._data[...] = constraint(p._data)
            p.changed = tick

    def _clipped(self, gradients: list[Array]) -> list[Array]:
        if self.clipvalue is not None:
            return [np.clip(g, -self.clipvalue, self.clipvalue) for g in gradients]
        if self.clipnorm is not None:
            return [_shortened(g, _norm([g]), self.clipnorm) for g in gradients]
        if self.global_clipnorm is not None:
            norm = _norm(gradients)
            return [_shortened(g, norm, self.global_clipnorm) for g in gradients]
        return gradients

    def update(self, p: Array, g: Array, state: dict[str, Array], rate: float) -> None:
        """Change one parameter's array in place, given its gradient, its slots and the learning rate."""
        raise ArgumentError(f"{type(self).__name__} has no `update` method")

    def apply(self, grads: Iterable[Any], trainable_variables: Iterable[Tensor] | None = None) -> None:
        """Make a step with gradients that were worked out elsewhere, one for each parameter, in order.

        >>> from tinygrad_edu import nn
        >>> w = Tensor([1.0], requires_grad=True)
        >>> nn.optimizers.SGD(0.5).apply([Tensor([2.0])], [w]); w
        Tensor([0.], requires_grad=True)
        """
        if trainable_variables is not None:
            variables = list(trainable_variables)
            if not {id(p) for p in variables} <= {id(p) for p in self.params}:
                self.bind(variables)
        else:
            variables = self.params
        grads = list(grads)
        if len(grads) != len(variables):
            raise ArgumentError(f"apply: {len(grads)} gradients for {len(variables)} parameters")
        for p in self.params:
            p.grad = None
        for p, g in zip(variables, grads, strict=True):
            if g is not None:
                p.grad = g if isinstance(g, Tensor) else Tensor(g)
                if p.grad.shape != p.shape:
                    raise ShapeError(f"apply: a gradient of shape {p.grad.shape} for {p.shape}")
        self.step()

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Tensor]]) -> None:
        """As ``apply``, with pairs (gradient, parameter)."""
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [p for _, p in pairs])

    # -- in a file -------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; raises ArgumentError for a rate that is a plain function."""
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            rate = rate.describe()  # type: ignore[assignment]
        elif callable(rate):
            raise ArgumentError(
                f"{type(self).__name__}: a learning rate that is a function can't be saved; derive it from "
                "nn.optimizers.schedules.LearningRateSchedule"
            )
        config = {"learning_rate": rate, **{field: getattr(self, field) for field in self.fields}}
        options = ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm")
        return config | {o: getattr(self, o) for o in options if getattr(self, o) is not None}

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of the slots and the count of steps, by name."""
        arrays = {f"{i}/{slot}": a.copy() for i, state in enumerate(self.state) for slot, a in state.items()}
        return {"iterations": np.array(self.iterations), **arrays}

    def load_state_dict(self, state: dict[str, Array]) -> None:
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
        shown = {
            "learning_rate": self._learning_rate,
            **{field: getattr(self, field) for field in self.fields},
        }
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"


def _norm(arrays: list[Array]) -> float:
    return float(np.sqrt(sum(float(np.sum(np.square(a, dtype=np.float64))) for a in arrays)))


def _shortened(g: Array, norm: float, longest: float) -> Array:
    return g if norm <= longest else (g * (longest / norm)).astype(g.dtype)


def number(value: Any, name: str, who: str) -> float:
    """Return a number of at least 0, or say that it should have been one."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        hint = f"; parameters go by name: {who}(0.1, params=...)" if name == "learning_rate" else ""
        raise ArgumentError(f"{who}: {name} must be a number, got {value!r:.60}{hint}")
    if not np.isfinite(value) or value < 0:
        raise ArgumentError(f"{who}: {name} must be a number of at least 0, got {value!r}")
    return float(value)


def share(value: Any, name: str, who: str) -> float:
    """Return a number from 0 to below 1, or say that it should have been one."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < 1:
        raise ArgumentError(f"{who}: {name} must be at least 0 and below 1, got {value!r}")
    return float(value)
