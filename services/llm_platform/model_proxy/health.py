"""Health of one provider: the share of recent calls that succeeded, and a circuit breaker on it.

*Closed*: calls pass. *Open*: none does, for a time that doubles with every failed probe. *Half-open*: one call at a
time probes; its success closes the circuit. Only what the provider is to blame for counts: not a refused request, not
a rate limit, not a caller who left.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum


class Circuit(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class _Second:
    __slots__ = ("at", "failures", "successes")

    def __init__(self, at: int) -> None:
        self.at = at
        self.successes = 0
        self.failures = 0


class ProviderHealth:
    """Counts calls in a sliding window of ``window`` seconds; ``clock`` gives monotonic seconds.

    The circuit opens at ``least_failures`` failures that are at least half of the window's calls.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        window: int = 30,
        least_failures: int = 5,
        open_seconds: float = 1.0,
        longest_open_seconds: float = 30.0,
    ) -> None:
        self._clock = clock
        self._window = window
        self._least_failures = least_failures
        self._first_open_seconds = open_seconds
        self._longest_open_seconds = longest_open_seconds
        self._open_seconds = open_seconds
        self._seconds: deque[_Second] = deque()
        self._open_until: float | None = None
        self._probing = False
        self.last_failure = ""
        """Why the last failed call failed, as a caller may see it."""

    def admit(self) -> float:
        """0 when a call may be made; otherwise the seconds until one may. Who is admitted reports how it ended."""
        if self._open_until is None:
            return 0.0
        wait = self._open_until - self._clock()
        if wait > 0:
            return wait
        if self._probing:
            return self._first_open_seconds
        self._probing = True
        return 0.0

    def succeeded(self) -> None:
        self._now().successes += 1
        if self._probing:
            self.reset()

    def failed(self, reason: str) -> None:
        self._now().failures += 1
        self.last_failure = reason
        if self._probing:
            self._probing = False
            self._open_seconds = min(self._open_seconds * 2, self._longest_open_seconds)
            self._open_until = self._clock() + self._open_seconds
        elif self._open_until is None:
            successes, failures = self.counts()
            if failures >= self._least_failures and failures >= successes:
                self._open_until = self._clock() + self._open_seconds

    def abandoned(self) -> None:
        """The call ended without saying anything about the provider."""
        self._probing = False

    def reset(self) -> None:
        """Closes the circuit and forgets the failures that opened it."""
        self._probing = False
        self._open_until = None
        self._open_seconds = self._first_open_seconds
        for second in self._seconds:
            second.failures = 0

    @property
    def circuit(self) -> Circuit:
        if self._open_until is None:
            return Circuit.CLOSED
        return Circuit.OPEN if self._open_until > self._clock() else Circuit.HALF_OPEN

    def counts(self) -> tuple[int, int]:
        """Successes and failures in the window."""
        self._forget(int(self._clock()))
        return sum(each.successes for each in self._seconds), sum(each.failures for each in self._seconds)

    @property
    def score(self) -> float:
        """Share of the window's calls that succeeded; 1 when there were none."""
        successes, failures = self.counts()
        return successes / (successes + failures) if successes + failures else 1.0

    def _now(self) -> _Second:
        second = int(self._clock())
        if not self._seconds or self._seconds[-1].at != second:
            self._forget(second)
            self._seconds.append(_Second(second))
        return self._seconds[-1]

    def _forget(self, now: int) -> None:
        while self._seconds and self._seconds[0].at <= now - self._window:
            self._seconds.popleft()
