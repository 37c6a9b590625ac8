"""The paths of an HTTP entry: a dictionary, since an entry has a dozen of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import unquote

import msgspec

from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.health import Health
from llm_platform.http.server import side
from llm_platform.http.server.exchange import Exchange
from llm_platform.http.server.request import Response
from llm_platform.http.server.traffic import PATH, Traffic

_encode = msgspec.json.Encoder().encode

Handler = Callable[[Exchange], Awaitable[Response | None]]
"""Gives the reply, or None when it has written it."""


class Match(NamedTuple):
    route: str
    methods: dict[str, Handler]
    argument: str


class Routes:
    """Finds the handlers of a path. A route that ends in ``/`` takes the rest of the path as its argument."""

    def __init__(self) -> None:
        self._exact: dict[str, Match] = {}
        self._prefixes: dict[str, Match] = {}

    def add(self, method: str, path: str, handler: Handler) -> None:
        table = self._prefixes if path.endswith("/") else self._exact
        table.setdefault(path, Match(path, {}, "")).methods[method] = handler

    def find(self, target: str) -> Match:
        """``target`` is the request's, as sent. Raises ``PlatformError`` NOT_FOUND."""
        match = self._exact.get(target)
        if match is not None:
            return match
        path = target.partition("?")[0]
        match = self._exact.get(path)
        if match is not None:
            return match
        for prefix, found in self._prefixes.items():
            if path.startswith(prefix) and len(path) > len(prefix):
                return found._replace(argument=unquote(path[len(prefix) :]))
        # It is not repeated: a key in the wrong place would go into the log.
        raise PlatformError(Code.NOT_FOUND, f"Unknown path. This entry has: {', '.join(sorted(self._exact))}.")


def handler_of(match: Match, exchange: Exchange) -> Handler:
    """The handler for the request's method. Raises ``PlatformError`` METHOD_NOT_ALLOWED."""
    method = exchange.request.method
    handler = match.methods.get(method)
    if handler is None and method == "HEAD":
        handler = match.methods.get("GET")
    if handler is None:
        allowed = ", ".join(sorted(match.methods))
        exchange.headers["allow"] = allowed
        raise PlatformError(Code.METHOD_NOT_ALLOWED, f"{match.route} takes {allowed}, not {method[:20]}.")
    return handler


def add_side_paths(routes: Routes, health: Health, traffic: Traffic) -> None:
    """The health paths, the metrics and the last hour, on the public port."""

    async def answer(exchange: Exchange) -> Response:
        reply = await side.answer(health, exchange.route)
        if reply is None:
            raise PlatformError(Code.NOT_FOUND, f"Unknown path {exchange.route}.")
        exchange.headers.update(reply.headers)
        return exchange.reply(reply.status, reply.body, reply.headers["content-type"])

    async def last_hour(exchange: Exchange) -> Response:
        exchange.headers["cache-control"] = "no-store"
        return exchange.reply(200, _encode(traffic.report()))

    for path in side.PATHS:
        routes.add("GET", path, answer)
    routes.add("GET", PATH, last_hour)
