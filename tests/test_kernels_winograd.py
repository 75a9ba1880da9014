"""Winograd's convolution against the plain sum: values, error bounds, borders, and what isn't finite."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import unhurried

from tinygrad_edu import kernels
from tinygrad_edu.kernels import _winograd, _winograd_weights, reference
from tinygrad_edu.kernels import _winograd_transforms as transforms

SAME = ((1, 1), (1, 1))
# The largest error and the root mean square that the docstrings promise, relative to the sum of |x| |w|.
LARGEST, TYPICAL = 2.5e-6, 2.5e-7


@st.composite
def images(draw):
    """x, w, g and the padding of convolutions of any size; channels and filters are multiples of 16."""
    n, channels, filters = draw(st.integers(1, 3)), *(16 * draw(st.integers(1, 3)) for _ in range(2))
    pads = st.tuples(st.integers(0, 4), st.integers(0, 4))
    padding = draw(st.tuples(pads, pads))
    height, width = (draw(st.integers(max(1, 3 - sum(pad)), 14)) for pad in padding)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal((n, height, width, channels), np.float32)
    w = rng.standard_normal((3, 3, channels, filters), np.float32)
    g = rng.standard_normal(
        (n, height + sum(padding[0]) - 2, width + sum(padding[1]) - 2, filters), np.float32
    )
    return x, w, g, padding


def forward(x, w, padding, bias=None, relu=False):
    shape = len(x), x.shape[1] + sum(padding[0]) - 2, x.shape[2] + sum(padding[1]) - 2, w.shape[3]
    out = np.full(shape, np.nan, np.float32)
    return _winograd.conv2d(x, w, padding, out, bias, relu), out


def input_grad(x, w, g, padding):
    out = np.full_like(x, np.nan)
    return _winograd.conv2d_input_grad(g, w, padding, out), out


def weight_grad(x, w, g, padding):
    out = np.full_like(w, np.nan)
    return _winograd_weights.conv2d_weight_grad(x, g, padding, out), out


def exact(x, w, g, padding):
    """The three results in float64."""
    x, w, g = (a.astype(np.float64) for a in (x, w, g))
    return (
        reference.conv2d(x, w, (1, 1), padding),
        reference.conv2d_input_grad(g, w, x.shape, (1, 1), padding),
        reference.conv2d_weight_grad(x, g, w.shape, (1, 1), padding),
    )


def errors(x, w, g, padding, own=True):
    """The errors of the three, relative to the sums of the products' sizes: each its own, or the largest."""
    found = forward(x, w, padding), input_grad(x, w, g, padding), weight_grad(x, w, g, padding)
    wanted, sizes = exact(x, w, g, padding), exact(abs(x), abs(w), abs(g), padding)
    for (finite, got), want, size in zip(found, wanted, sizes, strict=True):
        assert finite
        yield abs(got - want) / (size if own else size.max())


def test_the_matrices_convolve():
    """A' [(G w) * (B' x)] is the sum over the taps, for every x and w: the identity behind all this."""
    a, g, b = transforms._matrices()
    for tap in range(3):
        # As a matrix that takes x to the four results.
        np.testing.assert_allclose(a.T @ np.diag(g[:, tap]) @ b, np.eye(4, 6, tap), atol=1e-11)


@given(images())
@unhurried
def test_agrees_with_the_plain_sum(case):
    for error in errors(*case, own=False):  # at the border some results see next to nothing of a tile
        assert error.max() < LARGEST


@pytest.mark.parametrize("channels", [16, 64, 256])
@pytest.mark.parametrize("data", ["normal", "relu", "offset", "uniform", "tiny", "large"])
def test_error_stays_in_its_bounds(channels, data):
    rng = np.random.default_rng(channels)
    x, w, g = (
        rng.standard_normal(shape, np.float32)
        for shape in ((2, 24, 24, channels), (3, 3, channels, 32), (2, 24, 24, 32))
    )
    match data:
        case "relu":
            x, w = np.maximum(x, 0), w * np.float32(0.05)
        case "offset":
            x, g = x + 1000, g - 1000
        case "uniform":
            x, w, g = abs(x) % 1, abs(w) % 1, abs(g) % 1
        case "tiny":
            x, w = x * np.float32(1e-12), w * np.float32(1e-12)
        case "large":
            x, g = x * np.float32(1e30), g * np.float32(1e-30)
    for error in errors(x, w, g, SAME):
        assert error.max() < LARGEST
        assert np.sqrt(np.mean(error**2)) < TYPICAL


@given(images(), st.booleans(), st.booleans())
@unhurried
def test_bias_and_relu(case, biased, relu):
    x, w, _, padding = case
    bias = np.linspace(-20, 20, w.shape[3], dtype=np.float32) if biased else None
    plain, both = forward(x, w, padding)[1], forward(x, w, padding, bias, relu)[1]
    want = plain + bias if biased else plain
    np.testing.assert_array_equal(both, np.maximum(want, 0) if relu else want)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@given(images(), st.data())
@unhurried
def test_what_is_not_finite_is_left_to_the_direct_sum(value, case, data):
    x, w, g, padding = case
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    for a in (x, w, g):
        spoilt = [np.copy(b) if b is a else b for b in (x, w, g)]
        changed = next(b for b, old in zip(spoilt, (x, w, g), strict=True) if old is a)
        changed.reshape(-1)[rng.integers(a.size)] = value
        with np.errstate(all="ignore"):
            wanted = reference_results(*spoilt, padding)
        x_, w_, g_ = spoilt
        found = forward(x_, w_, padding), input_grad(x_, w_, g_, padding), weight_grad(x_, w_, g_, padding)
        for (finite, _), want in zip(found, wanted, strict=True):
            assert not finite or np.isfinite(want).all()


def reference_results(x, w, g, padding):
    return (
        reference.conv2d(x, w, (1, 1), padding),
        reference.conv2d_input_grad(g, w, x.shape, (1, 1), padding),
        reference.conv2d_weight_grad(x, g, w.shape, (1, 1), padding),
    )


@pytest.mark.parametrize("relu", [False, True])
def test_infinity_that_relu_would_hide_is_seen(relu):
    x, w = np.ones((2, 8, 8, 16), np.float32), -np.ones((3, 3, 16, 16), np.float32)
    x[1, 3, 3, 5] = np.inf
    assert not forward(x, w, SAME, relu=relu)[0]


def test_the_same_bits_on_every_run():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((3, 30, 30, 32), np.float32), rng.standard_normal((3, 3, 32, 48), np.float32)
    g = rng.standard_normal((3, 30, 30, 48), np.float32)
    for result in (
        lambda: forward(x, w, SAME),
        lambda: input_grad(x, w, g, SAME),
        lambda: weight_grad(x, w, g, SAME),
    ):
        assert result()[1].tobytes() == result()[1].tobytes()


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "padding", "suited"),
    [
        ((10, 64, 64, 64), (3, 3, 64, 64), SAME, True),
        ((10, 64, 64, 64), (3, 3, 64, 64), ((0, 0), (2, 2)), True),
        ((10, 64, 64, 64), (5, 3, 64, 64), SAME, False),
        ((10, 64, 64, 3), (3, 3, 3, 64), SAME, False),
        ((10, 64, 64, 64), (3, 3, 64, 10), SAME, False),
        ((10, 64, 64, 0), (3, 3, 0, 64), SAME, False),
        ((1, 4, 4, 64), (3, 3, 64, 64), SAME, False),  # too few tiles
        ((0, 64, 64, 64), (3, 3, 64, 64), SAME, False),
        ((900, 1, 1, 64), (3, 3, 64, 64), SAME, False),  # tiles that are almost empty
        ((10, 2, 64, 64), (3, 3, 64, 64), ((0, 0), (1, 1)), False),
    ],
)
def test_suits_large_images_of_many_channels(x_shape, w_shape, padding, suited):
    rule = (1, 1), padding, (1, 1)
    assert _winograd.suits(np.dtype(np.float32), x_shape, w_shape, *rule, 1) is suited
    assert not _winograd.suits(np.dtype(np.float64), x_shape, w_shape, *rule, 1)
    assert not _winograd.suits(np.dtype(np.float32), x_shape, w_shape, *rule, 2)
    assert not _winograd.suits(np.dtype(np.float32), x_shape, w_shape, (1, 1), padding, (1, 2), 1)
    assert not _winograd.suits(np.dtype(np.float32), x_shape, w_shape, (2, 1), padding, (1, 1), 1)


@pytest.mark.parametrize("value", [1, np.nan, np.inf, 1e38])
@pytest.mark.parametrize("spoilt", ["x", "w", "g", "bias"])
def test_kernels_take_this_way_and_mend_what_is_not_finite(spoilt, value):
    """Through the front door: where a value spoils tiles, the results are those of the direct sum."""
    rng = np.random.default_rng(0)
    of = {
        "x": rng.standard_normal((2, 16, 17, 16), np.float32),
        "w": rng.standard_normal((3, 3, 16, 32), np.float32),
        "g": rng.standard_normal((2, 17, 16, 32), np.float32),
        "bias": rng.standard_normal(32, np.float32),
    }
    of[spoilt].reshape(-1)[17] = value
    x, w, g, bias = of.values()
    rule = (1, 1), ((1, 2), (1, 0))
    assert _winograd.suits(x.dtype, x.shape, w.shape, *rule, (1, 1), 1)
    with np.errstate(all="ignore"):
        pairs = (
            (kernels.conv2d(x, w, *rule), reference.conv2d(x, w, *rule)),
            (
                kernels.conv2d(x, w, *rule, bias=bias, relu=True),
                reference.conv2d(x, w, *rule, bias=bias, relu=True),
            ),
            (
                kernels.conv2d_input_grad(g, w, x.shape, *rule),
                reference.conv2d_input_grad(g, w, x.shape, *rule),
            ),
            (
                kernels.conv2d_weight_grad(x, g, w.shape, *rule),
                reference.conv2d_weight_grad(x, g, w.shape, *rule),
            ),
        )
        for got, want in pairs:
            if value == 1:
                np.testing.assert_allclose(got, want, rtol=1e-5, atol=2e-4)
            else:
                np.testing.assert_allclose(got, want, rtol=1e-4, atol=2e-3)
