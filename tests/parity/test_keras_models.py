"""The course's networks, written once and built with Keras and with ours: parameters, gradients, training."""

import numpy as np
import pytest
from side_by_side import (
    TOLERANCE,
    agree,
    array,
    both_run,
    call_ours,
    call_theirs,
    differentiated,
    random_inputs,
    same_weights,
)

POINTS = """
model = Sequential([
    Input(shape=(2,)),
    layers.Flatten(),
    layers.Dense(3, activation="relu"),
    layers.Dense(2),
    layers.Softmax(),
])
"""
FFNN = """
model = keras.models.Sequential()
model.add(layers.Dense(1024, activation="relu", input_shape=(784,)))
model.add(layers.Dense(512, activation="relu"))
model.add(layers.Dense(10, activation="softmax"))
"""
CNN = """
model = keras.models.Sequential()
model.add(layers.Conv2D(6, kernel_size=(3, 3), activation="relu", input_shape=(28, 28, 1)))
model.add(layers.MaxPooling2D(pool_size=(2, 2)))
model.add(layers.Conv2D(16, (3, 3), activation="relu"))
model.add(layers.MaxPooling2D((2, 2)))
model.add(layers.Flatten())
model.add(layers.Dense(1024, activation="relu"))
model.add(layers.Dense(512, activation="relu"))
model.add(layers.Dense(10, activation="softmax"))
"""
GENES = """
model = Sequential([
    Input((40,)),
    layers.Dense(64, activation="relu", kernel_regularizer=regularizers.L2(1e-3)),
    layers.BatchNormalization(),
    layers.Dropout(0.0),
    layers.Dense(32, activation="relu", kernel_constraint=constraints.MaxNorm(1.0)),
    layers.Dense(1, activation="sigmoid"),
])
"""
DECODER = """
model = Sequential([
    Input((2,)),
    layers.Dense(7 * 7 * 8, activation="relu"),
    layers.Reshape((7, 7, 8)),
    layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
    layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu"),
    layers.Conv2DTranspose(1, 3, strides=1, padding="same"),
])
"""
UNET = """
def unet(size, filters):
    inputs = Input(shape=(size, size, 1))
    x = layers.Conv2D(filters, 3, strides=2, padding="same")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    before = x
    for times in (2, 4, 8):
        for _ in range(2):
            x = layers.Activation("relu")(x)
            x = layers.SeparableConv2D(times * filters, 3, padding="same")(x)
            x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        residual = layers.Conv2D(times * filters, 1, strides=2, padding="same")(before)
        x = layers.add([x, residual])
        before = x
    for times in (8, 4, 2, 1):
        for _ in range(2):
            x = layers.Activation("relu")(x)
            x = layers.Conv2DTranspose(times * filters, 3, padding="same")(x)
            x = layers.BatchNormalization()(x)
        x = layers.UpSampling2D(2)(x)
        residual = layers.Conv2D(times * filters, 1, padding="same")(layers.UpSampling2D(2)(before))
        x = layers.add([x, residual])
        before = x
    outputs = layers.Conv2D(2, 3, activation="softmax", padding="same")(x)
    return Model(inputs, outputs)

model = unet(128, 32)
"""
SMALL_UNET = UNET.replace("unet(128, 32)", "unet(16, 4)")


@pytest.mark.parametrize(
    ("source", "parameters", "trained"),
    [
        (POINTS, 17, 17),
        (FFNN, 1_333_770, 1_333_770),
        (CNN, 941_494, 941_494),
        (UNET, 2_058_114, 2_054_338),
    ],
    ids=["2-3-2", "FFNN", "CNN", "U-Net"],
)
def test_parameters(keras, source, parameters, trained):
    for made in both_run(keras, source):
        model = made.model
        assert model.count_params() == parameters
        assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == trained
    theirs, ours = (made.model for made in both_run(keras, source))
    assert [tuple(w.shape) for w in theirs.weights] == [w.shape for w in ours.weights]
    assert ours.output_shape == theirs.output_shape
    plain = [layer for layer in theirs.layers if not layer.name.startswith("input")]
    assert [len(layer.weights) for layer in plain] == [
        len(layer.weights) for layer in ours.layers if not layer.name.startswith("input")
    ]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("source", "shape"),
    [
        (POINTS, (8, 2)),
        (CNN, (4, 28, 28, 1)),
        (GENES, (16, 40)),
        (DECODER, (3, 2)),
        (SMALL_UNET, (4, 16, 16, 1)),
    ],
    ids=["2-3-2", "CNN", "genes", "decoder", "U-Net"],
)
def test_outputs_and_gradients(keras, source, shape, training):
    keras.utils.set_random_seed(0)
    theirs, ours = (made.model for made in both_run(keras, source))
    ours.set_weights(theirs.get_weights())
    values = [random_inputs(shape)]
    ours_found = differentiated(call_ours, ours, values, training, {})
    theirs_found = differentiated(call_theirs, theirs, values, training, {})
    for key, result in ours_found.items():
        if (
            key == "gradients by the weights"
        ):  # those of biases that are normalised away are 0 but for rounding
            result, theirs_found[key] = (
                np.concatenate([array(g).ravel() for g in found[key]]) for found in (ours_found, theirs_found)
            )
        # A variance of a few places makes rounding errors larger, layer by layer: 25 of them in the U-Net.
        agree(result, theirs_found[key], key, 5e-5 if source is SMALL_UNET else TOLERANCE)


@pytest.mark.parametrize(
    ("source", "loss", "shape", "targets"),
    [
        (POINTS, "sparse_categorical_crossentropy", (60, 2), lambda r: r.integers(0, 2, 60)),
        (GENES, "binary_crossentropy", (60, 40), lambda r: r.integers(0, 2, (60, 1)).astype("f4")),
        (DECODER, "mse", (20, 2), lambda r: r.random((20, 28, 28, 1), "f4")),
    ],
    ids=["2-3-2", "genes", "decoder"],
)
@pytest.mark.parametrize("optimizer", ["optimizers.SGD(0.05, momentum=0.9)", "optimizers.Adam(0.01)"])
def test_training(keras, source, loss, shape, targets, optimizer):
    """The same losses, epoch by epoch, and the same weights after three epochs of batches in order."""
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal(shape).astype("f4"), targets(rng)
    text = f"{source}\nmodel.compile(optimizer={optimizer}, loss={loss!r})\n"
    theirs, ours = (made.model for made in both_run(keras, text))
    same_weights(theirs, ours)
    fit = {"epochs": 3, "batch_size": 16, "shuffle": False, "verbose": 0, "validation_data": (x[:7], y[:7])}
    histories = [model.fit(x, y, **fit).history for model in (ours, theirs)]
    assert set(histories[0]) == set(histories[1])
    for key in histories[1]:
        np.testing.assert_allclose(histories[0][key], histories[1][key], rtol=1e-4, err_msg=key)
    agree(ours.get_weights(), theirs.get_weights(), source, 1e-3)
    agree(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), source, 1e-3)
    results = [model.evaluate(x, y, verbose=0) for model in (ours, theirs)]
    np.testing.assert_allclose(*results, rtol=1e-4)
