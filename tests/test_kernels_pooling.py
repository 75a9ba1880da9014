"""Pooling against its plain NumPy twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import DTYPES, NO_PADDING, arrays, assert_same, given_out, inner, unhurried, windows

from tinygrad_edu import kernels
from tinygrad_edu.errors import ShapeError
from tinygrad_edu.kernels import reference


@st.composite
def poolings(draw, special=False):
    """x (with ties), pool_size, strides and padding."""
    pool_size, strides, padding, shape = draw(windows(small_padding=True))
    x = draw(arrays(shape, draw(DTYPES), special))
    if draw(st.booleans()):
        x = np.round(x)
    return x, pool_size, strides, padding


@pytest.mark.parametrize("special", [False, True])
@given(data=st.data())
@unhurried
def test_pooling_agrees_with_its_twin(special, data):
    x, pool_size, strides, padding = data.draw(poolings(special))
    rule = pool_size, strides, padding
    with np.errstate(all="ignore"):
        want, winners = reference.max_pool2d(x, *rule)
        out, indices = kernels.max_pool2d(x, *rule)
        assert np.array_equal(out, want, equal_nan=True)
        assert np.array_equal(indices, winners)
        assert (out.dtype, indices.dtype) == (x.dtype, np.uint8)
        g = data.draw(arrays(out.shape, x.dtype, special))
        assert_same(
            kernels.max_pool2d_scatter(g, indices, x.shape, *rule),
            reference.max_pool2d_scatter(g, winners, x.shape, *rule),
        )
        assert np.array_equal(
            kernels.max_pool2d_gather(x, indices, *rule), want, equal_nan=True
        )  # what is read at the winners is the maximum
        assert np.array_equal(reference.max_pool2d_gather(x, winners, *rule), want, equal_nan=True)
        assert_same(kernels.avg_pool2d(x, *rule), reference.avg_pool2d(x, *rule), 16)
        assert_same(
            kernels.avg_pool2d_scatter(g, x.shape, *rule), reference.avg_pool2d_scatter(g, x.shape, *rule), 16
        )


@given(poolings(), st.data())
@unhurried
def test_pooling_gradients_are_adjoints(case, data):
    x, *rule = case
    v = data.draw(arrays(x.shape, x.dtype))
    indices = kernels.max_pool2d(x, *rule)[1]
    g = data.draw(arrays(indices.shape, x.dtype))
    close = {"rel": 1e-4, "abs": 1e-4 * (1 + g.size) ** 0.5}
    scattered = inner(kernels.max_pool2d_scatter(g, indices, x.shape, *rule), v)
    assert scattered == pytest.approx(inner(g, kernels.max_pool2d_gather(v, indices, *rule)), **close)
    shared = inner(kernels.avg_pool2d_scatter(g, x.shape, *rule), v)
    assert shared == pytest.approx(inner(g, kernels.avg_pool2d(v, *rule)), **close)


@given(poolings(), st.data())
@unhurried
def test_pooling_fills_and_returns_out(case, data):
    x, *rule = case
    want, winners = kernels.max_pool2d(x, *rule)
    out = given_out(data.draw, want.shape, x.dtype)
    indices = np.full(winners.shape, 99, np.uint8)
    results = kernels.max_pool2d(x, *rule, out=out, indices=indices)
    assert results[0] is out
    assert results[1] is indices
    assert np.array_equal(out, want)
    assert np.array_equal(indices, winners)
    for function, arguments, shape in (
        (kernels.max_pool2d_scatter, (want, winners, x.shape), x.shape),
        (kernels.max_pool2d_gather, (x, winners), want.shape),
        (kernels.avg_pool2d, (x,), want.shape),
        (kernels.avg_pool2d_scatter, (want, x.shape), x.shape),
    ):
        out = given_out(data.draw, shape, x.dtype)
        assert function(*arguments, *rule, out=out) is out
        assert np.array_equal(out, function(*arguments, *rule))


def test_parallel_pooling_agrees_with_its_twin():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 41, 40, 17)).astype(np.float32)
    rule = (3, 3), (2, 2), ((0, 1), (1, 1))
    out, indices = kernels.max_pool2d(x, *rule)
    want, winners = reference.max_pool2d(x, *rule)
    assert np.array_equal(out, want)
    assert np.array_equal(indices, winners)
    assert_same(
        kernels.max_pool2d_scatter(out, indices, x.shape, *rule),
        reference.max_pool2d_scatter(out, indices, x.shape, *rule),
    )
    assert_same(kernels.avg_pool2d(x, *rule), reference.avg_pool2d(x, *rule))
    assert_same(
        kernels.avg_pool2d_scatter(out, x.shape, *rule), reference.avg_pool2d_scatter(out, x.shape, *rule)
    )


def test_the_first_of_equal_maxima_wins_and_nan_beats_them():
    x = np.array([[2.0, 7.0, 7.0], [7.0, 1.0, np.nan]]).reshape(1, 2, 3, 1)
    out, indices = kernels.max_pool2d(x, (2, 2), (1, 1), NO_PADDING)
    assert np.array_equal(out.ravel(), [7, np.nan], equal_nan=True)
    assert indices.ravel().tolist() == [1, 3]
    _, indices = kernels.max_pool2d(np.full((1, 2, 2, 1), -np.inf), (2, 2), (1, 1), ((1, 1), (1, 1)))
    assert indices[0, :, :, 0].tolist() == [[3, 2, 2], [1, 0, 0], [1, 0, 0]]  # never a place on the padding


def test_windows_of_more_than_256_cells_count_in_int32():
    x = np.zeros((1, 20, 20, 1), np.float32)
    x[0, 19, 18] = 1
    rule = (20, 20), (1, 1), NO_PADDING
    out, indices = kernels.max_pool2d(x, *rule)
    assert indices.dtype == np.int32
    assert indices.item() == 19 * 20 + 18
    assert np.array_equal(kernels.max_pool2d_scatter(out, indices, x.shape, *rule), x)
    assert kernels.max_pool2d_gather(x, indices, *rule).item() == 1


def test_pooling_refuses_what_does_not_fit():
    x = np.zeros((1, 4, 4, 2), np.float32)
    with pytest.raises(ShapeError, match="less than the window"):
        kernels.max_pool2d(x, (2, 2), (1, 1), ((2, 0), (0, 0)))
    with pytest.raises(ShapeError, match="doesn't fit"):
        kernels.avg_pool2d(x, (5, 5), (1, 1), NO_PADDING)
    with pytest.raises(ShapeError, match="at least one pixel"):
        kernels.avg_pool2d(x[:, :0], (2, 2), (1, 1), ((1, 1), (1, 1)))
    with pytest.raises(ShapeError, match="g should be"):
        kernels.avg_pool2d_scatter(x, x.shape, (2, 2), (2, 2), NO_PADDING)
    with pytest.raises(ShapeError, match="indices should be"):
        kernels.max_pool2d_gather(x, x.astype(np.uint8), (2, 2), (2, 2), NO_PADDING)
    with pytest.raises(ShapeError, match="out must be"):
        kernels.max_pool2d(x, (2, 2), (2, 2), NO_PADDING, indices=np.zeros((1, 2, 2, 2), np.int32))
