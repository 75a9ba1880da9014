"""What a notebook shows: well-formed HTML, with the numbers, and with names as text."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.nn.callbacks import History
from tinygrad_edu.nn.summary import summarize


def parsed(html):
    root = ET.fromstring(html.replace("<br>", "<br/>").replace("&nbsp;", "\xa0"))
    rows = [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]
    return root, rows


@pytest.mark.parametrize("value", [3.5, [1.0, -2.0, 0.25], [[1, 2], [3, 4]], [True, False], np.eye(9)])
def test_a_small_tensor_is_shown_whole(value):
    x = te.Tensor(value)
    root, rows = parsed(x._repr_html_())
    assert rows == [
        [f"{v:.4g}" if x.dtype.kind == "f" else str(v) for v in row] for row in np.atleast_2d(x.data)
    ]
    assert f"{x.shape} · {x.dtype}" in "".join(root.find("div").itertext())


@given(st.lists(st.integers(0, 30), max_size=4))
def test_a_large_tensor_is_abridged_whatever_its_shape(shape):
    x = te.Tensor(np.zeros(shape, "f4"))
    root, rows = parsed(x._repr_html_())
    assert len(rows) <= 20
    assert all(len(row) <= 10 for row in rows)
    assert ("no elements" in "".join(root.itertext())) == (x.size == 0)


def test_what_a_tensor_is():
    w = te.Tensor([1.0, 2.0], requires_grad=True, name="<script>alert(1)</script>")
    text = "".join(parsed(w._repr_html_())[0].itertext())
    assert "<script>alert(1)</script> · (2,) · float32 · requires a gradient" in text
    y = (w * 3.0).sum()
    assert "made by sum" in y._repr_html_()
    y.backward()
    assert "gradient norm 4.2426" in w._repr_html_() or "gradient norm 4.243" in w._repr_html_()


def test_a_models_summary():
    x = nn.Input((4,), name="a&b")
    model = nn.Model(x, nn.layers.add([nn.Dense(3, name="<i>")(x), nn.Dense(3)(x)]), name="two")
    _, rows = parsed(model._repr_html_())
    assert rows[0] == ["Layer", "Output shape", "Connected to", "Parameters"]
    assert ["<i> (Dense)", "(None, 3)", "a&b", "15"] in rows
    assert "Total parameters: 30" in model._repr_html_()
    # The same as the text.
    summary = summarize(model)
    for row in summary.rows:
        assert all(cell in str(summary) for cell in row)
    assert summary._repr_html_() == model._repr_html_()


def test_a_model_that_is_not_built_yet_can_be_looked_at():
    assert "not built" in nn.Sequential([nn.Dense(2)])._repr_html_()


def test_a_layer_called_as_markup_is_printed_as_it_is(capsys):
    nn.Sequential([nn.Input((2,)), nn.Dense(1, name="[bold]x")]).summary()
    assert "[bold]x (Dense)" in capsys.readouterr().out


def test_a_history():
    history = History()
    assert "no epoch" in history._repr_html_()
    history.history = {
        "loss": [3.0, float("nan"), 1.0, 2.0],
        "f1": [np.array([0.5, 0.25]), np.array([1.0, 0.5])] * 2,
    }
    history.epoch = [2, 3, 4, 5]
    root, rows = parsed(history._repr_html_())
    assert rows[0] == ["", "epoch 3", "epoch 6", "range", "curve"]
    assert rows[1][:4] == ["loss", "3", "2", "1 to 3"]
    assert rows[2][:3] == ["f1", "0.5 0.25", "1 0.5"]
    curves = [line.get("points").split() for line in root.iter("polyline")]
    assert [len(set(points)) for points in curves] == [1, 2]  # nan leaves a gap


@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_any_history_can_be_shown(values):
    history = History()
    history.history, history.epoch = {"loss": values}, list(range(len(values)))
    root, _ = parsed(history._repr_html_())
    for line in root.iter("polyline"):
        points = np.array([p.split(",") for p in line.get("points").split()], float)
        assert np.isfinite(points).all()
        assert (points >= 0).all()
        assert (points <= [160, 28]).all()
