"""What is shown of the measurements: a table, a JSON file, a picture."""

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from . import peers
from .harness import Times

Results = dict[str, dict[str, Any]]  # by workload


LAYOUTS = ("torch", "torch_channels_last")


def result(title: str, times: dict[str, Times], memory: dict[str, float | None]) -> dict[str, Any]:
    """Return what is kept of one workload; ours over each peer, and over PyTorch's faster layout."""
    engines = {
        name: {**t.record(), "memory_mb": memory.get(name)}
        | ({} if name == "ours" or "ours" not in times else {"ratio": asdict(times["ours"].over(t))})
        for name, t in times.items()
    }
    found: dict[str, Any] = {"title": title, "engines": engines}
    layouts = [times[name] for name in LAYOUTS if name in times]
    if layouts and "ours" in times:
        faster = min(layouts, key=lambda t: t.ms.median)
        found["ratio_to_faster_pytorch"] = asdict(times["ours"].over(faster))
    return found


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


def operations(results: Results) -> Table:
    """Show single operations, one a line, ours over PyTorch's faster layout."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("operation")
    shown.add_column("what", overflow="fold")
    for column in ("ours, ms", "torch", "channels_last", "ours ÷ faster", "quartiles"):
        shown.add_column(column, justify="right")
    for name, found in results.items():
        times = [found["engines"].get(e) for e in ("ours", *LAYOUTS)]
        ratio = found.get("ratio_to_faster_pytorch")
        shown.add_row(
            name,
            found["title"],
            *("" if t is None else digits(t["ms"]["median"]) for t in times),
            "" if ratio is None else f"[bold]{digits(ratio['median'])}[/bold]",
            "" if ratio is None else f"{digits(ratio['low'])} … {digits(ratio['high'])}",
        )
    return shown


def table(results: Results) -> Table:
    """Show a line for each workload and engine: time, ours over it, memory."""
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


def pictures(folder: Path, about: dict[str, Any], results: Results) -> list[Path]:
    """Draw the networks beside every peer, and the single operations beside PyTorch's faster layout."""
    networks, operations = {}, {}
    for name, r in results.items():
        if name.startswith("W6"):
            if "ratio_to_faster_pytorch" in r:
                operations[r["title"]] = {"torch": r["ratio_to_faster_pytorch"]}
        else:
            ratios = {n: e["ratio"] for n, e in r["engines"].items() if "ratio" in e}
            if ratios:
                networks[r["title"]] = ratios
    labels = about["engines"]
    faster = {"torch": f"{labels.get('torch', 'PyTorch')}, the faster layout"}
    drawn = []
    for name, rows, legend in (("networks.png", networks, labels), ("operations.png", operations, faster)):
        if rows:
            draw(folder / name, rows, legend, about)
            drawn.append(folder / name)
    return drawn


def draw(
    path: Path, rows: dict[str, dict[str, dict[str, float]]], labels: dict[str, str], about: dict[str, Any]
) -> None:
    """Draw the ratios, one line a workload, with their quartiles: left of 1 we are the faster ones."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    engines = [e for e in peers.PEERS if any(e in ratios for ratios in rows.values())]
    figure, axes = plt.subplots(figsize=(10, 1.7 + (0.55 if len(engines) > 1 else 0.3) * len(rows)))
    markers = dict(zip(peers.PEERS, "oDs^vX", strict=True))
    colours = dict(zip(peers.PEERS, plt.get_cmap("tab10").colors, strict=False))
    for row, ratios in enumerate(rows.values()):
        axes.axhspan(row - 0.45, row + 0.45, color="0.965", zorder=0)
        for place, engine in enumerate(engines):
            if engine not in ratios:
                continue
            r = ratios[engine]
            y = row + 0.7 * ((place + 0.5) / len(engines) - 0.5)  # side by side, so that none hides another
            axes.plot([r["low"], r["high"]], [y, y], color=colours[engine], linewidth=1.5)
            axes.plot(r["median"], y, markers[engine], color=colours[engine], markersize=6)
    for engine in engines:
        axes.plot([], [], markers[engine], color=colours[engine], label=labels[engine])
    axes.axvline(1, color="0.3", linewidth=1)
    medians = [r["median"] for ratios in rows.values() for r in ratios.values()]
    axes.set_xscale("log")
    axes.set_xlim(min(0.5, min(medians) / 1.3), max(2, max(medians) * 1.3))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel("our time ÷ theirs (left of 1 we are faster)")
    about_us = f"{about['engines']['ours']} on {about['processor']}, {about['threads']} threads, float32"
    figure.suptitle(f"{about_us}; medians and quartiles", fontsize=11)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    figure.set_layout_engine("constrained")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def show(results: Results) -> None:
    console = Console(highlight=False, width=None if Console().is_terminal else 140)
    networks = {name: r for name, r in results.items() if not name.startswith("W6")}
    single = {name: r for name, r in results.items() if name.startswith("W6")}
    for part, make in ((networks, table), (single, operations)):
        if part:
            console.print(make(part))
