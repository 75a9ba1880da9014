"""Why does a gradient differ from the difference of values: a kink, a bug, or only the wrong step?

A step's difference has two errors, one of which shrinks with it (the curve's bend) and one of which grows
(rounding). Both show in how far the slopes at h, h/2 and h/4 are apart, and the second has a bound besides.
So steps from long to short are tried, and the shortest whose error is small against the disagreement is
believed. If the disagreement is gone there, the first step was too long or too short. If not, the slopes
to the left and to the right tell the rest: at a kink they differ by the same amount however short the
step, on a smooth curve by an amount that shrinks with it.

The slope itself is Richardson's: (4 n(h/2) - n(h)) / 3, where the error's largest term cancels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Line", "diagnose", "pattern", "rounding"]

Array = NDArray[Any]

# A function takes some rounding errors on its way to a value; this many units in the last place are allowed.
_ULPS = 100 * float(np.finfo(np.float64).eps) / 2
_UNDERFLOW = 100 * float(np.finfo(np.float64).smallest_subnormal)


def rounding(terms: Any, step: Any) -> Any:
    """Bound the rounding error of a difference of values made of terms of this size, over a step."""
    return (_ULPS * terms + _UNDERFLOW) / step


@dataclass
class Line:
    """A function along a line: ``value(t)`` gives the value at t, and the size of the terms it is made of."""

    value: Callable[[float], tuple[float, float]]
    reach: float  # the t at which the point has moved by as much as its own size


class _Step:
    """What the values at 0, ±h, ±h/2 and ±h/4 say of the slope at 0."""

    def __init__(self, line: Line, h: float) -> None:
        (y, size), *rest = [line.value(t * h) for t in (0, 1, -1, 0.5, -0.5, 0.25, -0.25)]
        values = [value for value, _ in rest]
        self.h, self.size = h, max(size, *(size for _, size in rest))
        self.left, self.right = (y - values[1]) / h, (values[0] - y) / h
        self.change = values[0] - values[1]
        self.flat = all(value == y for value in values)
        n1, n2, n4 = [(values[i] - values[i + 1]) / (2 * h / 2 ** (i // 2)) for i in (0, 2, 4)]
        self.slope, shorter = (4 * n2 - n1) / 3, (4 * n4 - n2) / 3
        self.spread = abs(self.slope - shorter)
        self.error = np.inf

    def weigh(self, steepest: float, reach: float) -> None:
        """Work out the error; ``steepest``, the largest slope seen, says what moving x rounds away."""
        self.error = max(self.spread, float(rounding(self.size + steepest * reach, self.h / 4)))


def diagnose(line: Line, given: float, step: float, rtol: float, atol: float) -> tuple[float, str] | None:
    """Return None if the given slope is right after all, or else the measured slope and a verdict."""
    steps = [_Step(line, step * 10.0**k) for k in range(5, -13, -1)]
    usual = steps[5]
    if _jumps(usual, steps[12], steps[14]):
        return usual.slope, "the function jumps here, so it has no slope. Check it at another point"
    finite = [s for s in steps if np.isfinite(s.slope)]
    steepest = max((abs(s.slope) for s in finite if s.h >= usual.h / 100), default=0.0)
    for s in finite:
        s.weigh(steepest, line.reach)
    dispute = abs(given - usual.slope)

    def tolerance(s: _Step) -> float:
        return float(atol + rtol * max(abs(given), abs(s.slope)))

    def tells(s: _Step) -> bool:
        gap = dispute if np.isfinite(dispute) else max(abs(given), abs(s.slope))
        return bool(s.error <= max(1e-3 * gap, 0.5 * tolerance(s)))

    telling = [s for s in finite if tells(s)]
    # Where all values are the same, the step may have drowned in rounding inside the function.
    for s in telling[-1:] + [s for s in telling if not s.flat][-1:]:
        if abs(given - s.slope) <= tolerance(s) + 2 * s.error:
            return None
    if not telling:
        return usual.slope, _untold(steps, given)
    s = telling[-1]
    longer = steps[max(steps.index(s) - 1, 0)]
    gap = s.right - s.left
    sharp = abs(gap) > 1e-2 * max(abs(s.left), abs(s.right)) and abs(gap) > 10 * s.error
    if sharp and not abs(gap) < 0.5 * abs(longer.right - longer.left):
        low, high = min(s.left, s.right), max(s.left, s.right)
        slack = 1e-6 * max(abs(low), abs(high))
        if low - slack <= given <= high + slack:
            place = "lies between, which is a choice and no error. Check it at another point"
        else:
            place = "lies outside of both, so it is wrong on either side"
        slopes = f"left slope {s.left:.6g}, right slope {s.right:.6g}"
        return s.slope, f"the function has a kink here: {slopes}; the rule's {given:.6g} {place}"
    return s.slope, "a bug in the rule"


def _jumps(usual: _Step, long: _Step, short: _Step) -> bool:
    """Tell whether the values on the two sides stay apart, however short the step."""
    if not np.isfinite([long.change, short.change]).all():
        return False
    apart = max(abs(long.change), abs(np.nan_to_num(usual.change)))
    return bool(abs(short.change) > max(0.5 * apart, 1e3 * _ULPS * short.size))


def _untold(steps: list[_Step], given: float) -> str:
    for name, slopes in (("left", [s.left for s in steps]), ("right", [s.right for s in steps])):
        if not np.isfinite(slopes).any():
            return (
                f"the function ends here: to the {name} of this point it isn't finite. Check further inside"
            )
    if not np.isfinite(given):
        return "a bug in the rule: its gradient isn't finite"
    return (
        "no step can tell: the slopes at steps from long to short don't agree with one another, so the "
        "function is too noisy, or too steep, here. Check it at a tamer point"
    )


def pattern(
    given: Array,
    numeric: Array,
    noise: Array,
    out_shape: tuple[int, ...],
    in_shape: tuple[int, ...],
    others: dict[int, Array],
) -> str:
    """Guess from a whole Jacobian (outputs, inputs) what the mistake in the rule is."""
    seen = np.abs(numeric) > 10 * noise
    if not given.any():
        return "the rule gives this input no gradient (None or zeros), or .data or numpy() left the graph"
    if not np.isfinite(given).all():
        return "the rule gives nan or inf"
    for k, other in others.items():
        if other.shape == given.shape and np.allclose(given, other, rtol=1e-4, atol=1e-8 + noise.max()):
            return f"this is the gradient of input {k}: are the two swapped?"
    if len(in_shape) >= 2 and in_shape[-1] == in_shape[-2]:
        turned = given.reshape(-1, *in_shape).swapaxes(-1, -2).reshape(given.shape)
        if np.allclose(turned, numeric, rtol=1e-4, atol=1e-8 + noise.max()):
            return "it is right when transposed"
    if seen.any() and not (given[~seen & (noise < 1e-3)] > 1e-3).any():
        ratios = given[seen] / numeric[seen]
        c = float(np.median(ratios))
        if np.ptp(ratios) <= 1e-4 * abs(c) and abs(c - 1) > 1e-4:
            return _factor(c, {*out_shape, *in_shape})
    wrong = np.abs(given - numeric) > 1e-5 * np.maximum(np.abs(given), np.abs(numeric)) + 10 * noise
    count = int(wrong.any(axis=0).sum())
    return f"{count} of the input's {given.shape[1]} elements have a wrong gradient"


def _factor(c: float, lengths: set[int]) -> str:
    text = f"every entry is {c:.6g} times what it should be"
    if abs(c + 1) < 1e-4:
        return "every entry has the wrong sign"
    for known, cause in ((2.0, "a factor 2 too many"), (0.5, "a factor 2 is missing")):
        if abs(c - known) < 1e-4:
            return f"{text}: {cause}"
    for n in sorted(lengths - {0, 1}):
        if abs(c * n - 1) < 1e-4:
            return f"{text}, one over an axis of length {n}: a mean where a sum belongs?"
        if abs(c / n - 1) < 1e-4:
            return f"{text}, the length of an axis: a sum where a mean belongs?"
    return text
