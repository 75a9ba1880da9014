"""The sets: real digits, and MNIST from a folder, from the cache and from (local) mirrors."""

import gzip
import hashlib
import os
import subprocess
import sys
import threading
import tracemalloc
import zlib
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from tinygrad_edu import data
from tinygrad_edu.data import mnist_files, sources
from tinygrad_edu.data.places import cache_folder, find_set
from tinygrad_edu.data.sources import DataFile
from tinygrad_edu.errors import DataError, FileError
from tinygrad_edu.files import writing

REAL = os.environ.get("TINYGRAD_EDU_DATA")
NAMES = sources.SETS["mnist"].files


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    """Keep each test from the user's folders and from the net."""
    monkeypatch.delenv("TINYGRAD_EDU_DATA", raising=False)
    monkeypatch.setenv("TINYGRAD_EDU_CACHE", str(tmp_path / "cache"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    change(monkeypatch, places=())


def change(monkeypatch, **changes):
    """Have mnist() look for other files, or in other places."""
    mnist = sources.SETS["mnist"]
    url = replace(mnist.sources[0], **changes)
    monkeypatch.setitem(sources.SETS, "mnist", replace(mnist, sources=(url,)))


def small_set(folder, train=5, test=3, **changes):
    """Write a set of MNIST's form; ``changes`` replaces the array of a file, by its index (f0 … f3)."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = []
    for rows in (train, test):
        arrays += [rng.integers(0, 256, (rows, 28, 28), np.uint8), rng.integers(0, 10, rows, np.uint8)]
    for number, name in enumerate(NAMES):
        data.write_idx(folder / f"{name}.gz", changes.get(f"f{number}", arrays[number]))
    return arrays


# Digits and the data class


def test_digits_are_the_real_ones_split_in_proportion():
    from sklearn.datasets import load_digits

    digits = data.digits()
    bunch = load_digits()
    x, y = np.concatenate([digits.x_train, digits.x_test]), np.concatenate([digits.y_train, digits.y_test])
    assert x.shape == (1797, 8, 8)
    assert x.max() == digits.maximum == 16

    def rows(x, y):
        return sorted(map(tuple, np.column_stack([x.reshape(len(x), -1), y]).astype(int).tolist()))

    assert rows(x, y) == rows(bunch.images, bunch.target)
    shares = np.bincount(digits.y_test) / np.bincount(y)
    assert abs(shares - 0.2).max() < 0.01


def test_digits_follow_seed_and_size():
    first, again, other = data.digits(seed=3), data.digits(seed=3), data.digits(test_size=0.5, seed=4)
    np.testing.assert_array_equal(first.x_test, again.x_test)
    assert len(other.x_test) == 899
    assert first.y_train[:50].tolist() != other.y_train[:50].tolist()


def test_a_set_unpacks_as_in_keras_and_tells_about_itself():
    digits = data.digits()
    (x_train, y_train), (x_test, y_test) = digits
    assert x_train is digits.x_train
    assert y_train is digits.y_train
    assert x_test is digits.x_test
    assert y_test is digits.y_test
    text = repr(digits)
    for words in ("(1437, 8, 8) uint8, 0 to 16", "(360, 8, 8)", "3: 146 + 37", "CC BY 4.0", "Alpaydin"):
        assert words in text


def test_scaling_is_by_the_documented_maximum():
    dim = data.Dataset(
        **{f"{k}_{part}": np.zeros(2, np.uint8) for k in "xy" for part in ("train", "test")}
        | {"x_train": np.array([0, 51], np.uint8)},
        **dict.fromkeys(("name", "description", "licence", "source", "citation"), "dim"),
        class_names=(),
        maximum=255,
    )
    scaled = dim.scaled()
    assert scaled.x_train.dtype == scaled.x_test.dtype == np.float32
    np.testing.assert_allclose(scaled.x_train, [0, 0.2], rtol=1e-6)
    np.testing.assert_array_equal(scaled.scaled().x_train, scaled.x_train)
    assert dim.x_train.tolist() == [0, 51]
    assert "classes" not in repr(dim)
    with pytest.raises(DataError, match="standardise"):
        replace(dim, maximum=None).scaled()
    with pytest.raises(DataError, match=r"x_test has 2 rows.*y_test has 3"):
        replace(dim, y_test=np.zeros(3))


def test_importing_is_light():
    heavy = "{'sklearn', 'scipy', 'pooch', 'requests', 'rich', 'platformdirs', 'matplotlib', 'numba'}"
    code = f"import sys, tinygrad_edu.data; print(sorted({heavy} & set(sys.modules)))"
    root = Path(data.__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# MNIST from a folder


@pytest.mark.parametrize("below", [".", "mnist"])
@pytest.mark.parametrize("form", ["{}.gz", "{}", "dotted"])
def test_a_folder_of_files_is_read(monkeypatch, tmp_path, below, form):
    place = tmp_path / "own" / below
    arrays = small_set(place)
    for name in NAMES:
        packed = place / f"{name}.gz"
        if form != "{}.gz":
            new = name.replace("-idx", ".idx") if form == "dotted" else name
            (place / new).write_bytes(gzip.decompress(packed.read_bytes()))
            packed.unlink()
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path / "own"))
    mnist = data.mnist()
    for found, array in zip((mnist.x_train, mnist.y_train, mnist.x_test, mnist.y_test), arrays, strict=True):
        np.testing.assert_array_equal(found, array)
        assert found.dtype == np.uint8


def test_an_empty_subset_is_a_set(monkeypatch, tmp_path):
    small_set(tmp_path, test=0)
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path))
    assert data.mnist().x_test.shape == (0, 28, 28)


def test_a_variable_that_names_no_folder_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileError, match=r"TINYGRAD_EDU_DATA.*nowhere"):
        data.mnist()


def test_half_a_set_is_an_error(monkeypatch, tmp_path):
    small_set(tmp_path / "mnist")
    (tmp_path / "mnist" / f"{NAMES[1]}.gz").unlink()
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path))
    with pytest.raises(FileError, match=f"not {NAMES[1]}"):
        data.mnist()
    assert find_set(tmp_path, "other", ["a", "b"]) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"f0": np.zeros((5, 28, 27), np.uint8)}, r"\(5, 28, 27\)"),
        ({"f2": np.zeros((3, 28, 28), np.float32)}, "float32"),
        ({"f1": np.zeros(4, np.uint8)}, r"5 images but .* 4 labels"),
        ({"f1": np.zeros(5, np.int32)}, "int32"),
        ({"f3": np.zeros((3, 1), np.uint8)}, r"\(3, 1\)"),
        ({"f3": np.array([0, 10, 1], np.uint8)}, "label 10"),
        ({"f0": np.zeros(5, np.uint8), "f1": np.zeros((5, 28, 28), np.uint8)}, "images are"),
    ],
)
def test_files_of_another_form_are_refused(monkeypatch, tmp_path, changes, words):
    small_set(tmp_path, **changes)
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path))
    with pytest.raises(FileError, match=words):
        data.mnist()


def test_a_damaged_file_is_never_replaced_by_another_set(monkeypatch, tmp_path, mirror):
    serve, tiny = mirror
    serve({f"/{name}.gz": gzip.compress(body) for name, body in tiny.items()})
    small_set(tmp_path / "own")
    path = tmp_path / "own" / f"{NAMES[2]}.gz"
    path.write_bytes(path.read_bytes()[:-20])
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path / "own"))
    with pytest.raises(FileError, match=NAMES[2]):
        data.mnist()


def test_another_set_under_the_same_names_is_refused(monkeypatch, tmp_path):
    arrays = small_set(tmp_path)
    content = bytes([0, 0, 8, 1, 0, 0, 0, len(arrays[1])]) + arrays[1].tobytes()
    monkeypatch.setitem(mnist_files._OWNERS, hashlib.sha256(content).hexdigest(), "some_mnist")
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path))
    with pytest.raises(FileError, match="some_mnist"):
        data.mnist()


# MNIST from mirrors


@pytest.fixture
def mirror(monkeypatch, tmp_path):
    """Serve files here: ``serve(*mirrors)`` sets them up, ``tiny`` is the set that mnist() then expects.

    A mirror maps paths to a body, or to (status, headers, body).
    """
    small_set(tmp_path / "origin")
    tiny = {name: gzip.decompress((tmp_path / "origin" / f"{name}.gz").read_bytes()) for name in NAMES}
    files = tuple(DataFile(n, len(body), hashlib.sha256(body).hexdigest()) for n, body in tiny.items())
    change(monkeypatch, files=files)
    servers = []

    def serve(*mirrors):
        bases = []
        for answers in mirrors:
            servers.append(server := Server(answers))
            bases.append(server.base)
        change(monkeypatch, places=tuple(bases))
        return servers[-len(mirrors) :]

    yield serve, tiny
    for server in servers:
        server.stop()


class Server:
    def __init__(self, answers):
        self.asked = asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                answer = answers.get(self.path, (404, {}, b"not here"))
                status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
                self.send_response(status)
                for key, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(key, value)
                self.end_headers()
                with suppress(ConnectionError):  # the client may hang up on too much
                    self.wfile.write(body)

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.block_on_close = False
        self.base = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def packed(tiny, **changes):
    """Make a mirror's answers; ``changes`` replaces the answer for a file, by its index (f0 … f3)."""
    answers = [gzip.compress(body) for body in tiny.values()]
    return {f"/{name}.gz": changes.get(f"f{i}", answers[i]) for i, name in enumerate(tiny)}


def cached():
    folder = cache_folder() / "mnist"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_mirror_fills_the_cache_and_is_not_asked_again(mirror):
    serve, tiny = mirror
    (server,) = serve(packed(tiny))
    mnist = data.mnist()
    assert cached() == sorted(NAMES)
    assert mnist.x_train.tobytes() == tiny[NAMES[0]][16:]
    assert mnist.y_test.tobytes() == tiny[NAMES[3]][8:]
    assert len(server.asked) == 4
    np.testing.assert_array_equal(data.mnist().x_test, mnist.x_test)
    assert len(server.asked) == 4


def test_a_server_that_unpacks_on_the_way_is_fine(mirror):
    serve, tiny = mirror
    encoded = {
        f"/{name}.gz": (200, {"Content-Encoding": "gzip"}, gzip.compress(body)) for name, body in tiny.items()
    }
    serve(encoded)
    assert len(data.mnist().x_train) == 5


def test_a_folder_without_the_set_falls_through_to_the_cache(monkeypatch, tmp_path, mirror):
    serve, tiny = mirror
    serve(packed(tiny))
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path / "own"))
    assert len(data.mnist().x_train) == 5


def test_a_missing_file_is_asked_of_the_next_mirror(mirror):
    serve, tiny = mirror
    first, second = serve(packed(tiny, f1=(404, {}, b"gone"), f2=(503, {}, b"busy")), packed(tiny))
    assert len(data.mnist().x_train) == 5
    assert len(first.asked) == 4
    assert second.asked == [f"/{NAMES[1]}.gz", f"/{NAMES[2]}.gz"]


BAD = {
    "other content": lambda body: gzip.compress(body[:-1] + b"?"),
    "shorter content": lambda body: gzip.compress(body[:-1]),
    "longer content": lambda body: gzip.compress(body + b"?"),
    "cut gzip": lambda body: gzip.compress(body)[:-9],
    "no gzip": lambda body: b"<html>please log in</html>",
    "endless": lambda body: bytes(len(body) + 5000),
    "bomb": lambda body: gzip.compress(bytes(3 << 20)),
    "corrupt": lambda body: gzip.compress(body)[:10] + b"\xff" * 50,
    "cut on the way": lambda body: (200, {"Content-Length": "9999999"}, gzip.compress(body)),
    "bad encoding": lambda body: (200, {"Content-Encoding": "gzip"}, zlib.compress(body)),
    "nothing": lambda body: b"",
    "server error": lambda body: (500, {}, b"sorry"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_wrong_is_refused_and_leaves_the_cache_clean(mirror, kind):
    serve, tiny = mirror
    bad = {f"/{name}.gz": BAD[kind](body) for name, body in tiny.items()}
    (server,) = serve(bad)
    with pytest.raises(FileError) as caught:
        data.mnist()
    message = str(caught.value)
    assert cached() == []
    for words in (server.base, NAMES[0], "TINYGRAD_EDU_DATA", "into a folder mnist"):
        assert words in message
    serve(bad, packed(tiny))  # the next mirror mends it
    assert len(data.mnist().x_train) == 5


@pytest.mark.parametrize("body", [bytes(32 << 20), gzip.compress(bytes(6 << 20))], ids=["endless", "bomb"])
def test_a_hostile_mirror_can_not_fill_the_memory(mirror, body):
    serve, _ = mirror
    serve({f"/{NAMES[0]}.gz": body})

    def fetch():
        with pytest.raises(FileError, match="could not be fetched"):
            data.mnist()

    fetch()  # imports what it needs
    tracemalloc.start()
    try:
        fetch()
        assert tracemalloc.get_traced_memory()[1] < 3 << 20
    finally:
        tracemalloc.stop()


def test_no_mirror_at_hand_says_what_to_do(monkeypatch):
    change(monkeypatch, places=("http://127.0.0.1:9/",))  # nothing listens there
    with pytest.raises(FileError, match=r"127\.0\.0\.1:9/.*(?s:.*)TINYGRAD_EDU_DATA"):
        data.mnist()
    assert cached() == []


def test_a_damaged_cache_is_fetched_anew(mirror):
    serve, tiny = mirror
    serve(packed(tiny))
    data.mnist()
    victim = cache_folder() / "mnist" / NAMES[0]
    victim.write_bytes(bytes(len(tiny[NAMES[0]])))
    assert data.mnist().x_train.tobytes() == tiny[NAMES[0]][16:]
    assert cached() == sorted(NAMES)


def test_a_cache_that_can_not_be_made_is_named(monkeypatch, tmp_path, mirror):
    serve, tiny = mirror
    serve(packed(tiny))
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("TINYGRAD_EDU_CACHE", str(tmp_path / "file"))
    with pytest.raises(FileError, match="TINYGRAD_EDU_CACHE"):
        data.mnist()


def test_progress_is_shown_to_a_terminal_and_not_to_a_log(monkeypatch, capsys, mirror):
    serve, tiny = mirror
    serve(packed(tiny))
    data.mnist()
    assert capsys.readouterr() == ("", "")
    (cache_folder() / "mnist" / NAMES[0]).unlink()
    monkeypatch.setenv("FORCE_COLOR", "1")
    data.mnist()
    out, err = capsys.readouterr()
    assert out == ""
    assert NAMES[0] in err


def test_the_cache_is_the_users_own_by_default(monkeypatch):
    from platformdirs import user_cache_path

    monkeypatch.delenv("TINYGRAD_EDU_CACHE")
    assert cache_folder() == user_cache_path("tinygrad_edu") / "data"


def test_writing_keeps_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def interrupted():
        with writing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    with writing(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


# The real files, where TINYGRAD_EDU_DATA holds them

real = pytest.mark.skipif(
    not (REAL and Path(REAL).is_dir() and find_set(Path(REAL), "mnist", NAMES)),
    reason="TINYGRAD_EDU_DATA holds no mnist",
)


@real
def test_the_real_set_has_its_known_statistics(monkeypatch):
    monkeypatch.setenv("TINYGRAD_EDU_DATA", REAL)
    mnist = data.mnist()
    assert mnist.x_train.shape == (60000, 28, 28)
    assert mnist.x_test.shape == (10000, 28, 28)
    assert mnist.y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.y_test[:4].tolist() == [7, 2, 1, 0]
    assert abs(mnist.x_train.mean() / 255 - 0.1307) < 1e-4
    assert abs(mnist.x_train.std() / 255 - 0.3081) < 1e-4


@real
def test_the_real_files_pass_the_checks_of_a_download(monkeypatch):
    paths = find_set(Path(REAL), "mnist", NAMES)
    server = Server({f"/{n}.gz": p.read_bytes() for n, p in zip(NAMES, paths, strict=True)})
    change(monkeypatch, places=(server.base,))
    try:
        assert data.mnist().y_train[:5].tolist() == [5, 0, 4, 1, 9]
    finally:
        server.stop()
    assert cached() == sorted(NAMES)


@real
def test_fashion_is_not_taken_for_digits(monkeypatch):
    fashion = Path(REAL) / "fashion-mnist"
    if not find_set(fashion, "fashion-mnist", NAMES):
        pytest.skip("TINYGRAD_EDU_DATA holds no fashion-mnist")
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(fashion))
    with pytest.raises(FileError, match="fashion_mnist"):
        data.mnist()
