"""Tells watchers what changed in the store, also by another process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Mapping

import msgspec

from llm_platform.core.broadcast import Broadcast
from llm_platform.core.errors import PlatformError
from llm_platform.core.poller import POLL_SECONDS, Poller
from llm_platform.secrets_service.interfaces import Store, Versions

Change = tuple[str, Versions]


class _Gone(msgspec.Struct, frozen=True):
    """What a store no longer knows at all."""

    updated_at: int
    versions: tuple[int, ...] = ()
    current: int = 0


class Changes:
    """Compares the store with what it last said, every ``seconds`` and after each change made here."""

    def __init__(self, store: Store, seconds: float = POLL_SECONDS) -> None:
        self._store = store
        self._broadcast: Broadcast[Change] = Broadcast(backlog=20_000)
        self._poller = Poller("secrets", self._look, (PlatformError,), seconds)
        self._said: Mapping[str, Versions] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Polls until left; then every watch ends. A store that is away at first is looked at again."""
        with contextlib.suppress(PlatformError):
            self._said = await self._store.entries()
        async with self._poller.running():
            try:
                yield
            finally:
                self._broadcast.close()

    def changed(self) -> None:
        """Something was written here: look now."""
        self._poller.changed()

    async def watch(self) -> AsyncIterator[Change]:
        """What there is, then every change; so a watcher that comes back has missed nothing."""
        with self._broadcast.subscribe() as events:
            for path, entry in list(self._said.items()):
                if entry.versions:
                    yield path, entry
            async for event in events:
                yield event

    async def _look(self) -> None:
        entries = await self._store.entries()
        before, self._said = self._said, entries
        if entries is before:
            return
        for path, entry in entries.items():
            if entry != before.get(path):
                self._broadcast.publish((path, entry))
        for path in before.keys() - entries.keys():
            self._broadcast.publish((path, _Gone(updated_at=int(time.time() * 1000))))
