"""Exported layers: onnxruntime computes what we compute, for any number of samples."""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_edu import nn, ops
from tinygrad_edu.nn import activations, layers

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx_cases import Exports, drawn, sequential  # noqa: E402


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    return Exports(tmp_path_factory.mktemp("onnx"))


# -- every layer -----------------------------------------------------------------------------------------

IMAGE, ROW, FLAT = (6, 5, 4), (6, 4), (4,)
CASES = [  # a layer, and the shape of a sample
    (lambda: layers.Dense(3), FLAT),
    (lambda: layers.Dense(3, "relu"), IMAGE),
    (lambda: layers.Dense(3, "tanh", use_bias=False), ROW),
    (lambda: layers.Conv2D(6, 3), IMAGE),
    (lambda: layers.Conv2D(6, (2, 4), strides=2, padding="same", activation="relu"), IMAGE),
    (lambda: layers.Conv2D(6, 3, padding="same", groups=2, use_bias=False), IMAGE),
    (lambda: layers.Conv2D(5, 3, padding="same", dilation_rate=2), IMAGE),
    (lambda: layers.Conv1D(5, 3, padding="causal"), ROW),
    (lambda: layers.Conv1D(5, 3, strides=2, padding="same", activation="relu"), ROW),
    (lambda: layers.Conv1DTranspose(3, 3, strides=2, padding="same"), ROW),
    (lambda: layers.DepthwiseConv2D(2, depth_multiplier=3, strides=2, padding="same"), IMAGE),
    (lambda: layers.SeparableConv2D(5, 3, padding="same", depth_multiplier=2), IMAGE),
    (lambda: layers.Conv2DTranspose(3, 3), IMAGE),
    (lambda: layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="relu"), IMAGE),
    (lambda: layers.Conv2DTranspose(3, 2, strides=3), IMAGE),
    (lambda: layers.Conv2DTranspose(3, 3, strides=2, padding="same", output_padding=0), IMAGE),
    (lambda: layers.Conv2DTranspose(3, 3, dilation_rate=2), IMAGE),
    (lambda: layers.MaxPooling2D(), IMAGE),
    (lambda: layers.MaxPooling2D(3, strides=2, padding="same"), IMAGE),
    (lambda: layers.AveragePooling2D((2, 3), strides=1), IMAGE),
    (lambda: layers.AveragePooling2D(3, strides=2, padding="same"), IMAGE),
    (lambda: layers.MaxPooling1D(2, padding="same"), ROW),
    (lambda: layers.AveragePooling1D(3, 2, "same"), ROW),
    (lambda: layers.GlobalAveragePooling2D(), IMAGE),
    (lambda: layers.GlobalAveragePooling2D(keepdims=True), IMAGE),
    (lambda: layers.GlobalMaxPooling2D(), IMAGE),
    (lambda: layers.GlobalAveragePooling1D(), ROW),
    (lambda: layers.GlobalMaxPooling1D(keepdims=True), ROW),
    (lambda: layers.UpSampling2D((3, 2)), IMAGE),
    (lambda: layers.UpSampling2D(2, interpolation="bilinear"), IMAGE),
    (lambda: layers.UpSampling2D((1, 3), interpolation="bilinear"), IMAGE),
    (lambda: layers.UpSampling1D(2), ROW),
    (lambda: layers.ZeroPadding2D(((1, 2), (0, 3))), IMAGE),
    (lambda: layers.ZeroPadding1D((1, 2)), ROW),
    (lambda: layers.Cropping2D(((1, 2), (0, 3))), IMAGE),
    (lambda: layers.Cropping1D((1, 2)), ROW),
    (lambda: layers.BatchNormalization(), IMAGE),
    (lambda: layers.BatchNormalization(axis=1, scale=False), IMAGE),
    (lambda: layers.LayerNormalization(), IMAGE),
    (lambda: layers.LayerNormalization(axis=(2, 3)), IMAGE),
    (lambda: layers.LayerNormalization(axis=(1, 2), center=False), IMAGE),
    (lambda: layers.GroupNormalization(2), IMAGE),
    (lambda: layers.RMSNormalization(), IMAGE),
    (lambda: layers.UnitNormalization(), ROW),
    (lambda: layers.Normalization(mean=[1.0, 2, 3, 4], variance=[1.0, 2, 3, 4]), IMAGE),
    (lambda: layers.Rescaling(1 / 255, offset=-1), IMAGE),
    (lambda: layers.Flatten(), IMAGE),
    (lambda: layers.Reshape((5, -1, 2)), IMAGE),
    (lambda: layers.Permute((3, 1, 2)), IMAGE),
    (lambda: layers.Permute((2, 1)), ROW),
    (lambda: layers.RepeatVector(3), FLAT),
    (lambda: layers.Dropout(0.5), IMAGE),
    (lambda: layers.SpatialDropout2D(0.5), IMAGE),
    (lambda: layers.SpatialDropout1D(0.5), ROW),
    (lambda: layers.GaussianNoise(0.5), IMAGE),
    (lambda: layers.GaussianDropout(0.5), IMAGE),
    (lambda: layers.AlphaDropout(0.5), FLAT),
    (lambda: layers.Activation("softplus"), IMAGE),
    (lambda: layers.ActivityRegularization(l2=0.1), IMAGE),
    (lambda: layers.ELU(0.5), IMAGE),
    (lambda: layers.LeakyReLU(0.1), IMAGE),
    (lambda: layers.PReLU(), IMAGE),
    (lambda: layers.ReLU(1.5, 0.1, 0.5), IMAGE),
    (lambda: layers.Softmax(), IMAGE),
    (lambda: layers.Softmax(axis=1), ROW),
    (lambda: layers.Softmax(axis=(1, 2)), IMAGE),
    (lambda: layers.Identity(), IMAGE),
    (lambda: layers.Lambda(lambda x: x[:, ::2, 1:, None, 0] * 2), IMAGE),
    (lambda: layers.Operation("exp"), IMAGE),
    (lambda: layers.LSTM(3), ROW),
    (lambda: layers.LSTM(3, return_sequences=True, go_backwards=True), ROW),
    (lambda: layers.GRU(3), ROW),
    (lambda: layers.GRU(3, return_sequences=True, reset_after=False), ROW),
    (lambda: layers.SimpleRNN(3), ROW),
    (lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True)), ROW),
    (lambda: layers.Bidirectional(layers.GRU(3), merge_mode="ave"), ROW),
    (lambda: layers.TimeDistributed(layers.Dense(3, "relu")), ROW),
    (lambda: layers.TimeDistributed(layers.Conv1D(3, 2)), IMAGE),
]


def shown(case):
    layer, shape = case
    return f"{type(layer()).__name__}-{len(shape)}d"


@pytest.mark.parametrize("case", CASES, ids=shown)
def test_a_layer_alone(exports, case):
    make, shape = case
    exports.compare(sequential(shape, make()), [drawn((1, *shape))], [drawn((5, *shape))])


@pytest.mark.parametrize("case", [c for c in CASES if len(c[1]) > 1], ids=shown)
def test_a_layer_between_convolutions(exports, case):
    # Its input is in channels-first order there, its output is wanted in both.
    make, shape = case
    conv = layers.Conv2D if len(shape) == 3 else layers.Conv1D
    x = nn.Input(shape)
    before = conv(4, 3, padding="same", name="before")(x)
    y = make()(before)
    outputs = [y, conv(2, 1, name="after")(y)] if len(y.shape) == len(shape) + 1 else [y]
    exports.compare(nn.Model(x, outputs), [drawn((2, *shape))])


@pytest.mark.parametrize(
    "layer",
    [
        layers.Add(), layers.Subtract(), layers.Multiply(), layers.Average(), layers.Maximum(),
        layers.Minimum(), layers.Concatenate(), layers.Dot(1), layers.Dot(1, normalize=True),
    ],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
def test_a_layer_of_two_inputs(exports, layer):
    a, b = nn.Input((4,), name="a"), nn.Input((4,), name="b")
    model = nn.Model([a, b], layer([nn.Dense(3)(a), nn.Dense(3)(b)]))
    proto = exports.compare(model, [drawn((5, 4)), drawn((5, 4), seed=1)])
    assert [x.name for x in proto.graph.input] == ["a", "b"]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "attend",
    [
        lambda a, b, causal: layers.MultiHeadAttention(2, 3)(a, b, use_causal_mask=causal),
        lambda a, b, causal: layers.MultiHeadAttention(2, 3, output_shape=5)(
            a, b, use_causal_mask=causal, attention_mask=np.tri(6, 5), return_attention_scores=True
        ),
        lambda a, b, causal: layers.Attention(use_scale=True)([a, b], use_causal_mask=causal),
        lambda a, b, causal: layers.Attention(score_mode="concat")([a, b], use_causal_mask=causal),
        lambda a, b, causal: layers.AdditiveAttention()([a, b], use_causal_mask=causal),
    ],
)
def test_layers_of_attention(exports, attend, causal):
    a, b = nn.Input((6, 4), name="a"), nn.Input((5, 4), name="b")
    exports.compare(nn.Model([a, b], attend(a, b, causal)), [drawn((3, 6, 4)), drawn((3, 5, 4), seed=1)])


MASKED = {
    "lstm": lambda x, mask: layers.LSTM(3)(x, mask=mask),
    "lstm with sequences": lambda x, mask: layers.LSTM(3, return_sequences=True)(x, mask=mask),
    "zeros": lambda x, mask: layers.GRU(3, return_sequences=True, zero_output_for_mask=True)(x, mask=mask),
    "both ways": lambda x, mask: layers.Bidirectional(layers.GRU(3))(x, mask=mask),
    "attention": lambda x, mask: layers.Attention()([x, x], mask=[mask, mask], use_causal_mask=True),
    "heads": lambda x, mask: layers.MultiHeadAttention(2, 3)(
        x, x, query_mask=mask, value_mask=mask, use_causal_mask=True
    ),
    "bools": lambda x, mask: layers.Lambda(
        lambda both: ops.scaled_dot_product_attention(
            both[0], both[0], both[0], mask=both[1][:, None], is_causal=True
        )
    )([x, mask]),
    "floats": lambda x, mask: layers.Lambda(
        lambda both: ops.scaled_dot_product_attention(
            both[0], both[0], both[0], mask=ops.where(both[1], 0.5, -np.inf)[:, None]
        )
    )([x, mask]),
}


@pytest.mark.parametrize("name", MASKED)
def test_masks_that_come_in(exports, name):
    x, mask = nn.Input((5, 4), name="x"), nn.Input((5,), dtype="bool", name="mask")
    model = nn.Model([x, mask], MASKED[name](x, mask))
    masks = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
    exports.compare(model, [drawn((4, 5, 4)), masks])


NOT_HERE = {"Input", "InputLayer", "Layer"}
ELSEWHERE = {  # in tests of their own, or refused
    "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot", "Embedding",
    "Sampling", "MultiHeadAttention", "Attention", "AdditiveAttention",
}  # fmt: skip


def test_every_layer_has_a_case():
    known = {type(make()) for make, _ in CASES} | {getattr(layers, name) for name in ELSEWHERE | NOT_HERE}
    found = {name: getattr(layers, name) for name in layers.__all__}
    assert not [name for name, c in found.items() if inspect.isclass(c) and c not in known]


@pytest.mark.parametrize("name", sorted(activations.KNOWN))
def test_every_activation(exports, name):
    arguments = (0.5, -1.0) if name == "threshold" else ()
    call = activations.KNOWN[name]
    model = sequential((4,), nn.Dense(6), layers.Lambda(lambda x: call(x, *arguments)))
    exports.compare(model, [3 * drawn((7, 4))])


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_embedding_looks_up_what_comes_in(exports, dtype):
    model = sequential((3,), layers.Embedding(5, 2), layers.Flatten(), nn.Dense(2), dtype=dtype)
    exports.compare(model, [drawn((1, 3), "int32").astype(dtype)], [drawn((6, 3), "int32").astype(dtype)])


def test_two_embeddings_each_take_their_own_input(exports):
    user, film = nn.Input((1,), dtype="int32", name="user"), nn.Input((1,), dtype="int32", name="film")
    rows = [layers.Flatten()(layers.Embedding(5, 3)(x)) for x in (user, film)]
    exports.compare(
        nn.Model([user, film], layers.Dot(1)(rows)), [drawn((9, 1), "i4"), drawn((9, 1), "i4", 1)]
    )


def test_many_lookups_that_look_alike(exports):
    x = nn.Input((60,), dtype="int32")
    rows = [layers.Embedding(2, 1)(layers.Lambda(lambda x, i=i: x[:, i])(x)) for i in range(60)]
    model = nn.Model(x, nn.layers.concatenate(rows))
    exports.compare(model, [drawn((8, 60), "int32") % 2])


# -- shapes that hypothesis draws ------------------------------------------------------------------------

sides = st.integers(1, 3)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_convolutions_and_poolings(exports, data):
    height, width = data.draw(st.integers(5, 9)), data.draw(st.integers(5, 9))
    groups = data.draw(st.integers(1, 2))
    options = {
        "kernel_size": (data.draw(sides), data.draw(sides)),
        "strides": (data.draw(sides), data.draw(sides)),
        "padding": data.draw(st.sampled_from(["same", "valid"])),
    }
    kind = data.draw(st.sampled_from(["conv", "dilated", "transposed", "depthwise", "max", "average"]))
    pool = {"pool_size": options["kernel_size"], "strides": options["strides"], "padding": options["padding"]}
    layer = {
        "conv": lambda: layers.Conv2D(4, groups=groups, **options),
        "dilated": lambda: layers.Conv2D(4, groups=groups, dilation_rate=2, **options | {"strides": 1}),
        "transposed": lambda: layers.Conv2DTranspose(3, **options),
        "depthwise": lambda: layers.DepthwiseConv2D(**options | {"strides": options["strides"][0]}),
        "max": lambda: layers.MaxPooling2D(**pool),
        "average": lambda: layers.AveragePooling2D(**pool),
    }[kind]()
    shape = (height, width, 2)
    exports.compare(sequential(shape, layer), [drawn((data.draw(st.integers(1, 4)), *shape))])


@given(
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from(["nearest", "bilinear"]),
)
@settings(max_examples=25, deadline=None)
def test_images_in_any_size(exports, old, new, interpolation):
    model = sequential((*old, 2), layers.Lambda(lambda x: ops.resize2d(x, new, interpolation=interpolation)))
    exports.compare(model, [drawn((2, *old, 2))])


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_slices(exports, data):
    shape = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)))
    index = [slice(None)]
    for n in shape:
        whole = st.integers(-n, n - 1)
        index.append(data.draw(st.one_of(st.slices(n), whole, st.just(slice(None)))))
    if not any(isinstance(i, int) for i in index):
        place = data.draw(st.integers(1, 4))
        index[place:place] = data.draw(st.sampled_from([[], [None]]))
    empty = np.empty((1, *shape))[tuple(index)].size == 0
    model = sequential(shape, layers.Lambda(lambda x: x[tuple(index)] * 1))
    if not empty:
        exports.compare(model, [drawn((3, *shape))])
