"""The micro-kernel against the sum that it stands for, at every distance between rows and steps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._simd import LANES, ROWS, VECTORS, address, tile

WIDTH = LANES * VECTORS


@jit
def _call(
    a, a_row, a_k, a_segment, b, b_k, b_segment, length, segments, c, c_row, rows, lanes, bias, add, relu,
    ahead=False,
):  # fmt: skip
    at = address(bias) if bias.size else 0
    size = a.itemsize
    next_rows = address(a) + rows * a_row * size if ahead else 0
    tile(
        a, address(a), a_row * size, a_k * size, a_segment * size,
        address(b), b_k * size, b_segment * size, length, segments,
        address(c), c_row * size, rows, lanes, at, add, relu, next_rows,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(
    rows=st.integers(1, ROWS),
    lanes=st.integers(1, WIDTH),
    length=st.integers(1, 9),
    segments=st.integers(1, 3),
    gap=st.integers(0, 2),
    step=st.integers(1, 3),
    biased=st.booleans(),
    add=st.booleans(),
    relu=st.booleans(),
    ahead=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_tile_is_the_sum_over_steps_and_segments(
    dtype, rows, lanes, length, segments, gap, step, biased, add, relu, ahead, seed
):
    lanes = lanes if dtype == "float32" else -(-lanes // 2)  # a register holds half as many
    rng = np.random.default_rng(seed)
    a_segment = length * step + gap
    a = rng.standard_normal((rows, segments * a_segment + gap), dtype)
    b = rng.standard_normal((segments, length + gap, WIDTH), dtype)
    c = rng.standard_normal((rows, lanes + gap), dtype)
    bias = rng.standard_normal(WIDTH if biased else 0, dtype)
    wide = c.astype(np.float64)
    taken = np.stack([a[:, s * a_segment :][:, : length * step : step] for s in range(segments)], axis=1)
    sums = np.einsum("rsk,skn->rn", taken.astype(np.float64), b[:, :length, :lanes].astype(np.float64))
    sums += wide[:, :lanes] if add else bias[:lanes] if biased else 0
    wide[:, :lanes] = np.maximum(sums, 0) if relu else sums
    _call(
        a, a.shape[1], step, a_segment, b, WIDTH, (length + gap) * WIDTH, length, segments,
        c, c.shape[1], rows, lanes, bias, int(add), int(relu), ahead,
    )  # fmt: skip
    near = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(c, wide, rtol=near, atol=near)  # and the gap beside the tile is as it was


@pytest.mark.parametrize("relu", [0, 1])
def test_nan_and_infinity_stay(relu):
    a = np.array([[1.0], [np.nan], [np.inf], [-np.inf]], np.float32)
    b, c, none = np.ones((1, WIDTH), np.float32), np.zeros((4, 1), np.float32), np.empty(0, np.float32)
    _call(a, 1, 1, 1, b, WIDTH, WIDTH, 1, 1, c, 1, 4, 1, none, 0, relu)
    np.testing.assert_array_equal(c[:, 0], [1, np.nan, np.inf, 0 if relu else -np.inf])
