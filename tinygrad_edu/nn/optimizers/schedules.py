"""Schedules: a learning rate that changes with the steps.

Large steps find the neighbourhood of a minimum, small ones the minimum; and a start that is slow ("warm-up")
keeps the first, poorly scaled gradients from throwing the weights far away. A schedule takes the place of the
number: ``SGD(schedules.CosineDecay(0.1, 1000))``. It is called with the number of steps done so far; any
function of that will do too.
"""

import math
from collections.abc import Sequence
from typing import Any

from ...errors import ArgumentError
from ..named import Named

__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseScaling", "InverseTimeDecay",
    "LearningRateSchedule", "OneCycle", "PiecewiseConstantDecay", "PolynomialDecay", "StepDecay",
]  # fmt: skip


class LearningRateSchedule(Named):
    """The base: a subclass writes ``__call__(step)``, and keeps its constructor's arguments as attributes.

    >>> from tinygrad_edu import nn
    >>> class Warm(nn.optimizers.schedules.LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return min(0.1, 0.01 * (step + 1))
    >>> nn.optimizers.SGD(Warm()).rate
    0.01
    """

    kind = "learning rate schedule"

    def __call__(self, step: int) -> float:
        raise ArgumentError(f"{type(self).__name__} has no `__call__` method; write def __call__(self, step)")


class ExponentialDecay(LearningRateSchedule):
    """initial · decay_rate^(step / decay_steps); with ``staircase`` the exponent is rounded down.

    >>> ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)
    0.025
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool = False
    ) -> None:
        self.initial_learning_rate = _rate(initial_learning_rate)
        self.decay_steps, self.decay_rate = _steps(decay_steps), decay_rate
        self.staircase = staircase

    def __call__(self, step: int) -> float:
        return float(self.initial_learning_rate * self.decay_rate ** _share(self, step))


class StepDecay(LearningRateSchedule):
    """initial · factor for each ``every`` steps that have passed: constant, with drops.

    >>> schedule = StepDecay(1.0, every=10, factor=0.1)
    >>> schedule(9), schedule(10)
    (1.0, 0.1)
    """

    def __init__(self, initial_learning_rate: float, every: int, factor: float = 0.1) -> None:
        self.initial_learning_rate = _rate(initial_learning_rate)
        self.every, self.factor = int(_steps(every)), factor

    def __call__(self, step: int) -> float:
        return float(self.initial_learning_rate * self.factor ** (step // self.every))


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to and with step boundaries[0], then values[1], and so on; one value more than boundaries.

    >>> schedule = PiecewiseConstantDecay([100, 200], [1.0, 0.5, 0.1])
    >>> schedule(100), schedule(101), schedule(201)
    (1.0, 0.5, 0.1)
    """

    def __init__(self, boundaries: Sequence[int], values: Sequence[float]) -> None:
        self.boundaries, self.values = list(boundaries), [_rate(v) for v in values]
        if len(self.values) != len(self.boundaries) + 1 or sorted(self.boundaries) != self.boundaries:
            raise ArgumentError(
                f"PiecewiseConstantDecay: expected rising boundaries and one value more, got {len(values)} "
                f"values for the boundaries {self.boundaries}"
            )

    def __call__(self, step: int) -> float:
        return self.values[sum(step > b for b in self.boundaries)]


class PolynomialDecay(LearningRateSchedule):
    """From one rate to another in ``decay_steps``: end + (initial - end) (1 - step / decay_steps)^power.

    With ``cycle`` it begins again, each time ending later, instead of staying at the end.

    >>> schedule = PolynomialDecay(0.1, decay_steps=10, end_learning_rate=0.0)
    >>> schedule(5), schedule(20)
    (0.05, 0.0)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
    ) -> None:
        self.initial_learning_rate, self.end_learning_rate = (
            _rate(initial_learning_rate),
            _rate(end_learning_rate),
        )
        self.decay_steps, self.power, self.cycle = _steps(decay_steps), power, cycle

    def __call__(self, step: int) -> float:
        steps = self.decay_steps
        if self.cycle:
            steps *= max(1, math.ceil(step / steps))
        left = 1 - min(step, steps) / steps
        between = self.initial_learning_rate - self.end_learning_rate
        return float(between * left**self.power + self.end_learning_rate)


class InverseTimeDecay(LearningRateSchedule):
    """initial / (1 + decay_rate · step / decay_steps).

    >>> InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)(10)
    0.05
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool = False
    ) -> None:
        self.initial_learning_rate = _rate(initial_learning_rate)
        self.decay_steps, self.decay_rate = _steps(decay_steps), decay_rate
        self.staircase = staircase

    def __call__(self, step: int) -> float:
        return float(self.initial_learning_rate / (1 + self.decay_rate * _share(self, step)))


class InverseScaling(LearningRateSchedule):
    """initial / (step + 1)^power, scikit-learn's "invscaling".

    Steps that fall with the root of their number still sum up to any distance, and their noise averages out
    (Robbins & Monro 1951).

    >>> InverseScaling(0.1)(3)
    0.05
    """

    def __init__(self, initial_learning_rate: float, power: float = 0.5) -> None:
        self.initial_learning_rate, self.power = _rate(initial_learning_rate), power

    def __call__(self, step: int) -> float:
        return float(self.initial_learning_rate / (step + 1) ** self.power)


class CosineDecay(LearningRateSchedule):
    """Half a cosine from the first rate to alpha times it in ``decay_steps``, after a warm-up if wanted.

    With ``warmup_target`` the rate first rises, in a straight line, from the initial one to that in
    ``warmup_steps``, and the decay begins there. From: Loshchilov & Hutter, *SGDR*, 2017.

    >>> schedule = CosineDecay(0.0, decay_steps=100, warmup_target=0.1, warmup_steps=10)
    >>> schedule(0), schedule(5), schedule(10), schedule(60), schedule(110)
    (0.0, 0.05, 0.1, 0.05, 0.0)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        self.initial_learning_rate = _rate(initial_learning_rate)
        self.decay_steps, self.alpha = _steps(decay_steps), alpha
        self.warmup_target = None if warmup_target is None else _rate(warmup_target)
        self.warmup_steps = warmup_steps

    def __call__(self, step: int) -> float:
        highest = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return float(highest + (self.warmup_target - highest) * step / self.warmup_steps)
            highest, step = self.warmup_target, step - int(self.warmup_steps)
        done = min(step, self.decay_steps) / self.decay_steps
        return float(highest * (self.alpha + (1 - self.alpha) * _half_cosine(done)))


class CosineDecayRestarts(LearningRateSchedule):
    """Half a cosine again and again: each period t_mul times as long, and m_mul times as high, as the last.

    From: Loshchilov & Hutter, *SGDR*, 2017.

    >>> schedule = CosineDecayRestarts(0.1, first_decay_steps=10)
    >>> schedule(0), schedule(10), round(schedule(20), 3)
    (0.1, 0.1, 0.05)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
    ) -> None:
        self.initial_learning_rate = _rate(initial_learning_rate)
        self.first_decay_steps, self.t_mul, self.m_mul = _steps(first_decay_steps), t_mul, m_mul
        self.alpha = alpha

    def __call__(self, step: int) -> float:
        done = step / self.first_decay_steps
        if self.t_mul == 1:
            period = math.floor(done)
            done -= period
        else:  # the periods' lengths are a geometric series
            period = math.floor(math.log(1 - done * (1 - self.t_mul)) / math.log(self.t_mul) + 1e-9)
            done = (done - (1 - self.t_mul**period) / (1 - self.t_mul)) / self.t_mul**period
        height = self.m_mul**period
        lowest = self.alpha
        return float(
            self.initial_learning_rate * (lowest + (1 - lowest) * height * _half_cosine(max(done, 0.0)))
        )


class OneCycle(LearningRateSchedule):
    """Up to a high rate and down to nearly nothing, by half cosines, in one run of ``total_steps``.

    It begins at highest / start_divisor, reaches the highest after the share ``rise`` of the steps, and ends
    at the beginning's rate / end_divisor: the high rates in the middle keep the weights from settling in a
    narrow minimum. From: Smith & Topin, *Super-convergence*, 2018.

    >>> schedule = OneCycle(1.0, total_steps=100)
    >>> schedule(0), schedule(30), schedule(100)
    (0.04, 1.0, 4e-06)
    """

    def __init__(
        self,
        highest: float,
        total_steps: int,
        rise: float = 0.3,
        start_divisor: float = 25.0,
        end_divisor: float = 1e4,
    ) -> None:
        self.highest, self.total_steps, self.rise = _rate(highest), _steps(total_steps), rise
        self.start_divisor, self.end_divisor = start_divisor, end_divisor
        if not 0 < rise < 1:
            raise ArgumentError(f"OneCycle: rise must lie between 0 and 1, got {rise!r}")

    def __call__(self, step: int) -> float:
        first = self.highest / self.start_divisor
        last = first / self.end_divisor
        top = self.rise * self.total_steps
        if step <= top:
            return float(first + (self.highest - first) * (1 - _half_cosine(step / top)))
        down = min(1.0, (step - top) / (self.total_steps - top))
        return float(last + (self.highest - last) * _half_cosine(down))


def _half_cosine(share: float) -> float:
    """Fall from 1 to 0 as the share goes from 0 to 1."""
    return 0.5 * (1 + math.cos(math.pi * share)) if share < 1 else 0.0


def _share(schedule: Any, step: int) -> float:
    share = step / schedule.decay_steps
    return float(math.floor(share) if schedule.staircase else share)


def _rate(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ArgumentError(f"a learning rate must be a number of at least 0, got {value!r}")
    return float(value)


def _steps(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ArgumentError(f"a number of steps must be above 0, got {value!r}")
    return float(value)
