"""How the perceptron learns: batch by batch with SGD or Adam, or with SciPy's L-BFGS on all rows at once.

The rules are scikit-learn's. An epoch counts as no progress if the loss fell by less than ``tol`` below the
best so far (or the validation score rose by less); after more than ``n_iter_no_change`` such epochs training
stops, or, with an adaptive rate, goes on five times as slowly.
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ArgumentError, DataError
from .. import optimizers
from .perceptron import Perceptron

__all__ = ["fit_lbfgs", "fit_stochastic"]

Array = NDArray[Any]

_SLOWEST = 1e-6  # the rate at which an adaptive schedule gives up


def dense_rows(x: Any, rows: Any, into: Array | None = None) -> Array:
    """Return some rows of a matrix, which may be a sparse one, as an array."""
    if hasattr(x, "toarray"):
        return x[rows].toarray()  # type: ignore[no-any-return]
    if isinstance(rows, slice) or into is None:
        return x[rows]  # type: ignore[no-any-return]
    return np.take(x, rows, axis=0, out=into[: len(rows)], mode="clip")


# -- L-BFGS --------------------------------------------------------------------------------------------------


def fit_lbfgs(estimator: Any, network: Perceptron, x: Any, y: Array, weight: Array | None) -> None:
    """Minimise the loss on all rows by SciPy's L-BFGS-B, in float64, since it compares small differences."""
    from scipy.optimize import minimize
    from sklearn.exceptions import ConvergenceWarning

    wide = Perceptron(
        [a.astype(np.float64) for a in network.arrays],
        network.activation,
        network.output,
        network.alpha,
    )
    x = dense_rows(x, slice(None)).astype(np.float64, copy=False)
    n, latest, curve = len(x), [0.0], []

    def loss_and_slope(vector: Array) -> tuple[float, Array]:
        wide.parameter.data[...] = vector
        loss = wide.learn(x, y, weight)
        latest[0] = wide.reported(loss, n, weight)
        return loss + wide.penalty(n, weight), wide.slopes.copy()

    def after_each(_: Array) -> None:
        curve.append(latest[0])
        if estimator.verbose:
            print(f"Iteration {len(curve)}, loss = {curve[-1]:.8f}")

    options = {"maxfun": estimator.max_fun, "maxiter": estimator.max_iter, "gtol": estimator.tol}
    found = minimize(
        loss_and_slope,
        wide.parameter.data.copy(),
        method="L-BFGS-B",
        jac=True,
        options=options,
        callback=after_each,
    )
    if not found.success:
        warnings.warn(
            f"lbfgs stopped after {found.nit} iterations, before it converged: {found.message}. Raise "
            f"max_iter ({estimator.max_iter}) or scale the data",
            ConvergenceWarning,
            stacklevel=4,
        )
    wide.parameter.data[...] = network.parameter.data[...] = found.x
    estimator.n_iter_ = min(int(found.nit), estimator.max_iter)
    estimator.loss_, estimator.loss_curve_ = wide.reported(wide.measure(x, y, weight), n, weight), curve


# -- SGD and Adam --------------------------------------------------------------------------------------------


def fit_stochastic(
    estimator: Any, network: Perceptron, x: Any, y: Array, weight: Array | None, incremental: bool
) -> None:
    """Go through epochs until there is no more progress; ``incremental`` is a single one, and goes on."""
    if estimator.early_stopping and incremental:
        raise ArgumentError("partial_fit does not support early_stopping=True")
    optimizer = _optimizer(estimator, network, resume=incremental)
    held = None
    if estimator.early_stopping:
        x, y, weight, held = _split(estimator, x, y, weight)
    n = x.shape[0]
    size = min(200, n) if estimator.batch_size == "auto" else estimator.batch_size
    if size > n:
        warnings.warn(f"batch_size={size} is larger than the {n} samples, and is cut to that", stacklevel=4)
        size = n
    epochs = _Epochs(estimator, network, optimizer, x, y, weight, size)
    estimator.n_iter_ = 0
    best = network.parameter.data.copy()
    try:
        for _ in range(1 if incremental else estimator.max_iter):
            estimator.loss_ = epochs.run()
            estimator.n_iter_ += 1
            estimator.t_ += n
            estimator.loss_curve_.append(estimator.loss_)
            if estimator.verbose:
                print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")
            if held is None:
                _count_by_loss(estimator)
            elif _count_by_score(estimator, network, held):
                best = network.parameter.data.copy()
            if estimator.solver == "sgd" and estimator.learning_rate == "invscaling":
                optimizer.learning_rate = (
                    estimator.learning_rate_init / (estimator.t_ + 1) ** estimator.power_t
                )
            if estimator._no_improvement_count > estimator.n_iter_no_change:
                if _is_over(estimator, optimizer):
                    break
                estimator._no_improvement_count = 0
        else:
            if not incremental:
                _warn_of_no_end(estimator)
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=4)
    estimator._optimizer_state = {**optimizer.state_dict(), "rate": np.array(optimizer.rate)}
    if held is not None:
        network.parameter.data[...] = best


class _Epochs:
    """What an epoch needs each time."""

    def __init__(
        self, estimator: Any, network: Perceptron, optimizer: optimizers.Optimizer, x: Any, y: Array,
        weight: Array | None, size: int,
    ) -> None:  # fmt: skip
        self.estimator, self.network, self.optimizer = estimator, network, optimizer
        self.x, self.y, self.weight, self.size = x, y, weight, size
        self.order = np.arange(x.shape[0])
        self.batch = None if hasattr(x, "toarray") else np.empty((size, x.shape[1]), x.dtype)

    def run(self) -> float:
        """Learn from every batch once; return the mean of their losses."""
        from sklearn.utils import shuffle

        total, n = 0.0, len(self.order)
        if self.estimator.shuffle:
            self.order = shuffle(self.order, random_state=self.estimator._random_state)
        for start in range(0, n, self.size):
            stop = min(start + self.size, n)
            rows = self.order[start:stop] if self.estimator.shuffle else slice(start, stop)
            weight = None if self.weight is None else self.weight[rows]
            if weight is not None and not weight.any():
                continue  # nothing in it counts
            x = dense_rows(self.x, rows, self.batch)
            loss = self.network.learn(x, self.y[rows], weight)
            total += self.network.reported(loss, stop - start, weight) * (stop - start)
            self.optimizer.step()
        return total / n


def _optimizer(estimator: Any, network: Perceptron, resume: bool) -> optimizers.Optimizer:
    optimizer: optimizers.Optimizer
    if estimator.solver == "adam":
        optimizer = optimizers.Adam(
            estimator.learning_rate_init, estimator.beta_1, estimator.beta_2, estimator.epsilon
        )
    else:
        optimizer = optimizers.SGD(estimator.learning_rate_init, 0.5, estimator.nesterovs_momentum)
        optimizer.momentum = estimator.momentum  # scikit-learn allows 1
    optimizer.bind([network.parameter])
    state = getattr(estimator, "_optimizer_state", None)
    if resume and state is not None:
        rate = float(state["rate"])
        optimizer.load_state_dict({name: a for name, a in state.items() if name != "rate"})
        optimizer.learning_rate = rate
    return optimizer


def _split(estimator: Any, x: Any, y: Array, weight: Array | None) -> tuple[Any, Array, Any, tuple[Any, ...]]:
    """Set rows aside to validate on, by scikit-learn's split and its generator."""
    from sklearn.base import is_classifier
    from sklearn.model_selection import train_test_split

    columns = [x, y] if weight is None else [x, y, weight]
    parts = train_test_split(
        *columns,
        random_state=estimator._random_state,
        test_size=estimator.validation_fraction,
        stratify=y if is_classifier(estimator) and estimator.n_outputs_ == 1 else None,
    )
    if parts[1].shape[0] < 2:
        raise DataError(
            "early_stopping: The validation set is too small. Increase 'validation_fraction' or the size of "
            "your dataset."
        )
    weights = parts[4:] or (None, None)
    return parts[0], parts[2], weights[0], (dense_rows(parts[1], slice(None)), parts[3], weights[1])


def _count_by_loss(estimator: Any) -> None:
    progressed = not estimator.loss_ > estimator.best_loss_ - estimator.tol
    estimator._no_improvement_count = 0 if progressed else estimator._no_improvement_count + 1
    estimator.best_loss_ = min(estimator.best_loss_, estimator.loss_)


def _count_by_score(estimator: Any, network: Perceptron, held: tuple[Any, ...]) -> bool:
    """Score the rows set aside, and tell whether that was the best score so far."""
    x, y, weight = held
    score = estimator._validation_score(network.predict(x), y, weight)
    estimator.validation_scores_.append(score)
    loss = network.measure(x, y, weight)
    estimator.validation_loss_curve_.append(network.reported(loss, len(x), weight))
    if estimator.verbose:
        print(f"Validation score: {score:f}")
    progressed = not score < estimator.best_validation_score_ + estimator.tol
    estimator._no_improvement_count = 0 if progressed else estimator._no_improvement_count + 1
    if score > estimator.best_validation_score_:
        estimator.best_validation_score_ = score
        return True
    return False


def _is_over(estimator: Any, optimizer: optimizers.Optimizer) -> bool:
    what = "Validation score" if estimator.early_stopping else "Training loss"
    said = (
        f"{what} did not improve more than tol={estimator.tol:f} for {estimator.n_iter_no_change} "
        "consecutive epochs."
    )
    over, then = True, " Stopping."
    if estimator.solver == "sgd" and estimator.learning_rate == "adaptive":
        over, then = optimizer.rate <= _SLOWEST, " Learning rate too small. Stopping."
        if not over:
            optimizer.learning_rate = optimizer.rate / 5
            then = f" Setting learning rate to {optimizer.rate:f}"
    if estimator.verbose:
        print(said + then)
    return over


def _warn_of_no_end(estimator: Any) -> None:
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(
        f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the optimization "
        "hasn't converged yet.",
        ConvergenceWarning,
        stacklevel=5,
    )
