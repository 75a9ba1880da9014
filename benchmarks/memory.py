"""Peak memory of a workload on one engine, in a process of its own.

    python -m benchmarks.memory WORKLOAD ENGINE PROBLEM.npz THREADS

prints by how many MB the resident memory rose above what it was before. By then the engine is imported and
has trained the smallest network for a step, since engines load much of their code when it is first needed;
and the batch and the weights are read. What counts is what the workload makes it keep: a copy of the weights,
gradients, the optimizer's slots, saved activations, workspaces. It is measured apart from the time, since
engines in one process share an allocator and would hide each other's peaks.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import peers

if TYPE_CHECKING:
    from .workloads import Problem

STEPS = 3
SMALLEST = "W5a"


def peak_mb(workload: str, engine: str, problem: Path, threads: int) -> float | None:
    """Measure in a new process; None if that failed."""
    command = [sys.executable, "-m", "benchmarks.memory", workload, engine, str(problem), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    if done.returncode:
        print(f"memory of {workload} on {engine}: {done.stderr.strip()[-500:]}", file=sys.stderr)
        return None
    return float(done.stdout.split()[-1])


def save_problem(problem: "Problem") -> Path:
    """Write a batch and weights for another process; the caller deletes the file."""
    with tempfile.NamedTemporaryFile(suffix=".npz", delete=False) as file:
        np.savez(file, **{f"data/{i}": a for i, a in enumerate(problem.data)}, **problem.weights)
    return Path(file.name)


def read_problem(file: Path) -> "Problem":
    """Read what :func:`save_problem` wrote."""
    from .workloads import Problem

    with np.load(file) as arrays:
        read = {name: arrays[name] for name in arrays.files}
    data = tuple(a for name, a in read.items() if name.startswith("data/"))
    return Problem(data, {name: a for name, a in read.items() if not name.startswith("data/")})


def _status_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def _forget_peak() -> float:
    """Return the resident memory of now, and let the peak begin there; without /proc the peak so far."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return _status_mb("VmRSS:")
    except OSError:
        return _peak()


def _peak() -> float:
    try:
        return _status_mb("VmHWM:")
    except OSError:
        unit = 1024 if sys.platform != "darwin" else 1024**2  # KB, or bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main(workload: str, engine: str, file: str, threads: str) -> None:
    peers.limit_threads(int(threads))
    peers.load([engine], int(threads))
    from .workloads import WORKLOADS

    smallest = WORKLOADS[SMALLEST]
    smallest.job(engine if smallest.runs_on(engine) else "torch", smallest.problem()).step()
    problem = read_problem(Path(file))
    before = _forget_peak()
    step = WORKLOADS[workload].job(engine, problem).step
    for _ in range(STEPS):
        step()
    print(max(_peak() - before, 0.0))


if __name__ == "__main__":
    main(*sys.argv[1:])
