"""Sets of images: the small digits that come with scikit-learn, and MNIST."""

import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data.dataset import Dataset
from tinygrad_edu.data.fetching import RemoteFile, fetch
from tinygrad_edu.data.idx import read_idx
from tinygrad_edu.data.places import cache_folder, find_set, user_folder
from tinygrad_edu.data.prepare import train_test_split
from tinygrad_edu.errors import FileError

__all__ = ["digits", "mnist"]

_TEN_DIGITS = tuple("0123456789")

_MNIST_FILES = (
    RemoteFile("train-images-idx3-ubyte", 47_040_016, "6bbc9ace898e44ae57da46a324031adb"),
    RemoteFile("train-labels-idx1-ubyte", 60_008, "a25bea736e30d166cdddb491f175f624"),
    RemoteFile("t10k-images-idx3-ubyte", 7_840_016, "2646ac647ad5339dbf082846283269ea"),
    RemoteFile("t10k-labels-idx1-ubyte", 10_008, "27ae3e4e09519cfbb04c329615203637"),
)
_MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# MD5 of label files that other sets publish under MNIST's file names.
_LOOKALIKES = {
    "9018921c3c673c538a1fc5bad174d6f9": "Fashion-MNIST",
    "15d484375f8d13e6eb1aabb0c3f46965": "Fashion-MNIST",
}


def digits(test_size: float = 0.2, seed: int = 0) -> Dataset:
    """Return scikit-learn's handwritten digits: 1,797 real images of 8x8, part of every installation.

    Each pixel counts the dark ones in a 4x4 square of a scan: x is uint8, 0 to 16; y is int64, 0 to 9.

    Parameters
    ----------
    test_size : float or int
        The share, or number, of images in the test part; classes keep their shares in both parts.
    seed : int
        The same seed gives the same split.

    Raises
    ------
    ArgumentError, DataError
        A test_size or seed that can't be used.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> (x_train, y_train), (x_test, y_test) = data.digits()
    >>> x_train.shape, x_test.shape, x_train.dtype
    ((1437, 8, 8), (360, 8, 8), dtype('uint8'))
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # scikit-learn hands out the whole numbers of its file as float64.
    x, y = bunch.images.astype(np.uint8), bunch.target
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=test_size, seed=seed, stratify=y)
    return Dataset(
        name="digits",
        description="handwritten digits, 8x8 pixels, 13 writers",
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        class_names=_TEN_DIGITS,
        maximum=16,
        licence="CC BY 4.0",
        source="UCI Machine Learning Repository: its test part, as in scikit-learn's load_digits",
        citation="E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, 1998, "
        "doi:10.24432/C50P49",
    )


def mnist() -> Dataset:
    """Return MNIST: 60,000 + 10,000 handwritten digits of 28x28; x is uint8, 0 to 255; y is uint8, 0 to 9.

    Its four files (``train-images-idx3-ubyte`` and so on, unpacked or ``.gz``) are looked for in

    1. ``$TINYGRAD_EDU_DATA/mnist`` and ``$TINYGRAD_EDU_DATA``: your own files, a subset if you like;
    2. the cache, ``$TINYGRAD_EDU_CACHE/data/mnist`` or the same in the user's cache folder;
    3. the net, from which they are fetched into the cache once (11 MB, 55 MB unpacked) and checked.

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
    paths = _mnist_paths()
    x_train, y_train = _images_and_labels(*paths[:2])
    x_test, y_test = _images_and_labels(*paths[2:])
    return Dataset(
        name="mnist",
        description="handwritten digits, 28x28 pixels",
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        class_names=_TEN_DIGITS,
        maximum=255,
        licence="CC BY-SA 3.0",
        source="Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits",
        citation="Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-Based Learning Applied to Document "
        "Recognition, Proceedings of the IEEE 86(11), 1998, 2278-2324",
    )


def _mnist_paths() -> list[Path]:
    folder = user_folder()
    if folder and (paths := find_set(folder, "mnist", [file.name for file in _MNIST_FILES])):
        return paths
    cache = cache_folder() / "mnist"
    try:
        return [fetch(file, _MNIST_MIRRORS, cache) for file in _MNIST_FILES]
    except FileError as error:
        names = ", ".join(file.name for file in _MNIST_FILES)
        raise FileError(
            f"mnist: {error}\nOr put the four files ({names}, unpacked or .gz) into a folder and set "
            "TINYGRAD_EDU_DATA to it."
        ) from error


def _images_and_labels(image_path: Path, label_path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read a pair of files and check that they are MNIST by form: a subset will do, another set won't."""
    x, y = read_idx(image_path), read_idx(label_path)
    if x.dtype != np.uint8 or x.shape[1:] != (28, 28):
        raise FileError(
            f"mnist: {image_path} holds {x.shape} of {x.dtype}; MNIST's images are (N, 28, 28) of uint8."
        )
    if y.dtype != np.uint8 or y.ndim != 1:
        raise FileError(
            f"mnist: {label_path} holds {y.shape} of {y.dtype}; MNIST's labels are (N,) of uint8."
        )
    if len(x) != len(y):
        raise FileError(
            f"mnist: {image_path} holds {len(x)} images but {label_path} {len(y)} labels; they aren't "
            "of one set."
        )
    if (y > 9).any():
        raise FileError(f"mnist: {label_path} holds the label {y.max()}; a digit's label is 0 to 9.")
    md5 = hashlib.md5(struct.pack(">II", 0x801, len(y)) + y.tobytes(), usedforsecurity=False).hexdigest()
    if md5 in _LOOKALIKES:
        raise FileError(f"mnist: {label_path} belongs to {_LOOKALIKES[md5]}, which uses the same file names.")
    return x, y
