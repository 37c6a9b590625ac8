"""One HTTP/1.1 response as it arrives, and the ways in which it can fail to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llm_platform.core.inference import Outlet, Take

if TYPE_CHECKING:
    from llm_platform.http.client.connection import Connection

_HIGH_WATER = 256 * 1024
_STALE_WITHIN_SECONDS = 1.0
"""A server that had closed a kept connection shows it within a round trip of the write."""
_LEAVING_SECONDS = 1.0


class ClientError(Exception):
    """A request that got no whole response."""


class ConnectError(ClientError):
    """No connection: nothing was sent."""


class ResponseLostError(ClientError):
    """The connection ended, fell silent or spoke no HTTP after the request was at least partly sent."""

    def __init__(self, reason: str, *, timeout: bool, began: bool, written: bool, stale: bool) -> None:
        super().__init__(reason)
        self.timeout = timeout
        self.began = began
        """Something of the response arrived."""
        self.written = written
        """The whole request was handed to the operating system."""
        self.stale = stale
        """A kept connection was closed as it was used again: the request was most likely never read."""


class Response:
    """One response: the head is there, the body is iterated once.

    It belongs to whoever asked for it, who reads it to the end or calls ``close``.
    """

    __slots__ = (
        "_began", "_connection", "_deadline", "_error", "_head", "_left", "_loop", "_outlet", "_parts", "_paused",
        "_sent_at", "_silence", "_timer", "_waiter", "_waiting_bytes", "complete", "headers", "status",
    )  # fmt: skip

    def __init__(
        self, connection: Connection, loop: asyncio.AbstractEventLoop, first_byte: float, silence: float
    ) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        """In order, names in lower case."""
        self.complete = False
        self._connection: Connection | None = connection
        self._loop = loop
        self._began = False
        self._head = False
        self._left = False
        self._error: ClientError | None = None
        self._parts: list[bytes] = []
        self._outlet: Outlet | None = None
        """Set while ``pour`` waits: what arrives goes there."""
        self._waiting_bytes = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._silence = silence
        self._sent_at = loop.time()
        self._deadline = self._sent_at + first_byte
        self._timer: asyncio.TimerHandle | None = loop.call_later(first_byte, self._expire)

    def header(self, name: bytes) -> str | None:
        """The first value of a header; ``name`` in lower case."""
        for each, value in self.headers:
            if each == name:
                return value.decode("latin-1")
        return None

    async def wait_for_head(self) -> None:
        while not self._head:
            if self._error is not None:
                raise self._error
            await self._wait()

    def __aiter__(self) -> Response:
        return self

    async def __anext__(self) -> bytes:
        """What has arrived since the last time, at least one byte. Raises ``ResponseLostError``."""
        while not self._parts:
            if self.complete:
                raise StopAsyncIteration
            if self._error is not None:
                raise self._error
            await self._wait()
        return self._collected()

    async def pour(self, take: Take) -> None:
        """Gives all that arrives to ``take``; see ``core.inference.pour``. Raises ``ResponseLostError``."""
        outlet = Outlet(take)
        while True:
            if self._parts:
                outlet.give(self._collected())
            elif self.complete:
                return
            elif self._error is not None:
                raise self._error
            else:
                self._outlet = outlet
                try:
                    await self._wait()
                finally:
                    self._outlet = None
            await outlet.settle()

    def _collected(self) -> bytes:
        parts = self._parts
        self._parts = []
        self._waiting_bytes = 0
        if self._paused:
            self._paused = False
            self._deadline = self._loop.time() + self._silence
            if self._connection is not None:
                self._connection.resume()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def leave(self) -> None:
        """The reader has all it wants: what is left is dropped, so that the connection can be used again.

        If that takes longer than ``_LEAVING_SECONDS`` the connection is cut.
        """
        if self._connection is None:
            return
        self._left = True
        self._parts.clear()
        self._stop_timer()
        self._deadline = self._loop.time() + _LEAVING_SECONDS
        self._timer = self._loop.call_later(_LEAVING_SECONDS, self._expire)
        if self._paused:
            self._paused = False
            self._connection.resume()

    def close(self) -> None:
        """Drops the rest; the connection is cut at once unless the response is complete."""
        self._stop_timer()
        connection, self._connection = self._connection, None
        if connection is not None and not self.complete:
            self._error = self._error or ClientError("the response was closed")
            connection.abort()

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _expire(self) -> None:
        """Silence is measured by moving the deadline; the timer only follows it."""
        now = self._loop.time()
        if self._paused:  # we do not read, so the silence is ours
            self._deadline = now + self._silence
        if self._deadline - now > 0.001:
            self._timer = self._loop.call_later(self._deadline - now, self._expire)
            return
        self._timer = None
        self.fail("the provider fell silent" if self._head else "no response in time", timeout=True)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # What follows is the connection's side.

    def take(self, part: bytes) -> bool:
        """A part of the body; True asks the connection to stop reading."""
        if self._left:
            return False
        self._parts.append(part)
        self._waiting_bytes += len(part)
        if self._waiting_bytes > _HIGH_WATER:
            self._paused = True
        return self._paused

    def arrived(self) -> None:
        """Something came; it is looked at once per read, not once per part."""
        if self._left:
            return
        self._deadline = self._loop.time() + self._silence
        if self._outlet is not None and self._parts:
            if self._outlet.give(self._collected()):
                return
            self._outlet = None
        self._wake()

    def begin(self, status: int) -> None:
        """The head is complete."""
        self.status = status
        self._head = True
        silent_until = self._loop.time() + self._silence
        if silent_until < self._deadline:  # the timer follows a deadline only when that moves away
            self._stop_timer()
            self._timer = self._loop.call_later(self._silence, self._expire)
        self._deadline = silent_until

    def finish(self) -> None:
        self.complete = True
        self._paused = False
        self._connection = None
        self._stop_timer()
        self._wake()

    def fail(self, reason: str, *, timeout: bool = False) -> None:
        """The response will not come to its end."""
        if self.complete or self._error is not None:
            return
        connection, self._connection = self._connection, None
        written = connection is None or connection.written
        reused = connection is not None and connection.reused
        soon = self._loop.time() - self._sent_at < _STALE_WITHIN_SECONDS
        self._error = ResponseLostError(
            reason,
            timeout=timeout,
            began=self._began,
            written=written,
            stale=reused and soon and not self._began and not timeout,
        )
        self._stop_timer()
        if connection is not None:
            connection.abort()
        self._wake()

    def touch(self) -> None:
        self._began = True
