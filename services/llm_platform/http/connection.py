"""One HTTP/1.1 connection of the client, and the response that is read from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from llm_platform.core.inference import Outlet, Take

_MAX_HEAD_BYTES = 64 * 1024
_HIGH_WATER = 256 * 1024
_LOW_WATER = 64 * 1024
_STALE_WITHIN_SECONDS = 1.0
"""A server that had closed a kept connection shows it within a round trip of the write."""
_LEAVING_SECONDS = 1.0
_SWITCHING_PROTOCOLS = 101


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


class Connection(asyncio.Protocol):
    """A connection carries one request at a time. ``release`` takes it when it may be used again."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        release: Callable[[Connection], None],
        lost: Callable[[Connection], None],
    ) -> None:
        self._loop = loop
        self._release = release
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._response: Response | None = None
        self._requests = 0
        self._head_bytes = 0
        self._last_read = 0
        self._interim = False
        self._length_known = False
        self._server_keeps: float | None = None
        self._idle_until = 0.0
        self._malformed = False
        self.written = True

    @property
    def reused(self) -> bool:
        return self._requests > 1

    def usable(self, now: float) -> bool:
        return now < self._idle_until and self._transport is not None and not self._transport.is_closing()

    def keep_for(self, seconds: float) -> None:
        """Idle from now on. A server that names its own patience (``keep-alive: timeout=N``) is left a second early."""
        if self._server_keeps is not None:
            seconds = min(seconds, self._server_keeps - 1)
        self._idle_until = self._loop.time() + seconds

    def send(self, head: bytes, body: bytes, first_byte: float, silence: float) -> Response:
        transport = cast("asyncio.Transport", self._transport)
        response = self._response = Response(self, self._loop, first_byte, silence)
        self._requests += 1
        self._head_bytes = 0
        if len(body) < _LOW_WATER:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)
        return response

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self) -> None:
        """Cuts the connection now; the server sees it."""
        self._response = None
        self._idle_until = 0.0
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)

    def pause_writing(self) -> None:
        self.written = False

    def resume_writing(self) -> None:
        self.written = True

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None:  # nobody asked: a server that says 408 before it closes, or worse
            self.abort()
            return
        response.touch()
        self._last_read = len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._malformed = True
        if self._malformed:
            response.fail("the response is not valid HTTP")
            self.abort()
            return
        if not response.status:
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES:
                response.fail("the response's headers are too large")
            return
        response.arrived()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._lost(self)
        response, self._response = self._response, None
        self._idle_until = 0.0
        if response is None:
            return
        if error is None and response.status and not self._length_known:
            response.finish()
            return
        response.fail("the connection was closed before the response was complete")

    # httptools callbacks; they must not raise

    def on_message_begin(self) -> None:
        self._interim = False
        self._length_known = False
        self._server_keeps = None
        if self._response is None or self._response.status:  # a second response to one request
            self._malformed = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._response is None:
            return
        name = name.lower()
        if name in {b"content-length", b"transfer-encoding"}:
            self._length_known = True
        elif name == b"keep-alive":
            self._server_keeps = _timeout_of(value)
        self._response.headers.append((name, value))

    def on_headers_complete(self) -> None:
        response = self._response
        if response is None:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._interim = True
            response.headers.clear()
            if status == _SWITCHING_PROTOCOLS:
                self._malformed = True
            return
        if self._last_read > _MAX_HEAD_BYTES and _size(response.headers) > _MAX_HEAD_BYTES:
            self._malformed = True
        if status in {204, 304}:
            self._length_known = True
        response.begin(status)

    def on_body(self, part: bytes) -> None:
        if self._response is not None and self._response.take(part) and self._transport is not None:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        response = self._response
        if response is None or self._interim:
            return
        self._response = None
        keep = self._parser.should_keep_alive() and self.written
        response.finish()
        if keep:
            self.resume()
            self._release(self)
        elif self._transport is not None:
            self._transport.close()


def _size(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in headers)


def _timeout_of(value: bytes) -> float | None:
    for part in value.split(b","):
        name, _, seconds = part.strip().partition(b"=")
        if name.lower() == b"timeout" and seconds.isdigit():
            return float(seconds)
    return None
