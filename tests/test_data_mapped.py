"""Rows of large memory maps: the same as indexing gives, whatever the map is a part of."""

import os
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu.data import mapped, rows

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc/self/maps")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A map of all kinds of bytes, behind a header that aligns with nothing."""
    path = tmp_path_factory.mktemp("map") / "a file (deleted) of bytes"
    content = np.random.default_rng(0).integers(0, 256, 120_011, np.uint8)
    path.write_bytes(content.tobytes())
    return np.memmap(path, np.uint8, "r", offset=11)


VIEWS = {
    "bytes": lambda x: x.reshape(1000, 120),
    "images": lambda x: x.reshape(200, 20, 30),
    "swapped floats": lambda x: x.view(">f4").reshape(300, 100),
    "numbers": lambda x: x.view("<i8"),
    "every third": lambda x: x.reshape(1000, 120)[2::3],
    "from behind": lambda x: x.reshape(1000, 120)[::-1],
    "columns": lambda x: x.reshape(1000, 120)[:, 3:50],
    "transposed": lambda x: x.reshape(1000, 120).T,
    "no columns": lambda x: x.reshape(1000, 120)[:, :0],
}


@given(st.sampled_from(sorted(VIEWS)), st.lists(st.integers(-100, 99), max_size=9))
def test_rows_are_those_of_indexing(large, name, numbers):
    view = VIEWS[name](large)
    order = np.array(numbers, np.intp)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "_LARGE", 1)
        batch = rows.taker(view)(order)
    expected = view[order]
    assert batch.tobytes() == expected.astype(expected.dtype.newbyteorder("=")).tobytes()
    assert (batch.shape, batch.dtype.isnative) == (expected.shape, True)
    assert not isinstance(batch, np.memmap)


@linux
def test_rows_are_read_from_the_file_where_they_can_be(large):
    x = VIEWS["images"](large)
    read = mapped.file_reader(x)
    for order in ([3, 0, 3], [199], []):
        order = np.array(order, np.intp)
        np.testing.assert_array_equal(read(order), x[order])
    for refused in ([-1], [200]):
        assert read(np.array(refused)) is None
    assert mapped.file_reader(VIEWS["transposed"](large)) is None
    assert mapped.file_reader(np.arange(9)) is None


def test_a_file_that_was_replaced_is_not_read(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(bytes(9000))
    x = np.memmap(path, np.uint8, "r").reshape(9, 1000)
    (tmp_path / "y").write_bytes(b"\1" * 9000)
    (tmp_path / "y").replace(path)
    assert mapped.file_reader(x) is None
    assert x[1].max() == 0


@linux
def test_the_file_is_closed_with_the_reader(tmp_path):
    def opened():
        names = os.listdir("/proc/self/fd")
        return sum(os.path.realpath(f"/proc/self/fd/{n}") == str(tmp_path / "x") for n in names)

    (tmp_path / "x").write_bytes(bytes(9000))
    x = np.memmap(tmp_path / "x", np.uint8, "r").reshape(9, 1000)
    before = opened()
    read = mapped.file_reader(x)
    assert opened() == before + 1
    del read
    assert opened() == before
