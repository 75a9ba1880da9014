"""Vectors in compiled code against the same arithmetic of NumPy, whole vectors and less than one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import SPECIAL, unhurried

from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._lanes import (
    fma,
    is_nan,
    load,
    load_as,
    load_wide,
    select,
    settle,
    spread,
    spread_wide,
    store,
    store_past,
)


@jit
def _work(x, y, numbers, wins, out, n):
    """Write x * y + 1, x + y, x - y, x / y, the larger, 1 to 5 times numbers, and 1 or 2 by x >= y."""
    one = spread(x.dtype.type(1))
    for i in range(0, n, 64 // x.itemsize):
        a, b = load(x, i, n - i), load(y, i, n - i)
        store(out, i, fma(a, b, one), n - i)
        for row, value in enumerate((a + b, a - b, a / b)):
            store(out, (row + 1) * x.size + i, value, n - i)
        larger = (b > a) | (is_nan(b) & (a == a))
        store(out, 4 * x.size + i, select(larger, b, a), n - i)
        place = select(larger, one + one, one)
        store(wins, i, place, n - i)
        store(out, 5 * x.size + i, load_as(a, numbers, i, n - i) * place, n - i)
        store(out, 6 * x.size + i, select(a >= b, one, one + one), n - i)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(n=st.integers(0, 40), beyond=st.integers(0, 20), seed=st.integers(0, 2**32 - 1))
@unhurried
def test_lanes_compute_as_numpy_does_and_touch_nothing_else(dtype, n, beyond, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, n + beyond)).astype(dtype)
    for a in (x, y):
        a[rng.random(a.size) < 0.2] = rng.choice(SPECIAL)
    numbers = rng.integers(0, 256, x.size).astype(np.uint8)
    out, wins = np.full((7, x.size), 7, dtype), np.full(x.size, 9, np.uint8)
    _work(x, y, numbers, wins, out, n)
    assert (out[:, n:] == 7).all()
    assert (wins[n:] == 9).all()
    x, y, numbers, wins, out = x[:n], y[:n], numbers[:n], wins[:n], out[:, :n]
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(out[0], x * y + 1, rtol=1e-4, atol=1e-6)
        for got, wanted in zip(out[1:5], (x + y, x - y, x / y, np.maximum(x, y)), strict=True):
            np.testing.assert_array_equal(got, wanted)
        larger = (y > x) | (np.isnan(y) & ~np.isnan(x))
    np.testing.assert_array_equal(wins, 1 + larger)
    np.testing.assert_array_equal(out[5], numbers * (1 + larger).astype(dtype))
    np.testing.assert_array_equal(out[6], 2 - (x >= y))


@jit
def _work_wide(x, out, past, n):
    """Write x * x + 2 by wide vectors, and the same past the caches."""
    two = spread_wide(x.dtype.type(2))
    for i in range(0, n, 256 // x.itemsize):
        a = load_wide(x, i, n - i)
        store(out, i, fma(a, a, two), n - i)
        if past.size:
            store_past(past, i, fma(a, a, two))
    settle()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [0, 1, 15, 64, 100, 256])
def test_wide_lanes_are_four_vectors_and_touch_nothing_else(dtype, n):
    x = np.random.default_rng(0).standard_normal(n).astype(dtype)
    out, past = np.full(n + 70, 7, dtype), np.empty(n + 16, dtype)
    first = -past.ctypes.data % 64 // past.itemsize
    past = past[first : first + (n if n % 64 == 0 else 0)]
    _work_wide(x, out, past, n)
    np.testing.assert_allclose(out[:n], x * x + 2, rtol=1e-6)
    assert (out[n:] == 7).all()
    np.testing.assert_array_equal(past, out[: past.size])
