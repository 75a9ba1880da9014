"""What NetworkClassifier and NetworkRegressor share: making a model, compiling, training and asking it."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from inspect import Parameter as Argument
from inspect import signature
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from ...errors import ArgumentError, DataError, ShapeError, unknown_name
from ...random import default_generator, using
from .. import losses, optimizers
from ..layers import Dense, Flatten, Input
from ..model import Model
from ..saving import clone_model
from ..sequential import Sequential
from .parameters import random_of, weights_of
from .persistence import Stored

__all__ = ["Network"]

Array = NDArray[Any]

_ALIKE = 32  # rows at least that a prediction is computed with, so that a row alone gets the same bits
_GIVEN = ("input_shape", "n_outputs")  # what a model-making function is told, if it asks


class Network(Stored, BaseEstimator):  # type: ignore[misc]
    """The base of both; a subclass says what targets are to the model, and outputs to the user."""

    _numeric: bool  # whether the targets are numbers
    sample_shape_: tuple[int, ...]

    def __init__(
        self,
        model: Any = None,
        *,
        model_params: Mapping[str, Any] | None = None,
        optimizer: Any = None,
        learning_rate: float | None = None,
        loss: Any = None,
        metrics: Any = None,
        epochs: int = 50,
        batch_size: int = 32,
        verbose: int | str = 0,
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        warm_start: bool = False,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.model_params = model_params
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.loss = loss
        self.metrics = metrics
        self.epochs = epochs
        self.batch_size = batch_size
        self.verbose = verbose
        self.callbacks = callbacks
        self.validation_split = validation_split
        self.validation_data = validation_data
        self.shuffle = shuffle
        self.warm_start = warm_start
        self.random_state = random_state

    # -- parameters: those of a model-making function are its own --------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with ``deep`` also those of a model-making function, as ``model__name``."""
        params: dict[str, Any] = super().get_params(deep=False)
        if deep and not isinstance(self.model, Model):
            own = _arguments(self.model) | dict(self.model_params or {})
            params |= {f"model__{name}": value for name, value in own.items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters; ``model__units=64`` is handed to the model-making function.

        Raises ArgumentError for a name that isn't one of them.
        """
        plain = {name: value for name, value in params.items() if not name.startswith("model__")}
        known = self.get_params(deep=False)
        for name in plain:
            if name not in known:
                raise unknown_name(f"parameter of {type(self).__name__}", name, known)
            setattr(self, name, plain[name])
        routed = {k.removeprefix("model__"): v for k, v in params.items() if k.startswith("model__")}
        if routed:
            for name in routed:
                if isinstance(self.model, Model) or not _takes(self.model, name):
                    raise unknown_name("argument of the model-making function", name, _arguments(self.model))
            self.model_params = dict(self.model_params or {}) | routed
        return self

    # -- training --------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new model on samples X (samples, …) and their targets y; return the estimator.

        Raises ArgumentError for parameters that don't fit together, ValueError for data that can't be used.
        """
        return self._train(X, y, sample_weight, self.epochs, anew=not self.warm_start)

    def _train(self, X: Any, y: Any, sample_weight: Any, epochs: int, anew: bool) -> Self:
        anew = anew or not hasattr(self, "model_")
        X, y = validate_data(
            self, X, y, allow_nd=True, multi_output=True, y_numeric=self._numeric, reset=anew,
        )  # fmt: skip
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        weight = self._weight(y, weights_of(sample_weight, len(X), np.float32, type(self).__name__))
        if not anew and X.shape[1:] != self.sample_shape_:
            raise ShapeError(f"it was fitted on samples of {self.sample_shape_}, got {X.shape[1:]}")
        self.sample_shape_ = X.shape[1:]
        self._targets_known(y, anew)
        with using(self._generator()):
            if anew:
                self.model_ = self._made(X)
                self.history_: dict[str, list[float]] = {}
            data = self.validation_data
            if data is not None:
                data = (np.asarray(data[0]), self._encoded(np.asarray(data[1])), *data[2:])
            self.model_.generator = None
            ran = self.model_.fit(
                X,
                self._encoded(y),
                batch_size=self.batch_size,
                epochs=epochs,
                verbose=self.verbose,
                callbacks=deepcopy(self.callbacks),
                validation_split=self.validation_split,
                validation_data=data,
                shuffle=self.shuffle,
                sample_weight=weight,
            )
        for name, values in ran.history.items():
            self.history_.setdefault(name, []).extend(values)
        self.loss_curve_ = self.history_["loss"]
        if not np.isfinite(self.loss_curve_[-1]):
            raise DataError(
                f"{type(self).__name__}: the loss became {self.loss_curve_[-1]}; scale the data, or "
                "lower the learning_rate"
            )
        return self

    def _generator(self) -> np.random.Generator:
        if self.random_state is None:
            return default_generator()
        return np.random.default_rng(random_of(self.random_state).randint(1 << 31, dtype=np.int64))

    def _made(self, X: Array) -> Model:
        """Return a new model, built and compiled."""
        model = self._architecture(X.shape[1:], X.dtype)
        shape = np.shape(model.predict_on_batch(X[:1]))  # which builds what waits for a shape
        if len(shape) != 2:
            raise ArgumentError(f"the model must give (samples, outputs), a sample gives {shape}")
        self._outputs = shape[1]
        self._check_outputs(shape[1])
        given = self.model if isinstance(self.model, Model) else model
        told = given.objective.given if given.objective is not None else None
        optimizer = optimizers.get(self.optimizer or (given.optimizer if told else None) or "adam")
        optimizer = deepcopy(optimizer)
        optimizer.release()
        if self.learning_rate is not None:
            optimizer.learning_rate = self.learning_rate
        loss, weights, metrics, weighted = deepcopy(told) if told else (None, None, (), ())
        loss = self.loss or loss or self._usual_loss(shape[1])
        if not isinstance(loss, list | tuple | dict):
            loss = deepcopy(losses.get(loss))
            if loss.reduction == "sum_over_batch_size":  # to scikit-learn a weight is so many samples
                loss.reduction = "mean_with_sample_weight"
        self._from_logits = bool(getattr(loss, "from_logits", False))
        self._sparse = bool(getattr(loss, "sparse", False))
        model.compile(optimizer, loss, deepcopy(self.metrics) or metrics, weights, weighted)
        return model

    def _architecture(self, shape: tuple[int, ...], dtype: Any) -> Model:
        if self.model is None:
            return self._usual_model(shape, dtype)
        if isinstance(self.model, Model):
            if self.model_params:
                raise ArgumentError(
                    "model_params are for a model-making function, and model is a model already"
                )
            return clone_model(self.model)
        if not callable(self.model):
            raise ArgumentError(
                f"model must be a model, a function that makes one, or None, got {self.model!r}"
            )
        told = {"input_shape": shape, "n_outputs": self._wanted()}
        asked = {name: told[name] for name in _GIVEN if _takes(self.model, name)}
        model = self.model(**asked | dict(self.model_params or {}))
        if not isinstance(model, Model):
            raise ArgumentError(
                f"the model-making function must return a model, it returned a {type(model).__name__}"
            )
        return model

    def _usual_model(self, shape: tuple[int, ...], dtype: Any) -> Model:
        """A hidden layer of 100, which computes in float64 where the data is."""
        dtype = "float64" if dtype == np.float64 else "float32"
        last = Dense(self._wanted(), self._output_activation(), dtype=dtype)
        return Sequential([Input(shape), Flatten(), Dense(100, "relu", dtype=dtype), last])

    def _predicted(self, X: Any) -> Array:
        """Return the model's outputs for samples, (samples, outputs)."""
        check_is_fitted(self)
        X = validate_data(self, X, allow_nd=True, reset=False)
        if X.shape[1:] != self.sample_shape_:
            raise ShapeError(f"it was fitted on samples of {self.sample_shape_}, got {X.shape[1:]}")
        n = len(X)
        size = max(self.batch_size, _ALIKE)
        if n % size:  # the last batch is filled up: which products are used goes by a batch's size
            X = np.concatenate([X, np.zeros((-n % size, *X.shape[1:]), X.dtype)])
        outputs: Array = self.model_.predict(X, batch_size=size)[:n]
        return outputs.reshape(n, -1)

    def _weight(self, y: Array, weight: Array | None) -> Array | None:
        return weight

    def _storable(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """A function can't be saved: the model that it made stands for it. Callbacks aren't kept."""
        stored = parameters | {"callbacks": None}
        if self.model is not None and not isinstance(self.model, Model):
            if not hasattr(self, "model_"):
                raise ArgumentError(
                    f"save: {type(self).__name__} has a model-making function, which no file can hold, and "
                    "isn't fitted yet; fit it first, and the model itself is saved"
                )
            stored |= {"model": clone_model(self.model_), "model_params": None}
        return stored

    # -- what a classifier and a regressor do each in its way ------------------------------------------

    def _targets_known(self, y: Array, anew: bool) -> None:
        """Find out what there is to predict, or check that it is as before."""
        raise NotImplementedError

    def _encoded(self, y: Array) -> Array:
        """Return targets as the loss wants them."""
        raise NotImplementedError

    def _wanted(self) -> int:
        """Return how many outputs the model needs."""
        raise NotImplementedError

    def _output_activation(self) -> Any:
        """Return that of the last layer of the usual model."""
        return None

    def _usual_loss(self, units: int) -> str:
        """Return the name of the loss for a model of so many outputs."""
        raise NotImplementedError

    def _check_outputs(self, units: int) -> None:
        """Raise ArgumentError if a model can't have so many outputs."""
        raise NotImplementedError


def _arguments(make: Callable[..., Any] | None) -> dict[str, Any]:
    """Return the arguments of a model-making function that may be searched, with their defaults."""
    if make is None:
        return {}
    plain = (Argument.POSITIONAL_OR_KEYWORD, Argument.KEYWORD_ONLY)
    return {
        name: None if a.default is Argument.empty else a.default
        for name, a in signature(make).parameters.items()
        if a.kind in plain and name not in _GIVEN
    }


def _takes(make: Any, name: str) -> bool:
    if not callable(make):
        return False
    arguments = signature(make).parameters
    return name in arguments or any(a.kind is Argument.VAR_KEYWORD for a in arguments.values())
