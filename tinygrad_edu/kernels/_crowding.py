"""Whether sharing a kernel's work among the threads pays, or other programs have the cores.

A parallel kernel is done when its slowest thread is. Where another program has a core, the thread that
should work there waits for its turn, a few milliseconds, and the others wait for it: a kernel of 50 µs takes
50 times as long. On one thread it would have taken twice as long. So the calls are timed. What a call usually
takes is known from its like; when the calls of the last while took longer, in sum, than they would have on
one thread, work isn't shared for a while, then tried again.

The two forms of a kernel give the same bits, so results don't depend on any of this.
"""

from collections.abc import Hashable

__all__ = ["Crowding"]

_WHILE = 0.25  # seconds of parallel work that are looked back on
_HARM = 0.01  # seconds lost in them, at least, before sharing stops: one hiccup does no harm
_SHORTEST, _LONGEST = 0.2, 2.0  # seconds without sharing: longer each time that trying again fails
_KNOWN = 4096  # calls that are remembered


class Crowding:
    """Decides from the times of parallel and of serial calls; all times are in seconds, of any one clock.

    >>> crowding = Crowding()
    >>> for _ in range(9):
    ...     crowding.shared("conv", 0.0001, now=1.0, threads=2)
    >>> crowding.alone(1.0)
    False
    >>> crowding.shared("conv", 0.015, now=1.0, threads=2)
    >>> crowding.alone(1.1), crowding.alone(1.3)
    (True, False)
    """

    def __init__(self) -> None:
        # In seconds; None after the first call, which may compile.
        self._usual: dict[Hashable, float | None] = {}
        self._taken = self._expected = 0.0  # by the parallel calls of the last while
        self._until = 0.0
        self._pause = _SHORTEST

    def alone(self, now: float) -> bool:
        """Tell whether a kernel should run on the calling thread alone."""
        return now < self._until

    def shared(self, call: Hashable, seconds: float, now: float, threads: int) -> None:
        """Take down what a parallel call took; equal calls are those of one kernel on like arrays."""
        usual = self._usual.get(call)
        if usual is None:
            if call not in self._usual and len(self._usual) >= _KNOWN:
                self._usual.clear()
            self._usual[call] = seconds if call in self._usual else None
            return
        # Down quickly, up slowly, and not at all after a call that waited: that would make waiting usual.
        if seconds < usual:
            self._usual[call] = usual = usual + (seconds - usual) / 4
        elif seconds < 2 * usual:
            self._usual[call] = usual = usual + (seconds - usual) / 64
        fading = max(0.0, 1 - seconds / _WHILE)
        self._taken = self._taken * fading + seconds
        self._expected = self._expected * fading + usual
        if self._taken > threads * self._expected and self._taken - self._expected > _HARM:
            self._until = now + self._pause
            self._pause = min(2 * self._pause, _LONGEST)
            self._taken = self._expected = 0.0
        elif self._expected > _WHILE / 8:
            self._pause = _SHORTEST

    def served(self, call: Hashable, seconds: float, threads: int) -> None:
        """Take down what a call took that ran alone: shared, it can't take less than its part of that.

        So a machine that has become slower for all, and not for those who share, is told from a crowded one.
        """
        usual = self._usual.get(call)
        if usual is not None:
            self._usual[call] = max(usual, seconds / threads)
