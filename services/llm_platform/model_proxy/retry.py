"""When a failed attempt is followed by another, and how long after it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from llm_platform.model_proxy.provider import AttemptError

_BASE_SECONDS = 0.25
_CAP_SECONDS = 8.0


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff with full jitter; ``jitter`` gives a number from 0 to 1.

    A provider that says when to come back is believed. When that is later than the caller waits, nobody
    waits: the caller is told when to come back instead.
    """

    retries: int
    jitter: Callable[[], float] = field(default=random.random)

    def pause_after(self, number: int, failure: AttemptError, remaining: float) -> float | None:
        """Seconds to wait after attempt ``number`` (from 1), None to give up; ``remaining`` is what is left of them."""
        if not failure.retry or number > self.retries:
            return None
        if failure.error.retry_after is not None:
            pause = failure.error.retry_after
        else:
            pause = self.jitter() * min(_CAP_SECONDS, _BASE_SECONDS * 2 ** (number - 1))
        return pause if pause < remaining else None
