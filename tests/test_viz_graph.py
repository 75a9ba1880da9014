"""The picture of a computation: it shows the whole tape, once, legibly, wherever it is drawn."""

import shutil
import stat
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import nn, viz
from tinygrad_edu.context import context
from tinygrad_edu.errors import ArgumentError, DTypeError, FileError
from tinygrad_edu.function import Function, Node
from tinygrad_edu.viz import render

SVG = "{http://www.w3.org/2000/svg}"
TITLE = "{http://www.w3.org/1999/xlink}title"


@pytest.fixture(autouse=True)
def _no_system_dot(monkeypatch):
    """Draw with graphviz-pure, found as pip noted it, whatever else is installed on this machine."""
    monkeypatch.setenv("PATH", "")


def leaf(*shape, name=None):
    return te.Tensor(np.ones(shape, "f4"), requires_grad=True, name=name)


def inside(module, function, *args):
    before = context.module
    context.module = module
    try:
        return function(*args)
    finally:
        context.module = before


def mlp_loss():
    te.seed(0)
    layers = [nn.Input((784,)), nn.Dense(64, activation="relu"), nn.Dense(10)]
    model = nn.Sequential(layers, name="mlp")
    x = te.Tensor(np.ones((8, 784), "f4"), name="images")
    loss = te.softmax_cross_entropy(model(x), np.arange(8)).mean()
    loss.name = "loss"
    return loss


def drawn(svg):
    """Read an SVG: {id: lines of text} of the nodes, the same of the edges, and the frames."""
    nodes, edges, frames = {}, {}, {}
    for g in ET.fromstring(svg).iter(f"{SVG}g"):
        kinds = g.get("class", "").split()
        text = [t.text.replace("\xa0", " ") for t in g.iter(f"{SVG}text")]
        for kind, found in (("node", nodes), ("edge", edges)):
            if kind in kinds:
                assert g.get("id") not in found
                found[g.get("id")] = text
        if "cluster" in kinds:
            frames[g.find(f"{SVG}title").text] = g
    return nodes, edges, frames


def extent(g):
    """The rectangle around the outline in an SVG group: left, top, right, bottom."""
    outline = next(e for e in g.iter() if e.tag in (f"{SVG}polygon", f"{SVG}path"))
    text = outline.get("points") or outline.get("d")
    for letter in "MCLZ":
        text = text.replace(letter, " ")
    points = np.array([pair.split(",") for pair in text.split()], float)
    return (*points.min(0), *points.max(0))


def tape(*results):
    """Walk the tape without the code under test: all operations, and what else went into them."""
    nodes, leaves, todo = {}, {}, [t.node for t in results if t.node is not None]
    arrows = 0
    while todo:
        node = todo.pop()
        if id(node) not in nodes:
            nodes[id(node)] = node
            arrows += len(node.inputs)
            for x in node.inputs:
                if isinstance(x, Node):
                    todo.append(x)
                else:
                    leaves[len(leaves) if isinstance(x, int | float) else id(x)] = x
    return list(nodes.values()), leaves, arrows


@st.composite
def computations(draw):
    """A random graph: things used twice, numbers, broadcasting, nested modules, one or two results."""
    pool = [leaf(3, name="a"), leaf(1, name="b"), np.ones(3, "f4"), te.Tensor(np.ones((2, 3), "f4"))]
    modules = draw(st.lists(st.sampled_from(["", "m", "m/n", "m/n/o", "p", "p/n"]), max_size=15))
    for module in ["", *modules]:
        made = pool[0] if len(pool) == 4 else pool[-1]
        other = draw(st.sampled_from([*pool, 2.0]))
        operation = draw(st.sampled_from([te.add, te.multiply, te.subtract, lambda x, _: te.tanh(x)]))
        pool.append(inside(module, operation, made, other))
    return draw(st.sampled_from([pool[-1:], pool[-2:]]))


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
        ("parameter", "dense/bias", ("(2,)", "2 parameters"), "dense"),
        ("operation", "add", ("(3, 2)",), "dense"),
        ("input", "input", ("(3,) int64",), ""),
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


def test_after_backward_the_picture_is_the_same():
    loss = mlp_loss()
    before = viz.graph(loss)
    loss.backward()
    after = viz.graph(loss)
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
        ("x", ("(2,) int64",), True),
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


def size(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


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


# -- files and engines -------------------------------------------------------------------------------------


def test_save_writes_the_format_of_the_suffix(tmp_path):
    graph = viz.graph(leaf(2, name="é") * 2.0)
    for suffix in ("svg", "png", "dot", "SVG"):
        graph.save(tmp_path / f"graph.{suffix}")
        graph.save(str(tmp_path / f"again.{suffix}"))
    assert (tmp_path / "graph.svg").read_text("utf-8") == graph.svg
    assert (tmp_path / "again.SVG").read_text("utf-8") == graph.svg
    assert (tmp_path / "graph.png").read_bytes() == graph.png
    assert (tmp_path / "graph.dot").read_text("utf-8") == graph.dot
    assert len(list(tmp_path.iterdir())) == 8


def test_save_refuses_what_it_cannot_write_and_leaves_nothing(tmp_path):
    graph = viz.graph(leaf(2) * 2.0)
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder.svg").mkdir()
    for place in ("missing/graph.svg", "file/graph.png", "folder.svg"):
        with pytest.raises(FileError, match="can't write"):
            graph.save(tmp_path / place)
    for name in ("graph", "graph.pdf", "graph.svgz", ".svg"):
        with pytest.raises(FileError, match=r"\.svg, \.png or \.dot"):
            graph.save(tmp_path / name)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "folder.svg"]
    assert (tmp_path / "file").read_text() == "kept"


def stub_dot(folder, monkeypatch, script):
    """Put a shell script named dot on the PATH; $WHEEL in it is graphviz-pure's program."""
    if sys.platform == "win32":
        pytest.skip("needs a shell")
    program = folder / "dot"
    program.write_text(f"#!/bin/sh\nWHEEL='{render._wheel_program()}'\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")


def test_a_system_dot_comes_first(tmp_path, monkeypatch):
    stub_dot(tmp_path, monkeypatch, f'echo "$@" >> {tmp_path}/calls; exec "$WHEEL" "$@"')
    graph = viz.graph(mlp_loss())
    nodes, edges, _ = drawn(graph.svg)
    assert (len(nodes), len(edges)) == (len(graph.nodes), len(graph.edges))
    size(graph.png)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["-Tsvg", "-Tpng"]


@pytest.mark.parametrize("script", ["echo broken >&2; exit 3", "kill -11 $$", "exit 0", "#!/nowhere"])
def test_a_broken_dot_is_passed_over(tmp_path, monkeypatch, script):
    expected = viz.graph(mlp_loss()).svg
    stub_dot(tmp_path, monkeypatch, script)
    if script == "#!/nowhere":
        (tmp_path / "dot").write_text(script)
    assert viz.graph(mlp_loss()).svg == expected


def test_where_the_layout_fails_a_plain_one_is_drawn(tmp_path, monkeypatch):
    stub_dot(
        tmp_path,
        monkeypatch,
        'source=$(cat); case $source in *minlen*) exit 1;; esac; exec "$WHEEL" "$@" <<E\n$source\nE',
    )
    monkeypatch.setattr(render, "_wheel_program", lambda: None)
    graph = viz.graph(mlp_loss())
    nodes, edges, frames = drawn(graph.svg)
    assert (len(nodes), len(edges), len(frames)) == (len(graph.nodes), len(graph.edges), 3)


def test_without_any_engine_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(render, "_WHEEL", "no-such-package")
    graph = viz.graph(leaf(2) * 2.0)
    for name in ("graph.svg", "graph.png"):
        with pytest.raises(FileError, match="pip install graphviz-pure"):
            graph.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    graph.save(tmp_path / "graph.dot")
    stub_dot(tmp_path, monkeypatch, "echo no plugins >&2; exit 3")
    with pytest.raises(FileError, match="code 3: no plugins"):
        viz.graph(leaf(2)).svg  # noqa: B018


@pytest.mark.skipif(shutil.which("dot") is None, reason="no Graphviz on this system")
def test_the_systems_own_graphviz_draws_the_same_content(monkeypatch):
    monkeypatch.undo()
    graph = viz.graph(mlp_loss())
    nodes, edges, frames = drawn(graph.svg)
    assert (len(nodes), len(edges), len(frames)) == (len(graph.nodes), len(graph.edges), 3)
    size(graph.png)


def test_importing_viz_imports_nothing_heavy():
    code = (
        "import sys, tinygrad_edu.viz; "
        "print([m for m in ('matplotlib', 'rich', 'graphviz', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert callable(viz.graph)
    with pytest.raises(AttributeError, match="nothing"):
        viz.nothing  # noqa: B018


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
