"""The command, as a user runs it: in a process of its own, with files to look at afterwards."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tinygrad_edu import cli, data, nn

COMMAND = [sys.executable, "-c", "from tinygrad_edu.cli import main; main()"]
RESULTS = {
    "model.safetensors", "history.csv", "loss.png", "graph.svg", "summary.txt",
}  # fmt: skip


def environment(**changes):
    env = {k: v for k, v in os.environ.items() if k not in ("TINYGRAD_EDU_DATA", "COLUMNS", "FORCE_COLOR")}
    return env | {"PYTHONUTF8": "1"} | changes


def run(*arguments, cwd=None, **changes):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, env=environment(**changes), cwd=cwd,
        timeout=300,
    )  # fmt: skip


def without_dot(tmp_path):
    """A PATH on which there is no `dot`."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return str(folder)


def with_dot(tmp_path):
    """A PATH with a `dot`: the system's, or the engine of the package under that name. It notes its calls."""
    folder = tmp_path / "bin"
    folder.mkdir()
    real = shutil.which("dot") or shutil.which("graphviz-pure", path=str(Path(sys.executable).parent))
    assert real, "graphviz-pure installs its command beside Python"
    script = folder / "dot"
    script.write_text(f'#!/bin/sh\necho called >> "{folder}/calls"\nexec "{real}" "$@"\n')
    script.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize("path", [without_dot, with_dot])
def test_train_leaves_what_it_promises(tmp_path, path):
    out = tmp_path / "results"
    here = path(tmp_path)
    done = run("train", "--epochs", 6, "--seed", 3, "--out", out, PATH=here)
    assert done.returncode == 0, done.stderr
    assert {p.name for p in out.iterdir()} == RESULTS
    if path is with_dot:
        assert (tmp_path / "bin" / "calls").exists()
    for name in RESULTS:
        assert str(out / name) in done.stdout
    # One plain line an epoch, no control codes.
    assert len(re.findall(r"^epoch +\d+/6  loss ", done.stdout, re.M)) == 6
    assert "\x1b" not in done.stdout
    # The accuracy that is printed is that of the weights that are kept.
    printed = float(re.search(r"test accuracy (\d\.\d+)", done.stdout)[1])
    images = data.digits().scaled()
    model = nn.load_model(out / "model.safetensors")
    x_test = images.x_test[..., np.newaxis]
    assert printed == pytest.approx(model.evaluate(x_test, images.y_test, verbose=0)[1], abs=1e-4)
    assert printed > 0.9
    rows = list(csv.DictReader((out / "history.csv").read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert set(rows[0]) == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    svg = ElementTree.parse(out / "graph.svg").getroot()
    text = " ".join(svg.itertext())
    for word in (
        "dense/kernel",
        "dense_2/bias",
        "linear",
        "sparse_softmax_cross_entropy",
        "(64, 128)",
    ):
        assert word in text
    assert "Total parameters: 17,226" in (out / "summary.txt").read_text()


def test_one_seed_gives_the_same_weights_bit_for_bit(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run("train", "--epochs", 2, "--seed", seed, "--out", tmp_path / name).returncode == 0
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b != c


def test_a_convolutional_network_with_sgd(tmp_path):
    done = run(
        "train", "cnn", "--epochs", 5, "--optimizer", "sgd", "--lr", 0.1, "--batch-size", 16, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    out = tmp_path / "runs" / "cnn-digits"
    assert {p.name for p in out.iterdir()} == RESULTS
    assert float(re.search(r"test accuracy (\d\.\d+)", done.stdout)[1]) > 0.8
    assert "conv2d" in (out / "graph.svg").read_text(encoding="utf-8")


def little_mnist(folder, labels=10):
    """A folder as TINYGRAD_EDU_DATA wants it, with a few images that are easy to tell apart."""
    rng = np.random.default_rng(0)
    for part, n in (("train", 200), ("t10k", 50)):
        y = rng.integers(0, labels, n).astype(np.uint8)
        x = (rng.random((n, 28, 28)) * 50).astype(np.uint8)
        x[np.arange(n), y * 2] = 250
        data.write_idx(folder / "mnist" / f"{part}-images-idx3-ubyte.gz", x)
        data.write_idx(folder / "mnist" / f"{part}-labels-idx1-ubyte.gz", y)


def test_mnist_from_a_folder(tmp_path):
    (tmp_path / "mnist").mkdir()
    little_mnist(tmp_path)
    out = tmp_path / "out"
    done = run("train", "mlp", "--data", "mnist", "--out", out, TINYGRAD_EDU_DATA=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "1,333,770 parameters" in done.stdout
    assert "200 images to learn from, 50 to test" in done.stdout
    assert len((out / "history.csv").read_text().splitlines()) == 2


def refused(done, text, out=None):
    """Exit code 2, one clear message, no traceback, nothing half-written."""
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert re.search(text, done.stderr), done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert out is None or not out.exists() or list(out.iterdir()) == []


def test_a_folder_that_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("mine")
    refused(run("train", "--out", tmp_path / "file"), "can't write to the folder .*choose another with --out")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "train-images"),
        (lambda path: path.write_bytes(b"PK\x03\x04 not an idx file"), "train-images"),
        (lambda path: path.unlink(), "train-images"),
    ],
)
def test_a_damaged_data_file(tmp_path, damage, text):
    (tmp_path / "mnist").mkdir()
    little_mnist(tmp_path)
    damage(tmp_path / "mnist" / "train-images-idx3-ubyte.gz")
    out = tmp_path / "out"
    done = run("train", "--data", "mnist", "--out", out, TINYGRAD_EDU_DATA=str(tmp_path))
    refused(done, text, out)


def test_a_data_folder_that_is_not_there(tmp_path):
    done = run("train", "--data", "mnist", "--out", tmp_path / "out", TINYGRAD_EDU_DATA=str(tmp_path / "no"))
    refused(done, "TINYGRAD_EDU_DATA", tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--lr", "-1"], "learning_rate must be a number of at least 0"),
        (["--lr", "nan"], "learning_rate must be a number of at least 0"),
        (["--optimizer", "adm"], "adam.*sgd"),
        (["--data", "minst"], "digits.*mnist"),
        (["--epochs", "0"], "x>=1"),
        (["--batch-size", "many"], "not a valid integer"),
        (["rnn"], "mlp.*cnn"),
        (["--lr", "1e20", "--optimizer", "sgd"], "learning rate ten times smaller"),
    ],
)
def test_bad_arguments(tmp_path, arguments, text):
    done = run("train", *arguments, "--out", tmp_path / "out", COLUMNS="200")
    refused(done, f"(?s){text}", tmp_path / "out")


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_keeps_the_best_weights_and_draws_the_curves(tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen(
        [*COMMAND, "train", "--epochs", "100000", "--out", str(out)], text=True, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    lines = []
    while not any("epoch      5/" in line for line in lines):
        lines.append(process.stdout.readline())
        assert lines[-1], process.stderr.read()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Stopped early" in rest
    assert "Traceback" not in errors
    assert {p.name for p in out.iterdir()} == RESULTS
    epochs = len((out / "history.csv").read_text().splitlines()) - 1
    best = int(re.search(rf"weights of epoch (\d+) of {epochs}\b", rest)[1])
    rows = list(csv.DictReader((out / "history.csv").read_text().splitlines()))
    assert best == 1 + int(np.argmin([float(row["val_loss"]) for row in rows]))


def test_help_teaches():
    top, train = run("--help").stdout, run("train", "--help").stdout
    assert "Start here" in top
    assert "model.fit" in top
    for word in (
        "--data",
        "--epochs",
        "--batch-size",
        "--lr",
        "--optimizer",
        "--seed",
        "--out",
        "history.csv",
    ):
        assert word in train


def test_the_first_run_says_that_it_compiles(tmp_path):
    done = run("train", "--epochs", 1, "--out", tmp_path / "out", TINYGRAD_EDU_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert "compiling" in done.stdout + done.stderr
    again = run("train", "--epochs", 1, "--out", tmp_path / "out", TINYGRAD_EDU_CACHE=str(tmp_path / "cache"))
    assert "compiling" not in again.stdout + again.stderr


@pytest.mark.slow
@pytest.mark.skipif("TINYGRAD_EDU_DATA" not in os.environ, reason="needs the real MNIST files")
def test_one_epoch_over_mnist_with_the_cnn(tmp_path):
    started = time.perf_counter()
    folder = os.environ["TINYGRAD_EDU_DATA"]
    done = run("train", "cnn", "--data", "mnist", "--out", tmp_path, TINYGRAD_EDU_DATA=folder)
    print(done.stdout, f"{time.perf_counter() - started:.0f} s")
    assert "60,000 images to learn from" in done.stdout
    assert "941,494 parameters" in done.stdout
    assert float(re.search(r"test accuracy (\d\.\d+)", done.stdout)[1]) >= 0.97


def test_networks_of_the_command():
    assert cli.build("mlp", (28, 28, 1), 10).count_params() == 1_333_770
    assert cli.build("cnn", (28, 28, 1), 10).count_params() == 941_494


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("after", [0.0, 0.15])
def test_ctrl_c_before_the_first_epoch_ends_writes_nothing(tmp_path, after):
    (tmp_path / "mnist").mkdir()
    little_mnist(tmp_path)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [*COMMAND, "train", "--data", "mnist", "--epochs", "2", "--batch-size", "1", "--out", str(out)],
        text=True, env=environment(TINYGRAD_EDU_DATA=str(tmp_path)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    while "parameters;" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert list(out.iterdir()) == []
