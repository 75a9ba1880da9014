"""Losses: how far predictions are from the truth."""

__all__: list[str] = []
