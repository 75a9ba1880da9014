"""The animation of a gradient: what is shown when, and that both formats show it."""

import io
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest
from graph_cases import SVG, mlp_loss
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import tinygrad_edu as te
from tinygrad_edu import Tensor, viz
from tinygrad_edu.errors import ArgumentError, FileError, GradientError
from tinygrad_edu.explaining.content import short
from tinygrad_edu.viz.storyboard import BACKWARD, FORWARD


def dense():
    x = Tensor(np.array([[1, 2, 0.5], [0, -1, 2], [3, 1, -2], [1, 0, 1]], "f4"), name="x")
    W = Tensor(np.array([[1, -1], [0.5, 2], [-1, 0.25]], "f4"), requires_grad=True, name="W")
    b = Tensor(np.array([0.25, -0.5], "f4"), requires_grad=True, name="b")
    return (x @ W + b).relu().sum(), W, b


def test_each_operation_has_its_turn_forward_and_backward():
    loss, W, b = dense()
    animation = viz.animate_backward(loss)
    board = animation.board
    assert board.frames == 2 * 4 + 2
    titles = [page.title for page in board.pages]
    assert titles[0] == "What goes in"
    assert titles[1:5] == [f"Forward {i} of 4" for i in range(1, 5)]
    assert titles[5:9] == [f"Backward {i} of 4" for i in range(1, 5)]
    assert [page.start for page in board.pages] == list(range(10))
    assert [page.lines[0].split(":")[0] for page in board.pages[5:9]] == ["sum", "relu", "add", "matmul"]
    assert "v2 = v1 + b" in board.pages[2].lines[0]
    assert "summed over axis 0" in " ".join(" ".join(board.pages[7].lines).split())
    assert W.grad is None
    loss.backward()  # nothing was freed
    numbers = " ".join(short(v) for v in b.grad.data)
    assert f"∂loss/∂b (2,) = [{numbers}]" in board.pages[9].lines
    strong = [mark for mark in board.marks if mark.strong]
    assert [mark.place for mark in strong[:4]] == [mark.place for mark in strong[:3:-1]]
    backward = [(flow.start, flow.back) for flow in board.flows if flow.colour == BACKWARD]
    assert backward == [(5, True), (6, True), (7, True), (7, True), (8, True)]  # none into x
    assert len([flow for flow in board.flows if flow.colour == FORWARD]) == 6


PLACE = st.integers(0, 9)


@given(st.lists(st.tuples(PLACE, PLACE, st.sampled_from("+*s")), min_size=1, max_size=5))
def test_single_numbers_carry_their_value_and_their_gradient(steps):
    a, b = Tensor(1.5, True, "float64", "a"), Tensor(-0.5, True, "float64", "b")
    made = [a, b]
    for i, j, kind in steps:
        x, y = made[i % len(made)], made[j % len(made)]
        made.append({"+": x + y, "*": x * y, "s": te.sin(x)}[kind])
    animation = viz.animate_backward(made[-1], direction="TB")
    values = [badge.text for badge in animation.board.badges if badge.colour == FORWARD]
    assert values == [short(step.value.array.item()) for step in animation.trace.steps]
    gradients = sorted(badge.text for badge in animation.board.badges if badge.colour == BACKWARD)
    expected = te.grad(made[-1], [a, b], allow_unused=True)
    leaves = [g.item() for g in expected if g is not None]
    results = [step.gradient.final.array.item() for step in animation.trace.steps]
    assert gradients == sorted(short(g) for g in leaves + results)
    assert all(badge.stop == animation.board.frames for badge in animation.board.badges)


def shown_at(group, moment):
    """Tell whether a group of the SVG is visible at a share of the round."""
    animate = group.find(f"{SVG}animate")
    if animate is None:
        return group.get("visibility") == "visible"
    values, times = animate.get("values").split(";"), [float(t) for t in animate.get("keyTimes").split(";")]
    assert len(values) == len(times)
    assert times[0] == 0
    assert times == sorted(times)
    assert times[-1] <= 1
    return [v for v, t in zip(values, times, strict=True) if t <= moment][-1] == "visible"


def test_svg(tmp_path):
    loss, *_ = dense()
    animation = viz.animate_backward(loss, tmp_path / "a.svg", seconds=2)
    root = ET.fromstring((tmp_path / "a.svg").read_text(encoding="utf-8"))
    nodes = [g.get("id") for g in root.iter(f"{SVG}g") if "node" in (g.get("class") or "").split()]
    assert sorted(nodes) == sorted(box.id for box in animation.graph.nodes)
    pages = [g for g in root if g.tag == f"{SVG}g"]
    assert len(pages) == 10
    for frame in range(10):
        moment = (2 * (frame + (frame > 0)) + 1) / 24  # the first takes twice as long
        visible = [g for g in pages if shown_at(g, moment)]
        assert len(visible) == 1
        lines = tuple("".join(t.itertext()) for t in visible[0].iter(f"{SVG}text"))
        assert lines == (animation.board.pages[frame].title, *animation.board.pages[frame].lines)
    assert {a.get("dur") for a in root.iter(f"{SVG}animate")} == {"24s"}
    assert animation._repr_svg_() == animation.svg


def test_gif(tmp_path):
    loss, *_ = dense()
    viz.animate_backward(loss, tmp_path / "a.gif", seconds=0.5, width=700)
    picture = Image.open(io.BytesIO((tmp_path / "a.gif").read_bytes()))
    assert picture.n_frames == 10
    assert picture.info["loop"] == 0
    assert picture.width <= 700
    frames, durations = [], []
    for i in range(10):
        picture.seek(i)
        durations.append(picture.info["duration"])
        frames.append(np.asarray(picture.convert("RGB")).astype(int))
    assert durations == [1000, *[500] * 8, 1000]
    counts = np.array([[close_to(frame, colour) for colour in (FORWARD, BACKWARD)] for frame in frames])
    assert (counts[1:5, 0] > counts[0, 0] + 100).all()
    assert (counts[:5, 1] < 20).all()
    assert (counts[5:, 1] > 100).all()
    assert all((a != b).any() for a, b in pairwise(frames))


def close_to(frame, colour):
    """Count the pixels of a colour."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return int((np.abs(frame - wanted).max(axis=2) < 24).sum())


def test_of_a_large_graph_a_window_shows_what_it_is_about():
    x = Tensor(0.5, requires_grad=True, name="x")
    y = x
    for _ in range(25):
        y = te.sin(y)
    animation = viz.animate_backward(y, direction="TB", width=600)
    root = ET.fromstring(animation.svg)
    window = root.find(f"{SVG}svg")
    views = window.find(f"{SVG}animate").get("values").split(";")
    assert len(views) == animation.board.frames == 52
    for view, place in zip(views, animation.board.focus, strict=True):
        left, top, width, height = map(float, view.split())
        assert left <= place.x
        assert place.x + place.width <= left + width
        assert top <= place.y
        assert place.y + place.height <= top + height
    picture = Image.open(io.BytesIO(animation.gif))
    assert picture.height < picture.width


def test_a_folded_module_is_one_frame():
    loss = mlp_loss()
    animation = viz.animate_backward(loss, depth=0)
    assert animation.graph.folded == {"mlp"}
    assert animation.board.frames == 2 * 3 + 2
    assert sum("linear(" in line for line in animation.board.pages[1].lines) == 2
    assert len({page.start for page in animation.board.pages}) == len(animation.board.pages)


def test_several_results_and_no_operation_at_all():
    values, _ = te.linalg.eigh(Tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True))
    assert viz.animate_backward((values * values).sum()).svg
    leaf = viz.animate_backward(Tensor(2.0, requires_grad=True))
    assert leaf.board.frames == 2
    assert leaf.gif.startswith(b"GIF89a")


def test_names_stay_text():
    x = Tensor(2.0, requires_grad=True, name="<script>alert(1)</script>&")
    svg = viz.animate_backward(x * x).svg
    assert "<script" not in svg
    text = "".join(ET.fromstring(svg).itertext())
    assert "<script>alert(1)</script>&" in text
    assert not re.search(r'(href|src)="(?!#)', svg)


def test_what_cannot_be_animated(tmp_path):
    loss, *_ = dense()
    with pytest.raises(FileError, match=r"ends in \.gif or \.svg"):
        viz.animate_backward(loss, tmp_path / "a.mp4")
    with pytest.raises(FileError, match=r"ends in \.gif or \.svg"):
        viz.animate_backward(loss).save(tmp_path / "a.png")
    with pytest.raises(ArgumentError, match=r"4 operations are more than the limit of 3; fold modules"):
        viz.animate_backward(loss, limit=3)
    with pytest.raises(ArgumentError, match="seconds above 0"):
        viz.animate_backward(loss, seconds=0)
    assert list(tmp_path.iterdir()) == []
    loss.backward()
    with pytest.raises(GradientError, match=r"before backward\(\)"):
        viz.animate_backward(loss, tmp_path / "a.gif")
