"""Exported models: onnxruntime computes what we compute, for any number of samples, or the export refuses."""

import inspect
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import Tensor, nn, ops
from tinygrad_edu.context import Observer
from tinygrad_edu.errors import ArgumentError, FileError, ShapeError, TinygradEduError
from tinygrad_edu.nn import activations, layers
from tinygrad_edu.nn.structure import flatten
from tinygrad_edu.ops import OPERATIONS

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from tinygrad_edu.nn.onnx.operations import EXPORTS  # noqa: E402


def drawn(shape, dtype=np.float32, seed=0):
    """Numbers of both signs; for whole numbers 0 … 4."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0, 5, shape).astype(dtype)


class Exports:
    """Exports models into a folder, runs them, and compares."""

    def __init__(self, folder):
        self.path = folder / "model.onnx"

    def write(self, model, example=None):
        nn.export_onnx(model, self.path, example)
        proto = onnx.load(self.path)
        onnx.checker.check_model(proto, full_check=True)
        return proto

    def run(self, *inputs):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        names = [x.name for x in session.get_inputs()]
        return session.run(None, dict(zip(names, inputs, strict=True)))

    def compare(self, model, *batches, example=None, arguments=None):
        """Export, and compare the outputs for each batch, a tuple of the inputs; return the graph."""
        proto = self.write(model, example)
        for batch in batches:
            given_ = arguments(batch) if arguments else [batch[0]] if len(batch) == 1 else [list(batch)]
            expected = [y.numpy() for y in flatten(model(*given_))]
            for y, wanted in zip(self.run(*batch), expected, strict=True):
                assert (y.shape, y.dtype) == (wanted.shape, wanted.dtype)
                scale = max(1.0, np.abs(wanted).max(initial=0))
                np.testing.assert_allclose(y / scale, wanted / scale, rtol=0, atol=1e-4)
        return proto


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    return Exports(tmp_path_factory.mktemp("onnx"))


def kinds(proto):
    return Counter(node.op_type for node in proto.graph.node)


def sequential(shape, *rest, dtype="float32"):
    return nn.Sequential([nn.Input(shape, dtype=dtype), *rest])


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


# -- functions -------------------------------------------------------------------------------------------

FUNCTIONS = {
    "constant rows": lambda x: x + np.ones((x.shape[0], 1), "f4"),
    "constant columns": lambda x: ops.concat([x, np.zeros((x.shape[0], 2), "f4")], axis=1),
    "different constants": lambda x: ops.concat(
        [np.zeros((x.shape[0], 2), "f4"), x, x, [[1.0]] * len(x)], axis=1
    ),
    "only constants": lambda x: ops.broadcast_to(Tensor([1.0, 2.0]), (x.shape[0], 2)),
    "mean of the batch": lambda x: x - x.mean(axis=0),
    "batch statistics": lambda x: ops.batch_norm(x),
    "pairs of samples": lambda x: ops.square(x[:, None] - x[None]).sum(axis=-1),
    "more rows": lambda x: x.reshape((-1, 2)) * 2,
    "more rows and back": lambda x: (x.reshape((x.shape[0] * 2, 2)) @ np.eye(2, dtype="f4")).reshape((-1, 4)),
    "two open sides": lambda x: ops.broadcast_to(x[:, None], (x.shape[0], x.shape[0], 4)).sum(axis=-1),
    "backwards": lambda x: ops.flip(x, axis=1) + x[:, ::-1],
    "the last": lambda x: x[..., -1],
    "an array": lambda x: x[:, [0, 2, 2]],
    "the first sample for each": lambda x: x[np.zeros(x.shape[0], int)],
    "a mask": lambda x: x[:, np.array([True, False, True, True])],
    "where": lambda x: ops.where(ops.logical_and(x > 0, x < 1), x, -1.0),
    "questions": lambda x: ops.astype(ops.any(x > 0, axis=1), "f4") + ops.astype(ops.all(x < 1), "f4"),
    "standardised": lambda x: (
        (x - ops.mean(x, axis=1, keepdims=True)) / (0.1 + ops.std(x, axis=1, keepdims=True))
    ),
    "norms": lambda x: x / (0.1 + te.linalg.vector_norm(x, axis=-1, keepdims=True)),
    "one-hot of the largest": lambda x: ops.one_hot(ops.argmax(x, axis=1), 4),
    "einsum": lambda x: ops.einsum("ij,kj->ik", x, np.ones((3, 4), "f4")),
    "running sum": lambda x: ops.cumulative_sum(x, axis=1),
    "sorted": lambda x: ops.sort(x, axis=1),
    "split and joined": lambda x: ops.concat(ops.split(x, [1], axis=1)[::-1], axis=1),
    "taken apart": lambda x: ops.stack(ops.unstack(x, axis=1)[::-1], axis=1),
    "products": lambda x: ops.prod(x, axis=1),
    "logsumexp": lambda x: ops.logsumexp(x, axis=-1),
    "remainder": lambda x: x % 0.7 + x // 0.7,
    "whole numbers": lambda x: ops.astype(ops.astype(x * 3, "int32") % 2 + 1, "float32"),
    "tiled": lambda x: ops.tile(x, (1, 2)),
    "repeated": lambda x: ops.repeat(x, 2, axis=1),
    "padded": lambda x: ops.pad(x, ((0, 0), (1, 2))) + ops.pad(x, ((0, 0), (2, 1)), "reflect"),
    "padded twice": lambda x: ops.pad(ops.pad(x, ((0, 0), (1, 2))), ((0, 0), (2, 1)), constant_values=3.0),
    "a row for each": lambda x: x.mean(axis=0, keepdims=True) * np.ones((x.shape[0], 1), "f4"),
    "padded with two numbers": lambda x: ops.pad(x, ((0, 0), (1, 2)), constant_values=((0, 0), (1, 2))),
    "powers": lambda x: x**2 + abs(x) ** 0.5,
    "rolled": lambda x: ops.roll(x, 1, axis=1) - ops.roll(x, -1, axis=1),
    "detached": lambda x: x.detach() * 2,
    "as it is": lambda x: x,
    "several": lambda x: [x, x, x * 2],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_the_samples(exports, name):
    model = sequential((4,), layers.Lambda(FUNCTIONS[name]))
    exports.compare(model, [drawn((1, 4))], [drawn((5, 4))])


def test_weights_of_equal_numbers_keep_their_names(exports):
    model = sequential((4,), nn.Dense(4), nn.Dense(4))
    names = {x.name for x in exports.write(model).graph.initializer}
    assert {"dense/bias", "dense_1/bias"} <= names


def test_functions_after_a_dense_layer_without_an_input_beside_them(exports):
    model = sequential((4,), nn.Dense(4), layers.Lambda(FUNCTIONS["several"]))
    exports.compare(model, [drawn((5, 4))])


# Calls of operations that aren't called on one or two arrays of floats alone.
SPECIAL = {
    "all": lambda x: ops.all(x > 0.5, axis=1),
    "any": lambda x: ops.any(x > 0.5, axis=(1, 2), keepdims=True),
    "argmax": lambda x: ops.argmax(x, axis=-1),
    "argmin": lambda x: ops.argmin(x, axis=1, keepdims=True),
    "astype": lambda x: ops.astype(x * 10, "int64"),
    "avg_pool2d": lambda x: ops.avg_pool2d(x, (2, 1)),
    "bitwise_and": lambda x, y: ((x > 0.5) & (y > 0.5), ops.astype(x * 9, "int32") & 5),
    "bitwise_invert": lambda x: (~(x > 0.5), ~ops.astype(x * 9, "int32")),
    "bitwise_or": lambda x, y: ((x > 0.5) | (y > 0.5), ops.astype(x * 9, "int32") | 5),
    "bitwise_xor": lambda x, y: ((x > 0.5) ^ (y > 0.5), ops.astype(x * 9, "int32") ^ 5),
    "broadcast_to": lambda x: ops.broadcast_to(x, (2, *x.shape)),
    "clip": lambda x: ops.clip(x, 0.3, 0.6),
    "concat": lambda x, y: ops.concat([x, y, x], axis=-1),
    "conv2d": lambda x: ops.conv2d(x, np.full((2, 2, 2, 3), 0.5, "f4")),
    "conv2d_bias": lambda x: ops.conv2d(x, np.full((2, 2, 2, 3), 0.5, "f4"), np.ones(3, "f4")),
    "conv2d_input_grad": lambda x: ops.conv2d_transpose(x, np.full((2, 2, 3, 2), 0.5, "f4")),
    "conv2d_transpose_bias": lambda x: ops.conv2d_transpose(
        x, np.full((2, 2, 3, 2), 0.5, "f4"), np.ones(3, "f4"), activation="relu"
    ),
    "cumulative_sum": lambda x: ops.cumulative_sum(x, axis=2),
    "einsum": lambda x, y: ops.einsum("...ij, ...kj -> ...ik", x, y),
    "elu": lambda x: ops.elu(x - 0.5, 2.0),
    "flip": lambda x: ops.flip(x, axis=(1, 3)),
    "gelu": lambda x: ops.gelu(x, approximate=True) + ops.gelu(-x),
    "getitem": lambda x: x[:, 1:, ::-1],
    "leaky_relu": lambda x: ops.leaky_relu(x - 0.5, 0.3),
    "linear": lambda x: ops.linear(x, np.full((2, 3), 0.5, "f4"), np.ones(3, "f4"), activation="relu"),
    "log_cosh": lambda x: OPERATIONS["log_cosh"].apply(x),
    "log_softmax": lambda x: ops.log_softmax(x, axis=2),
    "logical_and": lambda x, y: ops.logical_and(x > 0.5, y > 0.5),
    "logical_not": lambda x: ops.logical_not(x > 0.5),
    "logical_or": lambda x, y: ops.logical_or(x > 0.5, y > 0.5),
    "logical_xor": lambda x, y: ops.logical_xor(x > 0.5, y > 0.5),
    "logsumexp": lambda x: ops.logsumexp(x, axis=(1, 3)),
    "matmul": lambda x, y: x @ ops.matrix_transpose(y),
    "max": lambda x: ops.max(x, axis=1),
    "max_pool2d": lambda x: ops.max_pool2d(x, (1, 2)),
    "mean": lambda x: ops.mean(x, axis=(1, 2)),
    "min": lambda x: ops.min(x, axis=(0, 3), keepdims=True),
    "normalize": lambda x: ops.group_norm(x, groups=2) + ops.layer_norm(x, axis=(1, 2)),
    "one_hot": lambda x: ops.one_hot(ops.argmax(x, axis=2), 4, axis=1),
    "permute_dims": lambda x: ops.permute_dims(x, (0, 2, -1, 1)),
    "prod": lambda x: ops.prod(x, axis=2),
    "resample2d": lambda x: ops.resize2d(x, (4, 4)),
    "reshape": lambda x: ops.reshape(x, (-1, 12, 2)) * 2,
    "roll": lambda x: ops.roll(x, (1, -1), axis=(1, 2)),
    "softmax": lambda x: ops.softmax(x, axis=1),
    "sort": lambda x: ops.sort(x, axis=2, descending=True),
    "split": lambda x: ops.split(x, 2, axis=2),
    "stack": lambda x, y: ops.stack([x, y], axis=1),
    "sum": lambda x: ops.sum(x, axis=None) + ops.sum(x, axis=()),
    "unstack": lambda x: ops.unstack(x, axis=1),
    "vector_norm": lambda x: te.linalg.vector_norm(x, axis=1) + te.linalg.vector_norm(x, axis=2, ord=1).sum(),
    "where": lambda x, y: ops.where(x > y, x, 0.0),
}


@pytest.mark.parametrize("turned", [False, True], ids=["in our order", "channels first"])
@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_every_operation_in_both_orders_of_axes(exports, name, turned):
    function = SPECIAL.get(name) or getattr(ops, name, None) or OPERATIONS[name].apply
    count = len(inspect.signature(function if name in SPECIAL else OPERATIONS[name].forward).parameters)
    least = 1.1 if name == "acosh" else 0.1

    def call(inputs):
        # A pooling of single pixels changes nothing, and gives its result in channels-first order.
        return function(*[ops.max_pool2d(x, 1) if turned else x for x in inputs[:count]])

    symbols = [nn.Input((3, 4, 2)), nn.Input((3, 4, 2))]
    with np.errstate(all="ignore"):  # it is tried on zeros
        model = nn.Model(symbols, layers.Lambda(call)(symbols))
    batch = [least + 0.8 * np.random.default_rng(i).random((5, 3, 4, 2), np.float32) for i in range(2)]
    seen = Seen()
    with seen:
        exports.compare(model, batch)
    assert name in seen.names


class Seen(Observer):
    """The names of the operations that ran."""

    def __init__(self):
        self.names = set()

    def forward(self, fn, inputs, params, result, node):
        self.names.add(fn.name)


class Attention(nn.Layer):
    """Two heads, where no place looks at what comes after it."""

    def build(self, input_shape):
        self.projections = [self.add_weight(name, (input_shape[-1], 8)) for name in ("q", "k", "v")]

    def call(self, x):
        n, length, _ = x.shape
        heads = [
            ops.permute_dims(ops.reshape(x @ w, (n, length, 2, 4)), (0, 2, 1, 3)) for w in self.projections
        ]
        y = ops.scaled_dot_product_attention(*heads, is_causal=True)
        return ops.reshape(ops.permute_dims(y, (0, 2, 1, 3)), (n, length, 8))


def test_attention(exports):
    exports.compare(sequential((5, 6), Attention(), nn.Dense(2)), [drawn((1, 5, 6))], [drawn((4, 5, 6))])


# -- whole models ----------------------------------------------------------------------------------------


def test_the_cnn(exports):
    model = nn.models.cnn((28, 28, 1))
    proto = exports.compare(model, [drawn((1, 28, 28, 1))], [drawn((4, 28, 28, 1))])
    assert kinds(proto)["Transpose"] == 2  # of the image, and before Flatten
    names = {x.name for x in proto.graph.initializer}
    assert {path for path, _ in model.named_weights()} <= names


def test_a_vae_s_decoder(exports):
    decoder = nn.Sequential(
        [
            nn.Input((2,)),
            nn.Dense(7 * 7 * 4, "relu"),
            nn.Reshape((7, 7, 4)),
            nn.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu"),
            nn.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu"),
            nn.Conv2DTranspose(1, 3, padding="same", activation="sigmoid"),
        ]
    )
    encoder = nn.Sequential([nn.Input((28, 28, 1)), nn.Flatten(), nn.Dense(4)])
    vae = nn.models.VAE(encoder, decoder)
    exports.compare(vae.decoder, [drawn((1, 2))], [drawn((5, 2))])
    with pytest.raises(ArgumentError, match="drawn at random"):
        nn.export_onnx(vae, exports.path, np.zeros((1, 28, 28, 1), "f4"))


@pytest.mark.parametrize("style", ["classic", "xception"])
def test_a_u_net_turns_its_image_once_and_its_result_back(exports, style):
    options = (
        {"filters": (4, 8, 16), "normalize": True, "dropout": 0.1}
        if style == "classic"
        else {"filters": (4, 8, 16)}
    )
    model = nn.models.UNet((16, 24, 3), 3, style=style, **options)
    for _, w in model.named_weights():
        if w.buffer:
            w.data = 1 + 0.3 * np.abs(drawn(w.shape))  # as after training
    proto = exports.compare(model, [drawn((1, 16, 24, 3))], [drawn((3, 16, 24, 3))])
    assert kinds(proto)["Transpose"] == 2


def test_no_transposes_between_convolutions(exports):
    x = nn.Input((8, 8, 3))
    y = a = nn.Conv2D(4, 3, padding="same")(x)
    y = nn.BatchNormalization()(nn.Activation("gelu")(y))
    y = nn.layers.add([y * 2.0, a, layers.PReLU()(y)])
    y = nn.layers.concatenate([layers.ZeroPadding2D(1)(y), layers.ZeroPadding2D(1)(a)])
    y = layers.Cropping2D(1)(nn.Softmax()(y))
    y = nn.layers.multiply([y, layers.GlobalAveragePooling2D(keepdims=True)(y)])
    proto = exports.compare(nn.Model(x, nn.Conv2D(2, 3)(y)), [drawn((2, 8, 8, 3))])
    assert kinds(proto)["Transpose"] == 2
    assert kinds(proto)["Pad"] == 2  # one for both axes


class TwoInTwoOut(nn.Model):
    def __init__(self):
        super().__init__()
        self.wide, self.deep = nn.Dense(3), nn.Dense(2, "relu")

    def call(self, numbers, words):
        return {
            "sum": self.wide(numbers) + self.deep(words).sum(axis=1, keepdims=True),
            "deep": self.deep(words),
        }


def test_a_subclass_needs_an_example(exports):
    model, x, y = TwoInTwoOut(), drawn((5, 4)), drawn((5, 3))
    with pytest.raises(ArgumentError, match="give an example"):
        nn.export_onnx(model, exports.path)
    proto = exports.compare(model, [x, y], [x[:1], y[:1]], example=(x[:2], y[:2]), arguments=list)
    assert [i.name for i in proto.graph.input] == ["numbers", "words"]
    assert [o.name for o in proto.graph.output] == ["sum", "deep"]


def test_a_model_that_is_not_built_takes_an_example(exports):
    x = drawn((3, 4))
    exports.compare(nn.Sequential([nn.Dense(3), nn.BatchNormalization(), nn.Dense(2)]), [x], example=x)
    exports.compare(TwoInTwoOut(), [x, x], example=(x, x), arguments=list)


def test_an_example_s_floats_come_in_the_model_s_dtype(exports):
    model = sequential((None, 4), nn.Dense(2))
    proto = exports.compare(model, [drawn((5, 3, 4))], example=np.random.default_rng(0).random((2, 3, 4)))
    assert proto.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    tokens = nn.Sequential([nn.Input((None,), dtype="int64"), layers.Embedding(9, 2)])
    exports.compare(tokens, [drawn((5, 3), "int64")], example=[[1, 2, 8]])
    exports.compare(TwoInTwoOut(), [drawn((5, 4))] * 2, example=(np.eye(4), np.eye(4)), arguments=list)
    with pytest.raises(ShapeError, match="has 1 inputs"):
        exports.write(tokens, [np.ones((1, 3)), np.ones((1, 3))])


def test_inputs_by_name_in_any_order(exports):
    inputs = {"a": nn.Input((None, 2), name="a"), "b": nn.Input((3,), name="b")}
    y = nn.Dense(2)(nn.layers.concatenate([nn.GlobalMaxPooling1D()(inputs["a"]), inputs["b"]]))
    a, b = drawn((5, 4, 2)), drawn((5, 3))
    example = {"b": b, "a": a}
    proto = exports.compare(
        nn.Model(inputs, y), [a, b], example=example, arguments=lambda x: [{"b": x[1], "a": x[0]}]
    )
    assert [x.name for x in proto.graph.input] == ["a", "b"]


def test_numbers_that_are_large(exports):
    functions = (
        ops.softplus, ops.logsigmoid, ops.softmax, ops.log_softmax, ops.gelu, ops.silu, ops.mish, ops.tanh,
        ops.elu, ops.sigmoid, lambda x: ops.logsumexp(x, axis=-1),
    )  # fmt: skip
    model = sequential((4,), layers.Lambda(lambda x: [f(x) for f in functions]))
    exports.compare(model, [np.array([[1e4, -1e4, 100, -100], [88.8, 89, 0, 1e-4]], np.float32)])


def test_a_model_that_random_numbers_do_not_fit_says_what_to_give(exports):
    def labels(x):
        return ops.embedding(ops.astype(x, "int64"), Tensor(np.eye(10, dtype="f4")))

    model = sequential((3,), layers.Lambda(labels))
    with pytest.raises(TinygradEduError) as caught:
        exports.write(model)
    assert "inputs=x gives it others" in "".join(caught.value.__notes__)
    x = drawn((6, 3), "int32").astype("f4")
    exports.compare(model, [x], example=x)


def test_a_single_layer_and_nested_models(exports):
    layer = nn.Dense(2)
    layer(drawn((3, 4)))
    exports.compare(layer, [drawn((5, 4))])
    inner = sequential((4,), nn.Dense(3, "relu"), nn.Dense(3))
    exports.compare(sequential((4,), nn.Dense(4), inner, nn.Dense(2)), [drawn((5, 4))])


def test_lengths_left_open_take_an_example(exports):
    model = sequential((None, None, 3), nn.Conv2D(4, 3, padding="same"), nn.GlobalMaxPooling2D())
    with pytest.raises(ArgumentError, match=r"open shape \(None, None, 3\)"):
        nn.export_onnx(model, exports.path)
    exports.compare(model, [drawn((4, 7, 5, 3))], example=drawn((1, 7, 5, 3)))


def test_float64_stays(exports):
    model = nn.Sequential([nn.Input((4,), dtype="float64"), nn.Dense(3, "tanh", dtype="float64")])
    proto = exports.compare(model, [drawn((3, 4), np.float64)])
    assert proto.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE


def test_pixels_as_bytes(exports):
    model = nn.Sequential([nn.Input((4, 4, 1), dtype="uint8"), layers.Rescaling(1 / 255), nn.Conv2D(2, 3)])
    exports.compare(model, [drawn((3, 4, 4, 1), np.uint8)])


def test_no_samples(exports):
    exports.compare(sequential((4, 4, 2), nn.Conv2D(3, 3), nn.Flatten(), nn.Dense(3)), [drawn((0, 4, 4, 2))])


def test_exporting_changes_nothing(exports):
    model = sequential((4,), nn.Dense(3), nn.BatchNormalization(), nn.Dropout(0.5), nn.Dense(1))
    model.train()
    before = model.state_dict()
    exports.write(model)
    assert model.training
    assert all(np.array_equal(w, before[path]) for path, w in model.state_dict().items())


# -- what is refused -------------------------------------------------------------------------------------


def once_or_twice(x):
    return x * 1.0 if ops.any(x > -9).item() else x * 2.0


REFUSED = {
    "drawn at random": lambda x: x + np.random.default_rng().normal(size=x.shape).astype("f4"),
    "depend on the number of samples": lambda x: x / x.shape[0],
    "numbers were taken out": lambda x: x * (x.data > 0),
    "taken out of a tensor here, and": once_or_twice,
    "taken out of a tensor here": lambda x: x if x.sum().item() > 0 else x * 2,
    "something else for 4 samples": lambda x: ops.stack([x[i] for i in range(x.shape[0])]),
    "no counterpart": lambda x: te.linalg.inv(x[:, :, None] * x[:, None] + np.eye(4, dtype="f4")),
    "isn't in proportion": lambda x: x[: x.shape[0] // 2],
    "in proportion": lambda x: ops.reshape(ops.tile(x, (x.shape[0] + 1, 1)), (x.shape[0] + 1, -1)),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_has_no_counterpart_is_refused_and_nothing_written(tmp_path, reason):
    model = sequential((4,), layers.Lambda(REFUSED[reason], name="odd"))
    with pytest.raises(ArgumentError, match=reason) as caught:
        nn.export_onnx(model, tmp_path / "model.onnx")
    assert "in: odd" in str(caught.value)
    assert f"at: {__file__.rsplit('/', 1)[-1]}:" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_bad_arguments_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match="expected a model or a layer, got int"):
        nn.export_onnx(3, tmp_path / "model.onnx")
    stateful = nn.Sequential([nn.Input((5, 3), batch_size=4), layers.LSTM(2, stateful=True)])
    with pytest.raises(ArgumentError, match="keeps states"):
        nn.export_onnx(stateful, tmp_path / "model.onnx")
    with pytest.raises(ArgumentError, match="batch axis"):
        nn.export_onnx(nn.Dense(2), tmp_path / "model.onnx", 3.0)
    with pytest.raises(FileError, match="can't write"):
        nn.export_onnx(sequential((4,), nn.Dense(2)), tmp_path / "missing" / "model.onnx")
    assert not list(tmp_path.iterdir())
