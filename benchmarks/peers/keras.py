"""Keras: its layers' names and weights are the model for ours, so weights are taken over by path."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from ..harness import Job

Array = np.ndarray[Any, Any]


def take_weights(model: Any, weights: Mapping[str, Array], prefix: str = "") -> None:
    """Take our weights over; every layer that has some must bear the name of ours."""
    for layer in model.layers:
        path = f"{prefix}{layer.name}/"
        if hasattr(layer, "layers"):
            take_weights(layer, weights, path)
        elif layer.weights:
            layer.set_weights([weights[path + w.name] for w in layer.weights])


def optimizer_for(name: str, rate: float) -> Any:
    return keras.optimizers.SGD(rate) if name == "sgd" else keras.optimizers.Adam(rate)


def training(model: Any, optimizer: Any, loss: Any, x: Array, y: Array, checking: bool) -> Job:
    """Return the step of a compiled model. What it returns is a mean over steps, unless that is reset."""
    model.compile(optimizer, loss)

    def step() -> float:
        if checking:
            model.reset_metrics()
        return float(model.train_on_batch(x, y))

    return Job(step)
