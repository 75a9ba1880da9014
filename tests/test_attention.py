"""Embedding and attention where the table of operations doesn't look: masks of every form, and refusals."""

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Tensor
from tinygrad_edu.errors import DTypeError, ShapeError

X = np.random.default_rng(0).normal(size=(2, 3))


def attend(**options):
    return te.scaled_dot_product_attention(X, X, X, **options)


def test_masks_as_lists_and_with_leading_axes():
    square = [[True, True], [False, True]]
    np.testing.assert_array_equal(attend(mask=square), attend(mask=np.array(square)))
    many = attend(mask=np.ones((4, 1, 2), bool), is_causal=True)
    np.testing.assert_array_equal(many, np.broadcast_to(attend(is_causal=True), (4, 2, 3)))
    added = [[0.1, 0.0], [0.0, -np.inf]]
    np.testing.assert_array_equal(attend(mask=added), attend(mask=np.array(added)))  # 0.1 in all its digits


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: attend(mask=np.ones((3, 3), bool)), ShapeError, r"mask \(3, 3\) doesn't fit.*\(2, 2\)"),
        (lambda: attend(mask=np.ones((3, 3), bool), is_causal=True), ShapeError, r"mask \(3, 3\)"),
        (lambda: attend(mask=[[True], [True, False]]), ShapeError, "mask: lists of unequal lengths"),
        (lambda: attend(mask=[[1, 0]]), DTypeError, "the mask must be bools or floats"),
        (lambda: attend(dropout=None), DTypeError, "dropout must be a number"),
        (lambda: te.scaled_dot_product_attention(X[:1], X, X, mask=X > 0), ShapeError, "mask"),
        (lambda: te.embedding([[0, 1], [0]], X), ShapeError, "indices: lists of unequal lengths"),
        (lambda: te.embedding([0.0], X), DTypeError, "indices must be whole numbers"),
        (lambda: te.embedding("a", Tensor(X)), DTypeError, "indices must be of numbers"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(call, error, words):
    with pytest.raises(error, match=words):
        call()
