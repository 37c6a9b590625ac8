"""A request as the server reads it, and the reply that goes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from llm_platform.http.server.connection import ServerConnection

SERVER = "llm-platform"
HIGH_WATER = 256 * 1024
"""Bytes of a body that may wait for their reader: then the socket is left unread."""


class UnreadableBodyError(Exception):
    """The body is not framed as its headers say, or broke off."""


class Response(NamedTuple):
    """A whole reply."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Request:
    """One request. Its head is there; its body is read with ``read``, in parts, as it comes."""

    __slots__ = (
        "_error", "_parts", "_paused", "_waiter", "_waiting_bytes", "complete", "connection", "headers", "http10",
        "keep_alive", "method", "target",
    )  # fmt: skip

    def __init__(
        self,
        connection: ServerConnection,
        method: str,
        target: str,
        headers: dict[str, str],
        *,
        keep_alive: bool,
        http10: bool,
    ) -> None:
        self.connection = connection
        self.method = method
        self.target = target
        """Path and query, as sent; ``*`` or ``host:port`` for methods that have no path."""
        self.headers = headers
        """By name in lower case; the values of a repeated header are joined by commas."""
        self.keep_alive = keep_alive
        self.http10 = http10
        self.complete = False
        """The whole body has arrived."""
        self._parts: list[bytes] = []
        self._waiting_bytes = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    @property
    def content_length(self) -> int:
        """As declared; 0 when it is not."""
        return int(self.headers.get("content-length", 0))

    def arrived(self) -> bytes:
        """What has come of the body since the last time, without waiting."""
        parts, self._parts = self._parts, []
        self._waiting_bytes = 0
        if self._paused:
            self._paused = False
            self.connection.resume_reading()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def read(self) -> bytes:
        """What has come since the last time, waiting for at least a byte; nothing at the body's end.

        Raises ``UnreadableBodyError``.
        """
        while not self._parts and not self.complete:
            if self._error is not None:
                raise self._error
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self.arrived()

    # What follows is the connection's side.

    def take(self, part: bytes) -> bool:
        """A part of the body; True asks the connection to stop reading."""
        self._parts.append(part)
        self._waiting_bytes += len(part)
        self._paused = self._waiting_bytes > HIGH_WATER
        self._wake()
        return self._paused

    def finish(self) -> None:
        self.complete = True
        self._wake()

    def fail(self, reason: str) -> None:
        self._error = UnreadableBodyError(reason)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Clock:
    """The Date header, formatted once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._line = ""

    def __call__(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second, self._line = second, f"date: {formatdate(second, usegmt=True)}\r\nserver: {SERVER}\r\n"
        return self._line


_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_own_lines = _Clock()


def response_head(status: int, headers: Mapping[str, str], framing: str) -> bytes:
    """A reply's head; ``framing`` are the lines that say where its body ends.

    Raises ``ValueError`` for a header that would end its line: it could add headers of its own.
    """
    text = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"
    lines = 0
    for name, value in headers.items():
        text += f"{name}: {value}\r\n"
        lines += 1
    if text.count("\n") != lines + 1 or text.count("\r") != lines + 1:
        raise ValueError("a header has a line break in it")
    return f"{text}{_own_lines()}{framing}\r\n".encode("latin-1", "replace")
