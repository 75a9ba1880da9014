"""Pictures like slices through a chest, with lesions whose outlines are known because they were drawn.

Everything is a shape with a soft edge: an ellipse whose radius wobbles with the angle. A pixel's share of it
goes from 0 to 1 over the width of one pixel around the outline, so the same seed draws the same patient at
any size.
"""

import math
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data.dataset import Dataset
from tinygrad_edu.data.making import made, number, start
from tinygrad_edu.data.prepare import as_count
from tinygrad_edu.errors import ArgumentError

__all__ = ["phantoms"]

# Brightness in a window from -1000 to 400 Hounsfield units, as 0 to 1.
_AIR, _LUNG, _VESSEL, _FAT, _TISSUE, _BONE = 0.0, 0.12, 0.55, 0.64, 0.74, 0.97

_Array = NDArray[np.float64]


def phantoms(
    n_samples: int = 100,
    size: int | tuple[int, int] = 128,
    *,
    max_lesions: int = 3,
    healthy: float = 0.25,
    noise: float = 0.03,
    test_size: float = 0.2,
    seed: int | None = 0,
) -> Dataset:
    """Return drawn chest slices with lesions in the lungs, and masks: a set for segmentation, at any size.

    x is uint8, 0 to 255, (N, H, W); y is uint8 of that shape, 0 background, 1 lesion. Each picture has a
    body, two lungs, heart and spine, and vessels, which look like small lesions and are none. Picture i
    depends on the seed and on i alone: more samples are the same ones, and more.

    Parameters
    ----------
    n_samples : int
    size : int or (height, width)
        At least 16.
    max_lesions : int
        A picture that isn't healthy has 1 to this many lesions.
    healthy : float
        The share of pictures without one.
    noise : float
        Standard deviation of the noise in each pixel, as a share of the full range.
    test_size : float or int
        The share, or number, of pictures in the test part; 0 keeps all in the training part.
    seed : int, optional
        The same seed gives the same set; None draws one from the package's default generator.

    Raises
    ------
    ArgumentError, DataError
        Arguments that can't be used.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> drawn = data.phantoms(8, size=(48, 64))
    >>> drawn.x_train.shape, drawn.y.any(axis=(1, 2)).sum()
    ((6, 48, 64), np.int64(6))
    """
    count, seed = as_count("phantoms", "n_samples", n_samples, 1), start("phantoms", seed)
    height, width = _size(size)
    most = as_count("phantoms", "max_lesions", max_lesions, 1)
    share, spread = number("phantoms", "healthy", healthy, 0, 1), number("phantoms", "noise", noise, 0)
    x, y = np.empty((count, height, width), np.uint8), np.empty((count, height, width), np.uint8)
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        # Every so many pictures one is healthy: share * count of them, evenly spread, whatever the count.
        well = math.floor((i + 1) * share + 1e-9) > math.floor(i * share + 1e-9)
        image, lesion = _draw(rng, _Canvas(height, width), 0 if well else int(rng.integers(1, most + 1)))
        image += rng.normal(0, spread, image.shape)
        x[i] = np.rint(255 * np.clip(image, 0, 1))
        y[i] = lesion
    text = f"drawn chest slices with lesions, {height}x{width} pixels"
    names = ("background", "lesion")
    return made("phantoms", text, x, y, names, test_size, seed, maximum=255, target_name="mask")


def _size(size: int | tuple[int, int]) -> tuple[int, int]:
    try:
        height, width = (size, size) if isinstance(size, SupportsIndex) else size
    except (TypeError, ValueError):
        raise ArgumentError(
            f"phantoms: size is a number of pixels or (height, width); got {size!r}."
        ) from None
    return as_count("phantoms", "size", height, 16), as_count("phantoms", "size", width, 16)


class _Canvas:
    """The plane from -1 to 1 in both directions, seen at the centres of pixels."""

    def __init__(self, height: int, width: int) -> None:
        self.y = ((np.arange(height) + 0.5) * 2 / height - 1)[:, np.newaxis]
        self.x = (np.arange(width) + 0.5) * 2 / width - 1
        self.pixels = min(height, width) / 2  # in a unit of length

    def blob(self, y: float, x: float, height: float, width: float, wobble: _Array | None = None) -> _Array:
        """Return each pixel's share of an ellipse with these half axes, its outline waved by harmonics "
        "2, 3, …"""
        v, u = (self.y - y) / height, (self.x - x) / width
        radius = np.hypot(v, u)
        outline = 1.0
        if wobble is not None:
            angle = np.arctan2(v, u)
            outline = 1 + sum(
                a * np.cos(k * angle + b) for k, (a, b) in enumerate(wobble, start=2)
            )  # stays above 0: the amplitudes' sum is below 1
        return np.clip(0.5 + (outline - radius) * min(height, width) * self.pixels, 0, 1)


def _draw(rng: np.random.Generator, canvas: _Canvas, lesions: int) -> tuple[_Array, NDArray[np.bool]]:
    def paint(share: _Array, brightness: float) -> None:
        np.copyto(image, image + share * (brightness - image))

    def waves(strength: float) -> _Array:
        return np.stack([strength * rng.dirichlet(np.ones(4)), rng.uniform(0, 2 * np.pi, 4)], axis=1)

    image = np.full(np.broadcast_shapes(canvas.y.shape, canvas.x.shape), _AIR)
    wide, high = rng.uniform(0.84, 0.94), rng.uniform(0.64, 0.76)
    paint(canvas.blob(0, 0, high, wide, waves(0.05)), _FAT)
    paint(canvas.blob(0, 0, high - 0.06, wide - 0.06, waves(0.05)), _TISSUE)
    lungs = [(rng.uniform(-0.08, 0.02), side * 0.45 * wide, 0.72 * high, 0.36 * wide) for side in (-1, 1)]
    inside = np.zeros_like(image)
    for lung in lungs:
        share = canvas.blob(*lung, waves(0.12))
        paint(share, _LUNG + rng.uniform(-0.03, 0.03))
        inside = np.maximum(inside, share)
    heart = canvas.blob(0.1, 0.14, 0.3 * high, 0.3 * wide, waves(0.1))
    paint(heart, _TISSUE)
    paint(canvas.blob(0.72 * high, 0, 0.14, 0.12, waves(0.2)), _BONE)
    inside *= 1 - heart
    for _ in range(24):
        radius = rng.uniform(0.012, 0.03)
        spot = canvas.blob(*_within(rng, lungs, 0.9), radius, radius * rng.uniform(1, 2))
        paint(spot * inside, _VESSEL)
    lesion = np.zeros_like(image)
    for _ in range(lesions):
        y, x = _within(rng, lungs, 0.6, away=(0.1, 0.14, 0.42 * high, 0.42 * wide))
        radius = max(rng.uniform(0.06, 0.13), 1.5 / canvas.pixels)
        share = canvas.blob(y, x, radius, radius * rng.uniform(0.8, 1.25), waves(0.4)) * inside
        paint(share, rng.uniform(0.6, 0.76))
        lesion = np.maximum(lesion, share)
    return image, lesion >= 0.5


_Ellipse = tuple[float, float, float, float]


def _within(
    rng: np.random.Generator, places: list[_Ellipse], depth: float, away: _Ellipse | None = None
) -> tuple[float, float]:
    """Draw a point within an ellipse, up to ``depth`` of the way to its edge, and outside another one."""
    while True:
        y, x, height, width = places[rng.integers(len(places))]
        far, angle = depth * math.sqrt(rng.random()), rng.uniform(0, 2 * math.pi)
        y, x = y + far * height * math.sin(angle), x + far * width * math.cos(angle)
        if away is None or math.hypot((y - away[0]) / away[2], (x - away[1]) / away[3]) > 1:
            return y, x
