"""The layers, one file a family."""

from .base import Input, Layer
from .core import Activation, Dense, Flatten, ReLU, Reshape, Softmax
from .depthwise import DepthwiseConv2D, SeparableConv2D
from .enlarging import Conv2DTranspose, UpSampling2D
from .images import AveragePooling2D, AvgPool2D, Conv2D, MaxPool2D, MaxPooling2D
from .normalization import BatchNormalization, LayerNormalization
from .regularization import Dropout

__all__ = [
    "Activation",
    "AveragePooling2D",
    "AvgPool2D",
    "BatchNormalization",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Flatten",
    "Input",
    "Layer",
    "LayerNormalization",
    "MaxPool2D",
    "MaxPooling2D",
    "ReLU",
    "Reshape",
    "SeparableConv2D",
    "Softmax",
    "UpSampling2D",
]
