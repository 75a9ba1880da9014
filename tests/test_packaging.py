"""The package as it is built and imported."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    return done.stdout.splitlines()


def python(code):
    done = subprocess.run([sys.executable, *code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_package_and_nothing_else(tmp_path):
    tracked = set(git("ls-files", "tinygrad_edu"))
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)], check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    assert names == tracked


def test_the_links_at_the_top_lead_into_the_package():
    for name in ("nn", "data", "tutorials", "viz"):
        assert (ROOT / name).resolve() == ROOT / "tinygrad_edu" / name
    links = [line.split("\t")[1] for line in git("ls-files", "-s") if line.startswith("120000")]
    assert sorted(links) == ["data", "nn", "tutorials", "viz"]


def test_importing_stays_light():
    code = (
        "import sys, tinygrad_edu; from tinygrad_edu import nn, data, viz, kernels; "
        "print([m for m in ('numba', 'matplotlib', 'sklearn', 'rich', 'pooch', 'graphviz', 'scipy', 'click', "
        "'safetensors', 'hypothesis', 'pandas') if m in sys.modules])"
    )
    assert python(["-c", code]).stdout.strip() == "[]"


def test_the_engine_does_not_import_what_stands_above_it():
    """Imports run one way: kernels, then operations and tensors, then nn, then viz, data and the command."""
    code = "import sys, tinygrad_edu; print(sorted(m for m in sys.modules if m.startswith('tinygrad_edu.')))"
    loaded = python(["-c", code]).stdout
    for above in ("tinygrad_edu.nn", "tinygrad_edu.data", "tinygrad_edu.viz", "tinygrad_edu.cli"):
        assert f"'{above}'" not in loaded
    code = code.replace("tinygrad_edu;", "tinygrad_edu.nn;")
    loaded = python(["-c", code]).stdout
    for above in ("tinygrad_edu.data", "tinygrad_edu.viz", "tinygrad_edu.cli"):
        assert f"'{above}'" not in loaded


def test_every_public_name_is_there_and_documented():
    import tinygrad_edu as te
    from tinygrad_edu import data, kernels, nn, ops, viz

    for module in (
        te,
        nn,
        nn.layers,
        nn.losses,
        nn.metrics,
        nn.optimizers,
        nn.callbacks,
        data,
        viz,
        kernels,
        ops,
    ):
        for name in module.__all__:
            thing = getattr(module, name)
            if callable(thing):
                assert thing.__doc__, f"{module.__name__}.{name} has no docstring"


def test_readme_commands_are_single_lines_that_ci_finds():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line for line in readme.splitlines() if line.startswith("python3 -m venv")]
    assert len(lines) == 2
    assert lines[0].endswith("tinygrad-edu train")
    assert lines[1].endswith("-m pytest -n auto")


def test_the_python_of_the_readme_runs(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = [part.split("```")[0] for part in readme.split("```python\n")[1:]]
    assert blocks, "the README shows no Python"
    script = tmp_path / "readme.py"
    script.write_text("\n".join(blocks).replace("epochs=20", "epochs=2").replace("verbose=1", "verbose=0"))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "loss.png").exists()
    assert (tmp_path / "graph.svg").exists()
