"""Health: alive, ready, and why not.

*Live* says that the process runs; it looks at nothing else, so that a dependency's failure never
restarts a service. *Ready* asks each dependency and names its state; a starting or draining process
is not ready.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any

import msgspec

from llm_platform.core import metrics
from llm_platform.core.config import Config
from llm_platform.core.redaction import redact

Check = Callable[[], Awaitable[str | None] | str | None]
"""Raises, or returns the reason, when the dependency cannot be used; returns None when it can."""


class State(StrEnum):
    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"  # serving, without something it can do without
    NOT_READY = "not_ready"
    DRAINING = "draining"


class Dependency(msgspec.Struct, frozen=True):
    """State of one dependency."""

    state: str  # ok, down
    required: bool = True
    reason: str | None = None


class Report(msgspec.Struct, frozen=True):
    """The answer of ``/health/ready``."""

    status: State
    service: str
    replica: str
    version: str
    dependencies: dict[str, Dependency]

    @property
    def ready(self) -> bool:
        return self.status in (State.READY, State.DEGRADED)


class _Watched:
    def __init__(self, name: str, check: Check, required: bool) -> None:
        self.name = name
        self.check = check
        self.required = required


class Health:
    """Knows what this process depends on. A report is kept for ``keep`` seconds, so probing is cheap."""

    def __init__(self, config: Config, *, timeout: float = 2.0, keep: float = 0.5) -> None:
        self._service = config.service
        self._timeout = timeout
        self._keep = keep
        self._watched: dict[str, _Watched] = {}
        self._dependencies: dict[str, Dependency] = {}
        self._checked_at = -float("inf")
        self._checking: asyncio.Lock = asyncio.Lock()
        self.started = False
        self.draining = False

    def add(self, name: str, check: Check, *, required: bool = True) -> None:
        """Makes readiness depend on ``check``; without ``required`` its failure only degrades."""
        self._watched[name] = _Watched(name, check, required)
        self._checked_at = -float("inf")

    def live(self) -> dict[str, Any]:
        """The answer of ``/health`` and ``/health/live``."""
        service = self._service
        return {"status": "ok", "service": service.name, "replica": service.replica, "version": service.version}

    @property
    def accepting(self) -> bool:
        """Whether requests may be sent here: it has started and does not drain.

        A proxy asks this, not readiness: when a dependency of all replicas is gone, the replicas answer with an
        error that says so, while a proxy that took them all away could only say that nobody is there.
        """
        return self.started and not self.draining

    async def report(self) -> Report:
        """Asks every dependency (all at once, each for at most ``timeout`` seconds)."""
        async with self._checking:
            if time.monotonic() - self._checked_at > self._keep:
                watched = list(self._watched.values())
                states = await asyncio.gather(*(self._ask(each) for each in watched))
                self._dependencies = {each.name: state for each, state in zip(watched, states, strict=True)}
                self._checked_at = time.monotonic()
                for name, dependency in self._dependencies.items():
                    metrics.dependency_up.labels(name).set(dependency.state == "ok")
        state = self._state()
        metrics.ready.set(state in (State.READY, State.DEGRADED))
        return Report(state, self._service.name, self._service.replica, self._service.version, dict(self._dependencies))

    def _state(self) -> State:
        if self.draining:
            return State.DRAINING
        if not self.started:
            return State.STARTING
        down = [dependency for dependency in self._dependencies.values() if dependency.state != "ok"]
        if any(dependency.required for dependency in down):
            return State.NOT_READY
        return State.DEGRADED if down else State.READY

    async def _ask(self, watched: _Watched) -> Dependency:
        try:
            async with asyncio.timeout(self._timeout):
                answer = watched.check()
                reason = await answer if inspect.isawaitable(answer) else answer
        except TimeoutError:
            reason = f"no answer within {self._timeout:g} s"
        except Exception as error:  # noqa: BLE001 - any failure of a check is the answer to it
            reason = redact(str(error)) or type(error).__name__
        return Dependency("ok", watched.required) if reason is None else Dependency("down", watched.required, reason)
