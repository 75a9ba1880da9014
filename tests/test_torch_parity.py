"""The same values and gradients as PyTorch, on inputs that the operations' table draws; skipped without it.

Where we differ on purpose, mostly because Keras or NumPy do, an example at the end shows both numbers, and
docs/design.md says why.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from operations_table import DIFFERENTIABLE, TABLE, call_of, cases, is_float

import tinygrad_edu as te
from tinygrad_edu.testing import arrays

torch = pytest.importorskip("torch")
F = torch.nn.functional


def first(x: Any) -> Any:
    """Return images with channels first, as PyTorch has them."""
    return torch.movedim(x, -1, 1)


def last(x: Any) -> Any:
    return torch.movedim(x, 1, -1)


def filters(w: Any) -> Any:
    """Return (kh, kw, C, F) as (F, C, kh, kw)."""
    return torch.permute(w, (3, 2, 0, 1))


def padded(x: Any, padding: Any, value: float = 0.0) -> Any:
    (top, bottom), (left, right) = padding
    return F.pad(first(x), (left, right, top, bottom), value=value)


def conv2d(x: Any, w: Any, strides: Any, padding: Any, dilation: Any = 1, groups: int = 1) -> Any:
    y = F.conv2d(padded(x, padding), filters(w), stride=strides, dilation=dilation, groups=groups)
    return last(y)


def conv2d_bias(x: Any, w: Any, b: Any, activation: str | None, **rule: Any) -> Any:
    y = conv2d(x, w, **rule) + b
    return F.relu(y) if activation else y


def linear(x: Any, w: Any, b: Any, activation: str | None) -> Any:
    y = F.linear(x, w.T, b)
    return F.relu(y) if activation else y


def max_pool2d(x: Any, pool_size: Any, strides: Any, padding: Any) -> Any:
    return last(F.max_pool2d(padded(x, padding, -torch.inf), pool_size, strides))


def avg_pool2d(x: Any, pool_size: Any, strides: Any, padding: Any) -> Any:
    """Average over the pixels that there are, as TensorFlow does."""
    inside = padded(torch.ones_like(x), padding)
    return last(
        F.avg_pool2d(padded(x, padding), pool_size, strides) / F.avg_pool2d(inside, pool_size, strides)
    )


def over(function: Callable[..., Any]) -> Callable[..., Any]:
    """Call a reduction by PyTorch's names; all axes where none is named."""

    def reduce(x: Any, axis: Any = None, keepdims: bool = False, **params: Any) -> Any:
        assume(axis != ())  # by which PyTorch means all
        dim = tuple(range(x.ndim)) if axis is None else axis
        return function(x, dim=dim, keepdim=keepdims, **params)

    return reduce


def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    for a in axes:
        x = torch.prod(x, dim=a, keepdim=True)
    return x if keepdims else torch.squeeze(x, tuple(axes))


def dims(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axis: function(x, dim=axis)


def index(x: Any, index: Any) -> Any:
    parts = index if isinstance(index, tuple) else (index,)
    assume(not any(isinstance(i, slice) and (i.step or 1) < 0 for i in parts))  # which PyTorch can't
    return x[tuple([torch.from_numpy(np.array(i)) if isinstance(i, np.ndarray) else i for i in parts])]


def normalize(x: Any, gamma: Any, beta: Any, axes: Any, epsilon: float) -> Any:
    assume(x.numel())
    variance, mean = torch.var_mean(x, dim=axes, correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(variance + epsilon) * gamma + beta, mean, variance


def batch_norm(x: Any, gamma: Any, beta: Any, axis: int, epsilon: float, return_moments: bool) -> Any:
    channel = torch.movedim(x, axis, 1)
    assume(not return_moments and channel.numel() > channel.shape[1])
    y = F.batch_norm(channel, None, None, gamma, beta, training=True, eps=epsilon)
    return torch.movedim(y, 1, axis)


def layer_norm(x: Any, gamma: Any, beta: Any, axis: Any, epsilon: float) -> Any:
    assume(axis == -1 or isinstance(axis, tuple))
    return F.layer_norm(x, gamma.shape, gamma, beta, eps=epsilon)


def group_norm(x: Any, gamma: Any, beta: Any, groups: int, axis: int, epsilon: float) -> Any:
    y = F.group_norm(torch.movedim(x, axis, 1), groups, gamma, beta, eps=epsilon)
    return torch.movedim(y, 1, axis)


def attention(q: Any, k: Any, v: Any, mask: Any, is_causal: bool, scale: Any) -> Any:
    assume(not (is_causal and mask is not None) and q.numel() and k.numel() and v.numel())
    mask = None if mask is None else torch.from_numpy(np.array(mask))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=is_causal, scale=scale)


def vector_norm(x: Any, ord: float, axis: Any = None, keepdims: bool = False) -> Any:
    assume(axis != () and x.numel())
    return torch.linalg.vector_norm(x, ord, axis, keepdims)


def cumulative(function: Any) -> Any:
    def scan(x: Any, axis: int, dtype: Any = None, include_initial: bool = False) -> Any:
        assume(not include_initial)
        return function(x, dim=axis)

    return scan


def pinv(x: Any, rtol: Any = None) -> Any:
    return torch.linalg.pinv(x)


def same(names: str, home: Any) -> dict[str, Callable[..., Any]]:
    return {name: getattr(home, name) for name in names.split()}


# Our operation's or function's name in the table, and PyTorch's function for the same arguments.
PARITY: dict[str, Callable[..., Any]] = {
    **same(
        "abs acos acosh asin asinh atan atan2 atanh ceil cos cosh divide digamma equal exp exp2 expm1", torch
    ),
    **same("erf erfc erfinv floor greater greater_equal hypot isfinite isinf isnan less less_equal", torch),
    **same("lgamma log log10 log1p log2 logaddexp matmul maximum minimum multiply negative not_equal", torch),
    **same("pow positive reciprocal remainder round rsqrt sigmoid sign sin sinh sqrt square tan tanh", torch),
    **same("trunc where xlogy copysign logical_and logical_or logical_xor logical_not subtract add", torch),
    **same("elu gelu leaky_relu mish relu relu6 selu silu softplus softsign", F),
    "equal": torch.eq,
    "leaky_relu": lambda x, negative_slope: F.leaky_relu(x, negative_slope),
    "elu": lambda x, alpha: F.elu(x, alpha),
    "gelu": lambda x, approximate: F.gelu(x, approximate="tanh" if approximate else "none"),
    "logsigmoid": F.logsigmoid,
    "hard_sigmoid": F.hardsigmoid,
    "hard_silu": F.hardswish,
    "polygamma": lambda x, n: torch.polygamma(n, x),
    "sum": over(torch.sum),
    "mean": over(torch.mean),
    "max": over(torch.amax),
    "min": over(torch.amin),
    "logsumexp": over(torch.logsumexp),
    "prod": prod,
    "var": over(torch.var),
    "vector_norm": vector_norm,
    "cumulative_sum": cumulative(torch.cumsum),
    "cumulative_prod": cumulative(torch.cumprod),
    "cumulative_logsumexp": cumulative(torch.logcumsumexp),
    "sort": lambda x, axis, descending, stable: torch.sort(x, dim=axis, descending=descending)[0],
    "softmax": dims(torch.softmax),
    "log_softmax": dims(torch.log_softmax),
    "reshape": lambda x, shape, copy=None: torch.reshape(x, shape),
    "permute_dims": lambda x, axes: torch.permute(x, axes),
    "broadcast_to": lambda x, shape: torch.broadcast_to(x, shape),
    "flip": lambda x, axis: torch.flip(
        x, tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    ),
    "roll": lambda x, shift, axis=None: torch.roll(x, shift, axis),
    "concat": lambda *xs, axis: torch.cat(xs, dim=axis),
    "stack": lambda *xs, axis: torch.stack(xs, dim=axis),
    "getitem": index,
    "linear": linear,
    "einsum": lambda *xs, subscripts: torch.einsum(subscripts, *xs),
    "outer": torch.outer,
    "vecdot": lambda a, b, axis: torch.linalg.vecdot(a, b, dim=axis),
    "inv": torch.linalg.inv,
    "det": torch.linalg.det,
    "slogdet": lambda x: tuple(torch.linalg.slogdet(x)),
    "pinv": pinv,
    "sparse_softmax_cross_entropy": lambda x, t: F.cross_entropy(
        x.reshape(-1, x.shape[-1]), t.reshape(-1), reduction="none"
    ).reshape(t.shape),
    "softmax_cross_entropy": lambda x, t: -torch.sum(t * torch.log_softmax(x, -1), -1),
    "sigmoid_cross_entropy": lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="none"),
    "normalize": normalize,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "group_norm": group_norm,
    "embedding": F.embedding,
    "scaled_dot_product_attention": attention,
    "conv2d": conv2d,
    "conv2d_bias": conv2d_bias,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
}


def several(results: Any) -> list[Any]:
    return list(results) if isinstance(results, tuple | list) else [results]


@pytest.mark.parametrize("name", sorted(PARITY))
@given(data=st.data())
def test_values_and_gradients_are_pytorchs(name, data):
    case = data.draw(cases(name))
    ours = [te.Tensor(x, requires_grad=is_float(x)) if isinstance(x, np.ndarray) else x for x in case.inputs]
    theirs = [
        torch.tensor(np.array(x), requires_grad=is_float(x)) if isinstance(x, np.ndarray) else x
        for x in case.inputs
    ]
    expected = several(PARITY[name](*theirs, **case.params))
    got = several(call_of(name)(*ours, **case.params))
    rtol = max(1e-9, TABLE[name].rtol)
    pairs = []
    for y, z in zip(got, expected, strict=True):
        assert y.shape == tuple(z.shape)
        np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=rtol, atol=rtol / 10)
        if y.requires_grad and z.requires_grad and y.size:
            pairs.append((y, z, data.draw(arrays(y.shape))))
    if name not in DIFFERENTIABLE or not pairs:
        return
    places = [i for i, x in enumerate(case.inputs) if is_float(x)]
    mine = te.grad([p[0] for p in pairs], [ours[i] for i in places], [p[2] for p in pairs], allow_unused=True)
    yours = torch.autograd.grad(
        [p[1] for p in pairs],
        [theirs[i] for i in places],
        [torch.tensor(np.array(p[2])) for p in pairs],
        allow_unused=True,
    )
    for g, h, i in zip(mine, yours, places, strict=True):
        a = np.zeros(case.inputs[i].shape) if g is None else g.data
        b = np.zeros(case.inputs[i].shape) if h is None else h.numpy()
        np.testing.assert_allclose(a, b, rtol=max(1e-8, 100 * rtol), atol=max(1e-10, rtol))


def pair(x: Any, ours: Any, theirs: Any) -> tuple[list[Any], list[Any]]:
    """Return the gradients of the sum of both functions' results."""
    a, b = te.Tensor(np.array(x, float), requires_grad=True), torch.tensor(x, dtype=float, requires_grad=True)
    return te.grad(ours(a).sum(), a).tolist(), torch.autograd.grad(theirs(b).sum(), b)[0].tolist()


def test_where_we_differ_on_purpose():
    x = [3.0, 1.0, 3.0]
    # Arguments left out: ours are Keras' and the array API's.
    assert te.leaky_relu(te.Tensor([-1.0])).item() == pytest.approx(-0.2)  # Keras' slope; PyTorch's is 0.01
    assert F.leaky_relu(torch.tensor([-1.0])).item() == pytest.approx(-0.01)
    assert te.var(te.Tensor(x)).item() == pytest.approx(8 / 9)  # divided by n; PyTorch divides by n - 1
    assert torch.var(torch.tensor(x)).item() == pytest.approx(4 / 3)
    image = np.ones((1, 1, 1, 1))
    ours = te.avg_pool2d(te.Tensor(image), 2, padding=((0, 1), (0, 1))).item()
    theirs = F.avg_pool2d(torch.tensor(image), 2, padding=1).ravel()[0].item()
    assert (ours, theirs) == (1.0, 0.25)  # padded cells don't count, as in TensorFlow
    # At a kink: both answers are right, and ours are the more even ones.
    assert pair(x, te.max, torch.max) == ([0.5, 0.0, 0.5], [0.5, 0.0, 0.5])
    assert pair(x, lambda t: te.max(t, axis=0), lambda t: torch.max(t, 0)[0]) == (
        [0.5, 0.0, 0.5],  # equals share, whichever way the maximum is asked for
        [1.0, 0.0, 0.0],
    )
