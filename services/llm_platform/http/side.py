"""The paths every service has: ``/health``, ``/health/live`` = ``/live``, ``/health/ready`` = ``/ready``, ``/metrics``.

``answer`` knows no HTTP library, so that an entry can serve them on its own port; ``application`` is
the small server of the services that have no public port.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec
from aiohttp import web

from llm_platform.core import logging, metrics
from llm_platform.core.config import Config
from llm_platform.core.health import Health

PATHS = ("/health", "/health/live", "/live", "/health/ready", "/ready", "/metrics")
_encode = msgspec.json.Encoder().encode


class Answer(NamedTuple):
    status: int
    content_type: str
    body: bytes


async def answer(health: Health, path: str) -> Answer | None:
    """What to say to a GET of ``path``; None when it is not one of ``PATHS``."""
    if path in ("/health", "/health/live", "/live"):
        return Answer(200, "application/json", _encode(health.live()))
    if path in ("/health/ready", "/ready"):
        report = await health.report()
        return Answer(200 if report.ready else 503, "application/json", _encode(report))
    if path == "/metrics":
        return Answer(200, metrics.CONTENT_TYPE, metrics.exposition())
    return None


def routes(health: Health) -> list[web.RouteDef]:
    """The paths as routes of an aiohttp application."""

    async def get(request: web.Request) -> web.Response:
        reply = await answer(health, request.path)
        if reply is None:
            raise web.HTTPNotFound
        return web.Response(
            status=reply.status,
            body=reply.body,
            headers={"content-type": reply.content_type, "cache-control": "no-store"},
        )

    return [web.get(path, get) for path in PATHS]


def application(health: Health) -> web.Application:
    app = web.Application()
    app.add_routes(routes(health))
    return app


@asynccontextmanager
async def serve(config: Config, health: Health) -> AsyncIterator[int]:
    """Serves the paths on ``listen.http`` while the block runs; gives the port, chosen when that is 0."""
    runner = web.AppRunner(application(health), access_log=None, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, config.listen.host, config.listen.http, shutdown_timeout=1.0)
        await site.start()
        port: int = runner.addresses[0][1]
        logging.get_logger("http.side").info("listening", host=config.listen.host, port=port)
        yield port
    finally:
        await runner.cleanup()
