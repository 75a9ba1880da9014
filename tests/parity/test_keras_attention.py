"""Attention beside Keras' own."""

import numpy as np
import pytest
import side_by_side

KNOWN = np.array([[1, 1, 1, 1, 0], [1, 0, 0, 1, 0], [1, 1, 1, 1, 1]], bool)
LOOKS = np.random.default_rng(0).random((3, 4, 5)) < 0.6
LOOKS[:, :, 0] = True  # somewhere: a query that may look nowhere gets zeros here, and not there


def compare(*args, **arguments):
    """Allow rounding where terms cancel out: what is added to all keys leaves the weights as they are."""
    return side_by_side.compare(*args, least=0.2, **arguments)


HEADS = [
    "layers.MultiHeadAttention(2, 3)",
    "layers.MultiHeadAttention(3, 2, value_dim=4, use_bias=False)",
    "layers.MultiHeadAttention(1, 4, output_shape=5, kernel_regularizer='l2', bias_regularizer='l1')",
    "layers.MultiHeadAttention(2, 3, output_shape=(2, 3), activity_regularizer='l2')",
    "layers.MultiHeadAttention(2, 3, attention_axes=1)",
]


@pytest.mark.parametrize("source", HEADS)
def test_heads(keras, source):
    theirs, ours = compare(keras, source, (3, 4, 6), (3, 5, 6))
    assert [w.path.split("/", 1)[1] for w in theirs.weights] == [name for name, _ in ours.named_weights()]
    compare(keras, source, (3, 4, 6), (3, 5, 2), (3, 5, 3))
    compare(keras, source, (3, 4, 6), (3, 5, 6), return_attention_scores=True)


@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize(
    "arguments",
    [
        {"attention_mask": LOOKS},
        {"attention_mask": LOOKS[:1]},
        {"attention_mask": np.stack([LOOKS, LOOKS[::-1]], axis=1)},
        {"value_mask": KNOWN},
        {"key_mask": KNOWN, "attention_mask": LOOKS},
        {"use_causal_mask": True},
        {"use_causal_mask": True, "value_mask": KNOWN, "attention_mask": LOOKS},
    ],
)
def test_masks_for_heads(keras, arguments, scores):
    source = "layers.MultiHeadAttention(2, 3)"
    compare(keras, source, (3, 4, 6), (3, 5, 6), return_attention_scores=scores, **arguments)


def test_heads_on_images(keras):
    compare(keras, "layers.MultiHeadAttention(2, 3)", (2, 3, 2, 4), (2, 4, 3, 5))
    compare(
        keras, "layers.MultiHeadAttention(2, 3)", (2, 3, 2, 4), (2, 4, 3, 5), return_attention_scores=True
    )


PLAIN = [
    "layers.Attention()",
    "layers.Attention(use_scale=True)",
    "layers.Attention(score_mode='concat')",
    "layers.Attention(True, 'concat')",
    "layers.AdditiveAttention()",
    "layers.AdditiveAttention(use_scale=False)",
]


@pytest.mark.parametrize("source", PLAIN)
def test_attention(keras, source):
    compare(keras, source, [(3, 4, 6), (3, 5, 6)])
    compare(keras, source, [(3, 4, 6), (3, 5, 2), (3, 5, 6)])
    compare(keras, source, [(3, 4, 6), (3, 5, 6)], return_attention_scores=True)
    compare(keras, source, [(3, 4, 6), (3, 5, 6)], use_causal_mask=True)
