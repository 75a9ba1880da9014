"""Engines in processes of their own that take turns all the same: ``--apart``.

In one process engines share a heap. Where one has left free memory behind, another needn't ask the system
for its large arrays, which then come without page faults: a step of the autoencoder took PyTorch 52 ms alone
and 31 ms beside TensorFlow. Apart, each has what its users have.
"""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from . import harness, memory, peers


class Worker:
    """A process that has one engine's step ready and times blocks of it on demand."""

    def __init__(self, workload: str, engine: str, problem: Path, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        arguments = theirs, workload, engine, problem, threads
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()

    def block(self, seconds: float) -> harness.Timing:
        self.pipe.send(seconds)
        try:
            timing: harness.Timing = self.pipe.recv()
        except EOFError:
            raise RuntimeError("the engine's process ended; its error stands above") from None
        return timing

    def stop(self) -> None:
        self.pipe.close()
        self.process.join(10)
        if self.process.is_alive():
            self.process.terminate()


def serve(pipe: Connection, workload: str, engine: str, problem: Path, threads: int) -> None:
    """Time blocks, each of the length that was asked for, until the pipe is closed."""
    peers.limit_threads(threads)
    peers.load([engine], threads)
    from .workloads import WORKLOADS

    step = WORKLOADS[workload].job(engine, memory.read_problem(problem)).step
    while True:
        try:
            seconds = pipe.recv()
        except EOFError:
            return
        pipe.send(harness.block(step, seconds))


@contextmanager
def started(workload: str, engines: list[str], problem: Path, threads: int) -> Iterator[dict[str, Worker]]:
    """Have a worker for each engine during a ``with`` block."""
    workers = {engine: Worker(workload, engine, problem, threads) for engine in engines}
    try:
        yield workers
    finally:
        for worker in workers.values():
            worker.stop()
