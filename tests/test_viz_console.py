"""The console: what it writes into a log and what it shows."""

import io
import math
import re

import pytest
from console_cases import PARAMS, log, terminal, train
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console as RichConsole

from tinygrad_edu.errors import ArgumentError
from tinygrad_edu.nn.callbacks import larger_is_better
from tinygrad_edu.viz import console as module
from tinygrad_edu.viz.console import Console, sparkline


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "perf_counter", clock)
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
    assert console._time_left() is None
    for epoch in range(2):
        console.on_epoch_begin(epoch)
        for batch in range(4 if epoch == 0 else 2):
            clock.now += 60 if (epoch, batch) == (0, 0) else 1  # the first one compiles
            console.on_train_batch_end(batch, {"loss": 1.0})
        if epoch == 0:
            assert console._time_left() == 2 * 4
            clock.now += 2
            console.on_epoch_end(epoch, {"loss": 1.0})
    assert console._time_left() == (2 + 2) + (4 + 2)
    assert console._throughput() == "32 samples/s"
    clock.now += 1.5
    assert console._time_left() == (2 + 2) + (4 + 2) - 1.5


# --- The picture -----------------------------------------------------------------------------------------


def frame(console, width=80):
    """Return the live display as lines of text."""
    view = RichConsole(file=io.StringIO(), width=width, height=50, _environ={})
    console.console = view
    view.print(console._frame())
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
    return console


def test_the_picture_has_it_all():
    text = frame(halfway())
    assert text[0].startswith("epoch  3/10 ━")
    assert text[0].endswith(" left")
    assert text[1].startswith("batch 2/4 ")
    assert text[1].endswith(" samples/s")
    rows = {line.split()[0]: line.split()[1:] for line in text[3:]}
    assert rows["now"] == ["best", "epoch", "trend"]
    assert rows["loss"] == ["0.4000", "0.5000", "2", "█▁", "↘"]
    assert rows["accuracy"] == ["0.6000", "0.5000", "2", "▁█", "↗"]
    assert rows["val_loss"] == ["0.8500", "0.8000", "★", "1", "▁█", "↗"]
    assert rows["rate"] == ["0.1000", "▁▁"]  # nobody knows whether a high rate is good


def test_notes_and_compilations_stand_below():
    console = halfway()
    console.note("learning rate\nhalved\x1b[31m")
    console._compiles("pool._max_pool")
    assert [line.strip() for line in frame(console)[-2:]] == [
        "compiling pool._max_pool …",
        "learning rate halved [31m",
    ]
    console.on_train_batch_end(2, {"loss": 0.4})  # the batch that had to wait is done
    console.note("")
    assert not any("compiling" in line or "halved" in line for line in frame(console))
    console._compiles("pool._max_pool")  # for the validation
    console.on_epoch_begin(3)
    for batch in range(3):
        console.on_train_batch_end(batch, {"loss": 0.4})
        assert not any("compiling" in line for line in frame(console))


names = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=40)


@settings(deadline=None)
@given(
    st.dictionaries(names, st.lists(st.floats(), min_size=1, max_size=15), max_size=4),
    st.integers(40, 250),
    st.text(max_size=100),
)
@example(
    {"a_metric_with_a_long_name_" * 2: [-1.23456e-300], "two words " * 6: [1.0, 0.5]}, 40, "a note " * 30
)
def test_no_line_is_wider_than_the_terminal(metrics, width, note):
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
    console.note(note)
    lines = frame(console, width)
    assert max(map(cell_len, lines)) <= width
    # A row a metric, none broken in two; the others: two bars, a gap, a head, a note.
    assert len(lines) == 2 + (2 + len(metrics) if metrics else 0) + bool(console._note)


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
    text = module._number(value)
    assert len(text) <= 10
    assert math.isnan(value) or float(text) == pytest.approx(value, rel=6e-3)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03"), (90000, "25:00:00")]
)
def test_clock(seconds, text):
    assert module._clock(seconds) == text
