"""BatchNormalization and LayerNormalization: values, running averages, modes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError


def numbers(*shape):
    return np.random.default_rng(0).normal(2.0, 3.0, shape)


@given(
    shape=st.sampled_from([(7, 3), (2, 4, 5, 3), (5, 2, 3)]), axis=st.sampled_from([1, -1]),
    center=st.booleans(), scale=st.booleans(),
)  # fmt: skip
def test_training_normalises_by_the_batch_and_keeps_averages(shape, axis, center, scale):
    layer = nn.BatchNormalization(
        axis,
        0.9,
        1e-5,
        center,
        scale,
        beta_initializer="random_normal",
        gamma_initializer="random_uniform",
        dtype="float64",
    )
    layer.train()
    moving_mean, moving_variance = 0.0, 1.0
    for i in range(3):
        x = numbers(*shape) + i
        y = layer(x)
        others = tuple(a for a in range(x.ndim) if a != axis % x.ndim)
        mean, variance = x.mean(others, keepdims=True), x.var(others, keepdims=True)
        moving_mean = 0.9 * moving_mean + 0.1 * mean.ravel()
        moving_variance = 0.9 * moving_variance + 0.1 * variance.ravel()
        gamma = layer.gamma.data.reshape(mean.shape) if scale else 1
        beta = layer.beta.data.reshape(mean.shape) if center else 0
        np.testing.assert_allclose(y.data, (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta, atol=1e-10)
        np.testing.assert_allclose(layer.moving_mean.data, moving_mean, rtol=1e-10)
        np.testing.assert_allclose(layer.moving_variance.data, moving_variance, rtol=1e-10)

    layer.eval()
    y = layer(x)
    moving_mean, moving_variance = moving_mean.reshape(mean.shape), moving_variance.reshape(mean.shape)
    expected = (x - moving_mean) / np.sqrt(moving_variance + 1e-5) * gamma + beta
    np.testing.assert_allclose(y.data, expected, atol=1e-10)
    np.testing.assert_allclose(layer.moving_mean.data, moving_mean.ravel())
    assert layer.output_shape == (None, *shape[1:])


def test_defaults_and_weights_are_keras():
    layer = nn.BatchNormalization()
    layer(np.zeros((2, 4)))
    assert (layer.momentum, layer.epsilon) == (0.99, 1e-3)
    assert [path for path, _ in layer.named_weights()] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [path for path, _ in layer.named_buffers()] == ["moving_mean", "moving_variance"]
    assert layer.count_params() == 16
    assert len(layer.parameters()) == 2
    assert [w.tolist() for _, w in layer.named_weights()] == [[1] * 4, [0] * 4, [0] * 4, [1] * 4]


def test_a_frozen_layer_is_in_inference_mode():
    layer = nn.BatchNormalization()
    x = numbers(8, 3).astype("f4")
    expected = layer(x).data
    layer.trainable = False
    layer.train()
    np.testing.assert_array_equal(layer(x).data, expected)
    assert layer.moving_mean.tolist() == [0, 0, 0]


def test_a_checkpoint_counts_a_batch_once():
    results = []
    for call in (te.checkpoint, lambda layer, x: layer(x)):
        layer = nn.BatchNormalization().train()
        x = te.Tensor(numbers(8, 3).astype("f4"), requires_grad=True)
        y = call(layer, x)
        (y**3).sum().backward()
        results.append(
            (layer.moving_mean.data, layer.moving_variance.data, x.grad.data, layer.gamma.grad.data)
        )
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_empty_batch_is_no_statistic():
    layer = nn.BatchNormalization().train()
    assert layer(np.zeros((0, 3))).shape == (0, 3)
    assert layer.moving_variance.tolist() == [1, 1, 1]


def test_values_and_gradients_as_pytorchs():
    torch = pytest.importorskip("torch")
    x = numbers(4, 3, 5, 6).astype("f4")
    batch = nn.BatchNormalization().train(), torch.nn.BatchNorm2d(6, eps=1e-3, momentum=0.01)
    layer = nn.LayerNormalization(), torch.nn.LayerNorm(6, eps=1e-3)
    for ours, theirs in (batch, layer):
        channels_first = theirs is batch[1]
        a = te.Tensor(x, requires_grad=True)
        b = torch.from_numpy(x).requires_grad_()
        y = ours(a)
        z = theirs(b.movedim(-1, 1)).movedim(1, -1) if channels_first else theirs(b)
        np.testing.assert_allclose(y.data, z.detach().numpy(), atol=1e-5)
        (y**3).sum().backward()
        (z**3).sum().backward()
        np.testing.assert_allclose(a.grad.data, b.grad.numpy(), atol=1e-3)
        np.testing.assert_allclose(ours.gamma.grad.data, theirs.weight.grad.numpy(), rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(batch[0].moving_mean.data, batch[1].running_mean.numpy(), rtol=1e-5)


@given(
    axis=st.sampled_from([-1, 1, (1, 2), (2, -1), (1, 2, 3)]), center=st.booleans(), scale=st.booleans()
)  # fmt: skip
def test_layer_normalisation_looks_at_each_sample_alone(axis, center, scale):
    layer = nn.LayerNormalization(
        axis,
        1e-5,
        center,
        scale,
        beta_initializer="random_normal",
        gamma_initializer="random_uniform",
        dtype="float64",
    )
    x = numbers(3, 2, 4, 5)
    y = layer(x)
    axes = axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(a % 4 for a in axes)
    kept = [n if a in axes else 1 for a, n in enumerate(x.shape)]
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    gamma = layer.gamma.data.reshape(kept) if scale else 1
    beta = layer.beta.data.reshape(kept) if center else 0
    np.testing.assert_allclose(y.data, (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta, atol=1e-10)
    np.testing.assert_allclose(layer(x[:1]).data, y.data[:1], atol=1e-12)
    assert layer.output_shape == (None, *x.shape[1:])


def test_they_come_back_from_disk(tmp_path):
    model = nn.Sequential(
        [
            nn.Input((4, 3)),
            nn.BatchNormalization(momentum=0.5, epsilon=0.1, scale=False),
            nn.LayerNormalization((1, 2), center=False),
            nn.LayerNormalization(),
        ]
    )
    x = numbers(6, 4, 3).astype("f4")
    model(x, training=True)
    model.save(tmp_path / "m")
    same = nn.load_model(tmp_path / "m")
    np.testing.assert_array_equal(same.predict(x), model.predict(x))
    assert same.get_config() == model.get_config()
    assert same.layers[0].moving_mean.tolist() == model.layers[0].moving_mean.tolist() != [0, 0, 0]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.BatchNormalization(momentum=1.5), "momentum must be between 0 and 1"),
        (lambda: nn.BatchNormalization(epsilon=-1), "BatchNormalization: epsilon"),
        (lambda: nn.LayerNormalization(epsilon="small"), "LayerNormalization: epsilon"),
        (lambda: nn.BatchNormalization(0)(numbers(2, 3)), "that of the batch"),
        (lambda: nn.LayerNormalization((0, 1))(numbers(2, 3)), "is that of the batch"),
    ],
)
def test_mistakes_are_named(make, text):
    with pytest.raises(ArgumentError, match=text):
        make()
