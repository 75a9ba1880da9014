"""Products, spread and size: prod, variance, norms."""

__all__: list[str] = []
