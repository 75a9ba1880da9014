"""Augmentation: each epoch sees images turned, moved and lit anew, so a network learns to overlook that.

A geometric change of an image belongs to its mask too, pixel by pixel. So every such step is a matrix: one
for each image, from a place in the result to a place in the source. Steps in a row are multiplied, and images
are read once, between pixels by linear interpolation; masks by the nearest pixel, since half a lesion is no
class. The names and arguments are those of Keras' layers.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.prepare import as_count, common_length, generator_of
from tinygrad_edu.data.warp import identity, warp
from tinygrad_edu.errors import ArgumentError, DTypeError, ShapeError, unknown_name
from tinygrad_edu.random import default_generator

__all__ = [
    "Augmentation",
    "RandomBrightness",
    "RandomCrop",
    "RandomFlip",
    "RandomNoise",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
]

Images = NDArray[Any]


class Geometric(Protocol):
    """A step that moves pixels, those of the mask too."""

    def matrices(self, rng: np.random.Generator, count: int, height: int, width: int) -> NDArray[np.float64]:
        """Draw (count, 3, 3): for (row, column, 1) from the centre, where it comes from."""


class Pointwise(Protocol):
    """A step that changes values, in the image alone."""

    def values(self, rng: np.random.Generator, images: Images) -> Images:
        """Return changed images, float32 or float64; rounding and clipping to the dtype come after."""


@dataclass(frozen=True)
class RandomFlip:
    """Mirror half of the images: left to right ("horizontal"), upside down ("vertical") or each by itself.

    >>> x = np.arange(3).reshape(1, 1, 3)
    >>> flip = Augmentation([RandomFlip("horizontal")], seed=0)
    >>> {tuple(flip(x).ravel().tolist()) for _ in range(20)} == {(0, 1, 2), (2, 1, 0)}
    True
    """

    mode: str = "horizontal_and_vertical"

    def __post_init__(self) -> None:
        modes = ("horizontal", "vertical", "horizontal_and_vertical")
        if self.mode not in modes:
            raise unknown_name("RandomFlip mode", self.mode, modes)

    def matrices(self, rng: np.random.Generator, count: int, height: int, width: int) -> NDArray[np.float64]:
        drawn = identity(count)
        for axis, name in enumerate(("vertical", "horizontal")):
            if name in self.mode:
                drawn[:, axis, axis] = rng.choice([-1.0, 1.0], count)
        return drawn


@dataclass(frozen=True)
class RandomRotation:
    """Turn about the centre by a share of 360°, uniform in (low, high) or ± factor.

    Positive angles turn counter-clockwise.
    """

    factor: float | tuple[float, float]

    def __post_init__(self) -> None:
        _range("RandomRotation", "factor", self.factor)

    def matrices(self, rng: np.random.Generator, count: int, height: int, width: int) -> NDArray[np.float64]:
        angles = 2 * math.pi * rng.uniform(*_range("RandomRotation", "factor", self.factor), count)
        drawn = identity(count)
        drawn[:, 0, 0] = drawn[:, 1, 1] = np.cos(angles)
        drawn[:, 0, 1] = np.sin(angles)
        drawn[:, 1, 0] = -np.sin(angles)
        return drawn


@dataclass(frozen=True)
class RandomTranslation:
    """Move down by a share of the height and right by one of the width, in (low, high) or ± factor."""

    height_factor: float | tuple[float, float]
    width_factor: float | tuple[float, float]

    def __post_init__(self) -> None:
        _range("RandomTranslation", "height_factor", self.height_factor)
        _range("RandomTranslation", "width_factor", self.width_factor)

    def matrices(self, rng: np.random.Generator, count: int, height: int, width: int) -> NDArray[np.float64]:
        drawn = identity(count)
        for axis, (factor, side) in enumerate(((self.height_factor, height), (self.width_factor, width))):
            drawn[:, axis, 2] = -side * rng.uniform(*_range("RandomTranslation", "factor", factor), count)
        return drawn


@dataclass(frozen=True)
class RandomZoom:
    """Show a part that is 1 + factor times the image's sides: negative factors zoom in, positive ones out.

    Factors are uniform in (low, high) or ± factor. Without a width_factor both sides share one.
    """

    height_factor: float | tuple[float, float]
    width_factor: float | tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for name in ("height_factor", "width_factor"):
            factor = getattr(self, name)
            if factor is not None and _range("RandomZoom", name, factor)[0] <= -1:
                raise ArgumentError(f"RandomZoom: {name} must be above -1 (nothing is left); got {factor}.")

    def matrices(self, rng: np.random.Generator, count: int, height: int, width: int) -> NDArray[np.float64]:
        drawn = identity(count)
        drawn[:, 0, 0] = 1 + rng.uniform(*_range("RandomZoom", "height_factor", self.height_factor), count)
        drawn[:, 1, 1] = drawn[:, 0, 0]
        if self.width_factor is not None:
            drawn[:, 1, 1] = 1 + rng.uniform(*_range("RandomZoom", "width_factor", self.width_factor), count)
        return drawn


@dataclass(frozen=True)
class RandomCrop:
    """Cut a window of (height, width) pixels from a place of its own in each image, as they are."""

    height: SupportsIndex
    width: SupportsIndex

    def __post_init__(self) -> None:
        as_count("RandomCrop", "height", self.height, least=1)
        as_count("RandomCrop", "width", self.width, least=1)

    def corners(self, rng: np.random.Generator, count: int, height: int, width: int) -> NDArray[np.intp]:
        """Draw (count, 2), the window's first row and column."""
        spare = np.array([height, width]) - [int(self.height), int(self.width)]
        if (spare < 0).any():
            raise ShapeError(
                f"RandomCrop: a window of ({self.height}, {self.width}) doesn't fit into images of "
                f"({height}, {width})."
            )
        return rng.integers(0, spare + 1, (count, 2))


@dataclass(frozen=True)
class RandomBrightness:
    """Add a number to all pixels of an image: factor times the width of ``value_range``, and clip to that.

    Factors are uniform in (low, high) or ± factor. For uint8 the range is (0, 255); for other dtypes it must
    be said, since pixels of 0…1 with the range of bytes would all become white or black.
    """

    factor: float | tuple[float, float]
    value_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        _range("RandomBrightness", "factor", self.factor)
        if self.value_range is not None and not self.value_range[0] < self.value_range[1]:
            raise ArgumentError(f"RandomBrightness: value_range must be (low, high); got {self.value_range}.")

    def values(self, rng: np.random.Generator, images: Images) -> Images:
        if self.value_range is None and images.dtype != np.uint8:
            raise ArgumentError(
                f"RandomBrightness: which values can a pixel of {images.dtype} have? Say "
                "value_range=(0, 1), or what it is."
            )
        low, high = self.value_range or (0, 255)
        added = (high - low) * rng.uniform(*_range("RandomBrightness", "factor", self.factor), len(images))
        work = np.result_type(images.dtype, np.float32)
        shape = (-1,) + (1,) * (images.ndim - 1)
        lit: Images = np.clip(images.astype(work) + added.reshape(shape).astype(work), low, high)
        return lit


@dataclass(frozen=True)
class RandomNoise:
    """Add Gaussian noise of standard deviation ``stddev``, in the pixels' own units, anew for each pixel."""

    stddev: float

    def __post_init__(self) -> None:
        if not 0 <= self.stddev < math.inf:
            raise ArgumentError(f"RandomNoise: stddev must be at least 0; got {self.stddev}.")

    def values(self, rng: np.random.Generator, images: Images) -> Images:
        noise: Images = np.float32(self.stddev) * rng.standard_normal(images.shape, np.float32)
        return np.add(images, noise)


Step = (
    RandomFlip | RandomRotation | RandomTranslation | RandomZoom | RandomCrop | RandomBrightness | RandomNoise
)


class Augmentation:
    """Random changes of images, and of their masks along with them, one after the other.

    Call it with arrays, or hand it to ``DataLoader(x, y, transform=…)``; only training data should pass
    through. Draws are made for each image by itself.

    Parameters
    ----------
    steps : list of steps
        `RandomFlip`, `RandomRotation`, `RandomTranslation`, `RandomZoom`, `RandomCrop` (geometric),
        `RandomBrightness`, `RandomNoise` (of values, images alone).
    fill_mode : {"reflect", "constant", "nearest", "wrap"}
        What lies beyond the edges: the image mirrored, fill_value (in masks 0, the background), the edge's
        pixels, or the image again.
    fill_value : float
    seed : int, optional
        Decides the draws, those of a loader's epoch k together with k. None draws a seed from the package's
        default generator.

    Raises
    ------
    ArgumentError
        A step, fill_mode or seed that can't be used.

    Examples
    --------
    >>> augment = Augmentation([RandomFlip(), RandomRotation(0.1), RandomNoise(0.05)], seed=1)
    >>> images, masks = np.zeros((4, 16, 16, 1), np.float32), np.zeros((4, 16, 16), np.uint8)
    >>> x, y = augment(images, masks)
    >>> x.shape, x.dtype, y.shape, y.dtype
    ((4, 16, 16, 1), dtype('float32'), (4, 16, 16), dtype('uint8'))
    """

    def __init__(
        self,
        steps: Iterable[Step],
        *,
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        seed: int | None = None,
    ) -> None:
        self.steps = list(steps)
        for step in self.steps:
            if not isinstance(step, Step):
                raise ArgumentError(f"Augmentation: expected steps such as RandomFlip(); got {step!r:.60}.")
        self.fill_mode, self.fill_value = fill_mode, fill_value
        warp(np.zeros((0, 1, 1)), identity(0), fill_mode=fill_mode)  # refuses an unknown mode now
        if seed is None:
            seed = int(default_generator().integers(1 << 63))
        self._rng = generator_of("Augmentation", seed)
        self.seed = int(seed)

    def begin(self, epoch: int) -> None:
        """Draw from now on what belongs to that epoch; the data loader calls this."""
        self._rng = np.random.default_rng((self.seed, as_count("Augmentation", "epoch", epoch, least=0)))

    def __call__(self, images: ArrayLike, masks: ArrayLike | None = None) -> Any:
        """Return changed copies.

        Parameters
        ----------
        images : array (N, H, W) or (N, H, W, channels)
        masks : array (N, H, W) or (N, H, W, channels), optional
            Changed as the images are, by the nearest pixel. Labels, (N,) or (N, K), are returned as they are.

        Returns
        -------
        images, or ``(images, masks)`` : dtypes as they came
            Whole numbers are rounded, and clipped to their dtype's range.

        Raises
        ------
        ShapeError
            Images without height and width, masks of another size, a crop that doesn't fit.
        DataError
            Masks that aren't as many as the images.
        DTypeError
            Images that aren't numbers.
        """
        x = np.asarray(images)
        y = None if masks is None else np.asarray(masks)
        if x.ndim not in (3, 4):
            raise ShapeError(
                "Augmentation: images must be (N, height, width) or (N, height, width, channels); "
                f"got {x.shape}. A single image is images[None]."
            )
        if x.dtype.kind not in "buif":
            raise DTypeError(f"Augmentation: images must hold numbers; their dtype is {x.dtype}.")
        moved = y is not None and y.ndim > 2
        if y is not None:
            common_length("Augmentation", {"images": x, "masks": y})
            if moved and (y.ndim > 4 or y.shape[1:3] != x.shape[1:3]):
                raise ShapeError(
                    f"Augmentation: masks {y.shape} don't lie on images {x.shape}; heights or widths differ."
                )
        x, mask = self._changed(x, y if moved else None)
        return x if y is None else (x, mask if moved else y)

    def _changed(self, x: Images, mask: Images | None) -> tuple[Images, Images | None]:
        rng = self._rng
        pending = identity(
            len(x)
        )  # where each place comes from, by all geometric steps since the last reading

        def read() -> None:
            nonlocal x, mask, pending
            x = warp(x, pending, fill_mode=self.fill_mode, fill_value=self.fill_value)
            if mask is not None:
                mask = warp(mask, pending, "nearest", fill_mode=self.fill_mode)
            pending = identity(len(x))

        for step in self.steps:
            count, height, width = x.shape[:3]
            if isinstance(step, RandomCrop):
                read()
                corners = step.corners(rng, count, height, width)
                x = _windows(x, corners, step)
                mask = None if mask is None else _windows(mask, corners, step)
            elif isinstance(step, RandomBrightness | RandomNoise):
                read()
                x = _as(step.values(rng, x), x.dtype)
            else:
                pending = pending @ step.matrices(rng, count, height, width)
        read()
        return x, mask

    def __repr__(self) -> str:
        return f"Augmentation({self.steps}, fill_mode={self.fill_mode!r}, seed={self.seed})"


def _windows(x: Images, corners: NDArray[np.intp], crop: RandomCrop) -> Images:
    rows = corners[:, 0, None, None] + np.arange(int(crop.height))[:, None]
    columns = corners[:, 1, None, None] + np.arange(int(crop.width))
    windows: Images = x[np.arange(len(x))[:, None, None], rows, columns]
    return windows


def _as(values: Images, dtype: np.dtype[Any]) -> Images:
    """Return values in a dtype: whole numbers rounded and kept within its range, not wrapped around."""
    if dtype.kind == "b":
        return values >= 0.5
    if dtype.kind in "ui":
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(values.astype(np.float64)), limits.min, limits.max)
    return values.astype(dtype)


def _range(caller: str, name: str, factor: float | tuple[float, float]) -> tuple[float, float]:
    """Return (low, high), from both or from ± a number."""
    low, high = factor if isinstance(factor, tuple | list) else (-factor, factor)
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ArgumentError(
            f"{caller}: {name} must be a number of at least 0, for ± it, or (low, high); got {factor!r}."
        )
    return float(low), float(high)
