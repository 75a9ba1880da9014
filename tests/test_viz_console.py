"""The console: what it writes into a log and what it shows."""

import html
import io
import math
import re
import sys
from itertools import pairwise
from time import perf_counter
from types import ModuleType

import numpy as np
import pytest
from console_cases import PARAMS, log, terminal, train
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console as RichConsole

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError
from tinygrad_edu.nn.callbacks import Callback, larger_is_better
from tinygrad_edu.viz import console as module
from tinygrad_edu.viz import console_frame, console_run, short
from tinygrad_edu.viz.console import Console
from tinygrad_edu.viz.console_frame import Frame
from tinygrad_edu.viz.short import sparkline


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for file in (module, console_run, console_frame):
        monkeypatch.setattr(file, "perf_counter", clock)
    return clock


def test_a_log_gets_one_line_an_epoch(clock):
    def second(epoch, batch):
        clock.now += 0.5

    epochs = [
        {"loss": 0.7, "accuracy": 0.5, "val_loss": 0.6},
        {"loss": 0.004, "accuracy": 0.8, "val_loss": 123.456},
        {"loss": 1e-5, "accuracy": 1.0, "val_loss": 0.5},
    ]
    assert train(Console(log()), epochs, between=second).splitlines() == [
        "epoch 1/3  loss 0.7000  accuracy 0.5000  val_loss 0.6000  2.0 s  60 samples/s  ★",
        "epoch 2/3  loss 0.004  accuracy 0.8000  val_loss 123.456  2.0 s  60 samples/s",
        "epoch 3/3  loss 1.00e-05  accuracy 1.0000  val_loss 0.5000  2.0 s  60 samples/s  ★",
    ]


@pytest.mark.parametrize(
    "console",
    [
        lambda: terminal(TERM="dumb"),
        lambda: RichConsole(file=io.StringIO(), _environ={"NO_COLOR": "1"}),
        lambda: RichConsole(file=io.StringIO(), force_terminal=True, force_interactive=False, _environ={}),
    ],
)
def test_no_control_codes_where_they_would_not_do(console):
    written = train(Console(console()), [{"loss": 1.0}])
    assert written.startswith("epoch 1/3  loss 1.0000")
    assert written.replace("\n", "").isprintable()


def test_a_forced_colour_does_not_make_a_pipe_a_terminal(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    console = Console()
    console.set_params(PARAMS)
    console.on_train_begin()
    console.on_epoch_begin(0)
    console.on_train_batch_end(0, {"loss": 1.0})
    console.on_epoch_end(0, {"loss": 1.0})
    console.on_train_end()
    written = capsys.readouterr().out
    assert written.count("\n") == 1
    assert "\x1b" not in written


def test_an_ascii_log_gets_an_ascii_star():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(RichConsole(file=file, _environ={}))
    console.set_params(PARAMS)
    console.on_train_begin()
    console.on_epoch_begin(0)
    console.on_train_batch_end(0, {"loss": 1.0})
    console.note("naïve …")
    console.on_epoch_end(0, {"loss": 1.0})
    lines = file.buffer.getvalue().decode("ascii").splitlines()
    assert lines[0] == "na?ve ?"
    assert lines[1].endswith("  *")


def test_lines_come_out_at_once():
    class File(io.StringIO):
        flushed = ""

        def flush(self):
            self.flushed = self.getvalue()

    file = File()
    console = Console(RichConsole(file=file, _environ={}))
    console.on_train_begin()
    console.on_epoch_begin(0)
    console.on_epoch_end(0, {"loss": 1.0})
    assert file.flushed.startswith("epoch 1")


def test_unknown_lengths_are_left_out():
    console = Console(log())
    console.on_train_begin()
    console.on_epoch_begin(0)
    console.on_train_batch_end(0, {"loss": 1.0})
    console.on_epoch_end(0, {"loss": 1.0})
    console.on_epoch_begin(1)
    console.on_epoch_end(1, None)
    console.on_train_end()
    first, second = console.console.file.getvalue().splitlines()
    assert re.fullmatch(r"epoch 1  loss 1\.0000  \d+ ms  [\d,.]+ batches/s  ★", first)
    assert second.startswith("epoch 2  0 ms")
    # A batch size says nothing of samples when the batches come from elsewhere.
    assert "batches/s" in train(Console(log()), [{"loss": 1.0}], {**PARAMS, "samples": None})


def test_what_is_no_number_is_left_out():
    assert "image" not in train(Console(log()), [{"loss": 1.0, "image": object()}])


# --- The best epoch --------------------------------------------------------------------------------------


@given(st.lists(st.floats(width=32), min_size=1, max_size=20), st.booleans())
@example([math.nan, 2.0, -math.inf, 1.0, math.inf, 3.0], False)
@example([math.inf, 2.0, -math.inf, 1.0, math.nan, 3.0], True)
def test_a_star_wherever_the_monitored_value_was_never_better(values, grows):
    name = "val_accuracy" if grows else "val_loss"
    logs = [{"loss": 0.5, "val_loss": 0.5, name: value} for value in values]
    lines = train(Console(log(), monitor=name), logs).splitlines()
    best = None
    for value, line in zip(values, lines, strict=True):
        better = math.isfinite(value) and (best is None or (value > best if grows else value < best))
        assert line.endswith("★") == better
        best = value if better else best


def test_the_loss_decides_without_validation():
    lines = train(Console(log()), [{"loss": 2.0}, {"loss": 3.0}, {"loss": 1.0}]).splitlines()
    assert [line.endswith("★") for line in lines] == [True, False, True]


def test_mode_overrules_the_name():
    logs = [{"loss": 1.0, "score": value} for value in (2.0, 3.0, 1.0)]
    for mode, stars in {"max": [True, True, False], "min": [True, False, True]}.items():
        lines = train(Console(log(), monitor="score", mode=mode), logs).splitlines()
        assert [line.endswith("★") for line in lines] == stars


@pytest.mark.parametrize(
    ("name", "grows"),
    [
        ("loss", False),
        ("val_loss", False),
        ("mean_squared_error", False),
        ("val_mae", False),
        ("binary_crossentropy", False),
        ("precision_loss", False),
        ("accuracy", True),
        ("val_sparse_categorical_accuracy", True),
        ("acc", True),
        ("AUC", True),
        ("mean_io_u", True),
        ("cosine_similarity", True),
        ("learning_rate", None),
        ("pace", None),
        ("glossy", None),
    ],
)
def test_direction_of_a_name(name, grows):
    assert larger_is_better(name) is grows


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ArgumentError, match="did you mean 'max'"):
        Console(mode="maxx")
    with pytest.raises(ArgumentError, match=r"at most 10, got 60"):
        Console(refresh_per_second=60)
    with pytest.raises(ArgumentError, match="refresh_per_second"):
        Console(refresh_per_second=0)
    with pytest.raises(ArgumentError, match=r"'score'.*mode=\"min\" or mode=\"max\""):
        Console(monitor="score")


def test_a_monitor_that_never_comes_is_reported_once():
    lines = train(Console(log(), monitor="val_acc"), [{"loss": 1.0}, {"loss": 1.0}]).splitlines()
    assert lines[0] == "no metric 'val_acc' to watch; there are loss"
    assert [line.startswith("epoch") for line in lines[1:]] == [True, True]
    assert not any("★" in line for line in lines)


# --- Time ------------------------------------------------------------------------------------------------


def test_time_left_counts_validation_and_not_the_first_batch(clock):
    console = Console(log())
    console.set_params(PARAMS)
    console.on_train_begin()
    assert console._run.time_left() is None
    for epoch in range(2):
        console.on_epoch_begin(epoch)
        for batch in range(4 if epoch == 0 else 2):
            clock.now += 60 if (epoch, batch) == (0, 0) else 1  # the first one compiles
            console.on_train_batch_end(batch, {"loss": 1.0})
        if epoch == 0:
            assert console._run.time_left() == 2 * 4
            clock.now += 2
            console.on_epoch_end(epoch, {"loss": 1.0})
    assert console._run.time_left() == (2 + 2) + (4 + 2)
    assert console._run.throughput() == ("32", "samples/s")
    clock.now += 1.5
    assert console._run.time_left() == (2 + 2) + (4 + 2) - 1.5


def test_what_was_slow_to_draw_is_drawn_less_often(clock):
    drawn = []

    def draw():
        drawn.append(clock.now)
        clock.now += 0.05

    console = Console(terminal(), refresh_per_second=10)
    console._screen.draw = draw
    console._screen.open = lambda frame: None
    console.set_params({"epochs": 1, "steps": None})
    console.on_train_begin()
    began = clock.now
    console.on_epoch_begin(0)
    for batch in range(5000):
        clock.now += 0.01
        console.on_train_batch_end(batch, {"loss": 1.0})
    assert len(drawn) == 5
    assert 0.05 * len(drawn) < 0.01 * (clock.now - began)
    assert min(later - earlier for earlier, later in pairwise(drawn)) >= 10.0
    console.on_train_end()


def test_a_long_epoch_says_something_each_minute(clock):
    console = Console(log())
    console.set_params({"epochs": 2, "steps": 100, "batch_size": 8, "samples": 800})
    console.on_train_begin()
    console.on_epoch_begin(0)
    for batch in range(100):
        clock.now += 1.5
        console.on_train_batch_end(batch, {"loss": 0.5})
    console.on_epoch_end(0, {"loss": 0.5})
    lines = console.console.file.getvalue().splitlines()
    assert lines[:2] == [
        "epoch 1/2  batch  40/100  loss 0.5000  4:00 left",
        "epoch 1/2  batch  80/100  loss 0.5000  3:00 left",
    ]
    assert lines[2].startswith("epoch 1/2  loss 0.5000  150.0 s")
    assert len(lines) == 3


# --- With a model ----------------------------------------------------------------------------------------


class Reading(Callback):
    """Draw after every step, and keep what was read."""

    def __init__(self, console):
        self.console, self.read = console, []

    def on_train_batch_begin(self, batch, logs=None):
        self.console._due = 0.0

    def on_train_batch_end(self, batch, logs=None):
        run = self.console._run
        assert self.console._due > perf_counter()  # not at once again
        norm = np.sqrt(sum(np.sum(p.grad.numpy() ** 2) for p in self.model.parameters()))
        self.read.append((run.norms[-1], norm, run.rates[-1], self.model.optimizer.rate, run.memory))


@pytest.fixture
def model():
    te.seed(0)
    model = nn.Sequential([nn.Dense(4, activation="tanh", input_shape=(3,)), nn.Dense(1)])
    rate = nn.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.5)
    model.compile(nn.optimizers.SGD(rate), "mse")
    return model


X, Y = np.random.default_rng(0).normal(size=(40, 3)), np.ones((40, 1))


def test_it_reads_the_gradient_and_the_rate_of_the_step(model):
    console = Console(terminal())
    reading = Reading(console)
    model.fit(X, Y, batch_size=10, epochs=2, verbose=0, callbacks=[console, reading])
    norms, expected, rates, now, memory = zip(*reading.read, strict=True)
    assert norms == pytest.approx(expected, rel=1e-5)
    assert rates == now
    assert len(set(rates)) == 8
    assert min(memory) > 10**7
    written = console.console.file.getvalue()
    assert all(word in written for word in ("learning rate", "gradient norm", "samples/s", "memory"))


def test_it_reads_nothing_where_nothing_is_drawn(model):
    console = Console(log())
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[console])
    assert not console._run.rates
    assert not console._run.norms


def test_a_model_with_a_step_of_its_own_needs_no_optimizer():
    class Own(nn.Model):
        def train_step(self, data):
            return {"loss": 1.0}

    model = Own()
    model.compile("sgd")
    console = Console(terminal())
    console._due = 0.0
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[console])
    assert not console._run.norms
    assert "samples/s" in console.console.file.getvalue()


@pytest.mark.parametrize("screen", [log, terminal])
def test_it_says_why_a_run_ended(model, screen):
    console = Console(screen())
    stop = nn.callbacks.EarlyStopping("loss", min_delta=1e9, patience=2)
    model.fit(X, Y, epochs=9, verbose=0, callbacks=[stop, console])
    assert "stopped early, after epoch 3 of 9" in console.console.file.getvalue()

    def interrupt(batch, logs):
        if (console._run.epoch, batch) == (1, 2):
            raise KeyboardInterrupt

    console = Console(screen())
    interrupted = nn.callbacks.LambdaCallback(on_train_batch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, batch_size=10, epochs=9, verbose=0, callbacks=[interrupted, console])
    assert "interrupted: epoch 2 of 9, batch 3" in console.console.file.getvalue()

    console = Console(screen())
    model.fit(X, Y, initial_epoch=1, epochs=3, verbose=0, callbacks=[console])
    assert "interrupted" not in console.console.file.getvalue()
    assert "stopped" not in console.console.file.getvalue()


# --- A notebook ------------------------------------------------------------------------------------------


class Cell:
    """The output of a notebook's cell, as IPython.display has it."""

    def __init__(self):
        self.shown = []

    def display(self, bundle, *, raw, display_id):
        assert raw
        assert display_id
        self.shown.append(bundle)
        return self

    def update(self, bundle, *, raw):
        assert raw
        self.shown.append(bundle)


@pytest.fixture
def cell(monkeypatch):
    cell = Cell()
    package, part = ModuleType("IPython"), ModuleType("IPython.display")
    part.display = cell.display
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", part)
    return cell


def test_in_a_notebook_the_output_is_replaced(model, cell, capsys):
    console = Console(RichConsole(file=io.StringIO(), force_jupyter=True))
    model.fit(X, Y, batch_size=10, epochs=2, verbose=0, callbacks=[console, Reading(console)])
    assert len(cell.shown) == 1 + 2 * 4 + 1  # at the start, for each batch, and in the end
    last = cell.shown[-1]
    assert last["text/plain"].startswith("╭─ took 0:0")
    assert "gradient norm" in last["text/plain"]
    assert last["text/html"].startswith("<pre")
    text = html.unescape(re.sub(r"<[^>]*>", "", last["text/html"]))
    assert [line.rstrip() for line in text.splitlines()] == last["text/plain"].splitlines()
    assert console.console.file.getvalue() + capsys.readouterr().out == ""


def test_a_name_in_a_notebook_stays_text(cell):
    console = Console(RichConsole(file=io.StringIO(), force_jupyter=True))
    train(console, [{"<script>alert(1)</script>": 1.0}])
    assert "<script>" not in cell.shown[-1]["text/html"]
    assert "&lt;script&gt;" in cell.shown[-1]["text/html"]


def test_lines_in_a_notebook_on_request(cell):
    console = Console(RichConsole(file=io.StringIO(), force_jupyter=True), live=False)
    assert train(console, [{"loss": 1.0}]).startswith("epoch 1/3  loss 1.0000")
    assert not cell.shown


# --- The picture -----------------------------------------------------------------------------------------


def frame(console, width=80, height=24):
    """Return the live display as lines of text."""
    view = RichConsole(file=io.StringIO(), width=width, height=height, _environ={})
    view.print(Frame(console._run, width, height))
    return view.file.getvalue().rstrip("\n").split("\n")


def halfway():
    """Return a console in the third of ten epochs, at batch 2 of 4."""
    console = Console(log())
    console.set_params({**PARAMS, "epochs": 10})
    console.on_train_begin()
    for epoch, (loss, val_loss) in enumerate([(0.9, 0.8), (0.5, 0.85), (0.4, math.nan)]):
        console.on_epoch_begin(epoch)
        for batch in range(4 if epoch < 2 else 2):
            console.on_train_batch_end(batch, {"loss": loss, "accuracy": 1 - loss})
        if epoch < 2:
            console.on_epoch_end(
                epoch, {"loss": loss, "accuracy": 1 - loss, "val_loss": val_loss, "rate": 0.1}
            )
    console._run.rates.extend([0.1, 0.1])
    console._run.norms.extend([3.0, 1.5])
    console._run.memory = 312_000_000
    return console


METRICS = {
    "loss": ["0.4000", "0.5000", "2", "█▁", "↘"],
    "accuracy": ["0.6000", "0.5000", "2", "▁█", "↗"],
    "val_loss": ["0.8500", "0.8000", "★", "1", "▁█", "↗"],
    "rate": ["0.1000", "▁▁"],  # nobody knows whether a high rate is good
}


def test_a_wide_picture_has_panels():
    text = frame(halfway())
    assert {cell_len(line) for line in text[:-1]} == {80}
    assert re.fullmatch(r"╭─ 0:00 so far, 0:00 left ─+╮", text[0])
    assert text[1].startswith("│ epoch  3/10 ━")
    assert text[2].startswith("│ batch 2/4   ━")
    assert text[4].startswith("╭─ metrics ─")
    rows = [[part.split() for part in line.strip("│").split("││")] for line in text[5:10]]
    assert rows[0][0] == ["now", "best", "epoch", "trend"]
    assert {name: row for (name, *row), _ in rows[1:]} == METRICS
    step = {" ".join(row[:2]): row[2:] for _, row in rows[:2]}
    assert step == {"learning rate": ["0.1"], "gradient norm": ["1.5", "█▁"]}  # equal rates have no course
    assert rows[2][1][0] == "samples/s"
    assert rows[3][1] == ["memory", "312", "MB"]
    assert text[11].startswith("★ best so far: epoch 1, val_loss 0.8000, 1 epoch ago")


def test_a_narrow_picture_has_them_one_below_the_other():
    text = frame(halfway(), 40, 20)
    assert text[0].startswith("epoch  3/10 ━")
    assert text[0].endswith(" left")
    assert text[1].startswith("batch 2/4 ")
    assert text[1].endswith("/s")
    assert text[3].split() == ["now", "best", "epoch", "trend"]
    assert {line.split()[0]: line.split()[1:] for line in text[4:8]} == METRICS
    assert [line.split()[0] for line in text[9:13]] == ["learning", "gradient", "samples/s", "memory"]
    assert text[14].startswith("★ best so far: epoch 1, val_loss 0.8000")
    assert len(text) == 15


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 20)])
def test_what_decides_is_shown_however_many_metrics_there_are(width, height):
    console = Console(log(), monitor="val_last_loss")
    console.set_params(PARAMS)
    console.on_train_begin()
    console.on_epoch_begin(0)
    console.on_epoch_end(0, {**{f"metric_{i}": 0.5 for i in range(40)}, "val_last_loss": 0.25})
    text = "\n".join(frame(console, width, height))
    shown = text.count("metric_")
    assert 3 < shown < 20
    assert "val_last_loss" in text.split("★")[0]
    assert f"and {40 - shown} more" in text
    assert text.count("\n") + 1 < height


def test_notes_and_compilations_stand_below():
    console = halfway()
    console.note("learning rate\nhalved\x1b[31m")
    console._run.compiling = "pool._max_pool", 2
    assert [line.strip()[:26] for line in frame(console)[-3:]] == [
        "compiling pool._max_pool …",
        "★ best so far: epoch 1, va",
        "learning rate halved [31m",
    ]
    console.on_train_batch_end(2, {"loss": 0.4})  # the batch that had to wait is done
    console.note("")
    assert not any("compiling" in line or "halved" in line for line in frame(console))
    console._run.compiling = "pool._max_pool", 3  # for the validation
    assert any("compiling" in line for line in frame(console))
    console.on_test_batch_end(0)
    assert "validating, batch 1 …" in map(str.strip, frame(console))
    console.on_epoch_begin(3)
    for batch in range(3):
        console.on_train_batch_end(batch, {"loss": 0.4})
        assert not any("compiling" in line or "validating" in line for line in frame(console))


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@settings(deadline=None)
@given(
    st.dictionaries(names, st.lists(st.floats(), min_size=1, max_size=15), max_size=8),
    st.integers(30, 250),
    st.integers(8, 60),
    st.text(st.characters(codec="utf-8"), max_size=100),
    st.booleans(),
)
@example(
    {"a_metric_with_a_long_name_" * 2: [-1.23456e-300], "two words " * 6: [1.0, 0.5], "\x1b[2J": [1.0]},
    40,
    20,
    "a note " * 30,
    True,
)
@example({f"m{i}": [1.0] for i in range(8)}, 68, 16, "a note", True)
@example({"損失" * 20: [1.0, 0.5]}, 68, 24, "", True)
def test_a_picture_is_no_larger_than_the_terminal(metrics, width, height, note, stepped):
    console = Console(log())
    console.set_params({"epochs": 1000, "steps": 12345, "batch_size": 512, "samples": 10**7})
    console.on_train_begin()
    for epoch in range(15):
        console.on_epoch_begin(epoch)
        logs = {name: values[epoch % len(values)] for name, values in metrics.items()}
        for batch in range(2):
            console.on_train_batch_end(batch, logs)
        if epoch < 14:
            console.on_epoch_end(epoch, logs)
    if stepped:
        console._run.rates.extend([1e-5, 1.23456e-4])
        console._run.norms.extend([math.nan, 1e300, math.inf])
        console._run.memory = 10**12
    console._run.compiling = "a_kernel" * 10, 2
    console.note(note)
    lines = Frame(console._run, width, height).lines
    assert max(sum(cell_len(text) for text, _ in line) for line in lines) <= width
    assert all(text.isprintable() for line in lines for text, _ in line)
    assert len(lines) < height


@given(st.lists(st.floats(), max_size=30))
@example([-1.7e308, 0.0, 1.7e308])
def test_a_sparkline_rises_where_the_values_do(values):
    blocks = sparkline(values)
    assert len(blocks) == len(values)
    finite = [(value, block) for value, block in zip(values, blocks, strict=True) if math.isfinite(value)]
    assert all(block == "x" for value, block in zip(values, blocks, strict=True) if not math.isfinite(value))
    for (value, block), (larger, other) in zip(sorted(finite), sorted(finite)[1:], strict=False):
        assert block <= other or value == larger
    if finite and min(finite)[0] / 2 < max(finite)[0] / 2:
        assert min(finite)[1] == "▁"
        assert max(finite)[1] == "█"


@given(st.one_of(st.floats(-1e308, 1e308), st.sampled_from([math.nan, math.inf, -math.inf])))
def test_a_number_is_short_and_near(value):
    text = short.number(value)
    assert len(text) <= 10
    assert math.isnan(value) or float(text) == pytest.approx(value, rel=6e-3)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03"), (90000, "25:00:00")]
)
def test_clock(seconds, text):
    assert short.clock(seconds) == text
