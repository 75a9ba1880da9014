"""Optimizers and schedules: the same steps as Keras' from the same gradients."""

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import nn

OPTIMIZERS = [
    ("SGD", {"learning_rate": 0.1}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {}),
    ("Adam", {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}),
    ("Adam", {"learning_rate": 0.01, "amsgrad": True}),
    ("AdamW", {"learning_rate": 0.1}),
    ("RMSprop", {"learning_rate": 0.01}),
    ("RMSprop", {"learning_rate": 0.01, "momentum": 0.9, "centered": True, "rho": 0.8}),
    ("Adagrad", {"learning_rate": 0.1}),
    ("Adadelta", {"learning_rate": 1.0}),
    ("Lion", {"learning_rate": 0.01, "weight_decay": 0.1}),
    ("Adam", {"learning_rate": 0.01, "clipvalue": 0.5}),
    ("Adam", {"learning_rate": 0.01, "clipnorm": 0.5}),
    ("SGD", {"learning_rate": 0.1, "global_clipnorm": 0.5}),
]

SCHEDULES = [
    ("ExponentialDecay", (0.1, 10, 0.5)),
    ("ExponentialDecay", (0.1, 10, 0.5, True)),
    ("PiecewiseConstantDecay", ([3, 9], [0.1, 0.05, 0.01])),
    ("PolynomialDecay", (0.1, 20, 0.01, 2.0)),
    ("PolynomialDecay", (0.1, 20, 0.01, 1.0, True)),
    ("InverseTimeDecay", (0.1, 10, 0.5)),
    ("CosineDecay", (0.1, 50, 0.1)),
    ("CosineDecay", (0.01, 50, 0.0, "cosine_decay", 0.1, 10)),
    ("CosineDecayRestarts", (0.1, 10, 2.0, 0.5, 0.1)),
    ("CosineDecayRestarts", (0.1, 10, 1.0)),
]


@pytest.mark.parametrize(("name", "arguments"), OPTIMIZERS, ids=str)
def test_the_same_steps(keras, name, arguments):
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(shape).astype("f4") for shape in ((3, 4), (4,))]
    ours = [te.Tensor(w.copy(), requires_grad=True) for w in start]
    theirs = [keras.Variable(w) for w in start]
    optimizer = getattr(nn.optimizers, name)(**arguments)
    keras_optimizer = getattr(keras.optimizers, name)(**arguments)
    for _ in range(10):
        gradients = [rng.standard_normal(w.shape).astype("f4") for w in start]
        optimizer.apply(gradients, ours)
        keras_optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], theirs)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(
                a.data, keras.ops.convert_to_numpy(b), rtol=2e-5, atol=1e-5
            )  # ten float32 steps of up to 0.1


@pytest.mark.parametrize(("name", "arguments"), SCHEDULES, ids=str)
def test_the_same_rates(keras, name, arguments):
    theirs = getattr(keras.optimizers.schedules, name)(*arguments)
    ours = getattr(nn.optimizers.schedules, name)(*(a for a in arguments if a != "cosine_decay"))
    for step in (*range(45), 60, 61, 100):
        if name == "CosineDecayRestarts" and step in (10, 30):
            continue  # at the restart itself float32 decides on which side Keras is
        got = float(keras.ops.convert_to_numpy(theirs(step)))
        assert ours(step) == pytest.approx(got, rel=1e-4, abs=1e-7), step


def test_defaults_are_keras(keras):
    for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Lion"):
        ours, theirs = getattr(nn.optimizers, name)(), getattr(keras.optimizers, name)().get_config()
        for key, value in ours.get_config().items():
            assert theirs[key] == pytest.approx(value), f"{name}: {key}"
