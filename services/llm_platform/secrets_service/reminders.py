"""Reminds of secrets whose ``expires_at`` is near: a metric, and a line in the log each day."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from llm_platform.core import metrics
from llm_platform.core.logging import get_logger
from llm_platform.secrets_service.info import Info, time_text

_DAY_MS = 24 * 3600 * 1000

log = get_logger("secrets-service")


class Reminders:
    """``clock`` gives Unix seconds."""

    def __init__(self, days: int, clock: Callable[[], float] = time.time) -> None:
        """``days`` before it expires a secret is spoken of."""
        self._before_ms = days * _DAY_MS
        self._clock = clock
        self._reminded: dict[str, int] = {}

    def look(self, entries: Mapping[str, Info]) -> None:
        now = int(self._clock() * 1000)
        counts = {"soon": 0, "expired": 0}
        for path, info in entries.items():
            if not info.expires_at or not info.versions or info.expires_at - self._before_ms > now:
                self._reminded.pop(path, None)
                continue
            state = "expired" if info.expires_at <= now else "soon"
            counts[state] += 1
            if self._reminded.get(path, 0) <= now:
                self._reminded[path] = now + _DAY_MS
                log.warning(
                    "a secret expires", path=path, state=state, expires_at=time_text(info.expires_at)
                )  # fmt: skip
        for state, count in counts.items():
            metrics.secrets_expiring.labels(state).set(count)
