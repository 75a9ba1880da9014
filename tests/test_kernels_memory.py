"""Memory that is handed out again: never to two at once, never more of it idle than is allowed."""

import gc
import os
import threading

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tinygrad_edu.kernels import _memory

SMALL = _memory.SMALL


@pytest.fixture(autouse=True)
def _nothing_idle():
    gc.collect()  # what other tests have left would come back in the middle of ours
    _memory.release_idle()
    yield
    _memory.release_idle()


def bytes_(size):
    return _memory.empty((size,), np.uint8)


class Lifetimes(RuleBasedStateMachine):
    """Arrays and views of them come and go in any order, and each keeps what was written into it."""

    def __init__(self):
        super().__init__()
        self.held = []  # of arrays or views, each with the mark that all of it is filled with
        self.mark = 0
        _memory.release_idle()

    @rule(size=st.integers(0, 40).map(lambda k: SMALL + k * SMALL // 16), dtype=st.sampled_from("Bfd"))
    def take(self, size, dtype):
        array = _memory.empty((size // 64, 8), dtype)
        assert array.shape == (size // 64, 8)
        assert array.dtype == dtype
        assert array.flags.carray
        self.mark = (self.mark + 1) % 251
        array[...] = self.mark
        self.held.append((array, self.mark))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def keep_a_view_alone(self, data):
        i = data.draw(st.integers(0, len(self.held) - 1))
        array, mark = self.held.pop(i)
        self.held.append((array[:: data.draw(st.sampled_from([1, 3, -2]))].T, mark))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def let_go(self, data):
        self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))

    @invariant()
    def nobody_wrote_into_anothers(self):
        assert all((array == mark).all() for array, mark in self.held)

    @invariant()
    def little_more_is_kept_than_was_ever_in_use(self):
        assert _memory._lent_total + _memory._idle_total <= _memory.SLACK * _memory._most_lent


TestLifetimes = Lifetimes.TestCase
TestLifetimes.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_a_freed_block_is_used_again_for_another_shape_and_dtype():
    first = _memory.empty((SMALL,), np.uint8)
    where = first.ctypes.data
    del first
    assert _memory.idle_bytes() == SMALL
    again = _memory.empty((2, SMALL // 16), np.float64)
    assert again.ctypes.data == where
    assert _memory.idle_bytes() == 0


def test_a_view_keeps_the_block():
    array = bytes_(SMALL)
    part = array[5:].reshape(-1, 1)[::2]
    del array
    gc.collect()
    assert _memory.idle_bytes() == 0
    del part
    assert _memory.idle_bytes() == SMALL


def test_the_longest_idle_goes_first_when_there_is_too_much(monkeypatch):
    monkeypatch.setattr(_memory, "MOST_IDLE", 3 * SMALL)
    a, b, c = bytes_(2 * SMALL), bytes_(SMALL), bytes_(SMALL)
    del a, b
    assert _memory.idle_bytes() == 3 * SMALL
    del c
    assert _memory.idle_bytes() == 2 * SMALL
    assert {k for k, blocks in _memory._idle.items() if blocks} == {SMALL}


def test_small_arrays_are_numpys_own():
    assert _memory.empty((3,), np.float32).flags.owndata


def test_threads_share_the_memory():
    wrong = []

    def work(mark):
        for i in range(200):
            array = bytes_(SMALL + (i % 3) * SMALL // 8)
            array[::4096] = mark
            if not (array[::4096] == mark).all():
                wrong.append(mark)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_memory_of_its_own():
    held = bytes_(SMALL)
    held[:] = 1
    child = os.fork()
    if child == 0:
        held[:] = 2
        os._exit(0)
    os.waitpid(child, 0)
    assert (held == 1).all()
