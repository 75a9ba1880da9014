"""Colours for gradients: the larger the norm, the darker, in equal steps of its logarithm."""

from dataclasses import dataclass
from math import isfinite, log10
from typing import TYPE_CHECKING

from .numbers import short

if TYPE_CHECKING:
    from .boxes import Graph

__all__ = ["Scale"]

# From light to darker and from yellow to red at once: told apart in grey too, and dark text is legible.
_RAMP = ("#fff7dc", "#fee3a6", "#fcc67a", "#f7a35f", "#ec7f54")
_LEAST = 100.0  # the scale goes down to so small a part of the largest, that equals don't look different
_NONE, _ZERO, _STRANGE = "#ffffff", "#d9d9d9", "#dda3c4"


@dataclass(frozen=True)
class Scale:
    """The colours between the smallest and the largest norm in a picture that is neither 0 nor infinite."""

    low: float  # at most a hundredth of the largest
    high: float
    zeros: bool  # whether there are gradients that are all 0
    strange: bool  # whether there are any with nan or inf

    @classmethod
    def of(cls, graph: "Graph") -> "Scale | None":
        """Return the scale for a graph, or None if it has no gradients."""
        norms = [box.gradient_norm for box in graph.nodes if box.gradient_norm is not None]
        if not norms:
            return None
        finite = [n for n in norms if isfinite(n) and n > 0]
        strange = any(not isfinite(n) for n in norms)
        high = max(finite, default=0.0)
        return cls(min([high / _LEAST, *finite]), high, 0.0 in norms, strange)

    def fill(self, norm: float | None) -> str:
        """Return the colour of a gradient; white where there is none.

        >>> scale = Scale(0.01, 100.0, True, False)
        >>> [scale.fill(norm) for norm in (0.01, 1.0, 100.0)]
        ['#fff7dc', '#fcc67a', '#ec7f54']
        """
        if norm is None:
            return _NONE
        if not isfinite(norm):
            return _STRANGE
        if norm == 0:
            return _ZERO
        share = (log10(norm) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return _RAMP[min(int(share * len(_RAMP)), len(_RAMP) - 1)]

    def legend(self) -> str:
        """Write the scale as one of Graphviz' HTML-like labels."""
        cells = []
        if self.high > self.low:
            cells = [(colour, " " * 6) for colour in _RAMP]
            cells[0] = (_RAMP[0], f" {short(self.low)} ")
            cells[-1] = (_RAMP[-1], f" {short(self.high)} ")
        if self.zeros:
            cells.append((_ZERO, " 0 "))
        if self.strange:
            cells.append((_STRANGE, " nan or inf "))
        row = "".join(f'<TD BGCOLOR="{colour}">{text}</TD>' for colour, text in cells)
        return (
            '<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="4">'
            f'<TR><TD HEIGHT="12"></TD></TR><TR><TD>norm of the gradient </TD>{row}</TR></TABLE>>'
        )
