"""MultiHeadAttention, Attention and AdditiveAttention against plain NumPy, and what is around them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, DTypeError, ShapeError
from tinygrad_edu.testing import gradcheck


def rng(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def mean_of_values(scores, values, allowed):
    """Return the mean of the values by softmax of the scores, query by query, and the weights."""
    weights = np.zeros(scores.shape)
    for place in np.ndindex(scores.shape[:-1]):
        seen = np.flatnonzero(allowed[place])
        if seen.size:
            e = np.exp(scores[place][seen] - scores[place][seen].max())
            weights[place][seen] = e / e.sum()
    return weights @ values, weights


def by_definition(layer, query, value, key, allowed):
    """Return what a MultiHeadAttention gives, head by head, and its weights (batch, heads, L, S)."""
    heads, parts, weights = layer.num_heads, 0.0, []
    for h in range(heads):
        q, k, v = (
            x @ p.kernel.data[:, h] + (p.bias.data[h] if layer.use_bias else 0)
            for x, p in ((query, layer.query), (key, layer.key), (value, layer.value))
        )
        scores = np.einsum("nld,nsd->nls", q, k) / np.sqrt(layer.key_dim)
        mixed, w = mean_of_values(scores, v, allowed[:, h])
        parts = parts + np.tensordot(mixed, layer.attention_output.kernel.data[h], 1)
        weights.append(w)
    return parts + (layer.attention_output.bias.data if layer.use_bias else 0), np.stack(weights, axis=1)


def randomized(layer, *inputs, **arguments):
    layer(*inputs, **arguments)
    layer.set_weights([rng(*w.shape, seed=i) for i, w in enumerate(layer.weights)])
    return layer


@given(data=st.data(), batch=st.integers(1, 2), places=st.integers(1, 4), sources=st.integers(1, 4),
       causal=st.booleans(), bias=st.booleans(), value_dim=st.sampled_from([None, 1, 3]))  # fmt: skip
def test_heads_are_their_definition(data, batch, places, sources, causal, bias, value_dim):
    def drawn(*shape):
        bools = st.lists(st.booleans(), min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))
        return data.draw(st.none() | bools.map(lambda b: np.reshape(b, shape)))

    layer = nn.MultiHeadAttention(2, 3, value_dim, use_bias=bias, dtype="float64")
    query, value, key = rng(batch, places, 4), rng(batch, sources, 2, seed=1), rng(batch, sources, 3, seed=2)
    query = np.asfortranarray(query)
    randomized(layer, query, value, key)
    allowed = np.ones((batch, 2, places, sources), bool)
    masks = {
        "query_mask": drawn(batch, places), "value_mask": drawn(batch, sources),
        "key_mask": drawn(batch, sources),
        "attention_mask": drawn(*data.draw(st.sampled_from(
            [(places, sources), (batch, places, sources), (batch, 1, places, sources), (1, 2, 1, sources)]
        ))),
    }  # fmt: skip
    if masks["query_mask"] is not None:
        allowed &= masks["query_mask"][:, None, :, None]
    for name in ("value_mask", "key_mask"):
        if masks[name] is not None:
            allowed &= masks[name][:, None, None, :]
    if masks["attention_mask"] is not None:
        whole = masks["attention_mask"]
        allowed &= whole[:, None] if whole.ndim == 3 else whole
    if causal:
        allowed &= np.tri(places, sources, dtype=bool)
    y, weights = layer(query, value, key, **masks, use_causal_mask=causal, return_attention_scores=True)
    expected, expected_weights = by_definition(layer, query, value, key, allowed)
    np.testing.assert_allclose(y.data, expected, atol=1e-12)
    np.testing.assert_allclose(weights.data, expected_weights, atol=1e-12)
    alone = layer(query, value, key, **masks, use_causal_mask=causal)
    np.testing.assert_array_equal(alone.data, y.data)


def test_arguments_by_name_are_all_taken():
    x, y = rng(2, 3, 4), rng(2, 5, 4)
    layer = nn.MultiHeadAttention(1, 2)
    expected, weights = layer(x, y, return_attention_scores=True)
    result = layer(query=x, value=y, return_attention_scores=True)
    np.testing.assert_array_equal(result[0].data, expected.data)
    np.testing.assert_array_equal(result[1].data, weights.data)
    half = layer(value=y, query=x, key_mask=np.ones((2, 5)) * [1, 1, 0, 0, 0])
    np.testing.assert_allclose(half.data, layer(x, y[:, :2]).data, atol=1e-6)


def test_weights_are_keras():
    layer = nn.MultiHeadAttention(2, 3, value_dim=5)
    layer(rng(2, 4, 8), rng(2, 6, 7))
    assert [(name, w.shape) for name, w in layer.named_weights()] == [
        ("query/kernel", (8, 2, 3)), ("query/bias", (2, 3)),
        ("key/kernel", (7, 2, 3)), ("key/bias", (2, 3)),
        ("value/kernel", (7, 2, 5)), ("value/bias", (2, 5)),
        ("attention_output/kernel", (2, 5, 8)), ("attention_output/bias", (8,)),
    ]  # fmt: skip
    additive = nn.AdditiveAttention()
    additive([rng(2, 4, 8), rng(2, 6, 8)])
    assert [w.shape for w in additive.weights] == [(8,)]


def test_dropout_is_on_the_weights():
    x = rng(2, 6, 4)
    layer = randomized(nn.MultiHeadAttention(1, 2, dropout=0.5, seed=3, use_bias=False), x, x)
    _, weights = layer(x, x, return_attention_scores=True, training=True)
    generator = np.random.default_rng(3)
    generator.random((2, 1, 6, 6), np.float32)
    kept = weights.data * (generator.random((2, 1, 6, 6), np.float32) >= 0.5) / 0.5
    value = (x @ layer.value.kernel.data[:, 0])[:, None]
    expected = (kept @ value)[:, 0] @ layer.attention_output.kernel.data[0]
    np.testing.assert_allclose(layer(x, x, training=True).data, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(layer(x, x).data, layer(x, x).data)
    plain = nn.Attention(dropout=0.5)
    assert not np.allclose(plain([x, x], training=True).data, plain([x, x]).data)


KINDS = [
    lambda: nn.Attention(dtype="float64"),
    lambda: nn.Attention(use_scale=True, dtype="float64"),
    lambda: nn.Attention(use_scale=True, score_mode="concat", dtype="float64"),
    lambda: nn.AdditiveAttention(dtype="float64"),
    lambda: nn.AdditiveAttention(use_scale=False, dtype="float64"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_its_definition(kind, causal):
    query, value, key = rng(2, 3, 4), rng(2, 5, 2), rng(2, 5, 4, seed=1)
    layer = kind()
    layer([query, value, key])
    layer.set_weights([w.data + 0.5 for w in layer.weights])
    scale = layer.scale.data if layer.use_scale else 1.0
    if isinstance(layer, nn.AdditiveAttention):
        scores = (scale * np.tanh(query[:, :, None] + key[:, None])).sum(-1)
    elif layer.score_mode == "dot":
        scores = scale * np.einsum("nld,nsd->nls", query, key)
    else:
        scores = np.tanh(scale * (query[:, :, None] + key[:, None])).sum(-1) * layer.concat_score_weight.data
    shown, seen = rng(2, 3, seed=2) > 0, rng(2, 5, seed=3) > 0
    allowed = np.broadcast_to(seen[:, None], scores.shape) & (np.tri(3, 5, dtype=bool) if causal else True)
    expected, weights = mean_of_values(scores, value, allowed)
    y, w = layer(
        [query, value, key], mask=[shown, seen], use_causal_mask=causal, return_attention_scores=True
    )
    np.testing.assert_allclose(y.data, expected * shown[:, :, None], atol=1e-12)
    np.testing.assert_allclose(w.data, weights, atol=1e-12)
    gradcheck(lambda q, v, k: layer([q, v, k], mask=[None, seen]), [query, value, key])


@pytest.mark.parametrize("order", [1, 2])
def test_gradients_of_heads(order):
    layer = randomized(nn.MultiHeadAttention(2, 2, dtype="float64"), rng(2, 3, 4), rng(2, 2, 3))
    function = lambda q, v: layer(q, v, attention_mask=np.tri(3, 2))  # noqa: E731
    inputs = [rng(2, 3, 4), rng(2, 2, 3)]
    if order == 1:
        gradcheck(function, inputs)
    else:
        gradcheck(lambda q, v: te.grad((function(q, v) ** 2).sum(), [q, v], create_graph=True), inputs)


def transformer():
    """A block as in Keras' tutorials, on texts that 0 fills up."""
    tokens = nn.Input((None,), dtype="int64")
    mask = nn.functional.not_equal(tokens, 0)
    x = nn.Embedding(12, 8)(tokens)
    attended, weights = nn.MultiHeadAttention(2, 4, dropout=0.1)(
        x, x, value_mask=mask, return_attention_scores=True
    )
    x = nn.LayerNormalization(epsilon=1e-6)(x + attended)
    x = nn.LayerNormalization(epsilon=1e-6)(x + nn.Dense(8)(nn.Dense(16, "relu")(x)))
    result = nn.Dense(2, "softmax")(nn.GlobalAveragePooling1D()(x))
    return nn.Model(tokens, [result, weights])


def test_a_transformer_is_built_called_and_saved(tmp_path):
    te.seed(0)
    model = transformer()
    assert [s.shape for s in model.outputs] == [(None, 2), (None, 2, None, None)]
    tokens = np.array([[3, 1, 4, 0], [1, 5, 9, 2]])
    result, weights = model(tokens)
    assert (result.shape, weights.shape) == ((2, 2), (2, 2, 4, 4))
    assert not weights.data[0, :, :, 3].any()
    assert model.compute_output_shape((None, 7)) == [(None, 2), (None, 2, 7, 7)]
    model.save(tmp_path / "model.safetensors")
    again = nn.load_model(tmp_path / "model.safetensors")
    for a, b in zip(again.predict(tokens), model.predict(tokens), strict=True):
        np.testing.assert_array_equal(a, b)


def test_layers_are_built_again_from_their_configurations():
    for layer in (
        nn.MultiHeadAttention(2, 3, output_shape=[4, 2], dropout=0.1, attention_axes=(1,), seed=1,
                              kernel_initializer="he_normal", bias_regularizer="l2"),
        nn.Attention(True, "concat", 0.2), nn.AdditiveAttention(False, seed=2),
    ):  # fmt: skip
        again = type(layer).from_config(layer.get_config())
        assert again.get_config() == layer.get_config()


def test_freezing_and_regularising_reach_the_projections():
    layer = nn.MultiHeadAttention(2, 3, kernel_regularizer="l2", activity_regularizer="l1", trainable=False)
    x = rng(2, 4, 5)
    layer(x, x)
    assert (len(layer.weights), layer.trainable_weights, len(layer.losses)) == (8, [], 4)
    layer.trainable = True
    layer(x, x)
    assert (len(layer.trainable_weights), len(layer.losses)) == (8, 8)


HEADS = nn.MultiHeadAttention(2, 3)
X, Y = rng(2, 3, 4), rng(2, 5, 4)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nn.MultiHeadAttention(0, 2), ArgumentError, "num_heads: expected a positive whole number"),
        (lambda: nn.MultiHeadAttention(2, 2.5), ArgumentError, "key_dim: expected a positive whole number"),
        (lambda: nn.MultiHeadAttention(2, 2, dropout=1), ArgumentError, "dropout must be at least 0"),
        (lambda: nn.MultiHeadAttention(2, 2, sliding_window=3), ArgumentError, "'sliding_window'"),
        (lambda: nn.MultiHeadAttention(2, 2)(X), ArgumentError, r"attend to x itself by layer\(x, x\)"),
        (lambda: nn.MultiHeadAttention(2, 2)(X, Y, X), ShapeError, r"a key \(batch, S, …\), got"),
        (lambda: nn.MultiHeadAttention(2, 2)(X[0], Y), ShapeError, r"expected a query \(batch, L"),
        (lambda: nn.MultiHeadAttention(2, 2, attention_axes=1)(X[None], Y[None]), ArgumentError,
         "leaves out some of the axes"),
        (lambda: nn.MultiHeadAttention(2, 2)(X[None], Y[None], use_causal_mask=True), ArgumentError,
         "needs a sequence"),
        (lambda: HEADS(X, Y, query_mask=np.ones((2, 5))), ShapeError, r"query_mask .*got \(2, 5\)"),
        (lambda: HEADS(X, Y, attention_mask=np.ones((2, 5, 3))), ShapeError, r"= \(2, 3, 5\)"),
        (lambda: HEADS(X, Y, attention_mask=[["a"] * 5] * 3), DTypeError, "attention_mask must be of bools"),
        (lambda: nn.Attention(score_mode="dots"), ArgumentError, "did you mean 'dot'"),
        (lambda: nn.Attention()(X), ArgumentError, r"layer\(\[query, value\]\)"),
        (lambda: nn.Attention()([X]), ArgumentError, r"layer\(\[query, value\]\)"),
        (lambda: nn.Attention()([X, Y[..., :3]]), ShapeError, r"expected query \(batch, L, d\)"),
        (lambda: nn.Attention()([X, Y], mask=[None, np.ones((2, 3))]), ShapeError, "the value's mask"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_words(call, error, words):
    with pytest.raises(error, match=words):
        call()
