"""Our estimators beside scikit-learn's own, and searches on several processes and on a cluster.

``python -m benchmarks.estimators`` runs all of it; name parts to run those:

- ``scores``: test scores over seeds on digits, breast cancer, diabetes and 5,000 of MNIST;
- ``times``: the time to fit, one library after the other in turns, in the same minutes. Each lives in a
  process of its own, since two thread pools in one process would slow each other down;
- ``search``: a grid over hidden sizes, activation and learning rate: serial, on joblib's processes, on Dask;
- ``folds``: leave-one-out on the gene expressions: one process, two, a cluster, and one that loses a worker.
"""

import argparse
import os
import signal
import statistics
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np

from tinygrad_edu import data

SETS: dict[str, dict[str, Any]] = {
    "digits": {},
    "breast cancer": {},
    "diabetes": {"max_iter": 300, "learning_rate_init": 0.01},
    "MNIST 5k": {"hidden_layer_sizes": (100,), "solver": "adam", "batch_size": 200, "max_iter": 40},
}
GRID = {
    "hidden_layer_sizes": [(30,), (60,), (30, 30)],
    "activation": ["relu", "tanh"],
    "learning_rate_init": [0.001, 0.01],
}


def sets(name: str, seed: int, dtype: str = "float32") -> tuple[Any, Any, Any, Any]:
    """Return rows to train and to test on, scaled, and their targets."""
    from sklearn import datasets
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    if name == "MNIST 5k":
        (x, y), (x_test, y_test) = data.mnist_5000().scaled()
        return x.reshape(len(x), -1).astype(dtype), x_test.reshape(len(x_test), -1).astype(dtype), y, y_test
    load = {
        "digits": datasets.load_digits,
        "breast cancer": datasets.load_breast_cancer,
        "diabetes": datasets.load_diabetes,
    }
    x, x_test, y, y_test = train_test_split(*load[name](return_X_y=True), random_state=seed, test_size=0.25)
    scaler = StandardScaler().fit(x)
    return scaler.transform(x).astype(dtype), scaler.transform(x_test).astype(dtype), y, y_test


def fitted(library: str, name: str, seed: int, dtype: str, **more: Any) -> tuple[float, float, int]:
    """Fit one estimator; return its test score, the seconds that took, and the epochs."""
    if library == "ours":
        from tinygrad_edu.nn import estimators as module
    else:
        from sklearn import neural_network as module
    kind = module.MLPRegressor if name == "diabetes" else module.MLPClassifier
    x, x_test, y, y_test = sets(name, seed, dtype)
    model = kind(**SETS[name] | more)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        model.fit(x, y)
        seconds = time.perf_counter() - start
    return float(model.score(x_test, y_test)), seconds, model.n_iter_


def libraries() -> dict[str, ProcessPoolExecutor]:
    return {name: ProcessPoolExecutor(1, mp_context=get_context("spawn")) for name in ("ours", "theirs")}


def scores(names: list[str], seeds: int) -> None:
    """Print mean and deviation of the test scores; the two have other seeds for the same splits."""
    pools = libraries()
    print(
        f"\ntest score over {seeds} seeds: mean ± standard deviation, and the difference in standard errors"
    )
    for name in names:
        found: dict[str, list[float]] = {"ours": [], "theirs": []}
        for seed in range(seeds):
            for library, pool in pools.items():
                state = seed if library == "ours" else 1000 + seed
                job = pool.submit(fitted, library, name, seed, "float32", random_state=state)
                found[library].append(job.result()[0])
        ours, theirs = np.array(found["ours"]), np.array(found["theirs"])
        gap = ours - theirs  # on the same split each time
        error = max(gap.std(ddof=1) / np.sqrt(seeds), 1e-12)
        mine, other = (f"{v.mean():.4f} ± {v.std(ddof=1):.4f}" for v in (ours, theirs))
        print(
            f"  {name:14} ours {mine}   scikit-learn {other}   difference {gap.mean():+.4f} = "
            f"{gap.mean() / error:+.1f} errors",
            flush=True,
        )
    for pool in pools.values():
        pool.shutdown()


def times(names: list[str], rounds: int, epochs: int) -> None:
    """Print the median of our time to fit over theirs, round by round, with the same random_state."""
    pools = libraries()
    print(f"\ntime to fit, {rounds} rounds in turns: medians, and the median of the ratios")
    for name in reversed(names):
        for dtype in ("float32", "float64"):
            for library, pool in pools.items():  # kernels are compiled or loaded, pools are woken
                pool.submit(fitted, library, name, 0, dtype, max_iter=2, random_state=0).result()
            taken: dict[str, list[float]] = {"ours": [], "theirs": []}
            for _ in range(rounds):
                for library, pool in pools.items():
                    job = pool.submit(fitted, library, name, 0, dtype, max_iter=epochs, random_state=0)
                    _, seconds, ran = job.result()
                    taken[library].append(seconds / ran * 1e3)
                    time.sleep(0.3)
            ratio = statistics.median(a / b for a, b in zip(*taken.values(), strict=True))
            mine, other = (statistics.median(taken[library]) for library in ("ours", "theirs"))
            print(
                f"  {name:14} {dtype}  {mine:8.2f} ms an epoch, scikit-learn {other:8.2f}: {ratio:.2f}",
                flush=True,
            )
    for pool in pools.values():
        pool.shutdown()


def cluster() -> Any:
    """Return a Dask cluster of two processes on this machine."""
    import dask
    from distributed import LocalCluster

    dask.config.set({"distributed.scheduler.worker-saturation": 1.0})
    return LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")


def threads_of_a_worker() -> tuple[int, int]:
    import tinygrad_edu as te

    return os.getpid(), te.get_num_threads()


def search() -> None:
    """Print how long a grid search takes in three ways, and whether all scores are the same."""
    from joblib import Parallel, delayed, parallel_config
    from sklearn.model_selection import GridSearchCV, ShuffleSplit
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    from tinygrad_edu.nn.estimators import MLPClassifier

    x, _, y, _ = sets("MNIST 5k", 0)
    grid = {f"mlpclassifier__{name}": values for name, values in GRID.items()}
    results: dict[str, Any] = {}

    def run(label: str, **options: Any) -> None:
        pipeline = make_pipeline(MinMaxScaler(), MLPClassifier(max_iter=5, random_state=1))
        splits = ShuffleSplit(2, test_size=0.2, random_state=1)
        start = time.perf_counter()
        with parallel_config(**options):
            found = GridSearchCV(pipeline, grid, cv=splits).fit(x, y)
            workers = Parallel()(delayed(threads_of_a_worker)() for _ in range(4)) if options else []
        results[label] = found.cv_results_["mean_test_score"]
        threads = dict(workers)
        print(
            f"  {label:22} {time.perf_counter() - start:6.1f} s   best {found.best_score_:.4f} "
            f"{ {k.split('__')[1]: v for k, v in found.best_params_.items()} }"
            + (f"   threads of each worker: {sorted(threads.values())}" if threads else ""),
            flush=True,
        )

    print("\ngrid search, 12 settings x 2 splits of MNIST 5k")
    warnings.simplefilter("ignore")
    os.environ["PYTHONWARNINGS"] = "ignore"
    run("serial")
    run("loky, 2 processes", backend="loky", n_jobs=2)
    from distributed import Client

    with cluster() as machines, Client(machines):
        run("Dask, 2 processes", backend="dask")
    first = results["serial"]
    print("  identical scores:", {label: bool((s == first).all()) for label, s in results.items()})


def gene_network(input_shape: Any, n_outputs: int) -> Any:
    from tinygrad_edu import nn

    return nn.models.mlp(input_shape, (64, 32), n_outputs, dropout=0.5)


def folds() -> None:
    """Print how long leave-one-out takes in four ways, and whether all predictions are the same."""
    from joblib import parallel_config
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from tinygrad_edu.nn.estimators import NetworkClassifier, cross_validate

    genes = data.leukaemia(test_size=0)
    x, y = genes.x_train, genes.y_train
    network = NetworkClassifier(gene_network, epochs=100, batch_size=64, random_state=1)
    model = make_pipeline(StandardScaler(), network)
    results: dict[str, Any] = {}

    def run(label: str, during: Callable[[], None] | None = None, **options: Any) -> None:
        killer = threading.Thread(target=during) if during else None
        start = time.perf_counter()
        with parallel_config(**options):
            if killer:
                killer.start()
            results[label] = cross_validate(model, x, y, "leave-one-out", progress=False)
        print(f"  {label:30} {time.perf_counter() - start:6.1f} s   {results[label]}", flush=True)
        if killer:
            killer.join()

    print(f"\nleave-one-out on {len(x)} patients with {x.shape[1]} genes")
    run("1 process")
    run("loky, 2 processes", backend="loky", n_jobs=2)
    from distributed import Client

    with cluster() as machines, Client(machines) as client:
        run("Dask, 2 processes", backend="dask")

        def kill() -> None:
            time.sleep(2)
            victim = next(iter(machines.workers.values()))
            os.kill(victim.pid, signal.SIGKILL)
            print(f"  (worker {victim.pid} is killed)", flush=True)

        client.wait_for_workers(2)
        run("Dask, a worker killed midway", during=kill, backend="dask")
    first = results["1 process"].predictions
    print("  identical predictions:", {k: bool((r.predictions == first).all()) for k, r in results.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", help="scores, times, search, folds; by default all")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=20, help="of each fit that is timed")
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS), help="for scores and times")
    arguments = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "scores": lambda: scores(arguments.sets, arguments.seeds),
        "times": lambda: times(arguments.sets, arguments.rounds, arguments.epochs),
        "search": search,
        "folds": folds,
    }
    for part in arguments.parts or parts:
        parts[part]()


if __name__ == "__main__":
    main()
