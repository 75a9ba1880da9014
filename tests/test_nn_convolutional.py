"""DepthwiseConv2D, SeparableConv2D, Conv2DTranspose, UpSampling2D: values, shapes, weights, as PyTorch's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, ShapeError

SIDES = st.tuples(st.integers(1, 3), st.integers(1, 3))
PADDINGS = st.sampled_from(["valid", "same"])
BIAS = {"bias_initializer": "random_normal", "dtype": "float64"}


def images(*shape):
    return np.random.default_rng(1).normal(size=shape)


@given(
    size=st.tuples(st.integers(3, 6), st.integers(3, 6)), c=st.integers(1, 3), multiplier=st.integers(1, 2),
    kernel=SIDES, strides=SIDES, padding=PADDINGS,
)  # fmt: skip
def test_depthwise_is_a_convolution_of_each_channel_alone(size, c, multiplier, kernel, strides, padding):
    layer = nn.DepthwiseConv2D(kernel, strides, padding, multiplier, activation="tanh", **BIAS)
    x = images(2, *size, c)
    y = layer(x)
    assert layer.kernel.shape == (*kernel, c, multiplier)
    assert layer.bias.shape == (c * multiplier,)
    for channel in range(c):
        alone = nn.Conv2D(multiplier, kernel, strides, padding, activation="tanh", dtype="float64")
        alone(x[..., channel : channel + 1])
        part = slice(channel * multiplier, (channel + 1) * multiplier)
        alone.kernel.data = layer.kernel.data[:, :, channel : channel + 1]
        alone.bias.data = layer.bias.data[part]
        np.testing.assert_allclose(y.data[..., part], alone(x[..., channel : channel + 1]).data, atol=1e-12)
    assert layer.output_shape == (None, *y.shape[1:])


@given(
    size=st.tuples(st.integers(3, 6), st.integers(3, 6)), c=st.integers(1, 3), filters=st.integers(1, 3),
    multiplier=st.integers(1, 2), kernel=SIDES, strides=SIDES, padding=PADDINGS,
)  # fmt: skip
def test_separable_is_depthwise_and_then_one_by_one(size, c, filters, multiplier, kernel, strides, padding):
    layer = nn.SeparableConv2D(filters, kernel, strides, padding, depth_multiplier=multiplier, **BIAS)
    x = images(2, *size, c)
    y = layer(x)
    first = nn.DepthwiseConv2D(kernel, strides, padding, multiplier, use_bias=False, dtype="float64")
    second = nn.Conv2D(filters, 1, dtype="float64")
    second(first(x))
    first.kernel.data, second.kernel.data = layer.depthwise_kernel.data, layer.pointwise_kernel.data
    second.bias.data = layer.bias.data
    np.testing.assert_allclose(y.data, second(first(x)).data, atol=1e-12)
    assert layer.output_shape == (None, *y.shape[1:])
    assert layer.pointwise_kernel.shape == (1, 1, c * multiplier, filters)


@given(
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)), c=st.integers(1, 3), filters=st.integers(1, 3),
    kernel=SIDES, strides=SIDES, padding=PADDINGS,
)  # fmt: skip
def test_transposed_lays_each_pixel_out_as_a_filter(size, c, filters, kernel, strides, padding):
    layer = nn.Conv2DTranspose(filters, kernel, strides, padding, **BIAS)
    x = images(2, *size, c)
    y = layer(x)
    (h, w), (kh, kw), (sh, sw) = size, kernel, strides
    whole = np.zeros((2, (h - 1) * sh + max(kh, sh), (w - 1) * sw + max(kw, sw), filters))
    for i in range(h):
        for j in range(w):
            patch = np.tensordot(x[:, i, j], layer.kernel.data, axes=(1, 3))
            whole[:, i * sh : i * sh + kh, j * sw : j * sw + kw] += patch
    if padding == "same":
        top, left = max(kh - sh, 0) // 2, max(kw - sw, 0) // 2
        whole = whole[:, top : top + h * sh, left : left + w * sw]
    np.testing.assert_allclose(y.data, whole + layer.bias.data, atol=1e-12)
    assert layer.output_shape == (None, *y.shape[1:])
    assert layer.kernel.shape == (*kernel, filters, c)


def test_output_padding_chooses_among_sizes():
    for extra, side in ((0, 7), (1, 8)):
        layer = nn.Conv2DTranspose(2, 3, 2, "same", output_padding=extra)
        assert layer(images(1, 4, 4, 3)).shape == (1, side, side, 2)
        assert layer.output_shape == (None, side, side, 2)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_upsampling(interpolation):
    layer = nn.UpSampling2D((2, 3), interpolation=interpolation)
    x = images(2, 3, 2, 4)
    y = layer(x)
    assert y.shape == (2, 6, 6, 4)
    assert layer.output_shape == (None, 6, 6, 4)
    expected = te.upsample2d(x.astype("f4"), (2, 3), interpolation=interpolation)
    np.testing.assert_array_equal(y.data, expected)
    if interpolation == "nearest":
        np.testing.assert_array_equal(y.data, x.astype("f4").repeat(2, axis=1).repeat(3, axis=2))


def test_keras_parameter_counts():
    """Those that Keras' summary prints for layers of these arguments on 8 channels."""
    counts = {
        nn.DepthwiseConv2D(3, depth_multiplier=2): 3 * 3 * 8 * 2 + 16,
        nn.SeparableConv2D(16, 3): 3 * 3 * 8 + 8 * 16 + 16,
        nn.SeparableConv2D(16, 3, depth_multiplier=2, use_bias=False): 3 * 3 * 8 * 2 + 16 * 16,
        nn.Conv2DTranspose(16, (3, 2)): 3 * 2 * 8 * 16 + 16,
        nn.UpSampling2D(): 0,
    }
    for layer, count in counts.items():
        layer(np.zeros((1, 5, 5, 8)))
        assert layer.count_params() == count


def test_values_and_gradients_as_pytorchs():
    torch = pytest.importorskip("torch")
    x = images(2, 5, 6, 4).astype("f4")
    pairs = {
        nn.DepthwiseConv2D(3, padding="same"): torch.nn.Conv2d(4, 4, 3, padding=1, groups=4),
        nn.Conv2DTranspose(3, 3, padding="same"): torch.nn.ConvTranspose2d(4, 3, 3, padding=1),
        nn.Conv2DTranspose(3, 3, 2): torch.nn.ConvTranspose2d(4, 3, 3, stride=2),
    }
    for layer, theirs in pairs.items():
        layer(x)
        kernel = layer.kernel.data.transpose(2, 3, 0, 1) if theirs.groups > 1 else layer.kernel.data.T
        kernel = kernel if theirs.groups > 1 else kernel.transpose(0, 1, 3, 2)
        with torch.no_grad():
            theirs.weight.copy_(torch.from_numpy(kernel.copy()))
            theirs.bias.copy_(torch.from_numpy(layer.bias.data.copy()))
        a = te.Tensor(x, requires_grad=True)
        b = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).requires_grad_()
        y, z = layer(a), theirs(b)
        np.testing.assert_allclose(y.data, z.detach().numpy().transpose(0, 2, 3, 1), atol=1e-5)
        (y**2).sum().backward()
        (z**2).sum().backward()
        np.testing.assert_allclose(a.grad.data, b.grad.numpy().transpose(0, 2, 3, 1), atol=1e-4)
        np.testing.assert_allclose(layer.bias.grad.data, theirs.bias.grad.numpy(), rtol=1e-4, atol=1e-4)


def test_they_come_back_from_disk(tmp_path):
    model = nn.Sequential(
        [
            nn.Input((6, 6, 2)),
            nn.DepthwiseConv2D(3, depth_multiplier=2, activation="relu"),
            nn.SeparableConv2D(3, (1, 2), depthwise_initializer=nn.initializers.HeNormal(seed=1)),
            nn.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=1),
            nn.UpSampling2D(2, interpolation="bilinear"),
        ]
    )
    model.save(tmp_path / "m")
    x = images(2, 6, 6, 2).astype("f4")
    same = nn.load_model(tmp_path / "m")
    np.testing.assert_array_equal(same.predict(x), model.predict(x))
    assert same.get_config() == model.get_config()


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (
            lambda: nn.DepthwiseConv2D(3, depth_multiplier=0),
            ArgumentError,
            "depth_multiplier: expected a pos",
        ),
        (lambda: nn.SeparableConv2D(0, 3), ArgumentError, "filters: expected a positive"),
        (lambda: nn.Conv2DTranspose(2, 3, 2, output_padding=2), ArgumentError, "must be below the strides"),
        (lambda: nn.Conv2DTranspose(2, 3, padding="full"), ArgumentError, "unknown padding .*same, valid"),
        (lambda: nn.UpSampling2D(0), ArgumentError, "UpSampling2D: size"),
        (lambda: nn.UpSampling2D(2, interpolation="cubic"), ArgumentError, "unknown interpolation"),
        (lambda: nn.UpSampling2D(2)(images(2, 3, 3)), ShapeError, "adds the channel axis"),
        (lambda: nn.SeparableConv2D(2, 3)(images(2, 3, 3)), ShapeError, "adds the channel axis"),
        (lambda: nn.DepthwiseConv2D(3)(images(2, 2, 2, 1)), ShapeError, "larger than the image"),
    ],
)
def test_mistakes_are_named(make, kind, text):
    with pytest.raises(kind, match=text):
        make()
