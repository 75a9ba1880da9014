"""Classes as a network sees them: as numbers, as yes or no, or a yes or no for each of several labels."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...errors import ArgumentError, DataError

__all__ = ["Labels"]

Array = NDArray[Any]


@dataclass
class Labels:
    """The classes in their order, and whether a row may have several of them.

    >>> labels = Labels.found(np.array(["no", "yes", "no"]))
    >>> labels.outputs, labels.activation, labels.encode(np.array(["yes", "no"])).tolist()
    (1, 'logistic', [[1.0], [0.0]])
    """

    classes: Array
    several: bool = False

    @classmethod
    def found(cls, y: Array) -> Self:
        """Read them off the targets; raises ValueError for targets that aren't classes."""
        from sklearn.utils.multiclass import check_classification_targets, type_of_target

        check_classification_targets(y)
        if y.ndim == 1:
            return cls(np.unique(y))
        if type_of_target(y) != "multilabel-indicator":
            raise DataError(
                "y has several columns, which have to be 0 or 1 for each label; Multioutput target data is "
                "not supported with label binarization"
            )
        return cls(np.arange(y.shape[1]), several=True)

    @classmethod
    def told(cls, classes: Any, y: Any) -> Self:
        """Take the classes that there will be; raises ArgumentError if nobody said which."""
        if classes is None:
            raise ArgumentError("classes must be passed on the first call to partial_fit.")
        return cls(np.unique(classes), several=np.ndim(y) == 2 and np.shape(y)[1] > 1)

    @property
    def outputs(self) -> int:
        """How many numbers the network gives for a row."""
        return len(self.classes) if self.several or len(self.classes) > 2 else 1

    @property
    def activation(self) -> str:
        return "softmax" if not self.several and len(self.classes) > 2 else "logistic"

    def check_same(self, y: Array) -> None:
        """Raise ArgumentError unless these targets have the same classes."""
        others = np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)
        if not np.array_equal(others, self.classes):
            raise ArgumentError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes}, `y` has {others}"
            )

    def encode(self, y: Array) -> Array:
        """Return each row's number of its class (samples,) for a softmax, else 0 or 1 (samples, outputs)."""
        if self.several:
            if y.ndim != 2 or y.shape[1] != len(self.classes):
                raise DataError(
                    f"y must have {len(self.classes)} columns, one for each label; it is {y.shape}"
                )
            return np.asarray(y, np.float32)
        if y.ndim != 1:
            raise DataError(f"y must have one class for each row, got the shape {y.shape}")
        places = np.minimum(np.searchsorted(self.classes, y), len(self.classes) - 1)
        strange = self.classes[places] != y
        if strange.any():
            raise DataError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes}. 'y' has "
                f"{np.unique(y[strange])}."
            )
        return places if self.outputs > 1 else places[:, np.newaxis].astype(np.float32)

    def decode(self, outputs: Array) -> Array:
        """Return the likeliest class of each row, or for several labels 0 or 1 for each."""
        if self.several:
            return (outputs > 0.5).astype(np.int64)
        if outputs.shape[1] > 1:
            places = outputs.argmax(axis=1)
        else:
            places = np.minimum((outputs[:, 0] > 0.5).astype(np.int64), len(self.classes) - 1)
        classes: Array = self.classes[places]
        return classes

    def probabilities(self, outputs: Array) -> Array:
        """Return the probability of each class, (samples, classes)."""
        if self.several or outputs.shape[1] > 1:
            return outputs
        if len(self.classes) == 1:
            return np.ones_like(outputs)
        return np.concatenate([1 - outputs, outputs], axis=1)
