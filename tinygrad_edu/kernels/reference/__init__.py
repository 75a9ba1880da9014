"""Every kernel once more, in plain NumPy: what the fast versions must compute, in a form to read."""

from tinygrad_edu.kernels.reference import _arrays, _images
from tinygrad_edu.kernels.reference._arrays import *  # noqa: F403
from tinygrad_edu.kernels.reference._images import *  # noqa: F403

__all__ = [*_arrays.__all__, *_images.__all__]
