"""The idx format: what is written comes back; what is damaged or foreign is refused, at no cost in memory."""

import gzip
import math
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_edu.data import read_idx, write_idx
from tinygrad_edu.errors import DTypeError, FileError

DTYPES = ["uint8", "int8", "int16", "int32", "float32", "float64"]
arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("idx")


def peak_memory(call):
    """Return the bytes that were allocated at most while ``call`` ran; it may refuse with a FileError."""
    tracemalloc.start()
    try:
        call()
    except FileError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def idx_bytes(shape, body, code=8):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape) + body


@given(arrays, st.sampled_from([".idx", ".idx.gz"]))
def test_what_is_written_is_read(folder, array, suffix):
    path = folder / f"round{suffix}"
    write_idx(path, array)
    back = read_idx(path)
    assert back.dtype == array.dtype
    assert back.dtype.isnative
    assert back.flags.writeable
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()  # to the bit, NaN included


@given(arrays)
def test_a_map_equals_the_array_and_is_read_only(folder, array):
    path = folder / "map.idx"
    write_idx(path, array)
    mapped = read_idx(path, mmap=True)
    assert isinstance(mapped, np.memmap) == (array.size > 0)
    assert mapped.shape == array.shape
    np.testing.assert_array_equal(mapped, array)
    assert not mapped.flags.writeable


def test_the_bytes_are_those_of_the_format(folder):
    path = folder / "known.idx"
    write_idx(path, np.array([[1, -2, 3]], np.int16))
    assert path.read_bytes() == bytes.fromhex("00000b02 00000001 00000003 0001 fffe 0003")


def test_a_written_file_has_the_usual_permissions(folder):
    write_idx(folder / "ours.idx", np.zeros(1, np.uint8))
    (folder / "usual").write_bytes(b"")
    assert (folder / "ours.idx").stat().st_mode == (folder / "usual").stat().st_mode


def test_memory_layout_and_byte_order_do_not_matter(folder):
    array = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    for variant in (array.transpose(2, 0, 1), array[:, ::-1], array.astype(">i4"), np.asfortranarray(array)):
        write_idx(folder / "layout.idx", variant)
        np.testing.assert_array_equal(read_idx(folder / "layout.idx"), variant)


def test_packing_is_reproducible(folder):
    for name in ("one.gz", "two.gz"):
        write_idx(folder / name, np.arange(9, dtype=np.uint8))
    assert (folder / "one.gz").read_bytes() == (folder / "two.gz").read_bytes()
    assert (folder / "one.gz").read_bytes()[4:8] == bytes(4)  # no time stamp


@pytest.mark.parametrize("dtype", ["int64", "uint16", "bool", "complex64", "U3", "object"])
def test_other_dtypes_are_refused_and_leave_no_file(folder, dtype):
    path = folder / "refused.idx"
    with pytest.raises(DTypeError, match="astype"):
        write_idx(path, np.zeros(3, dtype))
    assert not path.exists()


@pytest.mark.parametrize("suffix", [".idx", ".idx.gz"])
def test_every_truncation_is_refused(folder, suffix):
    path = folder / f"cut{suffix}"
    write_idx(path, np.arange(60, dtype=np.float32).reshape(3, 4, 5))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(FileError, match=r"no idx file|cut short|is damaged"):
            read_idx(path)
        with pytest.raises(FileError):
            read_idx(path, mmap=True)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_trailing_bytes_are_refused(folder, pack):
    path = folder / "long.idx"
    path.write_bytes(pack(idx_bytes((2, 3), bytes(7))))
    with pytest.raises(FileError, match="trailing"):
        read_idx(path)


def test_bytes_after_the_gzip_stream_are_refused(folder):
    path = folder / "tail.gz"
    path.write_bytes(gzip.compress(idx_bytes((2,), b"ab")) + b"tail")
    with pytest.raises(FileError, match="damaged"):
        read_idx(path)


# Half of the values are drawn near the edges: huge sizes, unknown types, many dimensions, zeros.
header_bytes = st.integers(0, 255) | st.sampled_from([0, 1, 8, 13, 14, 64, 65, 127, 128, 255])


@given(st.dictionaries(st.integers(0, 15), header_bytes, min_size=1), st.sampled_from([bytes, gzip.compress]))
def test_a_false_header_never_costs_memory_or_another_error(folder, changes, pack):
    path = folder / "flipped.idx"
    content = bytearray(idx_bytes((2, 3, 4), bytes(24)))
    for position, value in changes.items():
        content[position] = value
    path.write_bytes(pack(bytes(content)))

    def read():
        array = read_idx(path)
        assert array.nbytes <= 40

    assert peak_memory(read) < 1 << 20


@given(st.data())
def test_a_flip_in_packed_bytes_is_refused_or_harmless(folder, data):
    path = folder / "flipped.gz"
    content = bytearray(gzip.compress(idx_bytes((2, 3, 4), bytes(range(24))), mtime=0))
    position = data.draw(st.integers(2, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        array = read_idx(path)
    except FileError:
        return
    # Time stamp, flags and the like carry no data; whatever does is guarded by the checksum.
    assert array.tobytes() == bytes(range(24))


def test_sizes_that_numpy_can_not_hold_are_refused_though_empty(folder):
    path = folder / "empty.idx"
    path.write_bytes(idx_bytes((0, 2**32 - 1, 2**32 - 1), b""))
    with pytest.raises(FileError, match="impossible shape"):
        read_idx(path)


def test_a_bomb_that_unpacks_beyond_its_header_is_stopped(folder):
    path = folder / "bomb.gz"
    path.write_bytes(gzip.compress(idx_bytes((3,), bytes(64 << 20)), compresslevel=1))
    assert peak_memory(lambda: read_idx(path)) < 2 << 20
    with pytest.raises(FileError, match="trailing"):
        read_idx(path)


@pytest.mark.parametrize(("size", "words"), [((1 << 30) - 1, "cut short"), ((1 << 30) + 1, "gunzip")])
def test_a_packed_header_that_promises_too_much_costs_nothing(folder, size, words):
    path = folder / "promise.gz"
    path.write_bytes(gzip.compress(idx_bytes((size,), bytes(100))))
    assert peak_memory(lambda: read_idx(path)) < 1 << 20
    with pytest.raises(FileError, match=words):
        read_idx(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"PK\x03\x04" + bytes(40), "zip"),
        (b"\x93NUMPY\x01\x00" + bytes(40), "npy"),
        (gzip.compress(gzip.compress(idx_bytes((1,), b"a"), mtime=0), mtime=0), "inside"),
        (b"version https://git-lfs.github.com/spec/v1\n", "LFS"),
        (b"5.1,3.5,1.4,0.2\n", "35 2e 31"),
        (idx_bytes((1,), bytes(2), code=10), "0a"),
        (bytes([0, 0, 8, 200]) + bytes(800), "c8"),
    ],
)
def test_foreign_files_are_named_for_what_they_are(folder, content, words):
    path = folder / "foreign"
    path.write_bytes(content)
    with pytest.raises(FileError, match=words) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_missing_files_folders_and_packed_maps_are_refused(folder):
    with pytest.raises(FileError, match="No such file"):
        read_idx(folder / "nowhere.idx")
    with pytest.raises(FileError, match="directory"):
        read_idx(folder)
    write_idx(folder / "packed.gz", np.zeros(3, np.uint8))
    with pytest.raises(FileError, match="unpack"):
        read_idx(folder / "packed.gz", mmap=True)
    for place in ("no/such/folder", "packed.gz"):
        with pytest.raises(FileError, match="can't write"):
            write_idx(folder / place / "x.idx", np.zeros(3, np.uint8))


def test_a_gz_name_over_plain_content_is_read_all_the_same(folder):
    """Browsers unpack what they download and may keep the name."""
    (folder / "named.gz").write_bytes(idx_bytes((2,), b"ab"))
    assert read_idx(folder / "named.gz").tobytes() == b"ab"


def test_reading_takes_no_more_memory_than_the_array(folder):
    path = folder / "large"
    write_idx(path, np.ones((1000, 1000), np.float32))
    size = math.prod((1000, 1000)) * 4
    assert peak_memory(lambda: read_idx(path)) < 1.05 * size
    assert peak_memory(lambda: read_idx(path, mmap=True)) < 0.05 * size
