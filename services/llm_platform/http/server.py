"""The HTTP server of the entries: connections, request ids, errors of the transport, draining.

It is aiohttp's low-level server: its ``Application`` would cost more per request than the
entry's own work. Handlers write their reply themselves or return it; a failure of any kind becomes
an error in the caller's dialect, and an unexpected one says nothing of its cause.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from llm_platform.core import ids
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger, request_id
from llm_platform.http.dialects import Dialect
from llm_platform.http.exchange import Exchange
from llm_platform.http.observation import Observation
from llm_platform.http.routes import Routes, handler_of
from llm_platform.http.side import PATHS as SIDE_PATHS

SERVER = "llm-platform"
KEEP_ALIVE_SECONDS = 75.0
"""Longer than HAProxy keeps an idle connection. Also ends a client that never finishes its headers."""
LINGER_SECONDS = 5.0
"""How long the rest of a refused body is read and dropped, so that the client sees the refusal."""
QUIET_SECONDS = 0.5
"""A drained server has had no request for so long: load balancers notice readiness with a delay."""
CLIENT_CLOSED_REQUEST = 499

Filter = Callable[[Exchange], web.Response | None]
"""Looks at a request before its handler; a reply ends it there."""

log = get_logger("http.server")


class HttpServer:
    """Serves ``routes`` until it is drained and closed."""

    def __init__(
        self,
        config: Config,
        routes: Routes,
        dialect: Dialect,
        observation: Observation,
        filters: Sequence[Filter] = (),
    ) -> None:
        self._listen = config.listen
        self._routes = routes
        self._dialect = dialect
        self._observation = observation
        self._filters = filters
        self._loop = asyncio.get_running_loop()
        self._server = _Server(self._serve, self.refuse_unreadable)
        self._listener: asyncio.Server | None = None
        self._open = 0
        self._draining = False
        self._last_request = 0.0
        observation.watch_open(lambda: self._open)

    @property
    def port(self) -> int:
        """The port listened on, chosen by the system when the configured one is 0."""
        if self._listener is None:
            raise RuntimeError("the server does not listen yet")
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    @property
    def open_requests(self) -> int:
        return self._open

    async def listen(self) -> None:
        """Raises ``OSError`` when the port cannot be taken."""
        self._listener = await self._loop.create_server(
            self._server, self._listen.host, self._listen.http, backlog=1024, reuse_address=True
        )
        log.info("listening", host=self._listen.host, port=self.port)

    async def drain(self) -> None:
        """Goes on serving, but asks every client to leave, until no request is open and none comes any more."""
        self._draining = True
        self._last_request = max(self._last_request, self._loop.time())
        while (rest := self._until_quiet()) > 0:  # noqa: ASYNC110 - an event would cost every request
            await asyncio.sleep(rest)

    def _until_quiet(self) -> float:
        """Seconds until it is worth looking again; 0 when drained."""
        quiet_at = self._last_request + QUIET_SECONDS
        return max(0.05 if self._open else 0.0, quiet_at - self._loop.time())

    async def close(self) -> None:
        """Stops listening and ends what is still open."""
        self._draining = True
        if self._listener is not None:
            self._listener.close()
        self._server.pre_shutdown()
        await self._server.shutdown(timeout=1.0)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = Exchange(request, ids.new_id("req"), self._dialect)
        request_id.set(exchange.request_id)
        self._open += 1
        if request.raw_path not in SIDE_PATHS:
            # Probes go on until the process ends: they must not keep it from draining.
            self._last_request = self._loop.time()
        try:
            response = await self._answer(exchange)
            if self._draining or not request.content.is_eof():
                # A refused body that is still coming would be read as the next request.
                response.force_close()
            await _send(request, response)
        except (asyncio.CancelledError, ConnectionError):
            exchange.status = CLIENT_CLOSED_REQUEST
            exchange.error = exchange.error or PlatformError(Code.CANCELLED, "The client went away.")
            raise
        finally:
            self._open -= 1
            if exchange.route not in SIDE_PATHS:
                self._observation.ended(exchange)
        return response

    async def _answer(self, exchange: Exchange) -> web.StreamResponse:
        exchange.headers["server"] = SERVER
        try:
            match = self._routes.find(exchange.request.raw_path)
            exchange.route, exchange.path_argument = match.route, match.argument
            for look in self._filters:
                if (reply := look(exchange)) is not None:
                    return reply
            return await handler_of(match, exchange)(exchange)
        except PlatformError as error:
            return exchange.refuse(error)
        except ConnectionError:
            raise
        except Exception as error:
            # The caller learns nothing of the cause, the log everything.
            log.error("request failed unexpectedly", route=exchange.route, exc_info=error)
            return exchange.refuse(PlatformError(Code.INTERNAL, "The platform failed; its log has the cause."))

    def refuse_unreadable(self, request: web.BaseRequest, status: int, message: str) -> web.StreamResponse:
        """The reply to what is no HTTP request: broken or oversized headers, contradictory lengths."""
        code = Code.INVALID_REQUEST if status < HTTPStatus.INTERNAL_SERVER_ERROR else Code.INTERNAL
        exchange = Exchange(request, ids.new_id("req"), self._dialect)
        exchange.headers["server"] = SERVER
        reply = exchange.refuse(PlatformError(code, message))
        reply.force_close()
        self._observation.ended(exchange)
        return reply


async def _send(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Writes the reply (or what is left of it) now, so that an open request is one not yet written."""
    await response.prepare(request)
    await response.write_eof()


@asynccontextmanager
async def serving(server: HttpServer) -> AsyncIterator[HttpServer]:
    """Listens while the block runs."""
    await server.listen()
    try:
        yield server
    finally:
        await server.close()


Unreadable = Callable[[web.BaseRequest, int, str], web.StreamResponse]


class _Connection(RequestHandler):
    """A connection whose transport errors are worded by the entry, not by aiohttp."""

    __slots__ = ("_refuse",)

    def __init__(self, server: _Server) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            lingering_time=LINGER_SECONDS,
            access_log=None,  # type: ignore[arg-type] # None is aiohttp's own way to switch it off
            auto_decompress=False,
        )
        self._refuse = server.refuse

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it may quote the request
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("the reply has begun")
        if not isinstance(exc, HttpProcessingError):
            log.error("connection failed unexpectedly", exc_info=exc)
            return self._refuse(request, 500, "The platform failed; its log has the cause.")
        reason = type(exc).__name__
        log.debug("unreadable request", reason=reason)
        return self._refuse(request, status, f"This is not a readable HTTP/1.1 request ({reason}).")


class _Server(web.Server):
    """Cancels a handler when its client leaves, and so the provider call with it."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], refuse: Unreadable) -> None:
        super().__init__(handler, handler_cancellation=True)
        self.refuse = refuse

    def __call__(self) -> RequestHandler:
        return _Connection(self)
