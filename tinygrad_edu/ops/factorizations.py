"""Matrix factorizations: Cholesky, QR, eigenvalues, singular values and what is made of these.

An eigenvector, or a pair of singular vectors, is determined but for its sign, and among those of equal
values but for a rotation: there it has no derivative. The rules leave out what would be a division by 0, so
whatever depends on the values alone, or on the space that the vectors span, has the right gradient.
"""

from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..errors import ArgumentError, GradientError, ShapeError, unknown_name
from ..function import Function, shape_of
from ..tensor import Tensor
from .registry import register
from .solving import finite, on_each, solve_triangular, square
from .statistics import as_floats, vector_norm

__all__ = [
    "EighResult",
    "QRResult",
    "SVDResult",
    "cholesky",
    "eigh",
    "eigvalsh",
    "matrix_norm",
    "matrix_rank",
    "pinv",
    "qr",
    "svd",
    "svdvals",
]


def _t(x: Any) -> Any:
    return ops.matrix_transpose(x)


def _symmetric(x: Any) -> Any:
    """Return the symmetric part; of a symmetric matrix that is the matrix itself, bit by bit."""
    half = x / 2
    return half + _t(half)


def _columns(values: Any) -> Any:
    """Turn one number for each column into what multiplies the columns."""
    return ops.expand_dims(values, axis=len(values.shape) - 1)


def _inverse_or_0(x: Any) -> Any:
    """Return 1 / x, and 0 where x is 0."""
    data = x.data if isinstance(x, Tensor) else x
    zero = np.abs(data) < np.finfo(data.dtype).tiny
    return ops.where(zero, 0.0, 1.0 / ops.where(zero, 1.0, x))


@register
class Cholesky(Function):
    name = "cholesky"
    formula = r"X = L L^\top"
    derivative = (
        r"\bar{X} = \operatorname{sym}\left( L^{-\top} \Phi(L^\top \bar{L}) L^{-1} \right), "
        r"\quad \Phi(A) = \operatorname{tril} A - \tfrac{1}{2} \operatorname{diag} A"
    )
    words = "A square root of a covariance: triangular, so that systems with it are quick to solve."

    @staticmethod
    def forward(x: Any, *, upper: bool = False) -> Any:
        complaint = (
            "isn't positive definite, so it has no Cholesky factor; if it should be but for rounding, add a "
            "small number to the diagonal, such as 1e-6 times its mean"
        )
        x = _symmetric(square(x))
        return on_each(lambda a: np.linalg.cholesky(a, upper=upper), x, complaint)

    @staticmethod
    def backward(g: Any, out: Any, upper: bool) -> Any:
        l, g = (_t(out), _t(g)) if upper else (out, g)  # noqa: E741
        n = g.shape[-1]
        phi = np.tri(n, dtype=g.dtype) - np.eye(n, dtype=g.dtype) / 2
        left = solve_triangular(l, (_t(l) @ g) * phi, lower=True, transposed=True)
        return _symmetric(solve_triangular(l, _t(left), lower=True, transposed=True))


def cholesky(x: Any, /, *, upper: bool = False) -> Tensor:
    """Return the triangular L with L Lᵀ = x, or Lᵀ if ``upper``, for positive definite x (…, n, n).

    Only the symmetric part of x, (x + xᵀ) / 2, counts, so the gradient is symmetric too. float32 stays
    float32, whole numbers give float64. Raises ShapeError if the matrices aren't square, ArgumentError if one
    isn't positive definite, DTypeError for float16. (Murray, "Differentiation of the Cholesky decomposition",
    2016.)

    >>> cholesky(Tensor([[4.0, 2.0], [2.0, 2.0]]))
    Tensor([[2., 0.],
            [1., 1.]])
    """
    return Cholesky.apply(x, upper=upper)


class QRResult(NamedTuple):
    """A matrix of orthonormal columns and an upper triangular one."""

    Q: Any
    R: Any


@register
class QR(Function):
    name = "qr"
    formula = r"X = Q R, \quad Q^\top Q = I, \quad R \text{ upper triangular}"
    derivative = (
        r"\bar{X} = \left( \bar{Q} + Q \operatorname{copyltu}(R \bar{R}^\top - \bar{Q}^\top Q) \right) "
        r"R^{-\top}"
    )
    words = "Orthogonal axes for the columns' space (Gram and Schmidt), and the columns written in them."

    @staticmethod
    def forward(x: Any, *, mode: str = "reduced") -> Any:
        if mode not in ("reduced", "complete"):
            raise unknown_name("mode", mode, ["reduced", "complete"])
        qr: Any = np.linalg.qr  # whose types know no mode that is a variable
        return tuple(qr(x, mode=mode))

    @staticmethod
    def backward(g: Any, x: Any, out: Any) -> Any:
        (q, r), (dq, dr) = out, g
        m, n = x.shape[-2:]
        k = min(m, n)
        _refuse(dq[..., k:], f"the last {m - k} columns of qr's Q")
        q, r, dq, dr = q[..., :k], r[..., :k, :], dq[..., :k], dr[..., :k, :]
        rest = None
        if n > m:  # the columns beyond the square are Q times those of R
            rest = q @ dr[..., m:]
            dq = dq + x[..., m:] @ _t(dr[..., m:])
            r, dr = r[..., :m], dr[..., :m]
        both = r @ _t(dr) - _t(dq) @ q
        both = ops.where(np.tri(k, dtype=bool), both, _t(both))  # copyltu: the lower triangle, mirrored
        try:
            dx = _t(solve_triangular(r, _t(dq + q @ both)))
        except ArgumentError:
            raise GradientError("qr has no gradient here: the columns depend on one another") from None
        return dx if rest is None else ops.concat([dx, rest], axis=-1)


def qr(x: Any, /, *, mode: str = "reduced") -> QRResult:
    """Return (Q, R) with Q @ R = x for x (…, m, n): (…, m, k) and (…, k, n) with k = min(m, n).

    With mode "complete", k = m; the columns of Q beyond n are then any that complete it, and have no
    gradient. The first k columns of x must be independent: GradientError is raised for others. float32 stays
    float32, whole numbers give float64. Raises ArgumentError for another mode, ShapeError for less than two
    axes. (Walter & Lehmann, "Algorithmic differentiation of linear algebra functions", 2010; Seeger et al.,
    "Auto-differentiating linear algebra", 2017.)

    >>> qr(Tensor([[0.0, 2.0], [3.0, 0.0]])).R
    Tensor([[-3.,  0.],
            [ 0., -2.]])
    """
    return QRResult(*QR.apply(x, mode=mode))


class EighResult(NamedTuple):
    """Eigenvalues in ascending order, and the eigenvectors as columns."""

    eigenvalues: Any
    eigenvectors: Any


@register
class Eigh(Function):
    name = "eigh"
    formula = r"X = V \operatorname{diag}(\lambda) V^\top, \quad V^\top V = I"
    derivative = (
        r"\bar{X} = \operatorname{sym}\left( V ( \operatorname{diag} \bar{\lambda} "
        r"+ F \circ V^\top \bar{V} ) V^\top \right), \quad F_{ij} = 1 / (\lambda_j - \lambda_i), F_{ii} = 0"
    )
    words = "The axes that a symmetric matrix only stretches, and by how much; close values turn them fast."

    @staticmethod
    def forward(x: Any) -> Any:
        return tuple(np.linalg.eigh(_symmetric(finite(square(x)))))

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        (dw, dv), (w, v) = g, out
        gaps = _columns(w) - ops.expand_dims(w, axis=len(w.shape))
        eye = np.eye(w.shape[-1], dtype=w.dtype)
        return _symmetric(v @ (eye * _columns(dw) + _inverse_or_0(gaps) * (_t(v) @ dv)) @ _t(v))


def eigh(x: Any, /) -> EighResult:
    """Return (eigenvalues, eigenvectors) of symmetric x (…, n, n): (…, n), ascending, and (…, n, n), columns.

    Only the symmetric part of x, (x + xᵀ) / 2, counts, so the gradient is symmetric too. Where eigenvalues
    are equal, their vectors have no derivative: there the gradient is right for what depends on the values,
    or on the space of those vectors; second derivatives aren't. float32 stays float32, whole numbers give
    float64. Raises ShapeError if the matrices aren't square, ArgumentError for nan and inf. (Giles,
    "Collected matrix derivative results", 2008.)

    >>> eigh(Tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    Tensor([1., 2.])
    """
    return EighResult(*Eigh.apply(x))


def eigvalsh(x: Any, /) -> Tensor:
    """Return the eigenvalues of symmetric x (…, n, n) in ascending order: (…, n).

    What counts, the dtypes and what it raises are as for eigh.

    >>> eigvalsh(Tensor([[0.0, 1.0], [1.0, 0.0]]))
    Tensor([-1.,  1.])
    """
    return eigh(x).eigenvalues  # type: ignore[no-any-return]


class SVDResult(NamedTuple):
    """Left singular vectors as columns, singular values, right singular vectors as rows."""

    U: Any
    S: Any
    Vh: Any


@register
class SVD(Function):
    name = "svd"
    formula = r"X = U \operatorname{diag}(\sigma) V^\top, \quad U^\top U = V^\top V = I"
    derivative = (
        r"\bar{X} = U \left( \operatorname{diag} \bar{\sigma} "
        r"+ (F \circ (U^\top \bar{U} - \bar{U}^\top U)) S "
        r"+ S (F \circ (V^\top \bar{V} - \bar{V}^\top V)) \right) V^\top "
        r"+ (I - U U^\top) \bar{U} S^{-1} V^\top + U S^{-1} \bar{V}^\top (I - V V^\top), "
        r"\quad F_{ij} = 1 / (\sigma_j^2 - \sigma_i^2), F_{ii} = 0"
    )
    words = "A turn, a stretch along the axes, another turn: any matrix is such a product."

    @staticmethod
    def forward(x: Any, *, full_matrices: bool = True) -> Any:
        return tuple(np.linalg.svd(finite(x), full_matrices=full_matrices))

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        (u, s, vh), (du, ds, dvh) = out, g
        k, m, n = s.shape[-1], u.shape[-2], vh.shape[-1]
        _refuse(du[..., k:], f"the last {m - k} columns of svd's U")
        _refuse(dvh[..., k:, :], f"the last {n - k} rows of svd's Vh")
        u, du, v, dv = u[..., :k], du[..., :k], _t(vh[..., :k, :]), _t(dvh[..., :k, :])
        columns, rows = _columns(s), ops.expand_dims(s, axis=len(s.shape))
        f = _inverse_or_0((columns - rows) * (columns + rows))
        u_du, v_dv = _t(u) @ du, _t(v) @ dv
        middle = np.eye(k, dtype=s.dtype) * _columns(ds)
        middle = middle + f * (u_du - _t(u_du)) * columns + rows * f * (v_dv - _t(v_dv))
        dx = u @ middle @ _t(v)
        inverse = _inverse_or_0(columns)
        if m > k:  # u may also turn out of the space that its columns span
            dx = dx + ((du - u @ u_du) * inverse) @ _t(v)
        if n > k:
            dx = dx + u @ _t((dv - v @ v_dv) * inverse)
        return dx


def svd(x: Any, /, *, full_matrices: bool = True) -> SVDResult:
    """Return (U, S, Vh) with U @ diag(S) @ Vh = x (…, m, n): (…, m, k), (…, k) descending and (…, k, n).

    k is min(m, n); with ``full_matrices`` U is (…, m, m) and Vh (…, n, n), filled up with any vectors that
    complete them, whose gradient raises GradientError. Where singular values are equal or 0, their vectors
    have no derivative: there the gradient is right for what depends on the values, or on the space of those
    vectors; second derivatives aren't. float32 stays float32, whole numbers give float64. Raises ShapeError
    for less than two axes, ArgumentError for nan and inf. (Townsend, "Differentiating the singular value
    decomposition", 2016.)

    >>> svd(Tensor([[3.0, 0.0], [0.0, 4.0]])).S
    Tensor([4., 3.])
    """
    return SVDResult(*SVD.apply(x, full_matrices=full_matrices))


def svdvals(x: Any, /) -> Tensor:
    """Return the singular values of x (…, m, n) in descending order: (…, min(m, n)).

    The dtypes and what it raises are as for svd.

    >>> svdvals(Tensor([[0.0, -2.0], [1.0, 0.0]]))
    Tensor([2., 1.])
    """
    return svd(x, full_matrices=False).S  # type: ignore[no-any-return]


def _refuse(g: Any, what: str) -> None:
    """Raise if a gradient flows into vectors that were only filled in."""
    if np.any(g.data if isinstance(g, Tensor) else g):
        raise GradientError(
            f"{what} are any that complete the matrix, so they have no gradient; leave them out of the loss"
        )


@register
class Pinv(Function):
    name = "pinv"
    formula = r"Y = X^+"
    derivative = (
        r"\bar{X} = -Y^\top \bar{Y} Y^\top + (I - X Y) \bar{Y}^\top Y Y^\top "
        r"+ Y^\top Y \bar{Y}^\top (I - Y X)"
    )
    words = "The matrix that solves in the sense of least squares; beside an inverse's, two more terms."

    @staticmethod
    def forward(x: Any, *, rtol: Any = None) -> Any:
        rtol = cutoff(x) if rtol is None else rtol
        return np.linalg.pinv(finite(x), rtol=rtol)

    @staticmethod
    def backward(g: Any, x: Any, out: Any) -> Any:
        turned, g_turned = ops.matrix_transpose(out), ops.matrix_transpose(g)
        left = g_turned @ out @ turned
        right = turned @ out @ g_turned
        return -(turned @ g @ turned) + (left - x @ (out @ left)) + (right - (right @ out) @ x)


def pinv(x: Any, /, *, rtol: Any = None) -> Tensor:
    """Return the pseudo-inverses (…, m, n) of matrices (…, n, m) (Moore & Penrose).

    Singular values below ``rtol`` times the largest count as 0; by default max(n, m) times the dtype's
    epsilon. The gradient is that among matrices of the same rank; where the rank changes, the pseudo-inverse
    jumps (Golub & Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems whose
    variables separate", 1973). float32 stays float32, whole numbers give float64. Raises ShapeError for less
    than two axes, ArgumentError for nan and inf.

    >>> pinv(Tensor([[1.0], [1.0]]))
    Tensor([[0.5, 0.5]])
    """
    return Pinv.apply(x, rtol=rtol)


@register
class MatrixRank(Function):
    name = "matrix_rank"
    formula = r"y = \#\{i : \sigma_i > \text{rtol} \cdot \sigma_1\}"
    words = "Counts the singular values that aren't 0: a whole number, so without a gradient."

    @staticmethod
    def forward(x: Any, *, rtol: Any = None) -> Any:
        s = np.linalg.svd(finite(x), compute_uv=False)
        rtol = np.asarray(cutoff(x) if rtol is None else rtol)
        return np.count_nonzero(s > np.max(s, axis=-1, keepdims=True, initial=0) * rtol[..., None], axis=-1)


def matrix_rank(x: Any, /, *, rtol: Any = None) -> Tensor:
    """Return the number of independent rows of matrices (…, n, m): whole numbers (…); ``rtol`` as in pinv.

    Raises ShapeError for less than two axes, ArgumentError for nan and inf.

    >>> matrix_rank(Tensor([[1.0, 2.0], [2.0, 4.0]]))
    Tensor(1)
    """
    return MatrixRank.apply(x, rtol=rtol)


def cutoff(x: Any) -> float:
    """Return which share of the largest singular value is rounding."""
    x = np.asarray(x)
    return float(max(x.shape[-2:]) * np.finfo(x.dtype if x.dtype.kind == "f" else np.float64).eps)


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    """Return a norm of the matrices (…, n, m): (…), or (…, 1, 1) with ``keepdims``.

    "fro" (or None): the root of the sum of squares; "nuc": the sum of the singular values; 2 and -2: the
    largest and the smallest of them; 1 and -1: the largest and smallest sum of sizes in a column; inf and
    -inf: in a row. float32 stays float32, whole numbers give float64. Raises ArgumentError for another
    ``ord``, ShapeError for less than two axes.

    >>> matrix_norm(Tensor([[3.0, 0.0], [0.0, -4.0]]), ord="nuc")
    Tensor(7.)
    """
    if len(shape_of(x)) < 2:
        raise ShapeError(f"matrix_norm: expected matrices (…, n, m), got shape {tuple(shape_of(x))}")
    if ord in ("fro", None):
        return vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord in ("nuc", 2, -2):
        reduce = {"nuc": ops.sum, 2: ops.max, -2: ops.min}[ord]
        y = reduce(svdvals(x), axis=-1)
    elif ord in (1, -1, np.inf, -np.inf):
        sums = ops.sum(ops.abs(as_floats(x)), axis=-2 if ord in (1, -1) else -1)
        y = (ops.max if ord > 0 else ops.min)(sums, axis=-1)
    else:
        raise ArgumentError(f"matrix_norm: unknown ord {ord!r}; known: 'fro', 'nuc', 1, -1, 2, -2, inf, -inf")
    return ops.reshape(y, (*y.shape, 1, 1)) if keepdims else y
