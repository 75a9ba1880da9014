"""NetworkClassifier and NetworkRegressor: any model of ours as a scikit-learn estimator."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.class_weight import compute_sample_weight

from ... import ops
from ...errors import ArgumentError, ShapeError
from .labels import Labels
from .wrapper import Network

__all__ = ["NetworkClassifier", "NetworkRegressor"]

Array = NDArray[Any]


class NetworkClassifier(ClassifierMixin, Network):  # type: ignore[misc]
    """Any model of ours as a classifier of scikit-learn's: in pipelines, searches and cross-validations.

    Each ``fit`` trains a new model, with new weights (``warm_start=True`` goes on with the last one).

    Parameters
    ----------
    model : Model, function or None
        A model, of which each fit takes the architecture, and what ``compile`` was told; or a function (or
        class) that returns one; None is a hidden layer of 100. If the function has parameters named
        ``input_shape`` and ``n_outputs`` it is told the shape of a sample, and how many outputs the targets
        need: the number of classes, 1 for two of them, the number of labels where a row may have several.
        Its other parameters can be set, and searched, as ``model__name``.
    model_params : dict, optional
        Arguments for that function.
    optimizer, learning_rate, loss, metrics
        As for ``compile``; None is what the model was compiled with, or else "adam" and the cross-entropy
        that fits the model's output.
    epochs, batch_size, verbose, callbacks, validation_split, validation_data, shuffle
        As for ``Model.fit``. Callbacks are copied for each fit.
    warm_start : bool
        Let ``fit`` go on with the model that there is.
    random_state : int, RandomState or None
        Decides weights, batches and dropout; None leaves it to ``te.seed``.
    class_weight : dict, "balanced" or None
        The weight of each class in the loss; "balanced" gives all classes the same in sum.

    Attributes
    ----------
    model_ : Model
        The trained model.
    history_, loss_curve_
        Each loss and metric by epoch, and the loss alone.
    classes_, n_features_in_, sample_shape_
        What it was fitted for.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from tinygrad_edu import nn
    >>> def network(input_shape, n_outputs, units=16):
    ...     return nn.models.mlp(input_shape, (units,), n_outputs)
    >>> x, y = load_iris(return_X_y=True)
    >>> model = NetworkClassifier(network, learning_rate=0.01, random_state=1).set_params(model__units=8)
    >>> model.fit(x, y).score(x, y) > 0.9
    True
    """

    _numeric = False

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
        class_weight: Any = None,
    ) -> None:
        super().__init__(
            model, model_params=model_params, optimizer=optimizer, learning_rate=learning_rate, loss=loss,
            metrics=metrics, epochs=epochs, batch_size=batch_size, verbose=verbose, callbacks=callbacks,
            validation_split=validation_split, validation_data=validation_data, shuffle=shuffle,
            warm_start=warm_start, random_state=random_state,
        )  # fmt: skip
        self.class_weight = class_weight

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Go through the samples once more; the first call may name all ``classes`` that there will be."""
        if not hasattr(self, "model_"):
            self._labels = Labels.told(classes, y)
        return self._train(X, y, sample_weight, 1, anew=False)

    def predict(self, X: Any) -> Array:
        """Return the class of each sample, (samples,), or for several labels 0 or 1 for each."""
        outputs = self._outputs_of(X)
        return self._labels.decode(outputs)

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, (samples, classes), in the order of ``classes_``.

        Raises ArgumentError if what the model gives aren't probabilities.
        """
        outputs = self._outputs_of(X)
        if outputs.size and not (outputs.min() >= 0 and outputs.max() <= 1.0001):
            raise ArgumentError(
                f"predict_proba: the model's outputs go from {outputs.min():g} to {outputs.max():g}; end it "
                "with a softmax or a sigmoid, or give it a loss with from_logits=True"
            )
        return self._labels.probabilities(outputs)

    def _outputs_of(self, X: Any) -> Array:
        outputs = self._predicted(X)
        if self._from_logits:
            alone = outputs.shape[1] == 1 or self._labels.several
            outputs = np.asarray(ops.sigmoid(outputs) if alone else ops.softmax(outputs, axis=-1))
        return outputs

    def _weight(self, y: Array, weight: Array | None) -> Array | None:
        if self.class_weight is None:
            return weight
        priced: Array = compute_sample_weight(self.class_weight, y).astype(np.float32)
        return priced if weight is None else priced * weight

    def _targets_known(self, y: Array, anew: bool) -> None:
        if anew and not hasattr(self, "model_") and hasattr(self, "_labels"):
            pass  # partial_fit was told
        elif anew:
            self._labels = Labels.found(y)
        self.classes_ = self._labels.classes
        self._labels.encode(y)  # refuses other classes

    def _encoded(self, y: Array) -> Array:
        codes = self._labels.encode(y)
        if self._labels.several or self._outputs == 1:
            return codes
        codes = codes.reshape(-1).astype(np.int64)
        return codes if self._sparse else np.eye(len(self.classes_), dtype=np.float32)[codes]

    def _wanted(self) -> int:
        return self._labels.outputs

    def _output_activation(self) -> Any:
        return "sigmoid" if self._labels.activation == "logistic" else "softmax"

    def _usual_loss(self, units: int) -> str:
        one_class = units > 1 and not self._labels.several
        return "sparse_categorical_crossentropy" if one_class else "binary_crossentropy"

    def _check_outputs(self, units: int) -> None:
        if units != self._labels.outputs and units != len(self.classes_):
            raise ArgumentError(
                f"the model gives {units} numbers a sample, for {len(self.classes_)} classes; its last layer "
                f"needs {self._labels.outputs} units. A model-making function with a parameter "
                "n_outputs is told so"
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class NetworkRegressor(RegressorMixin, Network):  # type: ignore[misc]
    """Any model of ours as a regressor of scikit-learn's.

    The parameters and attributes are those of :class:`NetworkClassifier`, but for the classes; the usual loss
    is the mean squared error, and y may have several columns.

    Examples
    --------
    >>> from tinygrad_edu import nn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> line = nn.Sequential([nn.Input((1,)), nn.Dense(1)])
    >>> model = NetworkRegressor(line, learning_rate=0.1, epochs=30, random_state=1)
    >>> model.fit(x, 3 * x[:, 0]).score(x, 3 * x[:, 0]) > 0.99
    True
    """

    _numeric = True
    _columns: int  # of the targets; 0 where they have no axis for it

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go through the samples once more."""
        return self._train(X, y, sample_weight, 1, anew=False)

    def predict(self, X: Any) -> Array:
        """Return the number of each sample, (samples,), or several, (samples, outputs)."""
        outputs = self._predicted(X)
        return outputs[:, 0] if self._columns == 0 else outputs

    def _targets_known(self, y: Array, anew: bool) -> None:
        columns = y.shape[1] if y.ndim > 1 else 0
        if not anew and columns != self._columns:
            raise ShapeError(f"it was fitted on targets of {self._columns or 1} columns, got {columns or 1}")
        self._columns = columns

    def _encoded(self, y: Array) -> Array:
        return y.reshape(len(y), -1)

    def _wanted(self) -> int:
        return self._columns or 1

    def _usual_loss(self, units: int) -> str:
        return "mean_squared_error"

    def _check_outputs(self, units: int) -> None:
        if units != self._wanted():
            raise ArgumentError(
                f"the model gives {units} numbers a sample, and the targets have {self._wanted()}"
            )
