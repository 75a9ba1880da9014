"""``tinygrad-edu graph``: models by name, runs and files, as pictures."""

import pytest
from click.testing import CliRunner
from graph_cases import drawn

from tinygrad_edu import nn, viz
from tinygrad_edu.cli import cli, main
from tinygrad_edu.commands.subjects import NAMES, find_subject
from tinygrad_edu.errors import ArgumentError, FileError

pytestmark = pytest.mark.usefixtures("no_system_dot")


def run(*arguments):
    result = CliRunner().invoke(cli, ["graph", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("name", NAMES)
def test_every_named_model_with_each_layer_as_one_box(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    said = run(name, "--depth", 1)
    nodes, edges, _ = drawn((tmp_path / f"{name}.svg").read_text("utf-8"))
    assert said == f"{name}.svg: {len(nodes)} boxes and {len(edges)} arrows\n"
    subject = find_subject(name)
    assert len(nodes) == len(viz.graph(subject.model, subject.x, depth=1).nodes)


@pytest.mark.parametrize("name", ["mlp", "vae"])
def test_gradients_colour_what_the_loss_depends_on(tmp_path, name):
    run(name, "--gradients", "--depth", 1, "--out", tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_text("utf-8")
    assert "norm of the gradient" in svg
    assert any("loss = " in line for lines in drawn(svg)[0].values() for line in lines)
    assert svg.count("gradient norm") == len(find_subject(name).model.weights) // 2


def test_a_saved_model_and_a_run(tmp_path):
    model = nn.models.mlp((28, 28), (5,), 10)
    model.compile("adam", "sparse_categorical_crossentropy")
    (tmp_path / "run").mkdir()
    model.save(tmp_path / "run" / "model.safetensors")
    for place in (tmp_path / "run", tmp_path / "run" / "model.safetensors"):
        run(place, "--gradients", "--fold", "dense_1", "--out", tmp_path / "a.svg")
        titles = {lines[0] for lines in drawn((tmp_path / "a.svg").read_text("utf-8"))[0].values()}
        assert {"dense_1", "dense/kernel"} <= titles
        assert "dense_1/kernel" not in titles


def test_a_saved_model_for_another_shape_and_another_loss(tmp_path):
    model = nn.models.mlp(3, (4,), 2, output_activation=None)
    model.compile("adam", "mse")
    model.save(tmp_path / "small.safetensors")
    run(tmp_path / "small.safetensors", "--gradients", "--out", tmp_path / "a.dot", "--direction", "LR")
    assert "rankdir=LR" in (tmp_path / "a.dot").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nope"], "expected mlp, cnn, vae, unet, the folder of a run"),
        (["mlp", "--fold", "dens"], "did you mean 'mlp/dense'?"),
        (["mlp", "--out", "a.pdf"], ".svg, .png or .dot"),
        (["mlp", "--depth", "-1"], "x>=0"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["graph", *arguments])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_step_of_a_tutorial_is_a_subject_too(tmp_path):
    step = find_subject("1:p")
    assert step.name == "01_p"
    assert step.loss().node is not None
    assert 0 < step.loss().item() < 1
    run("1:p", "--out", tmp_path / "p.svg")
    assert "sigmoid" in (tmp_path / "p.svg").read_text()


@pytest.mark.parametrize(
    ("name", "words"), [("1:nothing", "1:p"), ("77:loss", "no tutorial"), ("x:y", "tutorial")]
)
def test_a_step_that_is_not_there(name, words):
    with pytest.raises((ArgumentError, FileError), match=words):
        find_subject(name)
