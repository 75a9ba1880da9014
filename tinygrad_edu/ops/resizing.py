"""Upsampling of images: nearest and bilinear."""

__all__: list[str] = []
