"""Tools to test gradients and operations with: for this package's tests and for yours.

:func:`gradcheck` and :func:`gradgradcheck` compare a gradient with differences of values. The strategies
draw shapes, axes, indices and arrays for property tests; they need the ``hypothesis`` package.

>>> import numpy as np, tinygrad_edu as te
>>> from tinygrad_edu.testing import gradcheck
>>> gradcheck(te.tanh, np.array([-1.0, 0.5]))
True
"""

from .gradients import gradcheck, gradgradcheck
from .strategies import (
    LAYOUTS,
    arrays,
    axes,
    broadcastable_shapes,
    indices,
    shapes,
    tensors,
    with_layout,
)

__all__ = [
    "LAYOUTS",
    "arrays",
    "axes",
    "broadcastable_shapes",
    "gradcheck",
    "gradgradcheck",
    "indices",
    "shapes",
    "tensors",
    "with_layout",
]
