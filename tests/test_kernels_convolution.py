"""Convolution and its gradients against their plain NumPy twins."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import DTYPES, NO_PADDING, arrays, assert_same, given_out, inner, unhurried, windows

from tinygrad_edu import kernels
from tinygrad_edu.errors import DTypeError, ShapeError
from tinygrad_edu.kernels import reference


@st.composite
def convolutions(draw, special=""):
    """x, w, g, strides and padding; the array called special holds a few NaN and inf."""
    (kh, kw), strides, padding, x_shape = draw(windows())
    dtype, features = draw(DTYPES), draw(st.integers(1, 5))
    x = draw(arrays(x_shape, dtype, special == "x"))
    w = draw(arrays((kh, kw, x_shape[3], features), dtype, special == "w"))
    with np.errstate(all="ignore"):
        g = draw(arrays(reference.conv2d(x, w, strides, padding).shape, dtype, special == "g"))
    return x, w, g, strides, padding


@pytest.mark.parametrize("special", ["", "x", "w", "g"])
@given(data=st.data())
@unhurried
def test_convolutions_agree_with_their_twins(special, data):
    x, w, g, strides, padding = data.draw(convolutions(special))
    with np.errstate(all="ignore"):
        assert_same(
            kernels.conv2d(x, w, strides, padding), reference.conv2d(x, w, strides, padding), w[..., 0].size
        )
        assert_same(
            kernels.conv2d_input_grad(g, w, x.shape, strides, padding),
            reference.conv2d_input_grad(g, w, x.shape, strides, padding),
            w[:, :, 0].size,
        )
        assert_same(
            kernels.conv2d_weight_grad(x, g, w.shape, strides, padding),
            reference.conv2d_weight_grad(x, g, w.shape, strides, padding),
            g.size,
        )


@given(convolutions())
@unhurried
def test_convolution_gradients_are_its_adjoints(case):
    x, w, g, strides, padding = case
    forward = inner(kernels.conv2d(x, w, strides, padding), g)
    scale = np.finfo(x.dtype).eps * 100 * (1 + np.sqrt(g.size * w[..., 0].size))
    assert abs(forward - inner(x, kernels.conv2d_input_grad(g, w, x.shape, strides, padding))) < scale
    assert abs(forward - inner(w, kernels.conv2d_weight_grad(x, g, w.shape, strides, padding))) < scale


LARGER = {
    "several images a task": ((40, 13, 13, 6), (3, 3, 6, 16), (1, 1), NO_PADDING),
    "several bands an image": ((3, 64, 50, 5), (3, 3, 5, 7), (1, 1), ((1, 1), (1, 1))),
    "bands and strides": ((2, 99, 70, 3), (5, 4, 3, 6), (2, 3), ((1, 2), (2, 0))),
    "rows wider than a plane": ((1, 9, 1500, 2), (3, 3, 2, 3), (1, 1), ((0, 1), (1, 0))),
    "stride beyond the kernel": ((9, 41, 40, 4), (2, 1, 4, 4), (3, 4), NO_PADDING),
    "pointwise": ((20, 16, 16, 20), (1, 1, 20, 9), (1, 1), NO_PADDING),
    "one output": ((20, 7, 7, 20), (7, 7, 20, 11), (1, 1), NO_PADDING),
}


@pytest.mark.parametrize("case", LARGER.values(), ids=LARGER)
def test_parallel_convolutions_agree_with_their_twins_and_repeat_to_the_bit(case):
    x_shape, w_shape, strides, padding = case
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=x_shape), rng.normal(size=w_shape)
    g = rng.normal(size=reference.conv2d(x, w, strides, padding).shape)
    for name, arguments, terms in (
        ("conv2d", (x, w), w[..., 0].size),
        ("conv2d_input_grad", (g, w, x_shape), w[:, :, 0].size),
        ("conv2d_weight_grad", (x, g, w_shape), g[..., 0].size),
    ):
        for dtype in (np.float32, np.float64):
            cast = [a.astype(dtype) if isinstance(a, np.ndarray) else a for a in arguments]
            got = getattr(kernels, name)(*cast, strides, padding)
            assert_same(got, getattr(reference, name)(*cast, strides, padding), terms)
            for _ in range(3):
                assert np.array_equal(getattr(kernels, name)(*cast, strides, padding), got)


@given(convolutions(), st.data())
@unhurried
def test_convolutions_fill_and_return_out(case, data):
    x, w, g, strides, padding = case
    for name, arguments, shape in (
        ("conv2d", (x, w), g.shape),
        ("conv2d_input_grad", (g, w, x.shape), x.shape),
        ("conv2d_weight_grad", (x, g, w.shape), w.shape),
    ):
        function = getattr(kernels, name)
        out = given_out(data.draw, shape, x.dtype)
        assert function(*arguments, strides, padding, out=out) is out
        assert np.array_equal(out, function(*arguments, strides, padding))


def test_convolution_of_nothing():
    x, w = np.zeros((0, 5, 5, 2), np.float32), np.ones((3, 3, 2, 4), np.float32)
    g = kernels.conv2d(x, w, (1, 1), NO_PADDING)
    assert g.shape == (0, 3, 3, 4)
    assert kernels.conv2d_input_grad(g, w, x.shape, (1, 1), NO_PADDING).shape == x.shape
    assert not kernels.conv2d_weight_grad(x, g, w.shape, (1, 1), NO_PADDING).any()


def test_convolution_refuses_what_does_not_fit():
    x, w = np.zeros((1, 5, 5, 2), np.float32), np.zeros((3, 3, 2, 4), np.float32)
    with pytest.raises(ShapeError, match="C=2"):
        kernels.conv2d(x[..., :1], w, (1, 1), NO_PADDING)
    with pytest.raises(ShapeError, match="doesn't fit"):
        kernels.conv2d(x[:, :2], w, (1, 1), NO_PADDING)
    with pytest.raises(ShapeError, match="out must be"):
        kernels.conv2d(x, w, (1, 1), NO_PADDING, out=x)
    with pytest.raises(ShapeError, match="doesn't fit"):
        kernels.conv2d_input_grad(x, w, x.shape, (1, 1), NO_PADDING)
    with pytest.raises(ShapeError, match="doesn't fit"):
        kernels.conv2d_weight_grad(x, x, w.shape, (1, 1), NO_PADDING)
    with pytest.raises(DTypeError, match="int64"):
        kernels.conv2d(x.astype(np.int64), w, (1, 1), NO_PADDING)


def test_convolutions_may_be_called_from_several_threads_at_once():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(16, 20, 20, 3)), rng.normal(size=(3, 3, 3, 8))
    want = kernels.conv2d(x, w, (1, 1), NO_PADDING)
    same = []
    workers = [
        threading.Thread(
            target=lambda: same.extend(
                np.array_equal(kernels.conv2d(x, w, (1, 1), NO_PADDING), want) for _ in range(20)
            )
        )
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert same == [True] * 80
