"""The picture of a computation: it shows the whole tape, once, legibly, wherever it is drawn."""

import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from graph_cases import SVG, TITLE, computations, drawn, extent, inside, leaf, mlp_loss, size, tape
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import viz
from tinygrad_edu.errors import ArgumentError, DTypeError
from tinygrad_edu.function import Function
from tinygrad_edu.viz import render

pytestmark = pytest.mark.usefixtures("no_system_dot")


# -- what is in the picture --------------------------------------------------------------------------------


@given(computations(), st.sampled_from(["TB", "LR"]))
def test_everything_on_the_tape_is_drawn_exactly_once(results, direction):
    operations, leaves, arrows = tape(*results)
    lone = {id(t) for t in results if isinstance(t, te.Tensor) and t.node is None} - set(leaves)
    graph = viz.graph(results, direction=direction)
    assert Counter(box.kind == "operation" for box in graph.nodes) == Counter(
        {True: len(operations), False: len(leaves) + len(lone)}
    ) - Counter({False: 0})
    assert len(graph.edges) == arrows
    places = {box.id: i for i, box in enumerate(graph.nodes)}
    assert all(places[arrow.source] < places[arrow.target] for arrow in graph.edges)

    nodes, edges, frames = drawn(graph.svg)
    assert set(nodes) == set(places)
    assert set(edges) == {arrow.id for arrow in graph.edges}
    modules = {box.module for box in graph.nodes}
    paths = {m[:i] for m in modules for i in range(1, len(m) + 1) if m[i : i + 1] in ("/", "")}
    assert len(frames) == len(paths)
    for box in graph.nodes:
        assert [box.title, *box.lines] == nodes[box.id]


def test_kinds_titles_and_lines():
    w, b = leaf(4, 2, name="dense/kernel"), leaf(2, name="dense/bias")
    x, labels = te.Tensor(np.ones((3, 4), "f4"), name="x"), np.array([0, 1, 0])
    logits = inside("dense", lambda: x @ w + b)
    loss = te.softmax_cross_entropy(logits, labels).mean() * 2.0
    loss.name = "loss"
    graph = viz.graph(loss)
    assert [(box.kind, box.title, box.lines, box.module) for box in graph.nodes] == [
        ("input", "x", ("(3, 4)",), ""),
        ("parameter", "dense/kernel", ("(4, 2)", "8 parameters"), "dense"),
        ("operation", "matmul", ("(3, 2)",), "dense"),
        ("parameter", "dense/bias", ("(2,)", "2 parameters", "value [1, 1]"), "dense"),
        ("operation", "add", ("(3, 2)",), "dense"),
        ("input", "input", ("(3,) int64", "value [0, 1, 0]"), ""),
        ("operation", "sparse_softmax_cross_entropy", ("(3,)",), ""),
        ("operation", "mean", ("()",), ""),
        ("number", "2.0", (), ""),
        ("operation", "multiply", (f"loss = {loss.item():.4g}",), ""),
    ]
    assert [box.is_result for box in graph.nodes] == [False] * 9 + [True]
    assert [(a.source, a.target, a.position, a.label) for a in graph.edges] == [
        ("n0", "n2", 0, ""),
        ("n1", "n2", 1, ""),
        ("n2", "n4", 0, ""),
        ("n3", "n4", 1, "(3, 2)"),
        ("n4", "n6", 0, ""),
        ("n5", "n6", 1, ""),
        ("n6", "n7", 0, ""),
        ("n7", "n9", 0, ""),
        ("n8", "n9", 1, ""),
    ]
    note = graph.nodes[2].note
    assert "matrices" in note
    assert f"{Path(__file__).name}:" in note
    assert "x @ w + b" in note
    hidden = viz.graph(loss, show_shapes=False)
    assert not any("(" in line for box in hidden.nodes for line in box.lines)
    assert not any(arrow.label for arrow in hidden.edges)


def test_scalars_show_their_values_and_gradients():
    a, b = te.Tensor(2.0, requires_grad=True, name="a"), te.Tensor(1 / 3, requires_grad=True)
    y = a * b
    y.backward()
    assert [(box.title, box.lines) for box in viz.graph(y).nodes] == [
        ("a = 2.0", ("gradient 0.3333",)),
        ("0.3333", ("gradient 2.0",)),
        ("multiply", ("result = 0.6667",)),
    ]


def test_what_is_used_twice_is_one_box_and_numbers_are_not_shared():
    x, array = leaf(2, name="x"), np.ones(2, "f4")
    graph = viz.graph(((x * x) * array * 2.0 + array) * 2.0)
    kinds = Counter(box.kind for box in graph.nodes)
    assert kinds == {"parameter": 1, "input": 1, "number": 2, "operation": 5}
    assert Counter(arrow.source for arrow in graph.edges)["n0"] == 2


def test_a_parameter_of_two_modules_stands_in_the_frame_around_both():
    w = leaf(2, name="net/w")
    y = inside("net/b", lambda: inside("net/a", lambda: w * 1.0) * w)
    assert {box.title: box.module for box in viz.graph(y).nodes if box.kind == "parameter"} == {
        "net/w": "net"
    }


def test_data_comes_from_outside_but_a_modules_own_state_does_not():
    w, x = leaf(2, name="norm/gamma"), te.Tensor([1.0, 2.0], name="x")
    mean = te.Tensor([0.0, 0.0], name="norm/moving_mean")
    graph = viz.graph(inside("net/norm", lambda: x * w - mean))
    modules = {box.title: box.module for box in graph.nodes if box.kind != "operation"}
    assert modules == {"x": "", "norm/gamma": "net/norm", "norm/moving_mean": "net/norm"}


def test_after_backward_the_picture_is_the_same_but_for_the_gradients():
    loss = mlp_loss()
    before = viz.graph(loss)
    loss.backward()
    after = viz.graph(loss, show_gradients=False)
    assert after.nodes == before.nodes
    assert after.edges == before.edges


def test_the_graph_of_a_gradient():
    x = leaf(name="x")
    graph = viz.graph(te.grad(x**3, x, create_graph=True))
    assert "x = 1.0" in [box.title for box in graph.nodes]
    assert graph.nodes[-1].lines == ("result = 3.0",)


class Halves(Function):
    """An operation with two results."""

    @staticmethod
    def forward(x):
        return x[:1], x[1:]

    @staticmethod
    def backward(g):
        return te.concat(list(g))


def test_an_operation_with_several_results():
    first, second = Halves.apply(leaf(3, name="x"))
    graph = viz.graph([first, second])
    shapes = [(box.title, box.shape, box.is_result) for box in graph.nodes]
    assert shapes == [
        ("x", (3,), False),
        ("halves", ((1,), (2,)), False),
        ("part", (1,), True),
        ("part", (2,), True),
    ]
    assert set(drawn(graph.svg)[0]) == {"n0", "n1", "n2", "n3"}


def test_leaves_alone_are_one_box_each():
    x = te.Tensor([1, 2], name="x")
    graph = viz.graph([x, x, leaf(0, name="empty")])
    assert [(box.title, box.lines, box.is_result) for box in graph.nodes] == [
        ("x", ("(2,) int64", "value [1, 2]"), True),
        ("empty", ("(0,)", "0 parameters"), True),
    ]
    assert graph.edges == ()
    assert set(drawn(graph.svg)[0]) == {"n0", "n1"}


def test_an_inner_result_is_marked_too():
    x = leaf(2)
    h = x * 2.0
    graph = viz.graph([h, h + 1.0])
    assert [box.title for box in graph.nodes if box.is_result] == ["multiply", "add"]
    nodes = [g for g in ET.fromstring(graph.svg).iter(f"{SVG}g") if "node" in g.get("class", "").split()]
    assert sum("result" in g.get("class").split() for g in nodes) == 2


def test_wrong_arguments():
    x = leaf(2)
    for wrong in (3, np.ones(2), [x, "x"], None):
        with pytest.raises(DTypeError, match="expected a Tensor"):
            viz.graph(wrong)
    with pytest.raises(ArgumentError, match="empty"):
        viz.graph([])
    with pytest.raises(ArgumentError, match="'down'"):
        viz.graph(x, direction="down")
    assert len(viz.graph(x * 2.0, limit=3).nodes) == 3
    with pytest.raises(ArgumentError, match="3 boxes are more than the limit of 2"):
        viz.graph(x * 2.0, limit=2)


def test_a_chain_of_100000_operations_is_refused_not_a_crash():
    y = leaf()
    for _ in range(100_000):
        y = y.tanh()
    with pytest.raises(ArgumentError, match="100001 boxes"):
        viz.graph(y)


# -- how it is drawn ---------------------------------------------------------------------------------------


@given(st.text(min_size=1), st.text(alphabet=st.characters(codec="utf-8"), min_size=1))
def test_any_name_can_be_drawn(name, module):
    graph = viz.graph(inside(module, lambda: leaf(2, name=name) * 2.0))
    nodes, edges, frames = drawn(graph.svg)
    assert set(nodes) == {"n0", "n1", "n2"}
    assert set(edges) == {"e0", "e1"}
    assert len(frames) == module.count("/") + 1


readable = st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(' &<>"\\/'), min_size=1)


@given(readable.filter(lambda name: len(name) <= 40 and name == name.strip()))
def test_a_name_is_drawn_as_it_is(name):
    svg = viz.graph(leaf(2, name=name) * 2.0).svg
    assert drawn(svg)[0]["n0"][0] == name
    notes = [a.get(TITLE) for a in ET.fromstring(svg).iter(f"{SVG}a")]
    assert f"parameter {name} (2,) float32" in notes


def test_odd_names():
    names = {
        'a<b> & "c"': 'a<b> & "c"',
        "&lt;\\N\\n%": "&lt;\\N\\n%",
        "\\": "\\",
        "\\G\\\\E\\x": "\\G\\\\E\\x",
        "two\nlines": r"two\nlines",
        "bell\x07": r"bell\x07",
        "x" * 60: "x" * 39 + "…",
    }
    for name, expected in names.items():
        svg = viz.graph(leaf(2, name=name)).svg
        assert drawn(svg)[0]["n0"][0] == expected
        if name == expected:
            assert next(ET.fromstring(svg).iter(f"{SVG}a")).get(TITLE) == f"parameter {name} (2,) float32"


def test_wide_letters_fit_their_box():
    for name in ("漢字" * 8, "🙂" * 10, "가" * 30):
        svg = viz.graph(leaf(2, name=name)).svg
        g = next(g for g in ET.fromstring(svg).iter(f"{SVG}g") if g.get("id") == "n0")
        left, _, right, _ = extent(g)
        assert right - left > 14 * len(name)


@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_frames_nest_as_the_modules_do(direction):
    x = te.Tensor(np.ones((2, 3), "f4"), name="x")
    h = inside("net/encoder/dense", lambda: x @ leaf(3, 3, name="encoder/dense/kernel"))
    y = inside("net/head", lambda: h + leaf(3, name="head/bias"))
    graph = viz.graph(y, direction=direction)
    root = ET.fromstring(graph.svg)
    frames = {
        next(g.iter(f"{SVG}text")).text.replace("\xa0", " ").strip(): extent(g)
        for g in drawn(graph.svg)[2].values()
    }
    assert set(frames) == {"net", "encoder", "dense", "head"}
    boxes = {g.get("id"): extent(g) for g in root.iter(f"{SVG}g") if "node" in g.get("class", "").split()}

    def within(inner, outer):
        return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]

    assert within(frames["dense"], frames["encoder"])
    assert within(frames["encoder"], frames["net"])
    assert within(frames["head"], frames["net"])
    for box in graph.nodes:
        for name, frame in frames.items():
            assert within(boxes[box.id], frame) == (name in box.module.split("/")), (box, name)


def test_a_model_with_its_loss():
    graph = viz.graph(mlp_loss())
    nodes, edges, frames = drawn(graph.svg)
    texts = list(nodes.values())
    assert ["images", "(8, 784)"] in texts
    assert ["dense/kernel", "(784, 64)", "50,176 parameters"] in texts
    assert ["dense_1/bias", "(10,)", "10 parameters"] in texts
    assert {box.module for box in graph.nodes} == {"", "mlp/dense", "mlp/dense_1"}
    assert len(frames) == 3
    assert len(edges) == len(graph.edges)
    assert graph._repr_svg_() == graph.svg


def test_arrows_point_from_input_to_operation():
    """Also those that are laid out backward: the head lies at the operation's outline."""
    graph = viz.graph(mlp_loss())
    groups = {g.get("id"): g for g in ET.fromstring(graph.svg).iter(f"{SVG}g")}
    for arrow in graph.edges:
        head = next(groups[arrow.id].iter(f"{SVG}polygon")).get("points").split()
        tip = np.array([p.split(",") for p in head], float).mean(0)

        def distance(id, tip=tip):
            left, top, right, bottom = extent(groups[id])
            return np.hypot(max(left - tip[0], tip[0] - right, 0), max(top - tip[1], tip[1] - bottom, 0))

        assert distance(arrow.target) < min(8, distance(arrow.source))


def test_the_same_computation_gives_the_same_picture():
    first, second = viz.graph(mlp_loss()), viz.graph(mlp_loss())
    assert first.dot == second.dot
    assert first.svg == second.svg
    assert first.png == second.png


def test_png_has_a_slides_resolution_and_a_bounded_size():
    width, height = size(viz.graph(mlp_loss()).png)
    assert 500 < width < 4000
    assert 500 < height < 4000
    y = leaf()
    for _ in range(400):
        y = y.tanh()
    assert max(size(viz.graph(y).png)) <= 80 * 192


def test_png_spells_out_what_the_fonts_lack():
    def spelled(name):
        return render._UNDRAWABLE.sub(lambda match: f"[U+{ord(match[0]):04X}]", name)

    assert spelled("Größe β Ж → ≤ 'a'\t\n") == "Größe β Ж → ≤ 'a'\t\n"
    assert spelled("漢🙂") == "[U+6F22][U+1F642]"
    assert viz.graph(leaf(2, name="अ")).png == viz.graph(leaf(2, name="[U+0905]")).png


def test_text_is_centred_and_keeps_to_its_box_in_any_font():
    w = te.Tensor(np.ones((2, 3)), requires_grad=True, name="a weight with quite a long name")
    root = ET.fromstring(viz.graph(te.tanh(te.Tensor(np.ones((4, 2)), name="x") @ w)).svg)
    checked = 0
    for group in root.iter(f"{SVG}g"):
        if group.get("class", "").startswith("node"):
            left, _, right, _ = extent(group)
            for line in group.iter(f"{SVG}text"):
                assert line.get("text-anchor") == "middle"
                assert float(line.get("x")) == pytest.approx((left + right) / 2, abs=0.1)
                assert float(line.get("textLength")) < right - left
                checked += 1
    assert checked == 2 + 3 + 2 + 2
