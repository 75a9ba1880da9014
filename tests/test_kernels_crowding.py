"""Whether work is shared, in a simulated world: kernels, a clock, and other programs that come and go."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu.kernels import _threads
from tinygrad_edu.kernels._crowding import Crowding


class World:
    """Runs kernels of some lengths in turns; a parallel call takes half as long, or waits."""

    def __init__(self, lengths, seed=0, waits=0.0, pace=1.0):
        self.crowding, self.rng = Crowding(), np.random.default_rng(seed)
        self.lengths, self.waits, self.pace = lengths, waits, pace  # seconds alone; how often calls wait
        self.now, self.step = 100.0, 0

    def run(self, seconds):
        """Return what share of the calls was shared, and how much longer they took than all alone would."""
        end, shared, calls, began, alone = self.now + seconds, 0, 0, self.now, 0.0
        while self.now < end:
            length = self.lengths[self.step % len(self.lengths)]
            self.step += 1
            taken = length * self.pace * self.rng.uniform(0.95, 1.2)
            alone += taken
            calls += 1
            if self.crowding.alone(self.now):
                self.now += taken
                self.crowding.served(length, taken, 2)
            else:
                shared += 1
                taken = taken / 2 + (self.rng.random() < self.waits) * self.rng.uniform(0.001, 0.004)
                self.now += taken
                self.crowding.shared(length, taken, self.now, 2)
            self.now += 1e-5
        return shared / calls, (self.now - began) / alone


LENGTHS = st.lists(st.sampled_from([5e-5, 1e-4, 3e-4, 1e-3, 1e-2]), min_size=1, max_size=5, unique=True)


@given(lengths=LENGTHS, seed=st.integers(0, 99), waits=st.sampled_from([0.0, 0.001]))
def test_undisturbed_all_is_shared(lengths, seed, waits):
    """One call in a thousand may wait, as on any machine."""
    assert World(lengths, seed, waits).run(3)[0] > 0.95


@given(seed=st.integers(0, 99), waits=st.sampled_from([0.2, 0.5, 1.0]))
def test_where_others_have_the_cores_little_time_is_lost(seed, waits):
    world = World([5e-5, 2e-4], seed)
    world.run(1)
    world.waits = waits
    assert world.run(20)[1] < 1.35
    assert world.run(20)[1] < 1.2  # what is tried again is tried seldom


@given(seed=st.integers(0, 99))
def test_when_the_others_have_gone_it_is_shared_again(seed):
    world = World([5e-5, 2e-4], seed, waits=0.5)
    world.run(20)
    world.waits = 0.0
    world.run(2.1)
    assert world.run(3)[0] > 0.95


@pytest.mark.parametrize("pace", [0.3, 1.5, 3.0, 10.0])
def test_a_machine_that_became_slower_or_faster_is_no_crowded_one(pace):
    world = World([5e-5, 2e-4, 1e-3])
    world.run(2)
    world.pace = pace
    world.run(5)
    assert world.run(3)[0] > 0.95


def test_the_first_call_which_may_compile_counts_for_nothing():
    crowding = Crowding()
    for call in range(10_000):
        crowding.shared(call, 2.0, now=1.0, threads=2)
    assert not crowding.alone(1.0)
    assert len(crowding._usual) <= 4096


def test_alone_the_serial_form_runs(monkeypatch):
    crowding = Crowding()
    monkeypatch.setattr(_threads, "_crowding", crowding)
    monkeypatch.setattr(_threads, "_count", 2)
    monkeypatch.setattr(_threads, "_wake", lambda: None)

    def ran():
        return _threads.run(lambda x, y: "serial", lambda x, y: "parallel", (np.ones(2), 1), 10**6)

    assert ran() == "parallel"
    monkeypatch.setattr(crowding, "_until", float("inf"))
    assert ran() == "serial"
    with _threads.both_forms():  # a warm-up compiles both, whatever else the machine does
        assert ran() == "parallel"


def test_calls_are_alike_that_have_like_arrays():
    """As many multiplications may take another time, as those of a layer and of its gradient do."""
    x, w = np.ones((8, 4), np.float32), np.ones((4, 6), np.float32)
    like = _threads._like(max, (x, False, w, 0.1), 192)
    assert like == _threads._like(max, (x + 1, False, w.copy(), 0.2), 192)
    assert like != _threads._like(max, (x, True, w), 192)
    assert like != _threads._like(max, (x.T, False, w), 192)
    assert like != _threads._like(max, (x.astype(np.float64), False, w), 192)
    assert like != _threads._like(min, (x, False, w), 192)
    assert _threads._like(max, (x, w), 1) != _threads._like(max, (x, w.T), 1)
