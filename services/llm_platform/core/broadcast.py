"""One publisher, many watchers, each with a bounded queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from llm_platform.core.errors import Code, PlatformError

Event = TypeVar("Event")


class Broadcast(Generic[Event]):
    """Hands every published event to every watcher that subscribed before.

    A watcher that reads too slowly is ended with UNAVAILABLE when ``backlog`` events wait for it: it
    must come back and learn the present state, rather than miss an event without knowing.
    """

    def __init__(self, backlog: int = 1_000) -> None:
        self._backlog = backlog
        self._queues: set[asyncio.Queue[Event | None]] = set()

    def __len__(self) -> int:
        """The number of watchers."""
        return len(self._queues)

    def publish(self, event: Event) -> None:
        for queue in list(self._queues):
            if queue.qsize() >= self._backlog:
                self._queues.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)

    def close(self) -> None:
        """Ends every watcher."""
        for queue in self._queues:
            queue.put_nowait(None)
        self._queues.clear()

    @contextmanager
    def subscribe(self) -> Iterator[AsyncIterator[Event]]:
        """The events from now on. The iterator raises UNAVAILABLE when the watcher must come back."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield _events(queue)
        finally:
            self._queues.discard(queue)


async def _events(queue: asyncio.Queue[Event | None]) -> AsyncIterator[Event]:
    while (event := await queue.get()) is not None:
        yield event
    raise PlatformError(Code.UNAVAILABLE, "The watch was ended. Start it again.", retry_after=1)
