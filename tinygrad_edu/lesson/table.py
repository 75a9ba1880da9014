"""The course's figures beside ours: each tutorial at full length with several seeds, as a Markdown table."""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinygrad_edu.errors import FileError
from tinygrad_edu.files import writing

from .claims import DIGITS, show
from .script import fingerprint

__all__ = ["measure", "read_results", "table", "update"]

_BEGIN, _END = "<!-- tutorials: begin -->", "<!-- tutorials: end -->"


def measure(path: Path, seed: int, out: Path) -> bool:
    """Run a tutorial at full length in a process of its own, unless its result is there already.

    Its result is that of the script as it is now. Returns whether it had to run.

    Raises
    ------
    FileError
        The tutorial fails; its output is told.
    """
    folder = out / f"seed-{seed}"
    found = _read(folder / f"{path.name[:2]}_claims.json")
    if found and found["script"] == fingerprint(path.stem) and found.get("complete"):
        return False
    options = ["--seed", str(seed), "--out", str(folder)]
    done = subprocess.run([sys.executable, str(path), *options], capture_output=True, text=True)
    if done.returncode:
        raise FileError(f"{path.name} with seed {seed} fails:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    result = _read(folder / f"{path.name[:2]}_claims.json")
    if result is None:
        raise FileError(f"{path.name} makes no claim: there is nothing to put into the table.")
    with writing(folder / f"{path.name[:2]}_claims.json") as file:  # the whole script ran, so these are all
        file.write((json.dumps(result | {"complete": True}, indent=1, ensure_ascii=False) + "\n").encode())
    return True


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileError(f"can't read {path}: {error}; delete it, and it is made again.") from error
    return dict(found)


def read_results(paths: Sequence[Path], seeds: Sequence[int], out: Path) -> list[list[dict[str, Any]]]:
    """Return for each tutorial what was measured, one result a seed."""
    results = []
    for path in paths:
        found = [_read(out / f"seed-{seed}" / f"{path.name[:2]}_claims.json") for seed in seeds]
        results.append([one for one in found if one])
    return results


def table(results: Sequence[Sequence[dict[str, Any]]]) -> str:
    """Return a Markdown table with a row for each claim that has a figure of the course.

    >>> claim = {"what": "test accuracy", "course": 0.919, "bound": "at least 0.9", "unit": ""}
    >>> runs = [
    ...     {"tutorial": "05_four_blobs", "seconds": 3.0, "claims": [claim | {"value": value}]}
    ...     for value in (0.9, 1.0, 0.97)
    ... ]
    >>> print(table([runs]))
    | tutorial | what | the course | ours, median of 3 | checked |
    |---|---|---|---|---|
    | [5](tutorials/05_four_blobs.py), 3 s | test accuracy | 0.919 | 0.97 | at least 0.9 |
    """
    seeds = max((len(runs) for runs in results), default=0)
    lines = [f"| tutorial | what | the course | ours, median of {seeds} | checked |", "|---|---|---|---|---|"]
    for runs in filter(None, results):
        first = runs[0]
        seconds = min(run["seconds"] for run in runs)  # what else the machine did only makes it longer
        where = f"[{int(first['tutorial'][:2])}](tutorials/{first['tutorial']}.py), {seconds:.0f} s"
        for index, claim in enumerate(first["claims"]):
            if claim["course"] is None:
                continue
            median = statistics.median(run["claims"][index]["value"] for run in runs)
            ours = f"{show(median, DIGITS)} {claim['unit']}".strip()
            cells = (where, claim["what"], show(claim["course"]), ours, claim["bound"])
            lines.append(f"| {' | '.join(cells)} |")
            where = ""  # the first row of a tutorial names it
    return "\n".join(lines)


def update(page: Path, text: str) -> None:
    """Put the table into a page, between its two marks.

    Raises FileError if the page can't be read or hasn't the marks.
    """
    try:
        old = page.read_text(encoding="utf-8")
    except OSError as error:
        raise FileError(f"can't read {page}: {error.strerror or error}") from error
    before, begin, rest = old.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise FileError(f"{page} has no place for the table: put the lines {_BEGIN} and {_END} into it.")
    with writing(page) as file:
        file.write(f"{before}{_BEGIN}\n{text}\n{_END}{after}".encode())
