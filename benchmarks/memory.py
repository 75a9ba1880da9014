"""Peak memory of a workload on one engine, in a process of its own.

    python -m benchmarks.memory WORKLOAD ENGINE PROBLEM.npz THREADS

prints by how many MB the resident memory rose above what it was with the engine imported and the batch and
the weights read. That includes what the engine keeps: its own copy of the weights, gradients, the
optimizer's slots, saved activations, workspaces, compiled code. It is measured apart from the time, since
several engines in one process share an allocator and would hide each other's peaks.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from . import peers

STEPS = 3


def peak_mb(workload: str, engine: str, problem: Path, threads: int) -> float | None:
    """Measure in a new process; None if that failed."""
    command = [sys.executable, "-m", "benchmarks.memory", workload, engine, str(problem), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    if done.returncode:
        print(f"memory of {workload} on {engine}: {done.stderr.strip()[-500:]}", file=sys.stderr)
        return None
    return float(done.stdout.split()[-1])


def save_problem(data: tuple[np.ndarray, ...], weights: dict[str, np.ndarray]) -> Path:
    """Write a batch and weights for the other process; the caller deletes the file."""
    with tempfile.NamedTemporaryFile(suffix=".npz", delete=False) as file:
        np.savez(file, **{f"data/{i}": a for i, a in enumerate(data)}, **weights)
    return Path(file.name)


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
    from .workloads import WORKLOADS, Problem

    with np.load(file) as arrays:
        read = {name: arrays[name] for name in arrays.files}
    data = tuple(a for name, a in read.items() if name.startswith("data/"))
    weights = {name: a for name, a in read.items() if not name.startswith("data/")}
    before = _forget_peak()
    step = WORKLOADS[workload].job(engine, Problem(data, weights)).step
    for _ in range(STEPS):
        step()
    print(max(_peak() - before, 0.0))


if __name__ == "__main__":
    main(*sys.argv[1:])
