"""How time is taken: engines take turns, block by block, and a block that was disturbed is taken again.

Three things spoil a comparison on a small machine, and each has its remedy here. Thread pools go on spinning
for a while after their work is done, and steal the cores from whoever comes next: so a pause stands before
each block, long enough for them to fall asleep, and a few steps to warm up again. Other programs come and
go: so the CPU time that they took during a block is measured, and above a share the block is thrown away.
And the machine's clock drifts: so ratios are formed within a round, in which every engine had its turn.
"""

import gc
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

PAUSE = 0.06  # s; OpenMP's and TensorFlow's threads have stopped spinning by then
WARM_UP = 0.03  # s, and at least one step
FOREIGN = 0.1  # of one core: what other programs may take during a block
RETRIES = 4  # for a block that was disturbed; then the least disturbed one counts, and is reported

Step = Callable[[], Any]


class Job(NamedTuple):
    """What an engine is to do again and again, and how its result is read for the comparison."""

    step: Step
    read: Callable[[Any], Any] = float  # an array, or a list of them


class Timing(NamedTuple):
    """One block: the median time of its steps, and what share of one core others had meanwhile."""

    ms: float
    steps: int
    foreign: float | None  # None where the system doesn't tell


class Mismatch(Exception):
    """Two engines disagree, so their times mean nothing."""


# --- What others do on this machine ----------------------------------------------------------------------


def busy_seconds(stat: Path = Path("/proc/stat")) -> float | None:
    """Return for how long this machine's cores have worked, added up; None where there is no /proc.

    Time that a hypervisor gave to other machines ("steal") counts as work too: it was taken from us.
    """
    try:
        fields = stat.read_text(encoding="ascii").splitlines()[0].split()
        user, nice, system, _idle, _iowait, irq, softirq, steal = (int(n) for n in fields[1:9])
    except (OSError, ValueError, IndexError):
        return None
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


class ForeignLoad:
    """Measures, from when it is made, the CPU time of all others: the machine's less our own."""

    def __init__(self, busy: Callable[[], float | None] = busy_seconds) -> None:
        self.busy = busy
        self.start = busy(), time.process_time(), time.perf_counter()

    def share(self) -> float | None:
        """Return it as a share of one core."""
        now, (then, own, clock) = self.busy(), self.start
        if now is None or then is None:
            return None
        elapsed = time.perf_counter() - clock
        foreign = (now - then) - (time.process_time() - own)
        # The machine's time comes in ticks of 10 ms: two of them say nothing.
        return max(foreign - 0.02, 0.0) / max(elapsed, 1e-9)


# --- Timing ----------------------------------------------------------------------------------------------


def block(step: Step, seconds: float) -> Timing:
    """Time steps for so many seconds, after a pause and a warm-up."""
    gc.collect()
    time.sleep(PAUSE)
    warm = time.perf_counter() + WARM_UP
    step()
    while time.perf_counter() < warm:
        step()
    times: list[float] = []
    load, end = ForeignLoad(), time.perf_counter() + seconds
    while len(times) < 2 or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return Timing(float(np.median(times)) * 1e3, len(times), load.share())


def undisturbed(take: Callable[[], Timing], retries: int = RETRIES) -> tuple[Timing, int]:
    """Take a block until nobody disturbed it; return it and how many were rejected.

    If all of them were disturbed, the least disturbed is returned.
    """
    taken: list[Timing] = []
    for _ in range(retries + 1):
        timing = take()
        taken.append(timing)
        if timing.foreign is None or timing.foreign <= FOREIGN:
            return timing, len(taken) - 1
    return min(taken, key=lambda t: t.foreign or 0.0), len(taken)


def take_turns(
    steps: Mapping[str, Any], rounds: int, seconds: float, take: Callable[[Any, float], Timing] = block
) -> "dict[str, Times]":
    """Time all engines, one block each in every round; each round begins with another of them.

    ``take`` times a block of what stands for an engine: its step here, or a process that has one.
    """
    names = list(steps)
    blocks: dict[str, list[Timing]] = {name: [] for name in names}
    rejected = dict.fromkeys(names, 0)
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            timing, count = undisturbed(lambda name=name: take(steps[name], seconds))  # type: ignore[misc]
            blocks[name].append(timing)
            rejected[name] += count
    return {name: Times(blocks[name], rejected[name]) for name in names}


# --- Statistics ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spread:
    """A median and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        low, median, high = (float(q) for q in np.quantile(values, [0.25, 0.5, 0.75]))
        return cls(median, low, high)


@dataclass(frozen=True)
class Times:
    """An engine's blocks, in the order of the rounds."""

    blocks: list[Timing]
    rejected: int

    @property
    def ms(self) -> Spread:
        return Spread.of([b.ms for b in self.blocks])

    @property
    def disturbed(self) -> int:
        """How many of the blocks that count were disturbed all the same."""
        return sum(b.foreign is not None and b.foreign > FOREIGN for b in self.blocks)

    def over(self, other: "Times") -> Spread:
        """Return our time over another's, formed in each round."""
        return Spread.of([a.ms / b.ms for a, b in zip(self.blocks, other.blocks, strict=True)])

    def record(self) -> dict[str, Any]:
        return {
            "ms": asdict(self.ms),
            "blocks_ms": [round(b.ms, 5) for b in self.blocks],
            "steps": sum(b.steps for b in self.blocks),
            "rejected_blocks": self.rejected,
            "disturbed_blocks": self.disturbed,
        }


# --- Do they compute the same? ---------------------------------------------------------------------------


def check_equal(jobs: Mapping[str, Job], steps: int, tolerance: float, what: str = "") -> list[Any]:
    """Let all engines take some steps from the same weights, and compare each result with the first's.

    The tolerance is relative, to the largest number of a result. Raises Mismatch, naming the engine, the
    step and both results.
    """
    (first, job), *others = jobs.items()
    expected = [_arrays(job.read(job.step())) for _ in range(steps)]
    for name, other in others:
        for i, ours in enumerate(expected):
            theirs = _arrays(other.read(other.step()))
            for a, b in zip(ours, theirs, strict=True):
                far = np.abs(a - b).max(initial=0.0) if a.shape == b.shape else np.inf
                if not far <= tolerance * max(np.abs(a).max(initial=0.0), 1e-6):
                    shown = f"{a.ravel()[:3]} and {b.ravel()[:3]}, shapes {a.shape} and {b.shape}"
                    raise Mismatch(f"{what}: after step {i + 1} {first} and {name} differ by {far}: {shown}")
    return expected


def _arrays(value: Any) -> list[Any]:
    values = value if isinstance(value, list | tuple) else [value]
    return [np.asarray(v, np.float64) for v in values]
