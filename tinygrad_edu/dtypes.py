"""The dtypes of the array API standard, what may become what, and what this namespace tells of itself.

Promotion is NumPy's: two dtypes give the smallest that holds both, and a plain Python number takes the dtype
of the tensor beside it. There are no complex dtypes. float16 arrays are kept as they come, but that dtype is
not in the standard and has no name here.
"""

import builtins
import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .errors import ArgumentError, unknown_name
from .tensor import Tensor, check_device

__all__ = [
    "bool",
    "can_cast",
    "e",
    "finfo",
    "float32",
    "float64",
    "iinfo",
    "inf",
    "int8",
    "int16",
    "int32",
    "int64",
    "isdtype",
    "nan",
    "newaxis",
    "pi",
    "result_type",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]  # fmt: skip

DType = np.dtype[Any]

# Objects that x.dtype is equal to, also as a key of a dict (np.float32, a class, has another hash).
bool = np.dtype("bool")
int8, int16, int32, int64 = (np.dtype(f"int{n}") for n in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (np.dtype(f"uint{n}") for n in (8, 16, 32, 64))
float32, float64 = np.dtype("float32"), np.dtype("float64")

e, pi, inf, nan = math.e, math.pi, math.inf, math.nan
newaxis = None

_SIGNED, _UNSIGNED = (int8, int16, int32, int64), (uint8, uint16, uint32, uint64)
_FLOATS = (float32, float64)


def _dtype_of(x: Any) -> Any:
    return x.dtype if isinstance(x, Tensor | np.ndarray) else np.dtype(x)


def can_cast(from_: Any, to: DTypeLike, /) -> builtins.bool:
    """Return whether a dtype, or a tensor's, converts to another without losing values.

    Raises TypeError for what isn't a dtype.

    >>> can_cast(int32, float64), can_cast(Tensor([1.0]), int64)
    (True, False)
    """
    return np.can_cast(_dtype_of(from_), np.dtype(to))


def finfo(type: Any, /) -> np.finfo[Any]:
    """Return the limits of a float dtype, or of a tensor's: bits, eps, max, min, smallest_normal, dtype.

    Raises ArgumentError for a dtype that isn't one of floats.

    >>> finfo(float32).eps
    np.float32(1.1920929e-07)
    """
    dtype = _dtype_of(type)
    if dtype.kind != "f":
        raise ArgumentError(f"finfo: expected a float dtype, got {dtype}; iinfo tells about whole numbers")
    return np.finfo(dtype)


def iinfo(type: Any, /) -> np.iinfo[Any]:
    """Return the limits of a dtype of whole numbers, or of a tensor's: bits, max, min, dtype.

    Raises ArgumentError for any other dtype.

    >>> iinfo(uint8).max
    255
    """
    dtype = _dtype_of(type)
    if dtype.kind not in "iu":
        raise ArgumentError(
            f"iinfo: expected a dtype of whole numbers, got {dtype}; finfo tells about floats"
        )
    return np.iinfo(dtype)


def isdtype(dtype: DTypeLike, kind: Any) -> builtins.bool:
    """Return whether a dtype is of a kind, or of one among a tuple of kinds.

    A kind is a dtype or one of "bool", "signed integer", "unsigned integer", "integral", "real floating",
    "complex floating", "numeric". Raises ArgumentError for another word.

    >>> isdtype(float32, "real floating"), isdtype(int8, ("bool", "unsigned integer"))
    (True, False)
    """
    try:
        return np.isdtype(np.dtype(dtype), kind)
    except (ValueError, TypeError) as error:
        raise ArgumentError(f"isdtype: {error}") from None


def result_type(*arrays_and_dtypes: Any) -> DType:
    """Return the dtype that an operation on these tensors, arrays, dtypes and Python numbers gives.

    A Python number takes the dtype of the rest if it is of that kind. Raises ArgumentError if there is
    nothing but Python numbers.

    >>> result_type(float32, int32), result_type(Tensor([1.0]), 2.5)
    (dtype('float64'), dtype('float32'))
    """
    plain = [x.data if isinstance(x, Tensor) else x for x in arrays_and_dtypes]
    if all(type(x) in (int, float, builtins.bool, complex) for x in plain):
        raise ArgumentError("result_type: expected at least one tensor or dtype among the arguments")
    return np.result_type(*plain)


class __array_namespace_info__:
    """What the standard lets a library ask of a namespace: its dtypes, its devices, what it can do.

    >>> import tinygrad_edu as te
    >>> te.__array_namespace_info__().default_dtypes()["real floating"]
    dtype('float32')
    """

    def capabilities(self) -> dict[str, Any]:
        """Return what is optional: boolean masks, results whose shape depends on values."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        """Return "cpu"."""
        return "cpu"

    def devices(self) -> tuple[str, ...]:
        """Return ("cpu",)."""
        return ("cpu",)

    def default_dtypes(self, *, device: str | None = None) -> dict[str, DType]:
        """Return the dtypes that Python numbers become; "complex floating" is missing, as they are."""
        check_device(device)
        return {"real floating": float32, "integral": int64, "indexing": int64}

    def dtypes(self, *, device: str | None = None, kind: Any = None) -> dict[str, DType]:
        """Return the dtypes of a kind (see :func:`tinygrad_edu.isdtype`), of several, or all, by name.

        Raises ArgumentError for an unknown kind.
        """
        check_device(device)
        kinds = {
            "bool": (bool,),
            "signed integer": _SIGNED,
            "unsigned integer": _UNSIGNED,
            "integral": _SIGNED + _UNSIGNED,
            "real floating": _FLOATS,
            "complex floating": (),
            "numeric": _SIGNED + _UNSIGNED + _FLOATS,
        }
        found: dict[str, DType] = {}
        for name in ("bool", "numeric") if kind is None else kind if isinstance(kind, tuple) else (kind,):
            if name not in kinds:
                raise unknown_name("kind of dtype", name, kinds)
            found |= {str(dtype): dtype for dtype in kinds[name]}
        return found
