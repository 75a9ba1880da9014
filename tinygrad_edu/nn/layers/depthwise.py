"""Convolutions that treat each channel by itself: DepthwiseConv2D, SeparableConv2D."""

from typing import Any

from ... import ops
from ...ops.windows import output_size, pair, resolve_padding
from ...tensor import Tensor
from .. import activations, initializers
from ..module import positive
from .base import Layer, Shape
from .images import expect_image

__all__ = ["DepthwiseConv2D", "SeparableConv2D"]


class DepthwiseConv2D(Layer):
    """activation(depthwise(x, kernel) + bias): each channel has filters of its own, and none is mixed in.

    Parameters
    ----------
    kernel_size, strides, padding
        As for Conv2D.
    depth_multiplier
        The number of filters of each channel.
    activation, use_bias, depthwise_initializer, bias_initializer
        As for Dense.

    Input (batch, H, W, C), output (batch, H', W', C · depth_multiplier), the filters of the first channel
    first; kernel (kh, kw, C, depth_multiplier), bias (C · depth_multiplier,). Raises ShapeError as Conv2D.

    >>> from tinygrad_edu import nn
    >>> layer = nn.DepthwiseConv2D(3, padding="same", input_shape=(28, 28, 16))
    >>> layer.build_once((None, 28, 28, 16)); layer.output_shape, layer.count_params()
    ((None, 28, 28, 16), 160)
    """

    fields = (
        "kernel_size", "strides", "padding", "depth_multiplier", "activation", "use_bias",
        "depthwise_initializer", "bias_initializer",
    )  # fmt: skip

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.kernel_size = pair(kernel_size, "DepthwiseConv2D: kernel_size")
        self.strides = pair(strides, "DepthwiseConv2D: strides")
        self.padding = padding
        resolve_padding(padding, (1, 1), self.kernel_size, self.strides)
        self.depth_multiplier = positive(depth_multiplier, "DepthwiseConv2D: depth_multiplier")
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.bias_initializer = initializers.get(bias_initializer)

    def build(self, input_shape: Shape) -> None:
        expect_image(self, input_shape)
        shape = (*self.kernel_size, input_shape[-1], self.depth_multiplier)
        self.kernel = self.add_weight("kernel", shape, self.depthwise_initializer)
        if self.use_bias:
            size = (input_shape[-1] * self.depth_multiplier,)
            self.bias = self.add_weight("bias", size, self.bias_initializer)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        size, channels = (input_shape[1], input_shape[2]), input_shape[3] * self.depth_multiplier
        padding = resolve_padding(self.padding, size, self.kernel_size, self.strides)
        return (input_shape[0], *output_size(size, self.kernel_size, self.strides, padding), channels)

    def call(self, x: Any) -> Tensor:
        bias = self.bias if self.use_bias else None
        rule: Any = {"strides": self.strides, "padding": self.padding}
        return self.activation(ops.depthwise_conv2d(x, self.kernel, bias, **rule))


class SeparableConv2D(Layer):
    """A depthwise convolution, and then one of 1 by 1 that mixes its channels: Conv2D in two cheaper steps.

    Parameters
    ----------
    filters
        The number of output channels.
    kernel_size, strides, padding
        As for Conv2D.
    depth_multiplier
        The number of filters of each channel in the first step.
    activation, use_bias, depthwise_initializer, pointwise_initializer, bias_initializer
        As for Dense.

    Input (batch, H, W, C), output (batch, H', W', filters); depthwise_kernel (kh, kw, C, depth_multiplier),
    pointwise_kernel (1, 1, C · depth_multiplier, filters), bias (filters,). Raises ShapeError as Conv2D.
    From: Chollet, *Xception*, 2017.

    >>> from tinygrad_edu import nn
    >>> layer = nn.SeparableConv2D(64, 3, padding="same", input_shape=(64, 64, 32))
    >>> layer.build_once((None, 64, 64, 32)); layer.output_shape, layer.count_params()
    ((None, 64, 64, 64), 2400)
    """

    fields = (
        "filters", "kernel_size", "strides", "padding", "depth_multiplier", "activation", "use_bias",
        "depthwise_initializer", "pointwise_initializer", "bias_initializer",
    )  # fmt: skip

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.filters = positive(filters, "SeparableConv2D: filters")
        self.kernel_size = pair(kernel_size, "SeparableConv2D: kernel_size")
        self.strides = pair(strides, "SeparableConv2D: strides")
        self.padding = padding
        resolve_padding(padding, (1, 1), self.kernel_size, self.strides)
        self.depth_multiplier = positive(depth_multiplier, "SeparableConv2D: depth_multiplier")
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.bias_initializer = initializers.get(bias_initializer)

    def build(self, input_shape: Shape) -> None:
        expect_image(self, input_shape)
        channels = input_shape[-1]
        depthwise = (*self.kernel_size, channels, self.depth_multiplier)
        pointwise = (1, 1, channels * self.depth_multiplier, self.filters)
        self.depthwise_kernel = self.add_weight("depthwise_kernel", depthwise, self.depthwise_initializer)
        self.pointwise_kernel = self.add_weight("pointwise_kernel", pointwise, self.pointwise_initializer)
        if self.use_bias:
            self.bias = self.add_weight("bias", (self.filters,), self.bias_initializer)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        size = (input_shape[1], input_shape[2])
        padding = resolve_padding(self.padding, size, self.kernel_size, self.strides)
        return (input_shape[0], *output_size(size, self.kernel_size, self.strides, padding), self.filters)

    def call(self, x: Any) -> Tensor:
        weights = self.depthwise_kernel, self.pointwise_kernel, self.bias if self.use_bias else None
        rule: Any = {"strides": self.strides, "padding": self.padding}
        if self.activation is activations.relu:  # in one pass with the mixing
            return ops.separable_conv2d(x, *weights, activation="relu", **rule)
        return self.activation(ops.separable_conv2d(x, *weights, **rule))
