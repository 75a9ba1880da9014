"""Linear systems: inverse, solution, determinant.

The derivatives are those of M. Giles, "Collected matrix derivative results for forward and reverse mode
algorithmic differentiation" (2008), unless another source is named.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..errors import ArgumentError, ShapeError
from ..function import Function, shape_of
from ..kernels._threads import welcome_blas
from ..tensor import Tensor, as_array
from .parameters import whole_number
from .registry import register

__all__ = [
    "SlogdetResult",
    "det",
    "inv",
    "matrix_power",
    "slogdet",
    "solve",
    "solve_triangular",
]

SINGULAR = "is singular: its rows depend on one another, so it has no inverse; pinv gives the nearest to one"


def square(x: Any) -> Any:
    """Return x as an array, if it is one of square matrices (…, n, n)."""
    x = np.asarray(x)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"expected square matrices (…, n, n), got shape {x.shape}")
    return x


def finite(x: Any) -> Any:
    """Return x as an array, if it is one of matrices (…, n, m) without nan and inf."""
    x = np.asarray(x)
    if x.ndim < 2:
        raise ShapeError(f"expected matrices (…, n, m), got shape {x.shape}")
    bad = np.argwhere(~np.isfinite(x))
    if bad.size:
        place = tuple(bad[0].tolist())
        raise ArgumentError(f"element {place} is {x[place]}: a matrix with nan or inf has no such factors")
    return x


def on_each(routine: Callable[[Any], Any], x: Any, complaint: str) -> Any:
    """Call a routine of LAPACK on matrices (…, n, m); if it refuses, say which of them and why."""
    try:
        return routine(x)
    except np.linalg.LinAlgError:
        for place in np.ndindex(x.shape[:-2]):
            try:
                routine(x[place])
            except np.linalg.LinAlgError:
                which = f"matrix {place} of the batch" if place else "the matrix"
                raise ArgumentError(f"{which} {complaint}") from None
        raise


@register
class Inv(Function):
    name = "inv"
    formula = r"Y = X^{-1}"
    derivative = r"\bar{X} = -Y^\top \bar{Y} Y^\top"
    words = "Inverts matrices; the gradient passes through the inverse on both sides and turns its sign."

    @staticmethod
    def forward(x: Any) -> Any:
        return on_each(np.linalg.inv, square(x), SINGULAR)

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        turned = ops.matrix_transpose(out)
        return -(turned @ g @ turned)


def inv(x: Any, /) -> Tensor:
    """Return the inverses of square matrices (…, n, n). To solve a system, use solve: it is more exact.

    float32 stays float32, whole numbers give float64. Raises ShapeError if they aren't square, ArgumentError
    if one is singular, DTypeError for float16.

    >>> inv(Tensor([[2.0, 0.0], [0.0, 4.0]]))
    Tensor([[0.5 , 0.  ],
            [0.  , 0.25]])
    """
    return Inv.apply(x)


class _System(Function):
    """The solution of A X = B, where B is a vector (n,) or matrices (…, n, k), as in Matmul."""

    @staticmethod
    def gradients(g: Any, out: Any, shapes: Any, needs: Any, solved: Callable[[Any], Any]) -> Any:
        """Return the gradients of A and B, given how to solve with the transposed A."""
        (shape1, shape2), vector = shapes, len(shapes[1]) == 1
        if vector:
            g, out = ops.expand_dims(g, axis=-1), ops.expand_dims(out, axis=-1)
            shape2 = (*shape2, 1)
        db = solved(g)
        da = -(db @ ops.matrix_transpose(out)) if needs[0] else None
        db = ops.reshape(ops.unbroadcast(db, shape2), shapes[1])
        return da if da is None else ops.unbroadcast(da, shape1), db


@register
class Solve(_System):
    name = "solve"
    formula = r"X_1 Y = X_2"
    derivative = r"X_1^\top \bar{X}_2 = \bar{Y}, \quad \bar{X}_1 = -\bar{X}_2 Y^\top"
    words = "Solves linear equations; the gradient solves those of the transposed matrix."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        x1 = square(x1)
        try:
            return np.linalg.solve(x1, x2)
        except np.linalg.LinAlgError:
            on_each(np.linalg.inv, x1, SINGULAR)
            raise

    @classmethod
    def hint(cls, *inputs: Any) -> str:
        return _system_hint(*inputs)

    @staticmethod
    def backward(g: Any, x1: Any, out: Any, x1_shape: Any, x2_shape: Any, needs: tuple[bool, ...]) -> Any:
        turned = ops.matrix_transpose(x1)
        return _System.gradients(g, out, (x1_shape, x2_shape), needs, lambda b: solve(turned, b))


def solve(x1: Any, x2: Any, /) -> Tensor:
    """Return the Y with x1 @ Y = x2, for x1 (…, n, n) and x2 (n,) or (…, n, k); leading axes broadcast.

    The result is of float32 if both are, else of float64. Raises ShapeError if the shapes don't fit,
    ArgumentError if a matrix is singular, DTypeError for float16.

    >>> solve(Tensor([[2.0, 0.0], [0.0, 4.0]]), Tensor([1.0, 1.0]))
    Tensor([0.5 , 0.25])
    """
    return Solve.apply(x1, x2)


@cache
def _blas_functions() -> Any:
    """Load SciPy's BLAS, and return what finds its routines."""
    from scipy.linalg import get_blas_funcs

    welcome_blas()
    return get_blas_funcs


@register
class SolveTriangular(_System):
    name = "solve_triangular"
    formula = r"A Y = B, \quad A \text{ triangular}"
    derivative = r"A^\top \bar{B} = \bar{Y}, \quad \bar{A} = -\operatorname{tri}(\bar{B} Y^\top)"
    words = "Solves triangular equations, one unknown after the other; the gradient does so in reverse order."

    @staticmethod
    def forward(
        a: Any, b: Any, *, lower: bool = False, transposed: bool = False, unit_diagonal: bool = False
    ) -> Any:
        a, b = square(a), np.asarray(b)
        columns = b[:, None] if b.ndim == 1 else b
        if columns.ndim < 2 or columns.shape[-2] != a.shape[-1]:
            raise ShapeError("expected A (…, n, n) and B (n,) or (…, n, k)")
        dtype = np.result_type(a, b, np.float32) if a.dtype.kind == b.dtype.kind == "f" else np.float64
        batch = np.broadcast_shapes(a.shape[:-2], columns.shape[:-2])
        a = np.broadcast_to(a, (*batch, *a.shape[-2:])).astype(dtype, copy=False)
        columns = np.broadcast_to(columns, (*batch, *columns.shape[-2:])).astype(dtype, copy=False)
        y = np.empty(columns.shape, dtype)
        trsm = _blas_functions()("trsm", (a, columns))  # BLAS's own routine for this, in either precision
        for place in np.ndindex(batch) if y.size else ():
            if not unit_diagonal and not np.diagonal(a[place]).all():
                which = f"matrix {place} of the batch" if place else "the matrix"
                raise ArgumentError(f"{which} has a zero on its diagonal, so it is singular")
            y[place] = trsm(
                1.0, a[place], columns[place], lower=lower, trans_a=transposed, diag=unit_diagonal
            )
        return y[..., 0] if b.ndim == 1 else y

    @classmethod
    def hint(cls, *inputs: Any) -> str:
        return _system_hint(*inputs)

    @staticmethod
    def backward(
        g: Any, a: Any, out: Any, a_shape: Any, b_shape: Any, needs: tuple[bool, ...],
        lower: bool, transposed: bool, unit_diagonal: bool,
    ) -> Any:  # fmt: skip
        def solved(b: Any) -> Any:
            return solve_triangular(a, b, lower=lower, transposed=not transposed, unit_diagonal=unit_diagonal)

        da, db = _System.gradients(g, out, (a_shape, b_shape), needs, solved)
        if da is not None:
            da = triangle(ops.matrix_transpose(da) if transposed else da, lower, strict=unit_diagonal)
        return da, db


def solve_triangular(
    a: Any, b: Any, /, *, lower: bool = False, transposed: bool = False, unit_diagonal: bool = False
) -> Tensor:
    """Return the Y with a @ Y = b, or aᵀ @ Y = b if transposed, for a triangular a; shapes as in solve.

    Only the triangle that ``lower`` names is read, and not its diagonal if ``unit_diagonal`` says that it is
    all ones. The result is of float32 if both are, else of float64. Raises ShapeError if the shapes don't
    fit, ArgumentError if there is a 0 on the diagonal.

    >>> solve_triangular(Tensor([[2.0, 0.0], [1.0, 4.0]]), Tensor([2.0, 5.0]), lower=True)
    Tensor([1., 1.])
    """
    return SolveTriangular.apply(a, b, lower=lower, transposed=transposed, unit_diagonal=unit_diagonal)


def triangle(x: Any, lower: bool, *, strict: bool = False) -> Any:
    """Keep one triangle of matrices (…, n, n), with the diagonal or without it, and put 0 elsewhere."""
    inside = np.tri(x.shape[-1], k=-int(strict), dtype=bool)
    return ops.where(inside if lower else inside.T, x, 0.0)


def _system_hint(a: Any, b: Any) -> str:
    shape1, shape2 = shape_of(a), shape_of(b)
    if len(shape1) == len(shape2) + 1 > 2:
        return "a batch of vectors is written as matrices of one column: expand_dims(b, axis=-1)"
    return ""


@register
class Det(Function):
    name = "det"
    formula = r"y = \det X"
    derivative = r"\bar{X} = \bar{y} \operatorname{cof} X = \bar{y}\, y\, X^{-\top}"
    words = "The volume that a matrix stretches a unit cube to; the gradient holds the cofactors."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.linalg.det(square(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return ops.reshape(g, (*g.shape, 1, 1)) * Cofactor.apply(x)


def det(x: Any, /) -> Tensor:
    """Return the determinants of square matrices (…, n, n): (…). For large matrices slogdet can't overflow.

    The first two derivatives are right for singular matrices too; higher ones need an inverse. float32 stays
    float32, whole numbers give float64. Raises ShapeError if the matrices aren't square, DTypeError for
    float16.

    >>> det(Tensor([[2.0, 1.0], [0.0, 4.0]]))
    Tensor(8.)
    """
    return Det.apply(x)


@register
class Cofactor(Function):
    """The gradient of det, from the singular values, since X⁻ᵀ det X fails where det X is 0.

    With X = U S Vᵀ it is det(U Vᵀ) U cof(S) Vᵀ, and the i-th entry of cof(S) is the product of all
    singular values but s_i. In that basis the derivative needs the products of all but two.
    """

    name = "cofactor"
    formula = r"Y_{ij} = (-1)^{i+j} \det X_{\text{without row } i, \text{ column } j}"
    derivative = r"\bar{X} = \left( \langle Y, \bar{Y} \rangle Y - Y \bar{Y}^\top Y \right) / \det X"
    words = "The determinants of all smaller matrices that lack a row and a column: the gradient of det."

    @staticmethod
    def forward(x: Any) -> Any:
        u, s, vh, sign = _signed_svd(square(x))
        return sign * (u * _products_of_others(s)[..., None, :]) @ vh

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return CofactorGrad.apply(g, x)


@register
class CofactorGrad(Function):
    """The second derivative of det along G, from the singular values too; its own needs X to be regular."""

    name = "cofactor_grad"
    formula = (
        r"Z = \left( \langle Y, G \rangle Y - Y G^\top Y \right) / \det X, \quad Y = \operatorname{cof} X"
    )
    derivative = (
        r"\bar{G} = \text{the same of } \bar{Z}, \quad \bar{X} = \text{the same of } P - "
        r"\langle \bar{Z}, Z \rangle Y / \det X, \quad P \det X = "
        r"G \langle \bar{Z}, Y \rangle + \bar{Z} \langle Y, G \rangle - \bar{Z} Y^\top G - G Y^\top \bar{Z}"
    )
    words = "How the cofactors change with the matrix, along a direction: the second derivative of det."

    @staticmethod
    def forward(g: Any, x: Any) -> Any:
        u, s, vh, sign = _signed_svd(x)
        inner = np.swapaxes(u, -1, -2) @ g @ np.swapaxes(vh, -1, -2)
        n = s.shape[-1]
        pairs = np.zeros_like(inner)  # products of all singular values but the i-th and the j-th
        for i in range(n):
            pairs[..., i, :] = _products_of_others(np.where(np.arange(n) == i, 1, s))
            pairs[..., i, i] = 0
        own = pairs @ np.diagonal(inner, axis1=-2, axis2=-1)[..., None]
        return sign * u @ (np.eye(n, dtype=s.dtype) * own - pairs * np.swapaxes(inner, -1, -2)) @ vh

    @staticmethod
    def backward(h: Any, g: Any, x: Any, out: Any, needs: tuple[bool, ...]) -> Any:
        dg = CofactorGrad.apply(h, x) if needs[0] else None
        if not needs[1] or x.shape[-1] < 3:  # the determinant of two rows is a quadratic
            return dg, None
        y, yt = Cofactor.apply(x), ops.matrix_transpose(Cofactor.apply(x))
        det = ops.reshape(ops.det(x), (*x.shape[:-2], 1, 1))
        p = g * _inner(h, y) + h * _inner(y, g) - h @ yt @ g - g @ yt @ h
        return dg, CofactorGrad.apply(p / det, x) - _inner(h, out) / det * y


def _inner(a: Any, b: Any) -> Any:
    """Return the sum of the products of the elements of two matrices, as a matrix of one element."""
    return ops.sum(a * b, axis=(-2, -1), keepdims=True)


def _signed_svd(x: Any) -> tuple[Any, Any, Any, Any]:
    u, s, vh = np.linalg.svd(finite(x))
    return u, s, vh, np.sign(np.linalg.det(u) * np.linalg.det(vh))[..., None, None]


def _products_of_others(s: Any) -> Any:
    n = s.shape[-1]
    return np.prod(np.where(np.eye(n, dtype=bool), 1, s[..., None, :]), axis=-1, dtype=s.dtype)


class SlogdetResult(NamedTuple):
    """The sign of a determinant and the logarithm of its size."""

    sign: Any
    logabsdet: Any


@register
class SlogDet(Function):
    name = "slogdet"
    formula = r"s = \operatorname{sign} \det X, \quad y = \ln |\det X|"
    derivative = r"\bar{X} = \bar{y}\, X^{-\top}"
    words = "A determinant's sign and logarithm; the logarithm's gradient is the inverse, transposed."

    @staticmethod
    def forward(x: Any) -> Any:
        return tuple(np.linalg.slogdet(square(x)))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return ops.reshape(g[1], (*g[1].shape, 1, 1)) * ops.matrix_transpose(ops.inv(x))


def slogdet(x: Any, /) -> SlogdetResult:
    """Return (sign, logabsdet) of the determinants of square matrices (…, n, n): two results (…).

    A singular matrix has sign 0 and logarithm -inf; its gradient raises ArgumentError. The sign's gradient is
    0. float32 stays float32, whole numbers give float64. Raises ShapeError if the matrices aren't square,
    DTypeError for float16.

    >>> slogdet(Tensor([[1.0, 0.0], [0.0, -1.0]]))
    SlogdetResult(sign=Tensor(-1.), logabsdet=Tensor(0.))
    """
    return SlogdetResult(*SlogDet.apply(x))


def matrix_power(x: Any, n: int, /) -> Tensor:
    """Return the n-fold products of square matrices (…, n, n) with themselves, by squaring; n < 0 inverts.

    The 0th power is the identity. The dtype is x's, but of whole numbers inverted float64. Raises ShapeError
    if the matrices aren't square, DTypeError if n isn't a whole number, ArgumentError if a matrix to invert
    is singular.

    >>> matrix_power(Tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
    Tensor([[1., 5.],
            [0., 1.]])
    """
    shape = shape_of(x)
    n = whole_number("matrix_power: the exponent", n)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ShapeError(f"matrix_power: expected square matrices (…, n, n), got shape {tuple(shape)}")
    x = x if isinstance(x, Tensor) else as_array(x)
    if n < 0:
        return matrix_power(inv(x), -n)
    if n == 0:
        ones = np.broadcast_to(np.eye(shape[-1], dtype=x.dtype), shape).copy()
        return Tensor(ones) if isinstance(x, Tensor) else ones  # type: ignore[return-value]  # an array
    if n == 1:
        return x  # type: ignore[no-any-return]
    half = matrix_power(x, n // 2)
    return half @ half @ x if n % 2 else half @ half
