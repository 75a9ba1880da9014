"""Each loss beside Keras' own: values, weights, reductions, gradients."""

import numpy as np
import pytest
from side_by_side import TALLY, agree, array, both

import tinygrad_edu as te
from tinygrad_edu import nn


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# What a loss compares: how targets and predictions of a shape are drawn.
DRAWN = {
    "numbers": lambda rng, shape: (rng.normal(0, 2, shape), rng.normal(0, 2, shape)),
    "positive": lambda rng, shape: (rng.uniform(0, 5, shape), rng.uniform(0.1, 5, shape)),
    "signs": lambda rng, shape: (rng.choice([-1, 1], shape), rng.normal(0, 2, shape)),
    "yes": lambda rng, shape: (rng.integers(0, 2, shape), rng.uniform(0.01, 0.99, shape)),
    "soft yes": lambda rng, shape: (rng.uniform(0, 1, shape), rng.uniform(0.01, 0.99, shape)),
    "yes, logits": lambda rng, shape: (rng.integers(0, 2, shape), rng.normal(0, 3, shape)),
    "rows": lambda rng, shape: (softmax(rng.normal(0, 1, shape)), softmax(rng.normal(0, 2, shape))),
    "one-hot": lambda rng, shape: (one_hot(rng, shape), softmax(rng.normal(0, 2, shape))),
    "one-hot, scores": lambda rng, shape: (one_hot(rng, shape), rng.uniform(0.1, 3, shape)),
    "one-hot, logits": lambda rng, shape: (one_hot(rng, shape), rng.normal(0, 3, shape)),
    "classes": lambda rng, shape: (rng.integers(0, shape[-1], shape[:-1]), softmax(rng.normal(0, 2, shape))),
    "classes, logits": lambda rng, shape: (rng.integers(0, shape[-1], shape[:-1]), rng.normal(0, 3, shape)),
    "some classes": lambda rng, shape: (rng.integers(-1, 3, shape[:-1]), softmax(rng.normal(0, 2, shape))),
    "some, logits": lambda rng, shape: (rng.integers(-1, 3, shape[:-1]), rng.normal(0, 3, shape)),
}


def one_hot(rng, shape):
    return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]


LOSSES = [
    ("losses.MeanSquaredError()", "numbers"),
    ("losses.MeanAbsoluteError()", "numbers"),
    ("losses.MeanAbsolutePercentageError()", "positive"),
    ("losses.MeanSquaredLogarithmicError()", "positive"),
    ("losses.MeanSquaredLogarithmicError()", "numbers"),
    ("losses.Huber()", "numbers"),
    ("losses.Huber(0.3)", "numbers"),
    ("losses.LogCosh()", "numbers"),
    ("losses.Poisson()", "positive"),
    ("losses.CosineSimilarity()", "numbers"),
    ("losses.CosineSimilarity(axis=1)", "numbers"),
    ("losses.Hinge()", "signs"),
    ("losses.Hinge()", "yes, logits"),
    ("losses.SquaredHinge()", "signs"),
    ("losses.CategoricalHinge()", "one-hot, logits"),
    ("losses.KLDivergence()", "rows"),
    ("losses.BinaryCrossentropy()", "yes"),
    ("losses.BinaryCrossentropy(False, 0.1)", "soft yes"),
    ("losses.BinaryCrossentropy(from_logits=True)", "yes, logits"),
    ("losses.BinaryCrossentropy(True, 0.2)", "yes, logits"),
    ("losses.BinaryCrossentropy(axis=1)", "yes"),
    ("losses.CategoricalCrossentropy()", "one-hot"),
    ("losses.CategoricalCrossentropy()", "one-hot, scores"),
    ("losses.CategoricalCrossentropy()", "rows"),
    ("losses.CategoricalCrossentropy(False, 0.1)", "one-hot"),
    ("losses.CategoricalCrossentropy(from_logits=True)", "one-hot, logits"),
    ("losses.CategoricalCrossentropy(True, 0.2)", "one-hot, logits"),
    ("losses.SparseCategoricalCrossentropy()", "classes"),
    ("losses.SparseCategoricalCrossentropy(True)", "classes, logits"),
    ("losses.SparseCategoricalCrossentropy(False, -1)", "some classes"),
    ("losses.SparseCategoricalCrossentropy(True, ignore_class=-1)", "some, logits"),
    ("losses.BinaryFocalCrossentropy()", "yes"),
    ("losses.BinaryFocalCrossentropy(True, 0.3, 1.5)", "yes"),
    ("losses.BinaryFocalCrossentropy(gamma=3.0, from_logits=True, label_smoothing=0.1)", "yes, logits"),
    ("losses.CategoricalFocalCrossentropy()", "one-hot"),
    ("losses.CategoricalFocalCrossentropy(0.5, 1.5, label_smoothing=0.1)", "one-hot"),
    ("losses.CategoricalFocalCrossentropy(gamma=3.0, from_logits=True)", "one-hot, logits"),
    ("losses.Dice()", "yes"),
    ("losses.Dice(axis=-1)", "yes"),
    ("losses.Tversky()", "yes"),
    ("losses.Tversky(0.3, 0.7, axis=-1)", "yes"),
]
REDUCTIONS = ["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None]


def draw(kind, rng, shape):
    """Return targets, of whole numbers where they are that, and float32 predictions."""
    y_true, y_pred = DRAWN[kind](rng, shape)
    return y_true.astype("f4") if y_true.dtype.kind == "f" else y_true, y_pred.astype("f4")


def compared(ours, theirs, y_true, y_pred, weights, what):
    """Compare the value, and the gradient of a random sum of what comes out."""
    import torch

    mine, yours = te.Tensor(y_pred, requires_grad=True), torch.tensor(y_pred, requires_grad=True)
    arguments = [] if weights is None else [weights]
    a, b = ours(y_true, mine, *arguments), theirs(torch.tensor(y_true.astype("f4")), yours, *arguments)
    agree(a, b, what)
    share = np.random.default_rng(3).standard_normal(a.shape).astype("f4")
    (a * share).sum().backward()
    (b * torch.tensor(share)).sum().backward()
    agree(mine.grad, yours.grad, f"{what}: gradient")


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("source", "drawn"), LOSSES)
def test_losses(keras, source, drawn, reduction):
    theirs, ours = both(keras, source)
    assert ours.name == theirs.name
    theirs.reduction = ours.reduction = reduction
    TALLY.sources.add(f"{source}, reduction={reduction!r}")
    rng = np.random.default_rng(0)
    for shape in ((6, 5), (1, 5), (4, 3, 5)):
        y_true, y_pred = draw(drawn, rng, shape)
        losses = ours.call(y_true, te.Tensor(y_pred))
        for weights in (None, rng.uniform(0, 2, losses.shape).astype("f4")):
            compared(ours, theirs, y_true, y_pred, weights, f"{source} {drawn} {shape} {reduction}")


@pytest.mark.parametrize(
    "source",
    ["losses.MeanSquaredError()", "losses.Huber()", "losses.BinaryCrossentropy()", "losses.Hinge()"],
)
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none"])
def test_targets_of_one_axis_beside_predictions_of_two(keras, source, reduction):
    theirs, ours = both(keras, source)
    theirs.reduction = ours.reduction = reduction
    rng = np.random.default_rng(0)
    y_true, y_pred = draw("yes", rng, (7,))
    weights = rng.uniform(0, 2, 7).astype("f4")
    for w in (None, weights):
        compared(ours, theirs, y_true, y_pred[:, None], w, f"{source} {reduction}")
        compared(ours, theirs, y_true[:, None], y_pred, w, f"{source} {reduction}")
    y_true, y_pred = draw("yes", rng, (4, 3))
    compared(ours, theirs, y_true, y_pred[..., None], None, f"{source} {reduction}")
    compared(ours, theirs, y_true[..., None], y_pred, None, f"{source} {reduction}")


FUNCTIONS = [
    ("losses.mean_squared_error", "numbers"),
    ("losses.mean_absolute_error", "numbers"),
    ("losses.mean_absolute_percentage_error", "positive"),
    ("losses.mean_squared_logarithmic_error", "positive"),
    ("losses.huber", "numbers"),
    ("losses.log_cosh", "numbers"),
    ("losses.poisson", "positive"),
    ("losses.cosine_similarity", "numbers"),
    ("losses.hinge", "signs"),
    ("losses.squared_hinge", "signs"),
    ("losses.categorical_hinge", "one-hot, logits"),
    ("losses.kl_divergence", "rows"),
    ("losses.binary_crossentropy", "yes"),
    ("losses.categorical_crossentropy", "one-hot"),
    ("losses.sparse_categorical_crossentropy", "classes"),
    ("losses.binary_focal_crossentropy", "yes"),
    ("losses.categorical_focal_crossentropy", "one-hot"),
    ("losses.dice", "yes"),
    ("losses.tversky", "yes"),
]


@pytest.mark.parametrize(("source", "drawn"), FUNCTIONS)
def test_functions_give_a_loss_for_each_sample(keras, source, drawn):
    theirs, ours = both(keras, source)
    rng = np.random.default_rng(1)
    for shape in ((6, 5), (2, 3, 5), (5,)):
        if shape == (5,) and drawn == "classes":
            continue
        y_true, y_pred = draw(drawn, rng, shape)
        compared(ours, theirs, y_true, y_pred, None, f"{source} {shape}")
        loss = nn.losses.get(ours)
        agree(loss.call(y_true, te.Tensor(y_pred)), ours(y_true, y_pred), source)


ARGUMENTS = [
    ("lambda t, p: losses.binary_crossentropy(t, p, True, 0.1)", "yes, logits", (4, 3)),
    ("lambda t, p: losses.binary_crossentropy(t, p, from_logits=True, axis=0)", "yes, logits", (4, 3)),
    ("lambda t, p: losses.categorical_crossentropy(t, p, True, 0.1)", "one-hot, logits", (4, 3)),
    ("lambda t, p: losses.categorical_crossentropy(t, p, True, axis=1)", "one-hot, logits", (4, 3)),
    ("lambda t, p: losses.categorical_crossentropy(t.T, p.T, True, axis=0)", "one-hot, logits", (4, 3)),
    ("lambda t, p: losses.sparse_categorical_crossentropy(t, p, True, 1)", "classes, logits", (4, 3)),
    ("lambda t, p: losses.sparse_categorical_crossentropy(t, p.T, True, axis=0)", "classes, logits", (4, 3)),
    ("lambda t, p: losses.huber(t, p, 0.5)", "numbers", (4, 3)),
    ("lambda t, p: losses.cosine_similarity(t, p, axis=0)", "numbers", (4, 3)),
    ("lambda t, p: losses.dice(t, p, (0, 2))", "yes", (4, 3, 2)),
    ("lambda t, p: losses.tversky(t, p, 0.2, 0.8, (1, 2))", "yes", (4, 3, 2)),
]


@pytest.mark.parametrize(("source", "drawn", "shape"), ARGUMENTS)
def test_functions_arguments(keras, source, drawn, shape):
    theirs, ours = both(keras, source)
    y_true, y_pred = draw(drawn, np.random.default_rng(2), shape)
    compared(ours, theirs, y_true, y_pred, None, source)


NAMES = [
    "mse", "MSE", "mae", "mape", "msle", "bce", "BCE", "kld", "KLD", "huber", "Huber", "log_cosh", "LogCosh",
    "kl_divergence", "KLDivergence", "poisson", "cosine_similarity", "CosineSimilarity", "dice", "tversky",
    "squared_hinge",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_mean_the_same(keras, name):
    y_true, y_pred = draw("yes", np.random.default_rng(0), (5, 3))
    theirs, ours = keras.losses.get(name), nn.losses.get(name)
    agree(ours(y_true, y_pred), np.mean(array(theirs(y_true.astype("f4"), y_pred))), name)
