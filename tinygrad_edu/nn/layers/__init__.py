"""The layers, one file a family."""

from .base import Input, Layer
from .core import Activation, Dense, Flatten, ReLU, Reshape, Softmax
from .images import AveragePooling2D, AvgPool2D, Conv2D, MaxPool2D, MaxPooling2D
from .regularization import Dropout

__all__ = [
    "Activation",
    "AveragePooling2D",
    "AvgPool2D",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "Layer",
    "MaxPool2D",
    "MaxPooling2D",
    "ReLU",
    "Reshape",
    "Softmax",
]
