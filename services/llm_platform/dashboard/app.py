"""What both dashboards are made of: sign-in, their API, their pages, and the paths of every service. Wiring."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from llm_platform.auth_service.sessions.interfaces import SESSIONS
from llm_platform.core import catalog, metrics
from llm_platform.core.config import Config
from llm_platform.core.health import Health
from llm_platform.core.ids import new_id
from llm_platform.core.logging import get_logger, request_id
from llm_platform.dashboard import problems, protection
from llm_platform.dashboard.address import Addresses
from llm_platform.dashboard.api import Api, Ports
from llm_platform.dashboard.operations import Operation
from llm_platform.dashboard.pages import CHECKOUT, Pages
from llm_platform.dashboard.rights import Rights
from llm_platform.dashboard.sessions import Cookie, SignedIn
from llm_platform.dashboard.sign_in import SignIn
from llm_platform.http.server import side

if TYPE_CHECKING:
    from llm_platform.core.lifecycle import Runtime
    from llm_platform.rpc.client import Peers

MAX_BODY_BYTES = 1024 * 1024
CLIENT_LEFT = 499
"""The status of a request whose browser went away, as nginx has it."""
DRAIN_POLL_SECONDS = 0.05
_BEGUN = web.RequestKey("begun", web.StreamResponse)
"""The response of a request, once its headers are out."""

log = get_logger("dashboard")


class Dashboard:
    """One dashboard's server. ``application`` takes further routes until it is served."""

    def __init__(
        self, config: Config, name: str, operations: Iterable[Operation], ports: Ports, health: Health
    ) -> None:
        """Raises ValueError for an operation that the catalogue forbids, CannotStartError without pages."""
        listed = list(operations)
        self.config = config
        self._health = health
        self.addresses = Addresses(config)
        cookie = Cookie(secure=self.addresses.secure)
        sessions = ports(SESSIONS)
        signed_in = SignedIn(sessions, cookie, self.addresses)
        rights = Rights(catalog.load(config.service.catalog), name, listed)
        self.api = Api(listed, ports, signed_in, self.addresses)
        self._pages = Pages(config.dashboard.web_root or CHECKOUT / name.partition("-")[0] / "dist")
        self.open_requests = 0
        self.application = web.Application(middlewares=[self._observing()], client_max_size=MAX_BODY_BYTES)
        self.application.on_response_prepare.append(self._head)
        self.application.add_routes(SignIn(sessions, signed_in, cookie, self.addresses, rights).routes())
        self.application.add_routes(self.api.routes())
        self.application.add_routes([web.get(path, self._side) for path in side.PATHS])

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        """Listens on ``listen.http`` while the block runs; gives the port. Raises OSError when it is taken."""
        self.application.add_routes([web.get("/{path:.*}", self._pages.serve)])
        listen = self.config.listen
        runner = web.AppRunner(self.application, access_log=None, handle_signals=False, handler_cancellation=True)
        await runner.setup()
        try:
            site = web.TCPSite(runner, listen.host, listen.http)
            await site.start()
            port: int = runner.addresses[0][1]
            log.info("listening", host=listen.host, port=port)
            yield port
        finally:
            await runner.cleanup()

    async def drain(self) -> None:
        """Returns when no request is open."""
        while self.open_requests:  # noqa: ASYNC110 - counted down by requests
            await asyncio.sleep(DRAIN_POLL_SECONDS)

    async def _side(self, request: web.Request) -> web.Response:
        found = await side.answer(self._health, request.path)
        if found is None:
            raise web.HTTPNotFound
        return web.Response(status=found.status, headers=found.headers, body=found.body)

    def _observing(self) -> Middleware:
        @web.middleware
        async def observing(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._observe(request, handler)

        return observing

    async def _observe(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Counts and logs the request, and tells every failure as a problem."""
        began = time.perf_counter()
        request_id.set(new_id("req"))
        self.open_requests += 1
        status = CLIENT_LEFT
        try:
            response = await _answered(request, handler)
            status = response.status
            return response
        finally:
            self.open_requests -= 1
            self._count(request, status, time.perf_counter() - began)

    async def _head(self, request: web.Request, response: web.StreamResponse) -> None:
        """Before the first byte of any response."""
        request[_BEGUN] = response
        response.headers["x-request-id"] = request_id.get()
        protection.add_headers(response, secure=self.addresses.secure)

    @staticmethod
    def _count(request: web.Request, status: int, seconds: float) -> None:
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "none"
        if route in side.PATHS:
            return
        metrics.dashboard_requests.labels(request.method, route, str(status)).inc()
        metrics.dashboard_seconds.labels(route).observe(seconds)
        log.info("request", method=request.method, route=route, status=status, ms=round(seconds * 1000, 2))


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except (web.HTTPRedirection, web.HTTPSuccessful) as answer:
        return answer
    except Exception as error:  # noqa: BLE001 - each becomes an answer
        if (begun := request.get(_BEGUN)) is not None:
            return _broken_off(request, begun, error)
        return problems.response(error)


def _broken_off(request: web.Request, begun: web.StreamResponse, error: Exception) -> web.StreamResponse:
    """Headers are out: only a connection that ends in the middle says that something is missing."""
    log.warning("an answer was broken off", reason=str(error))
    if request.transport is not None:
        request.transport.abort()
    return begun


async def start(runtime: Runtime, dashboard: Dashboard, peers: Peers) -> None:
    """Serves it until the process stops. Only without auth-service nobody can sign in."""
    for name in dashboard.config.peers:
        runtime.health.add(name, peers.health_check(name), required=name == SESSIONS.provider)
    await runtime.enter(dashboard.serving())
    runtime.on_drain(dashboard.drain)
