"""Micro-batching: what is asked within one turn of the event loop travels as one call.

A batch is sent at once when none is under way; while one is, new items wait and go together when
it returns (up to ``limit`` items). So an idle caller pays no delay, and a busy one pays one round trip
for many.

Where a call costs much whatever is in it, as a commit does, ``linger`` makes a busy caller's batches fuller: when
the last one had company, the next waits a moment for its own. Otherwise whoever comes first travels alone, and
all others wait for that one's commit before their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from llm_platform.core.errors import Code, PlatformError

COMPANY = 8
"""Items of a batch that make its caller a busy one."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Collects items into calls of ``send``, which answers one result per item, in order.

    ``backlog`` bounds what waits; more is refused with OVERLOADED. ``in_flight`` batches may be
    under way at once. ``linger`` is in seconds.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        limit: int = 256,
        backlog: int = 10_000,
        in_flight: int = 2,
        linger: float = 0.0,
    ) -> None:
        self._send = send
        self._limit = limit
        self._backlog = backlog
        self._slots = in_flight
        self._linger = linger
        self._last_size = 0
        self._waiting: list[tuple[Item, asyncio.Future[Result] | None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._scheduled = False

    async def __call__(self, item: Item) -> Result:
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._accept(item, future)
        return await future

    def post(self, item: Item) -> None:
        """Sends without waiting: the result is dropped, and so is a failure, which ``send`` sees first."""
        self._accept(item, None)

    def _accept(self, item: Item, future: asyncio.Future[Result] | None) -> None:
        if len(self._waiting) >= self._backlog:
            raise PlatformError(Code.OVERLOADED, "Too many calls are waiting. Try again shortly.", retry_after=1)
        self._waiting.append((item, future))
        self._schedule()

    def _schedule(self) -> None:
        if self._scheduled or len(self._tasks) >= self._slots:
            return
        self._scheduled = True
        loop = asyncio.get_running_loop()
        if self._linger and self._last_size >= COMPANY:
            loop.call_later(self._linger, self._start)
        else:
            loop.call_soon(self._start)

    def _start(self) -> None:
        self._scheduled = False
        if not self._waiting:
            return
        batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
        self._last_size = len(batch)
        task = asyncio.get_running_loop().create_task(self._deliver(batch))
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._waiting:
            self._schedule()

    async def _deliver(self, batch: list[tuple[Item, asyncio.Future[Result] | None]]) -> None:
        try:
            results = await self._send([item for item, _ in batch])
        except BaseException as error:
            for _, future in batch:
                if future is not None and not future.done():
                    future.set_exception(_shared(error))
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), result in zip(batch, results, strict=True):
            if future is not None and not future.done():
                future.set_result(result)

    async def aclose(self) -> None:
        """Waits for what was accepted."""
        while self._tasks or self._waiting:
            if not self._tasks:
                self._start()
            sent = list(self._tasks)
            await asyncio.gather(*sent, return_exceptions=True)
            # Their callbacks may not have run yet: a wait for what is done does not always yield.
            self._tasks.difference_update(sent)


def _shared(error: BaseException) -> Exception:
    """One exception object must not be raised in many tasks: each gets its own."""
    if isinstance(error, PlatformError):
        return PlatformError(error.code, error.message, error.retry_after, error.param, error.upstream_status)
    if isinstance(error, asyncio.CancelledError):
        return PlatformError(Code.UNAVAILABLE, "The service is stopping.", retry_after=1)
    failure = PlatformError(Code.INTERNAL, "An internal call failed.")
    failure.__cause__ = error
    return failure
