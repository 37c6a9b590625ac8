"""Tells watchers which keys were revoked, also by another process on the same database."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from sqlalchemy.exc import SQLAlchemyError

from llm_platform.auth_service.store import AccountStore
from llm_platform.core.broadcast import Broadcast
from llm_platform.core.errors import PlatformError
from llm_platform.core.lifecycle import background
from llm_platform.core.logging import get_logger
from llm_platform.proto import accounts_pb2

POLL_SECONDS = 0.5
"""The longest until a revocation written by another process is seen."""
HEARTBEAT_SECONDS = 1.0
"""How often a watcher hears something. A heartbeat says that the database was asked and nothing is missing."""

log = get_logger("auth-service")


class Revocations:
    """Asks for the number of the newest revocation, at once after one in this process, and publishes what is new."""

    def __init__(self, store: AccountStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._broadcast: Broadcast[accounts_pb2.Revocation] = Broadcast()
        self._changed = asyncio.Event()
        self._seen = 0
        self._failing = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Polls until left; then every watch ends."""
        self._seen = await self._store.last_revocation()
        poller = background(self._run(), "revocations")
        try:
            yield
        finally:
            self._broadcast.close()
            poller.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await poller

    def changed(self) -> None:
        """Something was revoked here: look now."""
        self._changed.set()

    async def watch(self) -> AsyncIterator[accounts_pb2.Revocation]:
        """A heartbeat at once (the watch stands), then every revocation committed after it."""
        with self._broadcast.subscribe() as events:
            yield accounts_pb2.Revocation()
            async for event in events:
                yield event

    async def _run(self) -> None:
        heartbeat_at = self._clock()
        while True:
            self._changed.clear()
            found = await self._look()
            now = self._clock()
            if found:
                heartbeat_at = now + HEARTBEAT_SECONDS
            elif not self._failing and now >= heartbeat_at:
                heartbeat_at = now + HEARTBEAT_SECONDS
                self._broadcast.publish(accounts_pb2.Revocation())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._changed.wait()

    async def _look(self) -> bool:
        """Publishes what is new; whether there was something. While the database fails, watchers hear nothing."""
        try:
            newest = await self._store.last_revocation()
            key_ids = await self._store.revoked_after(self._seen) if newest > self._seen else []
        except (SQLAlchemyError, PlatformError) as error:
            if not self._failing:
                log.warning("revocations cannot be read", reason=str(error))
            self._failing = True
            return False
        self._failing = False
        for key_id in key_ids:
            self._broadcast.publish(accounts_pb2.Revocation(key_id=key_id))
        # What was committed between the two reads was published already: it may be published once more.
        self._seen = max(self._seen, newest)
        return bool(key_ids)
