"""MultiHeadAttention, which transformers are made of."""

import math
from typing import Any, ClassVar

import numpy as np

from ... import ops
from ...errors import ArgumentError, ShapeError
from ...ops.attention import attention_weights
from ...tensor import Tensor
from .. import regularizers
from ..module import positive, share
from ..symbolic import is_shape
from .base import WEIGHTS, Layer, Shape
from .masks import checked_mask

__all__ = ["MultiHeadAttention"]


class _Projection(Layer):
    """x @ kernel + bias, where both what is multiplied away and what it becomes may be several axes."""

    kinds = WEIGHTS

    def __init__(
        self, outputs: tuple[int, ...], axes: int = 1, use_bias: bool = True, **options: Any
    ) -> None:
        super().__init__(**options)
        self.outputs, self.axes, self.use_bias = outputs, axes, use_bias

    def build(self, input_shape: Shape) -> None:
        inner = input_shape[-self.axes :]
        if None in inner:
            raise ShapeError(f"{self.name}: the last axis needs a fixed length, got {input_shape}")
        self.kernel = self.add_weight("kernel", (*inner, *self.outputs), **self.rule("kernel"))
        if self.use_bias:
            self.bias = self.add_weight("bias", self.outputs, **self.rule("bias"))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[: -self.axes], *self.outputs)

    def call(self, x: Any) -> Tensor:
        outer, inner = x.shape[: -self.axes], math.prod(x.shape[-self.axes :])
        columns = math.prod(self.outputs)
        x, kernel = ops.reshape(x, (*outer, inner)), ops.reshape(self.kernel, (inner, columns))
        if self.use_bias:
            y = ops.linear(x, kernel, ops.reshape(self.bias, (columns,)))
        else:
            y = ops.matmul(x, kernel)
        return ops.reshape(y, (*outer, *self.outputs))


class MultiHeadAttention(Layer):
    """Several attentions side by side, each with queries, keys and values of its own making.

    For each head: Q = query @ W_q + b_q, and so K from key and V from value; then softmax(Q Kᵀ / √key_dim) V.
    What all heads give is projected to the result.

    Parameters
    ----------
    num_heads, key_dim, value_dim
        How many heads there are, and the sizes of their queries and keys, and of their values (by default
        key_dim).
    dropout
        The share of the weights that is set to 0 while training; ``seed`` gives the layer a generator of its
        own.
    use_bias
        Whether the projections have biases.
    output_shape
        The result's last axis, or axes; by default that of the query.
    attention_axes
        All axes between the batch and the features, which is also the default.
    options
        Of a Layer, for all four projections; the kinds of weights are "kernel" and "bias". An activity
        regulariser looks at what each of them gives.

    Query (batch, L, d), value and key (batch, S, …), output (batch, L, d); with more axes between, each place
    attends to all others. query/kernel (d, heads, key_dim), query/bias (heads, key_dim), the same for key
    and, with value_dim, for value; attention_output/kernel (heads, value_dim, d), attention_output/bias (d,).

    ``layer(query, value, key=value)`` also takes ``query_mask`` (batch, L), ``value_mask`` and ``key_mask``
    (batch, S), made as ``tokens != 0``, and ``attention_mask`` (batch, L, S), or with an axis for the heads
    before L: all are True where a query may look. ``use_causal_mask`` lets place i look at places 0 … i only.
    A query that may look nowhere gets zeros, and the last bias. With ``return_attention_scores`` the result
    is a pair, with the weights (batch, heads, L, S).

    Raises ShapeError for inputs or masks that don't fit.

    >>> from tinygrad_edu import nn
    >>> layer, x = nn.MultiHeadAttention(num_heads=2, key_dim=3), np.zeros((4, 5, 8))
    >>> y, weights = layer(x, x, return_attention_scores=True)
    >>> y.shape, weights.shape, layer.count_params()
    ((4, 5, 8), (4, 2, 5, 5), 218)

    References: Vaswani et al., *Attention is all you need*, 2017, §3.2.2.
    """

    fields: ClassVar[tuple[str, ...]] = (
        "num_heads", "key_dim", "value_dim", "dropout", "use_bias", "output_shape", "attention_axes", "seed",
    )  # fmt: skip
    kinds = WEIGHTS

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        *,
        seed: int | None = None,
        activity_regularizer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        kind = type(self).__name__
        self.num_heads = positive(num_heads, f"{kind}: num_heads")
        self.key_dim = positive(key_dim, f"{kind}: key_dim")
        self.value_dim = self.key_dim if value_dim is None else positive(value_dim, f"{kind}: value_dim")
        self.dropout = share(dropout, f"{kind}: dropout")
        self.use_bias = use_bias
        sizes = output_shape if isinstance(output_shape, list | tuple) else (output_shape,)
        self.given_output_shape = (
            None if output_shape is None else tuple(positive(n, f"{kind}: output_shape") for n in sizes)
        )
        self.attention_axes = attention_axes
        self.seed = seed
        self._generator = None if seed is None else np.random.default_rng(seed)
        self.activity_regularizer = regularizers.get(activity_regularizer)  # the projections' to apply

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None, *masks: Any) -> None:
        self._check_shapes(query_shape, value_shape, key_shape)
        options = {option: getattr(self, option) for option, _, _ in self._options()}
        options |= {
            "use_bias": self.use_bias, "activity_regularizer": self.activity_regularizer,
            "dtype": self.dtype, "trainable": self.trainable,
        }  # fmt: skip
        keys, values = (self.num_heads, self.key_dim), (self.num_heads, self.value_dim)
        self.query = _Projection(keys, **options)
        self.key = _Projection(keys, **options)
        self.value = _Projection(values, **options)
        self.attention_output = _Projection(self.given_output_shape or query_shape[-1:], 2, **options)
        self.query.build_once(query_shape)
        self.key.build_once(key_shape or value_shape)
        self.value.build_once(value_shape)
        self.attention_output.build_once((*query_shape[:-1], *values))

    def compute_output_shape(
        self, query_shape: Any, value_shape: Any = None, key_shape: Any = None, *masks: Any
    ) -> Any:
        self._check_shapes(query_shape, value_shape, key_shape)
        return (*query_shape[:-1], *(self.given_output_shape or query_shape[-1:]))

    def call_shape(self, input_shapes: Any, settings: dict[str, Any]) -> Any:
        result = self.compute_output_shape(*input_shapes)
        if not settings.get("return_attention_scores"):
            return result
        query, value, *_ = input_shapes
        return result, (query[0], self.num_heads, *query[1:-1], *value[1:-1])

    def _check_shapes(self, query: Any, value: Any, key: Any) -> None:
        if value is None:
            raise ArgumentError(
                f"{self.name}: expected a query and a value; attend to x itself by layer(x, x)"
            )
        shapes = [query, value, value if key is None else key]
        if (
            any(not is_shape(shape) or len(shape) < 3 for shape in shapes)
            or shapes[1][1:-1] != shapes[2][1:-1]
        ):
            raise ShapeError(
                f"{self.name}: expected a query (batch, L, …), and a value and a key (batch, S, …), got "
                f"{', '.join(map(str, shapes))}"
            )
        axes = self.attention_axes
        axes = (axes,) if isinstance(axes, int) else axes
        if axes is not None and {a % len(query) for a in axes} != set(range(1, len(query) - 1)):
            raise ArgumentError(
                f"{self.name}: attention_axes={self.attention_axes!r} leaves out some of the axes between "
                f"the batch and the features of {query}; reshape so that they belong to the batch"
            )

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        *,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        value = self._cast(value)
        key = value if key is None else self._cast(key)
        masks = {"query_mask": query_mask, "value_mask": value_mask, "key_mask": key_mask}
        q, k, v = (
            self._by_head(self.query(query)),
            self._by_head(self.key(key)),
            self._by_head(self.value(value)),
        )
        if len(query.shape) > 3 and use_causal_mask:
            raise ArgumentError(f"{self.name}: use_causal_mask needs a sequence, got {query.shape}")
        allowed = self._allowed(masks, attention_mask, (len(query), self.num_heads, q.shape[2], k.shape[2]))
        result = ops.scaled_dot_product_attention(
            q, k, v, mask=allowed, is_causal=use_causal_mask,
            dropout=self.dropout if self.training else 0.0, generator=self._generator,
        )  # fmt: skip
        places = query.shape[1:-1]
        result = ops.permute_dims(result, (0, 2, 1, 3))
        result = self.attention_output(ops.reshape(result, (len(query), *places, *result.shape[2:])))
        if not return_attention_scores:
            return result
        weights = attention_weights(q, k, allowed, use_causal_mask)
        return result, ops.reshape(weights, (*weights.shape[:2], *places, *key.shape[1:-1]))

    def _by_head(self, x: Any) -> Tensor:
        """Return (batch, places …, heads, size) as (batch, heads, places, size)."""
        batch, *places, heads, size = x.shape
        return ops.permute_dims(ops.reshape(x, (batch, math.prod(places), heads, size)), (0, 2, 1, 3))

    def _allowed(self, masks: dict[str, Any], whole: Any, shape: tuple[int, ...]) -> Any:
        """Return where a query may look, broadcasting to (batch, heads, L, S); None if it may anywhere."""
        batch, _, places, sources = shape
        allowed: Any = None
        for name, mask in masks.items():
            if mask is not None:
                of_query = name == "query_mask"
                sides = (batch, places if of_query else sources)
                known = checked_mask(f"{self.name}: {name}", mask, sides)
                known = known[:, None, :, None] if of_query else known[:, None, None, :]
                allowed = known if allowed is None else allowed & known
        if whole is not None:
            whole = whole if isinstance(whole, Tensor) else np.asarray(whole)
            whole = whole[:, None] if whole.ndim == 3 else whole
            pairs = zip(whole.shape[::-1], shape[::-1], strict=False)
            if whole.ndim > 4 or any(n not in (1, m) for n, m in pairs):
                raise ShapeError(
                    f"{self.name}: attention_mask must be (batch, L, S) = {(batch, *shape[2:])}, or have an "
                    f"axis for the heads before L, got {whole.shape}"
                )
            known = checked_mask(f"{self.name}: attention_mask", whole, whole.shape)
            allowed = known if allowed is None else allowed & known
        return allowed

    def get_config(self) -> dict[str, Any]:
        shape = self.given_output_shape
        return super().get_config() | {"output_shape": None if shape is None else list(shape)}
