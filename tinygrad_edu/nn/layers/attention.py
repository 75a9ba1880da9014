"""Attention: each query gets the mean of the values, weighted by how well their keys fit it."""

from typing import Any, ClassVar

import numpy as np

from ... import ops
from ...errors import ArgumentError, ShapeError, unknown_name
from ...ops.attention import masked_softmax
from ...tensor import Tensor
from ..module import share
from ..symbolic import is_shape
from .base import Layer
from .masks import checked_mask

__all__ = ["AdditiveAttention", "Attention"]


class Attention(Layer):
    """Attention without weights: softmax(scores) @ value, where scores = query @ keyᵀ.

    Parameters
    ----------
    use_scale
        Whether to multiply the scores by a number that is learned, and begins at 1.
    score_mode
        "dot" for the product, or "concat" for the sum of tanh(query + key), times a number that is learned.
    dropout
        The share of the weights that is set to 0 while training; ``seed`` gives the layer a generator of its
        own.
    options
        Of a Layer.

    Called on a list of query (batch, L, d), value (batch, S, v) and key (batch, S, d), by default the value;
    output (batch, L, v). ``mask`` is a list too: of the query (batch, L), whose masked places get zeros, and
    of the value (batch, S), whose masked places aren't looked at; either may be None. ``use_causal_mask``
    lets place i look at places 0 … i only. With ``return_attention_scores`` the result is a pair, with the
    weights (batch, L, S).

    Raises ArgumentError if it isn't called on such a list, ShapeError for inputs or masks that don't fit.

    >>> from tinygrad_edu import nn
    >>> query, value = np.zeros((2, 3, 4)), np.ones((2, 5, 4))
    >>> nn.Attention()([query, value]).shape
    (2, 3, 4)

    References: Luong et al., *Effective approaches to attention-based neural machine translation*, 2015.
    """

    fields: ClassVar[tuple[str, ...]] = ("use_scale", "score_mode", "dropout", "seed")

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if score_mode not in ("dot", "concat"):
            raise unknown_name("score_mode", score_mode, ["dot", "concat"])
        self.use_scale, self.score_mode = use_scale, score_mode
        self.dropout, self.seed = share(dropout, f"{type(self).__name__}: dropout"), seed
        self._generator = None if seed is None else np.random.default_rng(seed)

    def build(self, input_shape: Any, *others: Any) -> None:
        self._check_shapes(input_shape)
        if self.use_scale:
            self.scale = self.add_weight("scale", (), "ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight("concat_score_weight", (), "ones")

    def compute_output_shape(self, input_shape: Any, *others: Any) -> Any:
        self._check_shapes(input_shape)
        return (*input_shape[0][:-1], input_shape[1][-1])

    def call_shape(self, input_shapes: Any, settings: dict[str, Any]) -> Any:
        result, (query, value, *_) = self.compute_output_shape(*input_shapes), input_shapes[0]
        return (result, (*query[:-1], value[-2])) if settings.get("return_attention_scores") else result

    def _check_shapes(self, shapes: Any) -> None:
        if is_shape(shapes) or len(shapes) not in (2, 3):
            raise ArgumentError(
                f"{self.name}: expected a list: layer([query, value]), or [query, value, key]"
            )
        query, value, key = shapes if len(shapes) == 3 else (*shapes, shapes[1])
        if {len(query), len(value), len(key)} != {3} or query[-1] != key[-1] or value[1] != key[1]:
            raise ShapeError(
                f"{self.name}: expected query (batch, L, d), value (batch, S, v) and key (batch, S, d), got "
                f"{', '.join(map(str, shapes))}"
            )

    def scores(self, query: Any, key: Any) -> Tensor:
        """Return how well each key fits each query, (batch, L, S)."""
        if self.score_mode == "dot":
            scores = ops.matmul(query, ops.matrix_transpose(key))
            return scores * self.scale if self.use_scale else scores
        both = query[:, :, None] + key[:, None]
        both = ops.tanh(both * self.scale if self.use_scale else both)
        return self.concat_score_weight * ops.sum(both, axis=-1)

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        *,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        self._check_shapes([x.shape for x in inputs])
        query, value = inputs[0], inputs[1]
        scores = self.scores(query, inputs[-1])
        batch, places, sources = scores.shape
        of_query, of_value, *_ = mask if mask is not None else (None, None)
        allowed = np.tri(places, sources, dtype=bool) if use_causal_mask else None
        if of_value is not None:
            known = checked_mask(f"{self.name}: the value's mask", of_value, (batch, sources))[:, None]
            allowed = known if allowed is None else allowed & known
        weights = masked_softmax(scores, allowed)
        kept = weights
        if self.dropout and self.training:
            kept = ops.dropout(weights, self.dropout, generator=self._generator)
        result = ops.matmul(kept, value)
        if of_query is not None:
            known = checked_mask(f"{self.name}: the query's mask", of_query, (batch, places))
            result = ops.where(known[:, :, None], result, 0.0)
        return (result, kept) if return_attention_scores else result


class AdditiveAttention(Attention):
    """Attention whose scores are the sum of scale · tanh(query + key), over the features.

    Parameters
    ----------
    use_scale
        Whether each feature has a factor, which is learned; else it is 1.
    dropout, seed, options
        As for Attention.

    Called as Attention is; scale (d,).

    >>> from tinygrad_edu import nn
    >>> layer = nn.AdditiveAttention(); layer([np.zeros((2, 3, 4)), np.ones((2, 5, 4))]).shape
    (2, 3, 4)

    References: Bahdanau et al., *Neural machine translation by jointly learning to align and translate*,
    2015.
    """

    fields = ("use_scale", "dropout", "seed")

    def __init__(
        self, use_scale: bool = True, dropout: float = 0.0, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(use_scale, dropout=dropout, seed=seed, **options)

    def build(self, input_shape: Any, *others: Any) -> None:
        self._check_shapes(input_shape)
        if self.use_scale:
            self.scale = self.add_weight("scale", (input_shape[0][-1],), "glorot_uniform")

    def scores(self, query: Any, key: Any) -> Tensor:
        fits = ops.tanh(query[:, :, None] + key[:, None])
        return ops.matmul(fits, self.scale) if self.use_scale else ops.sum(fits, axis=-1)
