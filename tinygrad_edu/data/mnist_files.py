"""MNIST and Fashion-MNIST whole: four idx files each, under the same names."""

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data.catalogue import ABOUT
from tinygrad_edu.data.dataset import Dataset
from tinygrad_edu.data.fetching import RemoteFile, fetch
from tinygrad_edu.data.idx import read_idx
from tinygrad_edu.data.places import cache_folder, find_set, user_folder
from tinygrad_edu.errors import FileError

__all__ = ["fashion_mnist", "mnist"]


@dataclass(frozen=True)
class _Source:
    name: str
    folder: str
    files: tuple[RemoteFile, ...]
    mirrors: tuple[str, ...]
    bundled: str  # what to use where the whole set can't be had


_MNIST = _Source(
    name="mnist",
    folder="mnist",
    files=(
        RemoteFile("train-images-idx3-ubyte", 47_040_016, "6bbc9ace898e44ae57da46a324031adb"),
        RemoteFile("train-labels-idx1-ubyte", 60_008, "a25bea736e30d166cdddb491f175f624"),
        RemoteFile("t10k-images-idx3-ubyte", 7_840_016, "2646ac647ad5339dbf082846283269ea"),
        RemoteFile("t10k-labels-idx1-ubyte", 10_008, "27ae3e4e09519cfbb04c329615203637"),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    bundled="data.mnist_5000() has the first 5,000 of its images",
)
_FASHION = _Source(
    name="fashion_mnist",
    folder="fashion-mnist",
    files=(
        RemoteFile("train-images-idx3-ubyte", 47_040_016, "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
        RemoteFile("train-labels-idx1-ubyte", 60_008, "9018921c3c673c538a1fc5bad174d6f9"),
        RemoteFile("t10k-images-idx3-ubyte", 7_840_016, "8181f5470baa50b63fa0f6fddb340f0a"),
        RemoteFile("t10k-labels-idx1-ubyte", 10_008, "15d484375f8d13e6eb1aabb0c3f46965"),
    ),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ),
    bundled="data.dresses_coats() has 4,000 of its images",
)
# Which set a label file belongs to: both go by the same names.
_OWNERS = {file.md5: source.name for source in (_MNIST, _FASHION) for file in source.files[1::2]}


def mnist() -> Dataset:
    """Return MNIST: 60,000 + 10,000 handwritten digits of 28x28; x is uint8, 0 to 255; y is uint8, 0 to 9.

    Its four files (``train-images-idx3-ubyte`` and so on, unpacked or ``.gz``) are looked for in

    1. ``$TINYGRAD_EDU_DATA/mnist`` and ``$TINYGRAD_EDU_DATA``: your own files, a subset if you like;
    2. the cache, ``$TINYGRAD_EDU_CACHE/data/mnist`` or the same in the user's cache folder;
    3. the net, from which they are fetched into the cache once (11 MB, 55 MB unpacked) and checked.

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
    return _open(_MNIST)


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
    return _open(_FASHION)


def _open(source: _Source) -> Dataset:
    paths = _paths(source)
    train = _images_and_labels(source, *paths[:2])
    return Dataset.of(ABOUT[source.name], *train, *_images_and_labels(source, *paths[2:]))


def _paths(source: _Source) -> list[Path]:
    folder = user_folder()
    names = [file.name for file in source.files]
    if folder and (paths := find_set(folder, source.folder, names)):
        return paths
    cache = cache_folder() / source.folder
    try:
        return [fetch(file, source.mirrors, cache) for file in source.files]
    except FileError as error:
        raise FileError(
            f"{source.name}: {error}\nOr put the four files ({', '.join(names)}, unpacked or .gz) into a "
            f"folder {source.folder} and set TINYGRAD_EDU_DATA to the folder around it. Without a download, "
            f"{source.bundled}."
        ) from error


def _images_and_labels(
    source: _Source, image_path: Path, label_path: Path
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read a pair of files and check that they are of the set by form: a subset will do, another set "
    "won't."""
    name, x, y = source.name, read_idx(image_path), read_idx(label_path)
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
    md5 = hashlib.md5(struct.pack(">II", 0x801, len(y)) + y.tobytes(), usedforsecurity=False).hexdigest()
    owner = _OWNERS.get(md5)
    if owner is None and source is not _MNIST and label_path.parent.name != source.folder:
        raise FileError(
            f"{name}: {label_path} may be of any set that uses these file names; put its four files into a "
            f"folder named {source.folder}."
        )
    if owner not in (None, name):
        raise FileError(f"{name}: {label_path} belongs to {owner}, which uses the same file names.")
    return x, y
