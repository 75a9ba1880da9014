"""How fast the data loader delivers 60,000 images in batches, beside what copying them takes.

python -m benchmarks.loading
"""

import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np

from tinygrad_edu.data import DataLoader

ROUNDS = 7


def best(make: Callable[[], Iterable[object]]) -> float:
    """Return the shortest of some times that it takes to go through."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in make():
            pass
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def measure(dtype: str) -> dict[str, float]:
    """Return GB/s, by what was done."""
    x = np.random.default_rng(0).integers(0, 255, (60_000, 28, 28)).astype(dtype)
    y, out = np.arange(len(x)), np.empty_like(x)
    order = np.random.default_rng(0).permutation(len(x))
    seconds = {
        "limit: copied at once": best(lambda: [np.copyto(out, x)]),
        "limit: gathered at once, shuffled": best(lambda: [np.take(x, order, 0, out=out, mode="clip")]),
    }
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "x.npy", x)
        mapped = np.load(Path(folder) / "x.npy", mmap_mode="r")
        for where, array in (("array", x), ("map", mapped)):
            for how in ("in order", "shuffled", "shuffled, prefetched"):
                shuffle, prefetch = how != "in order", 2 if "prefetched" in how else 0
                loader = DataLoader(array, y, batch_size=128, shuffle=shuffle, seed=0, prefetch=prefetch)
                seconds[f"{where}, {how}"] = best(partial(iter, loader))
    return {name: x.nbytes / taken / 1e9 for name, taken in seconds.items()}


def main() -> None:
    for dtype in ("uint8", "float32"):
        print(f"60,000 images of 28x28, {dtype}, GB/s")
        for name, speed in measure(dtype).items():
            print(f"  {name:36} {speed:6.1f}")


if __name__ == "__main__":
    main()
