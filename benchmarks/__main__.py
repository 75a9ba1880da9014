"""Time training steps of ours and of every engine that is installed, and print the ratios.

    python -m pip install -e '.[bench]'
    python -m benchmarks                        # everything: an hour
    python -m benchmarks --quick W1 W2 --peers torch,jax

All engines run in this process and take turns (``harness`` says how and why), or with ``--apart`` each in one
of its own. Before anything is timed,
each takes a few steps from the same weights and must arrive at the same losses. What is drawn at random,
dropout's masks and the samples of an autoencoder, is off in that comparison and on when time is taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import harness, memory, peers, report, workers

if TYPE_CHECKING:  # our engine is imported last: see peers
    from .workloads import Problem, Workload


def present(names: str | None) -> tuple[list[str], list[str]]:
    """Return the peers to run, and for each that is left out a line that says so.

    Raises ClickException for a name that there isn't.
    """
    wanted = list(peers.PEERS) if names is None else [n.strip() for n in names.split(",") if n.strip()]
    unknown = [n for n in wanted if n not in peers.PEERS]
    if unknown:
        raise click.ClickException(f"there is no peer {unknown[0]}; there are {', '.join(peers.PEERS)}")
    absent = [n for n in wanted if not peers.is_installed(peers.PEERS[n])]
    lines = [f"skipped: {n} ({peers.PEERS[n].package} is not installed)" for n in absent]
    return [n for n in wanted if n not in absent], lines


def check(workload: Workload, engines: list[str], problem: Problem) -> None:
    """Raise ClickException if an engine's results differ from ours."""
    jobs = {n: workload.job(n, problem._replace(checking=True)) for n in engines}
    try:
        harness.check_equal(jobs, workload.check_steps, workload.tolerance, workload.name)
    except harness.Mismatch as error:
        raise click.ClickException(str(error)) from None


@click.command(help="Time training steps of ours beside those of other engines.")
@click.argument("workloads", nargs=-1)
@click.option(
    "--peers", "names", help="Some of the peers, as in torch,jax; by default all that are installed."
)
@click.option("--threads", default=2, show_default=True, help="Threads of each engine.")
@click.option("--rounds", default=9, show_default=True, help="How often all engines take turns.")
@click.option("--seconds", default=0.4, show_default=True, help="The length of a timed block.")
@click.option("--quick", is_flag=True, help="3 rounds of short blocks, without memory: a first impression.")
@click.option("--memory/--no-memory", "with_memory", default=True, help="Measure peak memory too.")
@click.option("--apart", is_flag=True, help="Each engine in a process of its own.")
@click.option("--output", default="runs/benchmarks", show_default=True, type=click.Path(path_type=Path))
@click.option("--list", "listing", is_flag=True, help="Name the workloads and the peers, and stop.")
def main(
    workloads: tuple[str, ...],
    names: str | None,
    threads: int,
    rounds: int,
    seconds: float,
    quick: bool,
    with_memory: bool,
    apart: bool,
    output: Path,
    listing: bool,
) -> None:
    chosen, skipped = present(names)
    for line in skipped:
        click.echo(line)
    peers.limit_threads(threads)
    if not listing:
        peers.load([*chosen, "ours"], threads)
    from .workloads import WORKLOADS, choose

    if listing:
        for name, w in WORKLOADS.items():
            click.echo(f"{name:10}{w.title}")
        click.echo(f"peers here: {', '.join(chosen)}")
        return
    try:
        selected = choose(workloads)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    if quick:
        rounds, seconds, with_memory = 3, 0.15, False

    results: report.Results = {}
    output.mkdir(parents=True, exist_ok=True)
    about = report.machine(threads, ["ours", *chosen])
    for workload in selected:
        engines = ["ours", *(n for n in chosen if workload.runs_on(n))]
        for n in chosen:
            if n in workload.why_not:
                click.echo(f"{workload.name}: without {n}: {workload.why_not[n]}")
        click.echo(f"{workload.name}: {workload.title}", err=True)
        problem = workload.problem()
        check(workload, engines, problem)
        file = memory.save_problem(problem)
        try:
            if apart:
                with workers.started(workload.name, engines, file, threads) as started:
                    times = harness.take_turns(started, rounds, seconds, workers.Worker.block)
            else:
                steps = {n: workload.job(n, problem).step for n in engines}
                times = harness.take_turns(steps, rounds, seconds)
                del steps
            asked = engines if with_memory and not workload.single else []
            peaks = {n: memory.peak_mb(workload.name, n, file, threads) for n in asked}
        finally:
            file.unlink()
        results[workload.name] = report.result(workload.title, times, peaks)
        report.write_json(output / "results.json", about, results)
    report.show(results)
    pictures = report.pictures(output, about, results)
    click.echo(f"written: {', '.join(str(p) for p in [output / 'results.json', *pictures])}")


if __name__ == "__main__":
    main()
