"""What this machine could do at best: the floor under each workload's time.

    python -m benchmarks.limits

measures how fast the cores multiply and how fast they move memory, counts what one training step of ours
multiplies and moves, and prints the quotients. A step can't be faster than its multiplications at the peak
that a matrix product reaches, however it is written; Winograd's convolution alone needs fewer of them than
are counted here. The bytes are those of every operation's operands and results, read and written once:
what stays in a cache moves faster than memory does, so that floor is a soft one.
"""

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

import tinygrad_edu as te
from tinygrad_edu import kernels
from tinygrad_edu.context import Observer

from .report import digits
from .workloads import choose

BIG = 64 * 2**20  # bytes: more than the last cache holds


def best(work: Callable[[], Any], repeats: int = 15) -> float:
    """Return the shortest of some runs, in seconds: the one that nobody disturbed."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def product_peak() -> float:
    """Return how many operations a second our product of large matrices does, in 1e9."""
    n = 1024
    a, b, c = np.ones((3, n, n), np.float32)
    return 2 * n**3 / best(lambda: kernels.matmul(a, b, out=c)) / 1e9


def bandwidth(threads: int) -> float:
    """Return how many bytes a second are read and written by a sum of two large arrays, in 1e9."""
    a, b, c = np.ones((3, threads, BIG // 4), np.float32)
    with ThreadPoolExecutor(threads) as pool:  # NumPy lets other threads run meanwhile
        return 3 * threads * BIG / best(lambda: list(pool.map(np.add, a, b, c))) / 1e9


class Counter(Observer):
    """Adds up what products multiply and add, and the bytes that all operations read and write."""

    def __init__(self) -> None:
        self.operations = 0
        self.bytes = 0

    def forward(self, fn: Any, inputs: Any, params: Any, result: Any, node: Any) -> None:
        results = result if isinstance(result, tuple) else (result,)
        self.operations += _operations(fn.name, inputs, results[0])
        self.bytes += sum(x.nbytes for x in (*inputs, *results) if hasattr(x, "nbytes"))

    def backward(self, node: Any, g: Any, gradients: Any) -> None:
        there = [d for d in gradients if hasattr(d, "nbytes")]
        shapes = [x for x in node.inputs if hasattr(x, "shape")]
        products = [d for d in there if d.ndim > 1]  # not the bias, which is a sum
        self.operations += len(products) * _operations(node.fn.name, shapes, _Shape(node.shape))
        inputs = sum(_size(x.shape) * 4 for x in shapes)
        self.bytes += inputs + sum(d.nbytes for d in (g, *there) if hasattr(d, "nbytes"))


def _size(shape: Any) -> int:
    """Count the numbers of a result, or of several."""
    several = bool(shape) and isinstance(shape[0], tuple)
    return sum(map(_size, shape)) if several else math.prod(shape)


class _Shape:
    def __init__(self, shape: Any) -> None:
        self.shape = shape


def _operations(name: str, inputs: Any, result: Any) -> int:
    """Count those of a forward pass; the gradient of each operand takes as many."""
    if name in ("linear", "matmul"):
        return 2 * math.prod(result.shape) * inputs[0].shape[-1]
    if name in ("conv2d", "conv2d_bias"):
        return 2 * math.prod(result.shape) * math.prod(inputs[1].shape[:3])
    if name in ("conv2d_input_grad", "conv2d_transpose_bias"):  # from the small images
        return 2 * math.prod(inputs[0].shape) * math.prod(inputs[1].shape[:3])
    return 0


@click.command()
@click.argument("workloads", nargs=-1)
@click.option("--threads", default=2, show_default=True)
def main(workloads: tuple[str, ...], threads: int) -> None:
    """Print the floor under the time of each workload's step."""
    te.set_num_threads(threads)
    peak, moved = product_peak(), bandwidth(threads)
    table = Table(box=None, pad_edge=False)
    for column in ("workload", "GFLOP", "ms at least", "MB", "ms at least", "ms measured"):
        table.add_column(column, justify="left" if column == "workload" else "right")
    for workload in choose(workloads):
        step = workload.ours(workload.problem()).step
        step()
        with Counter() as count:
            step()
        table.add_row(
            workload.name,
            digits(count.operations / 1e9),
            digits(count.operations / peak / 1e6),
            digits(count.bytes / 1e6),
            digits(count.bytes / moved / 1e6),
            digits(best(step) * 1e3),
        )
    console = Console()
    console.print(
        f"{peak:.0f} GFLOP/s in a product of 1024x1024 matrices, {moved:.0f} GB/s in sums of arrays"
    )
    console.print(table)


if __name__ == "__main__":
    main()
