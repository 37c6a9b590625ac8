"""The HTTP server of the entries: what happens to a request, and draining.

Handlers give a reply, or None when they have written it themselves (a stream); a failure of any kind becomes
an error in the caller's dialect, and an unexpected one says nothing of its cause.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import copy_context

from llm_platform.core import ids
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger, request_id
from llm_platform.http.dialects import Dialect
from llm_platform.http.server.connection import ServerConnection
from llm_platform.http.server.exchange import Exchange
from llm_platform.http.server.observation import Observation
from llm_platform.http.server.request import Request, Response
from llm_platform.http.server.routes import Routes, handler_of
from llm_platform.http.server.side import PATHS
from llm_platform.http.server.traffic import PATH as TRAFFIC_PATH

QUIET_SECONDS = 0.5
"""A drained server has had no request for so long: load balancers notice readiness with a delay."""
CLIENT_CLOSED_REQUEST = 499

CLOSING_SECONDS = 1.0
"""How long requests that are open when the server closes may take to end, and then to notice that they are cut off."""

SIDE_PATHS = frozenset((*PATHS, TRAFFIC_PATH))
"""They are neither counted nor logged, and do not hold up a drain."""

Filter = Callable[[Exchange], Response | None]
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
        self._listener: asyncio.Server | None = None
        self._open = 0
        self.connections: set[ServerConnection] = set()
        self.draining = False
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
            lambda: ServerConnection(self, self._loop),
            self._listen.host,
            self._listen.http,
            backlog=1024,
            reuse_address=True,
        )
        log.info("listening", host=self._listen.host, port=self.port)

    async def drain(self) -> None:
        """Goes on serving, but asks every client to leave, until no request is open and none comes any more."""
        self.draining = True
        self._last_request = max(self._last_request, self._loop.time())
        while (rest := self._until_quiet()) > 0:  # noqa: ASYNC110 - an event would cost every request
            await asyncio.sleep(rest)

    def _until_quiet(self) -> float:
        """Seconds until it is worth looking again; 0 when drained."""
        quiet_at = self._last_request + QUIET_SECONDS
        return max(0.05 if self._open else 0.0, quiet_at - self._loop.time())

    async def close(self) -> None:
        """Stops listening and ends what is still open."""
        self.draining = True
        if self._listener is not None:
            self._listener.close()
        for connection in list(self.connections):
            connection.close_when_idle()
        give_up = self._loop.time() + CLOSING_SECONDS
        while self.connections and self._loop.time() < give_up:  # noqa: ASYNC110 - at the end only
            await asyncio.sleep(0.01)
        cut_off = [connection.task for connection in self.connections if connection.task is not None]
        for connection in list(self.connections):
            connection.abort()
        if cut_off:
            await asyncio.wait(cut_off, timeout=CLOSING_SECONDS)
        copy_context().run(self._observation.flush)  # which leaves the last request's ids behind

    async def serve(self, request: Request) -> None:
        """Answers a request. Raises ``ConnectionError`` when its client left."""
        exchange = Exchange(request, ids.new_id("req"), self._dialect)
        request_id.set(exchange.request_id)
        self._open += 1
        if request.target not in SIDE_PATHS:
            # Probes go on until the process ends: they must not keep it from draining.
            self._last_request = self._loop.time()
        try:
            response = await self._answer(exchange)
            if response is not None and (rest := request.connection.send(response)) is not None:
                await rest
        except (asyncio.CancelledError, ConnectionError):
            exchange.status = CLIENT_CLOSED_REQUEST
            exchange.error = exchange.error or PlatformError(Code.CANCELLED, "The client went away.")
            raise
        finally:
            self._open -= 1
            if exchange.route not in SIDE_PATHS:
                self._observation.ended(exchange)

    async def _answer(self, exchange: Exchange) -> Response | None:
        try:
            match = self._routes.find(exchange.request.target)
            exchange.route, exchange.path_argument = match.route, match.argument
            for look in self._filters:
                if (reply := look(exchange)) is not None:
                    return reply
            return await handler_of(match, exchange)(exchange)
        except PlatformError as error:
            return _refusal(exchange, error)
        except Exception as error:
            if isinstance(error, ConnectionError) and not exchange.request.connection.open:
                raise  # it was the client's
            # The caller learns nothing of the cause, the log everything.
            log.error("request failed unexpectedly", route=exchange.route, exc_info=error)
            return _refusal(exchange, PlatformError(Code.INTERNAL, "The platform failed; its log has the cause."))

    def unreadable(self, request: Request, status: int, reason: str) -> Response:
        """The reply to what is no HTTP request: broken or oversized headers, contradictory lengths."""
        exchange = Exchange(request, ids.new_id("req"), self._dialect)
        message = f"This is not a readable HTTP/1.1 request: {reason}."
        reply = exchange.refuse(PlatformError(Code.INVALID_REQUEST, message))
        exchange.status = status
        self._observation.ended(exchange)
        return reply._replace(status=status)


def _refusal(exchange: Exchange, error: PlatformError) -> Response | None:
    if not exchange.streamed:
        return exchange.refuse(error)
    # A second reply would be taken for the next request's.
    exchange.error = error
    exchange.request.keep_alive = False
    return None


@asynccontextmanager
async def serving(server: HttpServer) -> AsyncIterator[HttpServer]:
    """Listens while the block runs."""
    await server.listen()
    try:
        yield server
    finally:
        await server.close()
