"""Sets of images that are at hand: scikit-learn's digits, and what travels with the package."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data import bundled
from tinygrad_edu.data.catalogue import ABOUT
from tinygrad_edu.data.dataset import Dataset
from tinygrad_edu.data.own import Source, read_pair
from tinygrad_edu.errors import ArgumentError, DataError, unknown_name

__all__ = ["digits", "dresses_coats", "lesions", "mnist_5000"]


def digits(test_size: float = 0.2, seed: int | None = 0) -> Dataset:
    """Return scikit-learn's handwritten digits: 1,797 real images of 8x8, part of every installation.

    Each pixel counts the dark ones in a 4x4 square of a scan: x is uint8, 0 to 16; y is int64, 0 to 9.

    Parameters
    ----------
    test_size : float or int
        The share, or number, of images in the test part; classes keep their shares in both parts.
    seed : int, optional
        The same seed gives the same split; None draws from the package's default generator.

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
    return Dataset.of(ABOUT["digits"], bunch.images.astype(np.uint8), bunch.target).split(test_size, seed)


def mnist_5000(
    images: Source | None = None, labels: Source | None = None, *, allow_pickle: bool = False
) -> Dataset:
    """Return MNIST's first 5,000 training images, in order: 4,000 to train on, and the last 1,000 to test.

    x is uint8, 0 to 255, (N, 28, 28); y is uint8, 0 to 9. They travel with the package. For 3,000, 1,000 and
    1,000, ``fit(validation_split=0.25)`` sets the last quarter of the training part aside.

    Parameters
    ----------
    images, labels : paths, optional
        Your own files to read instead, such as ``mnist_data_5k.npy`` and ``mnist_labels_5k.npy``, or their
        names within ``TINYGRAD_EDU_DATA``: (N, 28, 28) or (N, 784), 0 to 255 or 0 to 1, and N labels. A fifth
        of the rows, the last, is the test part.
    allow_pickle : bool
        Open a file that holds images and labels together as Python objects. See `read_npy` before you turn
        it on.

    Raises
    ------
    FileError
        A file is missing, damaged or foreign.
    DataError
        Images without labels, or arrays that are no such images or labels.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> (x_train, y_train), (x_test, y_test) = data.mnist_5000()
    >>> x_train.shape, x_test.shape, y_train[:5]
    ((4000, 28, 28), (1000, 28, 28), array([5, 0, 4, 1, 9], dtype=uint8))
    """
    about = ABOUT["mnist_5000"]
    changes: dict[str, Any] = {}
    if images is not None:
        x, y = read_pair("mnist_5000", images, labels, allow_pickle)
        x, maximum = _pixels("mnist_5000", images, x, (28, 28))
        y = _classes("mnist_5000", labels or images, y, x.shape[:1], 10)
        changes = {"source": str(images), "maximum": maximum, "description": "handwritten digits of your own"}
    elif labels is not None:
        raise DataError("mnist_5000: labels without images; pass both files.")
    else:
        arrays = bundled.load("mnist_5000")
        x, y = arrays["x"], arrays["y"]
    cut = len(x) - len(x) // 5
    return Dataset.of(about, x[:cut], y[:cut], x[cut:], y[cut:], **changes)


def dresses_coats() -> Dataset:
    """Return dresses (0) and coats (1) of Fashion-MNIST, its classes 3 and 4: 3,000 + 1,000 images of 28x28.

    The first of each in the files, half of either kind; x is uint8, 0 to 255. They travel with the package;
    the whole set is `fashion_mnist`.

    Raises
    ------
    FileError
        The bundled file was changed.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> (x_train, y_train), (x_test, y_test) = data.dresses_coats()
    >>> x_train.shape, np.bincount(y_train), np.bincount(y_test)
    ((3000, 28, 28), array([1500, 1500]), array([500, 500]))
    """
    arrays = bundled.load("dresses_coats")
    return Dataset.of(
        ABOUT["dresses_coats"], *(arrays[f"{a}_{part}"] for part in ("train", "test") for a in "xy")
    )


def lesions(
    images: Source | None = None,
    masks: Source | None = None,
    *,
    test_scans: Sequence[str] = ("lung1", "brain2"),
    allow_pickle: bool = False,
) -> Dataset:
    """Return slices of CT and MR scans with the outlines of lesions: 57 of 128x128, 27 of them with a lesion.

    x is uint8, 0 to 255; y is uint8 of the same shape, 0 background, 1 lesion. Five scans of five patients:
    lung1 (9 slices) and lung2 (17) from CT; brain1 (13), brain2 (9) and breast1 (9) from MR. CT shows -1000
    to 400 Hounsfield units as 0 to 255, MR the brightness from 0 to what one pixel in 200 of the scan
    exceeds. They travel with the package.

    Neighbouring slices are nearly the same picture. So whole scans are held back for the test, as for any
    patient data; ``.split()`` would put neighbours into both parts and measure memory.

    Parameters
    ----------
    images, masks : paths, optional
        Your own files to read instead, such as ``lidc_images_119.npy`` and ``lidc_masks_119.npy``, or their
        names within ``TINYGRAD_EDU_DATA``: (N, H, W) of numbers and (N, H, W) of 0 and 1, with or without a
        last axis of 1. The last sixth of the rows is the test part; ``test_scans`` isn't looked at.
    test_scans : names of scans
        The test part.
    allow_pickle : bool
        As in `mnist_5000`.

    Raises
    ------
    ArgumentError
        An unknown scan, or none is left to train on.
    FileError, DataError
        As in `mnist_5000`.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> lesions = data.lesions()
    >>> lesions.x_train.shape, lesions.y_test.shape, lesions.y.any(axis=(1, 2)).sum()
    ((39, 128, 128), (18, 128, 128), np.int64(27))
    """
    about = ABOUT["lesions"]
    if images is not None:
        x, y = read_pair("lesions", images, masks, allow_pickle)
        x, maximum = _pixels("lesions", images, x, None)
        y = _classes("lesions", masks or images, y[..., 0] if y.shape[3:] == (1,) else y, x.shape, 2)
        cut = len(x) - len(x) // 6
        known = {"source": str(images), "maximum": maximum, "description": "images and masks of your own"}
        return Dataset.of(about, x[:cut], y[:cut], x[cut:], y[cut:], **known)
    if masks is not None:
        raise DataError("lesions: masks without images; pass both files.")
    arrays = bundled.load("lesions")
    scans = arrays["scan"].astype(str)
    for scan in test_scans:
        if scan not in scans:
            raise unknown_name("scan", scan, set(scans.tolist()))
    tested = np.isin(scans, list(test_scans))
    if tested.all():
        raise ArgumentError("lesions: every scan is in test_scans; leave some to train on.")
    x, y = arrays["x"], arrays["mask"]
    return Dataset.of(about, x[~tested], y[~tested], x[tested], y[tested])


def _pixels(
    caller: str, path: Source, x: NDArray[Any], size: tuple[int, int] | None
) -> tuple[NDArray[Any], float | None]:
    """Bring images to (N, H, W), and say by what they are to be divided: 255, 1, or None if neither fits."""
    if x.shape[3:] == (1,):
        x = x[..., 0]
    if size and x.ndim == 2 and x.shape[1] == size[0] * size[1]:
        x = x.reshape(len(x), *size)
    if x.ndim != 3 or x.dtype.kind not in "iufb" or (size and x.shape[1:] != size):
        expected = f"(N, {size[0]}, {size[1]}) or (N, {size[0] * size[1]})" if size else "(N, H, W)"
        raise DataError(f"{caller}: {path} holds {x.shape} of {x.dtype}; numbers, {expected}, are expected.")
    if not np.isfinite(x).all():
        raise DataError(f"{caller}: {path} has pixels that are nan or infinite.")
    low, high = (x.min(), x.max()) if x.size else (0, 0)
    if x.dtype.kind == "f" and low >= 0 and high <= 1:
        return x.astype(np.float32), 1
    if low >= 0 and high <= 255 and (x.dtype.kind != "f" or (x == np.rint(x)).all()):
        return x.astype(np.uint8), 255
    if size:
        raise DataError(
            f"{caller}: {path} has pixels from {low} to {high}; 0 to 255, or 0 to 1, are expected."
        )
    return x, None  # Hounsfield units, say


def _classes(
    caller: str, path: Source, y: NDArray[Any], shape: tuple[int, ...], count: int
) -> NDArray[np.uint8]:
    if y.shape != shape:
        raise DataError(f"{caller}: {path} holds {y.shape} of {y.dtype}; {shape} is expected.")
    if y.dtype.kind not in "iufb" or not np.isin(y, np.arange(count)).all():
        raise DataError(f"{caller}: {path} has labels that aren't whole numbers from 0 to {count - 1}.")
    return y.astype(np.uint8)
