"""SimpleRNN, LSTM and GRU against recursions in plain NumPy, and what is around them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, DTypeError, ShapeError
from tinygrad_edu.testing import gradcheck

KINDS = [nn.SimpleRNN, nn.LSTM, nn.GRU]


def rng(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def randomized(layer, *shape):
    """Build a layer for inputs of a shape, and give it random weights."""
    layer.build_once((None, *shape[1:]))
    layer.set_weights([rng(*w.shape, seed=i) / 2 for i, w in enumerate(layer.weights)])
    return layer


# -- what they compute, a step at a time ---------------------------------------------------------------------


def one_by_one(x, kernel, mask_of_gate, gates):
    """Return x @ kernel for each gate, of what dropout leaves of x for that gate."""
    masks = mask_of_gate if len(mask_of_gate) == gates else [*mask_of_gate] * gates
    return [(x * m) @ k for m, k in zip(masks, np.split(kernel, gates, axis=1), strict=True)]


def simple_step(layer, x, state, drop, recurrent_drop):
    (h,), kernel, recurrent = state, layer.kernel.data, layer.recurrent_kernel.data
    (a,), (b,) = one_by_one(x, kernel, drop, 1), one_by_one(h, recurrent, recurrent_drop, 1)
    return [np.tanh(a + b + layer.bias.data)]


def lstm_step(layer, x, state, drop, recurrent_drop):
    h, c = state
    a = one_by_one(x, layer.kernel.data, drop, 4)
    b = one_by_one(h, layer.recurrent_kernel.data, recurrent_drop, 4)
    i, f, new, o = (p + q + r for p, q, r in zip(a, b, np.split(layer.bias.data, 4), strict=True))
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
    return [sigmoid(o) * np.tanh(c), c]


def gru_step(layer, x, state, drop, recurrent_drop):
    (h,) = state
    recurrent_drop = recurrent_drop if len(recurrent_drop) == 3 else recurrent_drop * 3
    kernels = np.split(layer.recurrent_kernel.data, 3, axis=1)
    seen = [h * m for m in recurrent_drop]
    x_z, x_r, x_h = one_by_one(x, layer.kernel.data, drop, 3)
    if layer.reset_after:
        (b_z, b_r, b_h), (d_z, d_r, d_h) = (np.split(b, 3) for b in layer.bias.data)
        z = sigmoid(x_z + b_z + seen[0] @ kernels[0] + d_z)
        r = sigmoid(x_r + b_r + seen[1] @ kernels[1] + d_r)
        new = np.tanh(x_h + b_h + r * (seen[2] @ kernels[2] + d_h))
    else:
        b_z, b_r, b_h = np.split(layer.bias.data, 3)
        z = sigmoid(x_z + b_z + seen[0] @ kernels[0])
        r = sigmoid(x_r + b_r + seen[1] @ kernels[1])
        new = np.tanh(x_h + b_h + (r * seen[2]) @ kernels[2])
    return [z * h + (1 - z) * new]


STEPS = {nn.SimpleRNN: simple_step, nn.LSTM: lstm_step, nn.GRU: gru_step}


def recursion(layer, x, states, mask, drop=(1.0,), recurrent_drop=(1.0,)):
    """Return all outputs, and the states at the end, sequence by sequence and step by step."""
    batch, count, _ = x.shape
    outputs = np.zeros((batch, count, layer.units))
    ends = [s.copy() for s in states]
    for n in range(batch):
        state = [s[n] for s in states]
        output = np.zeros(layer.units)
        for place, t in enumerate(reversed(range(count)) if layer.go_backwards else range(count)):
            if mask is None or mask[n, t]:
                rows = [[np.broadcast_to(m, (batch, 1))[n] if np.ndim(m) < 2 else m[n] for m in masks]
                        for masks in (drop, recurrent_drop)]  # fmt: skip
                state = STEPS[type(layer)](layer, x[n, t], state, *rows)
                output = state[0]
            elif layer.zero_output_for_mask:
                output = np.zeros(layer.units)
            outputs[n, place] = output
        for end, s in zip(ends, state, strict=True):
            end[n] = s
    return outputs, ends


@given(
    data=st.data(), kind=st.sampled_from(KINDS), backwards=st.booleans(), zeros=st.booleans(),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 3)),
)  # fmt: skip
def test_they_are_their_recursions(data, kind, backwards, zeros, shape):
    options = {"reset_after": data.draw(st.booleans())} if kind is nn.GRU else {}
    layer = kind(
        2, return_sequences=True, return_state=True, go_backwards=backwards, zero_output_for_mask=zeros,
        dtype="float64", **options,
    )  # fmt: skip
    randomized(layer, *shape)
    batch, count, _ = shape
    mask = data.draw(st.none() | st.lists(st.booleans(), min_size=batch * count, max_size=batch * count))
    mask = None if mask is None else np.reshape(mask, (batch, count))
    given_states = data.draw(st.booleans())
    states = [
        rng(batch, 2, seed=i) if given_states else np.zeros((batch, 2)) for i in range(layer.states_kept)
    ]
    x = np.asfortranarray(rng(*shape))
    y, *ends = layer(x, initial_state=states if given_states else None, mask=mask)
    outputs, expected = recursion(layer, x, states, mask)
    np.testing.assert_allclose(y.data, outputs, atol=1e-12)
    for a, b in zip(ends, expected, strict=True):
        np.testing.assert_allclose(a.data, b, atol=1e-12)
    layer.return_sequences = layer.return_state = False
    last = layer(x, initial_state=states if given_states else None, mask=mask)
    np.testing.assert_allclose(last.data, outputs[:, -1], atol=1e-12)


@pytest.mark.parametrize("rates", [(0.5, 0.0), (0.0, 0.5), (0.3, 0.4)])
@pytest.mark.parametrize("kind", [*KINDS, "first version"])
def test_dropout_leaves_out_the_same_places_at_each_step(kind, rates):
    kind, options = (nn.GRU, {"reset_after": False}) if kind == "first version" else (kind, {})
    layer = kind(
        3, dropout=rates[0], recurrent_dropout=rates[1], return_sequences=True, seed=7, dtype="float64",
        **options,
    )  # fmt: skip
    x = rng(2, 4, 5)
    randomized(layer, *x.shape)
    zeros = [np.zeros((2, 3))] * layer.states_kept
    np.testing.assert_allclose(layer(x).data, recursion(layer, x, zeros, None)[0], atol=1e-12)
    generator = np.random.default_rng(7)
    count = layer.gates if rates[1] else 1  # for each gate anew if states drop out too, as in Keras
    drop, recurrent_drop = (
        [np.asarray(te.dropout(np.ones((2, side)), rate, generator=generator)) for _ in range(count)]
        if rate
        else [1.0]
        for rate, side in zip(rates, (5, 3), strict=True)
    )
    expected = recursion(layer, x, zeros, None, drop, recurrent_drop)[0]
    trained = layer(x, training=True).data
    np.testing.assert_allclose(trained, expected, atol=1e-12)
    assert not np.allclose(layer(x, training=True).data, trained)


# -- gradients -----------------------------------------------------------------------------------------------


def by_weights(layer, **arguments):
    """Return a function of inputs and weights, to differentiate."""

    def function(x, *weights):
        names = [name for name, _ in layer.named_weights()]
        before = [getattr(layer, name) for name in names]
        for name, w in zip(names, weights, strict=True):
            object.__setattr__(layer, name, w)
        try:
            return layer(x, **arguments)
        finally:
            for name, w in zip(names, before, strict=True):
                object.__setattr__(layer, name, w)

    return function


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", [*KINDS, "first version"])
def test_gradients(kind, masked, order):
    kind, options = (nn.GRU, {"reset_after": False}) if kind == "first version" else (kind, {})
    layer = randomized(kind(2, return_sequences=True, dtype="float64", **options), 2, 3, 2)
    mask = np.array([[True, True, False], [False, True, True]]) if masked else None
    function, inputs = by_weights(layer, mask=mask), [rng(2, 3, 2), *(w.data for w in layer.weights)]
    if order == 1:
        gradcheck(function, inputs)
        return

    def slopes(*inputs):
        return te.grad((function(*inputs) ** 2).sum(), list(inputs), create_graph=True)

    gradcheck(slopes, inputs, full=False)


def test_states_carry_gradients():
    layer = randomized(nn.LSTM(2, dtype="float64"), 3, 4, 2)
    gradcheck(lambda x, h, c: layer(x, initial_state=[h, c]), [rng(3, 4, 2), rng(3, 2), rng(3, 2)])


def test_a_few_hundred_steps():
    layer = nn.LSTM(4)
    x = te.Tensor(rng(2, 400, 3), requires_grad=True)
    layer(x.astype("float32")).sum().backward()
    assert np.isfinite(x.grad.data).all()
    assert layer.kernel.grad is not None


# -- defaults and weights ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "shapes", "count"),
    [
        (nn.SimpleRNN(4), [(3, 4), (4, 4), (4,)], 32),
        (nn.LSTM(4), [(3, 16), (4, 16), (16,)], 128),
        (nn.GRU(4), [(3, 12), (4, 12), (2, 12)], 108),
        (nn.GRU(4, reset_after=False), [(3, 12), (4, 12), (12,)], 96),
        (nn.LSTM(4, use_bias=False), [(3, 16), (4, 16)], 112),
    ],
)
def test_weights_are_keras(source, shapes, count):
    source(rng(2, 5, 3))
    assert [w.shape for w in source.weights] == shapes
    assert [name for name, _ in source.named_weights()] == ["kernel", "recurrent_kernel", "bias"][
        : len(shapes)
    ]
    assert source.count_params() == count
    if isinstance(source, nn.LSTM) and source.use_bias:
        np.testing.assert_array_equal(source.bias.data, [0] * 4 + [1] * 4 + [0] * 8)
    u = source.recurrent_kernel.data
    np.testing.assert_allclose(u @ u.T, np.eye(4), atol=1e-5)


def test_the_forget_bias_keeps_what_is_asked_for_the_rest():
    layer = nn.LSTM(3, bias_initializer=nn.initializers.Constant(0.5))
    layer(rng(2, 5, 3))
    np.testing.assert_array_equal(layer.bias.data, [0.5] * 3 + [1] * 3 + [0.5] * 6)
    layer = nn.LSTM(3, unit_forget_bias=False)
    layer(rng(2, 5, 3))
    assert not layer.bias.data.any()


def test_rules_for_each_kind_of_weight():
    layer = nn.GRU(3, kernel_regularizer="l2", recurrent_constraint="max_norm", bias_regularizer="l1")
    layer(rng(2, 5, 3))
    assert len(layer.losses) == 2
    assert layer.recurrent_kernel.constraint is layer.recurrent_constraint is not None
    with pytest.raises(ArgumentError, match="'recurrent_regulariser'; did you mean 'recurrent_regularizer'"):
        nn.GRU(3, recurrent_regulariser="l2")


# -- states between batches ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_stateful_layer_goes_on_where_it_ended(kind):
    layer, x = kind(3, stateful=True, return_sequences=True), rng(2, 6, 4)
    whole = layer(x).data
    layer.reset_state()
    parts = [layer(x[:, :2]), layer(x[:, 2:])]
    np.testing.assert_allclose(np.concatenate([p.data for p in parts], axis=1), whole, atol=1e-6)
    assert all(not s.requires_grad for s in layer.states)
    with pytest.raises(ShapeError, match=r"states of 2 sequences.* a batch of 3; call reset_state"):
        layer(rng(3, 6, 4))
    layer.reset_states()
    assert layer(rng(3, 6, 4)).shape == (3, 6, 3)


def test_trying_a_model_out_leaves_no_states():
    class Reader(nn.Model):
        def __init__(self):
            super().__init__()
            self.read = nn.LSTM(3, stateful=True)

        def call(self, x):
            return self.read(x)

    model = Reader()
    model.build((None, 5, 2))
    assert model.read.states is None
    assert model(rng(4, 5, 2)).shape == (4, 3)
    before = model.read.states
    assert model.compute_output_shape((None, 5, 2)) == (None, 3)
    assert model.read.states is before


# -- in models -----------------------------------------------------------------------------------------------


def test_lengths_that_are_not_fixed():
    x = nn.Input((None, 3))
    y = nn.LSTM(2, return_sequences=True)(x)
    model = nn.Model(x, [y, nn.GRU(4)(y)])
    assert [s.shape for s in model.outputs] == [(None, None, 2), (None, 4)]
    for steps in (1, 7):
        assert [t.shape for t in model(rng(5, steps, 3))] == [(5, steps, 2), (5, 4)]
    assert [t.shape for t in model(rng(0, 2, 3))] == [(0, 2, 2), (0, 4)]


def translator():
    """An encoder whose states a decoder begins with, and a mask made of the words themselves."""
    words, said = (
        nn.Input((None,), name="words", dtype="int64"),
        nn.Input((None,), name="said", dtype="int64"),
    )
    mask = nn.functional.not_equal(words, 0)
    x = nn.Embedding(10, 4)(words)
    _, *states = nn.LSTM(3, return_state=True)(x, mask=mask)
    y = nn.LSTM(3, return_sequences=True)(nn.Embedding(8, 4)(said), initial_state=states)
    return nn.Model([words, said], nn.Dense(8, activation="softmax")(y))


def test_a_translator_learns_reads_masks_and_is_saved(tmp_path):
    te.seed(0)
    model = translator()
    words, said = np.array([[3, 1, 0, 0], [5, 2, 7, 1]]), np.array([[1, 2, 3], [4, 5, 6]])
    assert model([words, said]).shape == (2, 3, 8)
    shorter = model([words[:1, :2], said[:1]])  # what the mask leaves out changes nothing
    np.testing.assert_allclose(model([words, said]).data[0], shorter.data[0], atol=1e-6)
    model.compile(nn.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    history = model.fit([words, said], np.roll(said, -1, axis=1), epochs=60, verbose=0).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    model.save(tmp_path / "model")
    again = nn.load_model(tmp_path / "model")
    np.testing.assert_array_equal(again.predict([words, said]), model.predict([words, said]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_built_again_from_its_configuration(kind):
    layer = kind(
        3, "relu", dropout=0.2, recurrent_dropout=0.1, return_sequences=True, go_backwards=True, seed=1,
        recurrent_initializer="glorot_normal", bias_regularizer="l2", dtype="float64",
    )  # fmt: skip
    again = kind.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.units, again.activation, again.seed) == (3, layer.activation, 1)
    model = nn.Sequential([nn.Input((None, 4)), layer, kind(1)])
    x = rng(2, 3, 4)
    model(x, training=True)
    same = nn.Sequential.from_config(model.get_config())
    same.set_weights(model.get_weights())
    np.testing.assert_array_equal(same(x).data, model(x).data)


# -- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nn.LSTM(0), ArgumentError, "LSTM: units: expected a positive whole number, got 0"),
        (lambda: nn.GRU(2, dropout=1.0), ArgumentError, "GRU: dropout must be at least 0 and below 1"),
        (lambda: nn.GRU(2, recurrent_dropout=-1), ArgumentError, "recurrent_dropout must be at least 0"),
        (lambda: nn.LSTM(2, use_cudnn=True), ArgumentError, "no cuDNN"),
        (lambda: nn.LSTM(2)(rng(3, 4)), ShapeError, r"expected sequences \(batch, steps, features\)"),
        (lambda: nn.LSTM(2)([rng(3, 4, 1), rng(3, 2)]), ShapeError, r"by\s+name: initial_state"),
        (lambda: nn.LSTM(2)(nn.Input((3, None))), ShapeError, "the last axis needs a fixed length"),
        (lambda: nn.LSTM(2)(rng(3, 0, 4)), ShapeError, "have no steps"),
        (lambda: nn.LSTM(2)(rng(3, 4, 1), initial_state=rng(3, 2)), ShapeError, r"2 of shape \(3, 2\)"),
        (
            lambda: nn.GRU(2)(rng(3, 4, 1), initial_state=[rng(3, 1)]),
            ShapeError,
            r"1 of shape .*got \(3, 1\)",
        ),
        (lambda: nn.GRU(2)(rng(3, 4, 1), mask=np.ones((3, 5))), ShapeError, r"shape \(3, 4\), got \(3, 5\)"),
        (lambda: nn.GRU(2)(rng(3, 4, 1), mask=[["a"] * 4] * 3), DTypeError, "mask must be of bools"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_other_features_than_it_was_built_for():
    layer = nn.SimpleRNN(2)
    layer(rng(3, 4, 5))
    with pytest.raises(ShapeError, match=r"built for 5 features a step, got \(3, 4, 6\)"):
        layer(rng(3, 4, 6))
