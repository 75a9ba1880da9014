"""Angles and hyperbolas: sine, cosine and their relatives, element by element."""

__all__: list[str] = []
