"""Linear systems: inverse, solve, determinant, pseudo-inverse."""

__all__: list[str] = []
