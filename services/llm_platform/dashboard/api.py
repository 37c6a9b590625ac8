"""Serves operations: a request becomes a message, the service answers on behalf of whoever asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiohttp import web

from llm_platform.dashboard import protection, transcoding
from llm_platform.dashboard.address import Addresses
from llm_platform.dashboard.operations import Operation
from llm_platform.dashboard.sessions import Person, SignedIn
from llm_platform.rpc.on_behalf import on_behalf_of
from llm_platform.rpc.port import Port

Ports = Callable[[Port[Any]], Any]
"""The implementation of a port: ``Peers.remote``."""


class Api:
    """The handlers of a dashboard's operations, and who may pass to those that are made by hand."""

    def __init__(
        self, operations: Iterable[Operation], ports: Ports, signed_in: SignedIn, addresses: Addresses
    ) -> None:
        self._operations = list(operations)
        self._signed_in = signed_in
        self._addresses = addresses
        services = {operation.port.service.full_name: operation.port for operation in self._operations}
        self._services = {name: ports(port) for name, port in services.items()}

    def routes(self) -> list[web.RouteDef]:
        # A verb after a colon would otherwise be part of a path that takes slashes.
        ordered = sorted(self._operations, key=lambda operation: ":" not in operation.path)
        return [web.route(each.method, each.pattern, self._handler(each)) for each in ordered]

    async def admit(self, request: web.Request) -> Person:
        """Who asks. Raises UNAUTHENTICATED, and PERMISSION_DENIED for a change that another site began."""
        person = await self._signed_in.person(request)
        if person.csrf:
            protection.check_change(request, person.csrf, self._addresses.public_host(request))
        return person

    def _handler(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.Response]]:
        call = getattr(self._services[operation.port.service.full_name], operation.attribute)

        async def handle(request: web.Request) -> web.Response:
            person = await self.admit(request)
            body = await request.read() if operation.has_body else b""
            message = transcoding.read(
                operation, request.match_info, request.query.items(), body, request.headers.get("if-match")
            )
            with on_behalf_of(person.actor.token):
                reply = transcoding.written(await call(message))
            return answer(request, reply)

        return handle


def answer(request: web.Request, reply: dict[str, Any]) -> web.Response:
    """``reply`` as JSON; 304 when the page has it already."""
    body = transcoding.encoded(reply)
    headers = {"cache-control": "private, no-cache"}
    if request.method == "GET" or reply.get("etag"):
        headers["etag"] = etag = transcoding.etag_of(reply, body)
        if request.method == "GET" and etag in request.headers.get("if-none-match", ""):
            return web.Response(status=304, headers=headers)
    response = web.Response(body=body, content_type="application/json", headers=headers)
    response.enable_compression()
    return response
