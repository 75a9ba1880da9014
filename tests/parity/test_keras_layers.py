"""Each layer beside Keras' own, built from the same source text."""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from side_by_side import agree, array, both, compare

from tinygrad_edu import nn

IMAGES, ODD, SEQUENCES, ROWS = (2, 8, 8, 4), (2, 7, 9, 4), (2, 11, 4), (4, 5)


def cases(*groups):
    """Make a parameter set of each source text in groups of (inputs, source, source, …)."""
    return [
        pytest.param(source, inputs if isinstance(inputs, list) else [inputs], id=f"{source}-{inputs}")
        for inputs, *sources in groups
        for source in sources
    ]


DENSE = [
    "layers.Dense(3)",
    "layers.Dense(3, activation='relu', use_bias=False)",
    "layers.Dense(2, 'softmax', kernel_regularizer=regularizers.L2(0.1), bias_regularizer='l1', "
    "activity_regularizer='l2')",
]


@pytest.mark.parametrize("source", DENSE)
@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 5), (2, 3, 2, 5), (1, 5), (0, 5)])
def test_dense(keras, source, shape):
    compare(keras, source, shape)


@pytest.mark.parametrize("size", [IMAGES, ODD, (1, 5, 5, 4)])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    "source",
    [
        "layers.Conv2D(6, 3, padding={p!r})",
        "layers.Conv2D(3, (2, 4), strides=2, padding={p!r}, activation='relu')",
        "layers.Conv2D(2, 3, strides=(1, 3), padding={p!r}, use_bias=False)",
        "layers.Conv2D(4, 2, padding={p!r}, dilation_rate=2, activation='tanh')",
        "layers.Conv2D(4, (2, 1), padding={p!r}, dilation_rate=(3, 1))",
        "layers.Conv2D(6, 3, padding={p!r}, groups=2, activation='relu')",
        "layers.Conv2D(4, 3, 2, padding={p!r}, groups=4, kernel_regularizer='l2')",
        "layers.DepthwiseConv2D(3, padding={p!r})",
        "layers.DepthwiseConv2D(2, 2, padding={p!r}, depth_multiplier=3, activation='relu')",
        "layers.SeparableConv2D(5, 3, padding={p!r})",
        "layers.SeparableConv2D(3, 3, strides=2, padding={p!r}, depth_multiplier=2, activation='elu', "
        "depthwise_regularizer='l2', pointwise_regularizer='l1')",
        "layers.SeparableConv2D(3, 2, padding={p!r}, use_bias=False)",
        "layers.Conv2DTranspose(3, 3, padding={p!r})",
        "layers.Conv2DTranspose(3, 3, strides=2, padding={p!r}, activation='relu')",
        "layers.Conv2DTranspose(2, (2, 3), strides=(3, 2), padding={p!r}, use_bias=False)",
        "layers.Conv2DTranspose(2, 2, strides=3, padding={p!r})",
        "layers.Conv2DTranspose(2, 3, strides=2, padding={p!r}, output_padding=1)",
        "layers.Conv2DTranspose(2, 3, strides=2, padding={p!r}, output_padding=(0, 1))",
        "layers.Conv2DTranspose(2, 3, padding={p!r}, dilation_rate=2)",
        "layers.Conv2DTranspose(2, (3, 2), padding={p!r}, dilation_rate=(1, 2), activation='relu')",
        "layers.MaxPooling2D(padding={p!r})",
        "layers.MaxPooling2D(3, strides=2, padding={p!r})",
        "layers.MaxPool2D((2, 3), strides=(1, 2), padding={p!r})",
        "layers.AveragePooling2D(2, padding={p!r})",
        # Where "same" pads one side more, Keras on PyTorch repeats the last pixel, which changes the means of
        # larger windows; on JAX it agrees with us.
        "layers.AveragePooling2D(3, strides=1, padding={p!r})",
    ],
)
def test_windows_on_images(keras, source, padding, size):
    compare(keras, source.format(p=padding), size, training=(True,))


@given(data=st.data())
@settings(max_examples=40)
def test_convolutions_of_any_arguments(keras, data):
    side, channels = st.integers(1, 3), st.sampled_from([1, 2, 4])
    kernel = data.draw(st.tuples(side, side))
    size = tuple(data.draw(st.integers(3 * k, 12)) for k in kernel)
    kind = data.draw(st.sampled_from(["Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose"]))
    more = {"padding": data.draw(st.sampled_from(["valid", "same"])), "use_bias": data.draw(st.booleans())}
    if data.draw(st.booleans()) and kind != "Conv2DTranspose":  # Keras has one or the other
        more["dilation_rate"] = data.draw(st.tuples(side, side))
    else:  # and steps of one length, where channels are apart
        more["strides"] = data.draw(
            side if kind in ("DepthwiseConv2D", "SeparableConv2D") else st.tuples(side, side)
        )
    inputs, filters = data.draw(channels), data.draw(channels)
    if kind == "Conv2D":
        more["groups"] = data.draw(st.sampled_from([g for g in (1, 2, 4) if not inputs % g | filters % g]))
    elif kind != "Conv2DTranspose":
        more["depth_multiplier"] = data.draw(side)
    first = "" if kind == "DepthwiseConv2D" else f"{filters}, "
    source = f"layers.{kind}({first}{kernel}, **{more})"
    compare(keras, source, (data.draw(st.integers(1, 3)), *size, inputs), training=(True,))


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize(
    "source",
    [
        "layers.Conv1D(6, 3, padding={p!r})",
        "layers.Conv1D(3, 4, strides=2, padding={p!r}, activation='relu')",
        "layers.Conv1D(4, 2, padding={p!r}, dilation_rate=3, groups=2)",
        "layers.Conv1DTranspose(3, 3, strides=2, padding={p!r})",
        "layers.Conv1DTranspose(3, 4, strides=3, padding={p!r}, output_padding=1, activation='relu')",
        "layers.MaxPooling1D(2, padding={p!r})",
        "layers.MaxPooling1D(3, strides=2, padding={p!r})",
        "layers.AveragePooling1D(3, strides=2, padding={p!r})",
    ],
)
def test_windows_on_sequences(keras, source, padding):
    if padding == "causal" and not source.startswith("layers.Conv1D("):
        pytest.skip("for Conv1D alone")
    compare(keras, source.format(p=padding), SEQUENCES, training=(True,))


@pytest.mark.parametrize(
    ("source", "inputs"),
    cases(
        (ODD, "layers.GlobalAveragePooling2D()", "layers.GlobalMaxPooling2D()",
         "layers.GlobalAveragePooling2D(keepdims=True)", "layers.GlobalMaxPool2D(keepdims=True)",
         "layers.UpSampling2D()", "layers.UpSampling2D((3, 1))",
         "layers.UpSampling2D(2, interpolation='bilinear')",
         "layers.ZeroPadding2D()", "layers.ZeroPadding2D((2, 1))", "layers.ZeroPadding2D(((0, 1), (2, 0)))",
         "layers.Cropping2D(1)", "layers.Cropping2D(((1, 0), (2, 1)))", "layers.Cropping2D()",
         "layers.Flatten()", "layers.Permute((3, 1, 2))", "layers.Reshape((9, -1))",
         "layers.Reshape((36, 7, 1))"),
        (SEQUENCES, "layers.GlobalAveragePooling1D()", "layers.GlobalMaxPooling1D(keepdims=True)",
         "layers.UpSampling1D()", "layers.UpSampling1D(3)", "layers.ZeroPadding1D()",
         "layers.ZeroPadding1D((2, 0))", "layers.Cropping1D()", "layers.Cropping1D((3, 0))",
         "layers.Cropping1D(2)", "layers.Permute((2, 1))", "layers.Flatten()"),
        (ROWS, "layers.RepeatVector(3)", "layers.Reshape((5, 1))", "layers.Identity()", "layers.Flatten()",
         "layers.Rescaling(0.5)", "layers.Rescaling(2.0, offset=-1.0)",
         "layers.Rescaling([1., 2., 3., 4., 5.], offset=[0., 1., 0., 1., 0.])",
         "layers.Normalization(mean=2.0, variance=4.0)", "layers.Normalization()",
         "layers.Normalization(mean=[1., 2., 3., 4., 5.], variance=[1., 2., 0., 4., 5.], invert=True)",
         "layers.ActivityRegularization(l1=0.1, l2=0.2)", "layers.Lambda(lambda x: x ** 2)",
         "layers.Lambda(lambda x, k: x[:, :k], arguments={'k': 2})",
         "layers.Lambda(lambda x, training: x * 2 if training else x)"),
    ),
)  # fmt: skip
def test_layers_that_rearrange_and_rescale(keras, source, inputs):
    compare(keras, source, *inputs)


@pytest.mark.parametrize(
    ("source", "inputs"),
    cases(
        (ROWS, "layers.ReLU()", "layers.ReLU(max_value=1.0)", "layers.ReLU(negative_slope=0.2)",
         "layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.5)", "layers.ReLU(threshold=0.3)",
         "layers.ReLU(max_value=6)", "layers.LeakyReLU()", "layers.LeakyReLU(negative_slope=0.01)",
         "layers.ELU()", "layers.ELU(alpha=0.5)", "layers.PReLU()", "layers.Softmax()",
         "layers.PReLU(alpha_initializer='ones', alpha_regularizer='l2', alpha_constraint='non_neg')"),
        (IMAGES, "layers.PReLU(shared_axes=[1, 2])", "layers.PReLU(shared_axes=3)",
         "layers.Softmax(axis=1)", "layers.Softmax(axis=(1, 2))", "layers.Softmax(axis=[-1])"),
    ),
)  # fmt: skip
def test_layers_that_activate(keras, source, inputs):
    compare(keras, source, *inputs, training=(True,))


def test_softmax_with_a_mask(keras):
    mask = np.array([[1, 1, 0, 1], [1, 0, 0, 0]], bool)
    compare(keras, "layers.Softmax()", (2, 4), mask=mask)


@pytest.mark.parametrize(
    "name",
    # Keras' sparsemax doesn't sum to 1; glu halves an axis and threshold needs arguments.
    sorted(
        set(nn.activations.__all__)
        - {"get", "name_of", "serialize", "deserialize", "threshold", "glu", "sparsemax"}
    ),
)
def test_activations_by_name(keras, name):
    compare(keras, f"layers.Activation({name!r})", (3, 40), training=(True,))
    compare(keras, f"layers.Dense(6, activation={name!r})", (7, 3), training=(True,))


@pytest.mark.parametrize(
    "call",
    [
        "relu(x, negative_slope=0.2, max_value=0.7, threshold=0.1)", "leaky_relu(x, negative_slope=0.01)",
        "elu(x, alpha=0.5)", "celu(x, alpha=2.0)", "gelu(x, approximate=True)", "softmax(x, axis=0)",
        "log_softmax(x, axis=1)", "glu(x)", "glu(x, axis=2)", "hard_shrink(x, threshold=0.2)",
        "soft_shrink(x, threshold=0.2)", "squareplus(x, b=1)", "threshold(x, 0.3, -2.0)", "swish(x)",
    ],
)  # fmt: skip
def test_activations_with_arguments_and_on_symbols(keras, call):
    source = f"[x := Input((3, 4)), Model(x, activations.{call})][1]"
    compare(keras, source, (2, 3, 4), training=(True,))


@pytest.mark.parametrize(
    ("source", "inputs"),
    cases(
        (ROWS, "layers.BatchNormalization()", "layers.LayerNormalization()", "layers.RMSNormalization()",
         "layers.BatchNormalization(momentum=0.5, epsilon=0.1)", "layers.UnitNormalization()",
         "layers.BatchNormalization(center=False)", "layers.BatchNormalization(scale=False)",
         "layers.BatchNormalization(gamma_regularizer='l2', beta_regularizer='l1')",
         "layers.BatchNormalization(trainable=False)", "layers.GroupNormalization(5)",
         "layers.LayerNormalization(center=False, scale=False)"),
        (IMAGES, "layers.BatchNormalization()", "layers.BatchNormalization(axis=1)",
         "layers.BatchNormalization(axis=2, momentum=0.0)", "layers.LayerNormalization()",
         "layers.LayerNormalization(axis=[1, 2, 3])", "layers.LayerNormalization(axis=(1, 3), epsilon=1e-5)",
         "layers.LayerNormalization(axis=(2, 3), beta_regularizer='l2')", "layers.GroupNormalization(2)",
         "layers.GroupNormalization(groups=4)", "layers.GroupNormalization(1, epsilon=0.1)",
         "layers.GroupNormalization(-1)", "layers.GroupNormalization(4, axis=1)",
         "layers.GroupNormalization(2, center=False)", "layers.GroupNormalization(2, scale=False)",
         "layers.RMSNormalization(axis=(1, 2, 3), epsilon=0.01)", "layers.RMSNormalization(axis=(2, 3))",
         "layers.UnitNormalization(axis=(1, 2))", "layers.UnitNormalization(axis=1)"),
        (SEQUENCES, "layers.BatchNormalization()", "layers.LayerNormalization(axis=(1, 2))",
         "layers.GroupNormalization(2)"),
    ),
)  # fmt: skip
def test_normalisation(keras, source, inputs):
    compare(keras, source, *inputs)


def test_normalisation_adapts_to_data(keras):
    rng = np.random.default_rng(0)
    data = rng.normal(3, 2, (50, 4, 3)).astype("f4")
    for source in (
        "layers.Normalization()", "layers.Normalization(axis=1)", "layers.Normalization(axis=(1, 2))",
        "layers.Normalization(axis=None)", "layers.Normalization(invert=True)",
    ):  # fmt: skip
        theirs, ours = both(keras, source)
        theirs.adapt(data)
        for seen in (data, [data[:20], data[20:]], [(data[:49], 0), (data[49:], 0)]):
            ours.adapt(seen)
            agree(ours(data), theirs(data), source)
            agree([ours.mean, ours.variance], [theirs.adapt_mean, theirs.adapt_variance], source)


@pytest.mark.parametrize(
    ("source", "inputs"),
    cases(
        (np.array([[0, 4, 4], [1, 2, 0]]), "layers.Embedding(5, 3)",
         "layers.Embedding(5, 1, embeddings_regularizer='l2')"),
        (np.array([[0.0, 4, 4], [1, 2, 0]], "f4"), "layers.Embedding(6, 2)"),
        (np.array([3, 1, 0, 3]), "layers.Embedding(5, 2, embeddings_constraint='unit_norm')"),
    ),
)  # fmt: skip
def test_embedding(keras, source, inputs):
    compare(keras, source, *inputs)


def test_embedding_from_a_table(keras):
    for table in ("np.arange(12.0).reshape(4, 3)", "[np.arange(12.0).reshape(4, 3)]"):
        theirs, ours = both(keras, f"layers.Embedding(4, 3, weights={table})")
        agree(ours(np.array([[1, 3]])), theirs(np.array([[1, 3]])), table)


ALIKE = [[(3, 4), (3, 4)], [(3, 4), (3, 4), (3, 4)], [(2, 3, 4), (2, 1, 4)], [(2, 3, 4), (2, 4)]]
MERGING = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"]


@pytest.mark.parametrize("shapes", ALIKE, ids=str)
@pytest.mark.parametrize("name", MERGING)
def test_merging(keras, name, shapes):
    if name == "Subtract" and len(shapes) > 2:
        pytest.skip("takes two")
    compare(keras, f"layers.{name}()", shapes, training=(True,))


@pytest.mark.parametrize(
    ("source", "shapes"),
    [
        ("layers.Concatenate()", [(3, 4), (3, 2), (3, 1)]),
        ("layers.Concatenate(axis=1)", [(3, 4, 2), (3, 1, 2)]),
        ("layers.Concatenate(axis=-2)", [(3, 4, 2), (3, 1, 2)]),
        ("layers.Dot(axes=1)", [(3, 4), (3, 4)]),
        ("layers.Dot(-1, normalize=True)", [(3, 4), (3, 4)]),
        ("layers.Dot(axes=2)", [(2, 3, 4), (2, 5, 4)]),
        ("layers.Dot(axes=(2, 1))", [(2, 3, 4), (2, 4, 5)]),
        ("layers.Dot(axes=(1, 2), normalize=True)", [(2, 3, 4), (2, 5, 3)]),
        ("layers.Dot(axes=(1, 2))", [(2, 3), (2, 5, 3)]),
        ("layers.Dot(axes=(-1, 1))", [(2, 6, 4, 3), (2, 3)]),
        ("layers.Dot(axes=(2, 3))", [(2, 3, 4, 5), (2, 2, 3, 4)]),
    ],
    ids=str,
)
def test_joining(keras, source, shapes):
    compare(keras, source, shapes, training=(True,))


@pytest.mark.parametrize(
    "name", ["add", "subtract", "multiply", "average", "maximum", "minimum", "concatenate", "dot"]
)
def test_merging_functions(keras, name):
    source = f"[a := Input((4,)), b := Input((4,)), Model([a, b], layers.{name}([a, b]))][2]"
    compare(keras, source, [(3, 4), (3, 4)], training=(True,))


NOISE = [
    "layers.Dropout(0.3)", "layers.Dropout(0.5, noise_shape=(None, 1))", "layers.GaussianNoise(0.7)",
    "layers.GaussianDropout(0.3)", "layers.AlphaDropout(0.4)", "layers.SpatialDropout1D(0.25)",
    "layers.SpatialDropout2D(0.25)",
]  # fmt: skip


@pytest.mark.parametrize("source", NOISE)
def test_noise_has_keras_moments(keras, source):
    """At inference they pass all through; in training the numbers differ, but not their distribution."""
    shape = (2000, 10, 5) if "1D" in source else (2000, 3, 3, 5) if "2D" in source else (10_000, 5)
    compare(keras, source, shape[1:] if len(shape) == 2 else (2, *shape[1:]), training=(False,))
    theirs, ours = both(keras, source)
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).normal(1, 1, shape).astype("f4")
    a, b = array(ours(x, training=True)), array(theirs(x, training=True))
    for power in (1, 2, 3):
        np.testing.assert_allclose(np.mean(a**power), np.mean(b**power), atol=0.1 * power**2)
    np.testing.assert_allclose(np.mean(a == 0), np.mean(b == 0), atol=0.02)
    together = [np.mean((y[:, :1] == 0) == (y[:, 1:2] == 0)) for y in (a, b)]
    np.testing.assert_allclose(*together, atol=0.03)


# What Keras has and we don't, by design: low-rank adapters and quantisation, sums over machines, tensors that
# aren't dense, masks; attention for graphics cards, with windows and gates; weights given to a wrapper.
WITHOUT = {
    "lora_rank", "lora_alpha", "quantization_config", "synchronized", "renorm", "renorm_clipping",
    "renorm_momentum", "sparse", "ragged", "input_tensor", "optional", "autocast", "kwargs", "name", "dtype",
    "flash_attention", "sliding_window", "use_gate", "weights",
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in nn.layers.__all__ if n[0].isupper()])
def test_arguments_and_defaults(keras, name):
    """Every argument of Keras' layer is one of ours, in the same order, with the same default."""
    if name == "BatchNorm":
        name = "BatchNormalization"
    if name in ("InputLayer", "Layer", "Input") or not hasattr(keras.layers, name):
        pytest.skip("ours alone, or another way to write it")
    theirs = inspect.signature(getattr(keras.layers, name).__init__).parameters
    ours = inspect.signature(getattr(nn.layers, name)).parameters
    wanted = [p for p in list(theirs)[1:] if p not in WITHOUT]
    assert [p for p in wanted if p not in ours] == []
    placed = [p for p in ours if ours[p].kind is not inspect.Parameter.KEYWORD_ONLY and p in theirs]
    assert placed == wanted[: len(placed)]
    for p in wanted:
        same(ours[p].default, theirs[p].default, f"{name}({p}=…)")


def same(ours, theirs, what):
    """Assert that two defaults mean the same: 1 is (1, 1), "Zeros" is "zeros"."""
    empty = inspect.Parameter.empty
    if theirs is empty or ours is empty:
        assert theirs is empty, f"{what} must be given here"
        return
    if isinstance(theirs, str):
        assert str(ours).lower() == theirs.lower(), what
    elif theirs is None or isinstance(theirs, bool) or ours is None:
        assert ours is theirs, what
    else:
        np.testing.assert_array_equal(*np.broadcast_arrays(ours, theirs), err_msg=what)
