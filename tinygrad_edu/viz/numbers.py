"""Numbers in words and in a few characters, as pictures show them."""

from math import isfinite
from typing import Any

import numpy as np

__all__ = ["counted", "gradient_line", "short", "short_array"]


def counted(n: int, noun: str) -> str:
    """Write how many there are.

    >>> counted(1, "parameter"), counted(50176, "parameter")
    ('1 parameter', '50,176 parameters')
    """
    return f"{n:,} {noun}{'s' * (n != 1)}"


def gradient_line(norm: float) -> str:
    """Say how large a gradient is.

    >>> gradient_line(1 / 3)
    'gradient norm 0.3333'
    """
    return f"gradient norm {short(norm)}" if isfinite(norm) else "gradient has nan or inf"


def short(value: Any) -> str:
    """Write a number or another argument in a few characters: 2.0, 0.3333, (1, 2), 'same'.

    >>> short(1 / 3), short((1, 2)), short("same")
    ('0.3333', '(1, 2)', "'same'")
    """
    text = str(value) if isinstance(value, float | np.generic) else repr(value)
    if len(text) > 8 and isinstance(value, float | np.floating):
        return f"{value:.4g}"
    return text if len(text) <= 40 else f"{text[:39]}…"


def short_array(x: Any) -> str:
    """Write a small array on one line.

    >>> short_array(np.array([[1.0, 0.123456], [2.0, 3.0]]))
    '[[1, 0.12], [2, 3]]'
    """
    if x.ndim == 0:
        return short(x[()])
    if x.ndim > 1:
        return f"[{', '.join(map(short_array, x))}]"
    return f"[{', '.join(f'{v:.2g}' if x.dtype.kind == 'f' else str(v) for v in x)}]"
