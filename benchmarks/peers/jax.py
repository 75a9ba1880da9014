"""JAX: a network is a function of its weights, and one compiled function is the whole training step.

It has no layers and no optimizers of its own. Weights stay the dict by path that ours come as, and images
have channels last.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..harness import Job

Array = np.ndarray[Any, Any]
IMAGES = ("NHWC", "HWIO", "NHWC")


def dense(w: Any, name: str, x: Any) -> Any:
    return x @ w[f"{name}/kernel"] + w[f"{name}/bias"]


def conv(x: Any, kernel: Any, strides: int = 1, padding: str = "SAME", groups: int = 1) -> Any:
    return lax.conv_general_dilated(
        x, kernel, (strides, strides), padding, dimension_numbers=IMAGES, feature_group_count=groups
    )


def depthwise(x: Any, kernel: Any) -> Any:
    kh, kw, channels, multiplier = kernel.shape
    return conv(x, kernel.reshape(kh, kw, 1, channels * multiplier), groups=channels)


def conv_transpose(x: Any, kernel: Any, strides: int = 1) -> Any:
    return lax.conv_transpose(
        x, kernel, (strides, strides), "SAME", dimension_numbers=IMAGES, transpose_kernel=True
    )


def max_pool(x: Any, size: int, strides: int, padding: str = "VALID") -> Any:
    window = (1, size, size, 1), (1, strides, strides, 1)
    return lax.reduce_window(x, -jnp.inf, lax.max, *window, padding)


def batch_norm(w: Any, name: str, x: Any) -> tuple[Any, Any, Any]:
    """Return the normalised images, the mean and the variance."""
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    scale = w[f"{name}/gamma"] * lax.rsqrt(variance + 1e-3)
    return (x - mean) * scale + w[f"{name}/beta"], mean, variance


def cross_entropy(logits: Any, labels: Any) -> Any:
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], axis=-1)
    return -chosen.mean()


def binary_cross_entropy(logits: Any, targets: Any) -> Any:
    return jax.nn.softplus(logits) - targets * logits


def training(
    loss_of: Callable[..., Any],
    weights: Mapping[str, Array],
    optimizer: str,
    rate: float,
    *data: Array,
    statistics: Any = None,
) -> Job:
    """Return the step for ``loss_of(weights, key, *data)``, with a key for what it draws at random.

    With ``statistics``, running averages by path, the loss takes them after the weights and returns a pair:
    itself and the averages as they are now.
    """

    def losses(w: Any, averages: Any, key: Any, *batch: Any) -> Any:
        return loss_of(w, averages, key, *batch) if averages else (loss_of(w, key, *batch), averages)

    @jax.jit
    def advance(w: Any, slots: Any, averages: Any, key: Any, *batch: Any) -> Any:
        key, now = jax.random.split(key)
        (loss, averages), g = jax.value_and_grad(losses, has_aux=True)(w, averages, now, *batch)
        if optimizer == "sgd":
            return jax.tree.map(lambda p, g: p - rate * g, w, g), slots, averages, key, loss
        m, v, t = slots
        t += 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        size = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        w = jax.tree.map(lambda p, m, v: p - size * m / (jnp.sqrt(v) + 1e-7), w, m, v)
        return w, (m, v, t), averages, key, loss

    w = {path: jnp.asarray(a) for path, a in weights.items()}
    zeros = jax.tree.map(jnp.zeros_like, w)
    state = [w, (zeros, zeros, jnp.zeros((), jnp.float32)), statistics or {}, jax.random.key(0)]
    batch = [jnp.asarray(a) for a in data]

    def step() -> float:
        *now, loss = advance(*state, *batch)
        state[:] = now
        return float(loss)

    return Job(step)
