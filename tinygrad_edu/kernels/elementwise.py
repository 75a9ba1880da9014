"""Activation functions and their gradients, element by element: one pass over memory, on all cores.

The idea: in an array bigger than the cache, reading a number costs more than computing with it. In NumPy
``g * y * (1 - y)`` walks through memory three times and makes two arrays that nobody wants; tanh and erf
call a library once a number; and all of it happens on one core. Here each function, and each gradient, is one
loop. The formula for a single number is a small function, here or in :mod:`_scalar`; :func:`_loops` puts the
loop around it; the compiler makes vector code of the two, and the cores share it.

What all of them have in common:

Parameters
    x, y, g : ndarray of any shape, float32. x is a function's input, y its result, g the gradient of its
    result, of the same shape.
    out : ndarray of that shape and dtype, optional. Filled and returned; may be x, y or g.
Returns
    ndarray of that shape.
Raises
    ShapeError if g and the array beside it differ in shape, or out has another shape or dtype.

float64 is NumPy's and SciPy's business: there each function is its plain twin in :mod:`reference`. Errors are
in units in the last place (ulp) of the true value, for float32.
"""

import math
from functools import cache, partial
from typing import Any

import numpy as np
from numba import prange

from tinygrad_edu.errors import ShapeError
from tinygrad_edu.kernels import _scalar, reference
from tinygrad_edu.kernels._arrays import Array, deliver, output, ready
from tinygrad_edu.kernels._jit import part, two_forms
from tinygrad_edu.kernels._threads import run

__all__ = [
    "erf", "exp", "expm1", "gelu", "gelu_grad", "relu", "relu_grad", "sigmoid", "sigmoid_grad", "silu",
    "silu_grad", "softplus", "softplus_grad", "tanh", "tanh_grad",
]  # fmt: skip

_FLOAT32 = np.dtype(np.float32)
_WORK = 2  # multiplications that a number costs; some functions take ten, others only wait for memory
_MINUS_ZERO = np.float32(-0.0)
_ZERO, _ONE = np.float32(0), np.float32(1)  # 1 alone is an int64, and beside it a float32 becomes a float64


@cache
def _loops(function: Any) -> tuple[Any, Any]:
    """Compile the loop over arrays of a function of one to three numbers, for one core and for all."""

    def over_one(x: Array, out: Array) -> None:
        for i in prange(out.size):
            out[i] = function(x[i])

    def over_two(g: Array, x: Array, out: Array) -> None:
        for i in prange(out.size):
            out[i] = function(g[i], x[i])

    def over_three(g: Array, x: Array, t: Array, out: Array) -> None:
        for i in prange(out.size):
            out[i] = function(g[i], x[i], t[i])

    loop: Any = (over_one, over_two, over_three)[function.py_func.__code__.co_argcount - 1]
    return two_forms(loop, function.__name__.lstrip("_"))


def each(function: Any, twin: Any, out: Array | None, *arrays: Array) -> Array:
    """Apply a function of numbers to arrays of float32, or its twin to arrays of other dtypes."""
    shape = arrays[0].shape
    for a in arrays:
        if a.shape != shape:
            raise ShapeError(f"expected arrays of one shape, got {shape} and {a.shape}")
        if a.dtype != _FLOAT32:
            with np.errstate(all="ignore"):  # compiled code doesn't warn either
                result = twin(*arrays)
            if out is not None:
                output(out, shape, result.dtype)  # refuses one that doesn't fit
            return deliver(result, out)
    result = output(out, shape, _FLOAT32)
    flat = [ready(a).reshape(-1) for a in (*arrays, result)]
    run(*_loops(function), tuple(flat), _WORK * result.size)
    return deliver(result, out)


# --- exp and its like -------------------------------------------------------------------------------------


def exp(x: Array, out: Array | None = None) -> Array:
    """Return e^x within 1.1 ulp, subnormal results included; inf above 88.72.

    >>> exp(np.array([0.0, 1.0]))
    array([1.        , 2.71828183])
    """
    return each(_scalar.exp, reference.exp, out, x)


def expm1(x: Array, out: Array | None = None) -> Array:
    """Return e^x - 1 within 2 ulp, for small x too.

    >>> expm1(np.array([0.0, 1e-10]))
    array([0.e+00, 1.e-10])
    """
    return each(_scalar.expm1, reference.expm1, out, x)


def erf(x: Array, out: Array | None = None) -> Array:
    """Return the error function within 1.1 ulp.

    >>> erf(np.array([0.0, 1.0]))
    array([0.        , 0.84270079])
    """
    return each(_scalar.erf, reference.erf, out, x)


# --- tanh and the sigmoid ---------------------------------------------------------------------------------


@part
def _tanh_grad(g: Any, y: Any) -> Any:
    return g * (_ONE - y * y)


@part
def _sigmoid_grad(g: Any, y: Any) -> Any:
    return g * y * (_ONE - y)


def tanh(x: Array, out: Array | None = None) -> Array:
    """Return the hyperbolic tangent within 2.5 ulp.

    >>> tanh(np.array([0.0, 1.0]))
    array([0.        , 0.76159416])
    """
    return each(_scalar.tanh, reference.tanh, out, x)


def tanh_grad(g: Array, y: Array, out: Array | None = None) -> Array:
    """Return g (1 - y²), the gradient of tanh from its result y.

    >>> tanh_grad(np.array([2.0]), np.array([0.5]))
    array([1.5])
    """
    return each(_tanh_grad, reference.tanh_grad, out, g, y)


def sigmoid(x: Array, out: Array | None = None) -> Array:
    """Return 1 / (1 + e^-x) within 2.5 ulp, the smallest results too.

    >>> sigmoid(np.array([0.0, -1000.0]))
    array([0.5, 0. ])
    """
    return each(_scalar.sigmoid, reference.sigmoid, out, x)


def sigmoid_grad(g: Array, y: Array, out: Array | None = None) -> Array:
    """Return g y (1 - y), the gradient of the sigmoid from its result y.

    >>> sigmoid_grad(np.array([2.0]), np.array([0.5]))
    array([0.5])
    """
    return each(_sigmoid_grad, reference.sigmoid_grad, out, g, y)


# --- ReLU and its smooth relatives ------------------------------------------------------------------------


@part
def _relu(x: Any) -> Any:
    return _ZERO if x <= _ZERO else x  # nan is neither less nor greater, and stays


@part
def _relu_grad(g: Any, y: Any) -> Any:
    return g if y > _ZERO else _ZERO


@part
def _softplus_grad(g: Any, x: Any) -> Any:
    return g * _scalar.sigmoid(x)


@part
def _silu(x: Any) -> Any:
    return x * _scalar.sigmoid(x)


@part
def _silu_grad(g: Any, x: Any) -> Any:
    gate = _scalar.sigmoid(x)
    return g * gate * (_ONE + x * (_ONE - gate))


def relu(x: Array, out: Array | None = None) -> Array:
    """Return x, and 0 where it is negative.

    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return each(_relu, reference.relu, out, x)


def relu_grad(g: Array, y: Array, out: Array | None = None) -> Array:
    """Return g where relu's result y is positive, else 0; from its input x it is the same.

    >>> relu_grad(np.array([3.0, np.inf]), np.array([2.0, 0.0]))
    array([3., 0.])
    """
    return each(_relu_grad, reference.relu_grad, out, g, y)


def softplus(x: Array, out: Array | None = None) -> Array:
    """Return ln(1 + e^x) within 3 ulp, without overflow.

    >>> softplus(np.array([0.0, 1000.0]))
    array([6.93147181e-01, 1.00000000e+03])
    """
    return each(_scalar.softplus, reference.softplus, out, x)


def softplus_grad(g: Array, x: Array, out: Array | None = None) -> Array:
    """Return g sigmoid(x), the gradient of softplus.

    >>> softplus_grad(np.array([2.0]), np.array([0.0]))
    array([1.])
    """
    return each(_softplus_grad, reference.softplus_grad, out, g, x)


def silu(x: Array, out: Array | None = None) -> Array:
    """Return x sigmoid(x) within 3.5 ulp above -87; below, the sigmoid itself has fewer digits.

    >>> silu(np.array([-1.0, 2.0]))
    array([-0.26894142,  1.76159416])
    """
    return each(_silu, reference.silu, out, x)


def silu_grad(g: Array, x: Array, out: Array | None = None) -> Array:
    """Return g s (1 + x (1 - s)), the gradient of silu, where s is the sigmoid of x.

    >>> silu_grad(np.array([2.0]), np.array([0.0]))
    array([1.])
    """
    return each(_silu_grad, reference.silu_grad, out, g, x)


# --- GELU -------------------------------------------------------------------------------------------------

_A = np.float32(2 * math.sqrt(2 / math.pi))
_B, _B3 = np.float32(0.044715), np.float32(3 * 0.044715)
_PEAK = np.float32(2.0**-64 / math.sqrt(2 * math.pi))  # of the normal curve, for 2^64 times its shape


@part
def _gelu(x: Any) -> Any:
    """Return x tail(-x) below 0, and x - x tail(x) above: the larger of x and 0, less |x| tail(|x|)."""
    t = _bounded(x)
    tail, _ = _scalar.normal_tail(t)
    return (_MINUS_ZERO if x < _MINUS_ZERO else x) + (x if x < -t else -t) * tail


@part
def _bounded(x: Any) -> Any:
    size = abs(x)
    return _scalar.TAIL_HIGH if size > _scalar.TAIL_HIGH else size


@part
def _gelu_grad(g: Any, x: Any) -> Any:
    tail, shape = _scalar.normal_tail(_bounded(x))
    return g * ((_ONE - tail if x > _ZERO else tail) + x * (_PEAK * shape))


@part
def _gelu_tanh(x: Any) -> Any:
    return x * _scalar.sigmoid(_A * x * (_ONE + _B * (x * x)))


@part
def _gelu_tanh_grad(g: Any, x: Any) -> Any:
    square = x * x
    gate = _scalar.sigmoid(_A * x * (_ONE + _B * square))
    return g * (gate + x * gate * (_ONE - gate) * _A * (_ONE + _B3 * square))


def gelu(x: Array, approximate: bool = False, out: Array | None = None) -> Array:
    """Return x times the area under the normal curve up to x; approximate: Hendrycks and Gimpel's, by tanh.

    The share is within 8 ulp, far in the tail too, where 1 + erf would leave nothing.

    >>> gelu(np.array([-1.0, 2.0]))
    array([-0.15865525,  1.95449974])
    """
    if approximate:
        return each(_gelu_tanh, partial(reference.gelu, approximate=True), out, x)
    return each(_gelu, reference.gelu, out, x)


def gelu_grad(g: Array, x: Array, approximate: bool = False, out: Array | None = None) -> Array:
    """Return g (Φ(x) + x Φ'(x)), the gradient of gelu, where Φ is the area and Φ' the normal curve.

    >>> gelu_grad(np.array([2.0]), np.array([0.0]))
    array([1.])
    """
    if approximate:
        return each(_gelu_tanh_grad, partial(reference.gelu_grad, approximate=True), out, g, x)
    return each(_gelu_grad, reference.gelu_grad, out, g, x)
