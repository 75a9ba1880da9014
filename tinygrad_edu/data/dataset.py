"""What every data set of the package returns: arrays for training and testing, and what is known of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data.prepare import common_length
from tinygrad_edu.errors import DataError

__all__ = ["Dataset"]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A data set, split into a part to train on and a part to test on.

    It unpacks as Keras' data sets do: ``(x_train, y_train), (x_test, y_test) = data.digits()``.

    Parameters
    ----------
    name, description : str
    x_train, x_test : arrays of N rows
        In the dtype and range of their source; images are (N, H, W), without a channel axis.
    y_train, y_test : arrays of N labels
    class_names : tuple of str
        Label k means ``class_names[k]``; empty when the labels are no classes.
    maximum : float or None
        The largest value that the set's documentation allows in x (the smallest is 0); it needn't occur.
    licence, source, citation : str

    Raises
    ------
    DataError
        x and y of unequal length.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> digits = data.digits()
    >>> digits.x_train.shape, digits.maximum, digits.scaled().x_train.max()
    ((1437, 8, 8), 16, np.float32(1.0))
    """

    name: str
    description: str
    x_train: NDArray[Any]
    y_train: NDArray[Any]
    x_test: NDArray[Any]
    y_test: NDArray[Any]
    class_names: tuple[str, ...]
    maximum: float | None
    licence: str
    source: str
    citation: str

    def __post_init__(self) -> None:
        common_length(self.name, {"x_train": self.x_train, "y_train": self.y_train})
        common_length(self.name, {"x_test": self.x_test, "y_test": self.y_test})

    def __iter__(self) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        yield self.x_train, self.y_train
        yield self.x_test, self.y_test

    def scaled(self) -> Self:
        """Return the set with x as float32 in 0…1: divided by ``maximum``, whatever the sample holds.

        The factor belongs to the set, not to the rows at hand, so training, test and later data agree.

        Raises
        ------
        DataError
            The set states no maximum.

        Examples
        --------
        >>> from tinygrad_edu import data
        >>> (x_train, y_train), (x_test, y_test) = data.digits().scaled()
        >>> x_train.dtype, x_train.shape
        (dtype('float32'), (1437, 8, 8))
        """
        if self.maximum is None:
            raise DataError(
                f"{self.name}: its columns have no common maximum to scale by; standardise them instead."
            )
        train, test = (np.divide(x, self.maximum, dtype=np.float32) for x in (self.x_train, self.x_test))
        return replace(self, x_train=train, x_test=test, maximum=1)

    def __repr__(self) -> str:
        span = "" if self.maximum is None else f", 0 to {self.maximum:g}"
        lines = [f"{self.name}: {self.description}"]
        for part, (x, y) in zip(("train", "test"), self, strict=True):
            lines.append(f"  {part:8} x {x.shape} {x.dtype}{span}; y {y.shape} {y.dtype}")
        if self.class_names:
            train, test = (np.bincount(y, minlength=len(self.class_names)) for _, y in self)
            counts = zip(self.class_names, train, test, strict=True)
            lines.append(
                "  classes  " + ", ".join(f"{name}: {a} + {b}" for name, a, b in counts) + " (train + test)"
            )
        lines += [f"  licence  {self.licence}", f"  source   {self.source}", f"  cite     {self.citation}"]
        return "\n".join(lines)
