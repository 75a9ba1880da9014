"""Batches: every row once an epoch, orders that a seed repeats, maps read a batch at a time."""

import gc
import subprocess
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu.data import DataLoader, read_idx, write_idx
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError
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


# --- Sources ---------------------------------------------------------------------------------------------


@given(st.integers(0, 40), st.integers(1, 15), st.booleans(), st.integers(0, 2))
def test_a_source_gives_what_arrays_give(rows, size, drop_last, prefetch):
    x, y = np.arange(rows * 3).reshape(rows, 3), np.arange(rows) * 1.5
    settings = {"batch_size": size, "drop_last": drop_last}
    wanted = list(DataLoader(x, y, **settings))
    for source in (lambda: zip(x, y, strict=True), zip(x, y, strict=True)):
        found = list(DataLoader(source, **settings, prefetch=prefetch))
        assert len(found) == len(wanted)
        for (a, b), (c, d) in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(a, c)
            np.testing.assert_array_equal(b, d)
            assert (a.dtype, b.dtype) == (c.dtype, d.dtype)


def test_a_function_begins_anew_each_epoch_and_a_generator_is_through():
    loader = DataLoader(lambda: iter(range(5)), batch_size=2)
    for _ in range(3):
        assert [b.tolist() for b in loader] == [[0, 1], [2, 3], [4]]
    loader = DataLoader((n for n in range(5)), batch_size=2)
    loader.epoch = 3  # a resumed run
    assert len(list(loader)) == 3
    with pytest.raises(DataError, match="gives its rows once"):
        iter(loader)


def test_rows_may_have_parts_in_parts():
    rows = [((np.zeros(2), 1), "a"), ((np.ones(2), 2), "b")]
    (((a, b), c),) = DataLoader(lambda: iter(rows))
    assert a.tolist() == [[0, 0], [1, 1]]
    assert b.tolist() == [1, 2]
    assert c.tolist() == ["a", "b"]


def test_whole_batches_are_handed_on():
    batches = [(np.zeros((4, 2)), np.ones(4)), (np.zeros((1, 2)), np.ones(1))]
    found = list(DataLoader(lambda: batches, batch_size=None, prefetch=1))
    assert all(a is b for a, b in zip(found, batches, strict=True))


def test_only_a_source_that_tells_has_a_length():
    class Counted:
        def __len__(self):
            return 5

        def __iter__(self):
            return iter(range(5))

    assert len(DataLoader(Counted(), batch_size=2)) == 3
    assert repr(DataLoader(Counted(), batch_size=2)) == "DataLoader(5 rows in order, 3 batches of 2, epoch 0)"
    loader = DataLoader(iter(range(5)), batch_size=2)
    with pytest.raises(TypeError, match="doesn't tell"):
        len(loader)
    with pytest.raises(DTypeError, match="no numbers"):
        loader.order(0)
    assert repr(loader) == "DataLoader(rows in order, batches of 2, epoch 0)"


def test_a_network_learns_from_a_generator():
    from tinygrad_edu import nn

    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 3)).astype(np.float32)
    y = x @ np.array([1, -2, 3], np.float32)

    def rows():
        yield from zip(x, y[:, None], strict=True)

    model = nn.Sequential([nn.Dense(1)])
    model.compile(nn.optimizers.SGD(0.1), "mse")
    history = model.fit(DataLoader(rows, batch_size=16, prefetch=2), epochs=20, verbose=0)
    assert history.history["loss"][-1] < 1e-2 * history.history["loss"][0]
    assert not threads()


def test_rows_that_do_not_fit_are_refused():
    def fails(rows, error, match, **settings):
        with pytest.raises(error, match=match):
            list(DataLoader(lambda: rows, **settings))

    fails(iter([np.zeros(2), np.zeros(3)]), DataError, r"row 0 of the source is \(2,\) but row 1 is \(3,\)")
    fails(iter([0, 1, 2, [3]]), DataError, r"row 2 .*but row 3", batch_size=2)
    fails(iter([(0, 1), (1,)]), DataError, "row 0 of the source has 2 parts but row 1 has 1")
    fails(iter([(0, 1), 1]), DataError, "row 1 has no parts")
    fails(iter([()]), DataError, "no parts")
    fails(iter([{"x": 1}]), DataError, "row 0 of the source holds dict")
    fails(iter([[[1], [1, 2]]]), DataError, "row 0 of the source is no array")
    fails(7, DTypeError, "must return rows; it gave 7")
    with pytest.raises(ArgumentError, match="can't be shuffled"):
        DataLoader(iter(range(3)), shuffle=True)
    with pytest.raises(ArgumentError, match="y must come in them"):
        DataLoader(iter(range(3)), np.zeros(3))
    for wrong in (np.zeros((3, 2)), [1, 2], {"a": 1}, {1, 2}, "text"):
        with pytest.raises((ArgumentError, DataError)):
            DataLoader(wrong, batch_size=None)


# --- Transforms ------------------------------------------------------------------------------------------


def test_a_transform_gets_the_parts_of_a_batch():
    x, y = np.arange(4.0), np.arange(4)
    alone = DataLoader(x, batch_size=3, transform=lambda x: x / 2)
    assert [b.tolist() for b in alone] == [[0, 0.5, 1], [1.5]]
    both = DataLoader(x, y, batch_size=3, transform=lambda x, y: (x / 2, -y))
    assert [(a.tolist(), b.tolist()) for a, b in both] == [([0, 0.5, 1], [0, -1, -2]), ([1.5], [-3])]
    inputs = DataLoader((x, y), batch_size=4, transform=lambda x: x[0] + x[1])
    assert [b.tolist() for b in inputs] == [[0, 2, 4, 6]]
    rows = DataLoader(zip(x, y, strict=True), batch_size=4, transform=lambda x, y: x + y)
    assert [b.tolist() for b in rows] == [[0, 2, 4, 6]]
    with pytest.raises(ArgumentError, match="transform"):
        DataLoader(x, transform="flip")


@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_transform_is_told_each_epoch_even_if_the_last_was_left(prefetch):
    class Numbering:
        def begin(self, epoch):
            self.drawn = 100 * epoch

        def __call__(self, x):
            self.drawn += 1
            return self.drawn

    loader = DataLoader(np.zeros(50), batch_size=1, transform=Numbering(), prefetch=prefetch)
    assert next(iter(loader)) == 1
    assert list(loader) == list(range(101, 151))


# --- Prefetch --------------------------------------------------------------------------------------------


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@given(st.integers(0, 60), options, st.integers(1, 5))
def test_prefetched_batches_are_the_same(rows, options, ahead):
    x = np.arange(rows)
    plain = DataLoader(x, -x, **options)
    fetched = DataLoader(x, -x, **options | {"seed": plain.seed}, prefetch=ahead)
    for _ in range(2):
        for (a, b), (c, d) in zip(plain, fetched, strict=True):
            np.testing.assert_array_equal(a, c)
            np.testing.assert_array_equal(b, d)
    assert not threads()


def test_the_thread_is_ahead_by_so_many_batches():
    made = []

    def source():
        for number in range(20):
            made.append(number)
            yield number

    loop = iter(DataLoader(source, batch_size=None, prefetch=3))
    assert not made  # nothing runs before the loop begins
    assert next(loop) == 0
    until = time.monotonic() + 10
    while len(made) < 5 and time.monotonic() < until:
        time.sleep(0.001)
    time.sleep(0.02)
    assert made == [0, 1, 2, 3, 4]  # taken, three ready, and one that waits for its place
    loop.close()


@pytest.mark.parametrize("leave", ["close", "drop", "raise", "end"])
def test_leaving_a_loop_ends_the_thread_and_closes_the_source(leave):
    closed = threading.Event()

    def source():
        try:
            while True:
                yield np.zeros(1000)
        finally:
            closed.set()

    def run():
        for number, _ in enumerate(DataLoader(source, batch_size=2, prefetch=2)):
            assert len(threads()) == 1
            if number == 3 and leave == "raise":
                raise KeyboardInterrupt
            if number == 3 and leave == "end":
                break

    if leave == "raise":
        with pytest.raises(KeyboardInterrupt):
            run()
    elif leave == "end":
        run()
    else:
        loop = iter(DataLoader(source, batch_size=2, prefetch=2))
        next(loop)
        if leave == "close":
            loop.close()
        del loop
    gc.collect()
    assert not threads()
    assert closed.is_set()


@pytest.mark.parametrize("error", [ValueError("seven"), KeyboardInterrupt(), MemoryError()])
def test_what_is_raised_in_the_thread_arrives_in_the_loop_in_its_turn(error):
    def source():
        yield from range(7)
        raise error

    seen = []
    with pytest.raises(type(error)) as caught:
        seen.extend(batch.tolist() for batch in DataLoader(source, batch_size=2, prefetch=2))
    assert caught.value is error
    assert seen == [[0, 1], [2, 3], [4, 5]]
    assert any(entry.name == "source" for entry in caught.traceback)  # it points to where it happened
    assert not threads()


def test_an_error_in_a_transform_arrives_too():
    with pytest.raises(ZeroDivisionError):
        list(DataLoader(np.zeros(9), batch_size=2, transform=lambda x: 1 // 0, prefetch=1))
    assert not threads()


def test_the_thread_keeps_the_callers_settings():
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        list(DataLoader(np.zeros(9), transform=lambda x: 1 / x, prefetch=1))


def test_two_loops_over_one_loader_do_not_meet():
    loader = DataLoader(np.arange(40), batch_size=3, shuffle=True, seed=0, prefetch=2)
    pairs = list(zip(loader, loader, strict=True))
    np.testing.assert_array_equal(np.concatenate([a for a, _ in pairs]), loader.order(0))
    np.testing.assert_array_equal(np.concatenate([b for _, b in pairs]), loader.order(1))
    assert not threads()


def test_a_program_that_ends_in_a_loop_ends():
    code = (
        "import itertools; from tinygrad_edu.data import DataLoader\n"
        "loop = iter(DataLoader(itertools.count, batch_size=2, prefetch=2)); print(next(loop))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[0 1]\n", "")


def test_a_prefetch_that_is_no_count_is_refused():
    for ahead in (-1, 1.0, True, None):
        with pytest.raises(ArgumentError, match="prefetch"):
            DataLoader(np.zeros(3), prefetch=ahead)


# --- Memory ----------------------------------------------------------------------------------------------

EPOCH = """
import sys, numpy as np
from tinygrad_edu.data import DataLoader

def memory(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1e3 for line in file if line.startswith(name))

before, count = memory("VmRSS"), 0
x = np.load(sys.argv[1], mmap_mode="r")
for batch in DataLoader(x, batch_size=128, shuffle=sys.argv[2] == "shuffled", seed=0, prefetch=2):
    count += len(batch)
print(count, memory("VmHWM") - before)  # the highest it ever was
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("order", ["shuffled", "in order"])
@pytest.mark.parametrize(("dtype", "side"), [("uint8", 28), ("float32", 28), ("float32", 64)])
def test_sixty_thousand_mapped_images_stay_on_disk(tmp_path, dtype, side, order):
    written = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", dtype, (60_000, side, side))
    for start in range(0, len(written), 1000):
        written[start : start + 1000] = start // 1000
    written.flush()
    command = [sys.executable, "-c", EPOCH, str(tmp_path / "x.npy"), order]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (tmp_path / "x.npy").unlink()
    count, grown = done.stdout.split()
    assert int(count) == 60_000
    assert float(grown) < 150  # MB


def test_a_large_map_is_read_right_and_a_changed_one_keeps_its_changes(tmp_path):
    shape = (66, 1024, 1024)
    written = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", "uint8", shape)
    written[:] = np.arange(66, dtype=np.uint8)[:, None, None]
    written.flush()
    for mode in ("r", "c"):
        x = np.load(tmp_path / "x.npy", mmap_mode=mode)
        numbers = np.arange(66, dtype=np.uint8)
        if mode == "c":
            x[::3] += 100
            numbers[::3] += 100
        for view in (x[:, ::64], x[::2, ::50, 3:], np.asarray(x)[1:, :9]):
            for shuffle in (False, True):
                loader = DataLoader(view, batch_size=40, shuffle=shuffle, seed=1)
                order = loader.order(0)
                found = np.concatenate(list(loader))
                np.testing.assert_array_equal(found, view[order])
        np.testing.assert_array_equal(x[:, 0, 0], numbers)
