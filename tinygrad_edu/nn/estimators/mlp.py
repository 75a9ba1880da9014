"""MLPClassifier and MLPRegressor: scikit-learn's multilayer perceptrons, trained by this engine."""

from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from ...errors import ArgumentError, DataError
from .labels import Labels
from .parameters import check_parameters, hidden_sizes, random_of, weights_of
from .perceptron import Perceptron, glorot
from .persistence import Stored
from .solvers import dense_rows, fit_lbfgs, fit_stochastic

__all__ = ["MLPClassifier", "MLPRegressor"]

Array = NDArray[Any]
FLOATS = (np.float64, np.float32)


def _is_stochastic(estimator: Any) -> bool:
    if estimator.solver not in ("sgd", "adam"):
        raise AttributeError(
            f"partial_fit goes through batches, and solver={estimator.solver!r} takes all rows"
        )
    return True


class _MLP(Stored, BaseEstimator):  # type: ignore[misc]
    """What the two share: the parameters, the training, and what is known after it."""

    loss: str
    coefs_: list[Array]
    intercepts_: list[Array]
    validation_scores_: list[float] | None
    validation_loss_curve_: list[float] | None
    best_validation_score_: float | None
    best_loss_: float | None

    def _fit(self, X: Any, y: Any, sample_weight: Any, incremental: bool) -> Self:
        check_parameters(self)
        anew = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        X, y = self._checked(X, y, anew, incremental)
        weight = weights_of(sample_weight, X.shape[0], X.dtype, type(self).__name__)
        if weight is not None and not weight.all() and hasattr(X, "dtype"):
            kept = np.flatnonzero(weight)  # a row that counts nothing isn't a row
            X, y, weight = X[kept], y[kept], weight[kept]
        self._random_state = random_of(self.random_state)
        sizes = [X.shape[1], *hidden_sizes(self), self.n_outputs_]
        if anew:
            self._begin(sizes, X.dtype)
        elif [w.shape for w in self.coefs_] != list(pairwise(sizes)):
            raise ArgumentError(
                f"{type(self).__name__}: it was fitted with layers of {[self.coefs_[0].shape[0]]} + "
                f"{[w.shape[1] for w in self.coefs_]} units and can't go on with {sizes}; "
                "set warm_start=False"
            )
        arrays = [*self.coefs_, *self.intercepts_]
        network = Perceptron(arrays, self.activation, self.out_activation_, self.alpha)
        try:
            if self.solver == "lbfgs":
                fit_lbfgs(self, network, X, y, weight)
            else:
                fit_stochastic(self, network, X, y, weight, incremental)
        finally:
            arrays = network.arrays
            self.coefs_, self.intercepts_ = arrays[: len(sizes) - 1], arrays[len(sizes) - 1 :]
        if not all(np.isfinite(a).all() for a in arrays):
            raise DataError(
                f"{type(self).__name__}: Solver produced non-finite parameter weights. The input data may "
                "contain large values and need to be preprocessed; or lower learning_rate_init."
            )
        return self

    def _begin(self, sizes: list[int], dtype: Any) -> None:
        """Forget what was learned, and draw new weights."""
        self.n_iter_, self.t_, self.n_layers_ = 0, 0, len(sizes)
        self.out_activation_ = self._output()
        arrays = glorot(sizes, self.activation, self._random_state, dtype)
        self.coefs_, self.intercepts_ = arrays[: len(sizes) - 1], arrays[len(sizes) - 1 :]
        self._optimizer_state = None
        self._no_improvement_count = 0
        self.loss_curve_: list[float] = []
        self.validation_scores_ = self.validation_loss_curve_ = None
        self.best_validation_score_ = self.best_loss_ = None
        if self.solver != "lbfgs" and self.early_stopping:
            self.validation_scores_, self.validation_loss_curve_ = [], []
            self.best_validation_score_ = -np.inf
        elif self.solver != "lbfgs":
            self.best_loss_ = np.inf

    def _outputs(self, X: Any) -> Array:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=FLOATS, reset=False)
        arrays = [*self.coefs_, *self.intercepts_]
        network = Perceptron(arrays, self.activation, self.out_activation_, self.alpha)
        return network.predict(dense_rows(X, slice(None)).astype(self.coefs_[0].dtype, copy=False))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _checked(self, X: Any, y: Any, anew: bool, incremental: bool) -> tuple[Any, Array]:
        raise NotImplementedError

    def _output(self) -> str:
        raise NotImplementedError

    def _validation_score(self, outputs: Array, y: Array, weight: Array | None) -> float:
        raise NotImplementedError

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from rows of features X (samples, features) and their targets y; return the estimator.

        Raises ArgumentError for parameters that can't be used, ValueError for data that can't.
        """
        return self._fit(X, y, sample_weight, incremental=False)


class MLPClassifier(ClassifierMixin, _MLP):  # type: ignore[misc]
    """A multilayer perceptron that tells classes apart, with scikit-learn's parameters and defaults.

    It makes the cross-entropy, plus ``alpha / 2n`` times the squared weights, as small as it can. It computes
    in the dtype of X, float32 or float64. The same ``random_state`` draws the same weights and the
    same batches as scikit-learn's class does, so the two arrive at the same result, up to rounding.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        The units of each hidden layer.
    activation : {"identity", "logistic", "tanh", "relu"}
        Of the hidden layers.
    solver : {"lbfgs", "sgd", "adam"}
        SciPy's L-BFGS takes all rows at once, the others batches.
    alpha : float
        The price of large weights.
    batch_size : int or "auto"
        Rows a step; "auto" is 200, or all if there are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"}
        With "sgd": the rate stays; falls with the number of rows seen, t, as 1 / t^power_t; or is divided by
        5 whenever there was no progress.
    learning_rate_init : float
        The size of the first steps.
    power_t : float
        See ``learning_rate``.
    max_iter : int
        Epochs at most, or iterations of L-BFGS.
    shuffle : bool
        Take the rows in another order each epoch.
    random_state : int, RandomState or None
        Decides weights, batches and the split; None draws it from the package's generator (``te.seed``).
    tol, n_iter_no_change
        More than ``n_iter_no_change`` epochs without progress by ``tol`` end the training.
    verbose : bool
        Print the loss of each epoch.
    warm_start : bool
        Let ``fit`` go on from what was learned before.
    momentum, nesterovs_momentum
        Of "sgd".
    early_stopping : bool
        Set rows aside, measure progress by the score there, and return to the best weights.
    validation_fraction : float
        The share of rows that is set aside.
    beta_1, beta_2, epsilon
        Of "adam".
    max_fun : int
        How often L-BFGS may compute the loss.

    Attributes
    ----------
    classes_, n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_
        What it was fitted for.
    coefs_, intercepts_ : list of ndarray
        Each layer's weights (inputs, outputs) and biases (outputs,).
    loss_, best_loss_, loss_curve_, n_iter_, t_
        The last loss, the lowest, that of each epoch, their number, and that of rows seen.
    validation_scores_, best_validation_score_, validation_loss_curve_
        Of the rows set aside, by epoch; the last one is ours. None without ``early_stopping``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> x, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((8,), solver="lbfgs", alpha=1.0, tol=0.01, random_state=1).fit(x, y)
    >>> model.score(x, y) > 0.95
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        max_fun: int = 15000,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun

    loss = "log_loss"

    @available_if(_is_stochastic)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Go through the rows once more; the first call names all ``classes`` that there will be."""
        if not hasattr(self, "classes_"):
            self._labels = Labels.told(classes, y)
            self.classes_ = self._labels.classes
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ArgumentError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, "
                f"was: {self.classes_!r}"
            )
        return self._fit(X, y, sample_weight, incremental=True)

    def _checked(self, X: Any, y: Any, anew: bool, incremental: bool) -> tuple[Any, Array]:
        X, y = validate_data(
            self, X, y, accept_sparse=["csr", "csc"], multi_output=True, dtype=FLOATS, reset=anew
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if anew and not incremental:
            self._labels = Labels.found(y)
            self.classes_ = self._labels.classes
        elif self.warm_start and not incremental:
            self._labels.check_same(y)
        self.n_outputs_ = self._labels.outputs
        return X, self._labels.encode(y)

    def _output(self) -> str:
        return self._labels.activation

    def _validation_score(self, outputs: Array, y: Array, weight: Array | None) -> float:
        if not np.isfinite(outputs).all():
            return float("nan")
        said = self._labels.decode(outputs)
        right = self._labels.decode(y) if y.ndim > 1 else self.classes_[y]
        return float(accuracy_score(right, said, sample_weight=weight))

    def predict(self, X: Any) -> Array:
        """Return the class of each row, (samples,), or 0 and 1 for several labels, (samples, labels)."""
        outputs = self._outputs(X)
        return self._labels.decode(outputs)

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, (samples, classes), in the order of ``classes_``."""
        outputs = self._outputs(X)
        return self._labels.probabilities(outputs)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of ``predict_proba``."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class MLPRegressor(RegressorMixin, _MLP):  # type: ignore[misc]
    """A multilayer perceptron that predicts numbers, with scikit-learn's parameters and defaults.

    The parameters and attributes are those of :class:`MLPClassifier`, and one more. y may have several
    columns; ``loss_`` is then the mean over them.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}
        Half the squared error; or half the Poisson deviance, of y >= 0, with e^z for an output.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 50).reshape(-1, 1)
    >>> model = MLPRegressor(hidden_layer_sizes=(20,), activation="tanh", solver="lbfgs", random_state=1)
    >>> model.fit(x, np.sin(3 * x[:, 0])).score(x, np.sin(3 * x[:, 0])) > 0.99
    True
    """

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        max_fun: int = 15000,
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun

    @available_if(_is_stochastic)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go through the rows once more."""
        return self._fit(X, y, sample_weight, incremental=True)

    def _checked(self, X: Any, y: Any, anew: bool, incremental: bool) -> tuple[Any, Array]:
        X, y = validate_data(
            self, X, y, accept_sparse=["csr", "csc"], multi_output=True, y_numeric=True, dtype=FLOATS,
            reset=anew,
        )  # fmt: skip
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if self.loss == "poisson" and (y < 0).any():
            raise DataError(f"MLPRegressor: the loss 'poisson' is of y >= 0, and y goes down to {y.min():g}")
        y = y.reshape(len(y), -1).astype(X.dtype, copy=False)
        self.n_outputs_ = y.shape[1]
        return X, y

    def _output(self) -> str:
        return "exp" if self.loss == "poisson" else "identity"

    def _validation_score(self, outputs: Array, y: Array, weight: Array | None) -> float:
        if not np.isfinite(outputs).all():
            return float("nan")
        return float(r2_score(y, outputs, sample_weight=weight))

    def predict(self, X: Any) -> Array:
        """Return the number of each row, (samples,), or several, (samples, outputs)."""
        outputs = self._outputs(X)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs
