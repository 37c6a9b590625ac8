"""Tells watchers what changed in the store, also by another process: one poller for all of them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Mapping

from llm_platform.core.broadcast import Broadcast
from llm_platform.core.errors import PlatformError
from llm_platform.core.poller import POLL_SECONDS, Poller
from llm_platform.secrets_service.info import Info
from llm_platform.secrets_service.interfaces import Store
from llm_platform.secrets_service.reminders import Reminders

News = tuple[str, Info]


class Changes:
    """Compares the store with what it last said, every ``seconds`` and after each change made here.

    A store that cannot be read is asked less and less often, up to every ``longest`` seconds.
    """

    def __init__(
        self, store: Store, reminders: Reminders, seconds: float = POLL_SECONDS, longest: float = 0
    ) -> None:  # fmt: skip
        self._store = store
        self._reminders = reminders
        self._broadcast: Broadcast[News] = Broadcast(backlog=20_000)
        self._poller = Poller("secrets", self._look, (PlatformError,), seconds, longest)
        self._said: Mapping[str, Info] = {}

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

    async def watch(self) -> AsyncIterator[News]:
        """What there is, then every change; so a watcher that comes back has missed nothing."""
        with self._broadcast.subscribe() as events:
            for path, info in list(self._said.items()):
                if info.versions:
                    yield path, info
            async for event in events:
                yield event

    async def _look(self) -> None:
        entries = await self._store.entries()
        self._reminders.look(entries)
        before, self._said = self._said, entries
        if entries is before:
            return
        for path, info in entries.items():
            if info != before.get(path):
                self._broadcast.publish((path, info))
        for path in before.keys() - entries.keys():
            self._broadcast.publish((path, Info(last=0, updated_at=int(time.time() * 1000), versions={})))
