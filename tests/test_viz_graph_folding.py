"""Modules as single boxes: what crosses their borders stays, what they hold is counted, all can be undone."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from graph_cases import SVG, computations, drawn, extent, inside, leaf, mlp_loss
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import viz
from tinygrad_edu.errors import ArgumentError
from tinygrad_edu.viz.layout import lay_out

pytestmark = pytest.mark.usefixtures("no_system_dot")


@st.composite
def folded_computations(draw):
    graph = viz.graph(draw(computations()), direction=draw(st.sampled_from(["TB", "LR"])))
    paths = st.sampled_from(graph.modules) if graph.modules else st.nothing()
    return graph, draw(st.sets(paths)) if graph.modules else set()


def around(path, modules):
    """Whether a path is one of some modules, or inside one."""
    return next((m for m in sorted(modules) if f"{path}/".startswith(f"{m}/")), "")


@given(folded_computations())
def test_folding_keeps_what_crosses_borders_and_what_is_held(case):
    graph, modules = case
    folded = viz.fold(graph, modules)
    assert folded.folded == {m for m in modules if around(m, modules) == m}
    assert folded.modules == graph.modules
    homes = {box.id: around(box.module, modules) for box in graph.nodes}
    crossing = [a for a in graph.edges if not homes[a.source] or homes[a.source] != homes[a.target]]
    # Each input of the tape that crosses a border is in one arrow, between the right boxes.
    found = {use: arrow for arrow in folded.edges for use in arrow.uses}
    assert len(found) == sum(len(arrow.uses) for arrow in folded.edges) == len(crossing)
    boxes = {box.id: box for box in folded.nodes}
    for arrow in crossing:
        merged = found[arrow.uses[0]]
        for end, whole in ((merged.source, arrow.source), (merged.target, arrow.target)):
            assert whole in (boxes[end].members or (end,))
            assert boxes[end].folded == homes[whole]
    ends = [(a.source, a.target) for a in folded.edges if "m" in a.source + a.target]
    assert len(ends) == len(set(ends))
    # Each box and each operation is in one box, and no parameter is lost.
    assert sorted(m for box in folded.nodes for m in box.members or (box.id,)) == sorted(homes)
    orders = [order for box in folded.nodes for order in box.orders]
    assert sorted(orders) == sorted(order for box in graph.nodes for order in box.orders)
    assert sum(b.parameters for b in folded.nodes) == sum(b.parameters for b in graph.nodes)
    assert [b.is_result for b in folded.nodes].count(True) >= 1


@given(folded_computations(), st.data())
def test_folding_in_steps_is_folding_at_once_and_can_be_undone(case, data):
    graph, modules = case
    first = data.draw(st.sets(st.sampled_from(sorted(modules)))) if modules else set()
    assert viz.fold(viz.fold(graph, first), modules - first) == viz.fold(graph, modules)
    assert (viz.fold(graph, modules).whole or graph) == graph


@given(folded_computations())
def test_what_is_folded_is_drawn_once_each_and_laid_out_where_it_is_drawn(case):
    graph = viz.fold(*case)
    nodes, edges, frames = drawn(graph.svg)
    assert set(nodes) == {box.id for box in graph.nodes}
    assert set(edges) == {arrow.id for arrow in graph.edges}
    layout = lay_out(graph)
    assert list(layout.boxes) == [box.id for box in graph.nodes]
    assert list(layout.arrows) == [arrow.id for arrow in graph.edges]
    assert len(layout.frames) == len(frames)
    for rectangle in [*layout.boxes.values(), *layout.frames.values()]:
        assert rectangle.x > -0.1
        assert rectangle.y > -0.1
        assert rectangle.x + rectangle.width < layout.width + 0.1
        assert rectangle.y + rectangle.height < layout.height + 0.1
    for box in graph.nodes:
        r = layout.boxes[box.id]
        for path, frame in layout.frames.items():
            within = frame.x <= r.x and frame.y <= r.y and r.x + r.width <= frame.x + frame.width
            within = within and r.y + r.height <= frame.y + frame.height
            assert within == f"{box.module}/".startswith(f"{path}/")

    def distance(point, r):
        x, y = point
        return np.hypot(max(r.x - x, x - r.x - r.width, 0), max(r.y - y, y - r.y - r.height, 0))

    for arrow in graph.edges:
        curve = layout.arrows[arrow.id]
        assert len(curve.points) % 3 == 1
        assert distance(curve.points[0], layout.boxes[arrow.source]) < 8
        assert distance(curve.tip, layout.boxes[arrow.target]) < 8
        assert (curve.label is None) == (not arrow.label)


def test_the_layout_has_the_pictures_sizes():
    graph = viz.graph(mlp_loss())
    layout = lay_out(graph)
    for g in ET.fromstring(graph.svg).iter(f"{SVG}g"):
        if "node" in g.get("class", "").split() and g.get("id") in layout.boxes:
            left, top, right, bottom = extent(g)
            box = layout.boxes[g.get("id")]
            if next(b.kind for b in graph.nodes if b.id == g.get("id")) != "number":
                assert (right - left, bottom - top) == pytest.approx((box.width, box.height), abs=1)


def test_depth_counts_the_levels_that_stay_open():
    loss = mlp_loss()
    assert [b.title for b in viz.graph(loss, depth=0).nodes if b.kind == "module"] == ["mlp"]
    layers = [b for b in viz.graph(loss, depth=1).nodes if b.kind == "module"]
    assert [(b.title, *b.lines) for b in layers] == [
        ("dense", "(8, 64)", "50,240 parameters"),
        ("dense_1", "(8, 10)", "650 parameters"),
    ]
    assert [b.module for b in layers] == ["mlp", "mlp"]
    assert viz.graph(loss, depth=2) == viz.graph(loss)
    assert viz.graph(loss, fold="mlp") == viz.graph(loss, depth=0)
    assert viz.graph(loss, fold=["dense", "mlp/dense_1"]) == viz.graph(loss, depth=1)


def test_a_module_with_several_results_that_is_left_and_entered_again():
    x = leaf(2, name="x")
    a = inside("m", lambda: x * 2.0)
    b = inside("m", lambda: te.concat([a.tanh(), x]))
    graph = viz.graph([a, b], depth=0)
    (box,) = (box for box in graph.nodes if box.kind == "module")
    assert box.shape == ((2,), (4,))
    assert box.lines[0] == "(2,) and (4,)"
    assert set(drawn(graph.svg)[0]) == {b.id for b in graph.nodes}


def test_folded_gradients_are_the_norm_of_all_within():
    loss = mlp_loss()
    loss.backward()
    graph = viz.graph(loss, depth=0)
    (box,) = (box for box in graph.nodes if box.kind == "module")
    leaves = [b.gradient_norm for b in graph.whole.nodes if b.gradient_norm is not None]
    assert len(leaves) == 4
    assert box.gradient_norm == pytest.approx(np.linalg.norm(leaves))


def test_wrong_modules_and_depths():
    loss = mlp_loss()
    for wrong in ("dens", ["mlp/dense", "mlp/"], ["mlp/dense/kernel"], [""]):
        with pytest.raises(ArgumentError, match=r"unknown module .* Known: mlp, mlp/dense, mlp/dense_1"):
            viz.graph(loss, fold=wrong)
    with pytest.raises(ArgumentError, match="did you mean 'mlp/dense'"):
        viz.fold(viz.graph(loss), ["mlp/dens"])
    for wrong in (-1, 1.5, "1"):
        with pytest.raises(ArgumentError, match="depth must be a whole number"):
            viz.graph(loss, depth=wrong)
    with pytest.raises(ArgumentError, match="no module"):
        viz.graph(leaf(2) * 2.0, fold="dense")
