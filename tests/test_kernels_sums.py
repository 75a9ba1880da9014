"""Sums over rows: exact to the rounding of the result, whatever the shape and the layout."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import DTYPES, arrays, assert_same, given_out, unhurried

from tinygrad_edu import kernels
from tinygrad_edu.errors import ShapeError
from tinygrad_edu.kernels import reference


@given(
    rows=st.integers(0, 700),
    columns=st.one_of(st.integers(0, 20), st.integers(100, 200)),
    dtype=DTYPES,
    special=st.booleans(),
    data=st.data(),
)
@unhurried
def test_sums_agree_with_their_twin(rows, columns, dtype, special, data):
    x = data.draw(arrays((rows, columns), dtype, special))
    with np.errstate(all="ignore"):
        assert_same(kernels.sum_rows(x), reference.sum_rows(x), rows)
    out = given_out(data.draw, (columns,), dtype)
    assert kernels.sum_rows(x, out=out) is out
    np.testing.assert_array_equal(out, kernels.sum_rows(x))


@pytest.mark.parametrize("shape", [(200_001, 1), (30_000, 7), (3000, 130), (17, 40_000)])
def test_long_sums_of_float32_are_rounded_once_and_repeat_to_the_bit(shape):
    x = (0.1 + np.random.default_rng(0).random(shape)).astype(np.float32)
    y = kernels.sum_rows(x)
    np.testing.assert_allclose(y, x.sum(0, np.float64), rtol=1e-7)
    for _ in range(3):
        np.testing.assert_array_equal(kernels.sum_rows(x), y)


def test_sums_too_large_for_float32_are_infinite_without_a_warning():
    assert kernels.sum_rows(np.full((9, 1), 3e38, np.float32)) == np.inf


def test_only_a_matrix_has_rows():
    with pytest.raises(ShapeError, match="matrix"):
        kernels.sum_rows(np.zeros(3))
