"""Claims: what a tutorial says of its result, checked when it runs."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from tinygrad_edu.errors import ArgumentError, TinygradEduError

__all__ = ["Claim", "ClaimError"]

DIGITS = 5  # of a measured value


class ClaimError(TinygradEduError, AssertionError):
    """A tutorial's claim that doesn't hold."""


@dataclass(frozen=True)
class Claim:
    """A measured value and the bound that it must keep: one of at_least, at_most, about ± within.

    >>> print(Claim("accuracy", 0.93, at_least=0.9, course=0.919))
    accuracy: 0.93 (at least 0.9; the course: 0.919)
    >>> Claim("accuracy", 0.53, about=0.5, within=0.1).holds
    True
    """

    what: str
    value: float
    at_least: float | None = None
    at_most: float | None = None
    about: float | None = None
    within: float = 0.0
    course: float | str | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        if sum(bound is not None for bound in (self.at_least, self.at_most, self.about)) != 1:
            raise ArgumentError(
                f"claim({self.what!r}): give one of at_least, at_most, or about (with within): a claim "
                "without a bound can't fail, and says nothing."
            )

    @property
    def holds(self) -> bool:
        """Whether the value keeps its bound; nan keeps none."""
        if self.at_least is not None:
            return self.value >= self.at_least
        if self.at_most is not None:
            return self.value <= self.at_most
        assert self.about is not None
        return abs(self.value - self.about) <= self.within

    @property
    def bound(self) -> str:
        """The bound in words."""
        if self.at_least is not None:
            return f"at least {show(self.at_least)}"
        if self.at_most is not None:
            return f"at most {show(self.at_most)}"
        assert self.about is not None
        return (
            f"within {show(self.within)} of {show(self.about)}"
            if self.within
            else f"exactly {show(self.about)}"
        )

    def __str__(self) -> str:
        course = "" if self.course is None else f"; the course: {show(self.course)}"
        return (
            f"{self.what}: {show(self.value, DIGITS)}{self.unit and ' ' + self.unit} ({self.bound}{course})"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it, which has no nan."""
        value = self.value if math.isfinite(self.value) else None
        return asdict(self) | {"value": value, "bound": self.bound, "holds": self.holds}


def show(value: float | str, digits: int = 12) -> str:
    """Write a number with up to so many significant digits, whole numbers whole; a text as it is.

    >>> show(0.9, 5), show(0.933333, 5), show(-167.89), show(1.0), show(17), show("0.84 with 10 units")
    ('0.9', '0.93333', '-167.89', '1.0', '17', '0.84 with 10 units')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = f"{value:.{digits}g}"
    return text if not text.lstrip("-").isdecimal() or abs(value) >= 10 else f"{text}.0"
