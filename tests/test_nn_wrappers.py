"""Bidirectional and TimeDistributed: what they are made of, put together by hand."""

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, ShapeError
from tinygrad_edu.testing import gradcheck

MERGED = {
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "sum": np.add,
    "ave": lambda a, b: (a + b) / 2,
    "mul": np.multiply,
}
MASK = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]], bool)


def rng(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("kind", [nn.SimpleRNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("mode", [*MERGED, None])
def test_both_ways_are_two_layers(kind, sequences, mode):
    layer = nn.Bidirectional(kind(3, return_sequences=sequences, return_state=True, dtype="float64"), mode,
                             dtype="float64")  # fmt: skip
    x = rng(2, 5, 4)
    y, *rest = layer(x, mask=MASK)
    forward, backward = (
        kind(
            3, return_sequences=sequences, return_state=True, dtype="float64", zero_output_for_mask=sequences
        )
        for _ in range(2)
    )
    a, *states = forward(x, mask=MASK)
    forward.set_weights(layer.forward_layer.get_weights())
    a, *states = forward(x, mask=MASK)
    backward(x)
    backward.set_weights(layer.backward_layer.get_weights())
    b, *ends = backward(x[:, ::-1], mask=MASK[:, ::-1])
    b = b.data[:, ::-1] if sequences else b.data
    if mode is None:
        np.testing.assert_allclose(y.data, a.data)
        np.testing.assert_allclose(rest.pop(0).data, b)
    else:
        np.testing.assert_allclose(y.data, MERGED[mode](a.data, b))
    for one, other in zip(rest, [*states, *ends], strict=True):
        np.testing.assert_allclose(one.data, other.data)
    shapes = layer.compute_output_shape((2, 5, 4))
    assert shapes == tuple(t.shape for t in layer(x))


def test_layers_of_different_size():
    layer = nn.Bidirectional(
        nn.GRU(3, return_sequences=True), backward_layer=nn.LSTM(4, return_sequences=True, go_backwards=True)
    )
    assert layer(rng(2, 5, 4)).shape == (2, 5, 7)
    assert layer.compute_output_shape((None, None, 4)) == (None, None, 7)
    assert [name for name, _ in layer.named_children()] == ["forward_layer", "backward_layer"]
    assert [child.name for _, child in layer.named_children()] == ["forward_gru", "backward_lstm"]


def test_the_layer_is_copied():
    given = nn.LSTM(3, "relu", activity_regularizer="l2", seed=1)
    first, second = nn.Bidirectional(given), nn.Bidirectional(given)
    first(rng(2, 5, 4))
    second(rng(2, 5, 4))
    assert not given.built
    assert first.count_params() == second.count_params() == 192
    assert not {id(w) for w in first.weights} & {id(w) for w in second.weights}
    assert len(first.losses) == 2


def test_states_both_ways():
    layer = nn.Bidirectional(nn.LSTM(3, stateful=True, dtype="float64"), dtype="float64")
    x = rng(2, 5, 4)
    first = layer(x).data
    assert not np.allclose(layer(x).data, first)
    layer.reset_state()
    np.testing.assert_array_equal(layer(x).data, first)
    layer.reset_states()
    states = [np.zeros((2, 3))] * 4
    np.testing.assert_array_equal(layer(x, initial_state=states).data, first)
    gradcheck(lambda *states: layer(x, initial_state=list(states)), [rng(2, 3, seed=i) for i in range(4)])


def test_at_each_step_is_a_loop_over_steps():
    for inner, x in ((nn.Dense(3, "tanh"), rng(2, 5, 4)), (nn.Conv2D(2, 2), rng(2, 3, 4, 4, 1)),
                     (nn.Sequential([nn.Flatten(), nn.Dense(2)]), rng(2, 3, 4, 4))):  # fmt: skip
        layer = nn.TimeDistributed(inner)
        y = layer(x)
        steps = [inner(x[:, t]).data for t in range(x.shape[1])]
        np.testing.assert_allclose(y.data, np.stack(steps, axis=1), rtol=1e-5, atol=1e-6)
        assert layer.compute_output_shape(x.shape) == y.shape
        assert layer(np.asfortranarray(x)[:0]).shape == (0, *y.shape[1:])
    layer, x, mask = nn.TimeDistributed(nn.LSTM(3)), rng(2, 3, 5, 4), rng(2, 3, 5) > 0
    y = layer(x, mask=mask)
    steps = [layer.layer(x[:, t], mask=mask[:, t]).data for t in range(3)]
    np.testing.assert_allclose(y.data, np.stack(steps, axis=1), atol=1e-6)


def test_in_a_model_that_is_trained_and_saved(tmp_path):
    te.seed(0)
    x = nn.Input((None, 6, 6, 1))
    y = nn.TimeDistributed(nn.Conv2D(2, 3, activation="relu"))(x)
    y = nn.TimeDistributed(nn.Flatten())(y)
    y = nn.Bidirectional(nn.LSTM(4, return_sequences=True))(y)
    y = nn.Bidirectional(nn.GRU(3), merge_mode="sum")(y)
    model = nn.Model(x, nn.Dense(1, activation="sigmoid")(y))
    assert model.outputs[0].shape == (None, 1)
    frames, labels = rng(16, 4, 6, 6, 1), np.arange(16) % 2
    frames[labels == 1] += 0.5
    model.compile(nn.optimizers.Adam(0.01), "binary_crossentropy")
    history = model.fit(frames, labels, epochs=8, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save(tmp_path / "model.safetensors")
    again = nn.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(frames), model.predict(frames))
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nn.Bidirectional(nn.Dense(3)), ArgumentError, r"expected a recurrent layer, like LSTM\(8\)"),
        (lambda: nn.Bidirectional(nn.LSTM), ArgumentError, "expected a recurrent layer"),
        (lambda: nn.Bidirectional(nn.LSTM(3), "cat"), ArgumentError, "unknown merge_mode 'cat'"),
        (lambda: nn.Bidirectional(nn.LSTM(3), backward_layer=nn.LSTM(3)), ArgumentError, "go_backwards=True"),
        (lambda: nn.Bidirectional(nn.LSTM(3), backward_layer=nn.GRU(3, return_sequences=True,
         go_backwards=True)), ArgumentError, "the same return_sequences"),
        (lambda: nn.Bidirectional(nn.LSTM(3))(rng(2, 3)), ShapeError, "expected sequences"),
        (lambda: nn.TimeDistributed(3), ArgumentError, "expected a layer, got 3"),
        (lambda: nn.TimeDistributed(nn.Dense(3))(rng(2, 3)), ShapeError, r"expected an input \(batch, steps"),
        (lambda: nn.TimeDistributed(nn.LSTM(3))(rng(2, 3, 4, 5), mask=np.ones((2, 4, 4))), ShapeError,
         r"mask must begin with \(batch, steps\) = \(2, 3\)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_words(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_layer_with_weights_is_not_copied():
    layer = nn.LSTM(3)
    layer(rng(2, 5, 4))
    with pytest.raises(ArgumentError, match="lstm has its weights already; give it a new layer"):
        nn.Bidirectional(layer)
