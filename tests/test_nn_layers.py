"""Layers and modules: shapes, parameter counts, names, modes, initial weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, DTypeError, ShapeError
from tinygrad_edu.testing import gradcheck


def mlp():
    return nn.Sequential(
        [nn.Input((784,)), nn.Dense(1024, "relu"), nn.Dense(512, "relu"), nn.Dense(10, "softmax")]
    )


def cnn():
    return nn.Sequential(
        [
            nn.Conv2D(6, 3, activation="relu", input_shape=(28, 28, 1)),
            nn.MaxPooling2D(2),
            nn.Conv2D(16, 3, activation="relu"),
            nn.MaxPooling2D(2),
            nn.Flatten(),
            nn.Dense(1024, "relu"),
            nn.Dense(512, "relu"),
            nn.Dense(10, "softmax"),
        ]
    )


@pytest.mark.parametrize(
    ("build", "counts"),
    [(mlp, [803_840, 524_800, 5_130]), (cnn, [60, 0, 880, 0, 0, 410_624, 524_800, 5_130])],
)
def test_parameter_counts_of_the_course_networks(build, counts):
    model = build()
    lines = []
    model.summary(print_fn=lines.append)
    assert [layer.count_params() for layer in model.layers] == counts
    assert f"Total parameters: {sum(counts):,}" in lines[0]
    assert all(f"{count:,}" in lines[0] for count in counts)


def test_lazy_and_eager_building_agree():
    te.seed(3)
    eager = nn.Sequential([nn.Input((4,)), nn.Dense(3, "tanh"), nn.Dense(2)])
    te.seed(3)
    lazy = nn.Sequential([nn.Dense(3, "tanh"), nn.Dense(2)])
    x = np.arange(8.0).reshape(2, 4)
    np.testing.assert_array_equal(lazy(x).numpy(), eager(x).numpy())
    assert lazy.input_shape == (None, 4)


@pytest.mark.filterwarnings("ignore:.*softmax over a single unit")
@given(
    n=st.integers(0, 3), inputs=st.integers(1, 5), units=st.integers(1, 4), bias=st.booleans(),
    activation=st.sampled_from([None, "relu", "tanh", "sigmoid", "softmax", "softplus", "linear"]),
)  # fmt: skip
def test_dense_is_activation_of_x_w_plus_b(n, inputs, units, bias, activation):
    layer = nn.Dense(units, activation, use_bias=bias, bias_initializer="random_normal", dtype="float64")
    x = np.random.default_rng(0).normal(size=(n, inputs))
    y = layer(x)
    z = x @ layer.kernel.numpy() + (layer.bias.numpy() if bias else 0)
    np.testing.assert_allclose(y.numpy(), nn.activations.get(activation)(z), rtol=1e-12)
    assert layer.output_shape == (None, *y.shape[1:]) == (None, units)


def naive_conv(x, w, strides, padding):
    """Convolution by its definition, one output at a time; "same" by TensorFlow's rule."""
    (kh, kw), (sh, sw) = w.shape[:2], strides
    if padding == "same":
        oh, ow = -(-x.shape[1] // sh), -(-x.shape[2] // sw)
        tall, wide = max((oh - 1) * sh + kh - x.shape[1], 0), max((ow - 1) * sw + kw - x.shape[2], 0)
        x = np.pad(x, ((0, 0), (tall // 2, tall - tall // 2), (wide // 2, wide - wide // 2), (0, 0)))
    oh, ow = (x.shape[1] - kh) // sh + 1, (x.shape[2] - kw) // sw + 1
    y = np.empty((len(x), oh, ow, w.shape[3]))
    for i in range(oh):
        for j in range(ow):
            patch = x[:, i * sh : i * sh + kh, j * sw : j * sw + kw]
            y[:, i, j] = np.tensordot(patch, w, axes=3)
    return y


@given(
    h=st.integers(1, 6), w=st.integers(1, 6), c=st.integers(1, 3), filters=st.integers(1, 3),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)), padding=st.sampled_from(["valid", "same"]),
)  # fmt: skip
def test_conv2d_layer_against_its_definition(h, w, c, filters, kernel, strides, padding):
    layer = nn.Conv2D(filters, kernel, strides, padding, bias_initializer="random_normal", dtype="float64")
    x = np.random.default_rng(1).normal(size=(2, h, w, c))
    if padding == "valid" and (kernel[0] > h or kernel[1] > w):
        with pytest.raises(ShapeError, match="larger than the image"):
            layer(x)
        return
    y = layer(x)
    expected = naive_conv(x, layer.kernel.numpy(), strides, padding) + layer.bias.numpy()
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-12)
    assert layer.output_shape == (None, *y.shape[1:])


@pytest.mark.parametrize("layer", [nn.MaxPooling2D, nn.AveragePooling2D])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [None, 1, (1, 2)])
def test_pooling_shapes_and_values(layer, padding, strides):
    x = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype("f4")
    pool = layer(2, strides, padding)
    y = pool(x)
    assert pool.output_shape == (None, *y.shape[1:])
    best = np.max if layer is nn.MaxPooling2D else np.mean
    np.testing.assert_allclose(y.numpy()[:, 0, 0], best(x[:, :2, :2], axis=(1, 2)), rtol=1e-6)


@pytest.mark.parametrize("build", [
    lambda: nn.Sequential([nn.Dense(4, "tanh", dtype="float64"), nn.Dense(3, dtype="float64")]),
    lambda: nn.Sequential([
        nn.Reshape((4, 4, 1), dtype="float64"),
        nn.Conv2D(2, 3, padding="same", activation="softplus", dtype="float64"),
        nn.AveragePooling2D(2, dtype="float64"), nn.Flatten(dtype="float64"), nn.Dense(3, dtype="float64"),
    ]),
])  # fmt: skip
def test_the_gradient_of_a_whole_network(build):
    te.seed(0)
    model = build()
    x = np.random.default_rng(0).normal(size=(3, 16))
    y = np.array([0, 2, 1])
    loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model(x)
    weights = model.parameters()

    total = loss(y, model(x))
    gradients = te.grad(total, weights)
    for w, g in zip(weights, gradients, strict=True):
        direction = np.random.default_rng(1).normal(size=w.shape)
        start, eps = w.numpy().copy(), 1e-6
        w.data = start + eps * direction
        up = loss(y, model(x)).item()
        w.data = start - eps * direction
        down = loss(y, model(x)).item()
        w.data = start
        np.testing.assert_allclose(
            (up - down) / (2 * eps), (g.numpy() * direction).sum(), rtol=1e-6, atol=1e-9
        )


def test_gradcheck_of_a_layers_input():
    layer = nn.Dense(3, "tanh", dtype="float64")
    assert gradcheck(layer, te.Tensor(np.random.default_rng(0).normal(size=(2, 4)), requires_grad=True))


# -- names, trees, modes -------------------------------------------------------------------------------


class Block(nn.Module):
    def __init__(self):
        self.first = nn.Dense(2)
        self.rest = [nn.Dense(2), nn.Sequential([nn.Dense(1), nn.Dropout(0.5)])]

    def call(self, x):
        x = self.first(x)
        for layer in self.rest:
            x = layer(x)
        return x


def test_paths_of_nested_modules():
    block = Block()
    y = block(np.ones((1, 3)))
    names = [name for name, _ in block.named_parameters()]
    assert names == [
        "first/kernel", "first/bias", "rest_0/kernel", "rest_0/bias",
        "rest_1/dense/kernel", "rest_1/dense/bias",
    ]  # fmt: skip
    assert y.node.module == "block/rest_1/dense"
    assert block.count_params() == 3 * 2 + 2 + 6 + 3


def test_layers_of_one_class_get_numbers_and_names_are_unique():
    model = nn.Sequential([nn.Dense(2), nn.ReLU(), nn.Dense(2), nn.Dense(2, name="head")])
    assert [layer.name for layer in model.layers] == ["dense", "re_lu", "dense_1", "head"]
    with pytest.raises(ArgumentError, match="are named 'head'"):
        model.add(nn.Dense(1, name="head"))
    with pytest.raises(ArgumentError, match="can't contain '/'"):
        nn.Dense(1, name="a/b")


def test_modes_reach_the_whole_tree_and_come_back():
    block = Block()
    dropout = block.rest[1].layers[1]
    assert not dropout.training
    block.train()
    assert dropout.training
    with block.mode(False):
        assert not dropout.training
    assert dropout.training
    block.eval()
    block(np.ones((1, 3)), training=True)
    assert not dropout.training


def test_dropout_drops_its_share_and_keeps_the_mean():
    te.seed(0)
    layer = nn.Dropout(0.3)
    x = np.ones((200, 500), np.float32)
    y = layer(x, training=True).numpy()
    assert abs((y == 0).mean() - 0.3) < 0.01
    np.testing.assert_allclose(np.unique(y), [0, 1 / 0.7], rtol=1e-6)
    assert abs(y.mean() - 1) < 0.01
    np.testing.assert_array_equal(layer(x).numpy(), x)
    a, b = (nn.Dropout(0.5, seed=4)(x, training=True).numpy() for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_dropout_sends_the_gradient_where_values_passed():
    te.seed(1)
    x = te.Tensor(np.ones((4, 5), "f4"), requires_grad=True)
    y = nn.Dropout(0.5)(x, training=True)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.numpy())


@given(name=st.sampled_from(sorted(n for n in nn.initializers.Initializer.classes if not n.startswith("_"))))
def test_initialisers_repeat_with_a_seed_and_have_the_dtype(name):
    first = nn.initializers.get(name)
    if name != "constant" and hasattr(first, "seed"):
        first.seed = 5
    a, b = first((3, 4)), first((3, 4))
    assert a.dtype == np.float32
    assert a.shape == (3, 4)
    np.testing.assert_array_equal(a, b)
    again = nn.initializers.get(first.describe())
    np.testing.assert_array_equal(again((3, 4)), a)


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("glorot_uniform", 2 / (300 + 200)), ("glorot_normal", 2 / (300 + 200)), ("he_normal", 2 / 300),
        ("he_uniform", 2 / 300), ("lecun_normal", 1 / 300), ("lecun_uniform", 1 / 300),
        ("random_normal", 0.05**2), ("random_uniform", 0.1**2 / 12),
        ("truncated_normal", (0.05 * 0.87962566) ** 2), ("zeros", 0), ("ones", 0),
    ],
)  # fmt: skip
def test_variance_of_initial_weights(name, variance):
    te.seed(0)
    w = nn.initializers.get(name)((300, 200), np.float64)
    np.testing.assert_allclose(w.var(), variance, rtol=0.03)
    if name == "truncated_normal":
        assert abs(w).max() <= 0.1


def test_convolution_fans_count_the_window():
    te.seed(0)
    w = nn.initializers.GlorotUniform()((3, 3, 8, 16))
    assert abs(w).max() <= np.sqrt(6 / (9 * 8 + 9 * 16)) < abs(w).max() * 1.02


# -- mistakes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: nn.Dense(0), ArgumentError, "positive whole number"),
        (lambda: nn.Dense(2.5), ArgumentError, "positive whole number"),
        (lambda: nn.Dense(2, "rleu"), ArgumentError, "did you mean 'relu'"),
        (lambda: nn.Dense(2, kernel_initializer="glorot"), ArgumentError, "unknown initializer"),
        (lambda: nn.Dense(2, dtype="int32"), DTypeError, "floats"),
        (lambda: nn.Conv2D(2, 3, padding="full"), ArgumentError, "unknown padding .*same, valid"),
        (lambda: nn.Conv2D(2, (3, 3, 3)), ArgumentError, "kernel_size"),
        (lambda: nn.Dropout(1.0), ArgumentError, "below 1"),
        (lambda: nn.Sequential([nn.Dense]), ArgumentError, "write it with ()"),
        (lambda: nn.Sequential([nn.Dense(2), nn.Input((3,))]), ArgumentError, "must come first"),
        (lambda: nn.Sequential([nn.Input((28, 28)), nn.Conv2D(2, 3)]), ShapeError, "adds the channel axis"),
        (lambda: nn.Sequential([nn.Input((5,)), nn.Reshape((2, 3))]), ShapeError, "don't fit"),
        (lambda: nn.Input(784), ArgumentError, r"like \(784,\)"),
    ],
)
def test_mistakes_are_named(make, kind, text):
    with pytest.raises(kind, match=text):
        make()


def test_a_layer_says_what_it_was_built_for():
    model = nn.Sequential([nn.Input((784,)), nn.Dense(10)])
    with pytest.raises(ShapeError) as caught:
        model(np.ones((32, 10)))
    text = str(caught.value)
    assert "x (32, 10)" in text
    assert "w (784, 10)" in text
    assert "in: sequential/dense" in text
    assert "test_nn_layers.py" in text
    assert "10 features in its last axis, the layer was built for 784" in text
