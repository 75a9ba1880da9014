"""Layers that make images larger: Conv2DTranspose learns how, UpSampling2D repeats or blends pixels."""

from typing import Any

from ... import ops
from ...errors import ArgumentError, unknown_name
from ...ops.windows import pair, resolve_padding, transposed_size
from ...tensor import Tensor
from .. import activations, initializers
from ..module import positive
from .base import Layer, Shape
from .images import expect_image

__all__ = ["Conv2DTranspose", "UpSampling2D"]


class Conv2DTranspose(Layer):
    """activation(transposed conv(x, kernel) + bias): each pixel lays a filter's worth into the output.

    Parameters
    ----------
    filters
        The number of output channels.
    kernel_size, strides
        One number, or (vertical, horizontal).
    padding
        "same": H · stride rows come out; "valid": (H - 1) stride + max(kernel, stride).
    output_padding
        One number, or (vertical, horizontal): other sizes than these, as in ``te.conv2d_transpose``.
    activation, use_bias, kernel_initializer, bias_initializer
        As for Dense.

    Input (batch, H, W, C), output (batch, H', W', filters); kernel (kh, kw, filters, C), bias (filters,).
    Raises ShapeError if the input isn't a batch of images of the channels it was built for.

    >>> from tinygrad_edu import nn
    >>> layer = nn.Conv2DTranspose(32, 3, strides=2, padding="same", input_shape=(7, 7, 64))
    >>> layer.build_once((None, 7, 7, 64)); layer.output_shape, layer.count_params()
    ((None, 14, 14, 32), 18464)
    """

    fields = (
        "filters", "kernel_size", "strides", "padding", "output_padding", "activation", "use_bias",
        "kernel_initializer", "bias_initializer",
    )  # fmt: skip

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        output_padding: Any = None,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.filters = positive(filters, "Conv2DTranspose: filters")
        self.kernel_size = pair(kernel_size, "Conv2DTranspose: kernel_size")
        self.strides = pair(strides, "Conv2DTranspose: strides")
        self.padding = padding
        resolve_padding(padding, (1, 1), self.kernel_size, self.strides)
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = pair(output_padding, "Conv2DTranspose: output_padding", 0)
            if any(extra >= s for extra, s in zip(self.output_padding, self.strides, strict=True)):
                raise ArgumentError(
                    f"Conv2DTranspose: output_padding {self.output_padding} must be below the strides "
                    f"{self.strides}"
                )
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)

    def build(self, input_shape: Shape) -> None:
        expect_image(self, input_shape)
        shape = (*self.kernel_size, self.filters, input_shape[-1])
        self.kernel = self.add_weight("kernel", shape, self.kernel_initializer)
        if self.use_bias:
            self.bias = self.add_weight("bias", (self.filters,), self.bias_initializer)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        rule = self.kernel_size, self.strides, self.padding, self.output_padding, (1, 1)
        return (input_shape[0], *transposed_size((input_shape[1], input_shape[2]), *rule), self.filters)

    def call(self, x: Any) -> Tensor:
        bias = self.bias if self.use_bias else None
        rule: Any = {
            "strides": self.strides, "padding": self.padding, "output_padding": self.output_padding
        }  # fmt: skip
        if self.activation is activations.relu:  # in one pass with the rest
            return ops.conv2d_transpose(x, self.kernel, bias, activation="relu", **rule)
        return self.activation(ops.conv2d_transpose(x, self.kernel, bias, **rule))


class UpSampling2D(Layer):
    """Images so many times as large: each pixel repeated ("nearest"), or blended with its neighbours.

    ``size`` is one number or (vertical, horizontal), ``interpolation`` "nearest" or "bilinear". Input
    (batch, H, W, C), output (batch, H · size, W · size, C).

    >>> from tinygrad_edu import nn
    >>> nn.UpSampling2D(2)(Tensor([[[[1.0], [2.0]]]])).ravel()
    Tensor([1., 1., 2., 2., 1., 1., 2., 2.])
    """

    fields = ("size", "interpolation")

    def __init__(self, size: Any = (2, 2), interpolation: str = "nearest", **options: Any) -> None:
        super().__init__(**options)
        self.size = pair(size, "UpSampling2D: size")
        if interpolation not in ("nearest", "bilinear"):
            raise unknown_name("interpolation", interpolation, ["nearest", "bilinear"])
        self.interpolation = interpolation

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        expect_image(self, input_shape)
        batch, height, width, channels = input_shape
        return batch, height * self.size[0], width * self.size[1], channels

    def call(self, x: Any) -> Tensor:
        return ops.upsample2d(x, self.size, interpolation=self.interpolation)
