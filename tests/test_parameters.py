"""Axes and parameters that are single numbers: what does as one, and how anything else is refused."""

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Tensor, linalg
from tinygrad_edu.errors import ArgumentError, DTypeError, GradientError, ShapeError
from tinygrad_edu.ops.statistics import vector_norm


def test_an_axis_is_a_whole_number_within_range():
    x = Tensor(np.ones((2, 3)))
    functions = (
        te.sum, te.mean, te.prod, te.max, te.min, te.var, te.std, te.median, te.any, te.all, te.logsumexp,
        te.count_nonzero, te.cumulative_sum, te.cumulative_prod, te.diff, te.moments, te.argmax, te.softmax,
        vector_norm,
    )  # fmt: skip
    for function in functions:
        for axis in (0.5, "a", (0, 0.5)):
            with pytest.raises(DTypeError):
                function(x, axis=axis)
        for axis in (2, -3):
            with pytest.raises(ShapeError, match=f"axis {axis}"):
                function(x, axis=axis)


def test_an_axis_of_numpys_whole_numbers_does():
    assert te.sum(Tensor(np.ones((2, 3))), axis=np.int8(1)).tolist() == [3, 3]
    assert te.sum(Tensor(np.ones((2, 3))), axis=[np.uint8(0), Tensor(1)]).item() == 6


def test_parameters_of_statistics():
    x = Tensor([1.0, 2.0])
    recorded = Tensor([1.0, 2.0], requires_grad=True)  # else NumPy's own function answers
    p = Tensor(0.5, requires_grad=True)
    for call, words in (
        (lambda v: te.var(x, correction=v), "correction"),
        (lambda v: te.std(x, correction=v), "correction"),
        (lambda v: te.quantile(x, v), "quantile: q"),
        (lambda v: np.percentile(recorded, v), "percentile: q"),
        (lambda v: vector_norm(x, ord=v), "vector_norm: ord"),
    ):
        for wrong in (None, "a", [0.1, 0.5]):
            with pytest.raises(DTypeError, match=f"{words} must be a number"):
                call(wrong)
        with pytest.raises(GradientError, match=f"{words} gets no gradient"):
            call(p)
        assert call(p.detach()).item() == call(0.5).item() == call(np.float64(0.5)).item()
    for wrong in (None, "a", 0.5, True):
        with pytest.raises(DTypeError, match="diff: n must be a whole number"):
            te.diff(x, n=wrong)


def test_parameters_of_activations():
    x = Tensor([-1.0, 2.0])
    for function, name in ((te.leaky_relu, "negative_slope"), (te.elu, "alpha"), (te.dropout, "rate")):
        for wrong in (None, "a", [0.1], np.ones(2)):
            with pytest.raises(DTypeError, match=f"{name} must be a number"):
                function(x, wrong)
        with pytest.raises(GradientError, match=f"{name} gets no gradient"):
            function(x, Tensor(0.5, requires_grad=True))
        for number in (np.float64(0.5), np.array(0.5), Tensor(0.5)):
            assert function(x, number).dtype == np.float32


def test_parameters_of_losses():
    x, p = Tensor([1.0]), Tensor(0.5, requires_grad=True)
    for call, words in (
        (lambda v: te.huber(x, x, v), "huber: delta"),
        (lambda v: te.gaussian_nll(x, x, x, v), "gaussian_nll: epsilon"),
        (lambda v: te.softmax_cross_entropy(x, [0.5], label_smoothing=v), "label_smoothing"),
        (lambda v: te.sigmoid_cross_entropy(x, [0.5], label_smoothing=v), "label_smoothing"),
    ):
        for wrong in (None, "a", [0.1]):
            with pytest.raises(DTypeError, match=f"{words} must be a number"):
                call(wrong)
        with pytest.raises(GradientError, match=f"{words} gets no gradient"):
            call(p)


def test_replacements_are_numbers():
    for name in ("nan", "posinf", "neginf"):
        with pytest.raises(DTypeError, match=f"nan_to_num: {name} must be a number"):
            te.nan_to_num(Tensor([1.0]), **{name: "a"})
        with pytest.raises(GradientError, match="gets no gradient"):
            te.nan_to_num(Tensor([1.0]), **{name: Tensor(1.0, requires_grad=True)})


def test_axes_of_tensordot_are_numbers_or_two_lists():
    x = np.ones((2, 2))
    for axes, error in (
        ("a", DTypeError),
        (0.5, DTypeError),
        (([0], [0.5]), DTypeError),
        (([0],), ArgumentError),
    ):
        with pytest.raises(error, match="tensordot"):
            te.tensordot(x, x, axes=axes)
    with pytest.raises(ShapeError, match="tensordot: axis 2"):
        te.tensordot(x, x, axes=([0], [2]))
    assert te.tensordot(x, x, axes=(0, [0])).tolist() == [[2, 2], [2, 2]]
    for axis in (None, 0.5):
        with pytest.raises(DTypeError, match="vecdot: an axis must be a whole number"):
            te.vecdot(x, x, axis=axis)
    with pytest.raises(DTypeError, match="the exponent must be a whole number"):
        linalg.matrix_power(x, 0.5)


X = Tensor([1.0, 2.0])
SQUARE = Tensor([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: te.sin("a"),
        lambda: X + "a",
        lambda: te.mean_squared_error(np.ones((1, 1)), np.array([["a"]])),
        lambda: te.nll(Tensor(1.0), Tensor(0)),
        lambda: te.top_k(X, "a"),
        lambda: te.top_k(X, 1, axis=None),
        lambda: te.searchsorted(X, "a"),
        lambda: te.searchsorted(X, 1.0, sorter=Tensor([1])),
        lambda: te.clip(X, ["a"], 2),
        lambda: te.clip(X, Tensor([0.0, 0.0, 0.0]), np.ones(2)),
        lambda: te.dropout(X, 0.5, generator=3),
        lambda: te.dropout(X, 0.5, noise_shape=(1, 1)),
        lambda: te.dropout(X, 0.5, noise_shape=(-1,)),
        lambda: te.seed(-1),
        lambda: te.seed("a"),
        lambda: te.reshape(X, -2),
        lambda: te.where(Tensor([False]), Tensor(np.array([1], np.uint8)), 300),
        lambda: te.isclose(X, X, rtol=Tensor(0.1, requires_grad=True)),
        lambda: te.scaled_dot_product_attention(SQUARE, SQUARE, SQUARE, scale="a"),
    ],
)
def test_a_plausible_mistake_is_told_in_words(wrong):
    with pytest.raises(te.TinygradEduError):
        wrong()


def test_whole_numbers_do_not_wrap_inside():
    logits = Tensor(np.array([200, 3], np.uint8))
    np.testing.assert_allclose(te.sigmoid_cross_entropy(logits, Tensor([1.0, 0.0])).data, [0.0, 3.0485873])
    np.testing.assert_allclose(
        te.softsign(Tensor(np.array([-128, 127], np.int8))).data, [-128 / 129, 127 / 128]
    )
    assert te.nll(Tensor([[1, 2]]), [0]).dtype == np.float64
    attention = te.scaled_dot_product_attention(SQUARE, SQUARE, SQUARE, scale=np.float64(0.5))
    assert attention.dtype == np.float32
    hidden = te.scaled_dot_product_attention(SQUARE, SQUARE, SQUARE, mask=np.full((2, 2), np.nan))
    assert np.isnan(hidden.data).all()  # not zeros, which only -inf asks for
