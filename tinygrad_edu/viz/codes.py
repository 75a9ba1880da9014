"""What an autoencoder has learned: its codes, what they stand for, and what is left of samples."""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.context import no_grad
from tinygrad_edu.data.prepare import as_count, common_length
from tinygrad_edu.errors import ArgumentError, DataError, ShapeError
from tinygrad_edu.tensor import Tensor
from tinygrad_edu.viz.boundaries import draw_points
from tinygrad_edu.viz.figures import (
    HUES,
    close_up,
    colour_bar,
    finish,
    new_figure,
    our_style,
    quiet,
    target_of,
)
from tinygrad_edu.viz.taking import finite, is_model, named, numbers, one_output, outputs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["latent_grid", "latent_space", "reconstructions"]

Array = NDArray[Any]
_CLASSES = 20  # more whole numbers than this are a quantity and not classes
_ROWS = 512  # samples a model sees at once


def latent_space(
    model: Any,
    x: ArrayLike | None = None,
    y: ArrayLike | None = None,
    path: str | PathLike[str] | None = None,
    *,
    class_names: Sequence[str] = (),
    label: str = "y",
    title: str | None = None,
) -> "Figure":
    """Draw where samples lie in the space of their codes, a point each, coloured by class or by a quantity.

    Codes of more than two numbers are projected to their two principal components; the axes say how much of
    the variance those have.

    Parameters
    ----------
    model : nn.models.VAE, an encoder, or the codes themselves, an array (N, d)
        Of a VAE the mean codes are drawn, of an encoder with several outputs the first.
    x : array of N samples
        Leave it out where the codes are given.
    y : N class labels or numbers, optional
        Up to 20 different whole numbers are classes, and named at their middle; others are a quantity.
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    class_names : texts, optional
    label : str
        What the quantity is called.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError, DTypeError, DataError
        Codes of another form or of a single number, of unequal lengths, none at all, or NaN.
    ArgumentError, FileError
        Another suffix; a file that can't be written.

    Examples
    --------
    >>> figure = latent_space([[0.0, 1.0], [2.0, 3.0]], y=[0, 1])
    >>> figure.axes[0].get_xlabel()
    'z1'
    """
    caller = "latent_space"
    target = target_of(caller, path)
    codes = finite(caller, "the codes", _codes(caller, model, x))
    if codes.ndim != 2 or codes.shape[1] < 2:
        raise ShapeError(f"{caller}: codes must be (N, d), of two numbers or more; got {codes.shape}.")
    values = None if y is None else finite(caller, "y", numbers(caller, "y", y))
    if values is not None:
        values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        values = values.argmax(axis=1) if values.ndim == 2 else values
        if values.ndim != 1:
            raise ShapeError(f"{caller}: y must be a label or number for each sample; got {values.shape}.")
        common_length(caller, {"codes": codes, "y": values})
    plane, axes = _plane(codes)
    with our_style():
        figure = new_figure(5.8, 5.0)
        panel = figure.add_subplot()
        panel.grid(visible=True, axis="both")
        panel.set(xlabel=axes[0], ylabel=axes[1])
        panel.set_aspect("equal", adjustable="datalim")
        if values is None:
            draw_points(panel, plane, None, ())
        elif _are_classes(values):
            labels = values.astype(np.int64)
            names = named(caller, class_names, int(labels.max()) + 1)
            draw_points(panel, plane, labels, names)
            _name_clouds(panel, plane, labels, names)
            figure.legend(loc="outside right upper", handlelength=1, markerscale=1.5)
        else:
            size = float(np.clip(9000 / len(plane), 7, 30))
            points = panel.scatter(plane[:, 0], plane[:, 1], s=size, c=values, cmap="viridis", linewidth=0)
            colour_bar(figure, points, panel, label)
        return finish(figure, target, title)


def _codes(caller: str, model: Any, x: Any) -> Array:
    if x is None:
        if is_model(model):
            raise DataError(f"{caller}: give the samples that the model is to encode: {caller}(model, x, y).")
        return numbers(caller, "the codes", model)
    samples = finite(caller, "x", numbers(caller, "x", x))
    if hasattr(model, "encode"):
        parts = []
        with model.mode(training=False), no_grad():
            for first in range(0, len(samples), _ROWS):
                parts.append(model.encode(Tensor(_floats(samples[first : first + _ROWS])))[0].numpy())
        return np.concatenate(parts)
    found = outputs(caller, model, samples)
    return np.asarray(found[0] if isinstance(found, list) else found)


def _plane(codes: Array) -> tuple[Array, list[str]]:
    """Return codes in two dimensions, and what these are."""
    if codes.shape[1] == 2:
        return codes, ["z1", "z2"]
    centred = codes - codes.mean(axis=0, dtype=np.float64)
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    total = float((lengths**2).sum()) or 1.0
    if len(directions) < 2:
        raise DataError("latent_space: a single code has no principal components; give two samples or more.")
    shares = lengths[:2] ** 2 / total
    names = [f"component {k} of {codes.shape[1]} ({share:.0%})" for k, share in enumerate(shares, start=1)]
    return centred @ directions[:2].T, names


def _are_classes(values: Array) -> bool:
    return bool(values.dtype.kind in "bui" and len(np.unique(values)) <= _CLASSES and values.min() >= 0)


def _name_clouds(panel: "Axes", plane: Array, labels: Array, names: Sequence[str]) -> None:
    """Write each class's name at the middle of its points, since hues alone are hard to tell apart."""
    for k in np.unique(labels):
        at = np.median(plane[labels == k], axis=0)
        panel.annotate(
            names[k], at, ha="center", va="center", fontsize=9, color="0.1", zorder=3,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": HUES[k % len(HUES)],
                  "alpha": 0.9, "linewidth": 1.8},
        )  # fmt: skip


def latent_grid(
    model: Any,
    path: str | PathLike[str] | None = None,
    *,
    size: int = 15,
    extent: float = 2.0,
    dimensions: tuple[int, int] = (0, 1),
    codes: int | None = None,
    shape: Sequence[int] | None = None,
    title: str | None = None,
) -> "Figure":
    """Draw what a decoder makes of the codes on a grid: the map of a latent space.

    Parameters
    ----------
    model : nn.models.VAE, or a decoder from codes (n, d) to images
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    size : int
        Images along each side.
    extent : float
        The grid goes from -extent to extent; N(0, 1) has 95 of 100 codes within 2.
    dimensions : two ints
        Which numbers of the code change along x and y; the others are 0.
    codes : int, optional
        How many numbers a code has, where the decoder doesn't say.
    shape : (height, width) or (height, width, 3), optional
        Of an image, where the decoder gives it in another form.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        A size that is no count, dimensions that codes don't have, another suffix.
    ShapeError, DTypeError, DataError
        The model's results are no images, or NaN.
    FileError
        The file can't be written.

    Examples
    --------
    >>> from tinygrad_edu import nn
    >>> decoder = nn.Sequential([nn.Input((2,)), nn.Dense(16, activation="sigmoid")])
    >>> figure = latent_grid(decoder, size=3, shape=(4, 4))
    >>> figure.axes[0].get_images()[0].get_array().shape
    (12, 12)
    """
    caller = "latent_grid"
    target = target_of(caller, path)
    as_count(caller, "size", size, least=1)
    decoder = getattr(model, "decoder", model)
    known = getattr(decoder, "input_shape", None)
    d = codes or (known[-1] if known else 2)
    if len(dimensions) != 2 or not all(-d <= k < d for k in dimensions):
        raise ArgumentError(f"{caller}: dimensions must be two of 0 to {d - 1}; got {dimensions}.")
    if d < 2 or dimensions[0] % d == dimensions[1] % d:
        raise ArgumentError(f"{caller}: a grid needs two dimensions, of codes of {d}; got {dimensions}.")
    steps = np.linspace(-extent, extent, size) if size > 1 else np.zeros(1)
    z = np.zeros((size, size, d), np.float32)
    z[..., dimensions[0]], z[..., dimensions[1]] = np.meshgrid(steps, steps[::-1])  # up is up
    images = _images(caller, _decoded(caller, model, z.reshape(-1, d)), shape)
    h, w, *colour = images.shape[1:]
    sheet = images.reshape(size, size, h, w, *colour).swapaxes(1, 2).reshape(size * h, size * w, *colour)
    with our_style():
        side = float(np.clip(0.45 * size, 2.6, 9.0))
        figure = new_figure(side + 0.6, side * h / w + 0.6)
        panel = figure.add_subplot()
        step = 2 * extent / (size - 1) if size > 1 else 1.0
        edge = (extent if size > 1 else 0.0) + step / 2
        panel.imshow(
            sheet, cmap="gray", vmin=min(0, sheet.min()), vmax=max(1, sheet.max()),
            extent=(-edge, edge, -edge, edge), aspect=h / w, interpolation="nearest",
        )  # fmt: skip
        panel.grid(visible=False)
        panel.set(xlabel=f"z{dimensions[0] % d + 1}", ylabel=f"z{dimensions[1] % d + 1}")
        return finish(figure, target, title)


def _decoded(caller: str, model: Any, z: Array) -> Array:
    if not hasattr(model, "decode"):
        return one_output(caller, model, z)
    with model.mode(training=False), no_grad():
        parts = [model.decode(Tensor(z[k : k + _ROWS])).numpy() for k in range(0, len(z), _ROWS)]
    return np.concatenate(parts)


def reconstructions(
    model: Any,
    x: ArrayLike,
    path: str | PathLike[str] | None = None,
    *,
    count: int = 10,
    shape: Sequence[int] | None = None,
    titles: Sequence[object] | None = None,
    title: str | None = None,
) -> "Figure":
    """Draw samples, what an autoencoder leaves of them, and the difference, one under another.

    Parameters
    ----------
    model : nn.models.VAE, an autoencoder, or the reconstructions themselves, an array as x
        A VAE reconstructs by the mean code.
    x : array of N images, (N, height, width) or with 1 or 3 channels behind
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    count : int
        How many are drawn, from the first.
    shape : (height, width) or (height, width, 3), optional
        Of an image, where x has it in another form, such as (N, 784).
    titles : texts, optional
        One for each image, such as labels.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError, DTypeError, DataError
        No images, reconstructions of another shape, none at all, or NaN; too few titles.
    ArgumentError, FileError
        A count below 1, another suffix; a file that can't be written.

    Examples
    --------
    >>> x = np.random.default_rng(0).random((3, 4, 4))
    >>> [panel.get_ylabel() for panel in reconstructions(x * 0.5, x).axes[::3]]
    ['input', 'reconstruction', 'difference']
    """
    caller = "reconstructions"
    target = target_of(caller, path)
    as_count(caller, "count", count, least=1)
    samples = finite(caller, "x", numbers(caller, "x", x))[:count]
    if titles is not None and len(titles) < len(samples):
        raise DataError(f"{caller}: {len(samples)} images but {len(titles)} titles.")
    if hasattr(model, "reconstruct"):
        with model.mode(training=False), no_grad():
            made = model.reconstruct(Tensor(_floats(samples))).numpy()
    elif is_model(model):
        made = one_output(caller, model, samples)
    else:
        made = numbers(caller, "the reconstructions", model)[:count]
    before, after = _images(caller, samples, shape), _images(caller, made, shape)
    if before.shape != after.shape:
        raise ShapeError(f"{caller}: images {before.shape}, but reconstructions {after.shape}.")
    with our_style():
        return finish(_draw_pairs(before, after, titles), target, title)


def _draw_pairs(before: Array, after: Array, titles: Sequence[object] | None) -> "Figure":
    n, (h, w) = len(before), before.shape[1:3]
    figure = close_up(new_figure(max(0.95 * n + 0.5, 2.6), 3.1 * h / w + 0.5))
    difference = after.astype(np.float64) - before.astype(np.float64)
    low, high = min(before.min(), after.min()), max(before.max(), after.max())
    most = float(np.abs(difference).max()) or 1.0
    rows = (
        ("input", before, {"cmap": "gray", "vmin": low, "vmax": high}),
        ("reconstruction", after, {"cmap": "gray", "vmin": low, "vmax": high}),
        ("difference", difference.mean(axis=3) if before.ndim == 4 else difference,
         {"cmap": "RdBu_r", "vmin": -most, "vmax": most}),
    )  # fmt: skip
    for row, (name, images, look) in enumerate(rows):
        for k, image in enumerate(images):
            panel = quiet(figure.add_subplot(3, n, row * n + k + 1))
            panel.imshow(image, interpolation="nearest", **look)
            if k == 0:
                panel.set_ylabel(name, fontsize=8)
            if row == 0 and titles is not None:
                panel.set_title(str(titles[k]))
    return figure


def _images(caller: str, array: Array, shape: Sequence[int] | None) -> Array:
    """Return images (N, height, width) or (N, height, width, 3)."""
    finite(caller, "what the model gave", array)
    if shape is not None:
        if array[0].size != int(np.prod(shape)):
            raise ShapeError(f"{caller}: samples of shape {array.shape[1:]} can't be {tuple(shape)}.")
        array = array.reshape(len(array), *shape)
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.ndim != 3 and not (array.ndim == 4 and array.shape[3] == 3):
        raise ShapeError(
            f"{caller}: expected images (N, height, width[, 1 or 3 channels]); got {array.shape}. "
            "shape=(28, 28) says what flat rows are."
        )
    return array


def _floats(array: Array) -> Array:
    return array if array.dtype.kind == "f" else array.astype(np.float32)
