"""Segmentations beside the truth, and how well they overlap."""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.prepare import as_count, common_length
from tinygrad_edu.errors import DataError, ShapeError
from tinygrad_edu.viz.figures import BLUE, HUES, ORANGE, finish, new_figure, our_style, quiet, target_of
from tinygrad_edu.viz.taking import finite, is_model, named, numbers, one_output, threshold_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["segmentation"]

Array = NDArray[Any]


def segmentation(
    images: ArrayLike,
    masks: ArrayLike,
    predictions: Any,
    path: str | PathLike[str] | None = None,
    *,
    class_names: Sequence[str] = (),
    threshold: float | None = None,
    count: int = 4,
    title: str | None = None,
) -> "Figure":
    """Draw images, their true masks and the predicted ones, a row each, with Dice and IoU.

    Dice = 2 |T and P| / (|T| + |P|) and IoU = |T and P| / |T or P|, of the true region T and the
    predicted one P; both are 1 where there is nothing and nothing was found. The truth's outline lies over
    the prediction. With several classes they are the means over the classes but 0, the background, that the
    image or its prediction has.

    Parameters
    ----------
    images : array (N, height, width), or with 1 or 3 channels behind
    masks : array (N, height, width) or (N, height, width, 1)
        0 is the background, and k is class k.
    predictions : a model, or what it gives for the images
        Probabilities of the one class (N, height, width[, 1]), of each class (N, height, width, classes), or
        classes as whole numbers.
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    class_names : texts, optional
        Class k is called ``class_names[k]``, in the legend.
    threshold : float, optional
        Above it a pixel is in the one class: by default 0.5. Logits want 0.
    count : int
        How many are drawn, from the first.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError, DTypeError, DataError
        Data of another form, none at all, NaN; masks that don't belong to the images.
    ArgumentError
        Scores that are no probabilities, without a threshold; a count below 1; another suffix.
    FileError
        The file can't be written.

    Examples
    --------
    >>> masks = np.eye(4)[None] > 0
    >>> figure = segmentation(masks * 0.5, masks, masks)
    >>> figure.axes[2].get_title()
    'prediction\\nDice 1.000, IoU 1.000'
    """
    caller = "segmentation"
    target = target_of(caller, path)
    as_count(caller, "count", count, least=1)
    x = finite(caller, "images", numbers(caller, "images", images))
    truth = _classes(caller, "masks", finite(caller, "masks", numbers(caller, "masks", masks)), None)
    if not is_model(predictions):
        given = numbers(caller, "predictions", predictions)
        common_length(caller, {"images": x, "masks": truth, "predictions": given})
        given = given[:count]
    else:
        common_length(caller, {"images": x, "masks": truth})
        given = one_output(caller, predictions, _as_taken(predictions, x[:count]))
    x, truth = x[:count], truth[:count]
    guess = _classes(caller, "predictions", finite(caller, "predictions", given), threshold)
    grey = x[..., 0] if x.ndim == 4 and x.shape[3] == 1 else x
    if grey.ndim != 3 and not (grey.ndim == 4 and grey.shape[3] == 3):
        raise ShapeError(
            f"{caller}: images must be (N, height, width), or with 1 or 3 channels behind; got {x.shape}."
        )
    for name, mask in (("masks", truth), ("predictions", guess)):
        if mask.shape != grey.shape[:3]:
            raise ShapeError(f"{caller}: images are {grey.shape[:3]}, but {name} {mask.shape}.")
    classes = int(max(truth.max(), guess.max(), 1)) + 1
    names = named(caller, class_names, classes)
    with our_style():
        figure = _draw(grey, truth, guess, names if classes > 2 or len(class_names) else [])
        return finish(figure, target, title)


def _as_taken(model: Any, x: Array) -> Array:
    """Return the images as the model takes them: with the axis of one channel, where it wants that."""
    wanted = getattr(model, "input_shape", None)
    if isinstance(wanted, tuple) and len(wanted) == 4 and x.ndim == 3:
        x = x[..., None]
    return x if x.dtype.kind == "f" else x.astype(np.float32)


def _classes(caller: str, name: str, array: Array, threshold: float | None) -> Array:
    """Return a class for each pixel, (N, height, width)."""
    if array.ndim == 4 and array.shape[3] > 1:
        return np.asarray(array.argmax(axis=3))
    array = array[..., 0] if array.ndim == 4 else array
    if array.ndim != 3:
        raise ShapeError(f"{caller}: {name} must be (N, height, width[, classes]); got {array.shape}.")
    if name == "predictions" and array.dtype.kind == "f":
        return (array > threshold_of(caller, array, threshold)).astype(np.int64)
    if array.min() < 0 or np.any(array % 1):
        raise DataError(
            f"{caller}: {name} must be classes 0, 1, …, whole numbers; got {array.min()} to {array.max()}."
        )
    return array.astype(np.int64)


def _overlap(truth: Array, guess: Array) -> tuple[float, float]:
    """Return Dice and IoU of two masks, averaged over the classes that either has."""
    present = [k for k in np.union1d(truth, guess) if k != 0]
    if not present:
        return 1.0, 1.0
    dice, iou = [], []
    for k in present:
        t, p = truth == k, guess == k
        both, sizes = int((t & p).sum()), int(t.sum()) + int(p.sum())
        dice.append(2 * both / sizes)
        iou.append(both / (sizes - both))
    return float(np.mean(dice)), float(np.mean(iou))


def _draw(x: Array, truth: Array, guess: Array, names: Sequence[str]) -> "Figure":
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    n, (h, w) = len(x), x.shape[1:3]
    several = len(names) > 2
    figure = new_figure(max(2.1 * 3, 3.0), (2.1 * h / w + 0.25) * n + 0.45 + (0.25 if names else 0.0))
    look: dict[str, Any] = {"cmap": "gray", "interpolation": "nearest"}
    if x.ndim == 3:
        look |= {"vmin": x.min(), "vmax": x.max()}
    hues = {k: to_rgb(HUES[(k - 1) % len(HUES)]) for k in range(1, max(len(names), 2))}
    for row in range(n):
        for column, mask in enumerate((None, truth[row], guess[row])):
            panel = quiet(figure.add_subplot(n, 3, 3 * row + column + 1))
            panel.imshow(x[row], **look)
            if mask is not None:
                overlay = np.zeros((h, w, 4))
                for k in np.unique(mask[mask > 0]):
                    hue = hues.get(int(k), hues[1]) if several else to_rgb((BLUE, ORANGE)[column - 1])
                    overlay[mask == k] = (*hue, 0.55)
                panel.imshow(overlay, interpolation="nearest")
            if column == 2 and 0 < (truth[row] > 0).sum() < h * w:
                panel.contour(truth[row] > 0, [0.5], colors="white" if several else "#56B4E9", linewidths=1.1)
            heading = ("image", "truth", "prediction")[column] if row == 0 else ""
            if column == 2:
                dice, iou = _overlap(truth[row], guess[row])
                heading = f"{heading}\nDice {dice:.3f}, IoU {iou:.3f}".strip()
            if heading:
                panel.set_title(heading, pad=4)
    if names:
        shown = [k for k in hues if several or k == 1]
        if several:
            handles = [Patch(color=hues[k], alpha=0.7, label=names[k]) for k in shown]
            figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5))
    return figure
