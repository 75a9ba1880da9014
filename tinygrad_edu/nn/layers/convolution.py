"""Convolution: filters that slide over images or sequences, channels last."""

from typing import Any, ClassVar

from ... import ops
from ...errors import ArgumentError
from ...tensor import Tensor
from .. import activations
from ..module import positive
from .base import WEIGHTS, Shape
from .windows import Windowed, expect_channels_last, expect_rank

__all__ = [
    "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Convolution1D", "Convolution1DTranspose",
    "Convolution2D", "Convolution2DTranspose",
]  # fmt: skip


class Convolution(Windowed):
    """What all convolutions share: the arguments, the weights, the shapes."""

    fields: ClassVar[tuple[str, ...]] = (
        "filters", "kernel_size", "strides", "padding", "dilation_rate", "groups", "activation", "use_bias",
    )  # fmt: skip
    kinds = WEIGHTS

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        kind = type(self).__name__
        expect_channels_last(data_format, kind)
        self.filters = positive(filters, f"{kind}: filters")
        self.window = self.kernel_size = self.sizes(kernel_size, "kernel_size")
        self.strides = self.sizes(strides, "strides")
        self.padding = self.read_padding(padding)
        self.dilation_rate = self.sizes(dilation_rate, "dilation_rate")
        self.groups = positive(groups, f"{kind}: groups")
        if self.filters % self.groups:
            raise ArgumentError(f"{kind}: filters={filters} can't be shared among groups={groups}")
        self.activation = activations.get(activation)
        self.use_bias = use_bias

    def build(self, input_shape: Shape) -> None:
        expect_rank(self, input_shape)
        channels = input_shape[-1]
        assert channels is not None
        if channels % self.groups:
            raise ArgumentError(
                f"{self.name}: {channels} channels can't be shared among groups={self.groups}"
            )
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = self.add_weight("kernel", shape, **self.rule("kernel"))
        if self.use_bias:
            self.bias = self.add_weight("bias", (self.filters,), **self.rule("bias"))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.after(input_shape, self.filters)

    def convolved(self, function: Any, x: Any, weights: tuple[Any, ...], **rule: Any) -> Tensor:
        """Convolve, add the bias and activate: ReLU in one pass with the rest."""
        bias = self.bias if self.use_bias else None
        if self.activation is activations.relu:
            return function(x, *weights, bias, activation="relu", **rule)  # type: ignore[no-any-return]
        return self.activation(function(x, *weights, bias, **rule))


class Conv2D(Convolution):
    """activation(conv(x, kernel) + bias): filters that slide over an image.

    Parameters
    ----------
    filters
        The number of output channels.
    kernel_size, strides, dilation_rate
        One number, or (vertical, horizontal): the window, its steps, and the distance between its cells.
    padding
        "valid" or "same".
    groups
        The channels are cut into so many groups, each with its share of the filters.
    activation, use_bias, options
        As for Dense.

    Input (batch, H, W, C), output (batch, H', W', filters); kernel (kh, kw, C / groups, filters), bias
    (filters,). Raises ShapeError if the input isn't a batch of images of the channels it was built for.

    >>> from tinygrad_edu import nn
    >>> layer = nn.Conv2D(6, 3, input_shape=(28, 28, 1))
    >>> layer.build_once((None, 28, 28, 1)); layer.output_shape, layer.count_params()
    ((None, 26, 26, 6), 60)
    """

    def call(self, x: Any) -> Tensor:
        return self.convolved(
            ops.conv2d, x, (self.kernel,), strides=self.strides, padding=self.padding,
            dilation=self.dilation_rate, groups=self.groups,
        )  # fmt: skip


class Conv1D(Convolution):
    """activation(conv(x, kernel) + bias): filters that slide along a sequence.

    The arguments are Conv2D's, one number each. Padding "causal" lets an output see only what came before.

    Input (batch, L, C), output (batch, L', filters); kernel (k, C / groups, filters), bias (filters,).

    >>> from tinygrad_edu import nn
    >>> nn.Conv1D(4, 3, padding="causal")(Tensor([[[1.0], [2.0], [3.0]]])).shape
    (1, 3, 4)
    """

    rank = 1

    def call(self, x: Any) -> Tensor:
        padding: Any = self.padding
        if padding == "causal":
            padding = ((self.kernel_size[0] - 1) * self.dilation_rate[0], 0)
        return self.convolved(
            ops.conv1d, x, (self.kernel,), strides=self.strides[0], padding=padding,
            dilation=self.dilation_rate[0], groups=self.groups,
        )  # fmt: skip


class _Transposed(Convolution):
    """Conv1DTranspose and Conv2DTranspose."""

    fields = (
        "filters", "kernel_size", "strides", "padding", "output_padding", "dilation_rate", "activation",
        "use_bias",
    )  # fmt: skip

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(
            filters, kernel_size, strides, padding, data_format, dilation_rate, 1, activation, use_bias,
            **options,
        )  # fmt: skip
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = self.sizes(output_padding, "output_padding", 0)
            if any(extra >= s for extra, s in zip(self.output_padding, self.strides, strict=True)):
                raise ArgumentError(
                    f"{type(self).__name__}: output_padding {self.output_padding} must be below the strides "
                    f"{self.strides}"
                )

    def build(self, input_shape: Shape) -> None:
        expect_rank(self, input_shape)
        shape = (*self.kernel_size, self.filters, input_shape[-1])
        self.kernel = self.add_weight("kernel", shape, **self.rule("kernel"))
        if self.use_bias:
            self.bias = self.add_weight("bias", (self.filters,), **self.rule("bias"))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.after(input_shape, self.filters, transposed=(self.output_padding,))


class Conv2DTranspose(_Transposed):
    """activation(transposed conv(x, kernel) + bias): each pixel lays a filter's worth into the output.

    Parameters
    ----------
    filters
        The number of output channels.
    kernel_size, strides, dilation_rate
        One number, or (vertical, horizontal).
    padding
        "same": H · stride rows come out; "valid": (H - 1) stride + max(kernel, stride).
    output_padding
        One number, or (vertical, horizontal): other sizes than these, as in ``te.conv2d_transpose``.
    activation, use_bias, options
        As for Dense.

    Input (batch, H, W, C), output (batch, H', W', filters); kernel (kh, kw, filters, C), bias (filters,).
    Raises ShapeError if the input isn't a batch of images of the channels it was built for.

    >>> from tinygrad_edu import nn
    >>> layer = nn.Conv2DTranspose(32, 3, strides=2, padding="same", input_shape=(7, 7, 64))
    >>> layer.build_once((None, 7, 7, 64)); layer.output_shape, layer.count_params()
    ((None, 14, 14, 32), 18464)
    """

    def call(self, x: Any) -> Tensor:
        return self.convolved(
            ops.conv2d_transpose, x, (self.kernel,), strides=self.strides, padding=self.padding,
            output_padding=self.output_padding, dilation=self.dilation_rate,
        )  # fmt: skip


class Conv1DTranspose(_Transposed):
    """activation(transposed conv(x, kernel) + bias) of sequences; the arguments are Conv2DTranspose's.

    Input (batch, L, C), output (batch, L', filters); kernel (k, filters, C), bias (filters,).

    >>> from tinygrad_edu import nn
    >>> nn.Conv1DTranspose(4, 3, strides=2, padding="same")(Tensor([[[1.0], [2.0]]])).shape
    (1, 4, 4)
    """

    rank = 1

    def call(self, x: Any) -> Tensor:
        return self.convolved(
            ops.conv1d_transpose, x, (self.kernel,), strides=self.strides[0], padding=self.padding,
            output_padding=None if self.output_padding is None else self.output_padding[0],
            dilation=self.dilation_rate[0],
        )  # fmt: skip


# Keras has both names.
Convolution1D, Convolution2D = Conv1D, Conv2D
Convolution1DTranspose, Convolution2DTranspose = Conv1DTranspose, Conv2DTranspose
