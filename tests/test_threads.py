"""One setting for all threads, and no fights between their pools."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import kernels
from tinygrad_edu.errors import ArgumentError
from tinygrad_edu.kernels import _threads

CORES = _threads._cores()
several = pytest.mark.skipif(CORES < 2, reason="needs two cores")


@pytest.fixture(autouse=True)
def _as_before():
    before = te.get_num_threads()
    yield
    te.set_num_threads(before)


def python(code, **environment):
    environment = {
        **os.environ,
        "TINYGRAD_EDU_CACHE": str(kernels.cache_folder().parent.parent),
        **environment,
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout, done.stderr


def pooled(x):
    return kernels.avg_pool2d(x, (3, 3), (1, 1), ((1, 1), (1, 1)))


@pytest.mark.parametrize("wrong", [0, -1, CORES + 1, 1.5, "two", None, True, float("nan")])
def test_a_number_that_there_cannot_be_is_refused(wrong):
    before = te.get_num_threads()
    with pytest.raises(ArgumentError, match=f"from 1 to {CORES}"):
        te.set_num_threads(wrong)
    assert te.get_num_threads() == before


def test_the_environment_variable_is_the_default():
    code = "import tinygrad_edu as te; print(te.get_num_threads())"
    assert python(code, TINYGRAD_EDU_NUM_THREADS="1")[1] == "1\n"
    assert python(code)[1] == f"{CORES}\n"
    assert "TINYGRAD_EDU_NUM_THREADS" in python(code, TINYGRAD_EDU_NUM_THREADS="many")[2]


@several
def test_results_do_not_depend_on_the_number_of_threads():
    x = np.random.default_rng(0).standard_normal((8, 40, 40, 8)).astype(np.float32)
    te.set_num_threads(1)
    alone = pooled(x)
    te.set_num_threads(CORES)
    np.testing.assert_array_equal(pooled(x), alone)


@several
def test_blas_has_one_thread_while_kernels_have_several():
    code = """
import numpy as np, tinygrad_edu as te
from tinygrad_edu import kernels
import scipy.linalg
from threadpoolctl import threadpool_info
blas = lambda: {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
te.set_num_threads(2)
before = blas()
kernels.avg_pool2d(np.ones((8, 40, 40, 8), "f4"), (3, 3), (1, 1), ((0, 0), (0, 0)))
print(before, blas())
"""
    assert python(code)[1] == "{2} {1}\n"


@several
def test_several_threads_may_compute_and_change_the_setting_at_once():
    x = np.random.default_rng(0).standard_normal((8, 40, 40, 8)).astype(np.float32)
    want = pooled(x)
    same = []

    def work(k):
        for i in range(20):
            te.set_num_threads(1 + (i + k) % CORES)
            same.append(np.array_equal(pooled(x), want))

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert same == [True] * 80


@several
def test_a_blas_that_is_loaded_later_is_held_back_too():
    code = """
import numpy as np, tinygrad_edu as te
from threadpoolctl import threadpool_info
te.set_num_threads(1)
te.linalg.solve_triangular(np.eye(2), np.ones(2))
print({pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"})
"""
    assert python(code)[1] == "{1}\n"
