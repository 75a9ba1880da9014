"""Losses and optimizers against plain NumPy."""

import inspect
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, GradientError, ShapeError
from tinygrad_edu.nn.named import snake_case
from tinygrad_edu.testing import gradcheck

logits = hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(2, 5)), elements=st.floats(-20, 20))


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# -- losses --------------------------------------------------------------------------------------------


@given(x=logits, data=st.data())
def test_crossentropies_agree_with_their_definition_and_each_other(x, data):
    labels = np.array(data.draw(st.lists(st.integers(0, x.shape[1] - 1), min_size=len(x), max_size=len(x))))
    onehot = np.eye(x.shape[1])[labels]
    expected = -np.log(softmax(x)[np.arange(len(x)), labels]).mean()
    L = nn.losses
    probabilities = te.softmax(te.Tensor(x, requires_grad=True) * 1)
    for value in (
        L.SparseCategoricalCrossentropy(from_logits=True)(labels, x),
        L.SparseCategoricalCrossentropy(from_logits=True)(labels[:, None].astype(float), x),
        L.CategoricalCrossentropy(from_logits=True)(onehot, x),
        L.SparseCategoricalCrossentropy()(labels, probabilities),
        L.CategoricalCrossentropy()(onehot, probabilities),
        L.CategoricalCrossentropy()(onehot, softmax(x)),
    ):
        np.testing.assert_allclose(value.item(), expected, rtol=1e-9, atol=1e-12)


@given(x=logits, data=st.data())
def test_softmax_then_crossentropy_has_the_gradient_of_the_fused_loss(x, data):
    labels = np.array(data.draw(st.lists(st.integers(0, x.shape[1] - 1), min_size=len(x), max_size=len(x))))
    loss = nn.losses.SparseCategoricalCrossentropy
    a, b = te.Tensor(x, requires_grad=True), te.Tensor(x, requires_grad=True)
    loss()(labels, te.softmax(a * 1)).backward()
    loss(from_logits=True)(labels, b).backward()
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), atol=1e-12)


def test_probabilities_far_below_1e_7_still_teach_and_measure_alike_with_and_without_the_tape():
    x = te.Tensor([[0.0, 50.0]], requires_grad=True)
    loss = nn.losses.SparseCategoricalCrossentropy()
    value = loss([0], te.softmax(x * 1))
    value.backward()
    np.testing.assert_allclose(x.grad.numpy(), [[-1, 1]], rtol=1e-5)
    with te.no_grad():
        assert loss([0], te.softmax(x * 1)).item() == value.item() == pytest.approx(50)


@given(x=hnp.arrays(np.float64, (3, 2), elements=st.floats(-12, 12)), data=st.data())
def test_binary_crossentropy(x, data):
    t = data.draw(hnp.arrays(np.float64, (3, 2), elements=st.floats(0, 1)))
    p = 1 / (1 + np.exp(-x))
    expected = -(t * np.log(p) + (1 - t) * np.log1p(-p)).mean()
    loss = nn.losses.BinaryCrossentropy
    np.testing.assert_allclose(loss(from_logits=True)(t, x).item(), expected, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(loss()(t, p).item(), expected, rtol=1e-3, atol=1e-6)


def test_regression_losses_and_sample_weights():
    y, p = np.array([1.0, 2.0, 4.0]), np.array([[1.0], [4.0], [1.0]])
    assert nn.losses.get("mse")(y, p).item() == pytest.approx(13 / 3)
    assert nn.losses.get("mae")(y, p).item() == pytest.approx(5 / 3)
    assert nn.losses.get("mse")(y, p, sample_weight=[1, 0.5, 0]).item() == pytest.approx(2 / 3)
    assert nn.losses.get(lambda a, b: (a - b) ** 2)(y, te.Tensor(p)).item() == pytest.approx(13 / 3)


@pytest.mark.parametrize(
    ("loss", "y", "p", "kind", "text"),
    [
        ("mse", np.ones((3, 1)), np.ones((4, 1)), ShapeError, "not broadcast"),
        ("mse", np.ones(3), np.ones((4, 3)), ShapeError, "not broadcast"),
        (
            "sparse_categorical_crossentropy",
            [0, 3],
            np.full((2, 3), 1 / 3),
            DataError,
            "label 3 is out of range",
        ),
        ("sparse_categorical_crossentropy", [0, -1], np.full((2, 3), 1 / 3), DataError, "label -1"),
        ("sparse_categorical_crossentropy", [0, 0.5], np.full((2, 3), 1 / 3), DataError, "whole numbers"),
        (
            "sparse_categorical_crossentropy",
            np.eye(3)[:2],
            np.full((2, 3), 1 / 3),
            ShapeError,
            "one-hot rows use",
        ),
        ("categorical_crossentropy", [0, 1], np.full((2, 3), 1 / 3), ShapeError, "for class numbers use"),
        ("binary_crossentropy", [[2.0]], [[0.5]], DataError, "between 0 and 1"),
        ("mse", np.ones((0, 1)), np.ones((0, 1)), DataError, "empty"),
    ],
)
def test_losses_name_what_does_not_fit(loss, y, p, kind, text):
    with pytest.raises(kind, match=text):
        nn.losses.get(loss)(y, p)


# The definition of each loss, for rows t and p, in plain NumPy.
DEFINED = {
    "mean_squared_error": lambda t, p: np.mean((p - t) ** 2, -1),
    "mean_absolute_error": lambda t, p: np.mean(np.abs(p - t), -1),
    "mean_absolute_percentage_error": lambda t, p: (
        100 * np.mean(np.abs(p - t) / np.maximum(abs(t), 1e-7), -1)
    ),
    "mean_squared_logarithmic_error": lambda t, p: np.mean((np.log1p(p) - np.log1p(t)) ** 2, -1),
    "huber": lambda t, p: np.mean(np.where(abs(p - t) < 1, (p - t) ** 2 / 2, abs(p - t) - 0.5), -1),
    "log_cosh": lambda t, p: np.mean(np.log(np.cosh(p - t)), -1),
    "poisson": lambda t, p: np.mean(p - t * np.log(p), -1),
    "cosine_similarity": lambda t, p: (
        -np.sum(t * p, -1) / (np.linalg.norm(t, axis=-1) * np.linalg.norm(p, axis=-1))
    ),
    "kl_divergence": lambda t, p: np.sum(t * np.log(t / p), -1),
    "binary_crossentropy": lambda t, p: -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p), -1),
    "categorical_crossentropy": lambda t, p: -np.sum(t * np.log(p / p.sum(-1, keepdims=True)), -1),
    "binary_focal_crossentropy": lambda t, p: (
        -np.mean((t * (1 - p) + (1 - t) * p) ** 2 * (t * np.log(p) + (1 - t) * np.log(1 - p)), -1)
    ),
    "categorical_focal_crossentropy": lambda t, p: (
        -0.25 * np.sum((1 - (q := p / p.sum(-1, keepdims=True))) ** 2 * t * np.log(q), -1)
    ),
    "dice": lambda t, p: 1 - 2 * np.sum(t * p) / (np.sum(t) + np.sum(p)),
    "tversky": lambda t, p: 1 - np.sum(t * p) / np.sum(t * p + 0.5 * t * (1 - p) + 0.5 * (1 - t) * p),
}
shares = hnp.arrays(np.float64, (3, 4), elements=st.floats(0.05, 0.95))


@pytest.mark.parametrize("name", DEFINED)
@given(t=shares, p=shares)
def test_losses_agree_with_their_definition(name, t, p):
    expected = DEFINED[name](t, p)
    np.testing.assert_allclose(getattr(nn.losses, name)(t, p).numpy(), expected, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(nn.losses.get(name)(t, p).item(), np.mean(expected), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("name", DEFINED)
@given(seed=st.integers(0, 1000))
def test_losses_learn_by_their_slope(name, seed):
    rng = np.random.default_rng(seed)
    t, loss = rng.uniform(0.2, 0.8, (3, 4)), nn.losses.get(name)
    p = np.clip(t + rng.choice([-1, 1], t.shape) * rng.uniform(0.02, 0.6, t.shape), 0.1, 0.9)
    w = rng.uniform(0, 2, 3) if name not in ("dice", "tversky") else None
    assert gradcheck(lambda p: loss(t, p, w), p)


@pytest.mark.parametrize("name", DEFINED)
def test_functions_let_gradients_into_both(name):
    rng = np.random.default_rng(0)
    t, p = rng.uniform(0.1, 0.9, (2, 3, 4))
    function = getattr(nn.losses, name)
    assert gradcheck(lambda t, p: function(t, p), [t, p])
    with pytest.raises(ArgumentError, match="arguments swapped"):
        nn.losses.get(name)(te.Tensor(t, requires_grad=True), p)


@given(t=shares, p=shares, w=hnp.arrays(np.float64, 3, elements=st.floats(0, 3)))
def test_reductions(t, p, w):
    each = DEFINED["mean_squared_error"](t, p)
    for reduction, plain, weighted in (
        ("sum_over_batch_size", each.mean(), (each * w).mean()),
        ("mean", each.mean(), (each * w).mean()),
        ("mean_with_sample_weight", each.mean(), (each * w).sum() / w.sum() if w.any() else 0.0),
        ("sum", each.sum(), (each * w).sum()),
        ("none", each, each * w),
        (None, each, each * w),
    ):
        loss = nn.losses.MeanSquaredError(reduction)
        np.testing.assert_allclose(loss(t, p).numpy(), plain, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(loss(t, p, w).numpy(), weighted, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(loss(t, p, w[:, None]).numpy(), weighted, rtol=1e-9, atol=1e-15)


def test_weights_belong_to_samples_or_to_their_parts():
    t, p = np.random.default_rng(0).random((2, 3, 4, 5))
    loss = nn.losses.MeanSquaredError("none")
    each = ((p - t) ** 2).mean(-1)
    for shape in ((3,), (3, 1), (3, 4), (3, 4, 1)):
        w = np.random.default_rng(1).random(shape)
        expected = each * w.reshape(w.shape[:2] if w.ndim > 1 else (3, 1))
        np.testing.assert_allclose(loss(t, p, w).numpy(), expected)
    for shape in ((4,), (1,), (3, 3), (3, 4, 5), (1, 4)):
        with pytest.raises(ShapeError, match="sample_weight is"):
            loss(t, p, np.ones(shape))
    with pytest.raises(ShapeError, match="the one loss of the whole batch"):
        nn.losses.Dice()(t, p, np.ones(3))


@pytest.mark.parametrize("from_logits", [False, True])
def test_an_ignored_class_is_as_if_it_were_not_there(from_logits):
    rng = np.random.default_rng(0)
    labels, x = np.array([0, -1, 2, -1, 1]), rng.standard_normal((5, 3))
    y = x if from_logits else softmax(x)
    loss = nn.losses.SparseCategoricalCrossentropy(from_logits, ignore_class=-1)
    w = rng.random(5)
    for weights, rest in ((None, None), (w, w[labels >= 0])):
        kept = nn.losses.SparseCategoricalCrossentropy(from_logits)(labels[labels >= 0], y[labels >= 0], rest)
        np.testing.assert_allclose(loss(labels, y, weights).item(), kept.item())
        for each in (loss, kept_loss := nn.losses.SparseCategoricalCrossentropy(from_logits)):
            each.reduction = "mean_with_sample_weight"
        kept = kept_loss(labels[labels >= 0], y[labels >= 0], rest)
        np.testing.assert_allclose(loss(labels, y, weights).item(), kept.item())
        loss.reduction = "mean"
    y[labels < 0] = np.nan if from_logits else 0.0
    p = te.Tensor(y, requires_grad=True)
    value = loss(labels[:, None], p)
    value.backward()
    assert np.isfinite(value.item())
    assert (p.grad.numpy()[labels < 0] == 0).all()
    assert loss([-1, -1], x[:2] if from_logits else softmax(x)[:2]).item() == 0


def test_label_smoothing_mixes_the_targets():
    x, onehot = np.random.default_rng(0).standard_normal((4, 3)), np.eye(3)[[0, 2, 1, 1]]
    L = nn.losses
    np.testing.assert_allclose(
        L.CategoricalCrossentropy(True, 0.3)(onehot, x).item(),
        L.CategoricalCrossentropy()(0.7 * onehot + 0.1, softmax(x)).item(),
    )
    np.testing.assert_allclose(
        L.BinaryCrossentropy(True, 0.3)(onehot, x).item(),
        L.BinaryCrossentropy()(0.7 * onehot + 0.15, 1 / (1 + np.exp(-x))).item(),
    )


def test_axis_says_where_the_classes_are():
    x, labels = (
        np.random.default_rng(0).standard_normal((4, 3, 5)),
        np.random.default_rng(1).integers(0, 3, (4, 5)),
    )
    onehot = np.moveaxis(np.eye(3)[labels], -1, 1)
    expected = nn.losses.sparse_categorical_crossentropy(labels, np.moveaxis(x, 1, -1), True).numpy()
    for value in (
        nn.losses.sparse_categorical_crossentropy(labels, x, True, axis=1),
        nn.losses.sparse_categorical_crossentropy(labels[:, None], x, True, axis=1),
        nn.losses.categorical_crossentropy(onehot, x, True, axis=1),
    ):
        np.testing.assert_allclose(value.numpy(), expected)


def test_focal_losses_without_focus_are_cross_entropies_and_hold_for_any_logit():
    x, onehot = np.random.default_rng(0).standard_normal((4, 3)) * 5, np.eye(3)[[0, 2, 1, 1]]
    L = nn.losses
    np.testing.assert_allclose(
        L.binary_focal_crossentropy(onehot, x, gamma=0.0, from_logits=True).numpy(),
        L.binary_crossentropy(onehot, x, from_logits=True).numpy(),
    )
    np.testing.assert_allclose(
        L.categorical_focal_crossentropy(onehot, x, 1.0, 0.0, from_logits=True).numpy(),
        L.categorical_crossentropy(onehot, x, from_logits=True).numpy(),
    )
    sigmoid = 1 / (1 + np.exp(-x))
    for balanced in (False, True):
        plain = L.binary_focal_crossentropy(onehot, sigmoid, balanced, 0.3, 1.5).numpy()
        fused = L.binary_focal_crossentropy(onehot, x, balanced, 0.3, 1.5, from_logits=True).numpy()
        np.testing.assert_allclose(fused, plain, rtol=1e-5)
        q = onehot * sigmoid + (1 - onehot) * (1 - sigmoid)
        share = (onehot * 0.3 + (1 - onehot) * 0.7) if balanced else 1
        np.testing.assert_allclose(plain, np.mean(-share * (1 - q) ** 1.5 * np.log(q), -1), rtol=1e-5)
    for gamma in (0.5, 2.0):
        for loss in (L.BinaryFocalCrossentropy, L.CategoricalFocalCrossentropy):
            p = te.Tensor([[1000.0, -1000.0], [-1000.0, 1000.0]], requires_grad=True)
            value = loss(gamma=gamma, from_logits=True)([[1.0, 0.0], [1.0, 0.0]], p)
            value.backward()
            assert np.isfinite(value.item())
            assert np.isfinite(p.grad.numpy()).all()


def test_overlap_of_each_mask_and_what_it_costs_to_miss():
    rng = np.random.default_rng(0)
    t, p = rng.integers(0, 2, (3, 4, 5)), rng.random((3, 4, 5))
    m, missed, wrong = ((x).sum((1, 2)) for x in (t * p, t * (1 - p), (1 - t) * p))
    expected = 1 - m / (m + 0.7 * missed + 0.2 * wrong)
    np.testing.assert_allclose(nn.losses.tversky(t, p, 0.7, 0.2, (1, 2)).numpy(), expected, rtol=1e-6)
    loss = nn.losses.Tversky(0.7, 0.2, axis=[1, 2])
    np.testing.assert_allclose(loss(t, p, [1.0, 0.0, 0.0]).item(), expected[0] / 3, rtol=1e-6)
    dice = 1 - 2 * m / (t.sum((1, 2)) + p.sum((1, 2)))
    np.testing.assert_allclose(nn.losses.Dice(axis=(1, 2), reduction=None)(t, p).numpy(), dice, rtol=1e-6)


def test_a_vector_of_zeros_has_no_direction():
    p = te.Tensor([[0.0, 0.0], [1.0, 0.0]], requires_grad=True)
    loss = nn.losses.cosine_similarity([[1.0, 0.0], [0.0, 0.0]], p)
    loss.sum().backward()
    np.testing.assert_array_equal(loss.numpy(), 0)
    assert np.isfinite(p.grad.numpy()).all()


@pytest.mark.parametrize("name", sorted(n for n in DEFINED if n not in ("dice", "tversky")))
def test_shapes_and_dtypes(name):
    loss, rng = nn.losses.get(name), np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        t, p = rng.uniform(0.1, 0.9, (2, 6, 8)).astype(dtype)
        value = loss(t, p)
        assert (value.shape, value.dtype) == ((), dtype)
        apart = np.zeros((12, 8), dtype)[::2]
        apart[...] = p
        assert loss(t, np.asfortranarray(p)).item() == pytest.approx(value.item(), rel=1e-6)
        assert loss(t[:, ::2], apart[:, ::2]).item() == pytest.approx(
            loss(t[:, ::2].copy(), p[:, ::2].copy()).item(), rel=1e-6
        )
        assert loss(t[:1], p[:1]).item() == pytest.approx(getattr(nn.losses, name)(t, p).numpy()[0], rel=1e-6)
    assert type(loss)(dtype="float64")(t.astype("f4"), p.astype("f4")).dtype == np.float64
    with pytest.raises(DataError, match="the batch is empty"):
        loss(t[:0], p[:0])


def test_targets_come_to_a_loss_of_ones_own_as_floats():
    seen = []

    def mine(y_true, y_pred):
        seen.append(y_true.dtype)
        return (2 * y_true - 1) * y_pred  # of uint8 that would be 255

    value = nn.losses.get(mine)(np.array([0, 1], np.uint8), te.Tensor([[1.0], [3.0]]))
    assert (seen, value.item()) == ([np.float32], 1.0)
    with pytest.raises(ShapeError, match="every target was compared with every prediction"):
        nn.losses.get(lambda t, p: t[:, 0] - p)(np.ones((3, 1)), te.Tensor(np.ones((3, 1))))


LOSSES = [cls for cls in nn.losses.Loss.classes.values() if cls.__module__.startswith("tinygrad_edu.")]


@pytest.mark.parametrize("cls", LOSSES)
def test_a_loss_is_described_and_built_again(cls):
    arguments = {"reduction": "sum", "name": "mine"}
    for argument, value in (
        ("from_logits", True), ("label_smoothing", 0.1), ("gamma", 3.0), ("delta", 0.5), ("ignore_class", 2),
    ):  # fmt: skip
        if argument in inspect.signature(cls).parameters:
            arguments[argument] = value
    loss = cls(**arguments)
    description = json.loads(json.dumps(loss.describe()))
    again = nn.losses.get(description)
    assert type(again) is cls
    assert vars(again) == vars(loss)
    assert {name: description["config"][name] for name in arguments} == arguments
    assert type(nn.losses.get(snake_case(cls.__name__))) is cls
    function = getattr(nn.losses, snake_case(cls.__name__))
    assert type(nn.losses.get(function)) is cls


def test_a_loss_that_does_not_keep_its_arguments_says_so():
    class Steep(nn.losses.Loss):
        def __init__(self, power, **options):
            super().__init__(**options)
            self.exponent = power

    with pytest.raises(ArgumentError, match=r"'power' is no attribute; keep it as self\.power"):
        Steep(3).describe()


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: nn.losses.Huber(reduction="total"), ArgumentError, "unknown reduction 'total'"),
        (lambda: nn.losses.get("msee"), ArgumentError, "did you mean 'mse'"),
        (lambda: nn.losses.get(nn.losses.Huber), ArgumentError, r"is a class; write Huber\(\)"),
        (lambda: nn.losses.Huber()(["a"], [1.0]), DTypeError, "y_true must be numbers"),
        (
            lambda: nn.losses.BinaryCrossentropy(label_smoothing=2.0)([[1.0]], [[0.5]]),
            ArgumentError,
            "label_smoothing must lie",
        ),
        (lambda: nn.losses.BinaryCrossentropy()([[1.0]], [[3.0]]), DataError, "got 3 .*say from_logits=True"),
        (lambda: nn.losses.BinaryCrossentropy(True)([[2.0]], [[3.0]]), DataError, "targets must lie between"),
        (
            lambda: nn.losses.SparseCategoricalCrossentropy()([0], [[-1.0, 2.0]]),
            DataError,
            "got -1 .*say from_logits=True",
        ),
        (
            lambda: nn.losses.CategoricalCrossentropy()([[1.0, 0.0]], [[-1.0, 2.0]]),
            DataError,
            "say from_logits=True",
        ),
        (
            lambda: nn.losses.CategoricalCrossentropy(True)([[3.0, 0.0]], [[-1.0, 2.0]]),
            DataError,
            "targets must lie between 0 and 1, got 0 to 3",
        ),
        (lambda: nn.losses.CategoricalCrossentropy()([[1.0]], [[1.0]]), ShapeError, "always 1; use binary"),
        (lambda: nn.losses.Loss()([[1.0]], [[1.0]]), DTypeError, "has no `call` method"),
        (
            lambda: nn.Sequential([nn.Dense(1)]).compile("sgd", nn.losses.Huber(reduction="none")),
            ArgumentError,
            "reduction='none', and fit needs one number",
        ),
    ],
)
def test_losses_name_mistakes(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


# -- optimizers ----------------------------------------------------------------------------------------


def sgd(w, gradients, rate, momentum, nesterov):
    v = np.zeros_like(w)
    for g in gradients:
        v = momentum * v - rate * g
        w = w + (momentum * v - rate * g if nesterov else v)
    return w


def adam(w, gradients, rate, b1, b2, eps):
    m = v = np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        w = w - rate * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + eps)
    return w


@given(
    w=hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(-5, 5)),
    momentum=st.sampled_from([0.0, 0.9]), nesterov=st.booleans(), which=st.sampled_from(["sgd", "adam"]),
)  # fmt: skip
def test_optimizers_follow_their_formulas(w, momentum, nesterov, which):
    gradients = [np.cos(w * (k + 1)) for k in range(4)]
    p = te.Tensor(w.copy(), requires_grad=True)
    if which == "sgd":
        optimizer = nn.optimizers.SGD(0.1, momentum, nesterov, params=[p])
        expected = sgd(w, gradients, 0.1, momentum, nesterov)
    else:
        optimizer = nn.optimizers.Adam(0.1, params=[p])
        expected = adam(w, gradients, 0.1, 0.9, 0.999, 1e-7)
    for g in gradients:
        p.grad = te.Tensor(g)
        optimizer.step()
    np.testing.assert_allclose(p.numpy(), expected, rtol=1e-9, atol=1e-12)


def test_optimizer_state_goes_to_a_new_optimizer():
    def steps(p, optimizer, k):
        for _ in range(k):
            optimizer.zero_grad()
            ((p - 3) ** 2).sum().backward()
            optimizer.step()

    a = te.Tensor([1.0, 2.0], requires_grad=True)
    first = nn.optimizers.Adam(0.1, params=[a])
    steps(a, first, 3)
    b = te.Tensor(a.numpy().copy(), requires_grad=True)
    second = nn.optimizers.Adam(0.1, params=[b])
    second.load_state_dict(first.state_dict())
    steps(a, first, 3)
    steps(b, second, 3)
    np.testing.assert_array_equal(a.numpy(), b.numpy())
    with pytest.raises(ShapeError, match="another optimizer or model"):
        second.load_state_dict({"iterations": np.array(1)})


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: nn.optimizers.get("adm"), ArgumentError, "did you mean 'adam'"),
        (lambda: nn.optimizers.SGD(-1), ArgumentError, "at least 0"),
        (lambda: nn.optimizers.SGD(float("nan")), ArgumentError, "at least 0"),
        (lambda: nn.optimizers.SGD(momentum=1.5), ArgumentError, "below 1"),
        (lambda: nn.optimizers.SGD(params=[]), ArgumentError, "is the model built"),
        (lambda: nn.optimizers.SGD(params=[te.Tensor([1.0])]), ArgumentError, "require a gradient"),
        (lambda: nn.optimizers.SGD().step(), GradientError, "pass params="),
    ],
)
def test_optimizers_name_mistakes(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


def test_step_without_backward_and_backward_after_step():
    w = te.Tensor([1.0], requires_grad=True, name="w")
    optimizer = nn.optimizers.SGD(0.1, params=[w])
    with pytest.raises(GradientError, match=r"call loss.backward\(\) before it"):
        optimizer.step()
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(GradientError, match=r"w \(1,\) was changed in place"):
        loss.backward()
