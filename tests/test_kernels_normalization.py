"""Normalisation against its plain NumPy twin in float64: layouts, blocks, infinities, means far from 0."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import DTYPES, arrays, given_out, unhurried

from tinygrad_edu import kernels
from tinygrad_edu.kernels import normalization, reference


@st.composite
def normalizations(draw, special=False):
    """x, gamma, beta, axes and epsilon; the parameters are shared along any axes."""
    shape = tuple(draw(st.lists(st.integers(0, 9), min_size=1, max_size=4)))
    axes = tuple(draw(st.lists(st.integers(0, len(shape) - 1), unique=True)))
    dtype = draw(DTYPES)
    parameters = []
    for _ in range(2):
        own = draw(st.integers(0, len(shape) - 1))
        parameters.append(tuple(n if draw(st.integers(0, 3)) else 1 for n in shape[own:]))
    x = draw(arrays(shape, dtype, special))
    return x, *[draw(arrays(p, dtype)) for p in parameters], axes, draw(st.sampled_from([1e-3, 0.5, 1]))


def wide(*arrays):
    return [a.astype(np.float64) for a in arrays]


def assert_near(got, wanted, ulps):
    for a, b in zip(got, wanted, strict=True):
        assert a.shape == b.shape
        size = np.abs(b[np.isfinite(b)]).max(initial=1)
        np.testing.assert_allclose(a, b, rtol=0, atol=ulps * np.finfo(a.dtype).eps * size)


@given(case=normalizations(), data=st.data())
@unhurried
def test_normalization_and_its_gradient_agree_with_their_twins(case, data):
    x, gamma, beta, axes, epsilon = case
    got = kernels.normalize(x, gamma, beta, axes, epsilon)
    assert all(a.dtype == x.dtype for a in got)
    assert_near(got, reference.normalize(*wide(x, gamma, beta), axes, epsilon), 200)
    g, g_mean, g_variance = [data.draw(arrays(a.shape, x.dtype)) for a in got]
    given_ = g, g_mean, g_variance, x, gamma, beta, *got[1:]
    grads = kernels.normalize_grad(*given_, axes, epsilon)
    assert all(a.dtype == x.dtype for a in grads)
    # With an epsilon of 0.001 and equal numbers, the inverse deviation cubed is 3e4.
    assert_near(
        grads, reference.normalize_grad(*wide(*given_), axes, epsilon), 1e5 if epsilon < 0.5 else 1000
    )


@given(case=normalizations(), data=st.data())
@unhurried
def test_normalization_fills_and_returns_out(case, data):
    x, gamma, beta, axes, epsilon = case
    y, mean, variance = kernels.normalize(x, gamma, beta, axes, epsilon)
    out = given_out(data.draw, x.shape, x.dtype)
    assert kernels.normalize(*case, out=out)[0] is out
    np.testing.assert_array_equal(out, y)
    arguments = (y, mean, variance, x, gamma, beta, mean, variance, axes, epsilon)
    out = given_out(data.draw, x.shape, x.dtype)
    assert kernels.normalize_grad(*arguments, out=out)[0] is out
    np.testing.assert_array_equal(out, kernels.normalize_grad(*arguments)[0])


LARGER = {
    "a batch": ((9, 40, 41, 33), (0, 1, 2), (33,)),
    "a batch of few channels": ((16, 32, 32, 3), (0, 1, 2), (3,)),
    "a batch of features": ((700, 130), (0,), (130,)),
    "layers": ((300, 250), (1,), (250,)),
    "long layers": ((3, 40000), (1,), (40000,)),
    "groups": ((5, 30, 30, 4, 6), (1, 2, 4), (4, 6)),
    "instances": ((5, 60, 30, 7), (1, 2), (7,)),
    "channels first": ((20, 6, 30, 30), (0, 2, 3), (6, 1, 1)),
}


@pytest.mark.parametrize("case", LARGER.values(), ids=LARGER)
@pytest.mark.parametrize("mean", [0, 1e4])
def test_large_arrays_are_near_and_repeat_to_the_bit(case, mean):
    shape, axes, own = case
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        x = (mean + rng.standard_normal(shape)).astype(dtype)
        gamma, beta = rng.standard_normal((2, *own)).astype(dtype)
        got = kernels.normalize(x, gamma, beta, axes, 1e-3)
        y, exact_mean, variance = reference.normalize(*wide(x, gamma, beta), axes, 1e-3)
        # The twin, in float64, is exact to float32, but no more so than what is to be tested in float64.
        factor = 1 if dtype is np.float32 else 1000 * (1 + mean)
        assert_near(got, (y, exact_mean, variance), 50 * factor)
        np.testing.assert_allclose(got[2], variance, rtol=20 * np.finfo(dtype).eps * factor)
        gs = [rng.standard_normal(a.shape).astype(dtype) for a in got]
        given_ = *gs, x, gamma, beta, *got[1:]
        grads = kernels.normalize_grad(*given_, axes, 1e-3)
        assert_near(grads, reference.normalize_grad(*wide(*given_), axes, 1e-3), 500 * factor)
        for _ in range(2):
            for a, b in zip(kernels.normalize(x, gamma, beta, axes, 1e-3), got, strict=True):
                np.testing.assert_array_equal(a, b)
            for a, b in zip(kernels.normalize_grad(*given_, axes, 1e-3), grads, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rows", [5, 3000])
def test_what_is_not_finite_stays_in_its_channel(value, rows):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, 12)).astype(np.float32)
    gamma, beta = np.ones(12, np.float32), np.zeros(12, np.float32)
    clean = kernels.normalize(x, gamma, beta, (0,), 1e-3)
    x[rows // 2, 5] = value
    got = kernels.normalize(x, gamma, beta, (0,), 1e-3)
    others = np.arange(12) != 5
    for a, b in zip(got, clean, strict=True):
        np.testing.assert_array_equal(a[:, others], b[:, others])
    assert np.isnan(got[0][:, 5]).all()
    grads = kernels.normalize_grad(x, *got[1:], x, gamma, beta, *got[1:], (0,), 1e-3)
    assert np.isfinite(grads[0][:, others]).all()
    assert np.isnan(grads[0][:, 5]).all()


def test_a_mean_of_a_million_costs_no_digits():
    rng = np.random.default_rng(0)
    x = (1e6 + rng.standard_normal((4000, 20))).astype(np.float32)
    gamma, beta = np.ones(20, np.float32), np.zeros(20, np.float32)
    for axes, p in (((0,), (gamma, beta)), ((1,), (gamma, beta))):
        y, _, variance = kernels.normalize(x, *p, axes, 0.0)
        exact = x.astype(np.float64) - x.mean(axes, np.float64, keepdims=True)
        np.testing.assert_allclose(variance, np.square(exact).mean(axes, keepdims=True), rtol=1e-6)
        np.testing.assert_allclose(y, exact / exact.std(axes, keepdims=True), atol=1e-5)


def test_one_sample_and_equal_numbers_give_the_shift():
    gamma, beta = np.float32([2, 3]), np.float32([5, -7])
    for x in (np.float32([[1e6 / 7, 0.1]]), np.full((4000, 2), 0.1, np.float32)):
        y, _, variance = kernels.normalize(x, gamma, beta, (0,), 1e-3)
        assert (y == beta).all()
        assert not variance.any()


def jumps(rng, rows, channels):
    """Columns whose mean moves: by a jump, by a slope, by outliers at the start of a block and of all."""
    x = rng.standard_normal((rows, channels)) * 0.1
    place = np.arange(rows)[:, None]
    moved = [
        1e4 * (place >= rows // 3),
        place * 1.0,
        1e4 * (place == 0),
        1e4 * (place % 128 == 0),
        1e4 + 0 * place,
    ]
    for c in range(channels):
        x[:, c : c + 1] += moved[c % len(moved)]
    return x.astype(np.float32)


@pytest.mark.parametrize("rows", [17, 129, 1001, 40_000])
@pytest.mark.parametrize("channels", [1, 5, 67])
def test_the_variance_keeps_its_digits_where_the_mean_moves(rows, channels):
    x = jumps(np.random.default_rng(0), rows, channels)
    gamma, beta = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    y, mean, variance = kernels.normalize(x, gamma, beta, (0,), 1e-3)
    exact, exact_mean, exact_variance = reference.normalize(*wide(x, gamma, beta), (0,), 1e-3)
    np.testing.assert_allclose(
        mean, exact_mean, rtol=0, atol=2e-7 * np.sqrt(exact_mean**2 + exact_variance).max()
    )
    np.testing.assert_allclose(variance, exact_variance, rtol=5e-6)
    np.testing.assert_allclose(y, exact, rtol=5e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [(3001, 128), (70, 64, 64), (90, 50, 100)])
@pytest.mark.parametrize("offset", [0, 1])
def test_a_result_stored_past_the_caches_is_the_same_to_the_bit(monkeypatch, shape, offset):
    rng = np.random.default_rng(0)
    axes = tuple(range(len(shape) - 1))
    x, g = rng.standard_normal((2, *shape)).astype(np.float32)
    gamma, beta = rng.standard_normal((2, shape[-1])).astype(np.float32)
    found = []
    for room in (x.nbytes * 10, 0):
        monkeypatch.setattr(normalization, "_ROOM", room)
        out = np.empty(x.size + 16, np.float32)
        first = -out.ctypes.data % 64 // 4 + offset  # at the start of a line, or behind it
        out = out[first : first + x.size].reshape(shape)
        y, mean, variance = kernels.normalize(x, gamma, beta, axes, 1e-3, out=out)
        grads = kernels.normalize_grad(
            g, mean, variance, x, gamma, beta, mean, variance, axes, 1e-3, out=np.empty_like(x)
        )
        assert y is out
        found.append((y.copy(), mean, variance, *grads))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)
