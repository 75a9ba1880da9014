"""Resampling against its plain NumPy twin, and the gradient's weights against the forward ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import DTYPES, arrays, assert_same, given_out, inner, unhurried

from tinygrad_edu import kernels
from tinygrad_edu.errors import ShapeError
from tinygrad_edu.kernels import reference
from tinygrad_edu.kernels.resize import Blend


@st.composite
def blends(draw, size):
    """Any weights, also of new pixels that are made of nothing."""
    counts = draw(st.lists(st.integers(0, 3), min_size=1, max_size=9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    starts = np.cumsum([0, *counts])
    return Blend(size, starts, rng.integers(0, size, starts[-1]), rng.standard_normal(starts[-1]))


@given(
    shape=st.tuples(st.integers(0, 3), st.integers(1, 6), st.integers(1, 6), st.integers(0, 20)),
    dtype=DTYPES,
    special=st.booleans(),
    data=st.data(),
)
@unhurried
def test_resampling_agrees_with_its_twin_and_its_gradient_is_its_adjoint(shape, dtype, special, data):
    x = data.draw(arrays(shape, dtype, special))
    down, across = data.draw(blends(shape[1])), data.draw(blends(shape[2]))
    with np.errstate(all="ignore"):
        want = reference.resample2d(x, down, across)
    y = kernels.resample2d(x, down, across)
    assert_same(y, want, 9)
    out = given_out(data.draw, y.shape, dtype)
    assert kernels.resample2d(x, down, across, out=out) is out
    np.testing.assert_array_equal(out, y)
    if not special:
        g = data.draw(arrays(y.shape, dtype))
        back = kernels.resample2d(g, down.transposed, across.transposed)
        assert back.shape == x.shape
        assert inner(y, g) == pytest.approx(inner(x, back), rel=1e-3, abs=1e-3)


def repeating(size, times):
    return Blend(size, np.arange(size * times + 1), np.arange(size).repeat(times), np.ones(size * times))


@given(
    shape=st.tuples(st.integers(0, 3), st.integers(1, 6), st.integers(1, 6), st.integers(0, 40)),
    times=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    dtype=DTYPES,
    special=st.booleans(),
    data=st.data(),
)
@unhurried
def test_pixels_are_repeated_exactly_and_their_copies_added_up(shape, times, dtype, special, data):
    x = data.draw(arrays(shape, dtype, special))
    blends = [repeating(size, count) for size, count in zip(shape[1:3], times, strict=True)]
    assert tuple(blend.copies for blend in blends) == times
    y = kernels.resample2d(x, *blends)
    np.testing.assert_array_equal(y, x.repeat(times[0], axis=1).repeat(times[1], axis=2))
    g = data.draw(arrays(y.shape, dtype, special))
    back = [blend.transposed for blend in blends]
    with np.errstate(all="ignore"):
        want = reference.resample2d(g, *back)
    out = given_out(data.draw, x.shape, dtype)
    assert kernels.resample2d(g, *back, out=out) is out
    assert_same(out, want, times[0] * times[1])


@pytest.mark.parametrize(
    ("starts", "sources", "weights"),
    [
        ([0, 1, 2, 3, 4], [0, 0, 1, 1], [1, 1, 1, 2]),
        ([0, 1, 2, 3, 4], [0, 1, 0, 1], [1, 1, 1, 1]),
        ([0, 1, 2, 3], [0, 0, 1], [1, 1, 1]),
        ([0, 0, 2, 3, 4], [0, 0, 1, 1], [1, 1, 1, 1]),
        ([0, 1], [0], [1]),
    ],
    ids=["a weight", "an order", "one repeated less", "one made of two", "one left out"],
)
def test_other_weights_are_no_copies(starts, sources, weights):
    blend = Blend(2, np.array(starts), np.array(sources), np.array(weights, float))
    assert blend.copies == 0
    x = np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1)
    want = reference.resample2d(x, blend, blend)
    np.testing.assert_array_equal(kernels.resample2d(x, blend, blend), want)


def test_large_images_agree_with_the_twin_and_repeat_to_the_bit():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 40, 41, 19)).astype(np.float32)
    twice = [repeating(n, 2) for n in x.shape[1:3]]
    y = kernels.resample2d(x, *twice)
    np.testing.assert_array_equal(y, x.repeat(2, axis=1).repeat(2, axis=2))
    back = kernels.resample2d(y, *[blend.transposed for blend in twice])
    np.testing.assert_array_equal(back, 4 * x)
    np.testing.assert_array_equal(kernels.resample2d(x, *twice), y)


def test_images_of_another_size_than_the_weights_are_refused():
    one = Blend(1, np.array([0, 1]), np.array([0]), np.ones(1))
    with pytest.raises(ShapeError, match="resample2d"):
        kernels.resample2d(np.ones((1, 2, 1, 1)), one, one)
