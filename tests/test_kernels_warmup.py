"""After a warm-up nothing needs to be compiled any more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = sorted(
    str(path)
    for path in HERE.glob("test_kernels_*.py")
    if path.stem not in ("test_kernels_warmup", "test_kernels_compiling")
)
TESTS += [str(HERE / "test_nn_layers.py"), str(HERE / "test_nn_losses.py")]
THEN = f"""
import pytest
from tinygrad_edu import kernels
late = []
kernels.set_compile_announcer(late.append)
code = pytest.main(["-q", "-p", "no:cacheprovider", *{TESTS!r}])
print("result:", int(code), sorted(name for name in set(late) if not name.startswith("test_")))
"""


@pytest.mark.slow
def test_all_that_is_ever_called_is_compiled_by_the_command(tmp_path):
    environment = os.environ | {"TINYGRAD_EDU_CACHE": str(tmp_path)}

    def run(*arguments):
        command = [sys.executable, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    cli = ["-c", "from tinygrad_edu.cli import main; main()", "warmup"]
    assert run(*cli).startswith("compiled ")
    again = run(*cli, "--list")
    assert "all " in again
    assert "float32" in again
    assert "float64" in again
    assert "result: 0 []" in run("-c", THEN)
