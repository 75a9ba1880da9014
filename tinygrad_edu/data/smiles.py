"""Molecules as text and text as numbers: SMILES, DeepSMILES, one-hot, and whether what was decoded can exist.

SMILES writes atoms in a row, ``=`` and ``#`` for double and triple bonds, branches in brackets and a ring by
the same digit at both its ends; hydrogen is left out. A network that writes it must close what it opened
far back. DeepSMILES has no pairs: ``)`` alone ends a branch by one atom, and a ring is closed by its size.
"""

import re
from collections import Counter
from collections.abc import Callable
from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.prepare import as_count
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, ShapeError

__all__ = [
    "ALPHABET",
    "check_smiles",
    "decode_strings",
    "encode_strings",
    "is_molecule",
    "to_deepsmiles",
    "to_smiles",
]

STOP = " "
ALPHABET = "#)3456789=CFNO" + STOP  # all that QM9's neutral molecules take in DeepSMILES, and the stop
_VALENCES = {"C": 4, "N": 3, "O": 2, "F": 1}
# The package deepsmiles runs for ever on a bracket that isn't closed.
_TOKENS = re.compile(r"(\[[^\[\]]+\]|%\d\d|%\(\d+\)|[A-Za-z*]|[-=#$:.~/\\()]|\d)*")
_ORDERS = {"-": 1, "=": 2, "#": 3}

# --- Text and numbers ------------------------------------------------------------------------------------


def encode_strings(
    strings: ArrayLike, *, length: SupportsIndex = 17, alphabet: str = ALPHABET
) -> NDArray[np.float32]:
    """Turn texts into one-hot vectors, a character each, filled up with the stop character.

    Parameters
    ----------
    strings : N texts
    length : int
        The number of characters that all are brought to.
    alphabet : str
        The characters, of which the last one means stop.

    Returns
    -------
    array of float32, shape (N, length, len(alphabet))

    Raises
    ------
    DataError
        A text that is longer, or has a character that isn't in the alphabet.
    ArgumentError
        A length or alphabet that can't be used.
    DTypeError, ShapeError
        Something else than texts, or more than one axis of them.

    Examples
    --------
    >>> encode_strings(["CCO", "N#N"]).shape
    (2, 17, 15)
    >>> encode_strings(["CO"], length=3, alphabet="CO ")[0]
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    texts, size = _texts("encode_strings", strings), as_count("encode_strings", "length", length, least=1)
    place = {letter: number for number, letter in enumerate(_checked_alphabet("encode_strings", alphabet))}
    codes = np.full((len(texts), size), len(alphabet) - 1)
    for row, text in enumerate(texts):
        if len(text) > size:
            raise DataError(f"encode_strings: {text!r} (row {row}) is longer than {size} characters.")
        for column, letter in enumerate(text):
            if place.get(letter, len(alphabet) - 1) == len(alphabet) - 1:
                raise DataError(
                    f"encode_strings: {letter!r} in {text!r} (row {row}) isn't among the characters of the "
                    f"alphabet, {alphabet[:-1]!r}."
                )
            codes[row, column] = place[letter]
    vectors: NDArray[np.float32] = np.eye(len(alphabet), dtype=np.float32)[codes]
    return vectors


def decode_strings(vectors: ArrayLike, *, alphabet: str = ALPHABET) -> NDArray[np.str_]:
    """Turn one-hot vectors, probabilities or logits into texts: the likeliest characters, up to a stop.

    Parameters
    ----------
    vectors : array (N, length, len(alphabet))
    alphabet : str

    Returns
    -------
    array of N str

    Raises
    ------
    ShapeError
        Another number of axes or of characters.
    DataError
        NaN.

    Examples
    --------
    >>> decode_strings(encode_strings(["CCO", "N#N"])).tolist()
    ['CCO', 'N#N']
    """
    array = np.asarray(vectors)
    letters = np.array(list(_checked_alphabet("decode_strings", alphabet)))
    if array.ndim != 3 or array.shape[2] != len(letters):
        raise ShapeError(
            f"decode_strings: expected (texts, length, {len(letters)}), since the alphabet has so many "
            f"characters; got {array.shape}."
        )
    if np.isnan(array).any():
        raise DataError("decode_strings: NaN has no likeliest character; the network's outputs are broken.")
    stop = str(letters[-1])
    return np.array(["".join(row).split(stop)[0] for row in letters[array.argmax(axis=2)]], dtype=np.str_)


def _checked_alphabet(caller: str, alphabet: str) -> str:
    if len(alphabet) < 2 or len(set(alphabet)) < len(alphabet):
        raise ArgumentError(
            f"{caller}: an alphabet is a text of different characters, the last of which means stop; "
            f"got {alphabet!r}."
        )
    return alphabet


def _texts(caller: str, strings: ArrayLike) -> list[str]:
    array = np.asarray(strings)
    if array.ndim != 1:
        raise ShapeError(f"{caller}: expected a list of texts, one axis; got the shape {array.shape}.")
    texts: list[str] = array.tolist()
    for text in texts:
        if not isinstance(text, str):
            raise DTypeError(f"{caller}: expected texts; got {text!r:.60}, a {type(text).__name__}.")
    return texts


# --- SMILES and DeepSMILES -------------------------------------------------------------------------------


def to_deepsmiles(smiles: str) -> str:
    """Rewrite SMILES as DeepSMILES, by the package deepsmiles.

    Raises
    ------
    ArgumentError
        deepsmiles isn't installed.
    DataError
        What can't be read as SMILES.

    References
    ----------
    N. O'Boyle, A. Dalke, DeepSMILES: An Adaptation of SMILES for Use in Machine-Learning of Chemical
    Structures, 2018, doi:10.26434/chemrxiv.7097960.v1.

    >>> to_deepsmiles("C1CC(F)C1"), to_deepsmiles("CC(C)(C)O")
    ('CCCF)C4', 'CCC)C)O')
    """
    return _convert("to_deepsmiles", "encode", smiles)


def to_smiles(deepsmiles: str) -> str:
    """Rewrite DeepSMILES as SMILES, by the package deepsmiles; what that leaves out is an error here.

    Raises
    ------
    ArgumentError
        deepsmiles isn't installed.
    DataError
        A branch or ring that ends where none can, a bond without an atom, or atoms that hang together with
        nothing.

    >>> to_smiles("CCCF)C4")
    'C1CC(F)C1'
    """
    smiles = _convert("to_smiles", "decode", deepsmiles)
    # The decoder drops bonds that lead nowhere, and atoms behind a ")" that closed the first one.
    if _content(deepsmiles) != _content(smiles):
        raise DataError(
            f"to_smiles: {deepsmiles!r} has a bond or atom that joins nothing; read was {smiles!r}."
        )
    return smiles


def _content(text: str) -> Counter[str]:
    return Counter(letter for letter in text if letter.isalpha() or letter in "=#-")


def _convert(caller: str, method: str, text: str) -> str:
    if not isinstance(text, str):
        raise DTypeError(f"{caller}: expected a text; got {type(text).__name__}.")
    try:
        from deepsmiles import Converter, DecodeError
    except ImportError:
        raise ArgumentError(f"{caller}: needs deepsmiles; pip install 'tinygrad_edu[molecules]'") from None
    if not _TOKENS.fullmatch(text):
        raise DataError(f"{caller}: {text!r} can't be read: a bracket, or a character that means nothing.")
    convert: Callable[[str], str] = getattr(Converter(rings=True, branches=True), method)
    try:
        return convert(text)
    except DecodeError as error:
        raise DataError(f"{caller}: {text!r} can't be read at {error.idx}: {error.message}") from error
    except (
        IndexError,
        KeyError,
        ValueError,
        AssertionError,
    ) as error:  # it doesn't check all that it relies on
        raise DataError(f"{caller}: {text!r} can't be read.") from error


# --- Can it exist? ---------------------------------------------------------------------------------------


def is_molecule(deepsmiles: ArrayLike) -> NDArray[np.bool]:
    """Tell of each DeepSMILES text whether it can be read and no atom has too many bonds.

    Parameters
    ----------
    deepsmiles : N texts, as `decode_strings` returns them

    Returns
    -------
    array of N bool

    Raises
    ------
    ArgumentError
        deepsmiles isn't installed, or a text has other atoms than C, N, O, F (see `check_smiles`).
    DTypeError, ShapeError
        Something else than texts, or more than one axis of them.

    Examples
    --------
    >>> is_molecule(["CCO", "CC=", "F=O", "CCC4"])
    array([ True, False, False, False])
    """

    def fine(text: str) -> bool:
        try:
            check_smiles(to_smiles(text))
        except DataError:
            return False
        return True

    return np.array([fine(text) for text in _texts("is_molecule", deepsmiles)], dtype=bool)


def check_smiles(smiles: str) -> None:
    """Raise DataError, with the reason, if SMILES of C, N, O and F can't be read or breaks a valence.

    Carbon has four bonds, nitrogen three (five in a nitro group), oxygen two and fluorine one; what isn't
    written goes to hydrogen, so only too many is wrong. Charges, square brackets, aromatic letters and other
    atoms aren't judged: rdkit knows them. It also reads other nitrogens with five bonds, as charges.

    Raises
    ------
    DataError
        The reason.
    ArgumentError
        Characters that this check doesn't know.

    Examples
    --------
    >>> check_smiles("OC(=O)CF")
    >>> check_smiles("CC(=O)(C)C")
    Traceback (most recent call last):
    tinygrad_edu.errors.DataError: 'CC(=O)(C)C': atom 2, C, has 5 bonds, more than 4.
    """
    if unknown := sorted(set(smiles) - set("CNOF()=#-123456789")):
        raise ArgumentError(
            f"check_smiles: {smiles!r} has {unknown}; only C, N, O, F, bonds, branches and rings are known."
        )
    atoms, bonds = _graph(smiles)
    for number, atom in enumerate(atoms):
        total = sum(order for pair, order in bonds.items() if number in pair)
        oxides = [pair for pair, order in bonds.items() if number in pair and order == 2
                  and all(atoms[other] == "O" for other in pair - {number})]  # fmt: skip
        if atom == "N" and total == 5 and len(oxides) == 2:
            continue  # a nitro group, as QM9 writes it
        if total > _VALENCES[atom]:
            raise DataError(
                f"{smiles!r}: atom {number + 1}, {atom}, has {total} bonds, more than {_VALENCES[atom]}."
            )


def _graph(smiles: str) -> tuple[list[str], dict[frozenset[int], int]]:
    """Read atoms, and the order of the bond between each pair of them."""
    atoms: list[str] = []
    bonds: dict[frozenset[int], int] = {}
    branches: list[int] = []
    rings: dict[str, tuple[int, int]] = {}  # by digit: the atom where it begins, the bond's order or 0
    last, order = -1, 0  # the atom that comes before, and a bond's order if one was written

    def join(one: int, other: int, order: int) -> None:
        pair = frozenset((one, other))
        if one == other or pair in bonds:
            raise DataError(f"{smiles!r}: a ring closes between atoms that are joined already.")
        bonds[pair] = order or 1

    for place, (before, letter) in enumerate(zip("(" + smiles, smiles, strict=False)):
        wrong = DataError(f"{smiles!r}: {letter!r} can't stand at place {place + 1}.")
        if letter in _VALENCES:
            atoms.append(letter)
            if last >= 0:
                join(last, len(atoms) - 1, order)
            last, order = len(atoms) - 1, 0
        elif last < 0 or (order and not letter.isdigit()):
            raise wrong  # first, or after a bond
        elif letter in _ORDERS:
            order = _ORDERS[letter]
        elif letter == "(":
            if before == "(":
                raise wrong
            branches.append(last)
        elif letter == ")":
            if not branches or before == "(":
                raise wrong
            last = branches.pop()
        elif before in "()":
            raise wrong  # a ring's digit follows its atom
        elif letter in rings:
            begin, its = rings.pop(letter)
            if order and its and order != its:
                raise DataError(f"{smiles!r}: ring {letter} begins and ends with different bonds.")
            join(begin, last, order or its)
            order = 0
        else:
            rings[letter] = last, order
            order = 0
    if not atoms or order or branches or rings:
        raise DataError(f"{smiles!r}: it has no atom, or ends within a bond, branch or ring.")
    return atoms, bonds
