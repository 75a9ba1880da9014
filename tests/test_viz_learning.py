"""Pictures of how an estimator learned."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tinygrad_edu import viz
from tinygrad_edu.errors import ArgumentError, DataError
from tinygrad_edu.nn.estimators import MLPClassifier, MLPRegressor, NetworkClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = make_classification(120, 6, random_state=0)


def curves(panel):
    return {line.get_label(): line.get_ydata() for line in panel.get_lines() if line.get_label()[0] != "_"}


def test_the_training_shows_the_losses_and_the_score_by_default(tmp_path):
    model = MLPClassifier(early_stopping=True, max_iter=12, random_state=1).fit(X, Y)
    figure = viz.plot_estimator(make_pipeline(model), tmp_path / "fit.png", title="twelve epochs")
    loss, score = figure.axes
    np.testing.assert_array_equal(curves(loss)["training"], model.loss_curve_)
    np.testing.assert_array_equal(curves(loss)["validation"], model.validation_loss_curve_)
    np.testing.assert_array_equal(curves(score)["validation"], model.validation_scores_)
    best = int(np.argmax(model.validation_scores_)) + 1
    assert curves(loss)["weights kept"] is not None
    assert score.get_title(loc="right").startswith(f"epoch {best}:")
    assert (tmp_path / "fit.png").stat().st_size > 5000


def test_without_rows_set_aside_there_is_one_curve():
    (panel,) = viz.plot_estimator(MLPRegressor(solver="lbfgs", max_iter=20).fit(X, Y)).axes
    assert list(curves(panel)) == ["training"]


def test_a_network_shows_what_it_has_watched():
    model = NetworkClassifier(epochs=2, metrics=["accuracy"], validation_split=0.2).fit(X, Y)
    assert [panel.get_ylabel() for panel in viz.plot_estimator(model).axes] == ["loss", "accuracy"]


def test_what_has_no_losses_is_refused():
    with pytest.raises(DataError, match="StandardScaler has no loss_curve_"):
        viz.plot_estimator(StandardScaler())
    with pytest.raises(ArgumentError, match="suffix"):
        viz.plot_estimator(MLPClassifier(), "curve.txt")
    with pytest.raises(ArgumentError, match="no values of alpha"):
        viz.plot_validation_curve(MLPClassifier(), X, Y, "alpha", [])


def test_learning_and_validation_curves_are_scikit_learns():
    from sklearn.model_selection import learning_curve, validation_curve

    model = MLPClassifier((4,), max_iter=5, random_state=0)
    (panel,) = viz.plot_learning_curve(model, X, Y, sizes=[20, 60], cv=2).axes
    _, training, validation = learning_curve(
        model, X, Y, train_sizes=[20, 60], cv=2, shuffle=True, random_state=0
    )
    np.testing.assert_allclose(curves(panel)["training"], training.mean(1))
    np.testing.assert_allclose(curves(panel)["validation"], validation.mean(1))

    (panel,) = viz.plot_validation_curve(
        make_pipeline(model), X, Y, "mlpclassifier__activation", ["relu", "tanh"], cv=2
    ).axes
    _, validation = validation_curve(model, X, Y, param_name="activation", param_range=["relu", "tanh"], cv=2)
    np.testing.assert_allclose(curves(panel)["validation"], validation.mean(1))
    assert [label.get_text() for label in panel.get_xticklabels()] == ["relu", "tanh"]
    assert panel.get_xlabel() == "activation"
