"""What the tests of metrics share: targets with predictions of each kind, and a metric's result."""

import numpy as np


def rows(rng, n, classes=4):
    p = rng.random((n, classes))
    return p / p.sum(-1, keepdims=True)


def numbers(rng, n):
    return rng.normal(0, 2, (n, 3)), rng.normal(0, 2, (n, 3))


def yes(rng, n):
    return rng.integers(0, 2, (n, 3)), rng.random((n, 3))


def one_hot(rng, n):
    return np.eye(4)[rng.integers(0, 4, n)], rows(rng, n)


def classes(rng, n):
    return rng.integers(0, 4, n), rows(rng, n)


def labels(rng, n):
    return rng.integers(0, 3, (n, 5)), rng.integers(0, 3, (n, 5))


def measured(metric, *batch):
    metric.update_state(*batch)
    return metric.result().numpy()
