"""Products of vectors, matrices and tensors, and the layer's x @ W + b in one operation."""

import math
from collections.abc import Sequence
from string import ascii_letters
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .. import kernels, ops
from ..errors import ArgumentError, ShapeError
from ..function import Function, shape_of
from ..tensor import Tensor
from .activations import ReLU
from .fused import is_float32
from .parameters import whole_number
from .reduction import normalize_axes, normalize_axis
from .registry import register

__all__ = ["cross", "einsum", "linear", "matmul", "outer", "tensordot", "trace", "vecdot"]

_FEW = 1000  # multiplications below which the calls take longer than the arithmetic


def _product(x1: Any, x2: Any) -> Any:
    """Multiply as np.matmul does, where it pays by the kernel that has every thread."""
    x1, x2 = np.asarray(x1), np.asarray(x2)
    if x1.dtype == x2.dtype == np.float32 and x1.ndim > 1 and x2.ndim > 1:
        return kernels.matmul(x1, x2)
    return np.matmul(x1, x2)


@register
class Matmul(Function):
    name = "matmul"
    formula = r"Y = X_1 X_2"
    derivative = r"\bar{X}_1 = \bar{Y} X_2^\top, \quad \bar{X}_2 = X_1^\top \bar{Y}"
    words = "Multiplies matrices; each gradient is the result's, multiplied by the other matrix transposed."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        try:
            return _product(x1, x2)
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

    A vector (k,) counts as a row on the left and a column on the right, as in NumPy. The dtypes promote;
    whole numbers stay whole. Raises ShapeError if the inner sizes differ, or for a single number, DTypeError
    for text.

    >>> matmul(Tensor([[1.0, 2.0]]), Tensor([[3.0], [4.0]]))
    Tensor([[11.]])
    """
    return Matmul.apply(x1, x2)


@register
class Linear(Function):
    name = "linear"
    formula = r"Y = \varphi(X W + b), \quad \varphi(t) = t \text{ or } \max(0, t)"
    derivative = (
        r"H = \bar{Y}\, \varphi'; \quad \bar{X} = H W^\top, \quad \bar{W} = X^\top H, \quad "
        r"\bar{b} = \sum_i H_i"
    )
    words = (
        "A dense layer: each output is a weighted sum of the inputs plus a bias, cut off below 0 if it is to "
        "be, while it is still in the processor's registers."
    )

    @staticmethod
    def forward(x: Any, w: Any, b: Any, *, activation: str | None) -> Any:
        if w.ndim != 2 or b.shape != w.shape[1:] or x.ndim < 1 or x.shape[-1] != w.shape[0]:
            raise ShapeError("expected x (…, inputs), w (inputs, outputs), b (outputs,)")
        relu = activation == "relu"
        if x.dtype == w.dtype == b.dtype == np.float32 and x.ndim > 1:
            if _is_small(x, w):
                return kernels.linear(x, w, b, relu)
            return kernels.matmul(x, w, bias=b, relu=relu)
        y = np.matmul(x, w) + b
        return np.maximum(y, 0) if relu else y

    @staticmethod
    def backward(g: Any, x: Any, w: Any, out: Any, needs: tuple[bool, ...], activation: str | None) -> Any:
        if is_float32(g) and _is_small(x, w):
            return kernels.linear_grad(g, x, w, out if activation == "relu" else None, needs[0])
        if activation == "relu":
            g = ReLU.backward(g, out)
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


def _is_small(x: Any, w: Any) -> Any:
    return x.ndim == 2 and len(x) * w.size < _FEW


def linear(x: Any, w: Any, b: Any, /, *, activation: str | None = None) -> Tensor:
    """Return x @ w + b for x (…, inputs), w (inputs, outputs) and b (outputs,): (…, outputs).

    With ``activation="relu"`` what is negative becomes 0, in the same pass over the result. The dtypes
    promote. Raises ShapeError if the shapes don't fit, ArgumentError for another activation, DTypeError for
    text.

    >>> linear(Tensor([[1.0, 2.0]]), Tensor([[3.0], [4.0]]), Tensor([0.5]))
    Tensor([[11.5]])
    >>> linear(Tensor([[1.0, 2.0]]), Tensor([[3.0], [-4.0]]), Tensor([0.5]), activation="relu")
    Tensor([[0.]])
    """
    if activation not in (None, "relu"):
        raise ArgumentError(f'linear: activation must be None or "relu", got {activation!r}')
    return Linear.apply(x, w, b, activation=activation)


@register
class Einsum(Function):
    name = "einsum"
    formula = r"y_r = \sum \prod_k x^{(k)}_{t_k}"
    derivative = r"\bar{x}^{(k)}_{t_k} = \sum \bar{y}_r \prod_{l \ne k} x^{(l)}_{t_l}"
    words = (
        "Multiplies, and sums over the indices that the result lacks; a gradient is such a sum too, with the "
        "result's gradient in the input's place."
    )

    @staticmethod
    def forward(*operands: Any, subscripts: str) -> Any:
        operands, terms, result, _ = _unstretched(operands, subscripts)
        dtype = np.result_type(*operands)  # where a Python number doesn't widen float32
        operands = tuple([np.asarray(x, dtype) for x in operands])
        # With an order worked out by cost, and BLAS for the products: np.einsum_path shows it.
        return np.einsum(f"{','.join(terms)}->{result}", *operands, optimize=len(operands) > 1)

    @staticmethod
    def backward(g: Any, operands: Any, shapes: Any, subscripts: str, needs: tuple[bool, ...]) -> Any:
        xs, terms, result, sizes = _unstretched(operands, subscripts)
        gradients: list[Any] = []
        for k, need in enumerate(needs):
            if not need:
                gradients.append(None)
                continue
            factors, names = [g, *xs[:k], *xs[k + 1 :]], [result, *terms[:k], *terms[k + 1 :]]
            free = iter(_letters_without("".join(names) + terms[k]))
            wanted = ""
            for c in terms[k]:
                if c in wanted:  # a diagonal was read: off it, the gradient is 0
                    wanted += next(free)
                    factors.append(np.eye(sizes[c], dtype=g.dtype))
                    names.append(c + wanted[-1])
                    continue
                wanted += c
                if not any(c in name for name in names):  # it was summed over: copy along it
                    factors.append(np.ones(sizes[c], g.dtype))
                    names.append(c)
            dx = ops.einsum(f"{','.join(names)}->{wanted}", *factors)
            gradients.append(ops.reshape(dx, shapes[k]))
        return tuple(gradients)


def einsum(subscripts: str, /, *operands: Any) -> Tensor:
    """Return a sum of products by Einstein's convention, as np.einsum does; the dtypes promote.

    Each operand's axes are named by letters, ``...`` stands for those before or between, and what isn't named
    after ``->`` is summed over: "ij,jk->ik" takes (n, m) and (m, k) to (n, k). Without ``->`` the letters
    that occur once are kept, in alphabetical order. Axes of one name must be equal, or 1. Raises
    ArgumentError for an expression that makes no sense, ShapeError for sizes that don't fit.

    >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> einsum("ij,kj->ik", x, x), einsum("ii", x)
    (Tensor([[ 5., 11.],
            [11., 25.]]), Tensor(5.))
    """
    if not isinstance(subscripts, str):
        raise ArgumentError(f"einsum: expected an expression like 'ij,jk->ik' first, got {subscripts!r}")
    return Einsum.apply(*operands, subscripts=subscripts)


def _letters_without(taken: str) -> list[str]:
    return [c for c in ascii_letters if c not in taken]


def _parsed(subscripts: str, shapes: list[Any]) -> tuple[list[str], str, dict[str, int]]:
    """Return each operand's letters, the result's, and the sizes; ``...`` is spelt out in unused letters."""
    text = subscripts.replace(" ", "")
    left, arrow, result = text.partition("->")
    terms = left.split(",")
    for term in (*terms, result):
        bare = term.replace("...", "", 1)
        if bare and not (bare.isascii() and bare.isalpha()):
            raise ArgumentError(
                f"can't read {term!r} in {subscripts!r}: expected a letter for each axis, and ... for others"
            )
    if len(terms) != len(shapes):
        raise ArgumentError(f"{subscripts!r} is for {len(terms)} operands, but there are {len(shapes)}")
    dots = [len(shape) - len(term.replace("...", "")) for term, shape in zip(terms, shapes, strict=True)]
    for k, (term, n) in enumerate(zip(terms, dots, strict=True)):
        if n < 0 or (n > 0 and "..." not in term):
            raise ShapeError(f"operand {k} has {len(shapes[k])} axes, but {term!r} names {len(term)}")
    most = max(dots)
    named = "".join(_letters_without(text)[:most])
    if arrow and most and "..." not in result:
        raise ArgumentError(f"{subscripts!r} has ... on the left alone; the result needs it too")
    once = [c for c in sorted(left) if c.isalpha() and left.count(c) == 1]
    result = (result if arrow else f"...{''.join(once)}").replace("...", named)
    terms = [term.replace("...", named[most - n :]) for term, n in zip(terms, dots, strict=True)]
    for c in result:
        if result.count(c) > 1 or not any(c in term for term in terms):
            raise ArgumentError(f"{c!r} in the result of {subscripts!r} must be an index of an operand, once")
    sizes: dict[str, int] = {}
    for k, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        own: dict[str, int] = {}
        for c, n in zip(term, shape, strict=True):
            if n != own.setdefault(c, n):
                raise ShapeError(f"index {c!r} is {own[c]} and {n} in operand {k} of {subscripts!r}")
            if n != sizes.setdefault(c, n) and 1 not in (n, sizes[c]):
                raise ShapeError(f"index {c!r} is {sizes[c]}, but {n} in operand {k} of {subscripts!r}")
            sizes[c] = n if sizes[c] == 1 else sizes[c]
    return terms, result, sizes


def _unstretched(operands: Any, subscripts: str) -> tuple[Any, list[str], str, dict[str, int]]:
    """Read the expression, and drop the axes of length 1 that are stretched: a sum doesn't need them."""
    shapes = [shape_of(x) for x in operands]
    terms, result, sizes = _parsed(subscripts, shapes)
    thin: list[Any] = []
    for k, (x, shape) in enumerate(zip(operands, shapes, strict=True)):
        kept = [(c, n) for c, n in zip(terms[k], shape, strict=True) if n == sizes[c]]
        if len(kept) < len(shape):
            x, terms[k] = ops.reshape(x, [n for _, n in kept]), "".join([c for c, _ in kept])
        thin.append(x)
    return tuple(thin), terms, result, sizes


def tensordot(x1: Any, x2: Any, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Tensor:
    """Return the sum of products over the last ``axes`` axes of x1 and the first of x2, or over named pairs.

    The result has the other axes of x1, then those of x2: with axes=1, (…, k) and (k, …) lose k. The dtypes
    promote; whole numbers stay whole. Raises ShapeError if the sizes of a pair differ or there is no such
    axis, ArgumentError for more axes than both have.

    >>> tensordot(Tensor([[1.0, 2.0]]), Tensor([[3.0, 4.0]]), axes=([1], [1]))
    Tensor([[11.]])
    """
    shape1, shape2 = shape_of(x1), shape_of(x2)
    n1, n2 = len(shape1), len(shape2)
    if not isinstance(axes, tuple | list):
        axes = whole_number("tensordot: axes, unless it names axes of both,", axes)
        if not 0 <= axes <= min(n1, n2):
            raise ArgumentError(f"tensordot: axes={axes} needs as many in both, got {shape1} and {shape2}")
        axes = (range(n1 - axes, n1), range(axes))
    if len(axes) != 2:
        raise ArgumentError(f"tensordot: expected the axes of x1 and those of x2, got axes={axes}")
    over1, over2 = (
        normalize_axes(tuple(a) if np.ndim(a) else (a,), n, "tensordot")
        for a, n in zip(axes, (n1, n2), strict=True)
    )
    if [shape1[a] for a in over1] != [shape2[a] for a in over2]:
        raise ShapeError(f"tensordot: axes {over1} of {shape1} and {over2} of {shape2} must be equally long")
    names1, names2 = list(ascii_letters[:n1]), list(ascii_letters[n1 : n1 + n2])
    for a, b in zip(over1, over2, strict=True):
        names2[b] = names1[a]
    result = [c for c in names1 + names2 if (c in names1) != (c in names2)]
    return einsum(f"{''.join(names1)},{''.join(names2)}->{''.join(result)}", x1, x2)


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Tensor:
    """Return the dot products of the vectors along an axis, which must be equally long; the others broadcast.

    The axis is counted from the end, or from the front if both have as many axes: ArgumentError is raised if
    not. The dtypes promote; whole numbers stay whole. Raises ShapeError if the lengths differ or there is no
    such axis.

    >>> vecdot(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([10.0, 1.0]))
    Tensor([12., 34.])
    """
    (a, n), (b, m) = _vectors("vecdot", x1, x2, axis)
    if n != m:
        raise ShapeError(f"vecdot: the vectors have {n} and {m} elements: {shape_of(x1)}, {shape_of(x2)}")
    return einsum("...i,...i->...", _axis_last(x1, a), _axis_last(x2, b))


def _vectors(name: str, x1: Any, x2: Any, axis: int) -> list[tuple[int, int]]:
    """Return for both which axis the vectors lie along, and how long they are."""
    shapes = [shape_of(x1), shape_of(x2)]
    if len(shapes[0]) != len(shapes[1]) and whole_number(f"{name}: axis", axis) >= 0:
        raise ArgumentError(
            f"{name}: axis={axis} of {shapes[0]} and {shapes[1]}: count from the end, -1 the last"
        )
    axes = [normalize_axis(axis, len(shape), name) for shape in shapes]
    return [(a, shape[a]) for a, shape in zip(axes, shapes, strict=True)]


def _axis_last(x: Any, axis: int) -> Any:
    n = len(shape_of(x))
    return x if axis == n - 1 else ops.permute_dims(x, [i for i in range(n) if i != axis] + [axis])


def outer(x1: Any, x2: Any, /) -> Tensor:
    """Return all products of the elements of two vectors (n,) and (m,): (n, m).

    The dtypes promote; whole numbers stay whole. Raises ShapeError for other shapes, DTypeError for text.

    >>> outer(Tensor([1.0, 2.0]), Tensor([3.0, 4.0, 5.0]))
    Tensor([[ 3.,  4.,  5.],
            [ 6.,  8., 10.]])
    """
    return einsum("i,j->ij", x1, x2)


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Tensor:
    """Return the cross products of the vectors of 3 along an axis; the other axes broadcast.

    It stands at right angles on both. The dtypes promote; whole numbers stay whole. Raises ShapeError if a
    vector hasn't 3 elements or there is no such axis, DTypeError for bools.

    >>> cross(Tensor([1.0, 0.0, 0.0]), Tensor([0.0, 1.0, 0.0]))
    Tensor([0., 0., 1.])
    """
    (a, n), (b, m) = _vectors("cross", x1, x2, axis)
    if (n, m) != (3, 3):
        raise ShapeError(f"cross: expected vectors of 3, got {n} and {m}: {shape_of(x1)}, {shape_of(x2)}")
    x1, x2 = _axis_last(x1, a), _axis_last(x2, b)
    after, before = (..., [1, 2, 0]), (..., [2, 0, 1])
    y = ops.getitem(x1, after) * ops.getitem(x2, before) - ops.getitem(x1, before) * ops.getitem(x2, after)
    n = len(y.shape)
    at = axis % n
    return y if at == n - 1 else ops.permute_dims(y, [*range(at), n - 1, *range(at, n - 1)])


def trace(x: Any, /, *, offset: int = 0, dtype: DTypeLike | None = None) -> Tensor:
    """Return the sum of the diagonal of matrices (…, n, m): (…); a positive offset is above the main one.

    ``dtype`` is the one to sum in, by default as in :func:`sum`. Raises ShapeError for less than two axes.

    >>> trace(Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor(5.)
    """
    along = ops.diagonal(x, offset=offset)
    return ops.sum(along if dtype is None else along.astype(dtype), axis=-1)
