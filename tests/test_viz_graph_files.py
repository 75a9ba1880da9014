"""Graph pictures as files, drawn with the system's dot and without."""

import shutil
import stat
import subprocess
import sys

import pytest
from graph_cases import drawn, leaf, mlp_loss, size

from tinygrad_edu import viz
from tinygrad_edu.errors import FileError
from tinygrad_edu.viz import render

pytestmark = pytest.mark.usefixtures("no_system_dot")


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
