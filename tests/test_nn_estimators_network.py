"""NetworkClassifier and NetworkRegressor: models of ours in scikit-learn's places."""

import pickle

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, FileError, ShapeError
from tinygrad_edu.nn.estimators import MLPClassifier, NetworkClassifier, NetworkRegressor

X, Y = make_classification(120, 8, n_informative=5, n_classes=3, class_sep=2.0, random_state=0)
X = X.astype(np.float32)
NAMES = np.array(["ant", "bee", "cat"])[Y]


def network(input_shape, n_outputs, units=8, dropout=0.0):
    return nn.models.mlp(input_shape, (units,), n_outputs, dropout=dropout)


def quick(model=network, **arguments):
    return NetworkClassifier(model, epochs=8, learning_rate=0.02, random_state=0, **arguments)


def test_a_function_makes_a_model_for_the_data():
    model = quick().fit(X, NAMES)
    assert model.model_.count_params() == 8 * 8 + 8 + 8 * 3 + 3
    assert model.score(X, NAMES) > 0.8
    assert set(model.predict(X)) <= set(NAMES)
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1, rtol=1e-5)
    assert len(model.loss_curve_) == 8


def test_arguments_of_the_function_are_parameters():
    model = quick()
    assert model.get_params()["model__units"] == 8
    assert "model__n_outputs" not in model.get_params()
    copy = clone(model.set_params(model__units=3, epochs=2))
    assert copy.get_params()["model__units"] == 3
    assert copy.fit(X, Y).model_.layers[0].units == 3
    with pytest.raises(ArgumentError, match="units"):
        model.set_params(model__unit=3)
    with pytest.raises(ArgumentError, match="epochs"):
        model.set_params(epoch=3)
    search = GridSearchCV(quick(), {"model__units": [1, 12], "learning_rate": [1e-6, 0.02]}, cv=2)
    search.fit(X, Y)
    assert search.best_params_ == {"learning_rate": 0.02, "model__units": 12}


def test_a_model_is_a_pattern_and_is_left_as_it_is():
    given = nn.Sequential([nn.Input((8,)), nn.Dense(6, activation="tanh"), nn.Dense(3)])
    loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
    given.compile(nn.optimizers.Adam(0.02), loss, ["accuracy"])
    before = [w.numpy().copy() for w in given.weights]
    model = NetworkClassifier(given, epochs=8, random_state=0).fit(X, NAMES)
    for w, old in zip(given.weights, before, strict=True):
        np.testing.assert_array_equal(w.numpy(), old)
    assert not given.optimizer.params
    assert model.score(X, NAMES) > 0.8  # logits, of which the estimator makes probabilities
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1, rtol=1e-5)
    assert list(model.history_) == ["loss", "accuracy"]


@pytest.mark.parametrize(
    ("loss", "units", "activation"),
    [
        (None, 1, "sigmoid"),
        (None, 2, "softmax"),
        ("categorical_crossentropy", 2, "softmax"),
        (nn.losses.BinaryCrossentropy(from_logits=True), 1, None),
        ("hinge", 1, "tanh"),
    ],
)
def test_two_classes_may_be_one_output_or_two(loss, units, activation):
    model = nn.Sequential([nn.Dense(6, activation="tanh"), nn.Dense(units, activation=activation)])
    y = NAMES == "bee"
    fitted = quick(model, loss=loss).fit(X, y)
    assert fitted.score(X, y) > 0.8
    assert fitted.predict(X).dtype == bool


def test_several_labels():
    x, y = make_multilabel_classification(100, 6, n_classes=4, random_state=0)
    model = quick(None).fit(x / 10, y)
    assert model.predict(x / 10).shape == y.shape
    assert (model.predict(x / 10) == y).mean() > 0.7


def test_images_are_samples():
    x = X.reshape(-1, 2, 4, 1)
    model = quick(lambda input_shape, n_outputs: nn.models.mlp(input_shape, (8,), n_outputs)).fit(x, Y)
    assert model.predict(x).shape == Y.shape
    with pytest.raises(ShapeError, match="fitted on samples of"):
        model.predict(x.reshape(-1, 2, 2, 2))


def test_random_state_decides_and_no_other_numbers_change():
    fits = [quick(model_params={"dropout": 0.5}).fit(X, Y).loss_curve_ for _ in range(2)]
    assert fits[0] == fits[1]
    te.seed(1)
    expected = te.default_generator().random()
    te.seed(1)
    quick().fit(X, Y)
    assert te.default_generator().random() == expected
    other = quick().set_params(random_state=1).fit(X, Y)
    assert other.loss_curve_ != quick().fit(X, Y).loss_curve_


def test_a_row_alone_is_predicted_as_among_others():
    model = quick().fit(X, Y)
    together = model.predict_proba(X)
    alone = np.concatenate([model.predict_proba(X[i : i + 1]) for i in range(20)])
    np.testing.assert_array_equal(alone, together[:20])


def test_arguments_of_fit():
    stop = nn.callbacks.EarlyStopping("val_loss", patience=1, min_delta=10.0)
    model = quick(callbacks=[stop], validation_split=0.25, metrics=["accuracy"], batch_size=10)
    model.fit(X, NAMES)
    assert len(model.loss_curve_) == 2
    assert list(model.history_) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert len(model.fit(X, NAMES).loss_curve_) == 2  # the callback begins anew as well
    model = quick(validation_data=(X[:20], NAMES[:20])).fit(X, NAMES)
    assert len(model.history_["val_loss"]) == 8


def test_weights_of_classes_and_samples():
    rare = np.where(np.arange(120) % 10 == 0, "rare", "often")
    noise = np.random.default_rng(0).standard_normal((120, 2)).astype(np.float32)
    plain = quick().fit(noise, rare)
    weighted = quick(class_weight={"rare": 100.0, "often": 0.01}).fit(noise, rare)
    assert (plain.predict(noise) == "often").mean() > 0.9
    assert (weighted.predict(noise) == "rare").mean() > 0.9
    weight = np.where(rare == "rare", 100.0, 0.01)
    by_sample = quick().fit(noise, rare, sample_weight=weight)
    np.testing.assert_allclose(by_sample.predict_proba(noise), weighted.predict_proba(noise), rtol=1e-4)
    assert quick(class_weight="balanced").fit(noise, rare).predict_proba(noise)[:, 1].mean() > 0.3


def test_partial_fit_and_warm_start_go_on():
    model = quick().partial_fit(X[:60], NAMES[:60], classes=np.unique(NAMES))
    model.partial_fit(X[60:], NAMES[60:])
    assert len(model.loss_curve_) == 2
    with pytest.raises(ValueError, match="classes not in"):
        model.partial_fit(X, np.where(Y == 0, "dog", NAMES))
    warm = quick(warm_start=True).fit(X, Y).fit(X, Y)
    assert len(warm.loss_curve_) == 16
    assert warm.loss_curve_[8] < warm.loss_curve_[0]


def test_regression_of_several_numbers():
    y = np.stack([X[:, 0], X[:, 1] - X[:, 2]], 1)
    model = NetworkRegressor(nn.Sequential([nn.Dense(2)]), learning_rate=0.05, epochs=30, random_state=0)
    assert model.fit(X, y).score(X, y) > 0.95
    assert model.predict(X).shape == y.shape
    with pytest.raises(ShapeError, match="2 columns"):
        model.partial_fit(X, y[:, 0])
    assert NetworkRegressor(epochs=2).fit(X, y[:, 0]).predict(X).shape == (120,)


@pytest.mark.parametrize("model", [network, None, nn.Sequential([nn.Dense(3, activation="softmax")])])
def test_a_file_and_a_pickle_give_the_same_estimator_back(model, tmp_path):
    fitted = quick(model, metrics=["accuracy"], optimizer=nn.optimizers.SGD(0.1)).fit(X, NAMES)
    fitted.save(tmp_path / "model")
    loaded = NetworkClassifier.load(tmp_path / "model")
    for again in (loaded, pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
        assert again.history_ == fitted.history_
    assert loaded.fit(X, NAMES).model_.count_params() == fitted.model_.count_params()


def test_an_unfitted_function_cannot_be_saved(tmp_path):
    with pytest.raises(ArgumentError, match="fit it first"):
        quick().save(tmp_path / "model")
    quick(None).save(tmp_path / "model")
    assert NetworkClassifier.load(tmp_path / "model").get_params() == quick(None).get_params()
    with pytest.raises(FileError, match="NetworkClassifier"):
        NetworkRegressor.load(tmp_path / "model")


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ArgumentError, match="3 classes; its last layer needs 3 units"):
        quick(nn.Sequential([nn.Dense(4, activation="softmax")])).fit(X, Y)
    with pytest.raises(ArgumentError, match="a function that makes one"):
        quick("mlp").fit(X, Y)
    with pytest.raises(ArgumentError, match="returned a list"):
        quick(list).fit(X, Y)
    with pytest.raises(ArgumentError, match="model_params are for"):
        quick(nn.Sequential([nn.Dense(3)]), model_params={"units": 3}).fit(X, Y)
    with pytest.raises(ArgumentError, match="end it with"):
        quick(nn.Sequential([nn.Dense(3)]), loss="mse").fit(X, Y).predict_proba(X * 50)


@pytest.mark.parametrize("estimator", [MLPClassifier(max_iter=30, random_state=0), quick()])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_pipelines_frames_routing_and_pages(estimator):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"gene {i}" for i in range(8)])
    pipeline = make_pipeline(StandardScaler(), estimator).set_output(transform="pandas")
    pipeline.fit(frame, NAMES)
    assert list(pipeline[-1].feature_names_in_) == list(frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        pipeline[-1].predict(frame[frame.columns[::-1]])
    page = pipeline._repr_html_()
    assert type(estimator).__name__ in page
    with sklearn.config_context(enable_metadata_routing=True):
        weighted = clone(estimator).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scores = cross_val_score(
            make_pipeline(StandardScaler().set_fit_request(sample_weight=True), weighted),
            X,
            Y,
            cv=2,
            params={"sample_weight": np.ones(120)},
        )
    assert scores.shape == (2,)
