"""Curves: what is drawn is what was measured, on any machine, and files are whole or not there."""

import io
import math
import subprocess
import sys
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from PIL import Image

from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, FileError
from tinygrad_edu.viz.curves import plot_history

LOSSES = {"loss": [0.9, 0.5, 0.2], "val_loss": [0.8, 0.4, 0.6]}
FULL = {
    "accuracy": [0.5, 0.7, 0.8],
    "loss": LOSSES["loss"],
    "val_accuracy": [0.5, 0.6, 0.7],
    "val_loss": LOSSES["val_loss"],
}


def lines(panel):
    """Return the panel's lines by label, each as (epochs, values)."""
    return {line.get_label(): tuple(np.array(xy) for xy in line.get_data()) for line in panel.get_lines()}


def pixels(figure):
    """Draw the figure and return it, values 0 to 255, height by width by 3."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return np.asarray(Image.open(file).convert("RGB")).astype(int)


def near(image, colour):
    """Count the pixels of a colour."""
    return int((np.abs(image - 255 * np.array(to_rgb(colour))).max(axis=-1) < 12).sum())


def test_a_panel_for_the_loss_and_one_for_each_metric():
    figure = plot_history(FULL, title="a run")
    assert [panel.get_ylabel() for panel in figure.axes] == ["loss", "accuracy"]
    assert [panel.get_xlabel() for panel in figure.axes] == ["epoch", "epoch"]
    assert figure.get_suptitle() == "a run"
    for panel, name in zip(figure.axes, ["loss", "accuracy"], strict=True):
        drawn = lines(panel)
        for label, key in {"training": name, "validation": f"val_{name}"}.items():
            np.testing.assert_array_equal(drawn[label][0], [1, 2, 3])
            np.testing.assert_array_equal(drawn[label][1], FULL[key])
        assert drawn["lowest val_loss"][0] == [2]
        assert panel.get_title(loc="right") == f"★ epoch 2: {FULL[f'val_{name}'][1]}"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "training",
        "validation",
        "lowest val_loss",
    ]


def test_a_history_and_its_dict_are_the_same():
    history = SimpleNamespace(history=FULL, epoch=[0, 1, 2])
    np.testing.assert_array_equal(pixels(plot_history(history)), pixels(plot_history(FULL)))


def test_a_run_that_was_taken_up_again_keeps_its_numbers():
    figure = plot_history(SimpleNamespace(history={"loss": [0.3, 0.2]}, epoch=[7, 8]))
    np.testing.assert_array_equal(lines(figure.axes[0])["training"][0], [8, 9])


@pytest.mark.parametrize("count", [1, 2, 3, 14, 29, 30, 31, 100, 1000])
def test_ticks_are_whole_epochs_that_were(count):
    figure = plot_history({"loss": np.linspace(1, 0, count)})
    ticks = figure.axes[0].get_xticks()
    assert 1 <= len(ticks) <= 10
    assert all(tick == int(tick) and 1 <= tick <= count for tick in ticks)


def test_lines_differ_in_colour_in_grey_and_in_form():
    training, validation = plot_history(LOSSES).axes[0].get_lines()[:2]
    assert training.get_linestyle() != validation.get_linestyle()
    assert training.get_marker() != validation.get_marker()
    grey = [np.dot(to_rgb(line.get_color()), (0.299, 0.587, 0.114)) for line in (training, validation)]
    assert abs(grey[0] - grey[1]) > 0.2
    assert max(grey) < 0.7  # and both from the white paper


def test_without_validation_nothing_is_called_best():
    panel = plot_history({"loss": [0.3, 0.2]}).axes[0]
    assert set(lines(panel)) == {"training"}
    assert panel.get_title(loc="right") == ""


@pytest.mark.parametrize("count", [1, 100])
def test_a_point_alone_can_be_seen(count):
    loss, val_loss = np.full(count, np.nan), np.full(count, np.nan)
    loss[count // 2], val_loss[count // 2] = 0.5, 0.7
    figure = plot_history({"loss": loss, "val_loss": val_loss})
    drawn = {line.get_label(): line for line in figure.axes[0].get_lines()}
    training, validation = drawn["training"], drawn["validation"]
    figure.legends[0].remove()
    for line in drawn.values():
        line.set_visible(line in (training, validation))
    for cross in (line for line in figure.axes[0].get_lines() if line.get_label() == "NaN or infinite"):
        cross.set_visible(False)
    image = pixels(figure)
    assert near(image, training.get_color()) > 20
    assert near(image, validation.get_color()) > 20


def test_nan_and_infinity_are_shown_as_such():
    figure = plot_history({"loss": [1.0, math.nan, math.inf], "val_loss": [math.nan, 0.5, 0.6]})
    panel = figure.axes[0]
    crosses = [line for line in panel.get_lines() if line.get_label() == "NaN or infinite"]
    assert [list(line.get_xdata()) for line in crosses] == [[2, 3], [1]]
    assert lines(panel)["lowest val_loss"][0] == [2]
    assert all(0 < y < 0.1 for line in crosses for y in line.get_ydata())
    assert np.isfinite(panel.get_ylim()).all()


def test_nothing_finite_at_all():
    figure = plot_history({"loss": [math.nan] * 2, "val_loss": [math.inf] * 2})
    assert "lowest val_loss" not in lines(figure.axes[0])
    pixels(figure)


floats = st.floats(width=64)


@settings(deadline=None, max_examples=10)
@given(
    st.integers(1, 40).flatmap(
        lambda n: st.lists(st.lists(floats, min_size=n, max_size=n), min_size=2, max_size=2)
    )
)
def test_any_values_can_be_drawn(values):
    figure = plot_history({"loss": values[0], "val_loss": values[1]})
    assert np.isfinite(figure.axes[0].get_ylim()).all()
    pixels(figure)  # a warning would be an error


@pytest.mark.parametrize("count", range(1, 9))
def test_any_number_of_panels(count):
    metrics = [f"metric_{i}" for i in range(count - 1)]
    history = {"loss": [0.1, math.nan], "val_loss": [0.1, 0.2], **{name: [0.5, 0.6] for name in metrics}}
    figure = plot_history(history, title="a run")
    assert len(figure.axes) == count
    figure.draw_without_rendering()
    boxes = [panel.get_tightbbox() for panel in figure.axes]
    boxes.append(figure.legends[0].get_tightbbox())
    for i, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.width
        assert box.y1 <= figure.bbox.height
        assert not any(box.overlaps(other) for other in boxes[:i])


# --- What can't be drawn ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "error", "message"),
    [
        ({}, DataError, "no curve; train"),
        ({"loss": []}, DataError, "no epoch"),
        ({"loss": [1.0], "val_loss": [1.0, 2.0]}, DataError, "loss: 1, val_loss: 2"),
        (SimpleNamespace(history={"loss": [1.0]}, epoch=[0, 1]), DataError, "loss: 1, epoch: 2"),
        ({"loss": [[1.0, 2.0]]}, DataError, r"'loss', one an epoch; got an array of shape \(1, 2\)"),
        ({"loss": 1.0}, DataError, "'loss'"),
        ({"loss": ["high", "low"]}, DTypeError, "numbers under 'loss', got .*high"),
        ({"loss": [[1.0], [1.0, 2.0]]}, DTypeError, "'loss'"),
        (None, DTypeError, "got NoneType"),
        ([0.3, 0.2], DTypeError, "got list"),
    ],
)
def test_what_is_no_history_is_refused(history, error, message):
    with pytest.raises(error, match=message):
        plot_history(history)


# --- Files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "start"), [("a.png", b"\x89PNG"), ("b.svg", b"<?xml"), ("c.PDF", b"%PDF"), ("d.e.svg", b"<?xml")]
)
def test_the_suffix_says_how(tmp_path, name, start):
    plot_history(FULL, tmp_path / name)
    once = (tmp_path / name).read_bytes()
    assert once.startswith(start)
    plot_history(FULL, str(tmp_path / name))  # over the old one
    assert (tmp_path / name).read_bytes() == once
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_words_in_an_svg_stay_words(tmp_path):
    plot_history(FULL, tmp_path / "a.svg", title="a run")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert all(f">{word}</text>" in text for word in ("a run", "epoch", "loss", "validation"))


@pytest.mark.parametrize("name", ["a", "a.jpg", "png", "a.", ".png"])
def test_another_suffix_is_refused(tmp_path, name):
    with pytest.raises(ArgumentError, match=r"expected one of \.png, \.svg, \.pdf"):
        plot_history(FULL, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_what_can_not_be_written_leaves_nothing(tmp_path):
    with pytest.raises(FileError, match=r"missing.*\.png"):
        plot_history(FULL, tmp_path / "missing" / "a.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(FileError, match=r"folder\.png"):
        plot_history(FULL, tmp_path / "folder.png")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


# --- Neighbours ------------------------------------------------------------------------------------------


def test_matplotlib_is_left_as_it_was():
    with matplotlib.rc_context({"font.size": 31, "axes.grid": False}):
        before = dict(matplotlib.rcParams)
        image = pixels(plot_history(FULL))
        assert dict(matplotlib.rcParams) == before
    assert image.shape == pixels(plot_history(FULL)).shape


def test_no_display_no_pyplot_and_nothing_early():
    program = """
import os, sys
for name in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND"):
    os.environ.pop(name, None)
from tinygrad_edu.viz.curves import plot_history
assert "matplotlib" not in sys.modules
plot_history({"loss": [1.0, 0.5]}).canvas.draw()
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
