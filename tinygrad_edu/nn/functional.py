"""Plain functions on tensors: everything in :mod:`tinygrad_edu.ops`, for those who look for it here."""

from ..ops import *
