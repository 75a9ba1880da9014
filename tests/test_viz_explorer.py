"""The explorer's content: what goes into the page, without a browser."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from explorer_cases import cnn_loss, recurrent_loss
from graph_cases import computations, inside, leaf, mlp_loss, tape
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import viz
from tinygrad_edu.errors import ArgumentError, DTypeError, FileError, GradientError
from tinygrad_edu.ops import OPERATIONS
from tinygrad_edu.tracing import Numbers
from tinygrad_edu.viz.explorer.abridged import abridged
from tinygrad_edu.viz.explorer.levels import WHOLE, module_tree
from tinygrad_edu.viz.explorer.mathml import mathml


def contained(page):
    """Read the page's data back out of its HTML, as a browser would."""
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.html, re.DOTALL)[1]
    return json.loads(text)


def total(outputs):
    """A number to differentiate, whatever was computed."""
    return sum((y * y).sum() for y in outputs)


# -- the graph and its levels --------------------------------------------------------------------------------


@given(computations())
def test_every_operation_and_every_input_is_there_once(results):
    loss = total(results)
    if not loss.requires_grad:
        return
    nodes, leaves, arrows = tape(loss)
    content = viz.explore(loss).content
    kinds = [box["kind"] for box in content["boxes"]]
    assert kinds.count("operation") == len(nodes)
    assert len(kinds) == len(nodes) + len(leaves)
    assert len(content["arrows"]) == arrows


@given(computations())
def test_every_arrow_can_be_followed_through_the_levels(results):
    loss = total(results)
    if not loss.requires_grad:
        return
    content = viz.explore(loss).content
    edges = {}
    for id, level in content["levels"].items():
        for edge in level["edges"]:
            assert edge["source"] in level["items"]
            assert edge["target"] in level["items"]
            assert len(edge["points"]) >= 8
            assert len(edge["points"]) % 6 == 2  # cubic curves, end to end
            for arrow in edge["arrows"]:
                edges.setdefault(arrow, []).append((id, edge))
    for arrow in content["arrows"]:
        place = source = arrow["source"]
        waiting = list(edges[arrow["id"]])
        while place != arrow["target"]:  # from one stretch to the next, until it arrives
            id, edge = next((id, edge) for id, edge in waiting if edge["source"] == place)
            waiting.remove((id, edge))
            if edge["target"].startswith("out:"):
                place = id  # out of the module that was the level
            elif edge["target"] in content["levels"]:
                place = edge["enters"]  # into the module
                assert place in content["levels"][edge["target"]]["items"]
            else:
                place = edge["target"]
        assert not waiting, source


@given(computations())
def test_boxes_of_a_level_do_not_overlap(results):
    loss = total(results)
    if not loss.requires_grad:
        return
    for level in viz.explore(loss).content["levels"].values():
        items = list(level["items"].values())
        for i, (x, y, w, h) in enumerate(items):
            assert w / 2 - 0.2 <= x <= level["width"] - w / 2 + 0.2
            assert h / 2 - 0.2 <= y <= level["height"] - h / 2 + 0.2
            for x2, y2, w2, h2 in items[:i]:
                assert abs(x - x2) >= (w + w2) / 2 - 0.2 or abs(y - y2) >= (h + h2) / 2 - 0.2


def test_modules_are_a_tree():
    content = viz.explore(cnn_loss()).content
    paths = {module["path"]: module for module in content["modules"]}
    assert list(paths) == [
        "",
        "cnn",
        "cnn/conv2d",
        "cnn/max_pooling2d",
        "cnn/flatten",
        "cnn/dense",
        "cnn/dense_1",
    ]
    assert paths["cnn"]["parent"] == WHOLE
    assert paths["cnn/conv2d"]["label"] == ["conv2d", "(4, 26, 26, 3)", "30 parameters"]
    assert paths["cnn/flatten"]["label"] == ["flatten", "(4, 507)"]
    assert sorted(content["order"]) == sorted(
        [box["id"] for box in content["boxes"]] + [m["id"] for m in content["modules"] if m["id"] != WHOLE]
    )


@pytest.mark.parametrize("most", [2, 3, 7])
def test_a_long_level_is_cut_into_groups(most):
    y = leaf(2, name="x")
    for i in range(50):
        y = inside("net" if i % 9 else "net/part", te.tanh, y)
    boxes = viz.graph(y).nodes
    tree = module_tree(boxes, most=most)
    assert all(len(m.boxes) + len(m.modules) <= most for m in tree.values())
    assert sorted(id for m in tree.values() for id in m.boxes) == sorted(box.id for box in boxes)
    for module in tree.values():
        for inner in module.modules:
            assert tree[inner].parent == module.id


def test_a_thousand_operations_in_one_module():
    content = viz.explore(recurrent_loss()).content
    assert sum(box["kind"] == "operation" for box in content["boxes"]) > 1000
    assert max(len(level["items"]) for level in content["levels"].values()) < 300  # with ports
    assert len(json.dumps(content)) < 3_000_000


# -- the numbers ---------------------------------------------------------------------------------------------


def test_gradients_are_those_of_backward():
    te.seed(0)
    x = te.Tensor([[1.0, -2.0], [0.5, 3.0]], name="x")
    w = te.Tensor([[0.1, 0.2], [0.3, -0.4]], requires_grad=True, name="w")
    b = te.Tensor([0.5, -0.5], requires_grad=True, name="b")

    def loss():
        return (te.relu(x @ w + b) * b).sum()

    content = viz.explore(loss()).content
    assert w.grad is None
    loss().backward()
    for name, tensor in (("w", w), ("b", b)):
        box = next(box for box in content["boxes"] if box["name"] == name)
        shown = content["tensors"][box["grads"][0]]["numbers"]
        np.testing.assert_allclose(shown, tensor.grad.data.ravel(), rtol=1e-5)
    stretched = [arrow for arrow in content["arrows"] if arrow["summed"]]
    assert [(arrow["argument"], arrow["summed"], arrow["raw"]) for arrow in stretched] == [
        ("x2", (0,), "(2, 2)"),
        ("x2", (0,), "(2, 2)"),
    ]


@given(
    st.lists(st.integers(0, 9), max_size=5),
    st.sampled_from(["float32", "float64", "int64", "bool"]),
    st.integers(64, 4096),
    st.booleans(),
)
def test_any_array_can_be_abridged(shape, dtype, pixels, filters):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    if array.size and array.dtype.kind == "f":
        array.flat[0] = np.nan
    t = abridged(Numbers.of(array, 1000), pixels, filters)
    text = json.dumps(t, allow_nan=False)
    assert len(text) < 2000 + 2 * pixels
    if array.size:
        assert len(t["numbers"]) == t["rows"] * t["columns"]
    if t["whole"] and array.size:
        assert t["numbers"] == [str(x) if x != x else x for x in array.ravel().tolist()]
    if "heat" in t:
        assert t["heat"]["tiles"] * t["heat"]["rows"] * t["heat"]["columns"] <= pixels
        assert sum(t["histogram"]) == array.size - t["strange"]


def test_a_heatmap_says_what_it_shows():
    images = abridged(Numbers.of(np.ones((5, 60, 60, 8)), None), 4096)
    assert images["heat"]["about"] == "image 1, channels 1 to 7 of 8, every 3rd row and column"
    kernel = abridged(Numbers.of(np.ones((3, 3, 4, 8)), None), 4096, filters=True)
    assert kernel["heat"]["about"] == "filters 1 to 8 of 8, of the first channel"
    assert kernel["about"] == "the corner [:3, :3, 0, 0] of (3, 3, 4, 8)"


# -- formulas ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_formula_becomes_mathml(name):
    for latex in (OPERATIONS[name].formula, OPERATIONS[name].derivative):
        lines = mathml(latex)
        assert lines is not None, latex
        assert "\\" not in "".join(lines)
        assert len(lines) >= bool(latex)


def test_a_formula_that_is_not_understood_stays_latex():
    for latex in (r"y = \nonsense x", r"y = \frac{", "y < x & z", r"\text{<script>alert(1)</script>}"):
        assert mathml(latex) is None


def test_a_formula_links_nowhere():
    assert "href" not in str(mathml(r"\href{https://example.org}{y} = \style{color: red}{x}"))


def test_functions_have_room_beside_them():
    (line,) = mathml(r"y = \arg x")
    assert "arg" in line
    (line,) = mathml(r"y = \operatorname{avg\_pool2d}(x)")
    assert "avg_pool2d" in line


# -- the page ------------------------------------------------------------------------------------------------


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def test_nothing_is_loaded_from_anywhere():
    page = viz.explore(mlp_loss()).html
    elements = Elements(page).found
    policy = next(a["content"] for _, a in elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    for tag, attributes in elements:
        assert "src" not in attributes
        assert tag != "link" or attributes == {"rel": "icon", "href": "data:,"}
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
    assert sorted(set(re.findall(r"https?://[^\"'\s\\]+", page))) == [
        "http://www.w3.org/1998/Math/MathML",
        "http://www.w3.org/2000/svg",
    ]


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_name_is_read_back_as_it_was(name, module):
    loss = inside(module, lambda: (leaf(2, name=name) * 2.0).sum())
    loss.name = "</script><script>alert(1)</script>" + name
    content = contained(viz.explore(loss))
    box = next(box for box in content["boxes"] if box["kind"] == "parameter")
    expected = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    assert box["name"] == expected


def test_names_cannot_end_the_script():
    loss = (leaf(2, name="</script><script>alert(1)</script>") * 2.0).sum()
    tags = [tag for tag, _ in Elements(viz.explore(loss).html).found]
    assert tags.count("script") == 2


def test_the_same_computation_gives_the_same_page():
    assert viz.explore(mlp_loss()).html == viz.explore(mlp_loss()).html


def test_it_is_written_and_shown_in_a_notebook(tmp_path):
    path = tmp_path / "explorer.html"
    page = viz.explore(mlp_loss(), path)
    assert path.read_text(encoding="utf-8") == page.html
    assert page._repr_html_().startswith("<iframe srcdoc=")
    assert repr(page).startswith("<Page of loss = ")
    assert list(tmp_path.iterdir()) == [path]


def test_several_results_and_gradients_of_any_shape():
    x = leaf(3, name="x")
    content = viz.explore([x * 2.0, x * 3.0], gradients=[np.ones(3), np.ones(3)]).content
    box = next(box for box in content["boxes"] if box["name"] == "x")
    assert content["tensors"][box["grads"][0]]["numbers"] == [5.0, 5.0, 5.0]


def test_wrong_arguments(tmp_path):
    loss = leaf(2).sum()
    with pytest.raises(DTypeError, match="expected a Tensor"):
        viz.explore(np.ones(3))
    with pytest.raises(ArgumentError, match=r"ends in \.html"):
        viz.explore(loss, tmp_path / "explorer.svg")
    with pytest.raises(FileError, match="can't write"):
        viz.explore(loss, tmp_path / "nowhere" / "explorer.html")
    with pytest.raises(GradientError, match="doesn't require a gradient"):
        viz.explore(te.Tensor(1.0) * 2.0)
    with pytest.raises(ArgumentError, match="more than the limit of 2"):
        viz.explore((leaf(2) * 2.0).sum(), limit=2)
    loss.backward()
    with pytest.raises(GradientError, match="retain_graph"):
        viz.explore(loss)


def test_the_command_writes_a_page(tmp_path, capsys):
    from tinygrad_edu.cli import main

    path = tmp_path / "mlp.html"
    main(["explore", "mlp", "--out", str(path)])
    text = path.read_text(encoding="utf-8")
    assert "loss = " in text
    assert '"where":{' not in text  # no line of the user's led there, so none of the command's is shown
    said = capsys.readouterr().out
    assert said.startswith(f"{path}: ")
    assert "6 parameters with 109,386 numbers" in said
    with pytest.raises(SystemExit):
        main(["explore", "nowhere", "--out", str(path)])
    assert "mlp, cnn, vae, unet" in capsys.readouterr().err
