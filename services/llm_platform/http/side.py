"""The paths every service has: ``/health``, ``/health/live`` = ``/live``, ``/health/ready`` = ``/ready``,
``/health/accepting``, ``/metrics``.

``answer`` knows nothing of HTTP servers, so that an entry serves them on its public port; ``serve`` is
the small server of the services without one. It reads a GET and closes: aiohttp would cost 11 MB in
each of six processes that need no other HTTP server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import NamedTuple

import msgspec

from llm_platform.core import logging, metrics
from llm_platform.core.config import Config
from llm_platform.core.health import Health

PATHS = ("/health", "/health/live", "/live", "/health/ready", "/ready", "/health/accepting", "/metrics")
JSON = "application/json"

CONNECTIONS = 64
"""At once; more are closed unanswered."""
REQUEST_SECONDS = 5.0
"""From the connection to the end of the request's headers; longer ends a slow client."""
HEADER_BYTES = 16 * 1024

_encode = msgspec.json.Encoder().encode


class Answer(NamedTuple):
    status: int
    content_type: str
    body: bytes


async def answer(health: Health, path: str) -> Answer | None:
    """What to say to a GET of ``path``; None when it is not one of ``PATHS``."""
    if path in ("/health", "/health/live", "/live"):
        return Answer(200, JSON, _encode(health.live()))
    if path == "/health/accepting":
        return Answer(200 if health.accepting else 503, JSON, _encode(health.live()))
    if path in ("/health/ready", "/ready"):
        report = await health.report()
        return Answer(200 if report.ready else 503, JSON, _encode(report))
    if path == "/metrics":
        return Answer(200, metrics.CONTENT_TYPE, metrics.exposition())
    return None


@asynccontextmanager
async def serve(config: Config, health: Health) -> AsyncIterator[int]:
    """Serves the paths on ``listen.http`` while the block runs; gives the port, chosen when that is 0.

    Raises ``OSError`` when the port is taken.
    """
    side = _SideServer(health)
    server = await asyncio.start_server(side.connected, config.listen.host, config.listen.http, limit=HEADER_BYTES)
    port: int = server.sockets[0].getsockname()[1]
    logging.get_logger("http.side").info("listening", host=config.listen.host, port=port)
    try:
        yield port
    finally:
        server.close()
        side.close()


class _SideServer:
    def __init__(self, health: Health) -> None:
        self._health = health
        self._writers: set[asyncio.StreamWriter] = set()

    def close(self) -> None:
        for writer in self._writers:
            writer.close()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request and closes the connection."""
        if len(self._writers) >= CONNECTIONS:
            writer.close()
            return
        self._writers.add(writer)
        try:
            # A client that leaves, or sends no HTTP, is no event.
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(REQUEST_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_message(head, await self._reply(head)))
                async with asyncio.timeout(REQUEST_SECONDS):
                    await writer.drain()
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _reply(self, head: bytes) -> Answer:
        words = head.partition(b"\r\n")[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return _refusal(HTTPStatus.BAD_REQUEST)
        if words[0] not in (b"GET", b"HEAD"):
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED)
        path = words[1].partition(b"?")[0].decode("latin-1")
        return await answer(self._health, path) or _refusal(HTTPStatus.NOT_FOUND)


def _refusal(status: HTTPStatus) -> Answer:
    return Answer(status, JSON, _encode({"error": {"message": f"{status.phrase}. Paths: {', '.join(PATHS)}"}}))


def _message(head: bytes, reply: Answer) -> bytes:
    lines = (
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n"
        f"content-type: {reply.content_type}\r\n"
        f"content-length: {len(reply.body)}\r\n"
        "cache-control: no-store\r\n"
        "connection: close\r\n\r\n"
    ).encode()
    return lines if head.startswith(b"HEAD ") else lines + reply.body
