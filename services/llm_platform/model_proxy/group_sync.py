"""Group fdatasync: one for everyone who waits; whoever comes meanwhile shares the next."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from llm_platform.core import metrics
from llm_platform.core.errors import Code, PlatformError


class GroupSync:
    """Makes durable what was written to the current file, in ``thread``.

    ``current`` gives the descriptor written to now, ``failed`` hears of an error: after one the kernel may have
    dropped what was not yet on disk, so that file must not be relied on any more.
    """

    def __init__(
        self, thread: ThreadPoolExecutor, current: Callable[[], int], failed: Callable[[BaseException], None]
    ) -> None:
        self._thread = thread
        self._current = current
        self._failed = failed
        self._waiting: list[asyncio.Future[None]] = []
        self._retired: list[int] = []
        self._busy = False

    def retire(self, descriptor: int) -> None:
        """It is not written to any more: it is synced with the next group, and closed."""
        self._retired.append(descriptor)

    async def durable(self) -> None:
        """Returns when everything written before the call is on disk. Raises UNAVAILABLE."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append(future)
        if not self._busy:
            self._busy = True
            loop.call_soon(self._begin)  # whatever else this turn of the loop writes goes along
        await future

    def close(self) -> None:
        for descriptor in self._retired:
            os.close(descriptor)
        self._retired.clear()

    def _begin(self) -> None:
        waiting, self._waiting = self._waiting, []
        retired, self._retired = self._retired, []
        metrics.journal_batch_size.observe(len(waiting))
        loop = asyncio.get_running_loop()
        work = self._thread.submit(_sync, self._current(), retired)
        work.add_done_callback(lambda done: loop.call_soon_threadsafe(self._finished, done, waiting))

    def _finished(self, done: Future[None], waiting: list[asyncio.Future[None]]) -> None:
        error = done.exception()
        if error is not None:
            self._failed(error)
        for future in waiting:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                reason = "The call cannot be journaled: writing to disk failed."
                future.set_exception(PlatformError(Code.UNAVAILABLE, reason, retry_after=1))
        if self._waiting:
            self._begin()
        else:
            self._busy = False


def _sync(descriptor: int, retired: list[int]) -> None:
    began = time.perf_counter()
    try:
        for each in (*retired, descriptor):
            os.fdatasync(each)
    finally:
        for each in retired:
            os.close(each)
    metrics.journal_fsync.observe(time.perf_counter() - began)
