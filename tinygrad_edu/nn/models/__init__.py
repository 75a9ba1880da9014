"""The models, where Keras has them, and those that the course builds: VAE, UNet, mlp, cnn."""

from ..model import Model
from ..saving import load_model
from ..sequential import Sequential
from .simple import cnn, logistic_regression, mlp
from .unet import UNet
from .vae import VAE

__all__ = ["VAE", "Model", "Sequential", "UNet", "cnn", "load_model", "logistic_regression", "mlp"]
