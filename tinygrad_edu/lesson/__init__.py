"""What the tutorials share: a lesson's settings, its pictures and claims, and how one is read and run.

A tutorial is a script of percent cells (``tutorials/README.md`` has the conventions). It makes a `Lesson`;
everything else here serves the command ``tinygrad-edu tutorial``.
"""

from .cells import Cell, read_cells
from .claims import Claim, ClaimError
from .script import Lesson, Picture

__all__ = ["Cell", "Claim", "ClaimError", "Lesson", "Picture", "read_cells"]
