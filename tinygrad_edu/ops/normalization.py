"""Batch, layer and group normalisation."""

__all__: list[str] = []
