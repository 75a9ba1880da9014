"""Folds and searches: new models in one process, in several, on a cluster; no more threads than cores."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from sklearn.datasets import make_classification, make_regression
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, DataError
from tinygrad_edu.nn.estimators import MLPClassifier, MLPRegressor, NetworkClassifier, cross_validate

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # joblib forks a helper of loky beside the threads of Numba; Dask leaves sockets to be collected
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
X, Y = make_classification(60, 6, n_informative=4, class_sep=2.0, random_state=0)
X = X.astype(np.float32)


def network(input_shape, n_outputs, units=8):
    return nn.models.mlp(input_shape, (units,), n_outputs, dropout=0.2)


def networks(**arguments):
    return make_pipeline(
        StandardScaler(),
        NetworkClassifier(network, epochs=5, learning_rate=0.02, random_state=0, **arguments),
    )


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as machines,
        distributed.Client(machines),
    ):
        yield machines


# -- folds -------------------------------------------------------------------------------------------------


def test_each_fold_has_a_model_that_has_not_seen_its_rows():
    model = networks()
    found = cross_validate(model, X, Y, 4, progress=False, keep=True)
    assert not hasattr(model[-1], "model_")
    splits = list(te.data.k_fold(X, 4, stratify=Y, seed=0))
    for (train, test), fitted, score in zip(splits, found.estimators, found.scores, strict=True):
        again = networks().fit(X[train], Y[train])
        np.testing.assert_array_equal(fitted.predict_proba(X[test]), again.predict_proba(X[test]))
        np.testing.assert_array_equal(found.predictions[test], again.predict(X[test]))
        assert score == again.score(X[test], Y[test])
    assert found.score == np.mean(found.predictions == Y)
    assert str(found).startswith(f"score {found.score:.4f}, folds ")


def test_leave_one_out_of_numbers_is_scored_on_all_predictions_together():
    x, y = make_regression(12, 3, random_state=0)
    found = cross_validate(
        MLPRegressor(hidden_layer_sizes=(4,), max_iter=3, random_state=0),
        x,
        y,
        "leave-one-out",
        progress=False,
    )
    assert found.predictions.shape == (12,)
    assert np.isnan(found.scores).all()
    assert np.isfinite(found.score)


def test_folds_are_scikit_learns_splitters_too():
    model = MLPClassifier((4,), max_iter=4, random_state=0)
    splits = StratifiedKFold(3)
    found = cross_validate(model, X, Y, splits.split(X, Y), progress=False)
    np.testing.assert_array_equal(found.scores, cross_val_score(model, X, Y, cv=splits))


def test_frames_and_weights_are_cut_by_rows():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, index=np.arange(60)[::-1])
    weight = np.linspace(1, 2, 60)
    model = MLPClassifier((4,), max_iter=4, random_state=0)
    one = cross_validate(model, frame, pandas.Series(Y), 3, sample_weight=weight, progress=False, keep=True)
    other = cross_validate(model, X, Y, 3, sample_weight=weight, progress=False, keep=True)
    np.testing.assert_array_equal(one.estimators[0].coefs_[0], other.estimators[0].coefs_[0])


def test_a_bar_counts_the_folds(capsys):
    cross_validate(MLPClassifier((2,), max_iter=1, random_state=0), X, Y, 3)
    assert "3/3" in capsys.readouterr().out


def test_folds_that_cannot_be_are_refused():
    with pytest.raises(ArgumentError, match="leave-one-out"):
        cross_validate(MLPClassifier(), X, Y, "all")
    with pytest.raises(ArgumentError, match="n_splits"):
        cross_validate(MLPClassifier(), X, Y, 1)
    with pytest.raises(DataError, match="each of the 60 rows must be tested"):
        cross_validate(MLPClassifier(), X, Y, [(np.arange(30), np.arange(30, 50))])


# -- threads -----------------------------------------------------------------------------------------------


def threads():
    from threadpoolctl import threadpool_info

    import tinygrad_edu as te

    te.nn.models.mlp(3, (4,), 2).predict(np.ones((2, 3)))
    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return te.get_num_threads(), max(blas)


@pytest.mark.parametrize("inner", [None, pytest.param(1, marks=pytest.mark.slow)])
def test_workers_get_their_share_of_the_threads(monkeypatch, inner):
    monkeypatch.setenv("TINYGRAD_EDU_NUM_THREADS", str(te.get_num_threads()))  # which they inherit
    workers = min(2, os.cpu_count() or 1)
    share = inner or max((os.cpu_count() or 1) // workers, 1)
    with parallel_config("loky", n_jobs=workers, inner_max_num_threads=inner):
        assert set(Parallel()(delayed(threads)() for _ in range(2))) == {(share, share)}


# -- searches ----------------------------------------------------------------------------------------------


def searched(search, **where):
    with parallel_config(**where):
        return search.fit(X, Y).cv_results_["mean_test_score"]


@pytest.mark.slow
def test_searches_give_the_same_scores_everywhere(cluster):
    grid = GridSearchCV(networks(), {"networkclassifier__model__units": [2, 8]}, cv=3)
    halving = HalvingRandomSearchCV(
        MLPClassifier(random_state=0, max_iter=4),
        {"hidden_layer_sizes": [(2,), (4,), (8,)], "activation": ["relu", "tanh"]},
        cv=2,
        random_state=0,
        n_candidates=4,
    )
    for search in (grid, halving):
        serial = searched(search)
        np.testing.assert_array_equal(searched(search, backend="loky", n_jobs=2), serial)
        np.testing.assert_array_equal(searched(search, backend="dask"), serial)


@pytest.mark.slow
def test_a_cluster_gives_what_one_process_gives_and_its_workers_have_one_thread_each(cluster):
    alone = cross_validate(networks(), X, Y, "leave-one-out", progress=False)
    with parallel_config("dask"):
        assert set(Parallel()(delayed(threads)() for _ in range(4))) == {(1, 1)}
        there = cross_validate(networks(), X, Y, "leave-one-out")
    np.testing.assert_array_equal(there.predictions, alone.predictions)


@pytest.mark.slow
def test_a_worker_that_is_killed_takes_nothing_along(cluster):
    model = networks().set_params(networkclassifier__epochs=60)
    alone = cross_validate(model, X, Y, "leave-one-out", progress=False)
    killed = []

    def kill():
        time.sleep(1.5)
        killed.append(next(iter(cluster.workers.values())).pid)
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    with parallel_config("dask"):
        killer.start()
        there = cross_validate(model, X, Y, "leave-one-out", progress=False)
    assert not killer.is_alive(), "it was over before the worker was killed"
    np.testing.assert_array_equal(there.predictions, alone.predictions)
