"""Losses at the edges: smoothed and ignored labels, huge errors, zeros, refused shapes and labels."""

import math

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Tensor, nn
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, ShapeError

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-3.0, 4.0, 1.0]])
LABELS = np.array([0, 2, 1])


def slope(function, *values):
    """Return the gradients of the sum of a function, in float64, as arrays."""
    leaves = [Tensor(np.array(v, np.float64), requires_grad=True) for v in values]
    return [g.data for g in te.grad(function(*leaves).sum(), leaves)]


# -- cross-entropies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_label_smoothing_is_the_mixture_written_out(share):
    log_p = LOGITS - np.log(np.exp(LOGITS).sum(axis=1, keepdims=True))
    expected = [-(1 - share) * log_p[i, t] - share * log_p[i].mean() for i, t in enumerate(LABELS)]
    onehot = np.eye(3)[LABELS]
    for targets in (LABELS, LABELS.astype(np.uint8), onehot, onehot.astype(int), Tensor(onehot)):
        losses = te.softmax_cross_entropy(Tensor(LOGITS), targets, label_smoothing=share)
        np.testing.assert_allclose(losses.data, expected, rtol=1e-14)
    (g,) = slope(lambda x: te.softmax_cross_entropy(x, LABELS, label_smoothing=share), LOGITS)
    np.testing.assert_allclose(g, np.exp(log_p) - (1 - share) * onehot - share / 3, atol=1e-15)


def test_ignored_rows_have_no_loss_and_no_gradient_whatever_stands_in_them():
    x = LOGITS.copy()
    x[1] = [np.nan, np.inf, -np.inf]
    labels = np.array([0, -100, 1])
    for options in ({}, {"label_smoothing": 0.2}):
        kept = te.softmax_cross_entropy(LOGITS, LABELS, **options)

        def loss(x, options=options):
            return te.softmax_cross_entropy(x, labels, ignore_index=-100, **options)

        assert loss(Tensor(x)).tolist() == [kept[0], 0, kept[2]]
        (g,) = slope(loss, x)
        (whole,) = slope(lambda x, options=options: te.softmax_cross_entropy(x, LABELS, **options), LOGITS)
        np.testing.assert_array_equal(g, np.where([[True], [False], [True]], whole, 0))


def test_all_rows_ignored():
    labels = np.full(3, 7)
    assert te.softmax_cross_entropy(LOGITS, labels, ignore_index=7).tolist() == [0, 0, 0]
    (g,) = slope(lambda x: te.softmax_cross_entropy(x, labels, ignore_index=7), LOGITS)
    assert not g.any()
    with pytest.raises(DataError, match="label 7 is out of range"):
        te.softmax_cross_entropy(LOGITS, labels, ignore_index=2, label_smoothing=0.1)


def test_cross_entropies_keep_float32_beside_whole_numbers():
    x = Tensor(LOGITS.astype(np.float32))
    for options in ({}, {"label_smoothing": 0.1}):
        assert te.softmax_cross_entropy(x, np.eye(3, dtype=int), **options).dtype == np.float32
        assert te.softmax_cross_entropy(x, LABELS, **options).dtype == np.float32
        assert te.sigmoid_cross_entropy(x, np.eye(3, dtype=bool), **options).dtype == np.float32


def test_yes_or_no_labels_smoothed():
    x, t = np.array([-2.0, 0.0, 3.0]), np.array([0.0, 1.0, 1.0])
    p, s = 1 / (1 + np.exp(-x)), t * 0.8 + 0.1
    expected = -s * np.log(p) - (1 - s) * np.log(1 - p)
    np.testing.assert_allclose(te.sigmoid_cross_entropy(x, t, label_smoothing=0.2), expected)
    assert te.sigmoid_cross_entropy(Tensor([1e4]), [0], label_smoothing=1.0).tolist() == [5000]


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: te.softmax_cross_entropy(LOGITS, np.eye(3), ignore_index=0), ArgumentError, "class numbers"),
        (lambda: te.softmax_cross_entropy(LOGITS, LABELS, label_smoothing=1.1), ArgumentError, "0 and 1"),
        (lambda: te.sigmoid_cross_entropy(LOGITS, LOGITS, label_smoothing=-1), ArgumentError, "0 and 1"),
        (lambda: te.softmax_cross_entropy(LOGITS, LABELS[:2], label_smoothing=0.1), ShapeError, "one label"),
        (lambda: te.nll(LOGITS, LABELS[:2]), ShapeError, "one label for each row"),
        (lambda: te.nll(LOGITS, LABELS + 1), DataError, "label 3 is out of range"),
        (lambda: te.nll(LOGITS, LABELS * 1.0), DTypeError, "whole numbers"),
        (lambda: te.mean_squared_error(np.ones(3), np.ones((3, 1))), ShapeError, "reshape y_true to"),
        (lambda: te.huber(np.ones((3, 1)), np.ones(3)), ShapeError, "not broadcast"),
        (lambda: te.kl_divergence(np.ones(3), np.ones((2, 3))), ShapeError, "kl_divergence: y_true is"),
        (lambda: te.gaussian_nll([1.0], [1.0], 1.0), ShapeError, r"variance is \(\), mean \(1,\)"),
        (lambda: te.gaussian_nll([1.0], [1.0], [-1.0]), DataError, "negative"),
        (lambda: te.gaussian_kl(np.ones(3), np.ones(2)), ShapeError, "log_variance"),
        (lambda: te.mean_squared_error(1.0, 2.0), ShapeError, "0 dimensions"),
        (lambda: te.mean_squared_error(np.array(["a"]), [1.0]), DTypeError, "must be numbers"),
        (lambda: te.hinge([0, 2], [1.0, 1.0]), DataError, "0 and 1, got 0"),
        (lambda: te.squared_hinge([-1, 0], [1.0, 1.0]), DataError, "-1 and 1, or 0 and 1"),
        (lambda: te.huber([1.0], [1.0], delta=-1.0), ArgumentError, "greater"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


# -- regression ----------------------------------------------------------------------------------------


def test_slopes_where_the_error_is_zero_or_delta():
    t, p = np.zeros(5), np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    assert (slope(lambda p: te.huber(t, p), p)[0] * 5).tolist() == [-1, -1, 0, 1, 1]
    assert (slope(lambda p: te.mean_absolute_error(t, p), p)[0] * 5).tolist() == [-1, -1, 0, 1, 1]
    np.testing.assert_allclose(slope(lambda p: te.log_cosh(t, p), p)[0] * 5, np.tanh(p), atol=1e-15)


@pytest.mark.parametrize("loss", [te.huber, te.log_cosh, te.mean_absolute_error])
def test_huge_errors_do_not_overflow(loss):
    p = Tensor(np.array([[1e30], [-1e30]], np.float32), requires_grad=True)
    with np.errstate(over="raise", invalid="raise"):
        y = loss(np.zeros((2, 1)), p)
        np.testing.assert_allclose(y.data, 1e30)
        assert te.grad(y.sum(), p).tolist() == [[1], [-1]]


def test_the_truth_takes_the_predictions_dtype():
    p = Tensor([[1.0, 3.0]], requires_grad=True)
    for t in (np.zeros((1, 2)), np.zeros((1, 2), int), [[0, 0]], [[False, False]]):
        assert te.mean_squared_error(t, p).dtype == np.float32
    assert te.mean_squared_error(np.zeros((1, 2), np.float32), p.data.astype(float)).dtype == np.float64
    assert te.mean_squared_error([[0, 2]], [[0, 1]]).tolist() == [0.5]  # whole numbers are no reason to round


def test_losses_of_layers_and_functions_are_the_same():
    y, p = np.arange(6.0).reshape(3, 2), Tensor(np.ones((3, 2)))
    assert nn.losses.get("mse")(y, p).item() == te.mean_squared_error(y, p).mean().item()
    assert nn.losses.get("mae")(y, p).item() == te.mean_absolute_error(y, p).mean().item()
    single = nn.losses.MeanSquaredError(reduction=None)
    assert single(np.arange(3.0), Tensor(np.ones(3))).tolist() == [1, 0, 1]  # each a sample of its own
    assert nn.losses.get(te.huber)(y, p).item() == te.huber(y, p).mean().item()


# -- margins, counts, distributions --------------------------------------------------------------------


def test_hinges_take_either_kind_of_labels():
    p = np.array([[0.5, 3.0, 1.0]])
    for loss, expected in ((te.hinge, 1.5 / 3), (te.squared_hinge, 2.25 / 3)):
        for t in ([[-1, 1, 1]], [[0, 1, 1]], [[0.0, 1.0, 1.0]], [[False, True, True]]):
            assert loss(t, p).item() == pytest.approx(expected)
    assert te.hinge([[1, 1]], [[0.0, 0.0]]).item() == 1  # ones alone mean the same either way
    assert slope(lambda p: te.hinge([[1.0, -1.0]], p), [[1.0, -1.0]])[0].tolist() == [[0, 0]]


def test_categorical_hinge_is_0_beyond_the_margin():
    t = np.eye(3)[[0, 1]]
    assert te.categorical_hinge(t, [[3.0, 1.5, 0.0], [0.5, 1.0, 0.0]]).tolist() == [0, 0.5]
    (g,) = slope(lambda p: te.categorical_hinge(t, p), [[3.0, 1.5, 0.0], [0.5, 1.0, 0.0]])
    assert g.tolist() == [[0, 0, 0], [1, -1, 0]]


def test_divergence_of_probabilities_with_zeros():
    t, p = np.array([[0.0, 1.0], [0.0, 1.0], [0.5, 0.5]]), np.array([[0.0, 1.0], [0.5, 0.5], [0.0, 1.0]])
    with np.errstate(divide="ignore"):
        assert te.kl_divergence(t, p).tolist() == [0, math.log(2), np.inf]
    (g,) = slope(lambda p: te.kl_divergence(t[:2], p), p[:2])
    assert g.tolist() == [[0, -1], [0, -2]]
    far = te.kl_divergence(np.array([[1.0]]), np.array([[1e-300]]))
    assert far.item() == pytest.approx(300 * math.log(10))  # not cut at 1e-7


def test_poisson_of_no_counts():
    assert te.poisson([[0.0, 0.0]], [[0.0, 2.0]]).tolist() == [1]
    assert slope(lambda p: te.poisson([[0.0, 3.0]], p), [[0.0, 3.0]])[0].tolist() == [[0.5, 0]]


def test_gaussian_losses():
    t, m, v = np.array([[1.0, -2.0]]), np.array([[0.5, 1.0]]), np.array([[2.0, 0.3]])
    density = np.exp(-((t - m) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v)
    expected = -np.log(density).mean()
    assert te.gaussian_nll(t, m, v, full=True).item() == pytest.approx(expected)
    assert te.gaussian_nll(t, m, v).item() == pytest.approx(expected - math.log(2 * math.pi) / 2)
    assert te.gaussian_nll([0.0], [0.0], [0.0]).item() == pytest.approx(math.log(1e-6) / 2)
    (g,) = slope(lambda v: te.gaussian_nll(t, m, v, epsilon=1.0), v)
    assert g[0, 0] != 0
    assert g[0, 1] == 0  # held at epsilon
    assert te.gaussian_kl(np.zeros((2, 3)), np.zeros((2, 3))).tolist() == [0, 0]
    small = te.gaussian_kl(Tensor([[0.0]]), Tensor([[1e-3]])).item()
    assert small == pytest.approx(2.5e-7, rel=1e-3)  # e^v - 1 - v in float32, taken apart, would be noise


def test_nll_is_the_second_half_of_the_cross_entropy():
    x = Tensor(LOGITS, requires_grad=True)
    halves, whole = te.nll(te.log_softmax(x), LABELS), te.softmax_cross_entropy(x, LABELS)
    np.testing.assert_allclose(halves.data, whole.data, rtol=1e-15)
    np.testing.assert_allclose(te.grad(halves.sum(), x).data, te.grad(whole.sum(), x).data, atol=1e-15)
    assert te.nll([-0.5, -1.0], 1) == 1  # a single row


def test_targets_are_probabilities_so_swapped_arguments_are_found_out():
    logits, targets = Tensor([[2.0, -3.0]]), Tensor([[0.0, 1.0]])
    for loss in (te.softmax_cross_entropy, te.sigmoid_cross_entropy):
        loss(logits, targets)
        loss(logits, targets * (1 + 1e-7))  # rounding
        with pytest.raises(DataError, match=f"{loss.__name__}: .*-3 is among them; the logits come first"):
            loss(targets, logits)
        with pytest.raises(DataError, match=r"1\.5 is among"):
            loss(logits, [[0.5, 1.5]])
        assert np.isnan(loss(logits, [[np.nan, 1.0]]).data).any()
        assert loss(logits[:0], targets[:0]).shape[0] == 0


def test_the_class_to_ignore_is_a_whole_number():
    with pytest.raises(DTypeError, match="ignore_index must be a whole number"):
        te.softmax_cross_entropy(Tensor([[1.0, 2.0]]), [0], ignore_index="a")
