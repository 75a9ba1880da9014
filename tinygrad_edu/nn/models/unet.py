"""UNet: a class for every pixel of an image."""

from collections.abc import Sequence
from typing import Any

from ...errors import ArgumentError, ShapeError, unknown_name
from .. import blocks
from ..layers import Activation, BatchNormalization, Conv2D, Input
from ..model import Model
from ..module import positive

__all__ = ["UNet"]


class UNet(Model):
    """An image in, a class for each of its pixels out: down to what is seen, up to where it is.

    On the way down the image gets smaller and its channels more; on the way up each step gets, besides, what
    the step of its size on the way down saw, so that edges stay sharp.

    Parameters
    ----------
    input_shape
        (height, width, channels) of an image; the sizes are divided by 2 at each step and must allow it. None
        for any that do.
    classes
        How many; with ``activation`` "softmax" the last axis has their probabilities. For one class take
        "sigmoid".
    filters
        The channels of each step down. "classic": the last are those of the bottom. "xception": the first are
        those of the entry, and the way up has the same in reverse.
    style
        "classic": double convolutions, and what comes across is put beside (Ronneberger et al. 2015).
        "xception": separable convolutions with residual connections, and nothing comes across, as in
        Keras' segmentation tutorial.
    activation
        Of the output: "softmax", "sigmoid", or None for logits.
    normalize, dropout
        Of the classic style: batch normalisation, and dropout between two convolutions.

    Output (batch, height, width, classes). Raises ShapeError if the sizes can't be halved so often.

    >>> from tinygrad_edu import nn
    >>> nn.models.UNet((128, 128, 1), 2, style="xception").count_params()
    2058114
    >>> nn.models.UNet((32, 32, 3), 1, filters=(8, 16, 32), activation="sigmoid").output_shape
    (None, 32, 32, 1)
    """

    def __init__(
        self,
        input_shape: Sequence[int | None],
        classes: int,
        *,
        filters: Sequence[int] | None = None,
        style: str = "classic",
        activation: str | None = "softmax",
        normalize: bool = False,
        dropout: float = 0.0,
        name: str | None = None,
    ) -> None:
        if style not in ("classic", "xception"):
            raise unknown_name("style", style, ["classic", "xception"])
        positive(classes, "UNet: classes")
        if filters is None:
            filters = (64, 128, 256, 512, 1024) if style == "classic" else (32, 64, 128, 256)
        if len(filters) < 2:
            raise ArgumentError(f"UNet: expected at least two numbers of filters, got {tuple(filters)}")
        halvings = len(filters) - 1 if style == "classic" else len(filters)
        for n in input_shape[:2]:
            if n is not None and n % 2**halvings:
                raise ShapeError(
                    f"UNet: {n} can't be halved {halvings} times; pad the images to a multiple of "
                    f"{2**halvings}, or take fewer filters"
                )
        inputs = Input(input_shape)
        if style == "classic":
            x = _classic(inputs, filters, {"normalize": normalize, "dropout": dropout})
            outputs = Conv2D(classes, 1, activation=activation)(x)
        else:
            outputs = Conv2D(classes, 3, padding="same", activation=activation)(_xception(inputs, filters))
        super().__init__(inputs, outputs, name=name)


def _classic(x: Any, filters: Sequence[int], options: dict[str, Any]) -> Any:
    *steps, bottom = filters
    ways_across = []
    for n in steps:
        across, x = blocks.down(x, n, **options)
        ways_across.append(across)
    x = blocks.double_conv(x, bottom, **options)
    for n, across in zip(reversed(steps), reversed(ways_across), strict=True):
        x = blocks.up(x, across, n, **options)
    return x


def _xception(x: Any, filters: Sequence[int]) -> Any:
    entry, *steps = filters
    x = Activation("relu")(BatchNormalization()(Conv2D(entry, 3, strides=2, padding="same")(x)))
    for n in steps:
        x = blocks.separable_down(x, n)
    for n in [*reversed(steps), entry]:
        x = blocks.transposed_up(x, n)
    return x
