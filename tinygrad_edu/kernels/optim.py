"""Optimizer steps: each parameter and its running means, updated in place in one pass over memory.

The idea: NumPy's ``p -= lr * m / (sqrt(v) + epsilon)`` walks through memory once for each operator and
makes an array for each result in between. The arithmetic is cheap and memory is slow, so here one loop
reads p, g, m and v once, does all of the arithmetic in registers, and writes p, m and v once. The compiler
turns it into vector instructions by itself, since no element depends on another. So a large parameter may
be cut anywhere: each task of the parallel form takes a piece that fits a core's cache.

One call a parameter, and no arena in which all of them lie one after another: gathering the gradients
there would read and write them once more, which for a million parameters costs as much as a third of
the step, and saves a call of one or two microseconds for each of the others.
"""

import math

import numpy as np
from numba import prange

from tinygrad_edu.errors import DTypeError, ShapeError
from tinygrad_edu.kernels._arrays import Array, ready
from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._threads import run

__all__ = ["adam", "sgd"]

_PIECE = 8192  # elements a task


@jit(fastmath=True)
def _sgd(p: Array, g: Array, lr: float) -> None:
    lr = p.dtype.type(lr)
    for i in range(p.size):
        p[i] -= lr * g[i]


@jit(parallel=True, fastmath=True)
def _sgd_parallel(p: Array, g: Array, lr: float) -> None:
    for piece in prange(-(-p.size // _PIECE)):
        a, b = piece * _PIECE, min((piece + 1) * _PIECE, p.size)
        _sgd(p[a:b], g[a:b], lr)


@jit(fastmath=True)
def _momentum(p: Array, g: Array, velocity: Array, lr: float, momentum: float, nesterov: bool) -> None:
    lr, momentum = p.dtype.type(lr), p.dtype.type(momentum)
    for i in range(p.size):
        step = lr * g[i]
        speed = momentum * velocity[i] - step
        velocity[i] = speed
        p[i] += momentum * speed - step if nesterov else speed


@jit(parallel=True, fastmath=True)
def _momentum_parallel(
    p: Array, g: Array, velocity: Array, lr: float, momentum: float, nesterov: bool
) -> None:
    for piece in prange(-(-p.size // _PIECE)):
        a, b = piece * _PIECE, min((piece + 1) * _PIECE, p.size)
        _momentum(p[a:b], g[a:b], velocity[a:b], lr, momentum, nesterov)


@jit(fastmath=True)
def _adam(
    p: Array, g: Array, m: Array, v: Array, alpha: float, beta_1: float, beta_2: float, epsilon: float
) -> None:
    kind = p.dtype.type
    alpha, rest_1, rest_2, epsilon = kind(alpha), kind(1 - beta_1), kind(1 - beta_2), kind(epsilon)
    for i in range(p.size):
        m_i = m[i] + rest_1 * (g[i] - m[i])
        v_i = v[i] + rest_2 * (g[i] * g[i] - v[i])
        m[i] = m_i
        v[i] = v_i
        p[i] -= alpha * m_i / (np.sqrt(v_i) + epsilon)


@jit(parallel=True, fastmath=True)
def _adam_parallel(
    p: Array, g: Array, m: Array, v: Array, alpha: float, beta_1: float, beta_2: float, epsilon: float
) -> None:
    for piece in prange(-(-p.size // _PIECE)):
        a, b = piece * _PIECE, min((piece + 1) * _PIECE, p.size)
        _adam(p[a:b], g[a:b], m[a:b], v[a:b], alpha, beta_1, beta_2, epsilon)


def _flat(p: Array, g: Array, *state: Array) -> list[Array]:
    """Return one-dimensional views of a parameter, its gradient, and what is changed along with it."""
    dtype, shape = p.dtype, p.shape
    flat = []
    for a in (p, g, *state):
        if a.dtype is not dtype or a.shape != shape or not a.flags.carray:
            a = _mended(p, g, a)
        flat.append(a if a.ndim == 1 else a.ravel())  # contiguous, so a view
    return flat


def _mended(p: Array, g: Array, a: Array) -> Array:
    """Convert a gradient, which is only read, and say what is wrong with anything else."""
    if a is g:
        a = ready(a, p.dtype)
    if a.dtype not in (np.float32, np.float64) or a.dtype != p.dtype:
        raise DTypeError(f"an optimizer's arrays must be all float32 or all float64, got {a.dtype}")
    if a.shape != p.shape:
        raise ShapeError(
            f"an optimizer's arrays must all have the parameter's shape {p.shape}, got {a.shape}"
        )
    if not a.flags.carray:
        raise ShapeError("an optimizer's arrays must be contiguous and writeable; use np.array(a, order='C')")
    return a


def sgd(
    p: Array, g: Array, velocity: Array | None, lr: float, momentum: float = 0.0, nesterov: bool = False
) -> None:
    """Make a step of gradient descent, in place, with Keras' formulas.

    Without velocity: p -= lr*g. With it: velocity = momentum*velocity - lr*g, then p += velocity, or with
    nesterov p += momentum*velocity - lr*g.

    Parameters
    ----------
    p : ndarray of any shape, float32 or float64
        The parameter; changed.
    g : ndarray like p
        Its gradient.
    velocity : ndarray like p, or None
        Changed. None is plain descent: momentum and nesterov then mean nothing.
    lr, momentum : float
    nesterov : bool

    Raises
    ------
    ShapeError, DTypeError
        If the arrays aren't alike, contiguous and writeable.

    Examples
    --------
    >>> import numpy as np
    >>> p, velocity = np.zeros(2), np.zeros(2)
    >>> sgd(p, np.array([1.0, -2.0]), velocity, lr=0.1, momentum=0.9)
    >>> p
    array([-0.1,  0.2])
    """
    if velocity is None:
        p, g = _flat(p, g)
        run(_sgd, _sgd_parallel, (p, g, float(lr)), p.size)
    else:
        p, g, velocity = _flat(p, g, velocity)
        run(
            _momentum,
            _momentum_parallel,
            (p, g, velocity, float(lr), float(momentum), bool(nesterov)),
            p.size,
        )


def adam(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta_1: float, beta_2: float, epsilon: float, t: int
) -> None:
    """Make step number t of Adam, in place (Kingma & Ba 2015, in the form at the end of section 2, as Keras).

    m += (1-beta_1)*(g - m); v += (1-beta_2)*(g*g - v); alpha = lr*sqrt(1-beta_2^t)/(1-beta_1^t);
    p -= alpha*m/(sqrt(v) + epsilon).

    Parameters
    ----------
    p : ndarray of any shape, float32 or float64
        The parameter; changed.
    g : ndarray like p
        Its gradient.
    m, v : ndarray like p
        Running means of g and g*g, zero before the first step; changed.
    lr, beta_1, beta_2, epsilon : float
    t : int
        The step's number, from 1.

    Raises
    ------
    ShapeError, DTypeError
        If the arrays aren't alike, contiguous and writeable.

    Examples
    --------
    >>> import numpy as np
    >>> p, m, v = np.zeros(2), np.zeros(2), np.zeros(2)
    >>> adam(p, np.array([1.0, -2.0]), m, v, 0.1, 0.9, 0.999, 1e-7, t=1)
    >>> p.round(4)  # the first step has the size of lr whatever the gradient's size
    array([-0.1,  0.1])
    """
    alpha = float(lr) * math.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    p, g, m, v = _flat(p, g, m, v)
    run(_adam, _adam_parallel, (p, g, m, v, alpha, float(beta_1), float(beta_2), float(epsilon)), p.size)
