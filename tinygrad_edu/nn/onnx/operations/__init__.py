"""What each operation is in ONNX: a few lines for each, one file a family. Importing them enters them all."""

from ..graph import EXPORTS
from . import elementwise, images, products, reductions, shapes  # noqa: F401

__all__ = ["EXPORTS"]
