"""What is shown of the measurements: a table, a JSON file, a picture."""

import json
import os
import platform
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from . import peers
from .harness import Times

Results = dict[str, dict[str, Any]]  # by workload


def result(title: str, times: dict[str, Times], memory: dict[str, float | None]) -> dict[str, Any]:
    """Return what is kept of one workload; the ratios are ours over each peer's."""
    engines = {
        name: {**t.record(), "memory_mb": memory.get(name)}
        | ({} if name == "ours" or "ours" not in times else {"ratio": _record(times["ours"].over(t))})
        for name, t in times.items()
    }
    return {"title": title, "engines": engines}


def _record(spread: Any) -> dict[str, float]:
    return {"median": spread.median, "low": spread.low, "high": spread.high}


def machine(threads: int, names: list[str]) -> dict[str, Any]:
    """Describe what the numbers were taken on."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        "engines": {name: peers.describe(name) for name in names},
    }


def table(results: Results) -> Table:
    """One line for each workload and engine: time, ours over it, memory."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("workload")
    shown.add_column("engine")
    for column in ("ms a step", "quartiles", "ours ÷ it", "quartiles", "peak MB", "blocks thrown away"):
        shown.add_column(column, justify="right")
    for name, found in results.items():
        label = name
        for engine, r in found["engines"].items():
            ms, ratio = r["ms"], r.get("ratio")
            thrown = str(r["rejected_blocks"])
            if r["disturbed_blocks"]:
                thrown += f", {r['disturbed_blocks']} kept disturbed"
            shown.add_row(
                label,
                engine,
                digits(ms["median"]),
                f"{digits(ms['low'])} … {digits(ms['high'])}",
                "" if ratio is None else f"[bold]{digits(ratio['median'])}[/bold]",
                "" if ratio is None else f"{digits(ratio['low'])} … {digits(ratio['high'])}",
                "" if r["memory_mb"] is None else f"{r['memory_mb']:.0f}",
                thrown,
            )
            label = ""
        shown.add_section()
    return shown


def digits(value: float) -> str:
    """Return a number with three digits that count.

    >>> digits(0.01234), digits(1.234), digits(1234.5)
    ('0.0123', '1.23', '1234')
    """
    order = int(f"{value:.2e}".partition("e")[2])  # after rounding: 0.9999 is 1.00
    return f"{value:.{max(2 - order, 0)}f}"


def write_json(path: Path, about: dict[str, Any], results: Results) -> None:
    path.write_text(json.dumps({"machine": about, "workloads": results}, indent=1), encoding="utf-8")


def picture(path: Path, about: dict[str, Any], results: Results) -> None:
    """Draw ours over each peer's time, one line a workload: left of 1 we are the faster ones."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    rows = {name: r for name, r in results.items() if any("ratio" in e for e in r["engines"].values())}
    if not rows:
        return
    engines = [e for e in peers.PEERS if any(e in r["engines"] for r in rows.values())]
    figure, axes = plt.subplots(figsize=(9, 1.6 + 0.42 * len(rows)), layout="constrained")
    markers = dict(zip(peers.PEERS, "oDs^vX", strict=True))
    colours = dict(zip(peers.PEERS, plt.get_cmap("tab10").colors, strict=False))
    for y, r in enumerate(rows.values()):
        axes.axhline(y, color="0.9", zorder=0)
        for engine in engines:
            ratio = r["engines"].get(engine, {}).get("ratio")
            if ratio is None:
                continue
            axes.plot([ratio["low"], ratio["high"]], [y, y], color=colours[engine], linewidth=2)
            axes.plot(ratio["median"], y, markers[engine], color=colours[engine], markersize=7)
    for engine in engines:
        axes.plot([], [], markers[engine], color=colours[engine], label=about["engines"][engine])
    axes.axvline(1, color="0.3", linewidth=1)
    axes.set_xscale("log")
    ratios = [e["ratio"]["median"] for r in rows.values() for e in r["engines"].values() if "ratio" in e]
    axes.set_xlim(min(0.5, min(ratios) / 1.3), max(2, max(ratios) * 1.3))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(rows)), [f"{r['title']}" for r in rows.values()])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel("our time ÷ theirs (left of 1: we are faster)")
    axes.set_title(
        f"{about['engines']['ours']}, {about['processor']}, {about['threads']} threads",
        loc="left",
        fontsize=10,
    )
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=9)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def show(results: Results) -> None:
    Console(highlight=False, width=None if Console().is_terminal else 140).print(table(results))
