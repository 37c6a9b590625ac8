"""One HTTP/1.1 connection of the client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from llm_platform.http.client.response import Response

_MAX_HEAD_BYTES = 64 * 1024
_LOW_WATER = 64 * 1024
_SWITCHING_PROTOCOLS = 101


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
