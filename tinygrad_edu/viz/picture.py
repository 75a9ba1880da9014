"""Picture: Matplotlib's Figure, which a notebook shows without pyplot."""

from io import BytesIO

from matplotlib.figure import Figure

from .figures import our_style

__all__ = ["Picture"]


class Picture(Figure):
    """A Figure that no window manager knows; as the last line of a notebook's cell it is shown all the same.

    >>> Picture(figsize=(1, 1))._repr_png_()[1:4]
    b'PNG'
    """

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        with our_style():
            self.savefig(file, format="png")
        return file.getvalue()
