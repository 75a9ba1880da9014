"""From what a user hands to ``fit`` to batches that can be learned from: checked, split and weighted."""

from collections.abc import Iterator
from itertools import islice
from operator import length_hint
from typing import Any

import numpy as np

from ..errors import ArgumentError, DataError, DTypeError, ShapeError
from ..random import default_generator
from ..tensor import Tensor
from .dataset import PyDataset
from .module import positive
from .structure import flatten, is_structure, mapped, packed

_SEVERAL = (list, tuple, dict)  # what several inputs or outputs are in

__all__ = ["Data", "array_of", "check_finite", "unpack", "validation_of", "what_is"]


def unpack(data: Any) -> tuple[Any, Any, Any]:
    """Return x, y and sample_weight from a batch: x alone, (x,), (x, y) or (x, y, sample_weight).

    >>> unpack(("x", "y"))
    ('x', 'y', None)
    """
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise DataError(
            f"expected batches (x, y) or (x, y, sample_weight), got a tuple of {len(data)}; several "
            "inputs are a list or a dict"
        )
    x, y, weight = (*data, None, None)[:3]
    return x, y, weight


class Data:
    """Batches, an epoch at a time, from arrays or from anything that gives batches.

    ``samples`` and ``steps`` say how many of them and of batches an epoch has, where that is known.

    Raises
    ------
    DataError
        For no samples, unequal numbers of them, nan and infinite values; while it is iterated over, for
        batches that come to an end too early.
    """

    def __init__(
        self, what: str, x: Any, y: Any, weight: Any, class_weight: Any, batch_size: Any, shuffle: bool,
        steps: int | None,
    ) -> None:  # fmt: skip
        self.what, self.shuffle = what, shuffle
        self.batch_size = positive(32 if batch_size is None else batch_size, f"{what}: batch_size")
        self.steps = None if steps is None else positive(steps, f"{what}: steps")
        self.samples: int | None = None
        self._rest: Iterator[Any] | None = None
        self.arrays = y is not None or _is_arrays(x)
        if self.arrays:
            x = mapped(array_of, x, is_structure)
            y = None if y is None else mapped(array_of, y, is_structure)
            self.samples = check_data(x, y, what)
            weight = self._checked_weight(weight)
            if class_weight is not None:
                weight = weights_of(y, weight, class_weight)
            self.limit, self.columns = self.steps, (x, y, weight)
            self.steps = self.steps or -(-self.samples // self.batch_size)
        else:
            if class_weight or weight is not None:
                raise ArgumentError(
                    f"{what}: class_weight and sample_weight need x and y as arrays; put the weights into "
                    "the batches: (x, y, sample_weight)"
                )
            self.limit, self.batches = self.steps, x
            if self.steps is None:
                self.steps = length_hint(x) or None  # a loader of a generator's rows has no length

    def _checked_weight(self, weight: Any) -> Any:
        if weight is None:
            return None
        if is_structure(weight):
            return mapped(self._checked_weight, weight, is_structure)
        weight = np.asarray(weight, np.float32)
        if weight.shape[:1] != (self.samples,):
            raise ShapeError(
                f"{self.what}: expected one sample_weight for each of {self.samples} samples, "
                f"got {weight.shape}"
            )
        check_finite(weight, f"{self.what}: sample_weight")
        return weight

    def split(self, share: float) -> "tuple[Data, Data]":
        """Set the last samples aside for validation."""
        if not 0 <= share < 1:
            raise ArgumentError(f"fit: validation_split must be at least 0 and below 1, got {share}")
        if not self.arrays:
            raise ArgumentError("fit: validation_split needs x and y as arrays; pass validation_data")
        assert self.samples is not None
        n = int(self.samples * (1 - share))
        if n in (0, self.samples):
            raise ArgumentError(
                f"fit: validation_split={share} of {self.samples} samples leaves one of the parts empty"
            )
        parts = []
        for rows in (slice(None, n), slice(n, None)):
            x, y, weight = packed(
                self.columns, [None if a is None else a[rows] for a in flatten(self.columns)]
            )
            parts.append(Data(self.what, x, y, weight, None, self.batch_size, self.shuffle, self.limit))
        parts[1].shuffle, parts[1].limit = False, None
        return parts[0], parts[1]

    def __iter__(self) -> Iterator[Any]:
        """Go through the batches of one epoch."""
        if self.limit is None:
            source = self._begin()
        else:
            if self._rest is None:
                self._rest = self._endless() if self.arrays else self._begin()
            source = islice(self._rest, self.limit)
        seen = 0
        for batch in source:
            seen += 1
            yield batch
        if not seen:
            raise DataError(
                f"{self.what}: there is not a single batch. (A generator gives its batches only once; for "
                "several epochs pass a list or a DataLoader, or batches that never end and steps_per_epoch)"
            )

    def _endless(self) -> Iterator[Any]:
        while True:
            yield from self._begin()

    def _begin(self) -> Iterator[Any]:
        if not self.arrays:
            return self._checked()
        # A loader for each epoch: it draws its order's seed from the generator of the model that trains, so
        # that a run that is resumed goes on in the same order.
        from ..data.loader import DataLoader  # data knows no nn, but nn shouldn't need it to be imported

        present = [a for a in flatten(self.columns) if a is not None]
        one_each = self.columns[1] is not None and not any(isinstance(c, _SEVERAL) for c in self.columns)
        batch: Any = tuple if one_each else self._batch  # (x, y) or (x, y, weight) as they come
        return map(batch, DataLoader(present, batch_size=self.batch_size, shuffle=self.shuffle))

    def _batch(self, rows: list[Any]) -> Any:
        rest = iter(rows)
        x, y, weight = packed(
            self.columns, [None if a is None else next(rest) for a in flatten(self.columns)]
        )
        if weight is not None:
            return x, y, weight
        if y is not None:
            return x, y
        return (x,) if isinstance(x, list | tuple | dict) else x

    def _checked(self) -> Iterator[Any]:
        """Look at each batch before it is learned from."""
        try:
            if isinstance(self.batches, PyDataset) and self.shuffle:
                source = self.batches.batches(default_generator().permutation(len(self.batches)))
            else:
                source = iter(self.batches)
        except TypeError:
            raise DataError(
                f"{self.what}: expected arrays (samples, …) or batches, got {what_is(self.batches)}"
            ) from None
        for i, batch in enumerate(source):
            for name, part in zip(("x", "y", "sample_weight"), unpack(batch), strict=True):
                for a in flatten(part) if is_structure(part) else [part]:
                    if a is not None:
                        if np.ndim(a) == 0:
                            raise DataError(f"{self.what}: expected samples (samples, …), got {what_is(a)}")
                        check_finite(a, f"batch {i}: {name}")
            yield batch


def validation_of(
    data: Data, share: float, given: Any, batch_size: int | None, steps: int | None
) -> tuple[Data, Data | None]:
    """Return what to learn from, and what to measure on, if anything."""
    if given is None and not share:
        return data, None
    if given is None:
        data, held = data.split(share)
        held.batch_size = batch_size or held.batch_size
        held.limit = steps
        return data, held
    x, y, weight = (given, None, None)
    if isinstance(given, tuple | list) and 2 <= len(given) <= 3:
        x, y, weight = unpack(tuple(given))
    elif isinstance(given, tuple) and len(given) == 1:  # of a model that learns without targets
        x = given[0]
    held = Data("validation_data", x, y, weight, None, batch_size or data.batch_size, False, steps)
    if data.arrays and held.arrays:
        _check_alike(data, held)
    return data, held


def _check_alike(data: Data, held: Data) -> None:
    """Raise if validation data can't be of the kind that is trained on, before an epoch has passed."""
    (x, y, _), (other_x, other_y, _) = data.columns, held.columns
    if (y is None) != (other_y is None):
        raise DataError(
            "validation_data: expected (x, y), or (x, y, sample_weight), as there is a y in training"
        )
    for a, b in zip(flatten(x), flatten(other_x), strict=False):
        if a.ndim != b.ndim or a.shape[1:][-1:] != b.shape[1:][-1:]:
            raise ShapeError(
                f"validation_data: samples of shape {b.shape[1:]}, but those to learn from are {a.shape[1:]}"
            )


def _is_arrays(x: Any) -> bool:
    """Tell arrays, of one input or several, from something that gives batches."""
    if x is None:
        return False
    if hasattr(x, "ndim") or hasattr(x, "__array__") or isinstance(x, dict):
        return True
    if not isinstance(x, list | tuple) or not x:
        return isinstance(x, int | float | str | list | tuple)
    return all(getattr(item, "ndim", 0) > 0 for item in x) or not is_structure(x)


def weights_of(y: Any, sample_weight: Any, class_weight: Any) -> Any:
    """Return the weight of each sample, its class's times its own; also of each pixel or word of a sample."""
    if not isinstance(class_weight, dict):
        raise ArgumentError(
            f"fit: class_weight is a dict, {{0: 1.0, 1: 2.5}}, got {type(class_weight).__name__}; "
            "dict(enumerate(weights)) makes one"
        )
    if y is None:
        raise DataError("fit: class_weight needs the targets y, whose classes it weighs")
    if is_structure(y) and len(flatten(y)) > 1:
        raise ArgumentError(
            "fit: class_weight is for a model with one output; give sample_weight, in a list or dict as y"
        )
    labels = _class_numbers(flatten(y)[0] if is_structure(y) else y)
    known, places = np.unique(labels, return_inverse=True)
    missing = set(known.tolist()) - set(class_weight)
    if missing:
        raise DataError(f"fit: class_weight says nothing of class {min(missing)}, which is among the labels")
    weights = np.array([class_weight[label] for label in known.tolist()], np.float32)[places]
    weights = weights.reshape(labels.shape)
    check_finite(weights, "fit: class_weight")
    if sample_weight is None:
        return weights
    fewer, more = sorted((weights, sample_weight), key=np.ndim)
    return fewer.reshape(fewer.shape + (1,) * (more.ndim - fewer.ndim)) * more


def _class_numbers(y: Any) -> Any:
    """Return the class of each sample, or of each part of it, from numbers (…) or (…, 1), or rows (…, C)."""
    y = np.asarray(y)
    if y.ndim == 1 or y.shape[-1] == 1:
        return y.reshape(y.shape if y.ndim == 1 else y.shape[:-1])
    if y.min() < 0 or not np.allclose(y.sum(axis=-1, dtype=np.float64), 1, atol=1e-3):
        raise ArgumentError(
            f"fit: class_weight needs class numbers (samples,) or one-hot rows, and targets {y.shape} are "
            "neither; for a class number in each place write y[..., np.newaxis], for several labels that may "
            "be true together, or numbers, give sample_weight"
        )
    return y.argmax(axis=-1)


def check_data(x: Any, y: Any, what: str) -> int:
    """See that there are samples, as many targets, and no nan or infinite values; return how many."""
    inputs, targets = flatten(x), [] if y is None else flatten(y)
    for a in (*inputs, *targets):
        if np.ndim(a) == 0:
            raise DataError(f"{what}: expected arrays (samples, …), got {what_is(a)}")
    n = len(inputs[0])
    for a in inputs:
        if len(a) != n:
            raise DataError(f"{what}: one input has {n} samples, another {len(a)}")
    for a in targets:
        if len(a) != n:
            raise DataError(f"{what}: {n} samples but {len(a)} targets")
    if n == 0:
        raise DataError(f"{what}: there are no samples")
    for name, arrays in (("x", inputs), ("y", targets)):
        for a in arrays:
            if a.dtype.kind not in "biuf":
                raise DTypeError(
                    f"{what}: {name} holds {_held(a)}, not real numbers. {name}.astype('float32') converts "
                    "numbers that lie in an object array; classes that are words get numbers by "
                    "np.unique(words, return_inverse=True)[1]"
                )
            check_finite(a, f"{what}: {name}")
    return n


def check_finite(a: Any, what: str) -> None:
    """Raise DataError if an array holds nan or infinite values; memory maps are read piece by piece."""
    a = array_of(a)
    if a.dtype.kind != "f":
        return
    step = max(1, 4_000_000 // max(1, a[:1].size))
    for start in range(0, len(a), step):
        bad = ~np.isfinite(a[start : start + step])
        if bad.any():
            where = tuple(int(i) for i in np.argwhere(bad)[0])
            raise DataError(
                f"{what} has nan or infinite values, the first at index "
                f"{(where[0] + start, *where[1:])}; fill or drop them before training"
            )


def array_of(a: Any) -> Any:
    if isinstance(a, Tensor):
        return a.numpy()
    try:
        return a if isinstance(a, np.ndarray) else np.asarray(a)
    except ValueError as error:
        raise DataError(f"expected samples of equal shape, got a {type(a).__name__}: {error}") from None


def _held(a: Any) -> str:
    """Name what is in an array that isn't of numbers, with the first thing that is none."""
    others = (v for v in a.flat if not isinstance(v, int | float | np.number | np.bool_))
    first = next(others, None)
    return f"dtype {a.dtype}" + ("" if first is None else f" with {np.asarray(first).item()!r} in it")


def what_is(a: Any) -> str:
    """Name what was given in the place of an array."""
    a = a.item() if isinstance(a, np.ndarray) and a.ndim == 0 else a
    hint = "; .toarray() makes one of a sparse matrix" if hasattr(a, "toarray") else ""
    shape = f" of shape {a.shape}" if isinstance(a, np.ndarray) else ""
    return f"{type(a).__name__}{shape}{hint}"
