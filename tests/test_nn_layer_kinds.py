"""What all layers have in common, and what is particular about each kind."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import Tensor, nn
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, ShapeError
from tinygrad_edu.nn import layers
from tinygrad_edu.nn.description import build_module, describe_module
from tinygrad_edu.testing import gradcheck


def rng(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


ROWS, SEQUENCES, IMAGES, WORDS = (4,), (6, 3), (5, 6, 4), "words"

# Each layer once, with arguments that aren't its defaults, and the shape of a sample.
EVERY = [
    (lambda **o: layers.Activation("mish", **o), ROWS),
    (lambda **o: layers.ActivityRegularization(0.1, 0.2, **o), ROWS),
    (lambda **o: layers.AlphaDropout(0.3, **o), ROWS),
    (lambda **o: layers.AveragePooling1D(3, 2, "same", **o), SEQUENCES),
    (lambda **o: layers.AveragePooling2D((2, 3), 1, **o), IMAGES),
    (lambda **o: layers.BatchNormalization(momentum=0.8, epsilon=0.1, center=False, **o), IMAGES),
    (lambda **o: layers.Conv1D(3, 2, padding="causal", dilation_rate=2, **o), SEQUENCES),
    (lambda **o: layers.Conv1DTranspose(2, 3, strides=2, output_padding=1, **o), SEQUENCES),
    (lambda **o: layers.Conv2D(4, (2, 3), 2, "same", groups=2, activation="relu", **o), IMAGES),
    (lambda **o: layers.Conv2DTranspose(2, 3, (2, 1), "same", activation="tanh", **o), IMAGES),
    (lambda **o: layers.Cropping1D((1, 2), **o), SEQUENCES),
    (lambda **o: layers.Cropping2D(((1, 0), (2, 1)), **o), IMAGES),
    (lambda **o: layers.Dense(3, "gelu", kernel_constraint="max_norm", bias_regularizer="l1", **o), ROWS),
    (lambda **o: layers.DepthwiseConv2D(2, depth_multiplier=2, use_bias=False, **o), IMAGES),
    (lambda **o: layers.Dropout(0.3, (None, 1), 7, **o), ROWS),
    (lambda **o: layers.ELU(0.5, **o), ROWS),
    (lambda **o: layers.Embedding(5, 3, embeddings_initializer="ones", **o), WORDS),
    (lambda **o: layers.Flatten(**o), IMAGES),
    (lambda **o: layers.GaussianDropout(0.3, seed=1, **o), ROWS),
    (lambda **o: layers.GaussianNoise(0.3, **o), ROWS),
    (lambda **o: layers.GlobalAveragePooling1D(**o), SEQUENCES),
    (lambda **o: layers.GlobalAveragePooling2D(keepdims=True, **o), IMAGES),
    (lambda **o: layers.GlobalMaxPooling1D(**o), SEQUENCES),
    (lambda **o: layers.GlobalMaxPooling2D(**o), IMAGES),
    (lambda **o: layers.GroupNormalization(2, epsilon=0.1, **o), IMAGES),
    (lambda **o: layers.Identity(**o), ROWS),
    (lambda **o: layers.Lambda(te.clip, arguments={"min": -0.5, "max": 0.5}, **o), ROWS),
    (lambda **o: layers.LayerNormalization((1, -1), epsilon=0.1, **o), IMAGES),
    (lambda **o: layers.LeakyReLU(0.1, **o), ROWS),
    (lambda **o: layers.MaxPooling1D(2, padding="same", **o), SEQUENCES),
    (lambda **o: layers.MaxPooling2D(3, 2, **o), IMAGES),
    (lambda **o: layers.Normalization(axis=(1, -1), invert=True, **o), SEQUENCES),
    (lambda **o: layers.Operation("sum", axis=1, keepdims=True, **o), SEQUENCES),
    (lambda **o: layers.PReLU(shared_axes=[1, 2], alpha_initializer="ones", **o), IMAGES),
    (lambda **o: layers.Permute((2, 3, 1), **o), IMAGES),
    (lambda **o: layers.RMSNormalization(epsilon=0.1, **o), ROWS),
    (lambda **o: layers.ReLU(6.0, 0.1, 0.2, **o), ROWS),
    (lambda **o: layers.RepeatVector(3, **o), ROWS),
    (lambda **o: layers.Rescaling([1, 2, 3, 4], [0, 1, 0, 1], **o), ROWS),
    (lambda **o: layers.Reshape((3, -1), **o), IMAGES),
    (lambda **o: layers.SeparableConv2D(3, 2, depth_multiplier=2, **o), IMAGES),
    (lambda **o: layers.Softmax((1, 2), **o), IMAGES),
    (lambda **o: layers.SpatialDropout1D(0.3, seed=2, **o), SEQUENCES),
    (lambda **o: layers.SpatialDropout2D(0.3, **o), IMAGES),
    (lambda **o: layers.UnitNormalization([1, 2], **o), IMAGES),
    (lambda **o: layers.UpSampling1D(3, **o), SEQUENCES),
    (lambda **o: layers.UpSampling2D((2, 1), **o), IMAGES),
    (lambda **o: layers.ZeroPadding1D((1, 2), **o), SEQUENCES),
    (lambda **o: layers.ZeroPadding2D((0, 2), **o), IMAGES),
]
EVERY = [pytest.param(make, shape, id=type(make()).__name__) for make, shape in EVERY]
FOR_LISTS = {"Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"}


def batch(n, shape, dtype=np.float32):
    if shape == WORDS:
        return np.arange(n * 4).reshape(n, 4) % 5
    return rng(n, *shape).astype(dtype)


def test_every_layer_is_among_those_tested_here():
    families = {make().__module__ for make, _ in (p.values for p in EVERY)} | {layers.Add.__module__}
    classes = {c for n in layers.__all__ if isinstance(c := getattr(layers, n), type)}
    names = {c.__name__ for c in classes if c.__module__ in families}
    assert names - {p.id for p in EVERY} == FOR_LISTS


@pytest.mark.parametrize(("make", "shape"), EVERY)
def test_a_layer_is_built_again_from_its_description(make, shape):
    layer = make(name="mine", dtype="float64")
    x = batch(2, shape, np.float64)
    layer(x)
    again = build_module(json.loads(json.dumps(describe_module(layer))))
    assert describe_module(again) == describe_module(layer)
    again(x)
    assert [p for p, _ in again.named_weights()] == [p for p, _ in layer.named_weights()]
    again.set_weights([np.random.default_rng(1).uniform(0.5, 1.5, w.shape) for w in layer.weights])
    layer.set_weights(again.get_weights())
    np.testing.assert_array_equal(layer(x).data, again(x).data)


@pytest.mark.parametrize(("make", "shape"), EVERY)
def test_a_layer_comes_back_from_a_file(tmp_path, make, shape):
    x = batch(2, shape)
    model = nn.Sequential([nn.Input(x.shape[1:], dtype=x.dtype), make()])
    model.save(tmp_path / "m")
    same = nn.load_model(tmp_path / "m")
    np.testing.assert_array_equal(same.predict(x), model.predict(x))
    assert same.output_shape == model.output_shape


@pytest.mark.parametrize(("make", "shape"), EVERY)
def test_batches_of_none_and_one_other_dtypes_and_layouts(make, shape):
    layer = make(dtype="float64")
    x = batch(3, shape, np.float64)
    whole = layer(x)
    assert whole.dtype == np.float64
    assert layer.compute_output_shape((None, *x.shape[1:])) == (None, *whole.shape[1:])
    one, none = layer(x[:1]), layer(x[:0])
    np.testing.assert_allclose(one.data, whole.data[:1], rtol=1e-12)
    assert none.shape == (0, *whole.shape[1:])
    strided = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, -1, 0)), 0, -1)
    np.testing.assert_allclose(layer(strided).data, whole.data, rtol=1e-12, atol=1e-14)
    assert make()(x.astype("f4")).dtype == np.float32


@pytest.mark.parametrize(("make", "shape"), EVERY)
def test_on_a_symbol_a_layer_gives_what_it_gives_on_numbers(make, shape):
    x = batch(2, shape)
    symbol = nn.Input(x.shape[1:], dtype=x.dtype)
    layer = make()
    model = nn.Model(symbol, layer(symbol))
    y = layer(x)
    assert model.output_shape == (None, *y.shape[1:])
    np.testing.assert_array_equal(model(x).data, y.data)


@pytest.mark.parametrize(("make", "shape"), EVERY)
def test_gradients_are_those_of_differences(make, shape):
    layer = make(dtype="float64")
    layer.train(isinstance(layer, layers.BatchNormalization))
    x = batch(2, shape, np.float64)
    layer(x)
    named = {key: w for key, w in vars(layer).items() if isinstance(w, nn.Parameter) and w.requires_grad}

    def run(inputs, *weights):
        vars(layer).update(zip(named, weights, strict=True))
        return layer(inputs)

    assert gradcheck(run, [x, *(np.random.default_rng(3).normal(0, 0.5, w.shape) for w in named.values())])


# -- activations ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(nn.activations.KNOWN) - {"threshold"}))
def test_activations_have_gradients_and_lose_no_nan(name):
    function = nn.activations.get(name)
    x = np.random.default_rng(0).normal(0, 2, (3, 4))
    assert gradcheck(function, x)
    x[0, 0] = np.nan
    with np.errstate(invalid="ignore"):  # NumPy warns of a nan in softplus
        assert np.isnan(function(Tensor(x)).data[0, 0])
    assert function(Tensor(rng(2, 4))).dtype == np.float32


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8))
def test_sparsemax_is_the_nearest_point_of_the_simplex(values):
    x = np.array(values)
    p = nn.activations.sparsemax(x)
    low, high = x.min() - 1, x.max()  # τ by bisection
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.maximum(x - middle, 0).sum() > 1 else (low, middle)
    np.testing.assert_allclose(p, np.maximum(x - low, 0), atol=1e-9)
    assert p.sum() == pytest.approx(1)
    rows = nn.activations.sparsemax(np.stack([x, x + 3]), axis=-1)
    np.testing.assert_allclose(rows, np.stack([p, p]), atol=1e-9)


def test_activations_by_name_and_function():
    assert nn.activations.get(te.relu) is nn.activations.get("relu") is nn.activations.relu
    assert nn.functional.relu is nn.activations.relu
    assert nn.activations.get("swish") is nn.activations.silu
    assert nn.activations.name_of(nn.activations.get("hard_swish")) == "hard_silu"
    with pytest.raises(ArgumentError, match="did you mean 'softplus'"):
        nn.activations.get("softpluss")
    with pytest.raises(ArgumentError, match="expected a name or a function, got 3"):
        nn.Dense(2, activation=3)

    def relu(x):
        return x * 2  # isn't the ReLU of the name

    assert nn.Dense(1, activation=relu).get_config()["activation"] not in nn.activations.KNOWN


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: layers.ReLU(max_value=-1), "ReLU: max_value: expected a number of at least 0, got -1"),
        (lambda: layers.LeakyReLU(None), "LeakyReLU: negative_slope"),
        (lambda: layers.PReLU(shared_axes=[3])(rng(2, 3)), r"shared_axes \[3\] must be among 1 to 1"),
        (lambda: layers.PReLU()(nn.Input((None, 3))), r"share one: shared_axes=\[1\]"),
        (lambda: layers.Dropout(1.0), "rate must be at least 0 and below 1, got 1.0"),
        (lambda: layers.SpatialDropout2D("a"), "SpatialDropout2D: rate"),
        (lambda: layers.SpatialDropout2D(0.5, "channels_first"), "channels last"),
        (lambda: layers.SpatialDropout1D(0.5)(rng(2, 3)), "expected sequences"),
        (lambda: layers.GaussianNoise(-1), "stddev: expected a number of at least 0"),
        (lambda: layers.Dropout(0.5, noise_shape=(1,))(rng(2, 3), training=True), "noise_shape"),
        (lambda: layers.GroupNormalization(3)(rng(2, 4)), "groups=3 don't divide the 4 channels"),
        (lambda: layers.GroupNormalization(8)(rng(2, 4)), "groups=8 don't divide the 4 channels"),
        (lambda: layers.GroupNormalization(0), "groups: expected a positive whole number"),
        (lambda: layers.GroupNormalization(1, axis=0)(rng(2, 4)), "that of the batch"),
        (lambda: layers.BatchNormalization()(nn.Input((None,))), "needs a fixed length"),
        (lambda: layers.UnitNormalization(axis=5)(rng(2, 4)), "axis"),
        (lambda: layers.Permute((0, 1)), "from 1 on"),
        (lambda: layers.Permute((2, 1))(rng(2, 3)), "for samples of 2 axes"),
        (lambda: layers.RepeatVector(2)(rng(2, 3, 4)), "expected rows"),
        (lambda: layers.RepeatVector(0), "positive whole number"),
        (lambda: layers.Rescaling("a"), "scale: expected a number"),
        (lambda: layers.Normalization(mean=1.0), "both mean and variance"),
        (lambda: layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 2.0])(rng(2, 3)), "of shape"),
        (lambda: layers.Normalization(mean=0, variance=1).adapt(rng(2, 3)), "nothing to adapt"),
        (lambda: layers.Normalization().adapt(rng(0, 3)), "got none"),
        (lambda: layers.Normalization().adapt(rng(2, 3) * np.nan), "got nan or inf"),
        (lambda: layers.Dot(0), "not 0, the batch's"),
        (lambda: layers.Dot(1)([rng(2, 3), rng(2, 4)]), "no axes 1 of one length"),
        (lambda: layers.Dot(1)([rng(2, 3)]), "at least 2 tensors"),
        (lambda: layers.Dot(1)([rng(2, 3)] * 3), "expected two tensors"),
        (lambda: layers.Cropping1D(3)(rng(2, 5, 1)), "leaves nothing"),
        (lambda: layers.ZeroPadding1D("a"), "ZeroPadding1D: padding"),
        (lambda: layers.UpSampling1D(2)(rng(2, 5)), "expected sequences"),
        (lambda: layers.Embedding(5, 2, mask_zero=True), "mask_zero=True isn't here"),
        (lambda: layers.Embedding(0, 2), "input_dim: expected a positive"),
        (lambda: layers.Embedding(5, 2)([[0, 5]]), "index 5 is out of range"),
        (lambda: layers.Embedding(5, 2)([[-1]]), "index -1 is out of range"),
        (lambda: layers.Embedding(5, 2)([[0.5]]), "whole numbers, got 0.5"),
        (lambda: layers.Embedding(5, 2)([[np.nan]]), "whole numbers, got nan"),
        (lambda: layers.Embedding(5, 2)([[np.inf]]), "whole numbers, got inf"),
        (lambda: layers.Embedding(5, 2, weights=np.ones((4, 2))), "expected"),
        (lambda: layers.Lambda("exq"), "the name of one of ours, got 'exq'"),
        (lambda: layers.Lambda(te.exp, mask=1), "leave mask out"),
    ],
)
def test_mistakes_are_named(make, text):
    with pytest.raises((ArgumentError, ShapeError, DataError, DTypeError), match=text):
        make()


# -- noise ---------------------------------------------------------------------------------------------

NOISE = [
    layers.Dropout, layers.AlphaDropout, layers.GaussianDropout, layers.GaussianNoise,
    layers.SpatialDropout1D,
]  # fmt: skip


@pytest.mark.parametrize("kind", NOISE)
def test_noise_is_repeated_by_seeds_and_absent_at_inference(kind):
    x = rng(20, 6, 5)
    np.testing.assert_array_equal(kind(0.5)(x).data, x)
    np.testing.assert_array_equal(kind(0)(x, training=True).data, x)
    first, second = kind(0.5, seed=3), kind(0.5, seed=3)
    y = first(x, training=True).data
    np.testing.assert_array_equal(y, second(x, training=True).data)
    assert (first(x, training=True).data != y).any()  # it goes on
    te.seed(1)
    y = kind(0.5)(x, training=True).data
    te.seed(1)
    np.testing.assert_array_equal(kind(0.5)(x, training=True).data, y)


@pytest.mark.parametrize("kind", NOISE)
def test_gradients_pass_noise_as_values_do(kind):
    x = rng(4, 6, 5).astype("f8")
    assert gradcheck(lambda x: kind(0.5, seed=3, dtype="float64")(x, training=True), x)


def test_spatial_dropout_drops_whole_channels():
    for kind, shape in ((layers.SpatialDropout1D, (50, 7, 8)), (layers.SpatialDropout2D, (50, 3, 4, 8))):
        y = kind(0.25, seed=0)(np.ones(shape), training=True).data
        flat = y.reshape(50, -1, 8)
        assert (flat == flat[:, :1]).all()
        np.testing.assert_allclose(np.unique(y), [0, 1 / 0.75])
        assert np.mean(y == 0) == pytest.approx(0.25, abs=0.08)


def test_alpha_dropout_keeps_mean_and_variance():
    x = np.random.default_rng(0).normal(size=(400, 500))
    y = layers.AlphaDropout(0.4, seed=0)(x, training=True).data
    assert y.mean() == pytest.approx(0, abs=0.02)
    assert y.var() == pytest.approx(1, abs=0.02)


# -- lookup, functions, merging ------------------------------------------------------------------------


def test_embedding_looks_up_and_its_rows_get_the_gradients_of_their_uses():
    layer = layers.Embedding(4, 2)
    y = layer([[1, 1], [3, 0]])
    np.testing.assert_array_equal(y.data, layer.embeddings.data[[[1, 1], [3, 0]]])
    y.sum().backward()
    assert layer.embeddings.grad.tolist() == [[1, 1], [2, 2], [0, 0], [1, 1]]


@pytest.mark.parametrize("start", [[nn.Input((3,))], [nn.Input((3,), dtype="int32")], []])
def test_a_model_of_words_learns(start):
    te.seed(0)
    words = np.random.default_rng(0).integers(0, 6, (60, 3))
    y = (words == 4).sum(axis=1, keepdims=True).astype("f4")
    model = nn.Sequential([*start, layers.Embedding(6, 4), layers.Flatten(), nn.Dense(1)])
    model.compile(nn.optimizers.Adam(0.1), "mse")
    losses = model.fit(words, y, epochs=60, verbose=0).history["loss"]
    assert losses[-1] < 0.1 * losses[0]
    assert model.predict(words).shape == (60, 1)
    with pytest.raises(DataError, match="index 9 is out of range"):
        model.predict(words + 4)


def test_lambda_tells_whether_it_trains_and_takes_lists_and_whole_numbers():
    x = rng(2, 3)
    doubled = layers.Lambda(lambda x, training=False: x * 2 if training else x)
    assert (doubled(x).data == x).all()
    assert (doubled(x, training=True).data == 2 * x).all()
    both = layers.Lambda(lambda pair: pair[0] * pair[1])
    assert (both([x, x]).data == x * x).all()
    hot = layers.Lambda(lambda x: te.one_hot(x, 5))
    assert hot(np.array([[1, 4]])).data.argmax(-1).tolist() == [[1, 4]]
    symbol = nn.Input((2,), dtype="int32")
    assert nn.Model(symbol, layers.Lambda(lambda x: te.one_hot(x, 5))(symbol)).output_shape == (None, 2, 5)
    assert layers.Lambda(np.exp)(x).shape == (2, 3)
    assert layers.Lambda(lambda x: x, output_shape=(7,)).compute_output_shape((None, 3)) == (None, 7)
    shaped = layers.Lambda(lambda x: x, output_shape=lambda shape: (*shape, 1))
    assert shaped.compute_output_shape((None, 3)) == (None, 3, 1)


def test_a_lambda_is_saved_if_its_function_is_one_of_ours(tmp_path):
    x = rng(2, 3)
    model = nn.Sequential([nn.Input((3,)), layers.Lambda(te.exp), layers.Lambda("sin")])
    model.save(tmp_path / "a")
    np.testing.assert_array_equal(nn.load_model(tmp_path / "a").predict(x), model.predict(x))
    model = nn.Sequential([nn.Input((3,)), layers.Lambda(lambda x: x + 1)])
    with pytest.raises(ArgumentError, match="function of your own can't be read"):
        model.save(tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_layer_of_ones_own_that_takes_whole_numbers_finds_out_its_shape():
    class Hot(nn.Layer):
        autocast = False

        def call(self, x):
            return te.one_hot(x, 3)

    assert Hot()(np.array([[0, 2]])).shape == (1, 2, 3)
    symbol = nn.Input((2,), dtype="int32")
    assert Hot()(symbol).shape == (None, 2, 3)


def test_tensors_of_fewer_axes_are_merged_with_each_sample():
    a, b = rng(3, 4, 5), rng(3, 5, seed=1)
    expected = a + b[:, None]
    np.testing.assert_array_equal(layers.add([a, b]).data, expected)
    symbols = nn.Input((4, 5)), nn.Input((5,))
    model = nn.Model(list(symbols), layers.add(list(symbols)))
    assert model.output_shape == (None, 4, 5)
    np.testing.assert_array_equal(model([a, b]).data, expected)


def test_dot_by_its_definition():
    a, b = rng(2, 3, 4), rng(2, 4, 5, seed=1)
    np.testing.assert_allclose(layers.dot([a, b], axes=(2, 1)).data, a @ b, rtol=1e-5)
    u, v = rng(6, 4), rng(6, 4, seed=1)
    cosine = (u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
    np.testing.assert_allclose(layers.dot([u, v], normalize=True).data[:, 0], cosine, rtol=1e-5)


def test_unit_vectors_and_zeros():
    x = np.array([[3.0, 4.0], [0.0, 0.0]], "f4")
    np.testing.assert_allclose(layers.UnitNormalization()(x).data, [[0.6, 0.8], [0, 0]], rtol=1e-6)
    big = layers.UnitNormalization()(x * 1e30).data
    np.testing.assert_allclose(big, [[0.6, 0.8], [0, 0]], rtol=1e-6)


def test_normalization_as_part_of_a_saved_model(tmp_path):
    data = np.random.default_rng(0).normal(5, 3, (100, 4)).astype("f4")
    layer = layers.Normalization()
    layer.adapt(data)
    model = nn.Sequential([nn.Input((4,)), layer, nn.Dense(2)])
    z = layer(data).data
    np.testing.assert_allclose([z.mean(0), z.std(0)], [np.zeros(4), np.ones(4)], atol=1e-5)
    assert model.count_params() == 4 + 4 + 1 + 10
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(nn.load_model(tmp_path / "m").predict(data), model.predict(data))
    back = layers.Normalization(mean=layer.mean.data, variance=layer.variance.data, invert=True)
    np.testing.assert_allclose(back(z).data, data, rtol=1e-5, atol=1e-5)


def test_group_normalisation_by_its_definition():
    x = rng(3, 4, 5, 6)
    y = layers.GroupNormalization(2, epsilon=1e-3)(x).data
    groups = x.reshape(3, 4, 5, 2, 3)
    mean, variance = (f(groups, axis=(1, 2, 4), keepdims=True) for f in (np.mean, np.var))
    expected = ((groups - mean) / np.sqrt(variance + 1e-3)).reshape(x.shape)
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_prelu_learns_its_slopes():
    layer = layers.PReLU(alpha_constraint="non_neg", alpha_initializer=nn.initializers.Constant(0.5))
    model = nn.Sequential([nn.Input((1,)), layer])
    x = np.linspace(-1, 1, 32)[:, None]
    model.compile(nn.optimizers.SGD(0.5), "mse")
    model.fit(x, np.maximum(x, 0.1 * x), epochs=100, verbose=0)
    assert layer.alpha.data.item() == pytest.approx(0.1, abs=0.01)
    model.fit(x, np.maximum(x, 0) - np.minimum(x, 0), epochs=20, verbose=0)
    assert layer.alpha.data.item() == 0  # it would be -1, and mustn't be
    assert math.isclose(layer(np.array([[-2.0]])).item(), 0)


def test_orthogonal_regulariser_by_its_definition():
    x = rng(3, 5).astype("f8")
    rows = x / np.linalg.norm(x, axis=1, keepdims=True)
    pairs = [abs(rows[i] @ rows[j]) for i in range(3) for j in range(i)]
    price = nn.regularizers.OrthogonalRegularizer(0.5)
    assert price(Tensor(x)).item() == pytest.approx(0.5 * np.mean(pairs))
    assert nn.regularizers.get(price.describe()).get_config() == {"factor": 0.5, "mode": "rows"}
    assert nn.regularizers.OrthogonalRegularizer(0.5, "columns")(Tensor(x.T)).item() == pytest.approx(
        price(Tensor(x)).item()
    )
    assert gradcheck(price, x)
    assert price(Tensor(np.zeros((1, 4)))).item() == 0
    with pytest.raises(ShapeError, match="expected a matrix"):
        price(Tensor(np.zeros(4)))
