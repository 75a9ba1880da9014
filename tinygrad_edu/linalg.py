"""Linear algebra, with the names of the array API standard's extension: factorizations, systems, products.

Matrices are the last two axes, (…, n, m), and all axes before them are a batch. Every result has exact
derivatives of any order, but for whole numbers.

>>> import tinygrad_edu as te
>>> from tinygrad_edu import linalg
>>> x = te.Tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
>>> linalg.slogdet(x).logabsdet.backward()
>>> x.grad
Tensor([[ 0.6, -0.2],
        [-0.2,  0.4]])
"""

from .ops.factorizations import (
    cholesky,
    eigh,
    eigvalsh,
    matrix_norm,
    matrix_rank,
    pinv,
    qr,
    svd,
    svdvals,
)
from .ops.indexing import diagonal
from .ops.products import cross, matmul, outer, tensordot, trace, vecdot
from .ops.shape import matrix_transpose
from .ops.solving import det, inv, matrix_power, slogdet, solve, solve_triangular
from .ops.statistics import vector_norm

__all__ = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]
