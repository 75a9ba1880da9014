"""What convolutions look for and what they find: filters, and the maps they make of an image."""

from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.prepare import as_count
from tinygrad_edu.errors import DTypeError, ShapeError, unknown_name
from tinygrad_edu.nn.module import Module
from tinygrad_edu.viz.figures import (
    BLUE,
    ORANGE,
    close_up,
    colour_bar,
    finish,
    new_figure,
    our_style,
    quiet,
    target_of,
    tinted,
)
from tinygrad_edu.viz.taking import finite, layer_outputs, leaves, numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["feature_maps", "filters"]

Array = NDArray[Any]


def filters(
    model: Any,
    path: str | PathLike[str] | None = None,
    *,
    layer: str | None = None,
    shape: tuple[int, ...] | None = None,
    count: int = 32,
    title: str | None = None,
) -> "Figure":
    """Draw the weights of a layer as images: what each unit looks for.

    Weights above 0 are orange, below 0 blue, 0 is white, on one scale for all. Of a convolution over one
    channel each filter is an image; over three, an image in colour; over more, a row with a column for each
    channel. Of a Dense layer on images, each unit is one.

    Parameters
    ----------
    model : model, layer, or the weights themselves
        (height, width, in, out) of a convolution, (inputs, units) of a Dense layer.
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    layer : str, optional
        The layer's name; by default the first convolution, or else the first Dense layer.
    shape : (height, width), optional
        Of the images that a Dense layer gets, flat; by default they are square.
    count : int
        At most so many filters are drawn, and so many channels of each.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        No layer of this name, a count below 1, another suffix.
    ShapeError, DTypeError, DataError
        A layer without such weights, one that isn't built, NaN.
    FileError
        The file can't be written.

    Examples
    --------
    >>> from tinygrad_edu import nn
    >>> figure = filters(nn.models.cnn((28, 28, 1), hidden=(4,)))
    >>> len(figure.axes), figure.axes[0].get_images()[0].get_array().shape
    (7, (3, 3))
    """
    caller = "filters"
    target = target_of(caller, path)
    as_count(caller, "count", count, least=1)
    name, kernel = _kernel(caller, model, layer)
    if kernel.ndim == 2:
        side = round(kernel.shape[0] ** 0.5)
        height, width = shape or (side, side)
        if height * width != kernel.shape[0]:
            raise ShapeError(
                f"{caller}: {kernel.shape[0]} inputs of {name} are no image of {height} x {width}; "
                "shape=(height, width) says what they are."
            )
        kernel = kernel.reshape(height, width, 1, -1)
    finite(caller, f"the weights of {name}", kernel)
    channels, units = kernel.shape[2:]
    images = np.moveaxis(kernel[..., :count], -1, 0)  # (out, height, width, in)
    with our_style():
        if channels == 1:
            figure = _draw_filters(images[..., 0][:, None], across=min(len(images), 8))
        elif channels == 3:
            figure = _draw_colours(images)
        else:
            figure = _draw_filters(np.moveaxis(images[..., :count], -1, 1), across=0)
        hidden = "" if max(units, channels if channels != 3 else 0) <= count else f", the first {count}"
        form = f"{kernel.shape[0]} x {kernel.shape[1]}"
        over = f" over {channels} channels" if channels > 1 else ""
        return finish(figure, target, title or f"{name}: {units} filters of {form}{over}{hidden}")


def _kernel(caller: str, model: Any, layer: str | None) -> tuple[str, Array]:
    """Return what a layer is called, and its weights."""
    if not isinstance(model, Module):
        kernel = numbers(caller, "the weights", model)
        if kernel.ndim not in (2, 4):
            raise ShapeError(
                f"{caller}: weights must be (height, width, in, out), or (inputs, units); got {kernel.shape}."
            )
        return "weights", kernel
    layers = leaves(model) or {model.name: model}
    if layer is not None and layer not in layers:
        raise unknown_name("layer", layer, layers)
    kernels = {
        path: numbers(caller, path, getattr(found, "kernel", 0.0))
        for path, found in layers.items()
        if layer in (None, path)
    }
    for dimensions in (4, 2):
        for path, kernel in kernels.items():
            if kernel.ndim == dimensions:
                return path, kernel
    raise ShapeError(
        f"{caller}: {layer or model.name} has no weights of a 2-D convolution or of a Dense layer; build the "
        "model first, or name another layer."
    )


def _draw_filters(images: Array, across: int) -> "Figure":
    """Draw images (rows, columns, height, width); ``across`` breaks a single column into such rows."""
    rows, columns = images.shape[:2]
    if across:
        images = images[:, 0]
        rows, columns = -(-len(images) // across), across
    else:
        images = images.reshape(-1, *images.shape[2:])
    side = float(np.clip(min(9.0 / columns, 8.0 / rows), 0.28, 0.8))
    height = max(side * rows * images.shape[1] / images.shape[2], 0.7)
    figure = close_up(new_figure(max(side * columns + 1.0, 3.4), height + 0.4))
    most = float(np.abs(images).max()) or 1.0
    look: dict[str, Any] = {
        "cmap": tinted(BLUE, "#FFFFFF", ORANGE),
        "vmin": -most,
        "vmax": most,
        "interpolation": "nearest",
    }
    drawn: Any = None
    for place, image in enumerate(images):
        panel = quiet(figure.add_subplot(rows, columns, place + 1))
        drawn = panel.imshow(image, **look)
        for spine in panel.spines.values():
            spine.set(visible=True, color="0.8", linewidth=0.6)
        if not across and place % columns == 0:
            panel.set_ylabel(str(place // columns), rotation=0, ha="right", va="center", fontsize=7.5)
    shrink = min(1.0, 2.0 / figure.get_figheight())
    colour_bar(figure, drawn, figure.axes, shrink=shrink, aspect=14)
    return figure


def _draw_colours(images: Array) -> "Figure":
    across = min(len(images), 8)
    rows = -(-len(images) // across)
    figure = close_up(new_figure(max(0.85 * across, 3.4), 0.85 * rows + 0.4))
    most = float(np.abs(images).max()) or 1.0
    for place, image in enumerate(images):
        panel = quiet(figure.add_subplot(rows, across, place + 1))
        panel.imshow(image / (2 * most) + 0.5, interpolation="nearest")  # grey is 0
    return figure


def feature_maps(
    model: Any,
    x: ArrayLike,
    path: str | PathLike[str] | None = None,
    *,
    layers: str | list[str] | None = None,
    count: int = 12,
    title: str | None = None,
) -> "Figure":
    """Draw what each convolution and pooling of a model makes of an image: a row a layer, a column a channel.

    Each map has its own scale, from its least value (black) to its greatest; a map of one value everywhere,
    such as that of a dead unit, is black and marked "constant".

    Parameters
    ----------
    model : model or layer
        Whatever gives images (batch, height, width, channels) on its way.
    x : array (height, width) or (height, width, channels)
        One image; a batch of one will do too.
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    layers : name or list of names, optional
        By default all that give images.
    count : int
        At most so many channels of each.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError, DTypeError, DataError
        Not one image, no layer that gives images, NaN.
    ArgumentError
        No layer of this name, a count below 1, another suffix.
    FileError
        The file can't be written.

    Examples
    --------
    >>> from tinygrad_edu import nn
    >>> model = nn.models.cnn((28, 28, 1), hidden=(4,))
    >>> figure = feature_maps(model, np.eye(28), count=4)
    >>> len(figure.axes)  # the image, and two convolutions and two poolings with four channels each
    17
    """
    caller = "feature_maps"
    target = target_of(caller, path)
    as_count(caller, "count", count, least=1)
    batch = _one_image(caller, model, finite(caller, "x", numbers(caller, "x", x)))
    found = layer_outputs(caller, model, batch)
    chosen = [layers] if isinstance(layers, str) else layers or [k for k, a in found.items() if a.ndim == 4]
    for name in chosen:
        if name not in found:
            raise unknown_name("layer", name, found)
    maps = {name: found[name][0] for name in chosen}
    for name, stack in maps.items():
        if stack.ndim != 3:
            raise ShapeError(f"{caller}: {name} gives {stack.shape} for a sample, and no images.")
        finite(caller, f"the output of {name}", stack)
    if not maps:
        raise ShapeError(f"{caller}: no layer of {model.name} gives images (height, width, channels).")
    with our_style():
        return finish(_draw_maps(batch[0], maps, count), target, title)


def _one_image(caller: str, model: Any, image: Array) -> Array:
    """Return a batch of one image, (1, height, width, channels)."""
    if not isinstance(model, Module):
        raise DTypeError(f"{caller}: expected a model or layer of ours; got {type(model).__name__}.")
    known = getattr(model, "input_shape", None)
    rank = len(known) if isinstance(known, tuple) else 4
    if image.ndim == 2:
        image = image[..., None] if rank == 4 else image
    elif image.ndim == 3 and image.shape[0] == 1 and image.shape[2] > 4:  # a batch of one grey image
        image = image[0][..., None] if rank == 4 else image[0]
    elif image.ndim == 4 and len(image) == 1:
        image = image[0]
    if image.ndim not in (2, 3):
        raise ShapeError(f"{caller}: x must be one image, (height, width[, channels]); got {image.shape}.")
    return (image if image.dtype.kind == "f" else image.astype(np.float32))[None]


def _draw_maps(image: Array, maps: dict[str, Array], count: int) -> "Figure":
    columns = min(count, max(stack.shape[2] for stack in maps.values()))
    side, form = 0.85, image.shape[0] / image.shape[1]
    figure = close_up(
        new_figure(max(side * columns + 0.2, 3.4), (side * form + 0.27) * (len(maps) + 1) + 0.3)
    )
    rows: Any = figure.subfigures(len(maps) + 1, 1)
    rows[0].suptitle(f"input: {' x '.join(map(str, image.shape))}", x=0.01, ha="left", fontsize=8.5)
    panel = quiet(rows[0].add_subplot(1, columns, 1))
    if image.ndim == 3 and image.shape[2] == 3:
        panel.imshow(np.clip(image / max(1.0, image.max()), 0, 1), interpolation="nearest")
    else:
        panel.imshow(image if image.ndim == 2 else image[..., 0], cmap="gray", interpolation="nearest")
    for row, (name, stack) in zip(rows[1:], maps.items(), strict=True):
        h, w, n = stack.shape
        more = "" if n <= count else f", the first {count}"
        row.suptitle(f"{name}: {h} x {w} x {n}{more}", x=0.01, ha="left", fontsize=8.5)
        for k in range(min(count, n)):
            panel = quiet(row.add_subplot(1, columns, k + 1))
            panel.imshow(stack[..., k], cmap="magma", interpolation="nearest")
            if np.ptp(stack[..., k]) == 0:
                panel.text(
                    0.5, 0.5, "constant", transform=panel.transAxes, ha="center", va="center", color="white",
                    fontsize=6.5,
                )  # fmt: skip
    return figure
