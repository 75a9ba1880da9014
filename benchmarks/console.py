"""What the training console costs: python -m benchmarks.console

``fit`` runs with the console and without, in turns; the console draws in a pseudo-terminal that a process of
its own reads. Two figures for each network:

- the share of the time that is spent inside the console's hooks, by the clock around each of them;
- the ratio of the shortest tenth of the steps, with the console over without: it would show what the clocks
  can't see, such as caches that drawing has emptied. A step's time swings by a factor of two on a machine
  that others use too, and the shortest tenth by a hundredth or so.
"""

import fcntl
import os
import pty
import statistics
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console as RichConsole

from tinygrad_edu import nn
from tinygrad_edu.nn.callbacks import Callback
from tinygrad_edu.viz import Console

from .workloads import WORKLOADS

ROUNDS = 9
STEPS = 400  # an epoch
SECONDS = 4.0  # of one fit, enough for a dozen pictures
ROWS, COLUMNS = 24, 80
_READER = "import os\ntry:\n    while os.read(0, 65536): pass\nexcept OSError: pass  # its end"


class Clock(Callback):
    """Write down when each step ended."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.times.append(perf_counter())

    def short_step(self) -> float:
        """Return the seconds that a tenth of the steps stay below."""
        return float(np.quantile(np.diff(self.times), 0.1))


class Watched(Console):
    """A console that knows how long its own hooks took, and how many pictures it drew."""

    def __init__(self, terminal: RichConsole) -> None:
        super().__init__(terminal)
        self.seconds, self.pictures = 0.0, 0
        for hook in ("on_train_batch_begin", "on_train_batch_end", "on_epoch_begin", "on_epoch_end"):
            setattr(self, hook, self._timed(getattr(self, hook)))

    def _timed(self, hook: Callable[..., None]) -> Callable[..., None]:
        def timed(*arguments: Any) -> None:
            began = perf_counter()
            hook(*arguments)
            self.seconds += perf_counter() - began

        return timed

    def _draw(self, stepped: bool = False) -> None:
        self.pictures += 1
        super()._draw(stepped)


def measure(name: str, terminal: RichConsole) -> str:
    """Return a line about one workload."""
    workload: Any = WORKLOADS[name]
    x, y = (np.concatenate([array] * STEPS) for array in workload.data())
    model = workload.model()
    loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(nn.optimizers.get(getattr(workload, "optimizer", "sgd")), loss, ["accuracy"])

    def fit(epochs: int, *callbacks: Callback) -> float:
        began = perf_counter()
        model.fit(x, y, batch_size=workload.batch, epochs=epochs, verbose=0, callbacks=list(callbacks))
        return perf_counter() - began

    fit(1)
    epochs = max(2, round(SECONDS / fit(1)))
    shares, ratios, pictures = [], [], []
    for _ in range(ROUNDS):
        plain, shown, console = Clock(), Clock(), Watched(terminal)
        fit(epochs, plain)
        taken = fit(epochs, console, shown)
        shares.append(console.seconds / taken)
        ratios.append(shown.short_step() / plain.short_step())
        pictures.append(console.pictures / taken)
    step, share = np.median(np.diff(plain.times)) * 1e6, statistics.median(shares)
    return (
        f"{name:6} {step:7.0f} µs a step: {share:.2%} of the time in the console, "
        f"{statistics.median(pictures):.1f} pictures a second; steps take "
        f"{statistics.median(ratios):.3f} of those without ({min(ratios):.3f} to {max(ratios):.3f})"
    )


def main() -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    reader = subprocess.Popen([sys.executable, "-c", _READER], stdin=ours)
    environment = {"TERM": "xterm-256color"}
    with open(theirs, "w", encoding="utf-8") as file:
        terminal = RichConsole(
            file=file, force_terminal=True, _environ=environment, width=COLUMNS, height=ROWS
        )
        for name in sys.argv[1:] or ("W5a", "W2-b16"):
            print(measure(name, terminal), flush=True)
    os.close(ours)
    reader.kill()
    reader.wait()


if __name__ == "__main__":
    main()
