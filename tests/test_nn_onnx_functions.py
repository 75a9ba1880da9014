"""Exported functions and operations: onnxruntime computes what we compute."""

import inspect

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Tensor, nn, ops
from tinygrad_edu.context import Observer
from tinygrad_edu.nn import layers
from tinygrad_edu.ops import OPERATIONS

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx_cases import Exports, drawn, sequential  # noqa: E402

from tinygrad_edu.nn.onnx.operations import EXPORTS  # noqa: E402


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    return Exports(tmp_path_factory.mktemp("onnx"))


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
