"""Indexing: picking elements out of a tensor, and putting others in their places."""

__all__: list[str] = []
