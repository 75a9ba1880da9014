"""Embedding, which looks vectors up, and attention, which averages them by how well they fit."""

import math
from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError, DataError, DTypeError, ShapeError
from ..function import shape_of
from ..tensor import Tensor
from .parameters import array_of, number

__all__ = ["embedding", "scaled_dot_product_attention"]


def embedding(indices: Any, table: Any, /) -> Tensor:
    """Return the row of a table for each index: indices (…) of whole numbers, table (n, d), result (…, d).

    The result has the table's dtype, and each row of the table gets the sum of the gradients of its uses.
    Raises DTypeError for indices that aren't whole numbers, DataError for one outside 0 … n-1, and
    ShapeError if the table isn't a matrix.

    >>> embedding([2, 0], Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    Tensor([[5., 6.],
            [1., 2.]])
    """
    at = array_of("embedding: indices", indices)
    shape = shape_of(table)
    if len(shape) != 2:
        raise ShapeError(f"embedding: expected a table (rows, features), got shape {shape}")
    if at.size and at.dtype.kind not in "iu":
        raise DTypeError(f"embedding: indices must be whole numbers, got {at.dtype}; convert with astype")
    if at.size and not (at.min() >= 0 and at.max() < shape[0]):
        wrong = at[(at < 0) | (at >= shape[0])]
        raise DataError(
            f"embedding: index {wrong.flat[0]} is out of range: the table has {shape[0]} rows, 0 to "
            f"{shape[0] - 1} ({wrong.size} of {at.size} indices are outside)"
        )
    return ops.getitem(table, at.astype(np.intp))


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    /,
    *,
    mask: Any = None,
    is_causal: bool = False,
    scale: float | None = None,
    dropout: float = 0.0,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Return softmax(Q Kᵀ · scale) V: for each query the mean of the values, weighted by how its key fits.

    Parameters
    ----------
    query, key, value
        Floats (…, L, d), (…, S, d) and (…, S, v); leading axes (batch, heads) broadcast.
    mask
        Bools that broadcast to (…, L, S), True where a query may look; or floats added to the scores (-inf
        where it may not). A query that may look nowhere gets zeros.
    is_causal
        Let query i look at keys 0 … i only; goes together with a mask.
    scale
        By default 1 / √d.
    dropout
        The share of weights set to 0, the rest scaled up, as in training; drawn from ``generator`` or the
        default one.

    Returns
    -------
    A tensor (…, L, v) of the inputs' dtype.

    Raises
    ------
    ShapeError
        If the sizes d or S differ, an input has fewer than two axes, or leading axes or the mask don't fit.
    DTypeError
        For a mask of whole numbers, which could mean either, or a dropout that isn't a number.
    ArgumentError
        For a dropout outside [0, 1).

    Examples
    --------
    >>> q, k, v = Tensor([[9.0, 0.0]]), Tensor([[9.0, 0.0], [0.0, 9.0]]), Tensor([[1.0], [2.0]])
    >>> scaled_dot_product_attention(q, k, v)
    Tensor([[1.]])

    References: Vaswani et al., *Attention is all you need*, 2017, §3.2.1.
    """
    qs, ks, vs = shape_of(query), shape_of(key), shape_of(value)
    if min(len(qs), len(ks), len(vs)) < 2 or qs[-1] != ks[-1] or ks[-2] != vs[-2]:
        raise ShapeError(
            "scaled_dot_product_attention: expected query (…, L, d), key (…, S, d) and value (…, S, v), got "
            f"{qs}, {ks} and {vs}"
        )
    if not 0 <= number("scaled_dot_product_attention: dropout", dropout) < 1:
        raise ArgumentError(f"scaled_dot_product_attention: dropout must be in [0, 1), got {dropout!r}")
    weights = attention_weights(query, key, mask, is_causal, scale)
    if dropout:
        weights = ops.dropout(weights, dropout, generator=generator)
    return ops.matmul(weights, value)


def attention_weights(
    query: Any, key: Any, mask: Any = None, is_causal: bool = False, scale: float | None = None
) -> Tensor:
    """Return softmax(Q Kᵀ · scale), what ``scaled_dot_product_attention`` weighs the values by."""
    qs, ks = shape_of(query), shape_of(key)
    factor = 1 / math.sqrt(max(qs[-1], 1)) if scale is None else number("scale", scale)
    scores = ops.matmul(ops.multiply(query, factor), ops.matrix_transpose(key))
    allowed: Any = np.tri(qs[-2], ks[-2], dtype=bool) if is_causal else None
    if mask is not None:
        # A Tensor stays one, so that the record tells where a mask comes from.
        known = mask if isinstance(mask, Tensor) else array_of("scaled_dot_product_attention: mask", mask)
        sides = zip(known.shape[::-1], scores.shape[:-3:-1], strict=False)  # the leading axes broadcast
        if any(n not in (1, side) for n, side in sides):
            raise ShapeError(f"attention: a mask {known.shape} doesn't fit scores (…, L, S) {scores.shape}")
        if known.dtype.kind == "f":
            open_ = ops.not_equal(known, -np.inf)
            scores = scores + ops.where(open_, ops.astype(known, scores.dtype), 0.0)
        elif known.dtype.kind == "b":
            open_ = known
        else:
            raise DTypeError(f"attention: the mask must be bools or floats, got {known.dtype}")
        allowed = open_ if allowed is None else allowed & open_
    return masked_softmax(scores, allowed)


def masked_softmax(scores: Any, allowed: Any) -> Tensor:
    """Return the softmax over the scores that are allowed, and zeros for a row of which none is."""
    if allowed is None:
        return ops.softmax(scores)
    # Not -inf: a row of nothing else would be nan. Half, so that taking the maximum off can't overflow.
    lowest = float(np.finfo(scores.dtype).min) / 2
    return ops.where(allowed, ops.softmax(ops.where(allowed, scores, lowest)), 0.0)
