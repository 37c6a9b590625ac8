"""What may be given back to calls under way, so that what has been refilled is not given back once more.

An estimate that was taken at ``s`` and turns out too high by ``d`` must leave the bucket as if the true use had been
taken at ``s``. The TAT is the largest of ``t + (everything taken since t)`` over the times ``t`` at which something was
taken. Taking ``d`` less at ``s`` lowers the terms up to ``s`` and none of the later ones. So what may be given back is
at most the TAT's distance from the largest later term, which is *the lowest level that later calls found the bucket
at* (level: the time until it is full). Later terms grow with every call just as the TAT does, so the distance only
changes when a call finds a lower level, or when something is given back.

Calls are numbered by turns. The later one came, the more it may be given back: so the levels are kept in the order of
turns, and a lower one replaces those at the end. MOST levels are remembered; then near neighbours become one, with the
lower of their levels: less may be given back then, never more.
"""

from __future__ import annotations

from bisect import bisect_right

MOST = 32
PARTS = 16
"""Levels that are nearer to each other than this part of the highest become one, when there are too many."""


class Refunds:
    """For the calls of one subject. Times are nanoseconds."""

    __slots__ = ("_firsts", "_last", "_levels", "_turn")

    def __init__(self) -> None:
        self._turn = 0
        self._last = 0  # the turn since which nobody came; 0: somebody did, or nothing is under way
        self._firsts: list[int] = []  # the first turn that the level at the same place holds for
        self._levels: list[int] = []

    def forget(self) -> None:
        """No call is under way any more."""
        self._last = 0
        if self._levels:
            self._firsts.clear()
            self._levels.clear()

    def begin(self) -> int:
        """A call took while no other was under way; gives its turn."""
        if self._levels:
            self.forget()
        self._turn = self._last = turn = self._turn + 1
        return turn

    def take(self, level: int) -> int:
        """A call found the bucket at that level and took from it; gives its turn."""
        if self._last or self._levels:
            self.find(level)
        self._turn = self._last = turn = self._turn + 1
        return turn

    def find(self, level: int) -> None:
        """Something was taken while the bucket was at that level."""
        levels, firsts = self._levels, self._firsts
        first = self._last
        while levels and levels[-1] >= level:
            levels.pop()
            first = firsts.pop()
        if first:
            levels.append(level)
            firsts.append(first)
            self._last = 0
            if len(levels) > MOST:
                self._merge()

    def give_back(self, turn: int, wanted: int) -> int:
        """How much of ``wanted`` the call of that turn is given back: the TAT falls by it."""
        levels, firsts = self._levels, self._firsts
        if turn == self._last or not levels:
            return wanted
        at = max(bisect_right(firsts, turn) - 1, 0)
        given = min(wanted, levels[at])
        if not given:
            return 0
        # Later calls found the bucket lower by this; earlier ones were followed by a level lower by this.
        for place in range(at, len(levels)):
            levels[place] -= given
        start = at
        while start and levels[start - 1] >= levels[at]:
            start -= 1
        del levels[start:at], firsts[start + 1 : at + 1]
        return given

    def _merge(self) -> None:
        near = self._levels[-1] // PARTS
        firsts, levels = self._firsts[:1], self._levels[:1]
        for first, level in zip(self._firsts[1:], self._levels[1:], strict=True):
            if level - levels[-1] > near:
                firsts.append(first)
                levels.append(level)
        self._firsts, self._levels = firsts, levels
