"""Data brought into range, as the first layer of a model: Rescaling, Normalization."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import ops
from ...errors import ArgumentError, DataError, ShapeError
from ...ops.reduction import normalize_axes
from ...tensor import Tensor
from ..structure import is_structure
from .base import SameShape, Shape

__all__ = ["Normalization", "Rescaling"]

EPSILON = 1e-7  # Keras': a feature that never changes isn't divided by 0


class Rescaling(SameShape):
    """scale · x + offset: ``Rescaling(1 / 255)`` brings pixels between 0 and 1.

    Both are numbers, or lists with one for each entry of the last axis.

    >>> from tinygrad_edu import nn
    >>> nn.Rescaling(1 / 127.5, offset=-1)(np.array([[0, 255]], np.uint8))
    Tensor([[-1.,  1.]])
    """

    fields = ("scale", "offset")

    def __init__(self, scale: Any, offset: Any = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.scale, self.offset = _numbers(scale, "Rescaling: scale"), _numbers(offset, "Rescaling: offset")

    def call(self, x: Any) -> Tensor:
        scale, offset = np.asarray(self.scale, x.dtype), np.asarray(self.offset, x.dtype)
        return ops.add(ops.multiply(x, scale), offset)


class Normalization(SameShape):
    """(x - mean) / √variance, with those of the data that ``adapt`` has seen, or that are given.

    Parameters
    ----------
    axis
        The axis, or the axes, whose entries each have a mean and a variance; None for one of all numbers.
    mean, variance
        Given instead of ``adapt``: numbers, or one for each entry.
    invert
        Go back: x · √variance + mean.

    The weights mean, variance and count aren't trained. Raises ArgumentError for only one of the two, and
    for ``adapt`` where they are given.

    >>> from tinygrad_edu import nn
    >>> layer = nn.Normalization()
    >>> layer.adapt(np.array([[1.0, 10.0], [3.0, 30.0]]))
    >>> layer([[3.0, 20.0]])
    Tensor([[1., 0.]])
    """

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **options: Any
    ) -> None:
        super().__init__(**options)
        if (mean is None) != (variance is None):
            raise ArgumentError("Normalization: give both mean and variance, or neither and call adapt(data)")
        self.axis = () if axis is None else tuple(int(a) for a in np.atleast_1d(axis))
        self.invert = bool(invert)
        self.given: list[Any] | None = None
        self.mean: Any  # a buffer that adapt sets, or an array that was given
        self.variance: Any
        if mean is not None:
            self.given = [
                _numbers(mean, "Normalization: mean"), _numbers(variance, "Normalization: variance")
            ]  # fmt: skip

    def build(self, input_shape: Shape) -> None:
        self._kept = sorted(normalize_axes(self.axis, len(input_shape), self.name)) if self.axis else []
        shape: Any = tuple([input_shape[a] for a in self._kept])
        if None in shape:
            raise ShapeError(f"{self.name}: axis {self.axis} needs fixed lengths, got {input_shape}")
        if self.given is None:
            self.mean = self.add_weight("mean", shape, "zeros", trainable=False)
            self.variance = self.add_weight("variance", shape, "ones", trainable=False)
            self.count = self.add_weight("count", (), "zeros", dtype="int64", trainable=False)
            return
        try:
            mean, variance = (np.broadcast_to(np.asarray(v, self.dtype), shape) for v in self.given)
        except ValueError:
            raise ShapeError(
                f"{self.name}: mean and variance must be numbers or of shape {shape}, got {self.given}"
            ) from None
        self.mean, self.variance = mean, variance

    def adapt(self, data: Any) -> None:
        """Find the mean and the variance of data: an array, or batches of it, (x, y) pairs among them.

        What an earlier call found is forgotten. Raises DataError if there is none, or it has a nan.
        """
        if self.given is not None:
            raise ArgumentError(f"{self.name}: mean and variance were given, so there is nothing to adapt")
        is_one = isinstance(data, np.ndarray | Tensor | list | tuple) and not is_structure(data)
        batches = [data] if is_one else data
        number, mean, spread = 0, np.float64(0), np.float64(0)
        for batch in batches:
            x = np.asarray(batch[0] if isinstance(batch, tuple) else batch, np.float64)
            if not self.built:
                self.build_once((None, *x.shape[1:]))
            others = tuple([a for a in range(x.ndim) if a not in self._kept])
            n = x.size // max(int(np.prod(self.mean.shape)), 1)
            if not n:
                continue
            # Chan, Golub & LeVeque 1983: the squares are counted from each batch's own mean, and then what
            # the means are apart.
            moved = x.mean(axis=others) - mean
            spread = spread + n * x.var(axis=others) + np.square(moved) * number * n / (number + n)
            mean = mean + moved * n / (number + n)
            number += n
        if not number or not np.isfinite(mean).all():
            raise DataError(
                f"{self.name}: adapt needs data of numbers, got {'nan or inf' if number else 'none'}"
            )
        self.mean.data = np.asarray(mean, self.dtype)
        self.variance.data = np.asarray(spread / number, self.dtype)
        self.count.data = np.asarray(number)

    def call(self, x: Any) -> Tensor:
        shape = tuple([n if a in self._kept else 1 for a, n in enumerate(x.shape)])
        mean = ops.reshape(self.mean, shape)
        deviation = ops.reshape(ops.maximum(ops.sqrt(self.variance), EPSILON), shape)
        return x * deviation + mean if self.invert else (x - mean) / deviation  # type: ignore[no-any-return]

    def get_config(self) -> dict[str, Any]:
        mean, variance = self.given or (None, None)
        own = {"axis": list(self.axis) or None, "mean": mean, "variance": variance, "invert": self.invert}
        return super().get_config() | own


def _numbers(value: Any, name: str) -> Any:
    """Return a number, or nested lists of them, as JSON can hold it."""
    array: NDArray[Any] = np.asarray(value)
    if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ArgumentError(f"{name}: expected a number, or a list of them, got {value!r}")
    return array.astype(np.float64).tolist()
