"""Order: sort, search, the largest few, the distinct values."""

__all__: list[str] = []
