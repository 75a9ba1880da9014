"""From what a user hands to ``fit`` to batches that can be learned from: checked, split and weighted."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..errors import ArgumentError, DataError, ShapeError
from ..tensor import Tensor

__all__ = ["array_of", "batches_of", "check_data", "check_finite", "split", "triple", "weights_of", "what_is"]


def triple(batch: Any) -> tuple[Any, Any, Any]:
    if isinstance(batch, tuple | list) and len(batch) in (2, 3):
        return batch[0], batch[1], batch[2] if len(batch) == 3 else None
    raise DataError("expected batches (x, y) or (x, y, sample_weight)")


def batches_of(x: Any, y: Any, weight: Any, batch_size: int, shuffle: bool) -> Iterable[Any]:
    """Cut arrays into batches; anything else gives batches by itself."""
    if y is None:
        return Checked(x)
    from ..data.loader import DataLoader  # data knows no nn, but nn shouldn't need it to be imported

    arrays = (y,) if weight is None else (y, weight)
    return DataLoader((x, *arrays), batch_size=batch_size, shuffle=shuffle)


class Checked:
    """Batches from anything that can be iterated over, each looked at before it is learned from."""

    def __init__(self, batches: Iterable[Any]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        for i, batch in enumerate(self.batches):
            x, y, weight = triple(batch)
            parts = {"x": x, "y": y, "sample_weight": weight}
            for name, part in parts.items():
                for a in part if isinstance(part, tuple) else (part,):
                    if a is not None:
                        check_finite(a, f"batch {i}: {name}")
            yield x, y, weight


def split(x: Any, y: Any, weight: Any, share: float, given: Any) -> tuple[Any, Any, Any, Any]:
    """Check the data and set the last samples aside for validation."""
    x, y = array_of(x), array_of(y)
    check_data(x, y, "fit")
    if weight is not None:
        weight = np.asarray(weight, np.float32)
        if weight.shape != (len(x),):
            raise ShapeError(
                f"fit: expected one sample_weight for each of {len(x)} samples, got {weight.shape}"
            )
        check_finite(weight, "fit: sample_weight")
    if not 0 <= share < 1:
        raise ArgumentError(f"fit: validation_split must be at least 0 and below 1, got {share}")
    if given is not None or not share:
        return x, y, weight, given
    n = int(len(x) * (1 - share))
    if n in (0, len(x)):
        raise ArgumentError(
            f"fit: validation_split={share} of {len(x)} samples leaves one of the parts empty"
        )
    validation = (x[n:], y[n:]) if weight is None else (x[n:], y[n:], weight[n:])
    return x[:n], y[:n], None if weight is None else weight[:n], validation


def weights_of(y: Any, sample_weight: Any, class_weight: dict[int, float] | None) -> Any:
    """Return the weight of each sample, with its class's weight multiplied in."""
    if class_weight is None:
        return sample_weight
    labels = np.asarray(y)
    if labels.ndim > 1:
        labels = labels.argmax(axis=-1) if labels.shape[-1] > 1 else labels.reshape(len(labels))
    missing = set(np.unique(labels).tolist()) - set(class_weight)
    if missing:
        raise DataError(f"fit: class_weight says nothing of class {min(missing)}, which is among the labels")
    weights = np.array([class_weight[label] for label in labels.tolist()], np.float32)
    return weights if sample_weight is None else weights * sample_weight


def check_data(x: Any, y: Any, what: str) -> None:
    """See that there are samples, as many targets, and no nan or infinite values."""
    for a in (x, y):
        if np.ndim(a) == 0:
            raise DataError(f"{what}: expected arrays (samples, …), got {what_is(a)}")
    if len(x) != len(y):
        raise DataError(f"{what}: {len(x)} samples but {len(y)} targets")
    if len(x) == 0:
        raise DataError(f"{what}: there are no samples")
    check_finite(x, f"{what}: x")
    check_finite(y, f"{what}: y")


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


def what_is(a: Any) -> str:
    """Name what was given in the place of an array."""
    a = a.item() if isinstance(a, np.ndarray) and a.ndim == 0 else a
    hint = "; .toarray() makes one of a sparse matrix" if hasattr(a, "toarray") else ""
    shape = f" of shape {a.shape}" if isinstance(a, np.ndarray) else ""
    return f"{type(a).__name__}{shape}{hint}"
