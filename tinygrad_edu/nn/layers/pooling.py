"""Pooling: the maximum or the mean of each window, channel by channel, or of the whole image."""

from typing import Any

from ... import ops
from ...tensor import Tensor
from .base import Layer, Shape
from .windows import Windowed, expect_channels_last, expect_rank

__all__ = [
    "AveragePooling1D", "AveragePooling2D", "AvgPool1D", "AvgPool2D", "GlobalAveragePooling1D",
    "GlobalAveragePooling2D", "GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalMaxPool1D", "GlobalMaxPool2D",
    "GlobalMaxPooling1D", "GlobalMaxPooling2D", "MaxPool1D", "MaxPool2D", "MaxPooling1D", "MaxPooling2D",
]  # fmt: skip


class _Pooling(Windowed):
    fields = ("pool_size", "strides", "padding")
    pool_size: Any

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        expect_channels_last(data_format, type(self).__name__)
        self.window = self.pool_size = self.sizes(pool_size, "pool_size")
        self.strides = self.pool_size if strides is None else self.sizes(strides, "strides")
        self.padding = self.read_padding(padding)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.after(input_shape, input_shape[-1])


class MaxPooling2D(_Pooling):
    """The largest value of each window, channel by channel.

    ``pool_size`` and ``strides`` (by default the same) are one number or (vertical, horizontal), padding
    is "valid" or "same". Input (batch, H, W, C), output (batch, H', W', C).

    >>> from tinygrad_edu import nn
    >>> nn.MaxPooling2D(2).compute_output_shape((None, 26, 26, 6))
    (None, 13, 13, 6)
    """

    def call(self, x: Any) -> Tensor:
        return ops.max_pool2d(x, self.pool_size, strides=self.strides, padding=self.padding)


class AveragePooling2D(_Pooling):
    """The mean of each window, channel by channel; arguments and shapes as for MaxPooling2D.

    >>> from tinygrad_edu import nn
    >>> nn.AveragePooling2D(2).compute_output_shape((None, 26, 26, 6))
    (None, 13, 13, 6)
    """

    def call(self, x: Any) -> Tensor:
        return ops.avg_pool2d(x, self.pool_size, strides=self.strides, padding=self.padding)


class MaxPooling1D(_Pooling):
    """The largest value of each window along a sequence; arguments as for MaxPooling2D, one number each.

    Input (batch, L, C), output (batch, L', C).

    >>> from tinygrad_edu import nn
    >>> nn.MaxPooling1D(2)([[[1.0], [3.0], [2.0], [0.0]]]).ravel()
    Tensor([3., 2.])
    """

    rank = 1

    def call(self, x: Any) -> Tensor:
        return ops.max_pool1d(x, self.pool_size[0], strides=self.strides[0], padding=self.padding)


class AveragePooling1D(_Pooling):
    """The mean of each window along a sequence; arguments and shapes as for MaxPooling1D.

    >>> from tinygrad_edu import nn
    >>> nn.AveragePooling1D(2)([[[1.0], [3.0], [2.0], [0.0]]]).ravel()
    Tensor([2., 1.])
    """

    rank = 1

    def call(self, x: Any) -> Tensor:
        return ops.avg_pool1d(x, self.pool_size[0], strides=self.strides[0], padding=self.padding)


class _GlobalPooling(Layer):
    fields = ("keepdims",)
    rank = 2

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **options: Any) -> None:
        super().__init__(**options)
        expect_channels_last(data_format, type(self).__name__)
        self.keepdims = bool(keepdims)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        expect_rank(self, input_shape)
        between = (1,) * self.rank if self.keepdims else ()
        return (input_shape[0], *between, input_shape[-1])


class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each channel over the whole image: (batch, H, W, C) becomes (batch, C).

    ``keepdims`` leaves the two axes, with length 1.

    >>> from tinygrad_edu import nn
    >>> nn.GlobalAveragePooling2D()([[[[1.0], [3.0]]]])
    Tensor([[2.]])
    """

    def call(self, x: Any) -> Tensor:
        return ops.global_avg_pool2d(x, keepdims=self.keepdims)


class GlobalMaxPooling2D(_GlobalPooling):
    """The largest value of each channel in the whole image: (batch, H, W, C) becomes (batch, C).

    ``keepdims`` leaves the two axes, with length 1.

    >>> from tinygrad_edu import nn
    >>> nn.GlobalMaxPooling2D()([[[[1.0], [3.0]]]])
    Tensor([[3.]])
    """

    def call(self, x: Any) -> Tensor:
        return ops.global_max_pool2d(x, keepdims=self.keepdims)


class GlobalAveragePooling1D(_GlobalPooling):
    """The mean of each channel over the whole sequence: (batch, L, C) becomes (batch, C).

    >>> from tinygrad_edu import nn
    >>> nn.GlobalAveragePooling1D()([[[1.0], [3.0]]])
    Tensor([[2.]])
    """

    rank = 1

    def call(self, x: Any) -> Tensor:
        return ops.global_avg_pool1d(x, keepdims=self.keepdims)


class GlobalMaxPooling1D(_GlobalPooling):
    """The largest value of each channel in the whole sequence: (batch, L, C) becomes (batch, C).

    >>> from tinygrad_edu import nn
    >>> nn.GlobalMaxPooling1D()([[[1.0], [3.0]]])
    Tensor([[3.]])
    """

    rank = 1

    def call(self, x: Any) -> Tensor:
        return ops.global_max_pool1d(x, keepdims=self.keepdims)


# Keras has both names.
MaxPool1D, MaxPool2D = MaxPooling1D, MaxPooling2D
AvgPool1D, AvgPool2D = AveragePooling1D, AveragePooling2D
GlobalMaxPool1D, GlobalMaxPool2D = GlobalMaxPooling1D, GlobalMaxPooling2D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
