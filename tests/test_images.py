"""Convolution, pooling and resizing by example: sizes, padding in words, what is one and the same, errors."""

from typing import Any

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Tensor
from tinygrad_edu.errors import ArgumentError, ShapeError
from tinygrad_edu.testing import gradcheck, gradgradcheck


def normal(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def slope(function: Any, x: Any) -> Any:
    leaf = Tensor(np.asarray(x, np.float64), requires_grad=True)
    return te.grad(function(leaf).sum(), leaf).numpy()


# --- Convolution -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dilation", [1, 2, (1, 3)])
@pytest.mark.parametrize("strides", [1, 2, (3, 1)])
def test_same_padding_makes_a_pixel_for_each_step(strides, dilation):
    x, w = normal(1, 7, 8, 2), normal(3, 2, 2, 1)
    y = te.conv2d(x, w, strides=strides, padding="same", dilation=dilation)
    steps = np.broadcast_to(strides, 2)
    assert y.shape == (1, -(-7 // steps[0]), -(-8 // steps[1]), 1)


def test_strides_and_dilation_together_see_the_right_pixels():
    x = np.arange(7.0).reshape(1, 1, 7, 1)
    y = te.conv2d(x, [[[[1.0]], [[100.0]]]], strides=2, dilation=3)
    assert y.ravel().tolist() == [300.0, 502.0]


def test_one_group_for_each_channel_is_depthwise():
    x, w = normal(2, 5, 4, 3), normal(2, 3, 3, 2)
    rule: Any = {"strides": 2, "padding": "same"}
    np.testing.assert_array_equal(
        te.depthwise_conv2d(x, w, **rule), te.conv2d(x, w.reshape(2, 3, 1, 6), groups=3, **rule)
    )
    alone = te.conv2d(x[..., 1:2], w[:, :, 1:2], **rule)
    np.testing.assert_allclose(te.depthwise_conv2d(x, w, **rule)[..., 2:4], alone, atol=1e-14)


def test_whole_images_become_float32_and_float64_stays():
    x, w = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1), np.ones((2, 2, 1, 1), np.float32)
    for options in ({}, {"dilation": 2}):
        assert te.conv2d(Tensor(x), Tensor(w), **options).dtype == np.float32
        assert te.conv2d(Tensor(x), Tensor(w.astype(np.float64)), **options).dtype == np.float64
    assert te.max_pool2d(Tensor(x)).dtype == te.resize2d(Tensor(x), 2).dtype == np.float32
    assert (
        te.upsample2d(Tensor(x)).dtype == te.resize2d(Tensor(x), 3, interpolation="nearest").dtype == np.uint8
    )


@pytest.mark.parametrize("rule", [{}, {"dilation": (2, 1)}, {"groups": 2}, {"groups": 2, "dilation": 2}])
def test_the_circle_of_derivatives_closes_in_the_third_order(rule):
    x, w = normal(1, 4, 3, 2), normal(2, 2, 2 // rule.get("groups", 1), 2)

    def slopes(*inputs: Any) -> Any:  # of something of the third degree in each
        y = te.conv2d(*inputs, padding="same", **rule)
        return te.grad((y * y * y).sum(), list(inputs), create_graph=True)

    gradcheck(slopes, [x, w])
    gradgradcheck(slopes, [x, w])


def test_causal_outputs_do_not_see_what_comes_later():
    x, w = normal(1, 9, 2), normal(3, 2, 2)
    y = te.conv1d(x, w, padding="causal", dilation=2)
    later = x.copy()
    later[:, 5:] += 1
    again = te.conv1d(later, w, padding="causal", dilation=2)
    assert y.shape == (1, 9, 2)
    np.testing.assert_array_equal(again[:, :5], y[:, :5])
    assert (again[:, 5:] != y[:, 5:]).all()


# --- Transposed convolution ------------------------------------------------------------------------------


# Sizes by the rule of Keras' Conv2DTranspose: of n = 4 with kernel k, stride s.
@pytest.mark.parametrize(
    ("k", "s", "padding", "more", "dilation", "size"),
    [
        (3, 1, "valid", None, 1, 6), (3, 2, "valid", None, 1, 9), (2, 3, "valid", None, 1, 12),
        (3, 2, "valid", 1, 1, 10), (3, 2, "valid", None, 2, 11), (3, 1, "same", None, 1, 4),
        (3, 2, "same", None, 1, 8), (4, 2, "same", None, 1, 8), (3, 2, "same", 0, 1, 7),
        (3, 2, "same", 1, 1, 8), (4, 2, "same", 1, 1, 7), (3, 2, 1, None, 1, 7),
        (3, 2, ((1, 0), (1, 0)), 1, 1, 9),
    ],
)  # fmt: skip
def test_transposed_sizes(k, s, padding, more, dilation, size):
    x, w = normal(1, 4, 4, 2), normal(k, k, 3, 2)
    y = te.conv2d_transpose(x, w, strides=s, padding=padding, output_padding=more, dilation=dilation)
    assert y.shape == (1, size, size, 3)


@pytest.mark.parametrize("padding", ["valid", "same", 1])
@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_the_transpose_is_the_adjoint_of_the_convolution(padding, strides, groups):
    rule: Any = {"strides": strides, "padding": padding, "groups": groups}
    y, w = normal(2, 3, 4, 4), normal(3, 3, 4 // groups, 4)
    x = te.conv2d_transpose(y, w, **rule)
    z = normal(*x.shape)
    forward = te.conv2d(z, w, **rule)
    assert forward.shape == y.shape
    assert np.vdot(forward, y) == pytest.approx(np.vdot(z, x))


@pytest.mark.parametrize("more", [2, (0, 3)])
def test_no_output_padding_that_a_convolution_would_not_round_down(more):
    x, w = np.ones((1, 3, 3, 1)), np.ones((3, 3, 1, 1))
    with pytest.raises(ArgumentError, match=r"doesn't make \(3, 3\) of"):
        te.conv2d_transpose(x, w, strides=2, output_padding=more)
    with pytest.raises(ArgumentError, match="or pad less"):
        te.conv2d_transpose(x[:, :1, :1], w, padding=2)


# --- Pooling ---------------------------------------------------------------------------------------------


def test_the_first_of_equals_wins_a_window_and_all_of_them_the_whole():
    x = np.ones((1, 4, 1))
    assert slope(te.max_pool1d, x).ravel().tolist() == [1, 0, 1, 0]
    assert slope(te.global_max_pool1d, x).ravel().tolist() == [0.25] * 4
    assert slope(te.global_max_pool2d, x.reshape(1, 2, 2, 1)).ravel().tolist() == [0.25] * 4


def test_padding_neither_wins_nor_counts():
    x = np.array([[[-2.0], [-4.0], [-6.0]]])
    assert te.max_pool1d(x, 2, padding="same").ravel().tolist() == [-2, -6]
    assert te.avg_pool1d(x, 2, padding="same").ravel().tolist() == [-3, -6]
    assert te.avg_pool1d(x, 3, strides=1, padding=1).ravel().tolist() == [-3, -4, -5]
    assert te.avg_pool1d(x, 3, strides=1, padding=(2, 0)).ravel().tolist() == [-2, -3, -4]


# --- Resizing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_the_same_size_changes_nothing(interpolation):
    x = normal(2, 3, 5, 2)
    np.testing.assert_allclose(te.resize2d(x, (3, 5), interpolation=interpolation), x, rtol=1e-15)
    np.testing.assert_allclose(te.upsample2d(x, 1, interpolation=interpolation), x, rtol=1e-15)


def test_upsampling_is_resizing_and_nearest_repeats():
    x = normal(2, 3, 2, 1)
    for interpolation in ("nearest", "bilinear"):
        np.testing.assert_array_equal(
            te.upsample2d(x, (2, 3), interpolation=interpolation),
            te.resize2d(x, (6, 6), interpolation=interpolation),
        )
    np.testing.assert_array_equal(te.upsample2d(x, (2, 3)), x.repeat(2, axis=1).repeat(3, axis=2))


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_bad_pixel_stays_among_those_that_are_made_of_it(bad):
    x = np.zeros((1, 3, 3, 1))
    x[0, 1, 1, 0] = bad
    expected = np.zeros((6, 6))
    expected[1:5, 1:5] = bad
    np.testing.assert_array_equal(te.resize2d(x, 6)[0, :, :, 0], expected)
    np.testing.assert_array_equal(te.resize2d(x, 3), x)
    half = te.resize2d(x[:, :, :2], (3, 1))  # every pixel lies on an old row, and between two columns
    np.testing.assert_array_equal(half.ravel(), [0, bad, 0])
    assert slope(lambda y: te.resize2d(y, 3), x).tolist() == np.ones((1, 3, 3, 1)).tolist()


def test_bilinear_follows_a_plane_and_stays_within_the_pixels_at_the_border():
    y, x = np.mgrid[:4, :6]
    plane = (2.0 * y - x)[None, :, :, None]
    fine = te.upsample2d(plane, 2, interpolation="bilinear")[0, :, :, 0]
    v, u = (np.mgrid[:8, :12] + 0.5) / 2 - 0.5
    np.testing.assert_allclose(fine[1:-1, 1:-1], (2 * v - u)[1:-1, 1:-1], atol=1e-12)
    np.testing.assert_allclose(fine[0, 1:-1], -u[0, 1:-1], atol=1e-12)


# --- Errors ----------------------------------------------------------------------------------------------

X, W = np.ones((1, 4, 4, 2)), np.ones((3, 3, 2, 4))

REFUSED = {
    "groups that don't divide": (lambda: te.conv2d(X, W, groups=3), "groups=3 must divide the 2 channels"),
    "channels first": (
        lambda: te.conv2d(np.ones((2, 3, 8, 9)), np.ones((3, 3, 3, 5))),
        r"permute_dims\(x, \(0, 2, 3, 1\)\)",
    ),
    "filters for other groups": (lambda: te.conv2d(X, W, groups=2), "made for 4"),
    "filters not divided": (lambda: te.conv2d(X, W[:, :, :1, :3], groups=2), "groups=2 must divide"),
    "no group": (lambda: te.conv2d(X, W, groups=0), "groups must be a positive"),
    "a bias of another length": (lambda: te.conv2d(X, W, [1.0]), "one for each filter"),
    "a bias of another length, transposed": (
        lambda: te.conv2d_transpose(X, np.ones((3, 3, 4, 2)), [1.0]), "one for each filter"
    ),
    "another activation": (lambda: te.conv2d(X, W, activation="tanh"), 'None or "relu"'),
    "gaps too wide": (lambda: te.conv2d(X, W, dilation=2), r"dilation \(2, 2\), so \(5, 5\), is larger"),
    "no dilation": (lambda: te.conv2d(X, W, dilation=0), "dilation: expected a positive"),
    "a filter without a side": (lambda: te.conv2d(X, W[:0]), "sides of at least 1"),
    "an empty filter of sequences": (lambda: te.conv1d(X[0], W[0, :0]), "sides of at least 1"),
    "a filter of three axes": (lambda: te.conv2d(X, W[0]), r"filters \(kh, kw, C / groups, F\)"),
    "an image without channels": (lambda: te.conv2d(X[0], W), "an axis of 1 is missing"),
    "padding unheard of": (lambda: te.conv2d(X, W, padding="full"), 'expected "valid", "same"'),
    "negative padding": (lambda: te.conv2d(X, W, padding=-1), "padding: expected"),
    "other channels, depthwise": (lambda: te.depthwise_conv2d(X, W[:, :, :1]), "have 2 channels"),
    "pointwise of 3 x 3": (lambda: te.separable_conv2d(X, W, W), r"pointwise filters \(1, 1, 8, F\)"),
    "a transpose of other channels": (lambda: te.conv2d_transpose(X, W), r"\(kh, kw, F / groups, C\)"),
    "half an output padding": (
        lambda: te.conv2d_transpose(X, W[..., :2], output_padding=0.5), "output_padding: expected a whole",
    ),
    "images to conv1d": (lambda: te.conv1d(X, W), r"conv1d: expected sequences \(N, L, C\)"),
    "two strides for one axis": (lambda: te.conv1d(X[0], W[0], strides=(1, 2)), "expected one whole number"),
    "padding for images": (lambda: te.conv1d(X[0], W[0], padding=((1, 1), (1, 1))), r"\(before, after\)"),
    "causal images": (lambda: te.conv2d(X, W, padding="causal"), "padding: expected"),
    "images to max_pool1d": (lambda: te.max_pool1d(X), r"max_pool1d: expected sequences"),
    "a pool too wide": (lambda: te.avg_pool1d(X[0], 5), "larger than the image"),
    "sequences to a global pool": (lambda: te.global_avg_pool2d(X[0]), "global_avg_pool2d: expected images"),
    "images to a global pool": (lambda: te.global_max_pool1d(X), "global_max_pool1d: expected sequences"),
    "no pixel": (lambda: te.resize2d(X[:, :0], 2), "at least one pixel"),
    "a size of nothing": (lambda: te.resize2d(X, 0), "size: expected a positive"),
    "bicubic": (lambda: te.upsample2d(X, interpolation="bicubic"), "unknown interpolation 'bicubic'"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "says"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_in_words(call, says):
    with pytest.raises((ShapeError, ArgumentError), match=says):
        call()
