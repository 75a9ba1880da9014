"""What MLPClassifier and MLPRegressor may be told, checked when they are fitted, as scikit-learn wants it."""

from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np

from ...errors import ArgumentError, unknown_name
from ...random import default_generator

__all__ = ["check_parameters", "hidden_sizes", "random_of", "weights_of"]

NAMES = {
    "activation": ("identity", "logistic", "tanh", "relu"),
    "solver": ("lbfgs", "sgd", "adam"),
    "learning_rate": ("constant", "invscaling", "adaptive"),
    "loss": ("squared_error", "poisson"),
}
# The name, whether it is a whole number, from where to where, and how that reads.
RANGES: tuple[tuple[str, bool, Callable[[Any], bool], str], ...] = (
    ("alpha", False, lambda v: v >= 0, "at least 0"),
    ("learning_rate_init", False, lambda v: v > 0, "above 0"),
    ("power_t", False, lambda v: v >= 0, "at least 0"),
    ("max_iter", True, lambda v: v >= 1, "at least 1"),
    ("tol", False, lambda v: v >= 0, "at least 0"),
    ("momentum", False, lambda v: 0 <= v <= 1, "from 0 to 1"),
    ("validation_fraction", False, lambda v: 0 <= v < 1, "at least 0 and below 1"),
    ("beta_1", False, lambda v: 0 <= v < 1, "at least 0 and below 1"),
    ("beta_2", False, lambda v: 0 <= v < 1, "at least 0 and below 1"),
    ("epsilon", False, lambda v: v > 0, "above 0"),
    ("max_fun", True, lambda v: v >= 1, "at least 1"),
)


def check_parameters(estimator: Any) -> None:
    """Raise ArgumentError for the first parameter that can't be used."""
    who = type(estimator).__name__
    for name, known in NAMES.items():
        value = vars(estimator).get(name, known[0])  # a classifier has no loss to choose
        if not isinstance(value, str) or value not in known:
            raise unknown_name(f"{who}: {name}", value, known)
    for name, whole, fits, words in RANGES:
        value = getattr(estimator, name)
        if not _is_number(value, whole) or not fits(value):
            kind = "a whole number" if whole else "a number"
            raise ArgumentError(f"{who}: {name} must be {kind} {words}, got {value!r}")
    if estimator.batch_size != "auto" and not (
        _is_number(estimator.batch_size, True) and estimator.batch_size >= 1
    ):
        raise ArgumentError(
            f"{who}: batch_size must be 'auto' or a whole number of at least 1, got {estimator.batch_size!r}"
        )
    patience = estimator.n_iter_no_change
    if not (_is_number(patience, True) and patience >= 1) and patience != np.inf:
        raise ArgumentError(
            f"{who}: n_iter_no_change must be a whole number of at least 1, or np.inf, got {patience!r}"
        )
    hidden_sizes(estimator)


def hidden_sizes(estimator: Any) -> list[int]:
    """Return the numbers of hidden units, from one number or several; none is a linear model."""
    given = estimator.hidden_layer_sizes
    sizes = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    if any(not _is_number(n, True) or n < 1 for n in sizes):
        raise ArgumentError(
            f"{type(estimator).__name__}: hidden_layer_sizes must be > 0 and whole: one number for each "
            f"hidden layer, as in (100, 50); got {given!r}"
        )
    return [int(n) for n in sizes]


def _is_number(value: Any, whole: bool) -> bool:
    kind = Integral if whole else Real
    return isinstance(value, kind) and not isinstance(value, bool | np.bool_) and bool(value == value)


def random_of(random_state: Any) -> np.random.RandomState:
    """Return scikit-learn's generator for a random_state; None begins it from the package's own.

    So ``te.seed(1)`` decides what isn't given a number.

    >>> random_of(3).randint(10) == random_of(3).randint(10)
    True
    """
    from sklearn.utils import check_random_state

    if random_state is None:
        return np.random.RandomState(int(default_generator().integers(1 << 32)))
    return check_random_state(random_state)  # type: ignore[no-any-return]


def weights_of(sample_weight: Any, n: int, dtype: Any, who: str) -> Any:
    """Return the weights of n samples as an array, or None; raises ArgumentError for what are none."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight, dtype)
    if not weight.ndim:
        weight = np.full(n, weight)
    if weight.shape != (n,):
        raise ArgumentError(
            f"{who}: sample_weight must have one number for each of {n} samples, got the shape {weight.shape}"
        )
    if not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        raise ArgumentError(
            f"{who}: sample_weight must be finite, not negative, and not zero for all samples"
        )
    return weight
