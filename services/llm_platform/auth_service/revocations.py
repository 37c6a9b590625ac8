"""Tells watchers which keys were revoked, and what else changed that they cache, also by another process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable

from sqlalchemy.exc import SQLAlchemyError

from llm_platform.auth_service.store import AccountStore
from llm_platform.core.broadcast import Broadcast
from llm_platform.core.errors import PlatformError
from llm_platform.core.poller import Poller
from llm_platform.proto import accounts_pb2

HEARTBEAT_SECONDS = 1.0
"""How often a watcher hears something. A heartbeat says that the database was asked and nothing is missing."""


class Revocations:
    """Asks for the number of the newest change and publishes what is new."""

    def __init__(self, store: AccountStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._broadcast: Broadcast[accounts_pb2.Revocation] = Broadcast()
        self._poller = Poller("revocations", self._look, (SQLAlchemyError, PlatformError))
        self._seen = 0
        self._heartbeat_at = clock()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Polls until left; then every watch ends."""
        self._seen = await self._store.last_change()
        async with self._poller.running():
            try:
                yield
            finally:
                self._broadcast.close()

    def changed(self) -> None:
        """Something was changed here: look now."""
        self._poller.changed()

    async def watch(self) -> AsyncIterator[accounts_pb2.Revocation]:
        """A heartbeat at once (the watch stands), then every change committed after it."""
        with self._broadcast.subscribe() as events:
            yield accounts_pb2.Revocation()
            async for event in events:
                yield event

    async def _look(self) -> None:
        """Publishes what is new, or a heartbeat when it is due. While the database fails, watchers hear nothing."""
        newest = await self._store.last_change()
        news = await self._store.changes_after(self._seen) if newest > self._seen else []
        # What was committed between the two reads is among them, and may be published once more.
        self._seen = max(self._seen, newest)
        now = self._clock()
        if not news and now >= self._heartbeat_at:
            news = [accounts_pb2.Revocation()]
        for event in news:
            self._broadcast.publish(event)
            self._heartbeat_at = now + HEARTBEAT_SECONDS
