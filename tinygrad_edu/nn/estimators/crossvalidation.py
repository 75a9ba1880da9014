"""Cross-validation with a new model in each fold, a bar that shows how far it is, and workers if wanted.

The folds are those of :mod:`tinygrad_edu.data`; the workers are joblib's: processes on this machine
(``n_jobs=2``), or those of a Dask cluster (``with joblib.parallel_config("dask")``).
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ArgumentError, DataError

__all__ = ["CrossValidation", "cross_validate"]

Array = NDArray[Any]

_SMALL = 10_000_000  # bytes of data that travel with each fold


@dataclass
class CrossValidation:
    """What came of a cross-validation.

    Attributes
    ----------
    predictions : ndarray (N, …)
        For each row, by the model that hadn't seen it.
    score : float
        The metric of all these predictions together.
    scores : ndarray (folds,)
        The metric fold by fold; nan where it has no meaning, as R² of a single row.
    seconds : ndarray (folds,)
        How long each fold took, training and predicting.
    estimators : list
        The fitted estimators, if they were asked for.
    """

    predictions: Array
    score: float
    scores: Array
    seconds: Array
    estimators: list[Any] = field(default_factory=list, repr=False)

    def __str__(self) -> str:
        spread = f", folds {np.nanmean(self.scores):.4f} ± {np.nanstd(self.scores):.4f}"
        single = np.isnan(self.scores).all() or len(self.scores) == len(self.predictions)
        return (
            f"score {self.score:.4f}{'' if single else spread} "
            f"({len(self.scores)} folds, {self.seconds.sum():.1f} s of work)"
        )


def cross_validate(
    estimator: Any,
    x: Any,
    y: Any,
    folds: Any = 5,
    *,
    metric: Callable[[Array, Array], float] | None = None,
    sample_weight: Any = None,
    seed: int | None = 0,
    n_jobs: int | None = None,
    progress: bool = True,
    keep: bool = False,
) -> CrossValidation:
    """Train a new copy of an estimator in each fold, and predict the rows that it hasn't seen.

    Each fold starts from nothing: weights, optimizer, and in a pipeline the scaler too. With a
    ``random_state`` the result is the same with any number of workers.

    Parameters
    ----------
    estimator
        Any of scikit-learn's kind, also a pipeline; it is left as it is.
    x, y : array of N rows, array of N targets
    folds : int, "leave-one-out", or pairs of arrays of row numbers
        So many folds, in which a classifier has each class's share; or one for each row; or (train, test) as
        :func:`tinygrad_edu.data.k_fold` and scikit-learn's splitters give them, each row in one test.
    metric : function (y_true, y_pred), optional
        By default the accuracy, or R² of a regression.
    sample_weight : array (N,), optional
        For training.
    seed : int, optional
        Decides the folds, where ``folds`` is a number.
    n_jobs : int, optional
        Processes; each computes on its share of the cores. None goes by ``joblib.parallel_config``.
    progress : bool
        Show a bar.
    keep : bool
        Return the fitted estimators too.

    Returns
    -------
    CrossValidation

    Raises
    ------
    ArgumentError, DataError
        For folds that can't be, or that don't test each row once.

    Notes
    -----
    On a Dask cluster, up to 10 MB of data travel with each fold, so a worker that is lost takes nothing
    along: its fold is done again by another. Larger data is handed to the workers once, and
    ``joblib.parallel_config("dask", scatter=[x, y])`` gives each of them a copy.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> x, y = load_iris(return_X_y=True)
    >>> from tinygrad_edu.nn.estimators import MLPClassifier
    >>> model = MLPClassifier((4,), solver="lbfgs", alpha=1.0, tol=0.01, random_state=1)
    >>> result = cross_validate(model, x, y, 3, progress=False)
    >>> result.score > 0.9, result.scores.shape, result.predictions.shape
    (True, (3,), (150,))
    """
    from joblib import Parallel, delayed
    from sklearn.base import is_classifier
    from sklearn.metrics import accuracy_score, r2_score
    from sklearn.utils import indexable

    x, y, sample_weight = indexable(x, y, sample_weight)
    y = np.asarray(y)
    splits = _splits(folds, x, y, is_classifier(estimator), seed)
    metric = metric or (accuracy_score if is_classifier(estimator) else r2_score)
    held = _Held(x, y, sample_weight)
    # What is large goes as an argument of its own, which joblib and Dask hand over once.
    shared = () if held.nbytes <= _SMALL else (x, y, sample_weight)
    held_or_not = None if shared else held
    tasks = [_Task(i, estimator, held_or_not, *split) for i, split in enumerate(splits)]
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    results: dict[int, Any] = {}
    with _bar(len(tasks), progress) as advance:
        for i, predicted, seconds, fitted in parallel(delayed(_run)(task, keep, *shared) for task in tasks):
            results[i] = predicted, seconds, fitted
            advance()
    parts = [results[i][0] for i in range(len(splits))]
    predictions = np.empty((len(y), *parts[0].shape[1:]), np.result_type(*parts))
    for (_, test), part in zip(splits, parts, strict=True):
        predictions[test] = part
    meaningless = metric is r2_score
    scores = [
        np.nan if meaningless and len(test) < 2 else float(metric(y[test], part))
        for (_, test), part in zip(splits, parts, strict=True)
    ]
    return CrossValidation(
        predictions,
        float(metric(y, predictions)),
        np.array(scores),
        np.array([results[i][1] for i in range(len(splits))]),
        [results[i][2] for i in range(len(splits))] if keep else [],
    )


def _splits(folds: Any, x: Any, y: Array, classes: bool, seed: int | None) -> list[tuple[Array, Array]]:
    from ...data import k_fold, leave_one_out

    rows = np.arange(len(y))
    if isinstance(folds, str):
        if folds.replace("_", "-").replace(" ", "-") != "leave-one-out":
            raise ArgumentError(
                f'folds must be a number, "leave-one-out" or pairs of row numbers, got {folds!r}'
            )
        return list(leave_one_out(rows))
    if not isinstance(folds, Iterable):
        stratify = y if classes and y.ndim == 1 else None
        return list(k_fold(rows, folds, stratify=stratify, seed=seed))
    splits = [(np.asarray(train), np.asarray(test)) for train, test in folds]
    tested = np.sort(np.concatenate([test for _, test in splits] or [rows[:0]]))
    if not np.array_equal(tested, rows):
        raise DataError(
            f"cross_validate: each of the {len(rows)} rows must be tested in one fold, and {len(tested)} "
            f"are, {len(np.unique(tested))} of them different; for splits that overlap use scikit-learn's "
            "cross_val_score"
        )
    return splits


@dataclass
class _Held:
    """The data, in an object that Dask takes for small, so that it travels with the task and isn't lost."""

    x: Any
    y: Array
    weight: Any

    @property
    def nbytes(self) -> int:
        return sum(int(getattr(a, "nbytes", 0)) for a in (np.asarray(self.x), self.y))


@dataclass
class _Task:
    number: int
    estimator: Any
    held: _Held | None
    train: Array
    test: Array


def _run(task: _Task, keep: bool, *shared: Any) -> tuple[int, Array, float, Any]:
    from sklearn.base import clone

    held = task.held or _Held(*shared)
    start = time.perf_counter()
    weight = {} if held.weight is None else {"sample_weight": _rows(held.weight, task.train)}
    fitted = clone(task.estimator).fit(_rows(held.x, task.train), held.y[task.train], **weight)
    predicted = np.asarray(fitted.predict(_rows(held.x, task.test)))
    return task.number, predicted, time.perf_counter() - start, fitted if keep else None


def _rows(a: Any, rows: Array) -> Any:
    if hasattr(a, "iloc"):
        return a.iloc[rows]
    return a[rows] if hasattr(a, "shape") else np.asarray(a)[rows]


class _bar:
    """A bar on the screen, or none; entered, it gives the function that moves it on by one."""

    def __init__(self, total: int, shown: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("folds"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.progress = Progress(*columns, disable=not shown)
        self.total = total

    def __enter__(self) -> Callable[[], None]:
        self.progress.start()
        task = self.progress.add_task("folds", total=self.total)
        return lambda: self.progress.advance(task)

    def __exit__(self, *error: object) -> None:
        self.progress.stop()
