"""The benchmark's own arithmetic and its workloads; no speed is asserted."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import harness, memory, peers, report
from benchmarks.__main__ import main, present
from benchmarks.harness import ForeignLoad, Job, Mismatch, Spread, Times, Timing
from benchmarks.workloads import WORKLOADS, choose, unet

ROOT = Path(__file__).parent.parent


def times(*ms, rejected=0, foreign=0.0):
    return Times([Timing(m, 10, foreign) for m in ms], rejected)


# -- statistics ----------------------------------------------------------------------------------------


def test_median_and_quartiles():
    assert Spread.of([4, 1, 3, 2, 5]) == Spread(3, 2, 4)
    assert times(4, 1, 3, 2, 5).ms == Spread(3, 2, 4)


def test_ratios_are_formed_round_by_round():
    """A machine that slows down slows both down: the ratio stays."""
    ours, theirs = times(1, 2, 4), times(2, 4, 8)
    assert ours.over(theirs) == Spread(0.5, 0.5, 0.5)


def test_a_block_times_steps_after_a_warm_up(monkeypatch):
    monkeypatch.setattr(harness, "PAUSE", 0.0)
    monkeypatch.setattr(harness, "WARM_UP", 0.0)
    calls = []
    timing = harness.block(lambda: calls.append(1), 0.0)
    assert timing.steps == 2
    assert len(calls) == 3
    assert timing.ms < 1e3


def test_each_round_begins_with_another_engine():
    taken = []

    def take(step, seconds):
        taken.append(step)
        return Timing(1.0, 1, None)

    found = harness.take_turns({"a": "a", "b": "b", "c": "c"}, 3, 0.1, take)
    assert "".join(taken) == "abcbcacab"
    assert [len(t.blocks) for t in found.values()] == [3, 3, 3]


# -- what others do on the machine ---------------------------------------------------------------------


def test_foreign_load_is_the_machines_less_our_own(monkeypatch):
    clocks = {"busy": 100.0, "own": 5.0, "wall": 50.0}
    monkeypatch.setattr(harness.time, "process_time", lambda: clocks["own"])
    monkeypatch.setattr(harness.time, "perf_counter", lambda: clocks["wall"])
    load = ForeignLoad(lambda: clocks["busy"])
    clocks.update(busy=101.52, own=6.0, wall=51.0)  # of 1.52 s at work, 1 s was ours, two ticks don't count
    assert load.share() == pytest.approx(0.5)
    clocks.update(busy=101.01)
    assert load.share() == 0


def test_where_there_is_no_proc_nothing_is_rejected(tmp_path):
    assert harness.busy_seconds(tmp_path / "stat") is None
    (tmp_path / "stat").write_text("cpu nonsense")
    assert harness.busy_seconds(tmp_path / "stat") is None
    assert ForeignLoad(lambda: None).share() is None
    assert harness.undisturbed(lambda: Timing(1.0, 1, None)) == (Timing(1.0, 1, None), 0)


def test_the_kernels_clock_is_read(tmp_path):
    (tmp_path / "stat").write_text("cpu  100 50 50 900 7 1 2 3 0 0\ncpu0 1 1 1 1\n")
    ticks = harness.os.sysconf("SC_CLK_TCK")
    assert harness.busy_seconds(tmp_path / "stat") == 206 / ticks


def test_a_disturbed_block_is_taken_again():
    shares = iter([0.9, 0.3, 0.01, 0.0])
    timing, rejected = harness.undisturbed(lambda: Timing(1.0, 1, next(shares)))
    assert (timing.foreign, rejected) == (0.01, 2)


def test_if_all_are_disturbed_the_least_disturbed_counts_and_is_reported():
    shares = iter([0.9, 0.3, 0.5])
    timing, rejected = harness.undisturbed(lambda: Timing(1.0, 1, next(shares)), retries=2)
    assert (timing.foreign, rejected) == (0.3, 3)
    assert Times([timing], rejected).record()["disturbed_blocks"] == 1


# -- peers ---------------------------------------------------------------------------------------------


def test_absent_peers_are_skipped_by_name(monkeypatch):
    monkeypatch.setattr(peers, "is_installed", lambda engine: engine.package == "torch")
    chosen, lines = present(None)
    assert chosen == ["torch", "torch_channels_last"]
    assert "skipped: jax (jax is not installed)" in lines
    assert present("torch,jax") == (["torch"], ["skipped: jax (jax is not installed)"])
    assert present("") == ([], [])


def test_unknown_names_are_refused():
    done = CliRunner().invoke(main, ["--peers", "pytorch"])
    assert done.exit_code == 1
    assert "there is no peer pytorch; there are torch, " in done.output
    with pytest.raises(ValueError, match="no workload W9; there are W1-b128, "):
        choose(("W1", "W9"))


def test_a_name_chooses_all_workloads_that_begin_with_it():
    assert [w.name for w in choose(("W1", "W3"))] == ["W1-b128", "W1-b16", "W3"]
    assert [w.name for w in choose(())] == list(WORKLOADS)


# -- are the results equal? ----------------------------------------------------------------------------


def test_unequal_results_are_an_error_that_says_which():
    jobs = {"ours": Job(lambda: 1.0), "same": Job(lambda: 1.0001), "other": Job(lambda: 1.1)}
    with pytest.raises(Mismatch, match=r"W0: after step 1 ours and other differ by 0\.1"):
        harness.check_equal(jobs, 2, 1e-3, "W0")
    del jobs["other"]
    assert len(harness.check_equal(jobs, 2, 1e-3)) == 2


@pytest.mark.parametrize("wrong", [np.nan, [1.0, 1.0], np.inf])
def test_nan_and_other_shapes_are_unequal(wrong):
    jobs = {"ours": Job(lambda: 1.0), "other": Job(lambda: wrong, np.asarray)}
    with pytest.raises(Mismatch):
        harness.check_equal(jobs, 1, 1e-3)


@pytest.mark.parametrize("name", ["W1-b16", "W2-b16", "W3", "W5a"])
def test_pytorch_takes_the_same_steps_unless_a_weight_differs(name):
    pytest.importorskip("torch")
    workload = WORKLOADS[name]
    problem = workload.problem()._replace(checking=True)
    jobs = {n: workload.job(n, problem) for n in ("ours", "torch")}
    harness.check_equal(jobs, 2, workload.tolerance, name)

    path = next(iter(problem.weights))
    other = problem._replace(weights={**problem.weights, path: problem.weights[path] + 0.05})
    jobs = {"ours": workload.job("ours", problem), "torch": workload.job("torch", other)}
    with pytest.raises(Mismatch, match="ours and torch differ"):
        harness.check_equal(jobs, 2, workload.tolerance, name)


# -- workloads -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n, w in WORKLOADS.items() if n != "W4" and not w.single])
def test_one_step_of_ours_gives_a_finite_result(name):
    workload = WORKLOADS[name]
    job = workload.job("ours", workload.problem())
    values = job.read(job.step())
    assert all(np.isfinite(v).all() for v in (values if isinstance(values, list) else [values]))


def test_the_unet_has_the_tutorials_number_of_parameters(monkeypatch):
    model = WORKLOADS["W4"].model()
    assert model.count_params() == unet.PARAMETERS == 2_058_114
    assert sum(w.size for _, w in model.named_buffers()) == 3_776

    # One step on fewer and smaller images: the engine of W4 itself is timed, not tested.
    x, y = np.ones((2, 32, 32, 1), np.float32), np.zeros((2, 32, 32), int)
    problem = WORKLOADS["W4"].problem()._replace(data=(x, y))
    assert np.isfinite(WORKLOADS["W4"].job("ours", problem).step())


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=list(WORKLOADS))
def test_every_peer_has_a_network_or_a_reason(workload):
    for name in peers.PEERS:
        beside_pytorch_alone = workload.single or name == "torch_channels_last"
        assert workload.runs_on(name) or name in workload.why_not or beside_pytorch_alone


@pytest.mark.parametrize("name", ["W6-maxpool2", "W6-depthwise-both", "W6-conv-dw", "W6-tape-both"])
def test_an_operation_and_its_gradient_are_pytorchs(name):
    pytest.importorskip("torch")
    workload, engines = WORKLOADS[name], ["ours", "torch", "torch_channels_last"]
    jobs = {n: workload.job(n, workload.problem()) for n in engines if workload.runs_on(n)}
    (found,) = harness.check_equal(jobs, 1, workload.tolerance, name)
    assert len(found) == (2 if name == "W6-depthwise-both" else 1)


# -- what is shown -------------------------------------------------------------------------------------


@pytest.fixture
def results():
    taken = {"ours": times(1, 2, 3), "torch": times(2, 4, 6), "jax": times(0.5, 1, 1.5, rejected=2)}
    return {"W0": report.result("a net", taken, {"ours": 12.34, "torch": None})}


def test_the_ratios_of_the_table(results):
    assert results["W0"]["engines"]["torch"]["ratio"]["median"] == 0.5
    assert results["W0"]["engines"]["jax"]["ratio"]["median"] == 2
    assert "ratio" not in results["W0"]["engines"]["ours"]
    shown = report.table(results)
    columns = {str(c.header): [str(cell) for cell in c.cells] for c in shown.columns}
    assert columns["engine"] == ["ours", "torch", "jax"]
    assert columns["ms a step"] == ["2.00", "4.00", "1.00"]
    assert columns["ours ÷ it"] == ["", "[bold]0.500[/bold]", "[bold]2.00[/bold]"]
    assert columns["peak MB"] == ["12", "", ""]
    assert columns["blocks thrown away"] == ["0", "0", "2"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01234, "0.0123"), (0.9999, "1.00"), (1.234, "1.23"), (99.96, "100"), (1234.5, "1234"), (0.0, "0.00")],
)
def test_three_digits_that_count(value, text):
    assert report.digits(value) == text


def test_json_and_picture(tmp_path, results):
    about = {"engines": {n: n for n in ("ours", "torch", "jax")}, "processor": "a processor", "threads": 2}
    report.write_json(tmp_path / "results.json", about, results)
    assert json.loads((tmp_path / "results.json").read_text()) == {"machine": about, "workloads": results}
    results["W6-exp"] = results["W0"]
    drawn = report.pictures(tmp_path, about, results)
    assert [p.name for p in drawn] == ["networks.png", "operations.png"]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in drawn)
    assert report.pictures(tmp_path, about, {}) == []


def test_operations_are_compared_with_pytorchs_faster_layout():
    taken = {"ours": times(2, 2), "torch": times(8, 8), "torch_channels_last": times(4, 4)}
    found = {"W6-exp": report.result("exp", taken, {})}
    assert found["W6-exp"]["ratio_to_faster_pytorch"]["median"] == 0.5
    cells = [next(iter(c.cells)) for c in report.operations(found).columns]
    assert cells == ["W6-exp", "exp", "2.00", "8.00", "4.00", "[bold]0.500[/bold]", "0.500 … 0.500"]


@pytest.mark.parametrize(("name", "engine"), [("W5a", "ours"), ("W2-b16", "torch_channels_last")])
def test_peak_memory_is_that_of_the_step_alone(name, engine):
    if not peers.is_installed(peers.ENGINES[engine]):
        pytest.skip(f"{engine} is not installed")
    file = memory.save_problem(WORKLOADS[name].problem())
    try:
        peak = memory.peak_mb(name, engine, file, 2)
    finally:
        file.unlink()
    assert peak is not None
    assert 0 <= peak < 200


@pytest.mark.parametrize("options", [[], ["--apart"]])
def test_the_command_runs_without_any_peer(tmp_path, options):
    command = [sys.executable, "-m", "benchmarks", "--quick", "--peers", "", "W5a", "--output", str(tmp_path)]
    command += options
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "W5a" in done.stdout
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["machine"]["threads"] == 2
    assert found["workloads"]["W5a"]["engines"]["ours"]["ms"]["median"] > 0


def test_the_floor_counts_what_a_step_multiplies():
    import tinygrad_edu as te
    from benchmarks.limits import Counter

    x = te.Tensor(np.ones((2, 4, 4, 3), np.float32), requires_grad=True)
    w = te.Tensor(np.ones((3, 3, 3, 5), np.float32), requires_grad=True)
    b = te.Tensor(np.ones(5, np.float32), requires_grad=True)
    with Counter() as count:
        y = te.conv2d(x, w, b, padding="same")
        first, second = te.split(te.reshape(y, (2, 80)) @ te.Tensor(np.ones((80, 4), np.float32)), 2, axis=1)
        (first * second).sum().backward()
    convolution, product = 2 * 2 * 4 * 4 * 5 * 27, 2 * 2 * 80 * 4
    assert count.operations == 3 * convolution + 2 * product


@pytest.mark.parametrize("number", ["6", "7", "13"])
def test_networks_of_the_lessons_are_trained(monkeypatch, number):
    from benchmarks import lessons
    from tinygrad_edu import nn

    rng = np.random.default_rng(0)
    few = rng.random((20, 28, 28, 1), np.float32), rng.integers(0, 10, 20)
    monkeypatch.setattr(lessons, "digits", lambda: (few, few))
    monkeypatch.setitem(lessons._library, "k", nn)
    first, each, score = lessons.train(number, epochs=2, seed=0)
    assert each > 0
    assert first > 0
    assert np.isfinite(score)
