"""Molecules written as text."""

from typing import Literal

import numpy as np

from tinygrad_edu.data import bundled
from tinygrad_edu.data.catalogue import ABOUT
from tinygrad_edu.data.dataset import Dataset
from tinygrad_edu.errors import unknown_name

__all__ = ["molecules"]


def molecules(
    notation: Literal["deepsmiles", "smiles"] = "deepsmiles", *, test_size: float = 0.2, seed: int | None = 0
) -> Dataset:
    """Return 10,000 small organic molecules of QM9 as text, and the gap of their orbitals in hartree.

    x is an array of str; y, float64, is the energy between the highest occupied and the lowest empty orbital
    (1 hartree = 27.2114 eV = 627.5 kcal/mol). All are neutral and made of C, N, O, F and hydrogen; they are
    all those of up to six atoms (hydrogen aside) whose DeepSMILES has at most 17 characters, and of the
    larger ones as many, evenly spread over QM9. They travel with the package.

    Parameters
    ----------
    notation : "deepsmiles" or "smiles"
        DeepSMILES (O'Boyle, Dalke 2018) closes a ring by its size and a branch by ``)`` alone, so a network
        that writes it has fewer brackets to match. It takes 14 characters here: ``#)3456789=CFNO``.
    test_size : float or int
        The share, or number, of molecules in the test part; 0 keeps all in the training part, by size.
    seed : int, optional
        The same seed gives the same split; None draws from the package's default generator.

    Raises
    ------
    ArgumentError, DataError
        An unknown notation; a test_size or seed that can't be used.
    FileError
        The bundled file was changed.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> molecules = data.molecules(test_size=0)
    >>> molecules.x_train[[1, 2, 6, -1]], molecules.y_train[[1, 2, 6]]
    (array(['N', 'O', 'CC', ...], dtype='<U17'), array([0.3399, 0.3615, 0.4426]))
    """
    if notation not in ("deepsmiles", "smiles"):
        raise unknown_name("notation", notation, ("deepsmiles", "smiles"))
    arrays = bundled.load("molecules")
    name = {"deepsmiles": "DeepSMILES", "smiles": "SMILES"}[notation]
    x = arrays[notation].astype(np.str_)
    about = ABOUT["molecules"]
    return Dataset.of(about, x, arrays["gap"], description=f"{about.description}; in {name}").split(
        test_size, seed
    )
