"""Sets of rows and columns: wines, genes, and the small classics that come with scikit-learn."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data import bundled
from tinygrad_edu.data.catalogue import ABOUT
from tinygrad_edu.data.dataset import Dataset
from tinygrad_edu.data.fetching import find_whole
from tinygrad_edu.data.own import Source, check_whole, read_pair
from tinygrad_edu.data.places import find_file
from tinygrad_edu.data.tables import read_csv
from tinygrad_edu.errors import DataError

__all__ = ["breast_cancer", "diabetes", "iris", "leukaemia", "wine_quality"]


def wine_quality(path: Source | None = None, *, test_size: float = 0.2, seed: int | None = 0) -> Dataset:
    """Return the red wines of Cortez et al.: 1,599 rows of 11 measurements (float64), quality 3 to 8 (int64).

    The whole set travels with the package. Where ``TINYGRAD_EDU_DATA`` holds a ``winequality-red.csv`` (in
    ``wine/`` or at its top), that is read, or else the one that was fetched, if one was.

    Parameters
    ----------
    path : path, optional
        A CSV file with these columns to read instead, or its name within ``TINYGRAD_EDU_DATA``. Both forms in
        use are known: separated by ``;`` or ``,``; spaces or underscores; "quality" or "class".
    test_size : float or int
        The share, or number, of rows in the test part; 0 keeps all in the training part, in their order.
    seed : int, optional
        The same seed gives the same split; None draws from the package's default generator.

    Raises
    ------
    FileError, DataError
        A file that is missing, damaged or has other columns, a value that is missing or text.
    ArgumentError
        A test_size or seed that can't be used.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> (x_train, y_train), (x_test, y_test) = data.wine_quality()
    >>> x_train.shape, x_test.shape, (y_train > 5).mean()
    ((1279, 11), (320, 11), np.float64(0.53...))
    """
    about = ABOUT["wine_quality"]
    if path is not None:
        x, quality = read_wine(find_file(path))
    elif found := find_whole("wine"):
        x, quality = read_wine(found[0])
        check_whole("wine_quality", found[0], x.shape, (1599, 11))
    else:
        arrays = bundled.load("wine_quality")
        x, quality = arrays["x"], arrays["quality"].astype(np.int64)
    source = about.source if path is None else str(path)
    return Dataset.of(about, x, quality, source=source).split(test_size, seed)


def read_wine(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read a wine table: its measurements in the catalogue's order, and the quality."""
    names = ABOUT["wine_quality"].feature_names
    columns = {_plain(name): values for name, values in read_csv(path).items()}
    if missing := [name for name in (*names, "quality") if _plain(name) not in columns]:
        raise DataError(f"{path} has no column {', '.join(missing)}; it has {', '.join(columns)}.")
    quality = columns["quality"]
    if (bad := np.flatnonzero((quality % 1 != 0) | (quality < 0) | (quality > 10))).size:
        raise DataError(
            f"{path}, row {bad[0] + 1} below the header: quality {quality[bad[0]]:g}; it is a whole "
            f"number, 0 to 10."
        )
    return np.column_stack([columns[_plain(name)] for name in names]), quality.astype(np.int64)


def _plain(name: str) -> str:
    name = name.lower().replace("_", " ")
    return "quality" if name == "class" else name


def leukaemia(
    expression: Source | None = None,
    status: Source | None = None,
    *,
    allow_pickle: bool = False,
    test_size: float = 0.2,
    seed: int | None = 0,
) -> Dataset:
    """Return Golub's leukaemia patients: 38 rows of 7,129 genes (float32), 0 for ALL (27), 1 for AML (11).

    These are the 38 training samples of the paper; with its 34 test samples, which are not here, there are
    72. Values are as the chips gave them, negative ones too. Rows go by the patients' numbers, 1 to 38.

    The set travels with the package. Where ``TINYGRAD_EDU_DATA`` holds ``golub/gedm.csv`` and
    ``golub/labels.csv`` (or the same with .gz), these are read and joined on the patient's number, or else
    those that were fetched, if they were.

    Parameters
    ----------
    expression, status : paths, optional
        Files to read instead, such as ``gene_exp_X.npy`` and ``gene_exp_y.npy``, or their names within
        ``TINYGRAD_EDU_DATA``: patients by genes (or the other way round), and 0, 1, "ALL" or "AML" for each.
    allow_pickle : bool
        See `read_npy` before you turn it on.
    test_size, seed :
        As in `wine_quality`.

    Raises
    ------
    FileError, DataError, ArgumentError
        As in `wine_quality`.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> (x_train, y_train), (x_test, y_test) = data.leukaemia()
    >>> x_train.shape, x_test.shape, y_test
    ((30, 7129), (8, 7129), array([0, 0, 0, 0, 0, 0, 1, 1]))
    """
    about = ABOUT["leukaemia"]
    if expression is not None or status is not None:
        if expression is None:
            raise DataError("leukaemia: status without expression; pass both files.")
        x, y = read_pair("leukaemia", expression, status, allow_pickle)
        y = _status(status or expression, y)
        x = _expression(expression, x, len(y))
        return Dataset.of(about, x, y, source=str(expression)).split(test_size, seed)
    if files := find_whole("golub"):
        arrays = read_golub(*files)
        check_whole("leukaemia", files[0], arrays["x"].shape, (38, 7129))
    else:
        arrays = bundled.load("leukaemia")
    genes = tuple(arrays["genes"].astype(str).tolist())
    x, y = arrays["x"].astype(np.float32), arrays["y"].astype(np.int64)
    return Dataset.of(about, x, y, feature_names=genes).split(test_size, seed)


def read_golub(expression: Path, status: Path) -> dict[str, NDArray[Any]]:
    """Read genes by patients and the patients' labels, joined on the number: their orders differ."""
    genes = read_csv(expression, text=["Gene Accession Number"])
    labels = read_csv(status, text=["sample", "status"])
    names = genes.pop("Gene Accession Number")
    numbers = labels["sample"].tolist()
    if sorted(genes) != sorted(numbers):
        odd = ", ".join(sorted(set(genes) ^ set(numbers))) or "some, which are there twice"
        raise DataError(f"{expression} and {status} aren't of the same patients; they differ in {odd}.")
    return {
        "x": np.stack([genes[number] for number in numbers]),
        "y": _status(status, labels["status"]),
        "patients": labels["sample"].astype(np.int32),
        "genes": names.astype(np.bytes_),
    }


def _expression(path: Source, x: NDArray[Any], patients: int) -> NDArray[np.float32]:
    if x.ndim == 2 and len(x) != patients == x.shape[1]:
        x = x.T  # genes by patients, as biologists write
    if x.ndim != 2 or len(x) != patients or x.dtype.kind not in "iuf" or not np.isfinite(x).all():
        raise DataError(
            f"{path} holds {x.shape} of {x.dtype}; finite numbers, {patients} patients (as there are labels) "
            "by genes, are expected."
        )
    return x.astype(np.float32)


def _status(path: Source, y: NDArray[Any]) -> NDArray[np.int64]:
    """Turn "ALL" and "AML", or 0 and 1, into 0 and 1."""
    names = np.char.strip(y.astype(str)) if y.dtype.kind in "US" else y
    known = [0, 1] if y.dtype.kind in "iufb" else ["ALL", "AML"]
    if y.ndim != 1 or not np.isin(names, known).all():
        raise DataError(
            f"{path} holds {y.shape} of {y.dtype}; 0, 1, ALL or AML is expected for each patient."
        )
    return np.asarray(names == known[1], np.int64)


def breast_cancer(*, test_size: float = 0.2, seed: int | None = 0) -> Dataset:
    """Return scikit-learn's breast tumours: 569 rows of 30 measurements, 0 malignant (212), 1 benign (357).

    Parameters
    ----------
    test_size, seed :
        As in `wine_quality`.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> data.breast_cancer().x_train.shape
    (455, 30)
    """
    from sklearn.datasets import load_breast_cancer

    return _from_sklearn("breast_cancer", load_breast_cancer(), test_size, seed)


def iris(*, test_size: float = 0.2, seed: int | None = 0) -> Dataset:
    """Return scikit-learn's irises: 150 rows of 4 measurements in cm, 50 of each of three species.

    Parameters
    ----------
    test_size, seed :
        As in `wine_quality`.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> data.iris(test_size=0).x_train[0]
    array([5.1, 3.5, 1.4, 0.2])
    """
    from sklearn.datasets import load_iris

    return _from_sklearn("iris", load_iris(), test_size, seed)


def diabetes(*, test_size: float = 0.2, seed: int | None = 0) -> Dataset:
    """Return scikit-learn's diabetes patients: 442 rows of 10 measurements; y is the progression, 25 to 346.

    Measurements are in their units (``scaled=False``): scikit-learn's default hands them out standardised
    over all rows, so that training rows know of the test rows.

    Parameters
    ----------
    test_size, seed :
        As in `wine_quality`.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> data.diabetes(test_size=0).as_frame()[["age", "bmi", "progression"]].head(2)
        age   bmi  progression
    0  59.0  32.1        151.0
    1  48.0  21.6         75.0
    """
    from sklearn.datasets import load_diabetes

    return _from_sklearn("diabetes", load_diabetes(scaled=False), test_size, seed)


def _from_sklearn(name: str, bunch: Any, test_size: float, seed: int | None) -> Dataset:
    names = tuple(map(str, bunch.feature_names))
    return Dataset.of(ABOUT[name], bunch.data, bunch.target, feature_names=names).split(test_size, seed)
