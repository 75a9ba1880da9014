"""Computations for the explorer."""

import numpy as np

import tinygrad_edu as te
from tinygrad_edu import nn


def cnn_loss():
    te.seed(0)
    model = nn.Sequential(
        [
            nn.Input((28, 28, 1)),
            nn.Conv2D(3, 3, activation="relu"),
            nn.MaxPooling2D(2),
            nn.Flatten(),
            nn.Dense(16, activation="relu"),
            nn.Dense(10),
        ],
        name="cnn",
    )
    x = te.Tensor(np.random.default_rng(0).random((4, 28, 28, 1), dtype="f4"), name="images")
    loss = te.softmax_cross_entropy(model(x), np.arange(4)).mean()
    loss.name = "loss"
    return loss


def recurrent_loss():
    te.seed(0)
    model = nn.Sequential([nn.Input((64, 4)), nn.LSTM(8), nn.Dense(1)], name="net")
    x = te.Tensor(np.random.default_rng(0).normal(size=(2, 64, 4)).astype("f4"), name="series")
    loss = (model(x) ** 2).mean()
    loss.name = "loss"
    return loss


def broadcast_bias():
    """relu(x W + b), summed, with b broadcast; the loss and its parameters."""
    x = te.Tensor(np.arange(6.0).reshape(2, 3), dtype="f4", name="x")
    w = te.Tensor(np.linspace(-1, 1, 12).reshape(3, 4), dtype="f4", requires_grad=True, name="W")
    b = te.Tensor([0.1, 0.2, 0.3, 0.4], requires_grad=True, name="b")
    return te.relu(x @ w + b).sum(), {"W": w, "b": b}


def twin_loss():
    """One encoder for two inputs: a module whose values enter and leave it twice."""
    te.seed(0)
    encoder = nn.Sequential([nn.Input((4,)), nn.Dense(3, "tanh"), nn.Dense(2)], name="encoder")
    rng = np.random.default_rng(0)
    left = te.Tensor(rng.normal(size=(5, 4)).astype("f4"), name="left")
    right = te.Tensor(rng.normal(size=(5, 4)).astype("f4"), name="right")
    loss = ((encoder(left) - encoder(right)) ** 2).mean()
    loss.name = "distance"
    return loss


@np.errstate(all="ignore")
def odd_losses():
    """Computations with something uncommon in each."""
    x = te.Tensor(np.linspace(-2, 2, 200).reshape(20, 10), requires_grad=True, name="x")
    first, second = te.unstack(te.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="pair"))
    _, only = te.unstack(te.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="half used"))
    scalar = te.Tensor(0.0, requires_grad=True, name="s")
    return {
        "nan and infinity": (x * np.where(np.arange(200) % 2, np.nan, np.inf).reshape(20, 10)).sum(),
        "nothing but nan": (x * np.full((20, 10), np.nan)).sum(),
        "the second of two results": (only * only).sum(),
        "both results": (first * second).sum(),
        "no elements": (te.Tensor(np.ones((0, 3)), requires_grad=True, name="none") * 2.0).sum(),
        "a gradient of zero": (scalar * 3.0) ** 2,
        "whole numbers and truth": te.where(x > 0, x[:, ::-1], 0.0).sum() + x[np.array([0, 1])].sum(),
        "five axes": te.reshape(x, (2, 2, 5, 5, 2)).sum(axis=(0, 4)).max(),
        "used thrice": (x * x * x + x).mean(),
        "a gradient's gradient": te.grad((x**3).sum(), x, create_graph=True).sum(),
        "a parameter alone": scalar + 0.0,
    }
