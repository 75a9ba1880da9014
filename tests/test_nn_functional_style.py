"""Models that are put together of symbols: several inputs and outputs, shared layers, models in models."""

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, ShapeError
from tinygrad_edu.nn import layers


def rng(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def xception_unet(size=128, classes=2):
    """The network of Keras' segmentation tutorial, written as it is there."""
    inputs = nn.Input(shape=(size, size, 1))
    x = layers.Conv2D(32, 3, strides=2, padding="same")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    previous = x
    for filters in [64, 128, 256]:
        for _ in range(2):
            x = layers.Activation("relu")(x)
            x = layers.SeparableConv2D(filters, 3, padding="same")(x)
            x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        residual = layers.Conv2D(filters, 1, strides=2, padding="same")(previous)
        x = layers.add([x, residual])
        previous = x
    for filters in [256, 128, 64, 32]:
        for _ in range(2):
            x = layers.Activation("relu")(x)
            x = layers.Conv2DTranspose(filters, 3, padding="same")(x)
            x = layers.BatchNormalization()(x)
        x = layers.UpSampling2D(2)(x)
        residual = layers.UpSampling2D(2)(previous)
        residual = layers.Conv2D(filters, 1, padding="same")(residual)
        x = layers.add([x, residual])
        previous = x
    outputs = layers.Conv2D(classes, 3, activation="softmax", padding="same")(x)
    return nn.Model(inputs, outputs)


def test_the_segmentation_network_has_keras_parameters():
    model = xception_unet()
    trainable = sum(w.size for w in model.trainable_weights)
    assert (model.count_params(), trainable) == (2_058_114, 2_054_338)
    assert sum(w.size for w in model.non_trainable_weights) == 3_776
    assert model.output_shape == (None, 128, 128, 2)
    small = xception_unet(16)
    assert small(rng(2, 16, 16, 1)).shape == (2, 16, 16, 2)
    names = [layer.name for layer in model.layers]
    assert len(set(names)) == len(names)
    assert names[:4] == ["input_layer", "conv2d", "batch_normalization", "activation"]


def test_a_chain_is_the_same_as_a_sequential():
    te.seed(1)
    stacked = nn.Sequential([nn.Input((4,)), nn.Dense(3, "tanh"), nn.Dense(2)])
    te.seed(1)
    x = nn.Input((4,))
    chained = nn.Model(x, nn.Dense(2)(nn.Dense(3, "tanh")(x)))
    np.testing.assert_array_equal(stacked(rng(5, 4)).data, chained(rng(5, 4)).data)
    assert [n for n, _ in chained.named_weights()] == [n for n, _ in stacked.named_weights()]


def two_in_two_out():
    image, age = nn.Input((6, 6, 1), name="image"), nn.Input((1,), name="age")
    x = layers.concatenate([nn.Flatten()(nn.Conv2D(2, 3)(image)), age])
    return nn.Model([image, age], [nn.Dense(1, name="price")(x), nn.Dense(3, "softmax", name="kind")(x)])


def test_several_inputs_and_outputs():
    model = two_in_two_out()
    a, b = rng(4, 6, 6, 1), rng(4, 1)
    price, kind = model([a, b])
    assert (price.shape, kind.shape) == ((4, 1), (4, 3))
    by_name = model({"age": b, "image": a})
    np.testing.assert_array_equal(price.data, by_name[0].data)
    assert model.output_names == ["price", "kind"]
    for wrong, text in (
        ([a], "2 inputs, and was called on 1"),
        ({"image": a}, r"called \['image', 'age'\]"),
        ([b, a], r"'image' expects shape \(None, 6, 6, 1\), got \(4, 1\)"),
    ):
        with pytest.raises(ShapeError, match=text):
            model(wrong)


@pytest.mark.parametrize("by_name", [False, True])
def test_fit_with_a_loss_and_metrics_for_each_output(by_name):
    te.seed(0)
    model = two_in_two_out()
    x, y = [rng(40, 6, 6, 1), rng(40, 1)], [rng(40, 1, seed=1), np.arange(40) % 3]
    losses, metrics = ["mse", "sparse_categorical_crossentropy"], [["mae"], ["accuracy"]]
    if by_name:
        x, y = dict(zip(["image", "age"], x, strict=True)), dict(zip(["price", "kind"], y, strict=True))
        losses, metrics = (dict(zip(["price", "kind"], s, strict=True)) for s in (losses, metrics))
    model.compile("adam", losses, metrics, loss_weights=[1.0, 0.5])
    history = model.fit(x, y, epochs=3, verbose=0, validation_split=0.25).history
    names = {"loss", "price_loss", "price_mae", "kind_loss", "kind_accuracy"}
    assert set(history) == names | {f"val_{name}" for name in names}
    total = np.array(history["price_loss"]) + 0.5 * np.array(history["kind_loss"])
    np.testing.assert_allclose(history["loss"], total, rtol=1e-5)
    assert [p.shape for p in model.predict(x)] == [(40, 1), (40, 3)]


def test_a_layer_that_is_called_twice_is_shared_and_its_gradient_adds_up():
    shared = nn.Dense(3, "tanh")
    a, b = nn.Input((2,)), nn.Input((2,))
    model = nn.Model([a, b], shared(a) - shared(b))
    assert model.count_params() == 9
    x, y = rng(4, 2), rng(4, 2, seed=1)
    (model([x, y]) ** 2).sum().backward()
    together = shared.kernel.grad.data.copy()
    model.zero_grad()
    ((shared(x) - shared(y)) ** 2).sum().backward()
    np.testing.assert_array_equal(together, shared.kernel.grad.data)
    with pytest.raises(ArgumentError, match="called 2 times"):
        _ = shared.output


def test_models_in_models():
    encoder_in = nn.Input((8,))
    encoder = nn.Model(encoder_in, nn.Dense(2)(encoder_in), name="encoder")
    decoder = nn.Sequential([nn.Input((2,)), nn.Dense(8)], name="decoder")
    whole_in = nn.Input((8,))
    whole = nn.Model(whole_in, decoder(encoder(whole_in)), name="autoencoder")
    assert [n for n, _ in whole.named_weights()] == [
        "encoder/dense/kernel", "encoder/dense/bias", "decoder/dense/kernel", "decoder/dense/bias",
    ]  # fmt: skip
    x = rng(3, 8)
    np.testing.assert_array_equal(whole(x).data, decoder(encoder(x)).data)
    assert whole.get_layer("decoder") is decoder
    encoder.trainable = False
    assert len(whole.trainable_weights) == 2


@pytest.mark.parametrize("start", [nn.Input((6, 6, 1)), None])
def test_the_inside_of_a_model_can_be_looked_at(start):
    first = [start] if start is not None else []
    model = nn.Sequential([*first, nn.Conv2D(2, 3), nn.Flatten(), nn.Dense(1)])
    x = rng(2, 6, 6, 1)
    model(x)
    features = nn.Model(model.inputs, [layer.output for layer in model.layers])
    inside = features(x)
    assert [f.shape for f in inside] == [(2, 4, 4, 2), (2, 32), (2, 1)]
    np.testing.assert_array_equal(inside[-1].data, model(x).data)
    tail = nn.Model(model.layers[1].output, model.layers[2].output)  # from the middle on
    np.testing.assert_array_equal(tail(inside[1].data).data, inside[-1].data)


@given(a=st.floats(-3, 3, width=32), b=st.floats(0.5, 3, width=32))
def test_operators_on_symbols_are_those_on_tensors(a, b):
    def formula(x, y):
        return ((a - x) * y / b + 2.0 * x - y**2 + (-x) + (y @ [[1.0], [2.0]]))[:, 1:]

    x, y = nn.Input((2,)), nn.Input((2,))
    model = nn.Model([x, y], formula(x, y))
    v, w = rng(3, 2), rng(3, 2, seed=1)
    np.testing.assert_allclose(
        model([v, w]).data, formula(te.Tensor(v), te.Tensor(w)).data, rtol=1e-5, atol=1e-5
    )
    assert model.output_shape == (None, 1)


def test_functions_on_symbols():
    x = nn.Input((3,))
    y = nn.ops.sum(nn.functional.exp(x), axis=-1, keepdims=True)
    z = nn.ops.concat([x, y], axis=-1)
    model = nn.Model(x, z)
    v = rng(4, 3)
    expected = np.concatenate([v, np.exp(v).sum(-1, keepdims=True)], axis=-1)
    np.testing.assert_allclose(model(v).data, expected, rtol=1e-5)


def test_lengths_that_are_not_fixed():
    x = nn.Input((None, None, 3))
    y = nn.MaxPooling2D(2)(nn.Conv2D(4, 3, padding="same")(x))
    model = nn.Model(x, [y, nn.GlobalAveragePooling2D()(y)])
    assert [s.shape for s in model.outputs] == [(None, None, None, 4), (None, 4)]
    for size in (8, 12):
        assert [t.shape for t in model(rng(2, size, size, 3))] == [(2, size // 2, size // 2, 4), (2, 4)]

    class Doubled(nn.Layer):  # its output shape is found out by trial
        def call(self, x):
            return te.concat([x, x], axis=1)

    assert Doubled()(x).shape == (None, None, None, 3)
    assert Doubled()(nn.Input((4, None))).shape == (None, 8, None)


def test_a_layer_with_several_tensors_as_arguments():
    class Gate(nn.Layer):
        def build(self, x_shape, gate_shape):
            self.w = self.add_weight("w", (gate_shape[-1], x_shape[-1]))

        def call(self, x, gate):
            return x * te.sigmoid(gate @ self.w)

    a, b = nn.Input((3,)), nn.Input((2,))
    layer = Gate()
    model = nn.Model([a, b], layer(a, gate=b))
    assert layer.w.shape == (2, 3)
    v, w = rng(4, 3), rng(4, 2)
    np.testing.assert_array_equal(model([v, w]).data, layer(v, w).data)
    np.testing.assert_array_equal(layer(x=v, gate=w).data, layer(v, w).data)
    assert Gate()(v, gate=w).shape == (4, 3)


def test_subclasses_hear_whether_they_train():
    class Noisy(nn.Model):
        def __init__(self):
            super().__init__()
            self.dense = nn.Dense(2)

        def call(self, x, training=None):
            seen.append(training)
            return self.dense(x)

    seen = []
    model = Noisy()
    model(rng(1, 2))
    model(rng(1, 2), training=True)
    model.compile("sgd", "mse")
    model.fit(rng(2, 2), rng(2, 2), verbose=0)
    model.predict(rng(2, 2))
    assert seen == [False, True, True, False]


def test_regularisers_and_added_losses_are_part_of_the_loss():
    x, y = rng(8, 3), rng(8, 2)
    model = nn.Sequential(
        [
            nn.Input((3,)),
            nn.Dense(4, kernel_regularizer=nn.regularizers.L2(0.1), activity_regularizer="l1"),
            nn.Dense(2, bias_regularizer="l1"),
        ]
    )
    model.compile("sgd", "mse")
    first, second = model.layers
    second.bias.data = np.array([1.0, -2.0], "f4")
    loss = model.evaluate(x, y, verbose=0)
    hidden = x @ first.kernel.data
    mse = np.mean((hidden @ second.kernel.data + second.bias.data - y) ** 2)
    price = 0.1 * np.sum(first.kernel.data**2) + 0.01 * np.abs(hidden).sum() / 8 + 0.01 * 3
    assert loss == pytest.approx(mse + price, rel=1e-5)
    assert len(model.losses) == 3
    second.trainable = False
    assert len(model.losses) == 2


def test_a_model_of_symbols_can_be_described_and_built_again():
    shared = nn.Dense(4, "relu", kernel_regularizer="l2", name="shared")
    a, b = nn.Input((4,), name="a"), nn.Input((4,), name="b")
    x = layers.concatenate([shared(a), shared(b) * 2.0 - 1.0])[:, 2:]
    inner = nn.Sequential([nn.Input((6,)), nn.Dense(3)], name="inner")
    model = nn.Model({"a": a, "b": b}, {"out": inner(x), "square": x**2}, name="whole")
    again = nn.Model.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    again.set_weights(model.get_weights())
    data = {"a": rng(5, 4), "b": rng(5, 4, seed=1)}
    one, two = model(data), again(data)
    assert set(one) == {"out", "square"}
    for key in one:
        np.testing.assert_array_equal(one[key].data, two[key].data)


@pytest.mark.parametrize(
    ("mistake", "kind", "text"),
    [
        (lambda a, b: nn.Model(a, layers.add([a, b])), ArgumentError, "depends on the input 'input_layer"),
        (lambda a, b: nn.Model(np.ones(3), a), ArgumentError, "inputs must be what"),
        (lambda a, b: nn.Model(a, None), ArgumentError, "both inputs and outputs"),
        (lambda a, b: np.exp(a), (ArgumentError, TypeError), "no numbers"),
        (lambda a, b: 1 if a else 2, ArgumentError, "neither true nor false"),
        (lambda a, b: a.mean(), AttributeError, "no 'mean'"),
        (lambda a, b: layers.add([a]), ArgumentError, "at least 2 tensors"),
        (lambda a, b: layers.add([a, nn.Dense(5)(b)]), ShapeError, "don't fit one another"),
        (lambda a, b: layers.concatenate([a, nn.Input((4, 4))]), ShapeError, "can't be joined"),
        (lambda a, b: nn.Conv2D(3, 3)(a), ShapeError, "expected images"),
        (
            lambda a, b: nn.Dense(2, kernel_initialiser="zeros"),
            ArgumentError,
            "did you mean 'kernel_initializer'",
        ),
        (lambda a, b: nn.Operation("expp")(a), ArgumentError, "did you mean 'exp'"),
        (
            lambda a, b: nn.Model(a, nn.Dense(2, name="x")(nn.Dense(2, name="x")(a))),
            ArgumentError,
            "two layers of the model are named 'x'",
        ),
    ],
)
def test_mistakes_are_named(mistake, kind, text):
    with pytest.raises(kind, match=text):
        mistake(nn.Input((4,)), nn.Input((4,)))


def test_a_model_that_is_dropped_is_freed_at_once():
    """A cycle would keep its weights until the collector comes: 72 folds of one study would lie in memory."""
    gc.collect()
    gc.disable()
    try:
        for make in (two_in_two_out, lambda: nn.Sequential([nn.Input((4,)), nn.Dense(3), nn.Dense(1)])):
            model = make()
            model.compile("adam", "mse")
            if isinstance(model, nn.Sequential):
                model.fit(rng(8, 4), rng(8, 1), verbose=0)
            weights = [weakref.ref(w) for w in model.parameters()]
            del model
            assert [w() for w in weights if w() is not None] == []
    finally:
        gc.enable()


def test_a_layer_s_mode_can_be_fixed_in_the_model(tmp_path):
    """``base(x, training=False)`` keeps its averages; ``dropout(x, training=True)`` is never at rest."""
    base_in = nn.Input((3,))
    base = nn.Model(base_in, nn.BatchNormalization()(nn.Dropout(0.5)(base_in)), name="base")
    x = nn.Input((3,))
    still, noisy = base(x, training=False), nn.Dropout(0.5)(x, training=True)
    model = nn.Model(x, [still, noisy])
    assert model.compute_output_shape((None, 3)) == [(None, 3), (None, 3)]
    v = rng(64, 3)
    model.save(tmp_path / "model")
    for each in (model, nn.load_model(tmp_path / "model")):
        for training in (False, True):
            first, second = each(v, training=training)
            np.testing.assert_allclose(first.data, v / np.sqrt(1 + 1e-3), rtol=1e-5)
            assert 0.3 < (second.data == 0).mean() < 0.7
        assert not each.get_layer("base").layers[-1].moving_mean.data.any()
