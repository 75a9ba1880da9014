"""Augmentation beside Keras' layers, with ranges of a single number, so that nothing is left to chance."""

import numpy as np
import pytest

from tinygrad_edu import data


@pytest.mark.parametrize(
    "fill_mode", ["reflect", "constant", "nearest"]
)  # at a wrapped edge Keras blends otherwise
@pytest.mark.parametrize(
    ("layer", "arguments"),
    [
        ("RandomRotation", [(0.1, 0.1)]),
        ("RandomRotation", [(-0.3, -0.3)]),
        ("RandomTranslation", [(0.2, 0.2), (-0.3, -0.3)]),
        ("RandomZoom", [(0.3, 0.3)]),
        ("RandomZoom", [(-0.3, -0.3), (-0.1, -0.1)]),
    ],
)
def test_images_move_as_in_keras(keras, layer, arguments, fill_mode):
    x = np.random.default_rng(0).random((3, 9, 12, 2), np.float32)
    theirs = getattr(keras.layers, layer)(*arguments, fill_mode=fill_mode)(x, training=True)
    ours = data.Augmentation([getattr(data, layer)(*arguments)], fill_mode=fill_mode, seed=0)(x)
    np.testing.assert_allclose(ours, keras.ops.convert_to_numpy(theirs), atol=1e-5)


def test_images_are_lit_as_in_keras(keras):
    x = np.random.default_rng(0).random((3, 9, 12, 2), np.float32)
    theirs = keras.layers.RandomBrightness((0.1, 0.1), value_range=(0, 1))(x, training=True)
    ours = data.Augmentation([data.RandomBrightness((0.1, 0.1), (0, 1))], seed=0)(x)
    np.testing.assert_allclose(ours, keras.ops.convert_to_numpy(theirs), atol=1e-6)
