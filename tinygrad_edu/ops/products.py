"""Linear algebra: the matrix product, and the layer's x @ W + b in one operation."""

import math
from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError
from ..function import Function, shape_of
from ..tensor import Tensor
from .registry import register

__all__ = ["linear", "matmul"]


@register
class Matmul(Function):
    name = "matmul"
    formula = r"Y = X_1 X_2"
    derivative = r"\bar{X}_1 = \bar{Y} X_2^\top, \quad \bar{X}_2 = X_1^\top \bar{Y}"
    words = "Multiplies matrices; each gradient is the result's, multiplied by the other matrix transposed."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        try:
            return np.matmul(x1, x2)
        except ValueError:
            raise ShapeError("expected (…, n, k) and (…, k, m), leading axes equal or 1") from None

    @staticmethod
    def backward(g: Any, x1: Any, x2: Any, needs: tuple[bool, ...]) -> Any:
        # A vector stands in as a row on the left and as a column on the right.
        shape1, shape2 = x1.shape, x2.shape
        if len(shape1) == 1:
            x1, g = ops.expand_dims(x1, axis=0), ops.expand_dims(g, axis=len(g.shape) - (len(shape2) > 1))
        if len(shape2) == 1:
            x2, g = ops.expand_dims(x2, axis=1), ops.expand_dims(g, axis=len(g.shape))
        dx1 = dx2 = None
        if needs[0]:
            dx1 = ops.matmul(g, ops.matrix_transpose(x2))
            dx1 = ops.reshape(ops.unbroadcast(dx1, x1.shape), shape1)
        if needs[1]:
            dx2 = ops.matmul(ops.matrix_transpose(x1), g)
            dx2 = ops.reshape(ops.unbroadcast(dx2, x2.shape), shape2)
        return dx1, dx2

    @classmethod
    def hint(cls, *inputs: Any) -> str:
        a, b = shape_of(inputs[0]), shape_of(inputs[1])
        if not a or not b:
            return "a single number has no rows; multiply by it with *"
        inner = b[-2] if len(b) > 1 else b[0]
        text = f"the inner sizes {a[-1]} and {inner} differ"
        if len(b) > 1 and a[-1] == b[-1]:
            return f"{text}; did you mean x1 @ x2.T?"
        if len(a) > 1 and a[-2] == inner:
            return f"{text}; did you mean x1.T @ x2?"
        return text


def matmul(x1: Any, x2: Any, /) -> Tensor:
    """Return the matrix product of (…, n, k) and (…, k, m): (…, n, m); leading axes broadcast.

    A vector (k,) counts as a row on the left and a column on the right, as in NumPy. Raises ShapeError if
    the inner sizes differ.

    >>> matmul(Tensor([[1.0, 2.0]]), Tensor([[3.0], [4.0]]))
    Tensor([[11.]])
    """
    return Matmul.apply(x1, x2)


@register
class Linear(Function):
    name = "linear"
    formula = r"Y = X W + b"
    derivative = r"\bar{X} = \bar{Y} W^\top, \quad \bar{W} = X^\top \bar{Y}, \quad \bar{b} = \sum_i \bar{Y}_i"
    words = "A dense layer: each output is a weighted sum of the inputs plus a bias."

    @staticmethod
    def forward(x: Any, w: Any, b: Any) -> Any:
        if w.ndim != 2 or b.shape != w.shape[1:] or x.ndim < 1 or x.shape[-1] != w.shape[0]:
            raise ShapeError("expected x (…, inputs), w (inputs, outputs), b (outputs,)")
        y = np.matmul(x, w)
        if y.dtype == b.dtype and isinstance(y, np.ndarray):
            return np.add(y, b, out=y)
        return y + b

    @staticmethod
    def backward(g: Any, x: Any, w: Any, needs: tuple[bool, ...]) -> Any:
        inputs, outputs = w.shape
        n = math.prod(x.shape[:-1])  # not -1, which NumPy can't work out for 0 inputs or outputs
        rows = ops.reshape(g, (n, outputs)) if len(g.shape) != 2 else g
        dx = ops.matmul(g, w.T) if needs[0] else None
        dw = None
        if needs[1]:
            flat = ops.reshape(x, (n, inputs)) if len(x.shape) != 2 else x
            dw = ops.matmul(flat.T, rows)
        return dx, dw, ops.sum(rows, axis=0) if needs[2] else None

    @classmethod
    def hint(cls, *inputs: Any) -> str:
        x, w = shape_of(inputs[0]), shape_of(inputs[1])
        if len(w) == 2 and x and x[-1] != w[0]:
            return f"x has {x[-1]} features in its last axis, the layer was built for {w[0]}"
        return ""


def linear(x: Any, w: Any, b: Any, /) -> Tensor:
    """Return x @ w + b for x (…, inputs), w (inputs, outputs) and b (outputs,): (…, outputs).

    >>> linear(Tensor([[1.0, 2.0]]), Tensor([[3.0], [4.0]]), Tensor([0.5]))
    Tensor([[11.5]])
    """
    return Linear.apply(x, w, b)
