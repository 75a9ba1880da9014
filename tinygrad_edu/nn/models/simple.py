"""The networks that everybody makes first, in one line each."""

from collections.abc import Sequence
from typing import Any

from ..layers import Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D
from ..sequential import Sequential

__all__ = ["cnn", "logistic_regression", "mlp"]


def _head(outputs: int, activation: Any) -> Dense:
    if activation == "auto":
        activation = "softmax" if outputs > 1 else "sigmoid"
    return Dense(outputs, activation)


def logistic_regression(inputs: int, classes: int = 2, **options: Any) -> Sequential:
    """One Dense layer: a sigmoid for two classes, a softmax for more.

    ``options`` are Dense's, such as ``kernel_regularizer``.

    >>> from tinygrad_edu import nn
    >>> nn.models.logistic_regression(4).count_params(), nn.models.logistic_regression(4, 3).count_params()
    (5, 15)
    """
    units, activation = (1, "sigmoid") if classes == 2 else (classes, "softmax")
    return Sequential([Input((inputs,)), Dense(units, activation, **options)], name="logistic_regression")


def mlp(
    input_shape: Any,
    hidden: Sequence[int] = (64,),
    outputs: int = 1,
    *,
    activation: Any = "relu",
    output_activation: Any = "auto",
    dropout: float = 0.0,
) -> Sequential:
    """Dense layers one after another: a multilayer perceptron.

    Parameters
    ----------
    input_shape
        Of a sample, or the number of its features; an image is made flat.
    hidden
        The units of each hidden layer.
    outputs
        The units of the last.
    activation, output_activation
        Of the hidden layers and of the last: "auto" is a softmax, or a sigmoid for one unit; None for a
        regression.
    dropout
        The rate after each hidden layer.

    >>> from tinygrad_edu import nn
    >>> nn.models.mlp((28, 28), (1024, 512), 10).count_params()
    1333770
    """
    shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
    layers: list[Any] = [Input(shape)] + ([Flatten()] if len(shape) > 1 else [])
    for units in hidden:
        layers.append(Dense(units, activation))
        if dropout:
            layers.append(Dropout(dropout))
    return Sequential([*layers, _head(outputs, output_activation)], name="mlp")


def cnn(
    input_shape: Any,
    filters: Sequence[int] = (6, 16),
    hidden: Sequence[int] = (1024, 512),
    outputs: int = 10,
    *,
    kernel_size: Any = 3,
    padding: str = "valid",
    activation: Any = "relu",
    output_activation: Any = "auto",
    dropout: float = 0.0,
) -> Sequential:
    """Convolutions, each with a pooling by 2, and then Dense layers.

    The arguments are those of ``mlp``; ``filters``, ``kernel_size`` and ``padding`` are the convolutions'.

    >>> from tinygrad_edu import nn
    >>> nn.models.cnn((28, 28, 1)).count_params()
    941494
    """
    layers: list[Any] = [Input(input_shape)]
    for n in filters:
        layers += [Conv2D(n, kernel_size, padding=padding, activation=activation), MaxPooling2D(2)]
    layers.append(Flatten())
    for units in hidden:
        layers.append(Dense(units, activation))
        if dropout:
            layers.append(Dropout(dropout))
    return Sequential([*layers, _head(outputs, output_activation)], name="cnn")
