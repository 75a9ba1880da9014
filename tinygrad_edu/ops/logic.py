"""Logical and bitwise operations, element by element."""

__all__: list[str] = []
