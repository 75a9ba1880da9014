"""Batches: every row once an epoch, orders that a seed repeats, maps read a batch at a time."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu.data import DataLoader, read_idx, write_idx
from tinygrad_edu.errors import ArgumentError, DataError
from tinygrad_edu.random import seed as seed_package

options = st.fixed_dictionaries(
    {
        "batch_size": st.integers(1, 50),
        "shuffle": st.booleans(),
        "seed": st.none() | st.integers(0),
        "drop_last": st.booleans(),
    }
)


@given(st.integers(0, 60), options)
def test_each_row_comes_once_an_epoch_with_its_label(rows, options):
    x = np.arange(rows)
    loader = DataLoader(np.stack([x, x], axis=1), x * 10, **options)
    size = options["batch_size"]
    for _ in range(2):
        batches = list(loader)
        assert len(batches) == len(loader)
        seen = [row for x_batch, _ in batches for row in x_batch[:, 0]]
        if options["drop_last"]:
            assert {len(y) for _, y in batches} <= {size}
            assert len(set(seen)) == len(seen) == rows // size * size
        else:
            assert {len(y) for _, y in batches[:-1]} <= {size}
            assert sorted(seen) == list(range(rows))
        if not options["shuffle"]:
            assert seen == sorted(seen)
        assert [y for _, y_batch in batches for y in y_batch] == [row * 10 for row in seen]


@given(st.integers(0), st.integers(0, 100))
def test_an_order_follows_from_seed_and_epoch_alone(seed, epoch):
    rows = np.arange(30)
    loader = DataLoader(rows, batch_size=7, shuffle=True, seed=seed)
    loader.epoch = epoch
    resumed = np.concatenate(list(loader))
    np.testing.assert_array_equal(resumed, DataLoader(rows, shuffle=True, seed=seed).order(epoch))
    assert loader.epoch == epoch + 1
    assert resumed.tolist() != loader.order(epoch + 1).tolist() != loader.order(epoch + 2).tolist()
    assert resumed.tolist() != DataLoader(rows, shuffle=True, seed=seed + 1).order(epoch).tolist()


def test_an_epoch_that_was_left_early_counts():
    loader = DataLoader(np.arange(30), batch_size=3, shuffle=True, seed=0)
    next(iter(loader))
    np.testing.assert_array_equal(np.concatenate(list(loader)), loader.order(1))


def test_without_a_seed_the_package_generator_decides():
    orders = []
    for start in (3, 3, 4):
        seed_package(start)
        orders.append(np.concatenate(list(DataLoader(np.arange(30), shuffle=True))).tolist())
    assert orders[0] == orders[1] != orders[2]


def test_the_drawn_seed_can_be_read_to_repeat_a_run():
    loader = DataLoader(np.arange(30), shuffle=True)
    again = DataLoader(np.arange(30), shuffle=True, seed=loader.seed)
    np.testing.assert_array_equal(next(iter(loader)), next(iter(again)))


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_map_gives_what_the_array_gives(tmp_path, dtype, shuffle):
    array = np.random.default_rng(0).integers(0, 255, (50, 3, 2)).astype(dtype)
    write_idx(tmp_path / "x.idx", array)
    mapped = read_idx(tmp_path / "x.idx", mmap=True)
    settings = {"batch_size": 8, "shuffle": shuffle, "seed": 3}
    for a, b in zip(DataLoader(array, **settings), DataLoader(mapped, **settings), strict=True):
        np.testing.assert_array_equal(a, b)
        assert type(b) is np.ndarray
        assert b.dtype == dtype  # native, though the map is big-endian
        assert b.flags.aligned
        assert b.flags.writeable


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_map_is_never_loaded_whole(tmp_path, shuffle):
    # float64 behind a header of 12 bytes: unaligned and big-endian, where ndarray.take copies everything.
    write_idx(tmp_path / "x.idx", np.ones((2000, 250)))
    mapped = read_idx(tmp_path / "x.idx", mmap=True)
    batch = 20 * 250 * 8
    tracemalloc.start()
    try:
        total = sum(x.sum() for x in DataLoader(mapped, batch_size=20, shuffle=shuffle, seed=0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == mapped.size
    assert peak < 5 * batch < mapped.nbytes / 10


@pytest.mark.parametrize("shuffle", [False, True])
def test_changing_a_batch_leaves_the_data_alone(shuffle):
    x = np.arange(10.0)
    for batch in DataLoader(x, batch_size=4, shuffle=shuffle):
        batch[:] = -1
    np.testing.assert_array_equal(x, np.arange(10.0))


def test_several_inputs_and_targets_keep_their_container():
    a, b = np.arange(5), np.arange(10).reshape(5, 2)
    for x, y in DataLoader((a, b), [a, -a], batch_size=2, shuffle=True, seed=1):
        assert type(x) is tuple
        assert type(y) is list
        np.testing.assert_array_equal(x[1][:, 0], 2 * x[0])
        np.testing.assert_array_equal(y[1], -x[0])


def test_plain_lists_are_one_array():
    ((x, y),) = DataLoader([[0, 0], [0, 1], [1, 0], [1, 1]], (0, 1, 1, 0))
    assert x.shape == (4, 2)
    assert y.tolist() == [0, 1, 1, 0]


def test_strided_data_and_no_labels():
    x = np.arange(40).reshape(4, 10).T[::2]
    np.testing.assert_array_equal(np.concatenate(list(DataLoader(x, batch_size=2))), x)


def test_wrong_arguments_are_refused():
    with pytest.raises(DataError, match=r"x has 3 rows.*y has 4"):
        DataLoader(np.zeros(3), np.zeros(4))
    with pytest.raises(DataError, match=r"x\[0\] has 3 rows.*x\[1\] has 2"):
        DataLoader([np.zeros(3), np.zeros(2)])
    with pytest.raises(DataError, match="single"):
        DataLoader(7)
    for size in (0, -1, 2.0, True, None):
        with pytest.raises(ArgumentError, match="batch_size"):
            DataLoader(np.zeros(3), batch_size=size)
    for seed in (-1, 0.5):
        with pytest.raises(ArgumentError, match="seed"):
            DataLoader(np.zeros(3), seed=seed)
    loader = DataLoader(np.zeros(3), shuffle=True)
    loader.epoch = -1
    with pytest.raises(ArgumentError, match="epoch"):
        iter(loader)


def test_it_tells_what_it_does():
    assert (
        repr(DataLoader(np.zeros(10), batch_size=4))
        == "DataLoader(10 rows in order, 3 batches of 4, epoch 0)"
    )
    assert "shuffled with seed 5" in repr(DataLoader(np.zeros(10), shuffle=True, seed=5))
