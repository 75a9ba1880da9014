"""The tutorials: each is well formed and runs, quickly here and at full length among the slow tests."""

import json
import os
import re
import shutil
import subprocess
import sys

import jupytext
import numpy as np
import pytest
from rich.console import Console

import tinygrad_edu as te
from tinygrad_edu.errors import ArgumentError, FileError
from tinygrad_edu.lesson import Claim, ClaimError, Lesson, read_cells
from tinygrad_edu.lesson import table as tables
from tinygrad_edu.lesson.cells import find_tutorials, notebook, tutorial_of
from tinygrad_edu.lesson.running import run_tutorial
from tinygrad_edu.lesson.script import Settings, settings

COMMAND = [sys.executable, "-c", "from tinygrad_edu.cli import main; main()", "tutorial"]
TUTORIALS = find_tutorials()
each = pytest.mark.parametrize("path", TUTORIALS, ids=[path.stem for path in TUTORIALS])


def claims_of(folder, path):
    return json.loads((folder / f"{path.name[:2]}_claims.json").read_text(encoding="utf-8"))


def check_pictures(folder, result):
    assert result["pictures"], "a lesson shows something"
    for name in result["pictures"]:
        content = (folder / name).read_bytes()
        assert len(content) > 1000
        if name.endswith(".png"):
            assert content.startswith(b"\x89PNG")


# --- All of them -----------------------------------------------------------------------------------------


@each
def test_a_tutorial_follows_the_conventions(path):
    cells = read_cells(path.read_text(encoding="utf-8"))
    assert all(cell.text for cell in cells), "an empty cell"
    assert cells[0].kind == cells[-1].kind == "markdown"
    assert re.match(rf"# {int(path.name[:2])}\. \S", cells[0].text), "the title has the number"
    assert cells[1].kind == "code"
    assert f'Lesson("{path.stem}")' in cells[1].text
    for cell in cells:
        if cell.kind == "markdown":
            assert "$" not in cell.text, "formulas are plain text, for the terminal"
        else:
            compile(cell.text, path.name, "exec")
            assert "plt.show" not in cell.text
    assert "lesson.claim(" in path.read_text(encoding="utf-8")


@each
def test_a_tutorial_is_the_notebook_that_jupytext_sees(path):
    source = path.read_text(encoding="utf-8")
    ours = jupytext.reads(notebook(read_cells(source)), fmt="ipynb")
    theirs = jupytext.reads(source, fmt="py:percent")
    assert [(c.cell_type, c.source) for c in ours.cells] == [(c.cell_type, c.source) for c in theirs.cells]


@each
def test_the_short_run(path, tmp_path):
    run_tutorial(path, Settings(fast=True, out=tmp_path))
    result = claims_of(tmp_path, path)
    assert result["fast"] is True
    assert all(claim["holds"] for claim in result["claims"])
    check_pictures(tmp_path, result)


@pytest.mark.slow
@each
def test_the_full_run(path, tmp_path):
    done = subprocess.run(
        [sys.executable, str(path), "--out", str(tmp_path)], capture_output=True, text=True, cwd=tmp_path,
        env=os.environ | {"PYTHONUTF8": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    result = claims_of(tmp_path, path)
    print(path.stem, f"{result['seconds']:.0f} s", *(claim["what"] for claim in result["claims"]))
    assert done.stdout.count("claim holds: ") == len(result["claims"])
    check_pictures(tmp_path, result)


def test_numbers_are_used_once():
    numbers = [path.name[:2] for path in TUTORIALS]
    assert len(set(numbers)) == len(numbers)


# --- The command -----------------------------------------------------------------------------------------


def tutorial(*arguments, cwd):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, timeout=300,
        env=os.environ | {"PYTHONUTF8": "1", "COLUMNS": "90"},
    )  # fmt: skip


def test_a_number_runs_a_tutorial_with_its_explanations(tmp_path):
    done = tutorial(5, "--fast", "--seed", 3, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "# %%" not in done.stdout
    assert "One prediction by hand" in done.stdout
    assert "    model.compile(optimizer=" in done.stdout
    assert claims_of(tmp_path / "out", tutorial_of("5"))["seed"] == 3


def test_the_list_the_notebook_and_wrong_numbers(tmp_path):
    for arguments in ([], ["list"]):
        listed = tutorial(*arguments, cwd=tmp_path).stdout
        assert "  5  Sequential: four blobs" in listed
    written = tmp_path / "05_four_blobs.ipynb"
    assert tutorial("notebook", 5, cwd=tmp_path).returncode == 0
    assert json.loads(written.read_text(encoding="utf-8"))["nbformat"] == 4
    written.write_text("mine")
    again = tutorial("notebook", 5, cwd=tmp_path)
    assert again.returncode == 2
    assert "is there already" in again.stderr
    assert written.read_text() == "mine"
    for wrong in ("99", "5x", "../5"):
        done = tutorial(wrong, cwd=tmp_path)
        assert done.returncode == 2
        assert "there is no tutorial" in done.stderr


# --- The frame -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("x = 1\n# %%\n", "before the first"),
        ("# %% [raw]\n", "line 1: a cell begins with"),
        ("# %% [markdown]\n# Fine.\nx = 1\n", "line 3: in a Markdown cell"),
    ],
)
def test_scripts_that_are_no_cells(source, text):
    with pytest.raises(FileError, match=text):
        read_cells(source)


def script(tmp_path, body, name="01_mine"):
    path = tmp_path / f"{name}.py"
    first = f'from tinygrad_edu.lesson import Lesson\n\nlesson = Lesson("{name}")'
    path.write_text(f"# %% [markdown]\n# # Title\n\n# %%\n{first}\n\n# %%\n{body}\n", encoding="utf-8")
    return path


def test_an_error_names_the_line_of_the_script(tmp_path):
    path = script(tmp_path, "import tinygrad_edu as te\nte.zeros((2, 3)) @ te.zeros((2, 3))")
    with pytest.raises(te.TinygradEduError, match=r"\(tutorial 01_mine, line 11\)"):
        run_tutorial(path, Settings(out=tmp_path))
    broken = script(tmp_path, "1 / 0")
    with pytest.raises(ZeroDivisionError) as caught:
        run_tutorial(broken, Settings(out=tmp_path))
    last = caught.traceback[-1]
    assert (str(last.path), last.lineno + 1) == (str(broken), 10)


def test_classes_of_a_lesson_can_be_found_and_nothing_stays(tmp_path):
    body = (
        "import inspect, matplotlib\n"
        "class Mine:\n    pass\n"
        "source = inspect.getsource(Mine)\n"
        "matplotlib.rcParams['font.size'] = 33"
    )
    before = dict(sys.modules)
    module = run_tutorial(script(tmp_path, body), Settings(out=tmp_path))
    assert module["source"] == "class Mine:\n    pass\n"
    assert not [name for name in sys.modules.keys() - before.keys() if name.startswith("tutorial_")]
    import matplotlib

    assert matplotlib.rcParams["font.size"] != 33


def test_the_source_line_of_an_operation_is_the_tutorials():
    """They lie in the package's folder, but to the tape they are a user's program."""
    from tinygrad_edu import context

    path = tutorial_of("5")
    names = {"te": te}
    exec(compile("x = te.Tensor([1.0], requires_grad=True) * 2", str(path), "exec"), names)
    assert context.source_line(names["x"].node.where).file == str(path)


def test_the_terminal_shows_code_whole(tmp_path):
    line = "numbers = [" + ", ".join(map(str, range(60))) + "]"
    console = Console(width=60, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    run_tutorial(script(tmp_path, line), Settings(out=tmp_path), console)
    assert line in console.export_text()
    run_tutorial(script(tmp_path, line), Settings(out=tmp_path), console, code=False)
    text = console.export_text()
    assert "Title" in text
    assert "numbers" not in text
    console.file.close()


def test_settings_come_from_the_command_line_of_the_script_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["x/01_mine.py", "--fast", "--seed", "7", "--out", "there"])
    lesson = Lesson("01_mine")
    assert (lesson.fast, lesson.seed, lesson.out.name) == (True, 7, "there")
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
    lesson = Lesson("01_mine")
    assert (lesson.fast, lesson.seed, lesson.out.name) == (False, 0, "out")
    with settings(Settings(seed=5, out=tmp_path / "given")):
        assert Lesson("01_mine").seed == 5
        assert Lesson("01_mine", seed=6).seed == 6
    with pytest.raises(ArgumentError, match="the script's name"):
        Lesson("mine")


def test_whole_sets_are_used_where_they_are_at_hand(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_EDU_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path))
    lesson = Lesson("01_mine", out=tmp_path)
    assert not lesson.has("wine")
    (tmp_path / "wine").mkdir()
    (tmp_path / "wine" / "winequality-red.csv").write_text("quality")
    assert lesson.has("wine")
    assert not Lesson("01_mine", fast=True, out=tmp_path).has("wine")
    with pytest.raises(ArgumentError, match=r"qm8.*did you mean 'qm9'"):
        lesson.has("qm8")


def test_the_seed_decides_the_engines_numbers(tmp_path):
    def numbers(seed):
        Lesson("01_mine", seed=seed, out=tmp_path)
        return te.default_generator().random(3).tolist()

    assert numbers(1) == numbers(1) != numbers(2)


@pytest.mark.parametrize(
    ("bounds", "good", "bad"),
    [
        ({"at_least": 0.9}, 0.9, 0.89),
        ({"at_most": 0.1}, 0.1, 0.11),
        ({"about": 0.5, "within": 0.1}, 0.55, 0.7),
        ({"about": 17}, 17, 18),
    ],
)
def test_a_claim_holds_or_ends_the_lesson(bounds, good, bad, tmp_path, capsys):
    lesson = Lesson("01_mine", out=tmp_path)
    lesson.claim("a figure", good, **bounds, course=0.919)
    assert "claim holds: a figure" in capsys.readouterr().out
    for value in (bad, float("nan")):
        with pytest.raises(ClaimError, match="doesn't hold"):
            lesson.claim("another", value, **bounds)
    kept = json.loads((tmp_path / "01_claims.json").read_text())["claims"]
    assert [claim["holds"] for claim in kept] == [True, False, False]
    assert kept[0]["course"] == 0.919
    assert kept[2]["value"] is None


def test_the_bound_of_the_short_run(tmp_path):
    short = Lesson("01_mine", fast=True, out=tmp_path)
    short.claim("accuracy", 0.7, at_least=0.9, fast=0.6)
    short.claim("slope", 10.5, about=10, within=0.1, fast=1)
    with pytest.raises(ClaimError):
        short.claim("accuracy", 0.5, at_least=0.9, fast=0.6)
    with pytest.raises(ClaimError):  # no bound of its own: that of the full length
        short.claim("accuracy", 0.7, at_least=0.9)
    with pytest.raises(ClaimError):
        Lesson("01_mine", out=tmp_path).claim("accuracy", 0.7, at_least=0.9, fast=0.6)


@pytest.mark.parametrize("bounds", [{}, {"at_least": 1, "at_most": 2}, {"within": 1}])
def test_a_claim_has_one_bound(bounds):
    with pytest.raises(ArgumentError, match="give one of at_least"):
        Claim("accuracy", 1.0, **bounds)


def test_numpy_numbers_are_claimed_too(tmp_path):
    lesson = Lesson("01_mine", out=tmp_path)
    lesson.claim("accuracy", np.float32(0.5), at_least=np.float64(0.5))
    lesson.claim("loss", np.float64(0.7), about=np.log(2), within=np.float32(0.1))
    kept = json.loads((tmp_path / "01_claims.json").read_text())["claims"]
    assert [claim["value"] for claim in kept] == [0.5, 0.7]


def test_the_table_runs_what_is_missing_and_takes_the_median(tmp_path):
    body = (
        "lesson.claim('seed', lesson.seed ** 2, at_least=0, course=3)\nlesson.claim('other', 1, at_least=0)"
    )
    path, out = script(tmp_path, body), tmp_path / "out"
    assert [tables.measure(path, seed, out) for seed in range(3)] == [True, True, True]
    assert not tables.measure(path, 1, out)
    text = tables.table(tables.read_results([path], range(3), out))
    row = r"\| \[1\]\(tutorials/01_mine\.py\), \d+ s \| seed \| 3 \| 1 \| at least 0 \|"
    assert re.fullmatch(row, text.splitlines()[2])
    assert len(text.splitlines()) == 3
    failing = script(tmp_path, "lesson.claim('seed', -1, at_least=0)", name="02_fails")
    with pytest.raises(FileError, match=r"02_fails\.py with seed 0 fails(?s:.*)doesn't hold"):
        tables.measure(failing, 0, out)


def test_the_table_goes_between_its_marks(tmp_path):
    page = tmp_path / "README.md"
    page.write_text(f"before\n{tables._BEGIN}\nold\n{tables._END}\nafter\n")
    tables.update(page, "| new |")
    assert page.read_text() == f"before\n{tables._BEGIN}\n| new |\n{tables._END}\nafter\n"
    page.write_text("nothing")
    with pytest.raises(FileError, match="has no place for the table"):
        tables.update(page, "| new |")
    assert page.read_text() == "nothing"


def test_a_changed_script_is_measured_again(tmp_path, monkeypatch):
    from tinygrad_edu.lesson import script as frame

    monkeypatch.setattr(frame, "FOLDER", tmp_path)
    path, out = script(tmp_path, "lesson.claim('seed', 1, at_least=0)"), tmp_path / "out"
    folder = out / "seed-0"
    with settings(Settings(out=folder)):
        run_tutorial(path, Settings(out=folder))
    result = folder / "01_claims.json"
    result.write_text(json.dumps(json.loads(result.read_text()) | {"complete": True}))
    assert not tables.measure(path, 0, out)
    path.write_text(path.read_text() + "\nprint('changed')\n")
    assert tables.measure(path, 0, out)
    shutil.rmtree(out)
