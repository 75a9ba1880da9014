"""Recurrent layers and their wrappers beside Keras' own."""

import numpy as np
import pytest
from side_by_side import agree, both_run, compare

OPTIONS = [
    "",
    ", return_sequences=True, return_state=True",
    ", go_backwards=True, return_sequences=True, use_bias=False",
    ", return_state=True, go_backwards=True, unroll=True, activation='relu'",
    ", kernel_regularizer='l2', recurrent_regularizer='l1', bias_regularizer='l2'",
]
KINDS = ["SimpleRNN", "LSTM", "GRU"]
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 0, 1], [0, 0, 0, 0, 0]], bool)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(4, 6, 3), (1, 1, 3)])
def test_recurrent(keras, kind, options, shape):
    compare(keras, f"layers.{kind}(4{options})", shape)


@pytest.mark.parametrize(
    "source",
    [
        "layers.LSTM(4, activation='relu', recurrent_activation='tanh', activity_regularizer='l2')",
        "layers.LSTM(4, unit_forget_bias=False, use_cudnn=False)",
        "layers.GRU(4, reset_after=False)",
        "layers.GRU(4, reset_after=False, use_bias=False, return_sequences=True)",
        "layers.GRU(4, activation='relu', recurrent_activation='tanh', activity_regularizer='l1')",
    ],
)
def test_options_of_one_kind(keras, source):
    compare(keras, source, (4, 6, 3))


@pytest.mark.parametrize("options", [*OPTIONS[:3], ", zero_output_for_mask=True, return_sequences=True"])
@pytest.mark.parametrize("kind", KINDS)
def test_masks(keras, kind, options):
    compare(keras, f"layers.{kind}(4{options})", (4, 5, 3), mask=MASK)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mask", [None, MASK])
def test_initial_states(keras, kind, mask):
    states = [(4, 4)] * (2 if kind == "LSTM" else 1)
    source = f"layers.{kind}(4, return_sequences=True, return_state=True)"
    compare(keras, source, (4, 5, 3), states, mask=mask)
    compare(keras, f"layers.{kind}(4)", (4, 5, 3), states, mask=mask)


@pytest.mark.parametrize("merge", ["concat", "sum", "ave", "mul", None])
@pytest.mark.parametrize(
    "options", ["", ", return_sequences=True", ", return_sequences=True, return_state=True"]
)
def test_both_ways(keras, merge, options):
    source = f"layers.Bidirectional(layers.LSTM(3{options}), merge_mode={merge!r})"
    theirs, ours = compare(keras, source, (4, 5, 3))
    assert "/backward_lstm" in theirs.weights[3].path
    assert [name for name, _ in ours.named_weights()][3] == "backward_layer/kernel"
    compare(keras, source, (4, 5, 3), mask=MASK)
    compare(keras, source, (4, 5, 3), [(4, 3)] * 4)


def test_both_ways_with_a_layer_for_each(keras):
    each = "layers.GRU(3, return_sequences=True), backward_layer=layers.SimpleRNN(3, return_sequences=True"
    compare(keras, f"layers.Bidirectional({each}, go_backwards=True))", (4, 5, 3))


@pytest.mark.parametrize(
    ("source", "shape"),
    [
        ("layers.TimeDistributed(layers.Dense(3, 'relu', kernel_regularizer='l2'))", (4, 5, 3)),
        ("layers.TimeDistributed(layers.Conv2D(3, 2, padding='same'))", (2, 3, 4, 4, 2)),
        ("layers.TimeDistributed(layers.LSTM(3))", (2, 3, 4, 2)),
        ("layers.TimeDistributed(layers.Flatten())", (2, 3, 4, 2)),
    ],
)
def test_at_each_step(keras, source, shape):
    compare(keras, source, shape)


# With the masks said to each layer that uses them: in Keras they would come along with x.
TRANSLATOR = """
words, said = layers.Input((None,), dtype="int32"), layers.Input((None,), dtype="int32")
x = layers.Embedding(10, 4)(words)
known = layers.Input((None,), dtype="bool")
x, *states = layers.Bidirectional(layers.LSTM(3, return_sequences=True, return_state=True))(x, mask=known)
y = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(
    layers.Embedding(8, 4)(said), initial_state=states
)
y = layers.Attention()([y, x], mask=[None, known]) + layers.MultiHeadAttention(2, 3)(y, x, value_mask=known)
model = keras.Model([words, said, known], layers.TimeDistributed(layers.Dense(8, activation="softmax"))(y))
"""


def test_a_translator(keras, tmp_path):
    theirs, ours = (names.model for names in both_run(keras, TRANSLATOR))
    rng = np.random.default_rng(0)
    words, said = rng.integers(0, 10, (4, 6)), rng.integers(0, 8, (4, 5))
    path = tmp_path / "x.weights.h5"  # which knows that Keras has its layers in another order
    theirs.save_weights(path)
    ours.load_weights(path)
    known = words > 2
    agree(ours.predict([words, said, known]), theirs([words, said, known]), "translator")
