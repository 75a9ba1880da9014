"""Images and sequences in another size: repeated pixels, borders of zeros, sides cut off."""

from typing import Any

from ... import ops
from ...errors import ArgumentError, ShapeError, unknown_name
from ...ops.windows import pair
from ...tensor import Tensor
from ..module import positive
from .base import Layer, Shape
from .windows import expect_channels_last, expect_rank

__all__ = [
    "Cropping1D", "Cropping2D", "UpSampling1D", "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D",
]  # fmt: skip


class UpSampling2D(Layer):
    """Images so many times as large: each pixel repeated ("nearest"), or blended with its neighbours.

    ``size`` is one number or (vertical, horizontal), ``interpolation`` "nearest" or "bilinear". Input
    (batch, H, W, C), output (batch, H · size, W · size, C).

    >>> from tinygrad_edu import nn
    >>> nn.UpSampling2D(2)(Tensor([[[[1.0], [2.0]]]])).ravel()
    Tensor([1., 1., 2., 2., 1., 1., 2., 2.])
    """

    fields = ("size", "interpolation")
    rank = 2

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        expect_channels_last(data_format, "UpSampling2D")
        self.size = pair(size, "UpSampling2D: size")
        if interpolation not in ("nearest", "bilinear"):
            raise unknown_name("interpolation", interpolation, ["nearest", "bilinear"])
        self.interpolation = interpolation

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        expect_rank(self, input_shape)
        batch, *sizes, channels = input_shape
        larger = [None if n is None else n * times for n, times in zip(sizes, self.size, strict=True)]
        return (batch, *larger, channels)

    def call(self, x: Any) -> Tensor:
        return ops.upsample2d(x, self.size, interpolation=self.interpolation)


class UpSampling1D(Layer):
    """Sequences ``size`` times as long: each place repeated.

    Input (batch, L, C), output (batch, L · size, C).

    >>> from tinygrad_edu import nn
    >>> nn.UpSampling1D(2)(Tensor([[[1.0], [2.0]]])).ravel()
    Tensor([1., 1., 2., 2.])
    """

    fields = ("size",)
    rank = 1

    def __init__(self, size: int = 2, **options: Any) -> None:
        super().__init__(**options)
        self.size = positive(size, "UpSampling1D: size")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        expect_rank(self, input_shape)
        batch, length, channels = input_shape
        return batch, None if length is None else length * self.size, channels

    def call(self, x: Any) -> Tensor:
        return ops.repeat(x, self.size, axis=1)


class _Bordered(Layer):
    """What padding and cropping share: the two numbers of each axis, in all of Keras' ways."""

    rank = 2

    def read_border(self, value: Any, name: str) -> tuple[tuple[int, int], ...]:
        """Return ((top, bottom), (left, right)) of images, ((left, right),) of sequences."""
        what = f"{type(self).__name__}: {name}"
        if self.rank == 1:
            is_nested = isinstance(value, list | tuple) and len(value) == 1
            return (pair(value[0] if is_nested else value, what, 0),)
        if isinstance(value, int):
            value = (value, value)
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise ArgumentError(
                f"{what}: expected one number, two, or ((top, bottom), (left, right)), got {value!r}"
            )
        rows, columns = value
        return pair(rows, what, 0), pair(columns, what, 0)


class ZeroPadding2D(_Bordered):
    """A border of zeros around images.

    ``padding`` is one number for all sides, (rows, columns), or ((top, bottom), (left, right)). Input
    (batch, H, W, C), output (batch, top + H + bottom, left + W + right, C).

    >>> from tinygrad_edu import nn
    >>> nn.ZeroPadding2D(((1, 0), (0, 1)))(Tensor([[[[5.0]]]])).ravel()
    Tensor([0., 0., 5., 0.])
    """

    fields = ("padding",)

    def __init__(self, padding: Any = 1, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        expect_channels_last(data_format, type(self).__name__)
        self.padding = self.read_border(padding, "padding")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        expect_rank(self, input_shape)
        batch, *sizes, channels = input_shape
        larger = [None if n is None else n + sum(p) for n, p in zip(sizes, self.padding, strict=True)]
        return (batch, *larger, channels)

    def call(self, x: Any) -> Tensor:
        return ops.pad(x, ((0, 0), *self.padding, (0, 0)))


class ZeroPadding1D(ZeroPadding2D):
    """Zeros before and after sequences; ``padding`` is one number, or (before, after).

    >>> from tinygrad_edu import nn
    >>> nn.ZeroPadding1D((2, 1))(Tensor([[[5.0]]])).ravel()
    Tensor([0., 0., 5., 0.])
    """

    rank = 1


class Cropping2D(_Bordered):
    """Images without so many rows and columns at their sides; ``cropping`` as ZeroPadding2D's padding.

    Raises ShapeError if nothing would be left.

    >>> from tinygrad_edu import nn
    >>> nn.Cropping2D(((1, 0), (0, 0)))(Tensor([[[[5.0]], [[6.0]]]])).ravel()
    Tensor([6.])
    """

    fields = ("cropping",)

    def __init__(self, cropping: Any = 0, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        expect_channels_last(data_format, type(self).__name__)
        self.cropping = self.read_border(cropping, "cropping")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        expect_rank(self, input_shape)
        batch, *sizes, channels = input_shape
        left = [None if n is None else n - sum(c) for n, c in zip(sizes, self.cropping, strict=True)]
        if any(n is not None and n < 1 for n in left):
            raise ShapeError(
                f"{self.name}: cropping {self.cropping} leaves nothing of samples {input_shape[1:]}"
            )
        return (batch, *left, channels)

    def call(self, x: Any) -> Tensor:
        sides = zip(self.cropping, x.shape[1:], strict=False)
        return x[:, *(slice(before, n - after) for (before, after), n in sides)]  # type: ignore[no-any-return]


class Cropping1D(Cropping2D):
    """Sequences without so many places at their ends; ``cropping`` is one number, or (first, last).

    >>> from tinygrad_edu import nn
    >>> nn.Cropping1D((1, 0))(Tensor([[[5.0], [6.0]]])).ravel()
    Tensor([6.])
    """

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **options: Any) -> None:
        super().__init__(cropping, **options)
