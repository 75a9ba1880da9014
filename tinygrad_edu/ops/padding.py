"""Padding: a border of zeros, of the edge's values or of a mirror image."""

__all__: list[str] = []
