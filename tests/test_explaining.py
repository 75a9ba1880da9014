"""What te.explain says: held against the gradients that the engine computes, and read as its reader would."""

import re

import numpy as np
import pytest
from graph_cases import mlp_loss
from hypothesis import given, settings
from hypothesis import strategies as st
from operations_table import DIFFERENTIABLE, call_of, cases, is_float

import tinygrad_edu as te
from tinygrad_edu import Tensor, nn
from tinygrad_edu.cli import main
from tinygrad_edu.errors import ArgumentError, GradientError
from tinygrad_edu.explaining import unicode_math
from tinygrad_edu.ops import OPERATIONS


def dense():
    """The loss of the course's first lesson, with a broadcast bias."""
    x = Tensor(np.array([[1, 2, 0.5], [0, -1, 2], [3, 1, -2], [1, 0, 1]], "f4"))
    W = Tensor(np.array([[1, -1], [0.5, 2], [-1, 0.25]], "f4"), requires_grad=True)
    b = Tensor(np.array([0.25, -0.5], "f4"), requires_grad=True)
    loss = (x @ W + b).relu().sum()
    return te.explain(loss), loss, W, b


def printed(text, gradient):
    """Read an array back from where the text says ``gradient (shape) =``, the last time it does."""
    found = re.findall(rf"{re.escape(gradient)}(?: \([\d, ]+\))? =\s*(\[[^a-z∂]*\]|-?[\d.e-]+)", text)
    return np.array(eval(re.sub(r"\]\s*\[", "],[", re.sub(r"(?<=[\d.])\s+(?=[-\d])", ",", found[-1]))))


def section(text, title):
    """Return what stands below a title, up to the next one."""
    titles = ["What goes in", "Forward", "Backward", "What the parameters get", "The chain rule, written out"]
    lines = text.splitlines()
    start = lines.index(title)
    ends = [i for i, line in enumerate(lines) if i > start and line in titles]
    return "\n".join(lines[start + 1 : min(ends, default=len(lines))])


def test_a_broadcast_bias():
    explanation, loss, W, b = dense()
    text = str(explanation)
    assert W.grad is None  # nothing has happened to it
    loss.backward()
    assert np.array_equal(printed(text, "∂loss/∂b"), b.grad.data)
    np.testing.assert_allclose(printed(text, "∂loss/∂W"), W.grad.data, rtol=1e-3)
    backward = " ".join(section(text, "Backward").split())
    assert "b is (2,): each of its numbers was used 4 times" in backward
    assert "the rule's gradient is (4, 2)" in backward
    assert "summed over axis 0" in backward
    sums = re.search(r"For b\[0\]: ([\d +]+) = (\d+)", backward)
    assert eval(sums[1]) == int(sums[2]) == b.grad.data[0]
    forward = section(text, "Forward")
    assert "b (2,) is stretched to (4, 2)" in forward
    assert re.findall(r"= (x @ W|v1 \+ b|relu|sum)", forward) == ["x @ W", "v1 + b", "relu", "sum"]
    assert re.findall(r"\d (\w+): ", backward) == ["sum", "relu", "add", "matmul"]
    assert "Y = X₁ X₂" in forward
    assert "X̄₁ = Ȳ X₂ᵀ,   X̄₂ = X₁ᵀ Ȳ" in text
    assert "loss → sum (4) → relu (3) → add (2) → b" in text
    assert "test_explaining.py" in forward
    assert "loss = (x @ W + b).relu().sum()" in forward
    assert max(len(line) for line in text.splitlines()) <= 100


@given(m=st.integers(1, 7), k=st.integers(1, 7), n=st.integers(1, 7), seed=st.integers(0, 99))
def test_one_number_of_each_gradient_of_a_product_is_worked_out(m, k, n, seed):
    """As long as the sums are short; and it is the number that the walk computes."""
    rng = np.random.default_rng(seed)
    a, b = (
        Tensor(rng.integers(-9, 9, shape).astype("f4"), requires_grad=True, name=name)
        for name, shape in (("a", (m, k)), ("b", (k, n)))
    )
    loss = (a @ b * Tensor(rng.integers(-9, 9, (m, n)).astype("f4"), name="c")).sum()
    text = " ".join(str(te.explain(loss)).split())
    loss.backward()
    for name, of, other, terms in (("a", a, "row 0 of b times row 0", n), ("b", b, "column 0 of a times", m)):
        found = re.findall(rf"{name}\[0, 0\]: ([-\d· +()]+) = (-?\d+), {other}", text)
        assert len(found) == (terms <= 6)
        for sums, result in found:
            assert sums.count("·") == terms
            assert eval(sums.replace("·", "*")) == float(result) == of.grad.data[0, 0]


def test_what_was_told_just_now_is_not_written_out_again():
    backward = section(str(dense()[0]), "Backward")
    assert re.findall(r"as operation (\d) has just sent it", backward) == ["4", "3", "2"]


# Graphs of single numbers: each step takes two of what is there.
PLACE = st.integers(0, 9)
STEPS = st.lists(st.tuples(PLACE, PLACE, st.sampled_from("+*-s")), min_size=1, max_size=7)


def scalar_graph(steps):
    a, b = Tensor(1.5, True, "float64"), Tensor(-0.5, True, "float64")
    made = [a, b]
    for i, j, kind in steps:
        x, y = made[i % len(made)], made[j % len(made)]
        made.append({"+": x + y, "*": x * y, "-": x - y, "s": te.sin(x)}[kind])
    return a, b, made[-1]


@given(STEPS)
@settings(max_examples=2 * settings().max_examples)
def test_the_chain_rule_of_single_numbers(steps):
    """Each line of symbols has the terms of its line of numbers, and these give the gradient."""
    a, b, loss = scalar_graph(steps)
    text = str(te.explain(loss))
    slopes = te.grad(loss, [a, b], allow_unused=True)
    chain = section(text, "The chain rule, written out")
    for name, slope in zip("ab", slopes, strict=True):
        if slope is None:
            assert f"\n∂loss/∂{name}\n" not in chain
            continue
        entry = chain[chain.index(f"∂loss/∂{name}\n") :].split("\n\n")[0]
        rows, label = {}, ""
        for line in entry.splitlines()[1:]:
            label = line[:14].strip() or label
            rows[label] = f"{rows.get(label, '')} {line[14:].strip()}"
        total = eval(rows["numbers"].replace("·", "*"))
        np.testing.assert_allclose(total, slope.item(), rtol=2e-2, atol=5e-3)
        np.testing.assert_allclose(float(rows["result"]), slope.item(), rtol=1e-3)
        for sign in "·+":
            assert rows["symbols"].count(f" {sign} ") == rows["numbers"].count(f" {sign} ")


def test_gradients_that_meet_are_added():
    a = Tensor(2.0, requires_grad=True)
    L = a * 3.0 + a * a
    text = str(te.explain(L))
    assert "a has 3 uses, and what comes back from them is added:" in text
    found = re.findall(r"from +(\w+) \(operation \d\) = (\d+)", text)
    assert sorted(found) == [("multiply", "2"), ("multiply", "2"), ("multiply", "3")]
    assert "sum      ∂L/∂a = 7" in text
    assert "∂v2/∂(a as x₁)" in text


def test_what_a_hook_does_is_told():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    y.register_hook(lambda g: g * 10)
    text = str(te.explain(y.sum()))
    assert "a hook puts another in its place: ∂loss/∂y (2,) = [10 10]" in text
    assert "chain rule, written" not in text


def test_a_gradient_may_be_given():
    y = Tensor([1.0, 2.0], requires_grad=True) * 3
    assert "∂y/∂y (2,) = [5 7]   which was given to begin with" in str(te.explain(y, [5.0, 7.0]))


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_every_operation_can_be_explained(name):
    @given(st.data())
    @settings(max_examples=settings().max_examples // 10)
    def run(data):
        case = data.draw(cases(name))
        inputs = [Tensor(x, requires_grad=True) if is_float(x) else x for x in case.inputs]
        results = call_of(name)(*inputs, **case.params)
        results = [y for y in (results if isinstance(results, tuple) else (results,)) if y.requires_grad]
        if results:
            explanation = te.explain(results, [np.ones(y.shape) for y in results])
            text = str(explanation)
            assert "\\" not in section(text, "Forward") + section(text, "Backward")
            is_sound(explanation.latex())
            assert explanation._repr_markdown_().count("$") % 2 == 0

    run()


def is_sound(latex):
    """Check that LaTeX has no brace and no environment that stays open, and that dollars come in pairs."""
    bare = re.sub(r"\\\\|\\[{}$]", "", latex)
    depth = 0
    for c in bare:
        depth += (c == "{") - (c == "}")
        assert depth >= 0
    assert depth == 0
    assert bare.count("$") % 2 == 0
    assert latex.count(r"\begin{description}") == latex.count(r"\end{description}")
    assert latex.isascii()


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_formula_converts(name):
    for latex in (OPERATIONS[name].formula, OPERATIONS[name].derivative):
        text = unicode_math(latex)
        assert not re.search(r"\\|\^\{|_\{|[\ue000]", text)
        assert text.count("(") == text.count(")")
        assert text.count("[") == text.count("]")
        assert ("{" in text) == (r"\{" in latex)


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\frac{1}{n} \sum_i x_i", "(1/n) Σᵢ xᵢ"),
        (r"\sqrt[3]{x}, \sqrt{1 - x^2}", "∛x, √(1 - x²)"),
        (r"X_2^\top A^{-1}", "X₂ᵀ A⁻¹"),
        (r"e^{x_i} x^{10} y_{n i f}", "e^(xᵢ) x¹⁰ y[n, i, f]"),
        (r"\bar{\psi} \hat{x}", "ψ̄ x̂"),
        (r"\left(\bar{y}_i \right) \text{ if } \{a\}", "(ȳᵢ) if {a}"),
        ("", ""),
    ],
)
def test_formulas_as_text(latex, text):
    assert unicode_math(latex) == text


def test_an_unknown_command_is_refused():
    with pytest.raises(ArgumentError, match=r"\\mathscr"):
        unicode_math(r"\mathscr{x}")


def test_names_that_look_like_markup_stay_text():
    x = Tensor([1.0], requires_grad=True, name="[bold]$w_1$<b>*</b>")
    explanation = te.explain((x * 2).sum())
    assert "[bold]$w_1$<b>*</b>" in str(explanation)
    is_sound(explanation.latex())
    assert r"\$w\_1\$" in explanation.latex()
    assert "`[bold]$w_1$<b>*</b>`" in explanation._repr_markdown_()


def test_two_tensors_of_one_name_are_told_apart():
    x, y = Tensor(1.0, True, name="w"), Tensor(2.0, True, name="w")
    text = str(te.explain(x * y))
    assert "loss = w * w#2" in text
    assert "∂loss/∂w#2 = 1" in text


def test_weights_of_one_name_are_told_apart_by_their_modules():
    halves = [nn.Sequential([nn.Input((2,)), nn.Dense(2)], name=name) for name in ("encoder", "decoder")]
    text = str(te.explain(halves[1](halves[0](np.ones((1, 2), "f4"))).sum()))
    assert "encoder/dense/kernel (2, 2)   a parameter" in text
    assert "decoder/dense/kernel (2, 2)   a parameter" in text


def test_a_function_of_ones_own_needs_no_formula():
    class Cube(te.Function):
        @staticmethod
        def forward(x):
            return x**3

        @staticmethod
        def backward(g, x):
            return g * 3 * x**2

    x = Tensor(2.0, requires_grad=True)
    text = str(te.explain(Cube.apply(x)))
    assert "loss = cube(x)" in text
    assert "∂loss/∂x = 12" in text
    assert "formula" not in text


def test_large_graphs_are_cut_and_say_so():
    x = Tensor(0.5, requires_grad=True)
    y = x
    for _ in range(30):
        y = te.sin(y)
    text = str(te.explain(y, limit=4))
    assert "26 operations in the middle are left out (26 sin)" in " ".join(text.split())
    assert "… 26 operations, 3 to 28, left out here" in section(text, "Forward")
    assert "… 26 operations, 28 to 3, left out here" in section(text, "Backward")
    assert len(re.findall(r"(?m)^ *\d+  ", section(text, "Forward"))) == 4
    assert "left out" not in str(te.explain(y, limit=None))


def test_a_part_of_a_network():
    loss = mlp_loss()
    text = str(te.explain(loss, around="mlp/dense_1"))
    assert "in mlp/dense_1" in text
    assert "in mlp/dense," not in text
    assert str(te.explain(loss, around="dense_1")) == text
    layer = nn.Dense(2, name="dense_1")
    assert str(te.explain(loss, around=layer)) == text
    with pytest.raises(ArgumentError, match=r"module 'dense_9'. There are: mlp/dense, mlp/dense_1"):
        te.explain(loss, around="dense_9")


def test_around_a_tensor():
    a, b = Tensor(2.0, requires_grad=True), Tensor(3.0, requires_grad=True)
    y = a * b
    loss = te.sin(te.exp(y) + b)
    near = section(str(te.explain(loss, around=y)), "Forward")
    assert re.findall(r"= (\w+)\(", near) == ["exp"]
    assert "y = a * b" in near
    assert "a * b" in section(str(te.explain(loss, around=a)), "Forward")
    with pytest.raises(ArgumentError, match="no part of what was computed"):
        te.explain(loss, around=Tensor(1.0))
    with pytest.raises(ArgumentError, match="around must be a tensor, a module or its path"):
        te.explain(loss, around=3)
    with pytest.raises(ArgumentError, match="limit must be at least 2"):
        te.explain(loss, limit=1)
    loss.backward()
    with pytest.raises(GradientError, match=r"before backward\(\)"):
        te.explain(loss)


def test_edges():
    x = Tensor(2.0, requires_grad=True)
    assert "∂x/∂x = 1" in str(te.explain(x))  # the loss is the leaf
    empty = Tensor(np.zeros((0, 3)), requires_grad=True)
    assert "no numbers at all" in str(te.explain(empty.sum()))
    strange = Tensor([np.nan, np.inf, 1.0], requires_grad=True)
    assert "[nan inf 1]" in str(te.explain((strange * 2).sum()))
    is_sound(te.explain((strange * 1e-9).sum()).latex())


def test_it_is_shown_in_colours_where_there_are_any(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    explanation, *_ = dense()
    explanation.show()
    assert "\x1b[" in capsys.readouterr().out
    monkeypatch.delenv("FORCE_COLOR")
    explanation.show()
    out = capsys.readouterr().out
    assert "\x1b[" not in out
    assert "∂loss/∂b" in out
    assert repr(explanation) == str(explanation)


def command(capsys, *arguments):
    code = 0
    try:
        main(["explain", *arguments])
    except SystemExit as ended:
        code = ended.code
    return code, capsys.readouterr()


def test_the_command(capsys, tmp_path):
    code, said = command(capsys, "mlp")
    assert code == 0
    assert "linear(" in section(said.out, "Forward")
    assert "dense_2/bias" in section(said.out, "What the parameters get")
    assert all(line == line.rstrip() for line in said.out.splitlines())
    _, near = command(capsys, "mlp", "--around", "dense_1")
    assert len(near.out) < len(said.out)
    for suffix, sign in ((".txt", "Forward"), (".md", "### Forward"), (".tex", r"\section*{Forward}")):
        path = tmp_path / f"mlp{suffix}"
        assert command(capsys, "mlp", "--limit", "4", "--out", str(path))[0] == 0
        assert sign in path.read_text(encoding="utf-8")
    assert command(capsys, "mpl")[0] == 2
    code, said = command(capsys, "mlp", "--out", "x.pdf")
    assert code == 2
    assert "ends in .txt, .md or .tex" in said.err
