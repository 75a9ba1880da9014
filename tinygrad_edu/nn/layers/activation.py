"""Activations as layers of their own: Activation for any of them, and those with arguments or weights."""

from typing import Any

import numpy as np

from ... import ops
from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor
from .. import activations
from ..module import not_negative
from .base import SameShape, Shape

__all__ = ["ELU", "Activation", "LeakyReLU", "PReLU", "ReLU", "Softmax"]


class Activation(SameShape):
    """An activation function as a layer: a name ("tanh") or a function.

    >>> from tinygrad_edu import nn
    >>> nn.Activation("tanh")(Tensor([[0.0]]))
    Tensor([[0.]])
    """

    fields = ("activation",)

    def __init__(self, activation: Any, **options: Any) -> None:
        super().__init__(**options)
        self.activation = activations.get(activation)

    def call(self, x: Any) -> Tensor:
        return self.activation(x)


class ReLU(SameShape):
    """The positive part, max(0, x); with arguments a line with two bends.

    Parameters
    ----------
    max_value
        What the result is held below; None for nothing.
    negative_slope, threshold
        Up to the threshold the result is negative_slope · (x - threshold), above it x.

    Raises ArgumentError for a negative one of them.

    >>> from tinygrad_edu import nn
    >>> nn.ReLU()(Tensor([[-1.0, 2.0]]))
    Tensor([[0., 2.]])
    >>> nn.ReLU(max_value=6, negative_slope=0.5)(Tensor([[-1.0, 9.0]]))
    Tensor([[-0.5,  6. ]])
    """

    fields = ("max_value", "negative_slope", "threshold")

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.max_value = None if max_value is None else not_negative(max_value, "ReLU: max_value")
        self.negative_slope = not_negative(negative_slope, "ReLU: negative_slope")
        self.threshold = not_negative(threshold, "ReLU: threshold")

    def call(self, x: Any) -> Tensor:
        return activations.relu(x, self.negative_slope, self.max_value, self.threshold)


class LeakyReLU(SameShape):
    """x above 0, negative_slope · x below (Maas et al. 2013). ``alpha`` is Keras 2's name of the slope.

    >>> from tinygrad_edu import nn
    >>> nn.LeakyReLU()(Tensor([[-1.0, 2.0]]))
    Tensor([[-0.3,  2. ]])
    """

    fields = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.3, **options: Any) -> None:
        negative_slope = options.pop("alpha", negative_slope)
        super().__init__(**options)
        self.negative_slope = not_negative(negative_slope, "LeakyReLU: negative_slope")

    def call(self, x: Any) -> Tensor:
        return ops.leaky_relu(x, self.negative_slope)


class PReLU(SameShape):
    """x above 0, alpha · x below, with an alpha for each feature that is learned (He et al. 2015).

    ``shared_axes`` are those along which all have one alpha, counted with the batch axis: [1, 2] gives one to
    each channel of images. The kind of weights is "alpha". Raises ShapeError where a length isn't fixed and
    not shared either.

    >>> from tinygrad_edu import nn
    >>> nn.PReLU(alpha_initializer=nn.initializers.Constant(0.25))(Tensor([[-1.0, 2.0]])).data
    array([[-0.25,  2.  ]], dtype=float32)
    """

    fields = ("shared_axes",)
    kinds = {"alpha": "zeros"}  # noqa: RUF012

    def __init__(self, *, shared_axes: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.shared_axes = None if shared_axes is None else [int(a) for a in np.atleast_1d(shared_axes)]

    def build(self, input_shape: Shape) -> None:
        shared = self.shared_axes or []
        if not all(1 <= a < len(input_shape) for a in shared):
            raise ArgumentError(
                f"{self.name}: shared_axes {shared} must be among 1 to {len(input_shape) - 1}"
            )
        shape = [1 if a in shared else n for a, n in enumerate(input_shape)][1:]
        if None in shape:
            axis = shape.index(None) + 1
            raise ShapeError(
                f"{self.name}: axis {axis} of {input_shape} has no fixed length, so its features can't have "
                f"an alpha each; share one: shared_axes=[{axis}]"
            )
        self.alpha = self.add_weight("alpha", shape, **self.rule("alpha"))

    def call(self, x: Any) -> Tensor:
        return ops.where(ops.greater(x, 0), x, self.alpha * x)


class ELU(SameShape):
    """x above 0, alpha (e^x - 1) below (Clevert et al. 2016).

    >>> from tinygrad_edu import nn
    >>> nn.ELU()(Tensor([[-1.0, 2.0]]))
    Tensor([[-0.63212,  2.     ]])
    """

    fields = ("alpha",)

    def __init__(self, alpha: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.alpha = not_negative(alpha, "ELU: alpha")

    def call(self, x: Any) -> Tensor:
        return ops.elu(x, self.alpha)


class Softmax(SameShape):
    """Probabilities along an axis, by default the last, or along several together.

    A ``mask`` of bools that is given to the call says what takes part: the rest gets 0, and where nothing
    does, all of it.

    >>> from tinygrad_edu import nn
    >>> nn.Softmax()(Tensor([[1.0, 1.0]]))
    Tensor([[0.5, 0.5]])
    >>> nn.Softmax()(Tensor([[1.0, 1.0, 1.0]]), mask=[True, True, False])
    Tensor([[0.5, 0.5, 0. ]])
    """

    fields = ("axis",)

    def __init__(self, axis: Any = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = [int(a) for a in axis] if isinstance(axis, tuple | list) else int(axis)

    def call(self, x: Any, mask: Any = None) -> Tensor:
        if mask is not None:
            x = ops.where(mask, x, np.finfo(x.dtype).min)
        if isinstance(self.axis, int):
            y = ops.softmax(x, axis=self.axis)
        else:
            y = ops.exp(x - ops.logsumexp(x, axis=tuple(self.axis), keepdims=True))
        return y if mask is None else ops.where(mask, y, 0.0)
