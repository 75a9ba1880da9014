"""The models, where Keras has them, and those that the course builds: VAE, UNet, mlp, cnn."""

from ..model import Model
from ..saving import clone_model, load_model, model_from_json, save_model
from ..sequential import Sequential
from .simple import cnn, logistic_regression, mlp
from .unet import UNet
from .vae import VAE

__all__ = [
    "VAE", "Model", "Sequential", "UNet", "clone_model", "cnn", "load_model", "logistic_regression", "mlp",
    "model_from_json", "save_model",
]  # fmt: skip
