"""What notebooks that were written for Keras do by habit, and the mistakes that students make."""

import warnings

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import nn as keras
from tinygrad_edu.errors import ArgumentError, DTypeError, ShapeError
from tinygrad_edu.nn import layers, models, ops
from tinygrad_edu.nn.layers import Dense
from tinygrad_edu.nn.models import Sequential

rng = np.random.default_rng(0)
X = rng.normal(size=(48, 4)).astype("float32")
Y = (X[:, 0] > 0).astype(int)
IMAGES = rng.random((12, 8, 8, 1)).astype("float32")
LABELS = np.arange(12) % 3


def small(units=1, inputs=4, **options):
    model = Sequential([keras.Input((inputs,)), Dense(units, **options)])
    model.compile("sgd", "mse")
    return model


# -- shapes --------------------------------------------------------------------------------------------


def test_numbers_are_samples_of_one_feature_where_one_is_asked_for():
    """A line through points, the first network of many courses: x is (samples,)."""
    x = np.linspace(0, 1, 20, dtype="float32")
    for model in (
        Sequential([keras.Input((1,)), Dense(1)]),
        Sequential([Dense(units=1, input_shape=[1])]),
        keras.Model(inputs := keras.Input((1,)), Dense(1)(inputs)),
    ):
        model.compile(keras.optimizers.SGD(0.5), "mse")
        model.fit(x, 2 * x - 1, epochs=60, verbose=0)
        assert model.predict(np.array([2.0])).shape == (1, 1)
        np.testing.assert_array_equal(model.predict(x), model.predict(x[:, np.newaxis]))
        np.testing.assert_allclose(model.predict(np.array([2.0]))[0, 0], 3.0, atol=0.3)


def test_gray_images_without_a_channel_axis_get_one():
    model = Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.Flatten(), Dense(3)])
    np.testing.assert_array_equal(model.predict(IMAGES[..., 0]), model.predict(IMAGES))


def test_columns_of_a_table_by_name():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=list("abcd"))
    inputs = {name: keras.Input((1,), name=name) for name in table}
    model = keras.Model(inputs, Dense(1)(layers.concatenate(list(inputs.values()))))
    model.compile("adam", "mse")
    model.fit(dict(table), Y, verbose=0)
    assert model.predict({name: table[name].to_numpy() for name in table}).shape == (48, 1)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: small()(X[0]), r"expects shape \(None, 4\), got \(4,\); a single sample is a batch of one"),
        (lambda: small().predict(X[0]), "a single sample is a batch of one"),
        (lambda: small().layers[0](X[0]), r"expected a batch \(samples, features\), got shape \(4,\)"),
        (lambda: Dense(1)(X[0]), "numbers are samples of one feature"),
        (lambda: small().fit(Y, X, verbose=0), r"expects shape \(None, 4\), got \(32,\)"),
        (lambda: small().fit(X[:, :3], Y, verbose=0), "x has 3 features in its last axis"),
        (
            lambda: keras.Model(i := keras.Input((8, 8, 3)), layers.Flatten()(i))(IMAGES[..., 0]),
            "an axis is missing",
        ),
    ],
)
def test_batches_of_another_shape_are_refused(call, text):
    with pytest.raises(ShapeError, match=text):
        call()


def test_fixed_lengths_are_still_the_layers_matter():
    """A network of convolutions takes images of other sizes than it was built with."""
    model = Sequential([layers.Conv2D(2, 3), layers.GlobalAveragePooling2D()])
    assert model(IMAGES).shape == model(rng.random((12, 9, 7, 1))).shape == (12, 2)


# -- arguments -----------------------------------------------------------------------------------------


def test_a_frozen_base_in_a_new_model():
    """Transfer learning: Keras' guide calls the base with training=False, so that its statistics stay."""
    base = Sequential([keras.Input((4,)), Dense(3), layers.BatchNormalization(), layers.Dropout(0.5)])
    base.trainable = False
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Dense(1)(base(inputs, training=False)))
    assert (len(model.trainable_weights), len(model.non_trainable_weights)) == (2, 6)
    before = base.get_weights()
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    assert all((a == b).all() for a, b in zip(before, base.get_weights(), strict=True))
    assert (model(X, training=True) == model(X)).all()  # no dropout in the base
    base.trainable = True
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    model.fit(X, Y, verbose=0)
    changed = [bool((a != b).any()) for a, b in zip(before, base.get_weights(), strict=True)]
    assert changed == [True, True, True, True, False, False]  # it learns, and its statistics still stay


def test_a_custom_layer_as_in_keras_guide():
    class Linear(layers.Layer):
        def __init__(self, units=32, activation=None, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.activation = keras.activations.get(activation)

        def build(self, input_shape):
            self.w = self.add_weight(
                shape=(input_shape[-1], self.units), initializer="random_normal", trainable=True, name="w"
            )
            self.b = self.add_weight((self.units,), "ones")
            self.steps = self.add_weight((), initializer="zeros", dtype="float32", trainable=False)
            super().build(input_shape)

        def call(self, inputs):
            return self.activation(ops.matmul(inputs, self.w) + self.b)

        def get_config(self):
            config = super().get_config()
            activation = keras.activations.serialize(self.activation)
            return config | {"units": self.units, "activation": activation}

    layer = Linear(3, "relu", name="mine")
    assert layer(X).shape == (48, 3)
    assert [w.shape for w in layer.weights] == [(4, 3), (3,), ()]
    assert (layer.b.numpy() == 1).all()
    assert len(layer.trainable_weights) == 2
    again = Linear.from_config(layer.get_config())
    assert (again.units, again.activation) == (3, layer.activation)


@pytest.mark.parametrize(
    "arguments",
    [
        (("w", (2, 3), "ones"), {}),
        (((2, 3), "ones", "float64", False), {}),
        (((2, 3),), {"initializer": "ones", "name": "w"}),
        ((), {"name": "w", "shape": [2, 3], "initializer": "ones"}),
    ],
)
def test_add_weight_takes_the_orders_of_both_keras(arguments):
    weight = layers.Layer().add_weight(*arguments[0], **arguments[1])
    assert weight.shape == (2, 3)
    assert (weight.numpy() == 1).all()
    assert weight.buffer == (False in arguments[0])


def test_variables_can_be_assigned():
    w = keras.Variable(np.ones(3, "float32"))
    w.assign([1.0, 2.0, 3.0]).assign_add(1.0)
    (w**2).sum().backward()
    w.assign_sub(0.5 * w.grad)
    np.testing.assert_array_equal(w.numpy(), [0, 0, 0])
    assert w.requires_grad
    with pytest.raises(ShapeError, match="new data"):
        w.assign(np.ones(4))


def test_serialize_and_deserialize():
    for family, member in (
        (keras.initializers, keras.initializers.HeNormal(seed=1)),
        (keras.regularizers, keras.regularizers.L2(0.5)),
        (keras.constraints, keras.constraints.MaxNorm(3)),
    ):
        again = family.deserialize(family.serialize(member))
        assert type(again) is type(member)
        assert again.get_config() == member.get_config()
    assert keras.regularizers.serialize(None) is None
    assert keras.activations.deserialize("relu") is keras.activations.relu


def test_names_of_what_evaluate_returns():
    model = small()
    model.compile("sgd", "mse", metrics=["mae"])
    assert dict(zip(model.metrics_names, model.evaluate(X, Y, verbose=0), strict=True)).keys() == {
        "loss",
        "mean_absolute_error" if "mae" not in model.metrics_names else "mae",
    }


def test_a_loss_of_ones_own_calls_that_of_keras():
    class Doubled(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            loss = super().compute_loss(
                x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training
            )
            return 2 * loss

    inputs = keras.Input((4,))
    outputs = Dense(1)(inputs)
    plain, doubled = keras.Model(inputs, outputs), Doubled(inputs, outputs)
    for model in (plain, doubled):
        model.compile("sgd", "mse")
    assert doubled.evaluate(X, Y, verbose=0) == pytest.approx(2 * plain.evaluate(X, Y, verbose=0))


def test_sampling_with_a_seed_generator():
    first, second = keras.random.SeedGenerator(3), keras.random.SeedGenerator(3)
    draws = [keras.random.normal((5,), seed=first).numpy() for _ in range(2)]
    assert (draws[0] != draws[1]).all()
    assert (keras.random.normal((5,), seed=second).numpy() == draws[0]).all()
    te.seed(1)
    a = keras.random.uniform((5,), seed=keras.random.SeedGenerator())
    te.seed(1)
    assert (keras.random.uniform((5,)) == a).all()


def test_stop_gradient_and_norm():
    x = te.Tensor(X, requires_grad=True)
    (ops.stop_gradient(x) * x).sum().backward()
    np.testing.assert_array_equal(x.grad, X)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, ops.stop_gradient(Dense(2)(inputs)))
    assert not model(X).requires_grad
    np.testing.assert_allclose(ops.norm(X, axis=1), np.linalg.norm(X, axis=1), rtol=1e-6)


def test_clones_have_weights_of_their_own():
    model = Sequential([keras.Input((4,)), Dense(3, activation="tanh"), Dense(1)])
    twin = models.clone_model(model)
    assert not (twin.layers[0].kernel == model.layers[0].kernel).all()
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    twin.layers[0].kernel.assign_add(1.0)
    assert not (twin(X) == model(X)).all()


# -- looking at models ---------------------------------------------------------------------------------


def test_summaries(capsys):
    inner = Sequential([Dense(2), Dense(3)], name="inner")
    model = Sequential([keras.Input((4,)), inner, Dense(1)])
    inner.layers[0].trainable = False
    model.summary(line_length=80, expand_nested=True, show_trainable=True)
    text = capsys.readouterr().out
    rows = [line.split() for line in text.splitlines() if "(Dense)" in line]
    assert [(row[0], row[-1]) for row in rows] == [("dense", "no"), ("dense_1", "yes"), ("dense", "yes")]
    assert "Trainable: 13\nNot trainable: 10" in text
    with pytest.raises(ArgumentError, match="positions"):
        model.summary(positions=[0.5, 1.0])


def test_what_is_not_built_says_so(capsys):
    model = Sequential([Dense(3), Dense(1)])
    model.summary()
    assert capsys.readouterr().out.count("not built") == 2
    for call in (model.count_params, lambda: model.set_weights([np.ones((4, 3))])):
        with pytest.raises(ArgumentError, match="isn't built yet"):
            call()
    assert model.get_weights() == []
    with pytest.raises(AttributeError, match="its weights come with the first input"):
        _ = Dense(3).kernel
    assert not hasattr(Dense(3), "kernel")
    assert not hasattr(small().layers[0], "kernle")
    model.build(input_shape=(None, 4))
    assert model.count_params() == 19


def test_a_subclass_is_built_for_a_shape_by_name():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = Dense(2)

        def call(self, x):
            return self.dense(x)

    net = Net()
    net.build(input_shape=(None, 4))
    assert net.count_params() == 10


# -- data ----------------------------------------------------------------------------------------------


class Batches(keras.utils.PyDataset):
    """Six batches, which note when they were taken."""

    def __init__(self, **options):
        super().__init__(**options)
        self.taken, self.ends = [], 0

    def __len__(self):
        return 6

    def __getitem__(self, i):
        self.taken.append(i)
        return X[8 * i : 8 * i + 8], Y[8 * i : 8 * i + 8]

    def on_epoch_end(self):
        self.ends += 1


def test_batches_of_a_class_of_ones_own():
    te.seed(2)
    batches = Batches(workers=2)
    model = small()
    history = model.fit(batches, epochs=3, verbose=0)
    assert history.params["steps"] == 6
    assert batches.ends == 3
    epochs = [batches.taken[6 * i : 6 * i + 6] for i in range(3)]
    assert all(sorted(epoch) == list(range(6)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    batches.taken.clear()
    model.fit(batches, shuffle=False, verbose=0)
    assert batches.taken == list(range(6))
    assert model.evaluate(batches, verbose=0) == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-5)
    assert keras.utils.Sequence is keras.utils.PyDataset
    with pytest.raises(ArgumentError, match="write __len__"):
        len(keras.utils.PyDataset())


def test_sequences_are_padded_as_in_keras():
    rows = [[1, 2, 3], [4], []]
    pad = keras.utils.pad_sequences
    assert pad(rows).tolist() == [[1, 2, 3], [0, 0, 4], [0, 0, 0]]
    assert pad(rows, padding="post", value=9).tolist() == [[1, 2, 3], [4, 9, 9], [9, 9, 9]]
    assert pad(rows, 2).tolist() == [[2, 3], [0, 4], [0, 0]]
    assert pad(rows, 2, truncating="post").tolist() == [[1, 2], [0, 4], [0, 0]]
    assert pad([[[1.0, 2.0]], []], dtype="float32").shape == (2, 1, 2)
    with pytest.raises(ArgumentError, match="padding is 'pre' or 'post'"):
        pad(rows, padding="left")


@pytest.mark.parametrize(
    ("x", "y", "text"),
    [
        (X.astype(object), Y, "x holds dtype object, not real numbers"),
        (X, Y.astype(object), r"y.astype\('float32'\) converts"),
        (np.array([["a", 1.0]], object), [1], "with 'a' in it"),
        (X, np.where(Y, "yes", "no"), r"with '(yes|no)' in it.*np.unique"),
    ],
)
def test_what_is_no_number_is_named_before_anything_is_learned(x, y, text):
    with pytest.raises(DTypeError, match=text):
        small().fit(x, y, verbose=0)


# -- mistakes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: keras.optimizers.Adam(lr=0.1), "write learning_rate="),
        (lambda: keras.optimizers.SGD(0.1, decay=1e-6), "give a schedule"),
        (lambda: keras.optimizers.SGD(0.1, momentun=0.9), "did you mean 'momentum'"),
        (lambda: small().compile("adam", "mse", metric=["mae"]), "did you mean 'metrics'"),
        (lambda: Dense(3, activaton="relu"), "unknown Dense argument 'activaton'; did you mean 'activation'"),
        (lambda: keras.backend.set_floatx("float64"), "dtype='float64'"),
    ],
)
def test_arguments_that_are_not_there(call, text):
    with pytest.raises(ArgumentError, match=text):
        call()


def test_arguments_of_earlier_days_change_nothing():
    assert layers.LeakyReLU(alpha=0.1).negative_slope == 0.1
    assert layers.Embedding(10, 3, input_length=4)(np.ones((2, 5), int)).shape == (2, 5, 3)
    assert layers.InputLayer(input_shape=(4,)).shape == (4,)
    keras.backend.clear_session()
    keras.utils.clear_session()
    assert keras.config.floatx() == "float32"
    with pytest.raises(AttributeError, match=r"it is nn.ops.mean"):
        _ = keras.backend.mean


def test_a_softmax_over_one_unit_is_remarked():
    with pytest.warns(UserWarning, match="is always 1; for yes or no use sigmoid"):
        small(1, activation="softmax")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(2, activation="softmax")


def test_a_model_that_can_not_learn_says_so():
    model = small()
    model.fit(X, Y, verbose=0)
    model.trainable = False
    for call in (lambda: model.fit(X, Y, verbose=0), lambda: model.train_on_batch(X, Y)):
        with pytest.raises(ArgumentError, match="nothing to learn: all its weights are frozen"):
            call()
    model.evaluate(X, Y, verbose=0)
    empty = Sequential([layers.Flatten()])
    empty.compile("sgd", "mse")
    with pytest.raises(ArgumentError, match="its layers have no weights"):
        empty.fit(X, X, verbose=0)


def test_a_gan_of_two_models_that_share_the_discriminator():
    """The classic loop: train_on_batch of one, then of both with the discriminator frozen."""
    generator = Sequential([keras.Input((2,)), Dense(8, activation="relu"), Dense(4)])
    critic = Sequential([keras.Input((4,)), Dense(8, activation="relu"), Dense(1, activation="sigmoid")])
    critic.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    noise = keras.Input((2,))
    both = keras.Model(noise, critic(generator(noise)))
    both.compile("adam", "binary_crossentropy")
    for _ in range(2):
        z = rng.normal(size=(8, 2)).astype("float32")
        made = generator.predict(z)
        critic.trainable = True
        before = critic.get_weights(), generator.get_weights()
        critic.train_on_batch(X[:8], np.ones((8, 1)))
        critic.train_on_batch(made, np.zeros((8, 1)))
        between = critic.get_weights(), generator.get_weights()
        critic.trainable = False
        both.train_on_batch(z, np.ones((8, 1)))
        after = critic.get_weights(), generator.get_weights()

        def same(a, b):
            return all((u == v).all() for u, v in zip(a, b, strict=True))

        assert not same(before[0], between[0])
        assert same(before[1], between[1])
        assert same(between[0], after[0])
        assert not same(between[1], after[1])


def test_early_stopping_counts_epochs_as_it_prints_them(capsys):
    stop = keras.callbacks.EarlyStopping("loss", min_delta=1e9, patience=2, verbose=1)
    small().fit(X, Y, epochs=9, verbose=0, callbacks=[stop])
    assert capsys.readouterr().out == "epoch 3: stopped early; the best was epoch 1\n"


def test_the_learning_rate_is_a_number_also_under_a_schedule():
    schedule = keras.optimizers.schedules.InverseTimeDecay(0.1, 10, 0.5)
    optimizer = keras.optimizers.SGD(schedule)
    model = small()
    model.compile(optimizer, "mse")
    assert float(optimizer.learning_rate) == 0.1
    model.fit(X, Y, batch_size=16, verbose=0)
    assert optimizer.learning_rate == pytest.approx(0.1 / (1 + 0.5 * 3 / 10))
    assert type(keras.optimizers.get(optimizer.describe())._learning_rate) is type(schedule)
    optimizer.learning_rate = 0.01
    assert optimizer.learning_rate == 0.01
