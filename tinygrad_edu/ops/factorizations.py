"""Matrix factorizations: Cholesky, QR, eigenvalues, singular values."""

__all__: list[str] = []
