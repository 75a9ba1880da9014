"""Blocks: the pieces that larger networks repeat, as functions on symbols.

Each makes new layers, calls them, and returns the symbol (or symbols) that comes out, so blocks are put
together as layers are:

>>> from tinygrad_edu import nn
>>> x = inputs = nn.Input((32, 32, 3))
>>> for filters in (16, 32):
...     x = nn.blocks.residual(x, filters, strides=2)
>>> nn.Model(inputs, nn.GlobalAveragePooling2D()(x)).output_shape
(None, 32)
"""

from typing import Any

from .layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    Dropout,
    MaxPooling2D,
    SeparableConv2D,
    UpSampling2D,
    add,
    concatenate,
)

__all__ = ["double_conv", "down", "residual", "separable_down", "transposed_up", "up"]


def double_conv(x: Any, filters: int, *, normalize: bool = False, dropout: float = 0.0) -> Any:
    """Two 3 x 3 convolutions with ReLU, with batch normalisation before it if wanted, and dropout between.

    Images (batch, H, W, C) become (batch, H, W, filters). From: Ronneberger et al., *U-Net*, 2015.

    >>> from tinygrad_edu import nn
    >>> double_conv(nn.Input((8, 8, 3)), 4).shape
    (None, 8, 8, 4)
    """
    for first in (True, False):
        if normalize:
            x = Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = Activation("relu")(BatchNormalization()(x))
        else:
            x = Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
        if first and dropout:
            x = Dropout(dropout)(x)
    return x


def down(x: Any, filters: int, **options: Any) -> tuple[Any, Any]:
    """A U-Net's step down: a double convolution goes across, and one half as large goes on.

    ``options`` are those of ``double_conv``. Returns (across, on), (batch, H, W, filters) and
    (batch, H / 2, W / 2, filters).

    >>> from tinygrad_edu import nn
    >>> [s.shape for s in down(nn.Input((8, 8, 3)), 4)]
    [(None, 8, 8, 4), (None, 4, 4, 4)]
    """
    across = double_conv(x, filters, **options)
    return across, MaxPooling2D(2)(across)


def up(x: Any, across: Any, filters: int, **options: Any) -> Any:
    """A U-Net's step up: twice as large, beside what comes across, and a double convolution.

    >>> from tinygrad_edu import nn
    >>> up(nn.Input((4, 4, 8)), nn.Input((8, 8, 4)), 4).shape
    (None, 8, 8, 4)
    """
    x = Conv2DTranspose(filters, 2, strides=2, padding="same")(x)
    return double_conv(concatenate([across, x]), filters, **options)


def residual(x: Any, filters: int, strides: int = 1) -> Any:
    """ReLU(x + f(x)), f two 3 x 3 convolutions with batch normalisation: it only learns the difference.

    Where the shape changes, a 1 x 1 convolution brings x along. From: He et al. 2016.

    >>> from tinygrad_edu import nn
    >>> residual(nn.Input((8, 8, 3)), 4, strides=2).shape
    (None, 4, 4, 4)
    """
    shortcut = x
    if strides != 1 or x.shape[-1] != filters:
        shortcut = Conv2D(filters, 1, strides=strides, padding="same", use_bias=False)(x)
        shortcut = BatchNormalization()(shortcut)
    x = Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
    x = Activation("relu")(BatchNormalization()(x))
    x = BatchNormalization()(Conv2D(filters, 3, padding="same", use_bias=False)(x))
    return Activation("relu")(add([x, shortcut]))


def separable_down(x: Any, filters: int) -> Any:
    """Two separable convolutions and a pooling to half the size, plus a 1 x 1 convolution of the input.

    From: Chollet, *Xception*, 2017, as Keras' segmentation tutorial uses it.

    >>> from tinygrad_edu import nn
    >>> separable_down(nn.Input((8, 8, 3)), 4).shape
    (None, 4, 4, 4)
    """
    before = x
    for _ in range(2):
        x = Activation("relu")(x)
        x = BatchNormalization()(SeparableConv2D(filters, 3, padding="same")(x))
    x = MaxPooling2D(3, strides=2, padding="same")(x)
    return add([x, Conv2D(filters, 1, strides=2, padding="same")(before)])


def transposed_up(x: Any, filters: int) -> Any:
    """Two transposed convolutions and twice the size, plus the enlarged input, 1 x 1 convolved.

    >>> from tinygrad_edu import nn
    >>> transposed_up(nn.Input((4, 4, 8)), 4).shape
    (None, 8, 8, 4)
    """
    before = x
    for _ in range(2):
        x = Activation("relu")(x)
        x = BatchNormalization()(Conv2DTranspose(filters, 3, padding="same")(x))
    x = UpSampling2D(2)(x)
    return add([x, Conv2D(filters, 1, padding="same")(UpSampling2D(2)(before))])
