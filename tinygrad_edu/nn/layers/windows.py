"""What convolution and pooling layers share: a window that slides over images or sequences."""

from typing import Any

from ...errors import ArgumentError, ShapeError, unknown_name
from ...ops.windows import output_size, pair, resolve_padding, transposed_size
from .base import Layer, Shape

__all__ = ["Windowed", "expect_channels_last", "expect_rank"]

SOME = 1 << 20  # stands for a length that isn't known while the others are worked out


class Windowed(Layer):
    """The base of layers with a window: it reads their arguments and knows the shapes that come out.

    Of sequences (batch, length, channels) where ``rank`` is 1, and of images (batch, height, width,
    channels) where it is 2.
    """

    rank = 2
    window: Any  # the sizes of the window, the steps it takes and the gaps in it, on each axis
    strides: Any
    dilation_rate: Any = (1, 1)
    padding: str

    def sizes(self, value: Any, name: str, least: int = 1) -> tuple[int, ...]:
        """Return one whole number for each axis that the window slides along."""
        name = f"{type(self).__name__}: {name}"
        if self.rank == 2:
            return pair(value, name, least)
        if isinstance(value, list | tuple) and len(value) == 1:
            (value,) = value
        if isinstance(value, list | tuple):
            raise ArgumentError(f"{name}: expected one whole number, got {value!r}")
        return pair(value, name, least)[:1]

    def read_padding(self, padding: Any) -> str:
        """Return "valid" or "same", however it is written; raises ArgumentError for another word."""
        word = padding.lower() if isinstance(padding, str) else padding
        known = ("valid", "same", "causal") if self.rank == 1 else ("valid", "same")
        if word not in known:
            raise unknown_name(f"padding of {type(self).__name__}", padding, known)
        return word

    def after(self, input_shape: Shape, channels: int | None, transposed: Any = None) -> Shape:
        """Return the shape of what the window gives for inputs of a shape, with so many channels.

        ``transposed`` is the rule of a transposed convolution: ``(output_padding,)``.
        """
        expect_rank(self, input_shape)
        known = input_shape[1:-1]
        one = self.rank == 1
        around: Any
        sizes: Any = (
            (1, *values) if one else values
            for values in (
                tuple(SOME if n is None else n for n in known), self.window, self.strides,
                self.dilation_rate[: self.rank],
            )
        )  # fmt: skip
        size, window, strides, dilation = sizes
        if transposed is not None:
            extra = transposed[0]
            extra = (0, *extra) if one and extra is not None else extra
            result = transposed_size(size, window, strides, self.padding, extra, dilation)
        elif self.padding == "causal":
            result = (1, -(-size[1] // strides[1]))
        else:
            around = resolve_padding(self.padding, size, window, strides, dilation)
            result = output_size(size, window, strides, around, dilation)
        lengths = [None if n is None else m for n, m in zip(known, result[-self.rank :], strict=True)]
        return (input_shape[0], *lengths, channels)


def expect_rank(layer: Any, input_shape: Shape) -> None:
    """Raise ShapeError for samples that aren't images, or sequences, with channels."""
    axes = "(length, channels)" if layer.rank == 1 else "(height, width, channels)"
    what = "sequences" if layer.rank == 1 else "images"
    if len(input_shape) != layer.rank + 2:
        lacks = len(input_shape) == layer.rank + 1
        raise ShapeError(
            f"{layer.name}: expected {what} {axes}, got samples of shape {input_shape[1:]}"
            + ("; Reshape((*shape, 1)) adds the channel axis" if lacks else "")
        )
    if input_shape[-1] is None:
        raise ShapeError(f"{layer.name}: the number of channels must be known, got {input_shape}")


def expect_channels_last(data_format: Any, layer: str) -> None:
    """Raise ArgumentError for a data format that we don't have."""
    if data_format not in (None, "channels_last"):
        raise ArgumentError(
            f"{layer}: data_format={data_format!r}: images are channels last here, (height, width, "
            "channels); np.moveaxis(x, 1, -1) brings those of PyTorch into that order"
        )
