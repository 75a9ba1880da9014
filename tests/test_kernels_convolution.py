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
    """x, w, g, strides, padding, dilation, groups; the array called special holds a few NaN and inf."""
    (kh, kw), strides, padding, (n, height, width, c) = draw(windows())
    dilation, groups = draw(
        st.sampled_from([((1, 1), 1), ((1, 2), 1), ((3, 2), 1), ((1, 1), 3), ((2, 1), 2)])
    )
    x_shape = (n, height + (kh - 1) * (dilation[0] - 1), width + (kw - 1) * (dilation[1] - 1), c * groups)
    dtype, features = draw(DTYPES), draw(st.integers(1, 5)) * groups
    x = draw(arrays(x_shape, dtype, special == "x"))
    w = draw(arrays((kh, kw, c, features), dtype, special == "w"))
    rule = strides, padding, dilation, groups
    with np.errstate(all="ignore"):
        g = draw(arrays(reference.conv2d(x, w, *rule).shape, dtype, special == "g"))
    return x, w, g, *rule


@pytest.mark.parametrize("special", ["", "x", "w", "g"])
@given(data=st.data())
@unhurried
def test_convolutions_agree_with_their_twins(special, data):
    x, w, g, *rule = data.draw(convolutions(special))
    with np.errstate(all="ignore"):
        assert_same(kernels.conv2d(x, w, *rule), reference.conv2d(x, w, *rule), w[..., 0].size)
        assert_same(
            kernels.conv2d_input_grad(g, w, x.shape, *rule),
            reference.conv2d_input_grad(g, w, x.shape, *rule),
            w[:, :, 0].size,
        )
        assert_same(
            kernels.conv2d_weight_grad(x, g, w.shape, *rule),
            reference.conv2d_weight_grad(x, g, w.shape, *rule),
            g.size,
        )


@pytest.mark.parametrize("special", ["", "x", "w", "g"])
@given(
    size=st.tuples(st.integers(1, 2), st.integers(5, 20), st.integers(9, 30), st.integers(2, 35)),
    padding=st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2),
    strides=st.sampled_from([(1, 1), (2, 1), (1, 2)]),
    dilation=st.sampled_from([(1, 1), (2, 1), (1, 2)]),
    kernel=st.sampled_from([(3, 3), (1, 3), (2, 5)]),
    data=st.data(),
)
@unhurried
def test_wide_images_by_channel_agree_with_their_twins(
    special, size, padding, strides, dilation, kernel, data
):
    x, channels = data.draw(arrays(size, np.float32, special == "x")), size[3]
    w = data.draw(arrays((*kernel, 1, channels), np.float32, special == "w"))
    rule = strides, padding, dilation, channels
    with np.errstate(all="ignore"):
        want = reference.conv2d(x, w, *rule)
        assert_same(kernels.conv2d(x, w, *rule), want, w[..., 0].size)
        g = data.draw(arrays(want.shape, np.float32, special == "g"))
        for name, arguments, terms in (
            ("conv2d_input_grad", (g, w, x.shape), w[:, :, 0, 0].size),
            ("conv2d_weight_grad", (x, g, w.shape), g[..., 0].size),
        ):
            found, want = (getattr(module, name)(*arguments, *rule) for module in (kernels, reference))
            assert_same(found, want, terms)


@pytest.mark.parametrize("special", ["", "x", "w", "g"])
@given(data=st.data(), relu=st.booleans())
@unhurried
def test_bias_and_relu_agree_with_their_twins(special, data, relu):
    x, w, g, *rule = data.draw(convolutions(special))
    for name, arguments, bias_shape in (
        ("conv2d", (x, w), w.shape[3:]),
        ("conv2d_input_grad", (g, w, x.shape), x.shape[3:]),
    ):
        bias = data.draw(st.none() | arrays(bias_shape, x.dtype, special == "w"))
        with np.errstate(all="ignore"):
            assert_same(
                getattr(kernels, name)(*arguments, *rule, bias=bias, relu=relu),
                getattr(reference, name)(*arguments, *rule, bias=bias, relu=relu),
                max(w[..., 0].size, w[:, :, 0].size),
            )


@given(convolutions())
@unhurried
def test_convolution_gradients_are_its_adjoints(case):
    x, w, g, *rule = case
    forward = inner(kernels.conv2d(x, w, *rule), g)
    scale = np.finfo(x.dtype).eps * 100 * (1 + np.sqrt(g.size * w[..., 0].size))
    assert abs(forward - inner(x, kernels.conv2d_input_grad(g, w, x.shape, *rule))) < scale
    assert abs(forward - inner(w, kernels.conv2d_weight_grad(x, g, w.shape, *rule))) < scale


def test_a_convolution_in_groups_is_one_for_each_share_of_the_channels():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 6, 5, 6)), rng.normal(size=(3, 2, 2, 9))
    whole = kernels.conv2d(x, w, (1, 2), NO_PADDING, groups=3)
    for i in range(3):
        channels, filters = x[..., 2 * i : 2 * i + 2], w[..., 3 * i : 3 * i + 3]
        alone = kernels.conv2d(channels, filters, (1, 2), NO_PADDING)
        np.testing.assert_allclose(whole[..., 3 * i : 3 * i + 3], alone, rtol=1e-12, atol=1e-12)


def test_a_dilated_kernel_is_one_with_zeros_between():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 9, 8, 3)), rng.normal(size=(3, 2, 3, 4))
    wide = np.zeros((5, 4, 3, 4))
    wide[::2, ::3] = w
    np.testing.assert_allclose(
        kernels.conv2d(x, w, (2, 1), NO_PADDING, dilation=(2, 3)),
        kernels.conv2d(x, wide, (2, 1), NO_PADDING),
        rtol=1e-12,
        atol=1e-12,
    )


PLAIN = (1, 1), 1
LARGER = {
    "several images a task": ((40, 13, 13, 6), (3, 3, 6, 16), (1, 1), NO_PADDING, *PLAIN),
    "several bands an image": ((3, 64, 50, 5), (3, 3, 5, 7), (1, 1), ((1, 1), (1, 1)), *PLAIN),
    "bands and strides": ((2, 99, 70, 3), (5, 4, 3, 6), (2, 3), ((1, 2), (2, 0)), *PLAIN),
    "rows wider than a plane": ((1, 9, 1500, 2), (3, 3, 2, 3), (1, 1), ((0, 1), (1, 0)), *PLAIN),
    "stride beyond the kernel": ((9, 41, 40, 4), (2, 1, 4, 4), (3, 4), NO_PADDING, *PLAIN),
    "few filters": ((4, 40, 37, 21), (3, 3, 21, 2), (1, 1), ((1, 1), (2, 0)), *PLAIN),
    "few filters, in two vectors": ((4, 40, 37, 21), (1, 3, 21, 20), (1, 1), ((0, 0), (1, 1)), *PLAIN),
    "few channels": ((4, 40, 37, 1), (5, 3, 1, 13), (2, 3), ((1, 1), (2, 0)), *PLAIN),
    "few channels and few filters": ((5, 40, 37, 2), (3, 5, 2, 4), (1, 1), ((1, 1), (2, 0)), *PLAIN),
    "one channel, dilated": ((2, 90, 70, 1), (3, 3, 1, 7), (1, 1), ((3, 1), (0, 9)), (3, 2), 1),
    "one panel of filters": ((3, 40, 37, 5), (3, 3, 5, 32), (2, 1), ((1, 1), (2, 0)), *PLAIN),
    "one panel, in groups": ((3, 40, 37, 6), (3, 3, 3, 32), (1, 1), ((1, 1), (2, 0)), (1, 1), 2),
    "pointwise": ((20, 16, 16, 20), (1, 1, 20, 9), (1, 1), NO_PADDING, *PLAIN),
    "one output": ((20, 7, 7, 20), (7, 7, 20, 11), (1, 1), NO_PADDING, *PLAIN),
    "dilated, in batches": ((20, 40, 40, 8), (3, 3, 8, 5), (1, 1), ((2, 2), (2, 2)), (2, 2), 1),
    "in groups": ((12, 33, 30, 8), (3, 3, 4, 6), (2, 1), NO_PADDING, (1, 1), 2),
    "depthwise": ((12, 33, 30, 17), (3, 3, 1, 17), (1, 1), ((1, 1), (1, 1)), (1, 1), 17),
    "depthwise, several filters a channel": ((12, 33, 30, 5), (3, 3, 1, 15), (2, 2), NO_PADDING, (1, 2), 5),
}


@pytest.mark.parametrize("case", LARGER.values(), ids=LARGER)
def test_parallel_convolutions_agree_with_their_twins_and_repeat_to_the_bit(case):
    x_shape, w_shape, *rule = case
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=x_shape), rng.normal(size=w_shape)
    g = rng.normal(size=reference.conv2d(x, w, *rule).shape)
    for name, arguments, terms in (
        ("conv2d", (x, w), w[..., 0].size),
        ("conv2d_input_grad", (g, w, x_shape), w[:, :, 0].size),
        ("conv2d_weight_grad", (x, g, w_shape), g[..., 0].size),
    ):
        for dtype in (np.float32, np.float64):
            cast = [a.astype(dtype) if isinstance(a, np.ndarray) else a for a in arguments]
            got = getattr(kernels, name)(*cast, *rule)
            assert_same(got, getattr(reference, name)(*cast, *rule), terms)
            for _ in range(3):
                assert np.array_equal(getattr(kernels, name)(*cast, *rule), got)


@given(convolutions(), st.data())
@unhurried
def test_convolutions_fill_and_return_out(case, data):
    x, w, g, *rule = case
    for name, arguments, shape in (
        ("conv2d", (x, w), g.shape),
        ("conv2d_input_grad", (g, w, x.shape), x.shape),
        ("conv2d_weight_grad", (x, g, w.shape), w.shape),
    ):
        function = getattr(kernels, name)
        out = given_out(data.draw, shape, x.dtype)
        assert function(*arguments, *rule, out=out) is out
        assert np.array_equal(out, function(*arguments, *rule))


@pytest.mark.parametrize(("dilation", "groups"), [((1, 1), 1), ((2, 1), 1), ((1, 1), 2)])
def test_convolution_of_nothing(dilation, groups):
    rule = (1, 1), NO_PADDING, dilation, groups
    x, w = np.zeros((0, 5, 5, 2), np.float32), np.ones((3, 3, 2 // groups, 4), np.float32)
    g = kernels.conv2d(x, w, *rule)
    assert g.shape == (0, 5 - 2 * dilation[0], 3, 4)
    assert kernels.conv2d_input_grad(g, w, x.shape, *rule).shape == x.shape
    assert not kernels.conv2d_weight_grad(x, g, w.shape, *rule).any()


def test_convolution_refuses_what_does_not_fit():
    x, w = np.zeros((1, 5, 5, 2), np.float32), np.zeros((3, 3, 2, 4), np.float32)
    with pytest.raises(ShapeError, match="C=2"):
        kernels.conv2d(x[..., :1], w, (1, 1), NO_PADDING)
    with pytest.raises(ShapeError, match="doesn't fit"):
        kernels.conv2d(x[:, :2], w, (1, 1), NO_PADDING)
    with pytest.raises(ShapeError, match=r"window of \(5, 3\) doesn't fit"):
        kernels.conv2d(x[:, :4], w, (1, 1), NO_PADDING, dilation=(2, 1))
    with pytest.raises(ShapeError, match="in 2 groups"):
        kernels.conv2d(x, w, (1, 1), NO_PADDING, groups=2)
    with pytest.raises(ShapeError, match="in 2 groups"):
        kernels.conv2d(x, w[:, :, :1, :3], (1, 1), NO_PADDING, groups=2)
    with pytest.raises(ShapeError, match=r"bias must be \(4,\)"):
        kernels.conv2d(x, w, (1, 1), NO_PADDING, bias=np.zeros(2))
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
