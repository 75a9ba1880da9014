"""What every data set of the package returns: arrays for training and testing, and what is known of them."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data.prepare import common_length, train_test_split
from tinygrad_edu.errors import ArgumentError, DataError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["About", "Dataset"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class About:
    """What is known of a data set before it is opened; the parameters are Dataset's."""

    name: str
    description: str
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    target_name: str = "target"
    maximum: float | None = None
    licence: str
    source: str
    citation: str


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Dataset(About):
    """A data set, split into a part to train on and a part to test on.

    It unpacks as Keras' data sets do: ``(x_train, y_train), (x_test, y_test) = data.digits()``.

    Parameters
    ----------
    name, description : str
    x_train, x_test : arrays of N rows
        In the dtype and range of their source; images are (N, H, W), without a channel axis.
    y_train, y_test : arrays of N labels, numbers or masks
    class_names : tuple of str
        Label k means ``class_names[k]``; empty when the labels are no classes.
    feature_names : tuple of str
        One for each column of x; empty where columns have no names, as in images.
    target_name : str
        What y is.
    maximum : float or None
        The largest value that the set's documentation allows in x (the smallest is 0); it needn't occur.
    licence, source, citation : str

    Raises
    ------
    DataError
        x and y of unequal length, or names that are more or fewer than the columns.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> digits = data.digits()
    >>> digits.x_train.shape, digits.maximum, digits.scaled().x_train.max()
    ((1437, 8, 8), 16, np.float32(1.0))
    >>> data.iris()
    iris: three species of iris flowers, measured in cm
      train    x (120, 4) float64; y (120,) int64
      test     x (30, 4) float64; y (30,) int64
      classes  setosa: 40 + 10, versicolor: 40 + 10, virginica: 40 + 10 (train + test)
      features sepal length (cm), sepal width (cm), petal length (cm), petal width (cm)
      licence  CC BY 4.0
      ...
    """

    x_train: NDArray[Any]
    y_train: NDArray[Any]
    x_test: NDArray[Any]
    y_test: NDArray[Any]

    def __post_init__(self) -> None:
        common_length(self.name, {"x_train": self.x_train, "y_train": self.y_train})
        common_length(self.name, {"x_test": self.x_test, "y_test": self.y_test})
        if self.feature_names and self.x_train.shape[1:] != (len(self.feature_names),):
            raise DataError(
                f"{self.name}: {len(self.feature_names)} feature names for x_train of shape "
                f"{self.x_train.shape}; each column needs one."
            )

    @classmethod
    def of(
        cls,
        about: About,
        x_train: NDArray[Any],
        y_train: NDArray[Any],
        x_test: NDArray[Any] | None = None,
        y_test: NDArray[Any] | None = None,
        **changes: Any,
    ) -> Self:
        """Make a set of what is known and of arrays; without a test part that is empty.

        >>> from tinygrad_edu import data
        >>> Dataset.of(data.iris(), np.zeros((9, 4)), np.zeros(9, int), name="nothing").x_test.shape
        (0, 4)
        """
        known = {field.name: getattr(about, field.name) for field in fields(About)} | changes
        if x_test is None or y_test is None:
            x_test, y_test = x_train[:0], y_train[:0]
        return cls(**known, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)

    def __iter__(self) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        yield self.x_train, self.y_train
        yield self.x_test, self.y_test

    @property
    def x(self) -> NDArray[Any]:
        """All rows, those of the training part first: for cross-validation, or to look at the whole."""
        return np.concatenate([self.x_train, self.x_test])

    @property
    def y(self) -> NDArray[Any]:
        """What belongs to the rows of ``x``."""
        return np.concatenate([self.y_train, self.y_test])

    def split(
        self, test_size: float = 0.2, seed: int | None = None, stratify: bool | None = None
    ) -> "Dataset":
        """Put all rows together and split them anew, at random.

        Parameters
        ----------
        test_size : float or int
            The share, or number, of rows in the test part; 0 leaves all in the training part, unshuffled.
        seed : int, optional
            The same seed gives the same split; None draws from the package's default generator.
        stratify : bool, optional
            Keep each label's share in both parts; by default done where labels are whole numbers, one a row.

        Returns
        -------
        Dataset

        Raises
        ------
        ArgumentError, DataError
            A test_size or seed that can't be used, labels too rare to be in both parts.

        Examples
        --------
        >>> from tinygrad_edu import data
        >>> iris = data.iris().split(test_size=0.5, seed=1)
        >>> np.bincount(iris.y_train), np.bincount(iris.y_test)
        (array([25, 25, 25]), array([25, 25, 25]))
        """
        x, y = self.x, self.y
        if isinstance(test_size, int) and not isinstance(test_size, bool) and test_size == 0:
            return replace(self, x_train=x, y_train=y, x_test=x[:0], y_test=y[:0])
        if stratify is None:
            stratify = y.ndim == 1 and y.dtype.kind in "iu"
        x_train, x_test, y_train, y_test = train_test_split(
            x, y, test_size=test_size, seed=seed, stratify=y if stratify else None
        )
        return replace(self, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)

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

    def as_frame(self, part: Literal["all", "train", "test"] = "all") -> "pd.DataFrame":
        """Return rows as a pandas DataFrame: a column for each feature, and one named ``target_name``.

        Images become a column for each pixel, ``x_0_0``, ``x_0_1`` and so on.

        Parameters
        ----------
        part : "all", "train" or "test"

        Raises
        ------
        ArgumentError
            An unknown part, or pandas isn't installed.
        DataError
            The set's targets are no single values, but masks.

        Examples
        --------
        >>> from tinygrad_edu import data
        >>> data.wine_quality().as_frame()[["alcohol", "quality"]].corr().round(2)
                 alcohol  quality
        alcohol     1.00     0.48
        quality     0.48     1.00
        """
        if part not in ("all", "train", "test"):
            raise unknown_name("part", part, ("all", "train", "test"))
        train, test = self
        x, y = (self.x, self.y) if part == "all" else train if part == "train" else test
        try:
            import pandas as pd
        except ImportError:
            raise ArgumentError("as_frame: needs pandas; pip install 'tinygrad_edu[frames]'") from None
        if y.ndim != 1:
            raise DataError(f"{self.name}: a frame has one target a row, but y has the shape {y.shape}.")
        names = self.feature_names or ["_".join(("x", *map(str, at))) for at in np.ndindex(x.shape[1:])]
        return pd.DataFrame(x.reshape(len(x), len(names)), columns=list(names)).assign(
            **{self.target_name: y}
        )

    def __repr__(self) -> str:
        span = "" if self.maximum is None else f", 0 to {self.maximum:g}"
        lines = [f"{self.name}: {self.description}"]
        for part, (x, y) in zip(("train", "test"), self, strict=True):
            lines.append(f"  {part:8} x {x.shape} {x.dtype}{span}; y {y.shape} {y.dtype}")
        if self.class_names:
            train, test = (np.bincount(y.reshape(-1), minlength=len(self.class_names)) for _, y in self)
            counts = zip(self.class_names, train, test, strict=True)
            of = "pixels of " if self.y_train.ndim > 1 else ""
            lines.append(
                "  classes  "
                + ", ".join(f"{name}: {a} + {b}" for name, a, b in counts)
                + f" ({of}train + test)"
            )
        if self.feature_names:
            more = f", … ({len(self.feature_names)} in all)" if len(self.feature_names) > 13 else ""
            lines.append("  features " + ", ".join(self.feature_names[: 13 if not more else 3]) + more)
        lines += [f"  licence  {self.licence}", f"  source   {self.source}"]
        if self.citation:
            lines.append(f"  cite     {self.citation}")
        return "\n".join(lines)
