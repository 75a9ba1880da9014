"""Images side by side, with titles, and masks laid over them: truth beside prediction."""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.prepare import as_count, common_length
from tinygrad_edu.errors import DataError, DTypeError, ShapeError
from tinygrad_edu.viz.figures import new_figure, our_style, save, target_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["show_images"]

_TRUTH, _PREDICTION = (0.0, 0.42, 0.75), (0.92, 0.45, 0.0)  # the style's two hues


def show_images(
    images: ArrayLike,
    path: str | PathLike[str] | None = None,
    *,
    titles: Sequence[object] | None = None,
    masks: ArrayLike | None = None,
    predictions: ArrayLike | None = None,
    columns: int | None = None,
    title: str | None = None,
) -> "Figure":
    """Draw images in a grid.

    With masks or predictions each image gets a row: itself, its mask over it in blue, the prediction in
    orange.

    Parameters
    ----------
    images : array (N, H, W), or (N, H, W, channels) with 1 or 3 channels
        Grey images share one scale, from the least to the greatest value of all; colours are 0…255 for
        uint8, else 0…1.
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    titles : N texts, optional
        Such as labels, or "7, predicted 1".
    masks, predictions : arrays (N, H, W) or (N, H, W, 1), optional
        What isn't 0 is coloured. Probabilities must be cut first (``p > 0.5``), classes taken by ``argmax``.
    columns : int, optional
        Images a row, where there are no masks; by default as many as make the grid about square.
    title : str, optional
        A line above all.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError, DTypeError, DataError
        Images of another form, no images, or titles or masks that don't belong to them.
    ArgumentError
        Another suffix, or columns that are no count.
    FileError
        The file can't be written.

    Examples
    --------
    >>> figure = show_images(np.random.default_rng(0).random((6, 8, 8)), titles="abcdef")
    >>> len(figure.axes)
    6
    """
    target = target_of("show_images", path)
    x = _images(images)
    parts: dict[str, NDArray[Any]] = {"images": x}
    for name, value in (("masks", masks), ("predictions", predictions)):
        if value is not None:
            parts[name] = _mask(name, np.asarray(value), x)
    common_length("show_images", parts)
    names = None if titles is None else [str(text) for text in titles]
    if names is not None and len(names) != len(x):
        raise DataError(f"show_images: {len(x)} images but {len(names)} titles.")
    if len(parts) > 1:
        across = len(parts)
    elif columns is None:
        across = min(len(x), max(1, round((len(x) * 1.5) ** 0.5)))
    else:
        across = as_count("show_images", "columns", columns, least=1)
    with our_style():
        return save(_draw(x, parts, names, across, title), target)


def _images(images: ArrayLike) -> NDArray[Any]:
    x = np.asarray(images)
    if x.dtype.kind not in "buif":
        raise DTypeError(f"show_images: images must hold numbers; their dtype is {x.dtype}.")
    if x.ndim == 4 and x.shape[3] == 1:
        x = x[..., 0]
    if x.ndim != 3 and not (x.ndim == 4 and x.shape[3] == 3):
        raise ShapeError(
            f"show_images: images must be (N, height, width), or with 1 or 3 channels behind; got {x.shape}. "
            "A single image is images[None]."
        )
    if not x.size:
        raise DataError("show_images: there is no image to show.")
    return x


def _mask(name: str, mask: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
    if mask.ndim == 4 and mask.shape[3] == 1:
        mask = mask[..., 0]
    if mask.ndim != 3 or mask.shape[1:] != x.shape[1:3]:
        raise ShapeError(
            f"show_images: {name} must be (N, {x.shape[1]}, {x.shape[2]}), as images are; got {mask.shape}."
        )
    return mask


def _draw(
    x: NDArray[Any], parts: dict[str, NDArray[Any]], names: list[str] | None, across: int, title: str | None
) -> "Figure":
    overlaid = len(parts) > 1
    down = len(x) if overlaid else -(-len(x) // across)
    side = 1.9 if overlaid else 1.15
    figure = new_figure(
        max(side * across * x.shape[2] / x.shape[1], 2.0), (side + (0.25 if names else 0.0)) * down + 0.4
    )
    finite = x[np.isfinite(x)]
    scale = {"vmin": finite.min(), "vmax": finite.max()} if finite.size and x.ndim == 3 else {}
    for number, image in enumerate(x):
        for column, (part, masks) in enumerate(parts.items()):
            place = number * across + column if overlaid else number
            panel = figure.add_subplot(down, across, place + 1)
            panel.imshow(image, cmap="gray", interpolation="nearest", **scale)
            if part != "images":
                colour = _TRUTH if part == "masks" else _PREDICTION
                overlay = np.zeros((*image.shape[:2], 4))
                overlay[masks[number] != 0] = (*colour, 0.55)
                panel.imshow(overlay, interpolation="nearest")
            panel.set_axis_off()
            if overlaid and number == 0:
                panel.set_title({"images": "image", "masks": "truth", "predictions": "prediction"}[part])
            if names is not None and column == 0:
                panel.set_title(names[number], loc="left" if overlaid else "center")
    if title:
        figure.suptitle(title)
    return figure
