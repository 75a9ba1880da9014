"""The models, where Keras has them: ``nn.models.Sequential``, ``nn.models.load_model``."""

from .saving import load_model
from .sequential import Sequential
from .training import Model

__all__ = ["Model", "Sequential", "load_model"]
