"""Tells watchers what changed in the store, also by another process on the same directory."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping

from llm_platform.core.broadcast import Broadcast
from llm_platform.core.errors import PlatformError
from llm_platform.core.poller import Poller
from llm_platform.secrets_service.disk import Disk
from llm_platform.secrets_service.encrypted_file import Entry, UnusableStoreError
from llm_platform.secrets_service.store import SecretStore

Change = tuple[str, Entry]


class Changes:
    """Compares the store with what it last said."""

    def __init__(self, store: SecretStore, disk: Disk) -> None:
        self._store = store
        self._disk = disk
        self._broadcast: Broadcast[Change] = Broadcast(backlog=20_000)
        self._poller = Poller("secrets", self._look, (UnusableStoreError, PlatformError))
        self._said: Mapping[str, Entry] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Polls until left; then every watch ends."""
        self._said = await self._disk(self._store.entries)
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
        entries = await self._disk(self._store.entries)
        before, self._said = self._said, entries
        if entries is before:
            return
        for path, entry in entries.items():
            if entry != before.get(path):
                self._broadcast.publish((path, entry))
