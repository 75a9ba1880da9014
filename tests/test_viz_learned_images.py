"""Pictures of what networks make of images: what is drawn equals what the model or plain NumPy says."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import nn, viz
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, ShapeError

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(40, 2))
INNER = (np.hypot(*POINTS.T) < 1).astype(int)


def shown(panel):
    """Return the arrays drawn in a panel."""
    return [np.ma.filled(image.get_array(), 0) for image in panel.get_images()]


def texts(panel):
    return [text.get_text() for text in panel.texts]


@pytest.fixture(scope="module")
def binary():
    te.seed(0)
    model = nn.Sequential([nn.Input((2,)), nn.Dense(8, activation="tanh"), nn.Dense(1, activation="sigmoid")])
    model.compile(nn.optimizers.Adam(0.05), "binary_crossentropy")
    model.fit(POINTS, INNER, epochs=20, verbose=0)
    return model


@pytest.fixture(scope="module")
def vae():
    te.seed(0)
    encoder = nn.Sequential([nn.Input((6, 6)), nn.Flatten(), nn.Dense(4)])
    decoder = nn.Sequential([nn.Input((2,)), nn.Dense(36), nn.Reshape((6, 6))])
    return nn.models.VAE(encoder, decoder)


# --- Filters and feature maps ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cnn():
    te.seed(0)
    return nn.models.cnn((12, 12, 1), filters=(3, 5), hidden=(4,))


def test_filters_are_the_kernel(cnn):
    figure = viz.filters(cnn)
    kernel = cnn.get_layer("conv2d").kernel.numpy()
    for k in range(3):
        np.testing.assert_array_equal(shown(figure.axes[k])[0], kernel[:, :, 0, k])
    limits = {panel.get_images()[0].get_clim() for panel in figure.axes[:3]}
    assert limits == {(-np.abs(kernel).max(), np.abs(kernel).max())}
    assert figure.get_suptitle() == "conv2d: 3 filters of 3 x 3"
    second = viz.filters(cnn, layer="conv2d_1", count=2)
    kernel = cnn.get_layer("conv2d_1").kernel.numpy()
    assert second.get_suptitle() == "conv2d_1: 5 filters of 3 x 3 over 3 channels, the first 2"
    figure = viz.filters(kernel[:, :, :2])
    for place in range(10):
        np.testing.assert_array_equal(shown(figure.axes[place])[0], kernel[:, :, place % 2, place // 2])
    assert len(viz.filters(RNG.normal(size=(5, 5, 3, 7))).axes) == 7


def test_units_of_a_dense_layer_are_images():
    model = nn.Sequential([nn.Input((4, 4)), nn.Flatten(), nn.Dense(3)])
    figure = viz.filters(model)
    kernel = model.get_layer("dense").kernel.numpy()
    np.testing.assert_array_equal(shown(figure.axes[1])[0], kernel[:, 1].reshape(4, 4))
    assert shown(viz.filters(kernel, shape=(2, 8)).axes[0])[0].shape == (2, 8)


def test_maps_are_what_the_layers_make_of_the_image(cnn):
    image = RNG.random((12, 12)).astype(np.float32)
    figure = viz.feature_maps(cnn, image, count=4)
    x = te.Tensor(image[None, :, :, None])
    panels = iter(figure.axes[1:])
    for layer in cnn.layers[:4]:
        x = layer(x)
        for k in range(min(4, x.shape[-1])):
            np.testing.assert_allclose(shown(next(panels))[0], x.numpy()[0, ..., k], rtol=1e-5)
    assert next(panels, None) is None
    same = viz.feature_maps(cnn, image[None, :, :, None], layers="conv2d_1", count=4)
    np.testing.assert_allclose(shown(same.axes[1])[0], shown(figure.axes[7])[0])


def test_maps_are_seen_in_a_subclassed_and_a_nested_model(cnn):
    class Mine(nn.Model):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2D(1, 3)
            self.inner = cnn

        def call(self, x):
            return self.inner(self.first(x))

    figure = viz.feature_maps(Mine(), RNG.random((14, 14, 1)), count=1)
    found = [row.get_suptitle().split(":")[0] for row in figure.subfigs]
    assert found == ["input", "first", *(f"cnn/{layer.name}" for layer in cnn.layers[:4])]


def test_a_map_of_one_value_is_marked():
    model = nn.Sequential([nn.Input((5, 5, 1)), nn.Conv2D(1, 3, kernel_initializer="zeros")])
    assert texts(viz.feature_maps(model, np.ones((5, 5))).axes[1]) == ["constant"]


def test_what_has_no_filters_or_maps_is_refused(cnn):
    with pytest.raises(ArgumentError, match="did you mean 'conv2d_1'"):
        viz.filters(cnn, layer="conv2d_2")
    with pytest.raises(ShapeError, match="no weights"):
        viz.filters(cnn, layer="max_pooling2d")
    with pytest.raises(ShapeError, match="no image of"):
        viz.filters(np.zeros((7, 2)))
    with pytest.raises(ShapeError, match="weights must be"):
        viz.filters(np.zeros(7))
    with pytest.raises(DataError, match="NaN"):
        viz.filters(np.full((3, 3, 1, 2), np.nan))
    with pytest.raises(ShapeError, match="one image"):
        viz.feature_maps(cnn, np.zeros((3, 12, 12, 1)))
    with pytest.raises(ArgumentError, match="unknown layer"):
        viz.feature_maps(cnn, np.zeros((12, 12)), layers="conv")
    with pytest.raises(ShapeError, match="no images"):
        viz.feature_maps(cnn, np.zeros((12, 12)), layers="dense")
    with pytest.raises(ShapeError, match="no layer"):
        viz.feature_maps(nn.Sequential([nn.Input((4, 4)), nn.Flatten(), nn.Dense(2)]), np.eye(4))
    with pytest.raises(DTypeError, match="model or layer of ours"):
        viz.feature_maps(lambda x: x, np.eye(3))


# --- Segmentation ----------------------------------------------------------------------------------------


def overlap(t, p):
    """Return Dice and IoU of two boolean masks, in plain NumPy."""
    if not (t | p).any():
        return 1.0, 1.0
    return 2 * (t & p).sum() / (t.sum() + p.sum()), (t & p).sum() / (t | p).sum()


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.05, 0.5, 1.0]))
def test_dice_and_iou_are_those_of_the_masks(seed, share):
    rng = np.random.default_rng(seed)
    truth = rng.random((2, 5, 6)) < share
    p = rng.random((2, 5, 6, 1))
    figure = viz.segmentation(rng.random((2, 5, 6)), truth, p)
    for row in range(2):
        found = re.findall(r"[\d.]{5}", figure.axes[3 * row + 2].get_title())
        assert found == [f"{value:.3f}" for value in overlap(truth[row], p[row, ..., 0] > 0.5)]
        np.testing.assert_array_equal(shown(figure.axes[3 * row + 1])[1][..., 3] > 0, truth[row])
        np.testing.assert_array_equal(shown(figure.axes[3 * row + 2])[1][..., 3] > 0, p[row, ..., 0] > 0.5)


def test_a_model_segments_and_classes_have_their_own_colours():
    te.seed(0)
    images = RNG.integers(0, 255, (3, 8, 8)).astype(np.uint8)
    truth = RNG.integers(0, 3, (3, 8, 8))
    unet = nn.models.UNet((8, 8, 1), 3, filters=(2, 4))
    figure = viz.segmentation(images, truth, unet, class_names=("none", "organ", "lesion"), count=2)
    guess = unet.predict(images[:2, ..., None].astype(np.float32)).argmax(-1)
    assert len(figure.axes) == 6
    for row in range(2):
        present = [k for k in (1, 2) if ((truth[row] == k) | (guess[row] == k)).any()]
        dice = np.mean([overlap(truth[row] == k, guess[row] == k)[0] for k in present])
        assert f"Dice {dice:.3f}" in figure.axes[3 * row + 2].get_title()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["organ", "lesion"]


def test_masks_that_do_not_fit_are_refused():
    x = np.zeros((2, 4, 4))
    with pytest.raises(DataError, match="masks has 1"):
        viz.segmentation(x, x[:1], x)
    with pytest.raises(ShapeError, match="but predictions"):
        viz.segmentation(x, x, np.zeros((2, 4, 5)))
    with pytest.raises(ArgumentError, match="no probabilities"):
        viz.segmentation(x, x, x - 3.0)
    with pytest.raises(DataError, match="classes 0, 1"):
        viz.segmentation(x, x + 0.5, x)
    with pytest.raises(DataError, match="empty"):
        viz.segmentation(x[:0], x[:0], x[:0])
