"""MLPClassifier and MLPRegressor beside scikit-learn's: the same numbers from the same random_state."""

import pickle

import numpy as np
import pytest
import scipy.sparse
import sklearn.neural_network as theirs
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression
from sklearn.exceptions import ConvergenceWarning

import tinygrad_edu as te
from tinygrad_edu.errors import ArgumentError, DataError, FileError
from tinygrad_edu.nn import estimators as ours

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = make_classification(120, 8, n_informative=5, n_classes=3, random_state=0)
XM, YM = make_multilabel_classification(90, 6, n_classes=4, random_state=0)
XM = XM / 10  # scikit-learn cuts probabilities off at 2e-16, and with it large losses
XR, YR = make_regression(100, 5, noise=3.0, random_state=0)
YR = YR / YR.std()
TASKS = {
    "three classes": ("MLPClassifier", X, Y),
    "names of two": ("MLPClassifier", X, np.array(["no", "yes"])[(Y > 0).astype(int)]),
    "labels": ("MLPClassifier", XM, YM),
    "a number": ("MLPRegressor", XR, YR),
    "two numbers": ("MLPRegressor", XR, np.stack([YR, YR**2], 1)),
}
settings = st.fixed_dictionaries(
    {
        "hidden_layer_sizes": st.sampled_from([(7,), 5, (6, 4), ()]),
        "activation": st.sampled_from(["identity", "logistic", "tanh", "relu"]),
        "solver": st.sampled_from(["sgd", "adam"]),
        "alpha": st.sampled_from([0.0, 1e-4, 0.5]),
        "batch_size": st.sampled_from(["auto", 32, 50]),
        "learning_rate": st.sampled_from(["constant", "invscaling", "adaptive"]),
        "learning_rate_init": st.sampled_from([0.001, 0.02]),
        "momentum": st.sampled_from([0.0, 0.9]),
        "nesterovs_momentum": st.booleans(),
        "shuffle": st.booleans(),
        "early_stopping": st.booleans(),
        "tol": st.sampled_from([1e-4, 0.05]),
        "n_iter_no_change": st.sampled_from([1, 3]),
        "random_state": st.integers(0, 5),
        "max_iter": st.sampled_from([1, 12]),
    }
)


def both(name, arguments, x, y, **fit):
    return [getattr(module, name)(**arguments).fit(x, y, **fit) for module in (theirs, ours)]


def assert_equal(a, b, x, tolerance=1e-9):
    assert (b.n_iter_, b.t_, b.n_layers_, b.n_outputs_) == (a.n_iter_, a.t_, a.n_layers_, a.n_outputs_)
    assert b.out_activation_ == a.out_activation_
    np.testing.assert_allclose(b.loss_curve_, a.loss_curve_, rtol=tolerance)
    for mine, other in zip(b.coefs_ + b.intercepts_, a.coefs_ + a.intercepts_, strict=True):
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance)
    for name in ("best_loss_", "best_validation_score_", "validation_scores_"):
        mine, other = getattr(b, name), getattr(a, name)
        assert (mine is None) == (other is None)
        if other is not None:
            np.testing.assert_allclose(mine, other, rtol=tolerance)
    if hasattr(a, "classes_"):
        np.testing.assert_array_equal(b.classes_, a.classes_)
        np.testing.assert_array_equal(b.predict(x), a.predict(x))
        np.testing.assert_allclose(b.predict_proba(x), a.predict_proba(x), rtol=1e-6, atol=1e-9)
    else:
        np.testing.assert_allclose(b.predict(x), a.predict(x), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("task", TASKS)
@given(arguments=settings)
def test_the_same_random_state_gives_what_scikit_learn_gives(task, arguments):
    name, x, y = TASKS[task]
    assert_equal(*both(name, arguments, x, y), x)


@pytest.mark.parametrize("task", ["three classes", "names of two", "labels", "a number"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_lbfgs_gives_what_scikit_learn_gives(task, activation):
    name, x, y = TASKS[task]
    arguments = {"solver": "lbfgs", "activation": activation, "max_iter": 10, "random_state": 2}
    a, b = both(name, arguments, x, y)
    assert b.n_iter_ == a.n_iter_
    assert len(b.loss_curve_) == b.n_iter_  # scikit-learn has none for it
    np.testing.assert_allclose(b.loss_, a.loss_, rtol=1e-6)
    np.testing.assert_allclose(b.coefs_[0], a.coefs_[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_weights_of_samples_are_scikit_learns(task):
    name, x, y = TASKS[task]
    weight = np.random.default_rng(0).uniform(0.1, 2, len(x))
    assert_equal(*both(name, {"max_iter": 5, "random_state": 1}, x, y, sample_weight=weight), x)


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("output", ["identity", "logistic", "softmax", "exp"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_the_tapes(activation, output, weighted):
    from tinygrad_edu.nn.estimators.perceptron import Perceptron

    random = np.random.default_rng(0)
    arrays = [random.normal(size=shape) for shape in ((5, 4), (4, 3), (4,), (3,))]
    network = Perceptron(arrays, activation, output, alpha=0.3)
    x, weight = random.normal(size=(7, 5)), random.uniform(0.5, 2, 7) if weighted else None
    y = random.integers(0, 3, 7) if output == "softmax" else random.integers(0, 2, (7, 3)).astype(float)
    loss = network.learn(x, y, weight)

    w1, w2, b1, b2 = (te.Tensor(a, requires_grad=True) for a in arrays)
    hidden = {"identity": lambda t: t, "logistic": te.sigmoid, "tanh": te.tanh, "relu": te.relu}
    z = hidden[activation](x @ w1 + b1) @ w2 + b2
    if output == "softmax":
        losses = te.softmax_cross_entropy(z, y)
    elif output == "logistic":
        losses = te.sigmoid_cross_entropy(z, y).sum(axis=1)
    elif output == "exp":
        losses = (te.exp(z) - y * z - y).sum(axis=1)  # y ln y is 0 for 0 and 1
    else:
        losses = (0.5 * (z - y) ** 2).sum(axis=1)
    share = np.full(7, 1 / 7) if weight is None else weight / weight.sum()
    total = 7 if weight is None else weight.sum()
    expected = (losses * share).sum()
    (expected + 0.3 / 2 / total * ((w1**2).sum() + (w2**2).sum())).backward()
    np.testing.assert_allclose(loss, expected.item(), rtol=1e-10)
    found = network._cut(network.parameter.grad.numpy())
    for slope, tensor in zip(found, (w1, w2, b1, b2), strict=True):
        np.testing.assert_allclose(slope, tensor.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_poisson_is_scikit_learns():
    y = np.abs(YR)
    assert_equal(*both("MLPRegressor", {"loss": "poisson", "max_iter": 8, "random_state": 1}, XR, y), XR)
    with pytest.raises(DataError, match="y >= 0"):
        ours.MLPRegressor("poisson").fit(XR, YR)


def test_a_weight_of_zero_is_a_row_that_is_not_there():
    weight = (np.arange(len(X)) % 3 > 0).astype(float)
    one = ours.MLPClassifier(max_iter=4, random_state=0).fit(X, Y, sample_weight=weight)
    other = ours.MLPClassifier(max_iter=4, random_state=0).fit(X[weight > 0], Y[weight > 0])
    np.testing.assert_allclose(one.coefs_[0], other.coefs_[0], rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_computed_in_the_dtype_of_the_data(dtype):
    model = ours.MLPClassifier(max_iter=3, random_state=0).fit(X.astype(dtype), Y)
    assert {a.dtype for a in model.coefs_ + model.intercepts_} == {np.dtype(dtype)}
    assert model.predict_proba(X.astype("float32")).dtype == dtype


@pytest.mark.parametrize("container", [scipy.sparse.csr_matrix, scipy.sparse.csc_array])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_rows_are_rows(container, solver):
    arguments = {"solver": solver, "max_iter": 3, "random_state": 0}
    one = ours.MLPClassifier(**arguments).fit(container(X), Y)
    other = ours.MLPClassifier(**arguments).fit(X, Y)
    np.testing.assert_allclose(one.predict_proba(container(X)), other.predict_proba(X), rtol=1e-7)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fit_goes_on_as_scikit_learns(solver):
    a, b = (m.MLPClassifier(solver=solver, random_state=1) for m in (theirs, ours))
    for start in range(0, 120, 30):
        rows = slice(start, start + 30)
        for model in (a, b):
            model.partial_fit(X[rows], Y[rows], classes=[0, 1, 2] if start == 0 else None)
    assert_equal(a, b, X)
    with pytest.raises(ArgumentError, match="not the same as on last call"):
        b.partial_fit(X, Y, classes=[0, 1])


def test_partial_fit_is_the_same_after_a_pickle_and_after_a_file(tmp_path):
    whole = ours.MLPRegressor(random_state=1).partial_fit(XR, YR)
    whole.save(tmp_path / "model")
    copies = [pickle.loads(pickle.dumps(whole)), ours.MLPRegressor.load(tmp_path / "model")]
    for model in (whole, *copies):
        model.partial_fit(XR, YR)
    for copy in copies:
        np.testing.assert_array_equal(copy.coefs_[0], whole.coefs_[0])
        assert copy.loss_curve_ == whole.loss_curve_


def test_warm_start_goes_on_as_scikit_learns():
    pair = [m.MLPClassifier(warm_start=True, max_iter=3, random_state=1) for m in (theirs, ours)]
    for model in pair:
        model.fit(X, Y).fit(X, Y)
    assert_equal(*pair, X)
    with pytest.raises(ArgumentError, match="same classes as in the previous call"):
        pair[1].fit(X, np.minimum(Y, 1))
    with pytest.raises(ArgumentError, match="can't go on with"):
        pair[1].set_params(hidden_layer_sizes=(4, 4)).fit(X, Y)


def test_the_loss_of_the_rows_set_aside_is_kept():
    model = ours.MLPClassifier(early_stopping=True, max_iter=9, random_state=1).fit(X, Y)
    assert len(model.validation_loss_curve_) == len(model.validation_scores_) == len(model.loss_curve_)
    # Without a penalty it is the cross-entropy of the best epoch's weights on those rows.
    model = ours.MLPClassifier(early_stopping=True, max_iter=9, random_state=1, alpha=0.0).fit(X, Y)
    from sklearn.metrics import log_loss
    from sklearn.model_selection import train_test_split

    random = np.random.RandomState(1)
    ours.MLPClassifier(max_iter=1, random_state=random).fit(X, Y)  # has drawn the weights …
    random = np.random.RandomState(1)
    [random.uniform(size=n) for n in (8 * 100, 100, 100 * 3, 3)]  # … which are so many numbers
    _, held, _, y = train_test_split(X, Y, random_state=random, test_size=0.1)
    best = int(np.argmax(model.validation_scores_))
    np.testing.assert_allclose(model.validation_loss_curve_[best], log_loss(y, model.predict_proba(held)))


def test_without_a_random_state_the_packages_seed_decides():
    models = []
    for _ in range(2):
        te.seed(3)
        models.append(ours.MLPClassifier(max_iter=2).fit(X, Y))
    np.testing.assert_array_equal(models[0].coefs_[0], models[1].coefs_[0])
    assert not np.array_equal(models[0].coefs_[0], ours.MLPClassifier(max_iter=2).fit(X, Y).coefs_[0])


def test_fit_says_that_it_has_not_converged():
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        ours.MLPClassifier(max_iter=2).fit(X, Y)
    with pytest.warns(ConvergenceWarning, match="lbfgs"):
        ours.MLPClassifier(solver="lbfgs", max_iter=2).fit(X, Y)
    with pytest.warns(UserWarning, match="batch_size"):
        ours.MLPClassifier(batch_size=1000, max_iter=2).fit(X, Y)


def test_verbose_prints_what_scikit_learn_prints(capsys):
    texts = []
    for module in (theirs, ours):
        module.MLPClassifier(
            solver="sgd", learning_rate="adaptive", verbose=True, tol=1.0, n_iter_no_change=2, random_state=0,
            early_stopping=True, max_iter=8,
        ).fit(X, Y)  # fmt: skip
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert "Setting learning rate to" in texts[1]


def test_ctrl_c_keeps_what_was_learned(monkeypatch):
    epochs = ours.solvers._Epochs
    run, calls = epochs.run, []

    def interrupted(self):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return run(self)

    monkeypatch.setattr(epochs, "run", interrupted)
    with pytest.warns(UserWarning, match="interrupted"):
        model = ours.MLPClassifier(random_state=0).fit(X, Y)
    assert model.n_iter_ == 2
    assert model.score(X, Y) > 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"activation": "rellu"}, "relu"),
        ({"solver": "adamw"}, "adam"),
        ({"learning_rate": 0.1}, "learning_rate"),
        ({"hidden_layer_sizes": (5, 0)}, "must be > 0"),
        ({"hidden_layer_sizes": 2.5}, "whole"),
        ({"alpha": -1}, "alpha must be a number at least 0"),
        ({"momentum": 1.5}, "from 0 to 1"),
        ({"max_iter": 0}, "max_iter"),
        ({"batch_size": "all"}, "'auto' or a whole number"),
        ({"learning_rate_init": float("nan")}, "learning_rate_init"),
        ({"n_iter_no_change": 0}, "n_iter_no_change"),
        ({"beta_1": True}, "beta_1"),
        ({"loss": "log_loss"}, "loss"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(wrong, words):
    with pytest.raises(ArgumentError, match=words):
        ours.MLPRegressor(**wrong).fit(XR, YR)


def test_data_that_cannot_be_learned_from_is_refused():
    model = ours.MLPClassifier(max_iter=2)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.where(X > 1, np.nan, X), Y)
    with pytest.raises(ValueError, match="Unknown label type"):
        model.fit(X, X[:, 0])
    with pytest.raises(DataError, match="several columns"):
        model.fit(X, np.stack([Y, Y], 1))
    with pytest.raises(ArgumentError, match="sample_weight must have one number"):
        model.fit(X, Y, sample_weight=[1.0])
    with pytest.raises(ArgumentError, match="classes must be passed"):
        ours.MLPClassifier().partial_fit(X, Y)
    with pytest.raises(ArgumentError, match="early_stopping"):
        ours.MLPRegressor(early_stopping=True).partial_fit(XR, YR)
    with pytest.raises(AttributeError, match="partial_fit"):
        ours.MLPRegressor(solver="lbfgs").partial_fit(XR, YR)
    with pytest.raises(DataError, match="validation set is too small"):
        ours.MLPRegressor(early_stopping=True).fit(XR[:8], YR[:8])
    with pytest.raises(DataError, match="non-finite"), np.errstate(all="ignore"):
        ours.MLPRegressor(solver="sgd", learning_rate_init=1e30).fit(XR, YR)


def test_one_class_is_always_the_answer():
    model = ours.MLPClassifier(max_iter=2).fit(X, np.full(len(X), "all"))
    assert set(model.predict(X)) == {"all"}
    assert (model.predict_proba(X) == 1).all()


@pytest.mark.parametrize("task", TASKS)
def test_a_file_gives_the_same_estimator_back(task, tmp_path):
    name, x, y = TASKS[task]
    model = getattr(ours, name)(
        hidden_layer_sizes=(7, 5), max_iter=3, random_state=np.random.RandomState(0)
    ).fit(x, y)
    model.save(tmp_path / "model.safetensors")
    again = getattr(ours, name).load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert str({**again.get_params(), "random_state": 0}) == str({**model.get_params(), "random_state": 0})
    np.testing.assert_array_equal(again.random_state.get_state()[1], model.random_state.get_state()[1])
    assert vars(again).keys() == vars(model).keys()
    assert (again.loss_curve_, again.n_iter_) == (model.loss_curve_, model.n_iter_)


def test_a_foreign_or_damaged_file_is_refused(tmp_path):
    path = tmp_path / "model"
    ours.MLPClassifier(max_iter=2).fit(X, Y).save(path)
    with pytest.raises(FileError, match="it is a MLPClassifier"):
        ours.MLPRegressor.load(path)
    with pytest.raises(FileError, match="overwrite"):
        ours.MLPClassifier().save(path, overwrite=False)
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)
    with pytest.raises(FileError, match="damaged"):
        ours.MLPClassifier.load(path)
    te.nn.Sequential([te.nn.Input((2,)), te.nn.Dense(1)]).save(path)
    with pytest.raises(FileError, match="holds no estimator"):
        ours.MLPClassifier.load(path)
    with pytest.raises(FileError, match="no such file"):
        ours.MLPClassifier.load(tmp_path / "nothing")


def test_nn_does_without_scikit_learn_until_estimators_are_asked_for():
    import subprocess
    import sys

    code = (
        "import sys; from tinygrad_edu import nn; print('sklearn' in sys.modules); "
        "nn.estimators.MLPClassifier; print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
