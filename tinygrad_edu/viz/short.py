"""Numbers in little room: as a few characters, as a clock, as a row of blocks."""

import math
from collections.abc import Sequence

__all__ = ["clock", "count", "number", "printable", "size", "sparkline"]

_SPARKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float]) -> str:
    """Draw values as a row of blocks from the lowest to the highest; a cross where one isn't finite.

    >>> sparkline([0.0, 1.0, 2.0, float("nan"), 7.0])
    '▁▂▃x█'
    """
    finite = [value / 2 for value in values if math.isfinite(value)]  # halves, lest a difference overflow
    low = min(finite, default=0.0)
    scale = max(finite, default=0.0) - low or 1.0
    steps = [int((v / 2 - low) / scale * 8) if math.isfinite(v) else None for v in values]
    return "".join("x" if step is None else _SPARKS[min(step, 7)] for step in steps)


def number(value: float) -> str:
    """Write a number in few characters: four decimals where those say enough.

    >>> number(0.12345), number(0.001), number(123456.7), number(1e-9)
    ('0.1235', '0.001', '123457', '1.00e-09')
    """
    size = abs(value)
    if value == 0 or 0.01 <= size < 100:
        return f"{value:.4f}"
    if 0.001 <= size < 0.01:
        return f"{value:.4g}"
    return f"{value:.6g}" if 100 <= size < 1e6 else f"{value:.2e}"


def count(what: str, which: int, total: int | None) -> str:
    """Say which of how many, always in the same width.

    >>> count("epoch", 3, 10), count("epoch", 3, None)
    ('epoch  3/10', 'epoch 3')
    """
    return f"{what} {which:>{len(str(total))}}/{total}" if total else f"{what} {which}"


def clock(seconds: float) -> str:
    """Write seconds as 0:07, 12:34 or 1:02:03.

    >>> clock(754)
    '12:34'
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def size(amount: int) -> str:
    """Write a number of bytes.

    >>> size(312_000_000), size(4_200_000_000)
    ('312 MB', '4.2 GB')
    """
    return f"{amount / 1e9:.1f} GB" if amount >= 1e9 else f"{amount / 1e6:.0f} MB"


def printable(text: str) -> str:
    """Put a space in the place of whatever would move the cursor.

    >>> printable("a\\nb")
    'a b'
    """
    return "".join(c if c.isprintable() else " " for c in text)
