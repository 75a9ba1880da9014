"""What all metrics share: numbers that are kept from batch to batch, and set back to zero."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor
from .. import initializers
from ..named import Named, snake_case

__all__ = ["Metric", "Variable", "divided"]


class Variable(Tensor):
    """Numbers that a metric keeps: a Tensor that can be assigned to.

    >>> count = Variable(1.0)
    >>> count.assign_add(2); count / 2
    Tensor(1.5)
    """

    __slots__ = ()

    def assign(self, value: Any) -> None:
        """Take other numbers; raises ShapeError if they have another shape."""
        self._take(np.array(_values(value)))

    def assign_add(self, value: Any) -> None:
        """Add to the numbers."""
        self._take(self._data + _values(value))

    def assign_sub(self, value: Any) -> None:
        """Take away from the numbers."""
        self._take(self._data - _values(value))

    def _take(self, array: Any) -> None:
        if array.shape != self._data.shape:
            raise ShapeError(f"{self.name or 'a variable'} is {self.shape}, what is assigned {array.shape}")
        self._data = np.asarray(array, self._data.dtype)  # a new one: what was handed out doesn't change


def _values(value: Any) -> Any:
    return value._data if isinstance(value, Tensor) else value


class Metric(Named):
    """The base: a subclass makes its variables in ``__init__`` and writes ``update_state`` and ``result``.

    ``update_state`` gets the targets and predictions of a batch as NumPy arrays, and adds what it needs of
    them to the variables; ``result`` computes the value over all batches since the last reset. NumPy's
    functions and those of ``nn.ops`` serve both.

    Parameters
    ----------
    dtype
        Of the variables; by default float64, in which sums of millions of samples stay exact.
    name
        What it is called in the history; by default after its class.

    >>> from tinygrad_edu import nn
    >>> class F1(nn.metrics.Metric):
    ...     def __init__(self, name="f1", **options):
    ...         super().__init__(name=name, **options)
    ...         self.hits = self.add_weight(name="hits", initializer="zeros")
    ...         self.wrong = self.add_weight(name="wrong", initializer="zeros")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         y_pred = np.round(y_pred)
    ...         self.hits.assign_add(np.sum(y_true * y_pred))
    ...         self.wrong.assign_add(np.sum(y_true != y_pred))
    ...     def result(self):
    ...         return 2 * self.hits / (2 * self.hits + self.wrong)
    >>> metric = F1()
    >>> metric.update_state(np.array([1, 0, 1]), np.array([0.9, 0.2, 0.4])); metric.result().item()
    0.6666666666666666
    """

    kind = "metric"
    aliases: ClassVar[dict[str, str]] = {
        "acc": "accuracy",
        "bce": "binary_crossentropy",
        "mae": "mean_absolute_error",
        "mape": "mean_absolute_percentage_error",
        "mse": "mean_squared_error",
        "msle": "mean_squared_logarithmic_error",
    }
    sparse: bool = False  # the targets are class numbers, which stay whole
    pointwise: bool = False  # compares number by number, not row by row

    def __init__(self, dtype: DTypeLike | None = None, name: str | None = None) -> None:
        self.dtype = np.dtype("float64" if dtype is None else dtype).name
        self.name = name or snake_case(type(self).__name__)
        self._variables: list[Variable] = []

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for mine, other in (("reset_state", "reset_states"), ("reset_states", "reset_state")):
            if mine in vars(cls) and other not in vars(cls):  # Keras 2 called it reset_states
                setattr(cls, other, vars(cls)[mine])

    def add_weight(
        self, shape: Any = (), initializer: Any = "zeros", dtype: DTypeLike | None = None, name: Any = None
    ) -> Variable:
        """Make a variable of a shape, a number by default. (Keras 2 had the name first: that works too.)"""
        self.check_made()
        if isinstance(shape, str):
            shape, name = (), shape
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        values = initializers.get(initializer or "zeros")(shape, np.dtype(dtype or self.dtype))
        self._variables.append(Variable(values, name=name))
        return self._variables[-1]

    def check_made(self) -> None:
        """Raise ArgumentError if a subclass didn't call the constructor of the base."""
        if "_variables" not in vars(self):
            raise ArgumentError(
                f"{type(self).__name__}: call super().__init__(name=name) before anything else in __init__"
            )

    add_variable = add_weight  # Keras has both names

    @property
    def variables(self) -> list[Variable]:
        """Its variables, and those of the metrics that it holds."""
        inner = [value for value in vars(self).values() if isinstance(value, Metric)]
        return [*self._variables, *(v for metric in inner for v in metric.variables)]

    def reset_state(self) -> None:
        """Forget what was seen: all variables become 0. Called at the start of each epoch."""
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape))

    reset_states = reset_state

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch of targets and predictions (NumPy arrays) into account."""
        raise ArgumentError(f"{type(self).__name__} has no `update_state` method")

    def result(self) -> Any:
        """Return the value over all batches since the last reset, a Tensor."""
        raise ArgumentError(f"{type(self).__name__} has no `result` method")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Take a batch into account and return the value so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


def divided(a: Any, b: Any) -> NDArray[Any]:
    """Return a / b, and 0 where b is 0, as Keras has it for ratios of counts.

    >>> divided([1.0, 1.0], [2.0, 0.0])
    array([0.5, 0. ])
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    out = np.zeros(np.broadcast_shapes(a.shape, b.shape))
    return np.divide(a, b, out=out, where=b != 0)  # type: ignore[no-any-return]
