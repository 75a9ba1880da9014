"""Embedding and attention."""

__all__: list[str] = []
