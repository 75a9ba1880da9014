"""Every kernel once more, in plain NumPy: what the fast versions must compute, in a form to read.

The idea behind all of the convolutions and poolings here: instead of visiting each window and looping over
its cells, visit each *cell* (ky, kx) of the window and take, with one slice, what lies under that cell in
all windows at once (:func:`_under`). A 3x3 window means nine slices, however large the image is. And
because a slice can be written to as well as read, the same nine slices run the other way in the backward
passes: where forward reads ``under(x)``, backward adds to ``under(grad_x)``.

Shapes are channels last: images ``x`` (N, H, W, C), convolution kernels ``w`` (kh, kw, C / groups, F),
outputs (N, OH, OW, F). ``strides`` is (sh, sw), ``padding`` ((top, bottom), (left, right)); the cells of a
window lie ``dilation`` (dh, dw) apart. In the formulas y, x are places in the output, i, j cells of the
window, and X the padded input.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from tinygrad_edu.kernels._arrays import Array, Padding, Pair, pad, padded_zeros, spread, unpad

if TYPE_CHECKING:
    from tinygrad_edu.kernels.resize import Blend

__all__ = [
    "adam",
    "avg_pool2d",
    "avg_pool2d_scatter",
    "conv2d",
    "conv2d_input_grad",
    "conv2d_weight_grad",
    "erf",
    "exp",
    "expm1",
    "gelu",
    "gelu_grad",
    "log_softmax",
    "log_softmax_grad",
    "matmul",
    "max_pool2d",
    "max_pool2d_gather",
    "max_pool2d_scatter",
    "normalize",
    "normalize_grad",
    "relu",
    "relu_grad",
    "resample2d",
    "sgd",
    "sigmoid",
    "sigmoid_cross_entropy",
    "sigmoid_cross_entropy_grad",
    "sigmoid_grad",
    "silu",
    "silu_grad",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_grad",
    "softmax_grad",
    "softplus",
    "softplus_grad",
    "sum_rows",
    "tanh",
    "tanh_grad",
    "target_cross_entropy",
    "target_cross_entropy_grad",
    "where",
]


def _output_size(x: Array, window: tuple[int, ...], strides: Pair, dilation: Pair = (1, 1)) -> Pair:
    """How many windows fit into the padded images x, down and across."""
    height, width = spread(window, dilation)
    return (x.shape[1] - height) // strides[0] + 1, (x.shape[2] - width) // strides[1] + 1


def _cells(window: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield the places (ky, kx) in a window, row by row."""
    yield from np.ndindex(*window)


def _under(
    x: Array, cell: tuple[int, ...], strides: Pair, size: tuple[int, ...], dilation: Pair = (1, 1)
) -> Array:
    """What lies under one cell of the window in all windows at once: a view of x, (N, OH, OW, C)."""
    (ky, kx), (sh, sw), (oh, ow), (dh, dw) = cell, strides, size, dilation
    return x[:, ky * dh : ky * dh + oh * sh : sh, kx * dw : kx * dw + ow * sw : sw][:, :oh, :ow]


# --- Products --------------------------------------------------------------------------------------------


def matmul(a: Array, b: Array, bias: Array | None = None, relu: bool = False) -> Array:
    """Multiply matrices (…, m, k) and (…, k, n): out[…,i,j] = sum_k a[…,i,k] * b[…,k,j] + bias[j].

    And 0 in place of what is negative, if wanted.
    """
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = np.zeros((*lead, a.shape[-2], b.shape[-1]), a.dtype)
    for k in range(a.shape[-1]):
        out += a[..., :, k, None] * b[..., None, k, :]
    if bias is not None:
        out += bias
    return np.maximum(out, 0) if relu else out


# --- Convolution -----------------------------------------------------------------------------------------


def _groups(groups: int, channels: int, filters: int) -> Iterator[tuple[slice, slice]]:
    """Yield, for each group, its share of the channels and its share of the filters."""
    c, f = channels // groups, filters // groups
    for i in range(groups):
        yield slice(i * c, (i + 1) * c), slice(i * f, (i + 1) * f)


def conv2d(
    x: Array,
    w: Array,
    strides: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
    bias: Array | None = None,
    relu: bool = False,
) -> Array:
    """Slide the kernels w over x: out[n,y,x,f] = sum_ijc X[n, y*sh + i*dh, x*sw + j*dw, c] * w[i,j,c,f].

    The kernel is not flipped (cross-correlation), as in every deep learning library. With several groups,
    each share of the filters sees its own share of the channels alone. On top of it the bias of each filter,
    and 0 in place of what is negative, if wanted.
    """
    x = pad(x, padding)
    size = _output_size(x, w.shape[:2], strides, dilation)
    out = np.zeros((len(x), *size, w.shape[3]), x.dtype)
    for cell in _cells(w.shape[:2]):
        under = _under(x, cell, strides, size, dilation)
        for c, f in _groups(groups, x.shape[3], w.shape[3]):
            out[..., f] += under[..., c] @ w[cell][:, f]
    return _finished(out, bias, relu)


def _finished(out: Array, bias: Array | None, relu: bool) -> Array:
    out = out if bias is None else out + bias
    return np.maximum(out, 0) if relu else out


def conv2d_input_grad(
    g: Array,
    w: Array,
    x_shape: tuple[int, ...],
    strides: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
    bias: Array | None = None,
    relu: bool = False,
) -> Array:
    """Send each output's gradient back to all inputs that it saw, weighted as it saw them.

    grad_X[n, y*sh + i*dh, x*sw + j*dw, c] += sum_f g[n,y,x,f] * w[i,j,c,f]. This is also the forward pass
    of a transposed convolution, whence bias and relu.
    """
    grad = padded_zeros(x_shape, padding, g.dtype)
    for cell in _cells(w.shape[:2]):
        under = _under(grad, cell, strides, g.shape[1:3], dilation)
        for c, f in _groups(groups, x_shape[3], w.shape[3]):
            under[..., c] += g[..., f] @ w[cell][:, f].T
    return _finished(unpad(grad, padding), bias, relu)


def conv2d_weight_grad(
    x: Array,
    g: Array,
    w_shape: tuple[int, ...],
    strides: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """Each weight's gradient: what it saw, times what its output should change, summed over all windows.

    grad_w[i,j,c,f] = sum_nyx X[n, y*sh + i*dh, x*sw + j*dw, c] * g[n,y,x,f].
    """
    x = pad(x, padding)
    grad = np.empty(w_shape, x.dtype)
    for cell in _cells(w_shape[:2]):
        under = _under(x, cell, strides, g.shape[1:3], dilation)
        for c, f in _groups(groups, x.shape[3], w_shape[3]):
            grad[cell][:, f] = np.tensordot(under[..., c], g[..., f], axes=([0, 1, 2], [0, 1, 2]))
    return grad


# --- Pooling ---------------------------------------------------------------------------------------------


def max_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: Padding) -> tuple[Array, Array]:
    """Return the maximum of each window and its place in the window, ky*kw + kx.

    The first of equal maxima wins, NaN beats every number, and padding never wins.
    """
    inside = pad(np.ones_like(x, dtype=bool), padding, False)
    x = pad(x, padding)
    size = _output_size(x, pool_size, strides)
    out = np.full((len(x), *size, x.shape[3]), -np.inf, x.dtype)
    indices = np.full(out.shape, -1)
    for place, cell in enumerate(_cells(pool_size)):
        value = _under(x, cell, strides, size)
        larger = (value > out) | (np.isnan(value) & ~np.isnan(out)) | (indices < 0)
        wins = larger & _under(inside, cell, strides, size)
        out[wins], indices[wins] = value[wins], place
    return out, indices.astype(np.uint8 if pool_size[0] * pool_size[1] <= 256 else np.int32)


def max_pool2d_scatter(
    g: Array, indices: Array, x_shape: tuple[int, ...], pool_size: Pair, strides: Pair, padding: Padding
) -> Array:
    """The backward pass: add each window's gradient to the input that won it."""
    grad = padded_zeros(x_shape, padding, g.dtype)
    for place, cell in enumerate(_cells(pool_size)):
        under = _under(grad, cell, strides, g.shape[1:3])
        under += np.where(indices == place, g, 0)
    return unpad(grad, padding)


def max_pool2d_gather(v: Array, indices: Array, pool_size: Pair, strides: Pair, padding: Padding) -> Array:
    """The scatter's opposite (its adjoint): read v, shaped as the input, at each window's winner."""
    v = pad(v, padding)
    out = np.zeros(indices.shape, v.dtype)
    for place, cell in enumerate(_cells(pool_size)):
        under = _under(v, cell, strides, indices.shape[1:3])
        out = np.where(indices == place, under, out)
    return out


def _window_sums(x: Array, window: Pair, strides: Pair) -> Array:
    total = np.zeros((len(x), *_output_size(x, window, strides), x.shape[3]), x.dtype)
    for cell in _cells(window):
        total += _under(x, cell, strides, total.shape[1:3])
    return total


def _cell_counts(
    x_shape: tuple[int, ...], window: Pair, strides: Pair, padding: Padding, dtype: Any
) -> Array:
    """How many cells of each window lie on the image rather than on its padding, (1, OH, OW, 1)."""
    return _window_sums(pad(np.ones((1, *x_shape[1:3], 1), dtype), padding), window, strides)


def avg_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: Padding) -> Array:
    """The mean of each window, over the cells that lie on the image (TensorFlow's rule)."""
    counts = _cell_counts(x.shape, pool_size, strides, padding, x.dtype)
    return _window_sums(pad(x, padding), pool_size, strides) / counts


def avg_pool2d_scatter(
    g: Array, x_shape: tuple[int, ...], pool_size: Pair, strides: Pair, padding: Padding
) -> Array:
    """The backward pass: share each window's gradient equally among the cells it was the mean of."""
    share = g / _cell_counts(x_shape, pool_size, strides, padding, g.dtype)
    grad = padded_zeros(x_shape, padding, g.dtype)
    for cell in _cells(pool_size):
        under = _under(grad, cell, strides, g.shape[1:3])
        under += share
    return unpad(grad, padding)


# --- Resampling ------------------------------------------------------------------------------------------


def resample2d(x: Array, down: "Blend", across: "Blend") -> Array:
    """Each new row a weighted sum of old rows, and then each new column one of columns."""
    for axis, blend in ((1, down), (2, across)):
        rows = np.moveaxis(x, axis, 0)
        new = np.zeros((len(blend.starts) - 1, *rows.shape[1:]), x.dtype)
        for i in range(len(new)):
            for k in range(blend.starts[i], blend.starts[i + 1]):
                new[i] += rows[blend.sources[k]] * x.dtype.type(blend.weights[k])
        x = np.moveaxis(new, 0, axis)
    return x


# --- Normalisation, and sums --------------------------------------------------------------------------------


def normalize(
    x: Array, gamma: Array, beta: Array, axes: tuple[int, ...], epsilon: float
) -> tuple[Array, Array, Array]:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, the moments taken over the axes in float64."""
    n = _terms(x.shape, axes)
    mean = np.add.reduce(x, axis=axes, dtype=np.float64, keepdims=True) / n
    centred = x - mean
    variance = np.add.reduce(centred * centred, axis=axes, keepdims=True) / n
    y = centred * (gamma / np.sqrt(variance + epsilon)) + beta
    dtype = np.result_type(x, gamma, beta)
    return y.astype(dtype), mean.astype(x.dtype), variance.astype(x.dtype)


def _terms(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    return max(1, math.prod([shape[a] for a in axes]))


def normalize_grad(
    g: Array, g_mean: Array, g_variance: Array, x: Array, gamma: Array, beta: Array,
    mean: Array, variance: Array, axes: tuple[int, ...], epsilon: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """The gradient loses what would only shift or scale the group: its mean, and its part along x - mean."""
    n, inverse = _terms(x.shape, axes), 1 / np.sqrt(variance.astype(np.float64) + epsilon)
    centred, h = x - np.add.reduce(x, axis=axes, dtype=np.float64, keepdims=True) / n, g * gamma

    def total(a: Array) -> Array:
        return np.asarray(np.add.reduce(a, axis=axes, dtype=np.float64, keepdims=True))

    shift = (g_mean - inverse * total(h)) / n
    slope = (2 * g_variance - inverse**3 * total(h * centred)) / n
    dx = h * inverse + centred * slope + shift
    return (
        dx.astype(x.dtype),
        _summed_to(gamma, g * (centred * inverse)),
        _summed_to(beta, np.asarray(g, np.float64)),
    )


def _summed_to(parameter: Array, grad: Array) -> Array:
    """Add up a gradient along the axes that its parameter was stretched along."""
    missing = grad.ndim - parameter.ndim
    grad = np.add.reduce(grad, axis=tuple(range(missing)))
    stretched = tuple([a for a, n in enumerate(parameter.shape) if n == 1])
    return np.asarray(np.add.reduce(grad, axis=stretched, keepdims=True), parameter.dtype)


# --- Element by element ----------------------------------------------------------------------------------


def exp(x: Array) -> Array:
    """e^x."""
    return np.asarray(np.exp(x))


def expm1(x: Array) -> Array:
    """e^x - 1."""
    return np.asarray(np.expm1(x))


def erf(x: Array) -> Array:
    """The error function, 2/sqrt(pi) times the integral of e^(-t²) from 0 to x."""
    return np.asarray(special.erf(x))


def tanh(x: Array) -> Array:
    """The hyperbolic tangent."""
    return np.asarray(np.tanh(x))


def tanh_grad(g: Array, y: Array) -> Array:
    """tanh' = 1 - tanh²."""
    return np.asarray(g * (1 - y * y))


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x)."""
    return np.asarray(special.expit(x))


def sigmoid_grad(g: Array, y: Array) -> Array:
    """sigmoid' = sigmoid (1 - sigmoid)."""
    return np.asarray(g * y * (1 - y))


def relu(x: Array) -> Array:
    """max(0, x)."""
    return np.asarray(np.maximum(x, 0))


def relu_grad(g: Array, y: Array) -> Array:
    """The gradient passes where the result was positive."""
    return np.where(y > 0, g, 0)


def softplus(x: Array) -> Array:
    """ln(e^0 + e^x)."""
    return np.asarray(np.logaddexp(x, 0))


def softplus_grad(g: Array, x: Array) -> Array:
    """softplus' = sigmoid."""
    return np.asarray(g * sigmoid(x))


def silu(x: Array) -> Array:
    """x sigmoid(x)."""
    return np.asarray(x * sigmoid(x))


def silu_grad(g: Array, x: Array) -> Array:
    """(x s)' = s + x s (1 - s)."""
    return np.asarray(g * sigmoid(x) * (1 + x * (1 - sigmoid(x))))


def gelu(x: Array, approximate: bool = False) -> Array:
    """x times the area under the normal curve up to x, or times a sigmoid that is near it."""
    return np.asarray(x * _gelu_gate(x, approximate))


def gelu_grad(g: Array, x: Array, approximate: bool = False) -> Array:
    """(x Φ)' = Φ + x Φ'."""
    gate = _gelu_gate(x, approximate)
    if approximate:
        slope = gate * (1 - gate) * (2 * math.sqrt(2 / math.pi)) * (1 + 3 * 0.044715 * x * x)
    else:
        slope = np.exp(x * x / -2) / math.sqrt(2 * math.pi)
    return np.asarray(g * (gate + x * slope))


def _gelu_gate(x: Array, approximate: bool) -> Array:
    if approximate:  # (1 + tanh u) / 2 = sigmoid(2 u)
        return sigmoid(2 * math.sqrt(2 / math.pi) * x * (1 + 0.044715 * x * x))
    return np.asarray(special.ndtr(x))


def sigmoid_cross_entropy(logits: Array, targets: Array) -> Array:
    """-t ln sigmoid(x) - (1 - t) ln(1 - sigmoid(x)) = ln(1 + e^x) - x t."""
    return np.asarray(np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits))))


def sigmoid_cross_entropy_grad(g: Array, logits: Array, targets: Array) -> Array:
    """What was predicted minus what was true."""
    return np.asarray(g * (sigmoid(logits) - targets))


def sum_rows(x: Array) -> Array:
    """The sum over the rows, in float64."""
    return np.asarray(np.add.reduce(x, axis=0, dtype=np.float64), x.dtype)


# --- Softmax and its loss --------------------------------------------------------------------------------


def softmax(x: Array) -> Array:
    """Row by row, p_j = exp(x_j) / sum_k exp(x_k).

    Subtracting the row's maximum changes nothing in the quotient and keeps exp from overflowing.
    """
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    p: Array = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return p


def softmax_grad(g: Array, y: Array) -> Array:
    """y_j (g_j - sum_k g_k y_k): raising one probability lowers the others."""
    grad: Array = y * (g - (g * y).sum(axis=-1, keepdims=True))
    return grad


def log_softmax(x: Array) -> Array:
    """x_j - ln sum_k exp(x_k), with the maximum subtracted."""
    shifted = x - x.max(axis=-1, keepdims=True)
    y: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return y


def log_softmax_grad(g: Array, y: Array) -> Array:
    """g_j - softmax_j sum_k g_k."""
    grad: Array = g - np.exp(y) * g.sum(axis=-1, keepdims=True)
    return grad


def target_cross_entropy(logits: Array, targets: Array) -> Array:
    """The mean surprise -ln p_j, if class j comes with probability t_j."""
    return -np.asarray((targets * log_softmax(logits)).sum(axis=-1))


def target_cross_entropy_grad(g: Array, logits: Array, targets: Array) -> Array:
    """What was predicted minus what was true, row by row."""
    p = softmax(logits) * targets.sum(axis=-1, keepdims=True)
    grad: Array = (p - targets) * g[..., None]
    return grad


def softmax_cross_entropy(logits: Array, labels: Array) -> tuple[Array, Array]:
    """The surprise at the true class, -log p_label, for each row; and the probabilities p.

    -log p_label = log(sum_k exp(x_k)) - x_label, again with the maximum subtracted from all x, so that
    no logarithm of a vanishing p is ever taken.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    at_label = np.take_along_axis(shifted, labels[:, None], axis=1)[:, 0]
    return np.log(np.exp(shifted).sum(axis=1)) - at_label, softmax(logits)


def softmax_cross_entropy_grad(g: Array, probabilities: Array, labels: Array) -> Array:
    """What was predicted minus what was true: (p - onehot(label)) * g, row by row."""
    onehot = np.eye(probabilities.shape[1], dtype=probabilities.dtype)[labels]
    grad: Array = (probabilities - onehot) * g[:, None]
    return grad


# --- Optimizers: these change p and its companions in place -----------------------------------------------


def sgd(
    p: Array, g: Array, velocity: Array | None, lr: float, momentum: float = 0.0, nesterov: bool = False
) -> None:
    """A step downhill; with momentum, a ball that rolls: velocity = momentum*velocity - lr*g, p += velocity.

    Nesterov's form looks one step of momentum ahead: p += momentum*velocity - lr*g.
    """
    if velocity is None:
        p -= lr * g
        return
    velocity[...] = momentum * velocity - lr * g
    p += momentum * velocity - lr * g if nesterov else velocity


def adam(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta_1: float, beta_2: float, epsilon: float, t: int
) -> None:
    """Steps of similar size for every parameter (Kingma & Ba 2015, in the form at the end of section 2).

    m and v are running means of g and g²; p moves by m / sqrt(v). Both began at zero, which
    alpha = lr * sqrt(1 - beta_2^t) / (1 - beta_1^t) makes up for in step t = 1, 2, ...
    """
    m += (1 - beta_1) * (g - m)
    v += (1 - beta_2) * (g * g - v)
    alpha = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    p -= alpha * m / (np.sqrt(v) + epsilon)


def where(condition: Array, x1: Any, x2: Any) -> Array:
    """x1 where the condition (bool) holds, x2 elsewhere."""
    return np.asarray(np.where(condition, x1, x2))
