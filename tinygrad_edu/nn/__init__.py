"""Neural networks under Keras' names: ``from tinygrad_edu import nn as keras``.

>>> from tinygrad_edu import nn
>>> model = nn.Sequential([nn.Input((28, 28, 1)), nn.Conv2D(6, 3), nn.Flatten(), nn.Dense(10)])
>>> model.count_params()
40630
"""

from importlib import import_module
from typing import Any

from . import (
    activations,
    backend,
    blocks,
    callbacks,
    constraints,
    functional,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    saving,
    utils,
)
from .layers import *
from .losses import Loss
from .metrics import Metric
from .models import Model, Sequential, load_model
from .module import Module
from .onnx import export_onnx
from .parameter import Parameter

config = backend  # Keras has both names
Variable = Parameter


def __getattr__(name: str) -> Any:
    """Let nn.estimators be there without an import of its own; it needs scikit-learn, and nn doesn't."""
    if name == "estimators":
        return import_module(f"{__name__}.estimators")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Loss",
    "Metric",
    "Model",
    "Module",
    "Parameter",
    "Sequential",
    "Variable",
    "activations",
    "backend",
    "blocks",
    "callbacks",
    "config",
    "constraints",
    "export_onnx",
    "functional",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "random",
    "regularizers",
    "saving",
    "utils",
    *layers.__all__,
]
