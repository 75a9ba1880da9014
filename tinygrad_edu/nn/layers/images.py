"""Layers for images, channels last: convolution and pooling."""

from typing import Any

from ... import ops
from ...errors import ShapeError
from ...ops.windows import output_size, pair, resolve_padding
from ...tensor import Tensor
from .. import activations, initializers
from ..module import positive
from .base import Layer, Shape

__all__ = ["AveragePooling2D", "AvgPool2D", "Conv2D", "MaxPool2D", "MaxPooling2D"]


def expect_image(layer: Layer, input_shape: Shape) -> None:
    """Raise ShapeError for samples that aren't images with channels."""
    if len(input_shape) != 4:
        raise ShapeError(
            f"{layer.name}: expected images (height, width, channels), got samples of shape {input_shape[1:]}"
            + ("; Reshape((*shape, 1)) adds the channel axis" if len(input_shape) == 3 else "")
        )


class Conv2D(Layer):
    """activation(conv(x, kernel) + bias): filters that slide over an image.

    Parameters
    ----------
    filters
        The number of output channels.
    kernel_size, strides
        One number, or (vertical, horizontal).
    padding
        "valid" or "same".
    activation, use_bias, kernel_initializer, bias_initializer
        As for Dense.

    Input (batch, H, W, C), output (batch, H', W', filters); kernel (kh, kw, C, filters), bias (filters,).
    Raises ShapeError if the input isn't a batch of images of the channels it was built for.

    >>> from tinygrad_edu import nn
    >>> layer = nn.Conv2D(6, 3, input_shape=(28, 28, 1))
    >>> layer.build_once((None, 28, 28, 1)); layer.output_shape, layer.count_params()
    ((None, 26, 26, 6), 60)
    """

    fields = (
        "filters", "kernel_size", "strides", "padding", "activation", "use_bias", "kernel_initializer",
        "bias_initializer",
    )  # fmt: skip

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.filters = positive(filters, "Conv2D: filters")
        self.kernel_size = pair(kernel_size, "Conv2D: kernel_size")
        self.strides = pair(strides, "Conv2D: strides")
        self.padding = padding
        resolve_padding(padding, (1, 1), self.kernel_size, self.strides)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)

    def build(self, input_shape: Shape) -> None:
        expect_image(self, input_shape)
        shape = (*self.kernel_size, input_shape[-1], self.filters)
        self.kernel = self.add_weight("kernel", shape, self.kernel_initializer)
        if self.use_bias:
            self.bias = self.add_weight("bias", (self.filters,), self.bias_initializer)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        size = (input_shape[1], input_shape[2])
        padding = resolve_padding(self.padding, size, self.kernel_size, self.strides)
        return (input_shape[0], *output_size(size, self.kernel_size, self.strides, padding), self.filters)

    def call(self, x: Any) -> Tensor:
        bias = self.bias if self.use_bias else None
        rule: Any = {"strides": self.strides, "padding": self.padding}
        if self.activation is activations.relu:  # in one pass with the rest
            return ops.conv2d(x, self.kernel, bias, activation="relu", **rule)
        return self.activation(ops.conv2d(x, self.kernel, bias, **rule))


class _Pooling2D(Layer):
    fields = ("pool_size", "strides", "padding")

    def __init__(
        self, pool_size: Any = (2, 2), strides: Any = None, padding: str = "valid", **options: Any
    ) -> None:
        super().__init__(**options)
        self.pool_size = pair(pool_size, "pool_size")
        self.strides = self.pool_size if strides is None else pair(strides, "strides")
        self.padding = padding
        resolve_padding(padding, (1, 1), self.pool_size, self.strides)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        expect_image(self, input_shape)
        size = (input_shape[1], input_shape[2])
        padding = resolve_padding(self.padding, size, self.pool_size, self.strides)
        return (input_shape[0], *output_size(size, self.pool_size, self.strides, padding), input_shape[3])


class MaxPooling2D(_Pooling2D):
    """The largest value of each window, channel by channel.

    ``pool_size`` and ``strides`` (by default the same) are one number or (vertical, horizontal), padding
    is "valid" or "same". Input (batch, H, W, C), output (batch, H', W', C).

    >>> from tinygrad_edu import nn
    >>> nn.MaxPooling2D(2).compute_output_shape((None, 26, 26, 6))
    (None, 13, 13, 6)
    """

    def call(self, x: Any) -> Tensor:
        return ops.max_pool2d(x, self.pool_size, strides=self.strides, padding=self.padding)


class AveragePooling2D(_Pooling2D):
    """The mean of each window, channel by channel; arguments and shapes as for MaxPooling2D.

    >>> from tinygrad_edu import nn
    >>> nn.AveragePooling2D(2).compute_output_shape((None, 26, 26, 6))
    (None, 13, 13, 6)
    """

    def call(self, x: Any) -> Tensor:
        return ops.avg_pool2d(x, self.pool_size, strides=self.strides, padding=self.padding)


MaxPool2D, AvgPool2D = MaxPooling2D, AveragePooling2D  # Keras has both names
