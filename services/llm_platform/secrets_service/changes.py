"""Tells watchers what changed in the store, also by another process on the same directory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from llm_platform.core.broadcast import Broadcast
from llm_platform.core.errors import PlatformError
from llm_platform.core.lifecycle import background
from llm_platform.core.logging import get_logger
from llm_platform.secrets_service.disk import Disk
from llm_platform.secrets_service.encrypted_file import Entry, UnusableStoreError
from llm_platform.secrets_service.store import SecretStore

POLL_SECONDS = 0.5
"""The longest until a change by another process is seen."""

Change = tuple[str, Entry]

log = get_logger("secrets-service")


class Changes:
    """Compares the store with what it last said: at once after a change here, else every POLL_SECONDS."""

    def __init__(self, store: SecretStore, disk: Disk) -> None:
        self._store = store
        self._disk = disk
        self._broadcast: Broadcast[Change] = Broadcast(backlog=20_000)
        self._changed = asyncio.Event()
        self._said: Mapping[str, Entry] = {}
        self._failing = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Polls until left; then every watch ends."""
        self._said = await self._disk(self._store.entries)
        poller = background(self._run(), "secret changes")
        try:
            yield
        finally:
            self._broadcast.close()
            poller.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await poller

    def changed(self) -> None:
        """Something was written here: look now."""
        self._changed.set()

    async def watch(self) -> AsyncIterator[Change]:
        """What there is, then every change; so a watcher that comes back has missed nothing."""
        with self._broadcast.subscribe() as events:
            for path, entry in list(self._said.items()):
                if entry.versions:
                    yield path, entry
            async for event in events:
                yield event

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            await self._look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._changed.wait()

    async def _look(self) -> None:
        try:
            entries = await self._disk(self._store.entries)
        except (UnusableStoreError, PlatformError) as error:
            if not self._failing:
                log.error("the store cannot be read", reason=str(error))
            self._failing = True
            return
        self._failing = False
        before, self._said = self._said, entries
        if entries is before:
            return
        for path, entry in entries.items():
            if entry != before.get(path):
                self._broadcast.publish((path, entry))
