"""Whole numbers, signs and remainders: flat pieces between jumps, element by element."""

__all__: list[str] = []
