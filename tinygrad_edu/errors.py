"""The errors of the package: each says what was expected, what came, and how to mend it.

All of them derive from :class:`TinygradEduError`, so one ``except`` catches what this package
refuses, and each also derives from the built-in error that NumPy users expect.
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "AnomalyError",
    "ArgumentError",
    "DTypeError",
    "DataError",
    "FileError",
    "GradientError",
    "IndexingError",
    "ShapeError",
    "TinygradEduError",
    "unknown_name",
]


class TinygradEduError(Exception):
    """The base of every error that this package raises on purpose."""


class ShapeError(TinygradEduError, ValueError):
    """Shapes that don't fit one another or the operation."""


class IndexingError(TinygradEduError, IndexError):
    """An index that is out of range, or of a kind that a tensor can't be indexed with."""


class DTypeError(TinygradEduError, TypeError):
    """A dtype, or a kind of object, that the operation can't take."""


class ArgumentError(TinygradEduError, ValueError):
    """An argument outside what is allowed: an unknown name, a negative rate, an impossible axis."""


class GradientError(TinygradEduError, RuntimeError):
    """A gradient that was asked for and can't be had, or a rule that returned a wrong one."""


class AnomalyError(TinygradEduError, FloatingPointError):
    """A nan or an infinite number, which ``detect_anomaly`` was asked to look for."""


class DataError(TinygradEduError, ValueError):
    """Data that can't be learned from: NaN, labels out of range, unequal lengths."""


class FileError(TinygradEduError, OSError):
    """A file or folder that is missing, damaged, foreign or can't be written."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> ArgumentError:
    """Make the error for a name that is not among the known ones, with the nearest as a hint.

    >>> print(unknown_name("loss", "msee", ["mse", "mae"]))
    unknown loss 'msee'; did you mean 'mse'? Known: mae, mse
    """
    known = sorted(k for k in known if not k.startswith("_"))
    near = get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    return ArgumentError(f"unknown {kind} {name!r}{hint} Known: {', '.join(known)}")
