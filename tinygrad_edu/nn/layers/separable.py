"""Convolution of each channel by itself: DepthwiseConv2D, and SeparableConv2D, which then mixes them."""

from typing import Any

from ... import ops
from ...tensor import Tensor
from ..module import positive
from .base import Shape
from .convolution import Convolution
from .windows import expect_rank

__all__ = ["DepthwiseConv2D", "SeparableConv2D", "SeparableConvolution2D"]


class DepthwiseConv2D(Convolution):
    """activation(depthwise(x, kernel) + bias): each channel has filters of its own, and none is mixed in.

    Parameters
    ----------
    kernel_size, strides, padding, dilation_rate
        As for Conv2D.
    depth_multiplier
        The number of filters of each channel.
    activation, use_bias, options
        As for Dense; the kinds of weights are "depthwise" and "bias".

    Input (batch, H, W, C), output (batch, H', W', C · depth_multiplier), the filters of the first channel
    first; kernel (kh, kw, C, depth_multiplier), bias (C · depth_multiplier,). Raises ShapeError as Conv2D.

    >>> from tinygrad_edu import nn
    >>> layer = nn.DepthwiseConv2D(3, padding="same", input_shape=(28, 28, 16))
    >>> layer.build_once((None, 28, 28, 16)); layer.output_shape, layer.count_params()
    ((None, 28, 28, 16), 160)
    """

    fields = (
        "kernel_size", "strides", "padding", "depth_multiplier", "dilation_rate", "activation", "use_bias",
    )  # fmt: skip
    kinds = {"depthwise": "glorot_uniform", "bias": "zeros"}  # noqa: RUF012

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(
            1, kernel_size, strides, padding, data_format, dilation_rate, 1, activation, use_bias, **options
        )
        self.depth_multiplier = positive(depth_multiplier, "DepthwiseConv2D: depth_multiplier")

    def build(self, input_shape: Shape) -> None:
        expect_rank(self, input_shape)
        channels = input_shape[-1]
        assert channels is not None
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = self.add_weight("kernel", shape, **self.rule("depthwise"))
        if self.use_bias:
            size = (channels * self.depth_multiplier,)
            self.bias = self.add_weight("bias", size, **self.rule("bias"))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        channels = input_shape[-1]
        return self.after(input_shape, None if channels is None else channels * self.depth_multiplier)

    def call(self, x: Any) -> Tensor:
        return self.convolved(
            ops.depthwise_conv2d, x, (self.kernel,), strides=self.strides, padding=self.padding,
            dilation=self.dilation_rate,
        )  # fmt: skip


class SeparableConv2D(Convolution):
    """A depthwise convolution, and then one of 1 by 1 that mixes its channels: Conv2D in two cheaper steps.

    Parameters
    ----------
    filters
        The number of output channels.
    kernel_size, strides, padding, dilation_rate
        As for Conv2D.
    depth_multiplier
        The number of filters of each channel in the first step.
    activation, use_bias, options
        As for Dense; the kinds of weights are "depthwise", "pointwise" and "bias".

    Input (batch, H, W, C), output (batch, H', W', filters); depthwise_kernel (kh, kw, C, depth_multiplier),
    pointwise_kernel (1, 1, C · depth_multiplier, filters), bias (filters,). Raises ShapeError as Conv2D.
    From: Chollet, *Xception*, 2017.

    >>> from tinygrad_edu import nn
    >>> layer = nn.SeparableConv2D(64, 3, padding="same", input_shape=(64, 64, 32))
    >>> layer.build_once((None, 64, 64, 32)); layer.output_shape, layer.count_params()
    ((None, 64, 64, 64), 2400)
    """

    fields = (
        "filters", "kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier", "activation",
        "use_bias",
    )  # fmt: skip
    kinds = {"depthwise": "glorot_uniform", "pointwise": "glorot_uniform", "bias": "zeros"}  # noqa: RUF012

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(
            filters, kernel_size, strides, padding, data_format, dilation_rate, 1, activation, use_bias,
            **options,
        )  # fmt: skip
        self.depth_multiplier = positive(depth_multiplier, "SeparableConv2D: depth_multiplier")

    def build(self, input_shape: Shape) -> None:
        expect_rank(self, input_shape)
        channels = input_shape[-1]
        assert channels is not None
        depthwise = (*self.kernel_size, channels, self.depth_multiplier)
        pointwise = (1, 1, channels * self.depth_multiplier, self.filters)
        self.depthwise_kernel = self.add_weight("depthwise_kernel", depthwise, **self.rule("depthwise"))
        self.pointwise_kernel = self.add_weight("pointwise_kernel", pointwise, **self.rule("pointwise"))
        if self.use_bias:
            self.bias = self.add_weight("bias", (self.filters,), **self.rule("bias"))

    def call(self, x: Any) -> Tensor:
        return self.convolved(
            ops.separable_conv2d, x, (self.depthwise_kernel, self.pointwise_kernel), strides=self.strides,
            padding=self.padding, dilation=self.dilation_rate,
        )  # fmt: skip


SeparableConvolution2D = SeparableConv2D  # Keras has both names
