"""A small set to fetch, and the places it is fetched from."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from tinygrad_edu.data import downloads
from tinygrad_edu.data.places import cache_folder
from tinygrad_edu.data.sources import SETS, DataFile, Source, WholeSet

__all__ = ["BODY", "EXPECTED", "WHOLE", "in_cache", "isolated", "provide"]

RNG = np.random.default_rng(0)
BODY = {"a.csv": b"x\n1\n", "b.bin": RNG.integers(0, 256, 300_000, np.uint8).tobytes()}
EXPECTED = tuple(DataFile(name, len(body), hashlib.sha256(body).hexdigest()) for name, body in BODY.items())


@pytest.fixture
def isolated(monkeypatch, tmp_path):
    """Keep each test from the user's folders and from the net."""
    monkeypatch.delenv("TINYGRAD_EDU_DATA", raising=False)
    monkeypatch.setenv("TINYGRAD_EDU_CACHE", str(tmp_path / "cache"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setattr(downloads, "TIMEOUT", 0.5)


def in_cache():
    """List what lies anywhere in the cache."""
    folder = cache_folder()
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


def provide(monkeypatch, *kinds_and_places, **changes):
    """Have the table hold one set, "tiny", of two files."""
    found = tuple(
        replace(Source(kind, places, "in/{}" if kind != "url" else "{}", EXPECTED), **changes)
        for kind, places in kinds_and_places
    )
    monkeypatch.setitem(SETS, "tiny", WholeSet("tiny", "iris", found, "data.iris() is smaller"))
    return SETS["tiny"]


WHOLE = ["tiny", "tiny/a.csv", "tiny/b.bin"]
