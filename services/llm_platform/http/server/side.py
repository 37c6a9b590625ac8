"""The paths every service has: ``/health``, ``/health/live`` = ``/live``, ``/health/ready`` = ``/ready``,
``/health/accepting``, ``/metrics``.

An entry serves them on its public port; ``serve`` is the server of the services without one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import msgspec

from llm_platform.core import logging, metrics
from llm_platform.core.config import Config
from llm_platform.core.health import Health
from llm_platform.http.server.connection import ServerConnection
from llm_platform.http.server.request import Request, Response

PATHS = ("/health", "/health/live", "/live", "/health/ready", "/ready", "/health/accepting", "/metrics")
JSON = "application/json"

_encode = msgspec.json.Encoder().encode


async def answer(health: Health, path: str) -> Response | None:
    """What to say to a GET of ``path``; None when it is not one of ``PATHS``."""
    if path in ("/health", "/health/live", "/live"):
        return _reply(200, _encode(health.live()))
    if path == "/health/accepting":
        return _reply(200 if health.accepting else 503, _encode(health.live()))
    if path in ("/health/ready", "/ready"):
        report = await health.report()
        return _reply(200 if report.ready else 503, _encode(report))
    if path == "/metrics":
        await health.report()  # also where nobody asks for readiness, the dependencies are shown as they are
        return _reply(200, metrics.exposition(), metrics.CONTENT_TYPE)
    return None


@asynccontextmanager
async def serve(config: Config, health: Health) -> AsyncIterator[int]:
    """Serves the paths on ``listen.http`` while the block runs; gives the port, chosen when that is 0.

    Raises ``OSError`` when the port is taken.
    """
    loop = asyncio.get_running_loop()
    side = _SideServer(health)
    server = await loop.create_server(lambda: ServerConnection(side, loop), config.listen.host, config.listen.http)
    port: int = server.sockets[0].getsockname()[1]
    logging.get_logger("http.side").info("listening", host=config.listen.host, port=port)
    try:
        yield port
    finally:
        server.close()
        for connection in list(side.connections):
            connection.abort()


class _SideServer:
    """The host of connections that ask for these paths only."""

    draining = False

    def __init__(self, health: Health) -> None:
        self.connections: set[ServerConnection] = set()
        self._health = health

    async def serve(self, request: Request) -> None:
        writing = request.connection.send(await self._answer(request))
        if writing is not None:
            await writing

    async def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED)
        return await answer(self._health, request.target.partition("?")[0]) or _refusal(HTTPStatus.NOT_FOUND)

    def unreadable(self, request: Request, status: int, reason: str) -> Response:  # noqa: ARG002 - nobody words it here
        return _refusal(HTTPStatus(status))


def _reply(status: int, body: bytes, content_type: str = JSON) -> Response:
    return Response(status, {"content-type": content_type, "cache-control": "no-store"}, body)


def _refusal(status: HTTPStatus) -> Response:
    return _reply(status, _encode({"error": {"message": f"{status.phrase}. Paths: {', '.join(PATHS)}"}}))
