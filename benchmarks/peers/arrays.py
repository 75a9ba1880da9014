"""MyGrad and HIPS autograd: gradients for NumPy code, with no optimizers, so those are NumPy code too."""

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Optimizer:
    """SGD or Adam on a dict of arrays, in place."""

    def __init__(self, name: str, rate: float, weights: Mapping[str, Array]) -> None:
        self.name, self.rate, self.t = name, rate, 0
        self.m = {path: np.zeros_like(w) for path, w in weights.items()}
        self.v = {path: np.zeros_like(w) for path, w in weights.items()}

    def step(self, weights: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        self.t += 1
        size = self.rate * (1 - 0.999**self.t) ** 0.5 / (1 - 0.9**self.t)
        for path, w in weights.items():
            g = gradients[path]
            if self.name == "sgd":
                w -= self.rate * g
                continue
            m, v = self.m[path], self.v[path]
            m *= 0.9
            m += 0.1 * g
            v *= 0.999
            v += 0.001 * g * g
            w -= size * m / (np.sqrt(v) + 1e-7)
