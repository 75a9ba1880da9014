"""Molecules as chemists draw them, by RDKit."""

import io
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.smiles import to_smiles
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, unknown_name
from tinygrad_edu.viz.galleries import show_images

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["show_molecules"]

_PIXELS = 400  # a side; a panel is some 200 dots wide in a file


def show_molecules(
    molecules: ArrayLike,
    path: str | PathLike[str] | None = None,
    *,
    notation: Literal["deepsmiles", "smiles"] = "deepsmiles",
    titles: Sequence[object] | None = None,
    columns: int | None = None,
    title: str | None = None,
) -> "Figure":
    """Draw the structures of molecules in a grid; hydrogen is left out, as chemists do.

    It needs the extra ``drawing`` (RDKit).

    Parameters
    ----------
    molecules : text, or N texts
        `data.is_molecule` tells beforehand which of a network's texts are molecules.
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    notation : "deepsmiles" or "smiles"
        How the texts are written, as in `data.molecules`.
    titles : N texts, optional
        Such as the gap; by default the texts themselves.
    columns, title :
        As in `show_images`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError, DTypeError
        A text that is no molecule (the message says which), none at all, or titles that don't belong to them.
    ArgumentError
        RDKit isn't installed, an unknown notation, another suffix.
    FileError
        The file can't be written.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> molecules = data.molecules()
    >>> gaps = [f"{27.2114 * gap:.1f} eV" for gap in molecules.y_test[:6]]
    >>> show_molecules(molecules.x_test[:6], titles=gaps)  # doctest: +SKIP
    """
    if notation not in ("deepsmiles", "smiles"):
        raise unknown_name("notation", notation, ("deepsmiles", "smiles"))
    texts = np.atleast_1d(np.asarray(molecules))
    if texts.dtype.kind != "U" or texts.ndim != 1:
        raise DTypeError(
            f"show_molecules: texts are expected, in a list; got {texts.shape} of {texts.dtype}. "
            "data.decode_strings makes texts of what a network gives."
        )
    if not texts.size:
        raise DataError("show_molecules: there is no molecule to show.")
    pictures = np.stack([_draw(number, str(text), notation) for number, text in enumerate(texts)])
    names = texts.tolist() if titles is None else titles
    return show_images(pictures, path, titles=names, columns=columns, title=title)


def _draw(number: int, text: str, notation: str) -> NDArray[Any]:
    """Return a molecule as an image, (height, width, 3) of uint8."""
    try:
        from rdkit import Chem, rdBase
        from rdkit.Chem.Draw import rdMolDraw2D
    except ImportError:
        raise ArgumentError("show_molecules: needs RDKit; pip install 'tinygrad_edu[drawing]'") from None
    from matplotlib.image import imread

    smiles = to_smiles(text) if notation == "deepsmiles" else text
    with rdBase.BlockLogs():  # what it would print, our error says
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or not molecule.GetNumAtoms():
        raise DataError(
            f"show_molecules: number {number}, {text!r}, is no molecule"
            + (f" (in SMILES {smiles!r})" if smiles != text else "")
            + "; data.is_molecule tells which are."
        )
    canvas: Any = rdMolDraw2D.MolDraw2DCairo(_PIXELS, _PIXELS)
    canvas.drawOptions().bondLineWidth = 4
    canvas.drawOptions().fixedBondLength = 70  # small molecules shouldn't fill their panel
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, molecule)
    canvas.FinishDrawing()
    pixels: NDArray[Any] = imread(io.BytesIO(canvas.GetDrawingText()), format="png")
    image: NDArray[np.uint8] = np.rint(255 * pixels[..., :3]).astype(np.uint8)
    return image
