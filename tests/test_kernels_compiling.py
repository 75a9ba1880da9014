"""How kernels are compiled, kept on disk and announced."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_edu import kernels
from tinygrad_edu.kernels import reference

COMPILING = {"cache_folder", "set_compile_announcer", "signatures", "warmup"}  # rather than computing
PACKAGE = Path(kernels.__file__).parent.parent
SIMD_TESTS = [
    str(Path(__file__).with_name(f"test_kernels_{name}.py"))
    for name in ("simd", "gemm", "winograd", "convolution", "lanes", "elementwise")
]
SOFTMAX = """
import numpy as np
from tinygrad_edu import kernels
print(kernels.softmax(np.zeros((1, 4), np.float32))[0, 0])
"""


def run_python(code, cache, package_root=PACKAGE.parent, **environment):
    """Run code in a new process with its own cache; return what it printed on stdout and on stderr."""
    environment = {
        **os.environ,
        "TINYGRAD_EDU_CACHE": str(cache),
        "PYTHONPATH": str(package_root),
    } | environment
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def kept(cache):
    return sorted(path.relative_to(cache) for path in Path(cache).rglob("*.nbc"))


def test_importing_the_package_does_not_import_numba(tmp_path):
    code = "import sys, tinygrad_edu.kernels as k; print('numba' in sys.modules, 'conv2d' in dir(k))"
    assert run_python(code, tmp_path)[0].split() == ["False", "True"]


def test_a_kernel_becomes_an_ordinary_name_at_its_first_use():
    assert kernels.softmax is vars(kernels)["softmax"]
    for name in kernels.__all__:
        assert callable(getattr(kernels, name))
    with pytest.raises(AttributeError, match="no attribute 'conv3d'"):
        kernels.conv3d  # noqa: B018


def test_every_kernel_has_a_twin():
    assert set(reference.__all__) == set(kernels.__all__) - COMPILING


def test_compiled_code_is_announced_once_kept_and_loaded_again(tmp_path):
    out, err = run_python(SOFTMAX, tmp_path)
    assert out == "0.25\n"
    assert err.count("compiling kernels") == 1
    assert str(tmp_path) in err
    assert len(kept(tmp_path)) == 1
    assert run_python(SOFTMAX, tmp_path) == ("0.25\n", "")


def test_a_replaced_announcer_hears_the_names_of_our_kernels_alone(tmp_path):
    code = """
import numba
import numpy as np
from tinygrad_edu import kernels
kernels.set_compile_announcer(lambda kernel: print("compiling", kernel))
numba.njit(lambda x: x + 1)(1.0)
numba.njit(lambda x: x + 1, cache=False)(1)
kernels.softmax(np.zeros((1, 4), np.float32))
kernels.softmax(np.zeros((2, 4), np.float32))
kernels.set_compile_announcer(None)
kernels.log_softmax(np.zeros((1, 4), np.float32))
"""
    out, err = run_python(code, tmp_path)
    assert out == "compiling rowwise._softmax\n"
    assert "compiling kernels" in err


def test_the_cache_folder_changes_with_any_kernel_source(tmp_path):
    shutil.copytree(PACKAGE / "kernels", tmp_path / "tinygrad_edu" / "kernels")
    shutil.copy(PACKAGE / "errors.py", tmp_path / "tinygrad_edu")
    (tmp_path / "tinygrad_edu" / "__init__.py").touch()
    code = "from tinygrad_edu import kernels; print(kernels.cache_folder())"
    before = run_python(code, tmp_path, tmp_path)[0]
    assert run_python(code, tmp_path, tmp_path)[0] == before
    with (tmp_path / "tinygrad_edu" / "kernels" / "_arrays.py").open("a") as source:
        source.write("# edited\n")
    assert run_python(code, tmp_path, tmp_path)[0] != before


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path):
    (tmp_path / "file").touch()
    out, err = run_python(SOFTMAX, tmp_path / "file")
    assert out == "0.25\n"
    assert "not kept" in err


def test_a_damaged_cache_is_written_anew(tmp_path):
    run_python(SOFTMAX, tmp_path)
    for damaged in ("*.nbc", "*.nbi"):
        next(tmp_path.rglob(damaged)).write_bytes(b"not a cache")
        out, err = run_python(SOFTMAX, tmp_path)
        assert out == "0.25\n"
        assert "compiling" in err
    assert run_python(SOFTMAX, tmp_path)[1] == ""


def test_the_cache_leaves_the_users_own_functions_alone(tmp_path):
    (tmp_path / "mine.py").write_text("import numba\n@numba.njit(cache=True)\ndef f(x):\n    return x + 1\n")
    code = (
        SOFTMAX
        + f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import mine
mine.f(1)
"""
    )
    run_python(code, tmp_path / "ours", NUMBA_CACHE_DIR=str(tmp_path / "theirs"))
    assert [path.name.partition("-")[0] for path in kept(tmp_path / "ours")] == ["rowwise._softmax"]
    assert [path.name.partition("-")[0] for path in kept(tmp_path / "theirs")] == ["mine.f"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_kernels_work_in_a_forked_process(tmp_path):
    code = """
import os, numpy as np, warnings
from tinygrad_edu import kernels
x, w = np.ones((16, 20, 20, 3)), np.ones((3, 3, 3, 8))
kernels.conv2d(x, w, (1, 1), ((0, 0), (0, 0)))  # wakes the threads, which the child won't have
warnings.simplefilter("ignore")
child = os.fork()
if child == 0:
    os._exit(int(kernels.conv2d(x, w, (1, 1), ((0, 0), (0, 0)))[-1, -1, -1, -1]))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run_python(code, kernels.cache_folder().parent.parent)[0] == "27\n"


@pytest.mark.slow
def test_kernels_hold_on_a_machine_with_shorter_vectors(tmp_path):
    """The host's vectors may be 512 bits long; with 256 there are fewer registers and another tile."""
    features = "+sse4.2,+avx,+avx2,+fma,-avx512f"
    run_python(
        "from tinygrad_edu.kernels._simd import LANES\n"
        "assert LANES == 8\n"
        "import pytest, sys\n"
        f"sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '-k', 'not slow', *{SIMD_TESTS!r}]))",
        tmp_path,
        NUMBA_CPU_NAME="haswell",
        NUMBA_CPU_FEATURES=features,
    )
