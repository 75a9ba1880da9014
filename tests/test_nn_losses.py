"""Losses, optimizers and metrics against plain NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, DataError, GradientError, ShapeError

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


# -- metrics -------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 1000), n=st.integers(1, 20), cut=st.integers(1, 19))
def test_accuracies_do_not_depend_on_the_batches(seed, n, cut):
    rng = np.random.default_rng(seed)
    p, y = rng.random((n, 3)), rng.integers(0, 3, n)
    expected = (p.argmax(1) == y).mean()
    sparse, onehot = nn.metrics.get("sparse_categorical_accuracy"), nn.metrics.get("categorical_accuracy")
    either = nn.metrics.get("accuracy")
    for part in (slice(0, cut), slice(cut, None)):
        if len(p[part]):
            sparse.update_state(y[part], p[part])
            either.update_state(y[part], p[part])
            onehot.update_state(np.eye(3)[y[part]], p[part])
    assert sparse.result() == onehot.result() == either.result() == pytest.approx(expected)


def test_accuracy_of_yes_or_no_answers_knows_logits():
    y, z = np.array([1, 0, 1]), np.array([[0.2], [-0.2], [-1.0]])
    plain = nn.metrics.get("accuracy", nn.losses.BinaryCrossentropy())
    logit = nn.metrics.get("accuracy", nn.losses.BinaryCrossentropy(from_logits=True))
    for metric in (plain, logit):
        metric.update_state(y, z)
    assert logit.result() == pytest.approx(2 / 3)
    assert plain.result() == pytest.approx(1 / 3)


def test_unknown_metric():
    with pytest.raises(ArgumentError, match="did you mean 'accuracy'"):
        nn.metrics.get("acuracy")
