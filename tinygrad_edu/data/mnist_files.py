"""MNIST and Fashion-MNIST whole: four idx files each, under the same names."""

import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data.catalogue import ABOUT
from tinygrad_edu.data.dataset import Dataset
from tinygrad_edu.data.fetching import find_whole
from tinygrad_edu.data.idx import read_idx
from tinygrad_edu.data.sources import SETS
from tinygrad_edu.errors import FileError

__all__ = ["fashion_mnist", "mnist"]


# Which set a label file belongs to, by its SHA-256: both sets' files go by the same names.
_OWNERS = {
    file.sha256: SETS[name].loader
    for name in ("mnist", "fashion-mnist")
    for file in SETS[name].sources[0].files[1::2]
}


def mnist() -> Dataset:
    """Return MNIST: 60,000 + 10,000 handwritten digits of 28x28; x is uint8, 0 to 255; y is uint8, 0 to 9.

    Its four files (``train-images-idx3-ubyte`` and so on, unpacked or ``.gz``) are looked for in

    1. ``$TINYGRAD_EDU_DATA/mnist`` and ``$TINYGRAD_EDU_DATA``: your own files, a subset if you like;
    2. the cache, ``$TINYGRAD_EDU_CACHE/data/mnist`` or the same in the user's cache folder, where `fetch`
       puts them from whichever source;
    3. the net: they are downloaded into the cache once (11 MB, 55 MB unpacked) and checked.

    The subset that travels with the package is a set of its own, `mnist_5000`, and never put in place of
    this.

    Raises
    ------
    FileError
        The variable names no folder, a file is damaged or of another set, or nothing could be fetched.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> (x_train, y_train), (x_test, y_test) = data.mnist()  # doctest: +SKIP
    >>> x_train.shape, x_test.shape, x_train.dtype           # doctest: +SKIP
    ((60000, 28, 28), (10000, 28, 28), dtype('uint8'))
    """
    return _open("mnist")


def fashion_mnist() -> Dataset:
    """Return Fashion-MNIST: 60,000 + 10,000 photos of clothes, 28x28, ten classes; dtypes as MNIST's.

    Looked for as `mnist` is, in folders named ``fashion-mnist``; 30 MB are fetched. What lies at the top of
    ``TINYGRAD_EDU_DATA`` is taken only if it is known to be this set, since MNIST's files have the same
    names.

    Raises
    ------
    FileError
        As in `mnist`.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> (x_train, y_train), (x_test, y_test) = data.fashion_mnist()  # doctest: +SKIP
    >>> x_train.shape, x_test.shape                                   # doctest: +SKIP
    ((60000, 28, 28), (10000, 28, 28))
    """
    return _open("fashion_mnist")


def _open(name: str) -> Dataset:
    paths = find_whole(name, download=True)
    assert paths is not None  # or it would have been an error
    train = _images_and_labels(name, *paths[:2])
    return Dataset.of(ABOUT[name], *train, *_images_and_labels(name, *paths[2:]))


def _images_and_labels(name: str, image_path: Path, label_path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read a pair of files and check that they are of the set by form: a subset will do, no other set."""
    x, y = read_idx(image_path), read_idx(label_path)
    if x.dtype != np.uint8 or x.shape[1:] != (28, 28):
        raise FileError(
            f"{name}: {image_path} holds {x.shape} of {x.dtype}; its images are (N, 28, 28) of uint8."
        )
    if y.dtype != np.uint8 or y.ndim != 1:
        raise FileError(f"{name}: {label_path} holds {y.shape} of {y.dtype}; its labels are (N,) of uint8.")
    if len(x) != len(y):
        raise FileError(
            f"{name}: {image_path} holds {len(x)} images but {label_path} {len(y)} labels; they aren't "
            "of one set."
        )
    if (y > 9).any():
        raise FileError(f"{name}: {label_path} holds the label {y.max()}; a class is 0 to 9.")
    owner = _OWNERS.get(hashlib.sha256(struct.pack(">II", 0x801, len(y)) + y.tobytes()).hexdigest())
    folder = name.replace("_", "-")
    if owner is None and name != "mnist" and label_path.parent.name != folder:
        raise FileError(
            f"{name}: {label_path} may be of any set that uses these file names; put its four files into a "
            f"folder named {folder}."
        )
    if owner not in (None, name):
        raise FileError(f"{name}: {label_path} belongs to {owner}, which uses the same file names.")
    return x, y
