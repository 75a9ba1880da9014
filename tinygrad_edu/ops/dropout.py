"""Dropout: noise while training."""

__all__: list[str] = []
