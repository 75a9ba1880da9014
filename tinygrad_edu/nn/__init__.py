"""Neural networks under Keras' names: ``from tinygrad_edu import nn as keras``.

>>> from tinygrad_edu import nn
>>> model = nn.Sequential([nn.Input((28, 28, 1)), nn.Conv2D(6, 3), nn.Flatten(), nn.Dense(10)])
>>> model.count_params()
40630
"""

from . import activations, callbacks, functional, initializers, layers, losses, metrics, optimizers
from .layers import *
from .module import Module, Parameter
from .saving import load_model
from .sequential import Sequential
from .training import Model

__all__ = [
    "Model",
    "Module",
    "Parameter",
    "Sequential",
    "activations",
    "callbacks",
    "functional",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "optimizers",
    *layers.__all__,
]
