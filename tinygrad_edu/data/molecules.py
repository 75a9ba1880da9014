"""Molecules written as text."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data import bundled
from tinygrad_edu.data.catalogue import ABOUT
from tinygrad_edu.data.dataset import Dataset
from tinygrad_edu.data.fetching import find_whole
from tinygrad_edu.data.own import check_whole
from tinygrad_edu.data.prepare import as_count
from tinygrad_edu.data.smiles import to_deepsmiles
from tinygrad_edu.data.tables import read_csv
from tinygrad_edu.errors import DataError, FileError, unknown_name

__all__ = ["molecules", "qm9"]

Notation = Literal["deepsmiles", "smiles"]
_NAMES = {"deepsmiles": "DeepSMILES", "smiles": "SMILES"}


def molecules(notation: Notation = "deepsmiles", *, test_size: float = 0.2, seed: int | None = 0) -> Dataset:
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
    _check(notation)
    arrays = bundled.load("molecules")
    return _made("molecules", notation, arrays[notation].astype(np.str_), arrays["gap"], test_size, seed)


def qm9(
    notation: Notation = "deepsmiles",
    *,
    longest: int | None = None,
    charged: bool = True,
    test_size: float = 0.2,
    seed: int | None = 0,
) -> Dataset:
    """Return QM9: 130,831 organic molecules of up to nine atoms of C, N, O, F (hydrogen aside), as text.

    x and y are as in `molecules`, which is a part of this set; the molecules go by their number in QM9, small
    ones first. The set is QM9's 133,885 without the 3,054 whose geometry isn't that of their formula. It is
    read from ``qm9/qm9_gap.csv`` (or ``.gz``) in ``TINYGRAD_EDU_DATA``, or the cache, where
    ``tinygrad-edu data fetch qm9`` puts it.

    Parameters
    ----------
    notation : "deepsmiles" or "smiles"
        DeepSMILES needs the extra ``molecules``, and some seconds.
    longest : int, optional
        Leave out what takes more characters.
    charged : bool
        Keep the 443 molecules with charges, written in brackets, such as ``C[NH+]C``; without them, 14
        characters serve for all in DeepSMILES. 130,278 have none and at most 17 characters: molecules of the
        course's kind.
    test_size, seed :
        As in `molecules`.

    Raises
    ------
    ArgumentError, DataError
        An unknown notation, a length, test_size or seed that can't be used, or deepsmiles isn't installed.
    FileError
        The set wasn't fetched, was changed, or isn't whole.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> data.qm9("smiles", longest=3, test_size=0).x_train  # doctest: +SKIP
    array(['C', 'N', 'O', 'C#C', 'C#N', 'C=O', 'CC', 'CO', 'CCC', ...], dtype='<U3')
    """
    _check(notation)
    if longest is not None:
        longest = as_count("qm9", "longest", longest, least=1)
    files = find_whole("qm9")
    if files is None:
        raise FileError(
            "qm9: the set isn't on this machine; tinygrad-edu data fetch qm9 brings it (data.fetch('qm9') in "
            "Python). data.molecules() has 10,000 of its molecules and needs no download."
        )
    table = read_csv(files[0], text=["SMILES"])
    if missing := {"SMILES", "HOMO_LUMO_gap_au"} - set(table):
        raise DataError(f"qm9: {files[0]} has no column {', '.join(sorted(missing))}.")
    x, gap = table["SMILES"], table["HOMO_LUMO_gap_au"]
    check_whole("qm9", files[0], x.shape, (130_831,))
    if not charged:
        neutral = np.char.find(x, "[") < 0
        x, gap = x[neutral], gap[neutral]
    if notation == "deepsmiles":
        x = np.array([to_deepsmiles(text) for text in x.tolist()])
    if longest is not None:
        short = np.char.str_len(x) <= longest
        x, gap = x[short].astype(f"U{longest}"), gap[short]
    return _made("qm9", notation, x, gap, test_size, seed)


def _check(notation: str) -> None:
    if notation not in _NAMES:
        raise unknown_name("notation", notation, _NAMES)


def _made(
    name: str, notation: str, x: NDArray[Any], gap: NDArray[Any], test_size: float, seed: int | None
) -> Dataset:
    about = ABOUT[name]
    return Dataset.of(about, x, gap, description=f"{about.description}; in {_NAMES[notation]}").split(
        test_size, seed
    )
