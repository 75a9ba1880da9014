"""Activations, special functions and dropout at the edges: kinks, huge inputs, poles, dtypes, errors."""

import math

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Tensor
from tinygrad_edu.errors import ArgumentError, DTypeError, ShapeError

ACTIVATIONS = {name: getattr(te, name) for name in te.ops.activations.__all__}
ACTIVATIONS["gelu with tanh"] = lambda x: te.gelu(x, approximate=True)


def slope(function, *values):
    """Return the gradients of the sum of a function, in float64, as lists."""
    leaves = [Tensor(np.array(v, np.float64), requires_grad=True) for v in values]
    return [g.tolist() for g in te.grad(function(*leaves).sum(), leaves)]


# -- activations ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nothing_overflows_for_large_inputs(name, dtype):
    x = Tensor(np.array([-1e4, -90, -0.0, 0.0, 90, 1e4], dtype), requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = ACTIVATIONS[name](x)
        first = te.grad(y.sum(), x, create_graph=True)
        bends = [te.grad(first.sum(), x)] if first.requires_grad else []  # straight lines have none
    for values in (y, first, *bends):
        assert values.dtype == dtype
        assert np.isfinite(values.data).all()


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("sigmoid", 0, 1), ("logsigmoid", -1e4, 0), ("softplus", 0, 1e4), ("relu", 0, 1e4), ("relu6", 0, 6),
     ("leaky_relu", -2000, 1e4), ("elu", -1, 1e4), ("gelu", 0, 1e4), ("gelu with tanh", 0, 1e4),
     ("silu", 0, 1e4), ("mish", 0, 1e4), ("hard_sigmoid", 0, 1), ("hard_silu", 0, 1e4),
     ("softsign", -1e4 / 10001, 1e4 / 10001)],
)  # fmt: skip
def test_limits(name, low, high):
    np.testing.assert_allclose(ACTIVATIONS[name](np.array([-1e4, 1e4])), [low, high], rtol=1e-15, atol=1e-300)


def test_slopes_at_kinks():
    at = [-1.0, 0.0, 1.0]
    assert slope(te.relu, at) == [[0, 0, 1]]
    assert slope(te.leaky_relu, at) == [[0.2, 0.2, 1]]
    assert slope(lambda x: te.leaky_relu(x, 0.01), at) == [[0.01, 0.01, 1]]
    assert slope(lambda x: te.elu(x, alpha=3.0), [0.0, 1.0]) == [[3, 1]]
    assert slope(te.relu6, [0.0, 1e-9, 3.0, 6.0, 7.0]) == [[0, 1, 1, 0, 0]]
    assert slope(te.hard_sigmoid, [-3.0, 0.0, 3.0]) == [[0, 1 / 6, 0]]
    assert slope(te.softsign, [0.0]) == [[1]]


def test_selu_keeps_mean_and_variance_of_normal_values():
    points, weights = np.polynomial.hermite_e.hermegauss(120)
    x, share = points, weights / weights.sum()
    mean, square = share @ te.selu(x), share @ te.selu(x) ** 2
    assert abs(mean) < 0.01
    assert square == pytest.approx(1, abs=0.01)
    assert te.selu(-1e4) == pytest.approx(-1.7580993408473766)  # what alpha dropout takes for "off"


def test_the_two_forms_of_gelu_differ_by_little():
    x = np.linspace(-6, 6, 1001)
    apart = np.abs(te.gelu(x) - te.gelu(x, approximate=True)).max()
    assert 1e-4 < apart < 5e-4
    assert te.gelu(Tensor([-1.0])).item() == pytest.approx(-0.15865525, rel=1e-6)
    assert te.gelu(Tensor([-1.0]), approximate=True).item() == pytest.approx(-0.15880801, rel=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_whole_numbers_and_lists_are_taken(name):
    function = ACTIVATIONS[name]
    np.testing.assert_allclose(function([-2, 3]), function(np.array([-2.0, 3.0])), rtol=1e-6)


# -- special functions ---------------------------------------------------------------------------------


def test_lgamma_and_digamma_near_their_poles():
    tiny = np.array([1e-8, -1e-8, 1e-300])
    np.testing.assert_allclose(te.lgamma(tiny), -np.log(np.abs(tiny)), rtol=1e-8)
    np.testing.assert_allclose(te.digamma(tiny[:2]), -1 / tiny[:2] - np.euler_gamma, rtol=1e-9)
    np.testing.assert_allclose(te.polygamma(1, tiny[:2]), 1 / tiny[:2] ** 2, rtol=1e-9)
    assert np.isinf(te.lgamma([0.0, -1.0, -2.0])).all()
    assert te.digamma(0.0) == -np.inf
    assert np.isnan(te.digamma(-1.0))
    assert slope(te.lgamma, [1.0]) == [[pytest.approx(-np.euler_gamma)]]


def test_lgamma_of_large_numbers_and_its_slopes_of_any_order():
    x = Tensor(np.array([1.0, 2.5, 1e4, 1e300]), requires_grad=True)
    y = te.lgamma(x)
    for order in range(4):
        y = te.grad(y.sum(), x, create_graph=True)
        np.testing.assert_allclose(y.data, te.polygamma(order, x.data), rtol=1e-14)
    assert te.polygamma(3, np.array(1.0)) == pytest.approx(math.pi**4 / 15)
    assert te.polygamma(2, np.array(-0.5)) == pytest.approx(te.polygamma(2, np.array(0.5)) + 16)


@pytest.mark.parametrize(
    ("n", "error"), [(-1, ArgumentError), (1.0, DTypeError), (True, DTypeError), (None, DTypeError)]
)
def test_polygamma_takes_whole_orders(n, error):
    with pytest.raises(error, match=r"polygamma: n.* must be"):
        te.polygamma(n, 1.0)


def test_erf_and_its_relatives():
    x = np.array([-3.0, -0.1, 0.0, 2.0])
    np.testing.assert_allclose(te.erf(x) + te.erfc(x), 1, rtol=1e-15)
    np.testing.assert_allclose(te.erfinv(te.erf(x)), x, rtol=1e-11)
    assert te.erfc(np.array(20.0)) == pytest.approx(5.3958656116079e-176)
    assert te.erfinv([-1.0, 1.0]).tolist() == [-np.inf, np.inf]
    assert np.isnan(te.erfinv(1.5))


@pytest.mark.parametrize(
    "function", [te.erf, te.erfc, te.erfinv, te.lgamma, te.digamma, lambda x: te.polygamma(2, x)]
)
def test_special_functions_keep_float32_whatever_the_order(function):
    x = Tensor([0.25, 0.5], requires_grad=True)
    y = function(x)
    for _ in range(3):
        assert y.dtype == np.float32
        y = te.grad(y.sum(), x, create_graph=True)


def test_xlogy_at_zeros():
    assert te.xlogy([0.0, 0.0, 2.0], [0.0, 3.0, 0.0]).tolist() == [0, 0, -np.inf]
    assert np.isnan(te.xlogy(0.0, np.nan))
    assert te.xlogy(2, Tensor([2.0])).dtype == np.float32
    with np.errstate(divide="raise", invalid="raise"):
        assert slope(te.xlogy, [0.0, 0.0, 2.0], [0.0, 1.0, 4.0]) == [[0, 0, math.log(4)], [0, 0, 0.5]]
    x, y = Tensor(np.array([0.0]), requires_grad=True), Tensor(np.array([4.0]), requires_grad=True)
    (mixed,) = te.grad(te.grad(te.xlogy(x, y).sum(), y, create_graph=True).sum(), [x])
    assert mixed.tolist() == [0.25]  # the slope in y is 0 there, but it changes with x


# -- dropout -------------------------------------------------------------------------------------------


def test_dropout_draws_from_the_seeded_generator_or_its_own():
    x = np.ones((200, 50), np.float32)
    te.seed(3)
    first = te.dropout(Tensor(x), 0.25)
    te.seed(3)
    np.testing.assert_array_equal(te.dropout(Tensor(x), 0.25).data, first.data)
    own = te.dropout(x, 0.25, generator=np.random.default_rng(3))
    np.testing.assert_array_equal(own, first.data)
    assert first.dtype == np.float32
    assert set(np.unique(own)) == {0, np.float32(1 / np.float32(0.75))}
    assert (own == 0).mean() == pytest.approx(0.25, abs=0.02)
    np.testing.assert_array_equal(te.dropout(x, 0.0), x)


def test_dropout_of_whole_rows():
    x = np.ones((40, 3, 5))
    for shape in ((40, 1, 5), (None, 1, None)):
        y = te.dropout(x, 0.5, noise_shape=shape)
        assert y.shape == x.shape
        assert (y == y[:, :1]).all()
        assert 0 < (y == 0).mean() < 1
    with pytest.raises(ShapeError, match="as many axes"):
        te.dropout(x, 0.5, noise_shape=(40, 1))
    with pytest.raises(ShapeError, match="cannot be broadcast"):
        te.dropout(x, 0.5, noise_shape=(40, 2, 5))
    with pytest.raises(ShapeError, match="doesn't broadcast"):
        te.dropout(x[:, :1], 0.5, noise_shape=(40, 3, 5))


def test_the_gradient_passes_dropout_where_the_values_passed():
    x = Tensor(np.ones(1000), requires_grad=True)
    y = te.dropout(x, 0.3)
    np.testing.assert_array_equal(te.grad(y.sum(), x).data, y.data)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, float("nan")])
def test_dropout_refuses_rates_outside_0_and_1(rate):
    with pytest.raises(ArgumentError, match="at least 0 and below 1"):
        te.dropout(Tensor([1.0]), rate)
