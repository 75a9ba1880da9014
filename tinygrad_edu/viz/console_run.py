"""What a training's console knows: what the hooks wrote down, and what follows from it."""

import math
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, SupportsFloat

import numpy as np

from tinygrad_edu.nn.callbacks import larger_is_better

from .short import number, printable

__all__ = ["Run", "Track"]

_REMEMBERED = 24  # values that a sparkline may show


class Run:
    """One training as far as it has come.

    The hooks assign to its fields; nothing is computed before something is drawn.
    """

    def __init__(self, params: Mapping[str, Any], monitor: str | None = None, mode: str = "auto") -> None:
        self.epochs: int | None = params.get("epochs")
        self.steps: int | None = params.get("steps")
        self.samples: int | None = params.get("samples")
        self.batch_size: int | None = params.get("batch_size")
        self.monitor, self.mode = monitor, mode
        self.epoch = self.batch = 0  # the epoch that runs, and the batches done in it
        self.running: Mapping[str, Any] | None = None  # what came with the last batch
        self.tested = 0  # batches that were measured on after this epoch
        self.compiling: tuple[str, int] | None = None  # a kernel, and the batch that waits for it
        self.began = self.epoch_began = self.first_batch = self.last_batch = perf_counter()
        self.pace: float | None = None  # seconds a batch, in the last epoch
        self.validating = 0.0  # seconds an epoch takes after its last batch
        self.note = ""
        self.outcome = ""  # why it ended before its end
        self.took: float | None = None  # seconds, when it has ended
        self.rates: deque[float] = deque(maxlen=_REMEMBERED)  # what was read a few times a second
        self.norms: deque[float] = deque(maxlen=_REMEMBERED)
        self.memory: int | None = None
        self._tracks: dict[str, Track] = {}
        self._waiting: list[tuple[int, Mapping[str, Any]]] = []  # epochs that aren't in the tracks yet
        self._done = 0  # the number of those that are

    # -- what the hooks write down ---------------------------------------------------------------------

    def begin_epoch(self, epoch: int) -> None:
        self.running = self.compiling = None
        self.epoch, self.batch, self.tested = epoch, 0, 0
        self.epoch_began = self.first_batch = self.last_batch = perf_counter()

    def end_epoch(self, epoch: int, logs: Mapping[str, Any] | None) -> None:
        self.validating = perf_counter() - self.last_batch
        self.pace = self.current_pace()
        self.steps = self.steps or self.batch
        self.running = self.compiling = None
        self._waiting.append((epoch, logs or {}))

    def end(self, stopped: bool) -> None:
        """Note that the run is over, and what kept it from going to its end."""
        done = self._waiting[-1][0] + 1 if self._waiting else self._done
        self.took, self.compiling = perf_counter() - self.began, None
        if self.epochs and done < self.epochs and done <= self.epoch:
            batch = f", batch {self.batch}" if self.batch else ""
            self.outcome = f"interrupted: epoch {self.epoch + 1} of {self.epochs}{batch}"
        elif self.epochs and done < self.epochs and stopped:
            self.outcome = f"stopped early, after epoch {done} of {self.epochs}"

    def read(self, model: Any) -> None:
        """Look at the optimizer and the gradients of the step that was just made, and at the memory."""
        optimizer = getattr(model, "optimizer", None)
        rate = getattr(optimizer, "rate", None)
        if isinstance(rate, SupportsFloat):
            self.rates.append(float(rate))
        gradients = [p.grad.numpy().ravel() for p in getattr(optimizer, "params", ()) if p.grad is not None]
        if gradients:
            with np.errstate(over="ignore", invalid="ignore"):
                self.norms.append(math.sqrt(sum(float(np.vdot(g, g)) for g in gradients)))
        self.memory = memory()

    # -- what follows from it --------------------------------------------------------------------------

    @property
    def tracks(self) -> "dict[str, Track]":
        """Each metric over the epochs."""
        if self._waiting:
            for epoch, logs in self._waiting:
                for name, value in numbers(logs).items():
                    if name not in self._tracks:
                        self._tracks[name] = Track(self._grows(name))
                    self._tracks[name].add(epoch, value)
                self._done = epoch + 1
            self._waiting.clear()
            if self.monitor and self.monitor not in self._tracks and not self.note:
                self.note = f"no metric {self.monitor!r} to watch; there are {', '.join(self._tracks)}"
        return self._tracks

    @property
    def monitored(self) -> str:
        """The name of the metric that says which epoch is best."""
        return self.monitor or ("val_loss" if "val_loss" in self.tracks else "loss")

    def _grows(self, name: str) -> bool | None:
        decides = name == self.monitor if self.monitor else name in ("loss", "val_loss")
        return self.mode == "max" if decides and self.mode != "auto" else larger_is_better(name)

    def best(self) -> str:
        """Say which epoch was the best so far, and how long ago."""
        name = self.monitored
        track = self.tracks.get(name)
        if track is None or track.best_epoch is None:
            return ""
        since = self._done - 1 - track.best_epoch
        ago = "" if not since else f", {since} epoch{'s' * (since > 1)} ago"
        said = "best so far" if self.took is None else "best"
        return f"★ {said}: epoch {track.best_epoch + 1}, {printable(name)} {number(track.best)}{ago}"

    def current_pace(self) -> float | None:
        """Return seconds a batch in this epoch. The first, which may compile, counts only when alone."""
        if self.batch >= 2:
            return max((self.last_batch - self.first_batch) / (self.batch - 1), 1e-9)
        return max(self.last_batch - self.epoch_began, 1e-9) if self.batch else self.pace

    def throughput(self) -> tuple[str, str]:
        """Return how much is learned from in a second, and of what."""
        pace = self.current_pace()
        if pace is None:
            return "", ""
        rate, unit = 1 / pace, "batches/s"
        if self.samples and self.batch_size:
            done = self.batch or 1
            rate *= min(done * self.batch_size, self.samples) / done  # the last batch may be smaller
            unit = "samples/s"
        return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}", unit

    def time_left(self) -> float | None:
        """Return the seconds until the end if all goes on like this, or None as long as that isn't known."""
        pace = self.current_pace()
        if pace is None or not self.steps or not self.epochs:
            return None
        this = (self.steps - self.batch) * pace + self.validating - (perf_counter() - self.last_batch)
        return max(this, 0.0) + (self.epochs - self.epoch - 1) * (self.steps * pace + self.validating)


class Track:
    """One metric over the epochs: the last ones, and which was the best."""

    def __init__(self, grows: bool | None) -> None:
        self.grows = grows
        self.recent: deque[float] = deque(maxlen=_REMEMBERED)
        self.best = math.nan
        self.best_epoch: int | None = None

    def add(self, epoch: int, value: float) -> None:
        self.recent.append(value)
        better = value > self.best if self.grows else value < self.best
        if self.grows is not None and math.isfinite(value) and (better or self.best_epoch is None):
            self.best, self.best_epoch = value, epoch


def numbers(logs: Mapping[str, Any] | None) -> dict[str, float]:
    """Return what is a number in the logs, and the mean of several, such as a score for each class."""
    found = {name: v for name, v in (logs or {}).items() if isinstance(v, SupportsFloat)}
    return {name: float(v.mean() if getattr(v, "ndim", 0) else v) for name, v in found.items()}  # type: ignore[attr-defined]


def memory() -> int | None:
    """Return how many bytes this process has in memory; where the system doesn't tell, the most it had."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    try:
        pages = Path("/proc/self/statm").read_bytes().split()[1]
        return int(pages) * resource.getpagesize()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
