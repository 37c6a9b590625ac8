"""The clients of other services: ``Peers(config).remote(LEDGER)`` is a ``Ledger`` like the object itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import grpc
import grpc.aio

from llm_platform.core import metrics, tracing
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.lifecycle import background
from llm_platform.core.logging import get_logger
from llm_platform.rpc.credentials import Certificates, open_target, require_loopback
from llm_platform.rpc.guard import TRACEPARENT
from llm_platform.rpc.handlers import Rpc, rpcs
from llm_platform.rpc.on_behalf import AUTHORIZATION, SCHEME, token
from llm_platform.rpc.peer import Peer, peer_name
from llm_platform.rpc.port import Port
from llm_platform.rpc.ports import PORTS
from llm_platform.rpc.status import from_rpc_error

log = get_logger("rpc.client")

CALL_SECONDS = 5.0
"""The deadline of a unary call unless ``remote`` is given another."""
REFRESH_SECONDS = 1.0
"""How often certificate files and names are looked at."""

Interface = TypeVar("Interface")


def open_channel(
    config: Config, endpoint: str, service: str, options: Sequence[tuple[str, Any]] = ()
) -> grpc.aio.Channel:
    """A channel to one ``host:port`` of ``service``, with the certificate as it is in its files now.

    Whoever connects again after a link broke opens a new channel, and so takes up new certificates.
    """
    if config.tls is None:
        require_loopback([endpoint])
        return open_target(config, endpoint, service, None, options)
    return open_target(config, endpoint, service, Certificates(config.tls).material, options)


class Peers:
    """The services that this process calls; an async context manager."""

    def __init__(self, config: Config) -> None:
        """Raises ``PlatformError`` when the certificate files cannot be used."""
        self._config = config
        self._certificates = Certificates(config.tls) if config.tls is not None else None
        self._peers: dict[str, Peer] = {}
        self._refreshing: asyncio.Task[None] | None = None
        self._added = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._refreshing = background(self._refresh(), "refresh peers")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
        await asyncio.gather(*(peer.aclose() for peer in self._peers.values()))

    def remote(self, port: Port[Interface], timeout: float = CALL_SECONDS) -> Interface:
        """A client of ``port`` over all its endpoints. Its methods raise ``PlatformError`` only.

        ``timeout`` (seconds) bounds each unary call, the wait for a connection included. RPCs that the
        protos declare repeatable are sent again when the connection broke, the others never.
        """
        peer = self._peer(peer_name(port))
        methods: dict[str, Any] = {
            rpc.attribute: _server_stream(peer, port.provider, rpc)
            if rpc.streams
            else _unary(peer, port.provider, rpc, timeout)
            for rpc in rpcs(port)
        }
        return cast("Interface", _Remote(port, methods))

    def health_check(self, name: str) -> Callable[[], Awaitable[str | None]]:
        """A check for ``Health``; ``name`` is a key of ``peers``."""
        return self._peer(name).health

    def _peer(self, name: str) -> Peer:
        if name not in self._peers:
            endpoints = self._config.peers.get(name)
            if not endpoints:
                raise PlatformError(Code.INTERNAL, f"The configuration names no endpoints in peers.{name}.")
            repeatable = [rpc.path for port in PORTS if peer_name(port) == name for rpc in rpcs(port) if rpc.repeatable]
            self._peers[name] = Peer(self._config, name, endpoints, self._certificates, repeatable)
            self._added.set()
        return self._peers[name]

    async def _refresh(self) -> None:
        while True:
            self._added.clear()
            await asyncio.gather(*(peer.refresh() for peer in list(self._peers.values())))
            try:
                async with asyncio.timeout(REFRESH_SECONDS):
                    await self._added.wait()
            except TimeoutError:
                continue


class _Remote:
    """The methods of one port, over gRPC."""

    def __init__(self, port: Port[Any], methods: dict[str, Any]) -> None:
        self._port = port
        self.__dict__.update(methods)

    def __repr__(self) -> str:
        return f"<remote {self._port.service.full_name} of {self._port.provider}>"


class _Stub:
    """The callable of one RPC on whichever channel its peer has now."""

    def __init__(self, peer: Peer, rpc: Rpc) -> None:
        self._peer = peer
        self._rpc = rpc
        self._channel: grpc.aio.Channel | None = None
        self._call: Any = None

    async def bound(self) -> Any:
        channel = await self._peer.channel()
        if channel is not self._channel:
            make: Any = channel.unary_stream if self._rpc.streams else channel.unary_unary
            self._call = make(
                self._rpc.path,
                request_serializer=self._rpc.request.SerializeToString,
                response_deserializer=self._rpc.reply.FromString,
            )
            self._channel = channel
        return self._call


def _unary(peer: Peer, provider: str, rpc: Rpc, timeout: float) -> Callable[[Any], Any]:
    stub = _Stub(peer, rpc)

    async def call(request: Any) -> Any:
        bound = await stub.bound()
        try:
            # A call that finds the connection lost just now waits for another: it was not sent yet.
            return await bound(request, timeout=timeout, metadata=_metadata(), wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            raise _failure(error, provider, rpc) from None

    call.__name__ = rpc.attribute
    return call


def _server_stream(peer: Peer, provider: str, rpc: Rpc) -> Callable[[Any], AsyncIterator[Any]]:
    stub = _Stub(peer, rpc)

    async def call(request: Any) -> AsyncIterator[Any]:
        replies = (await stub.bound())(request, metadata=_metadata())
        try:
            async for message in replies:
                yield message
        except grpc.aio.AioRpcError as error:
            raise _failure(error, provider, rpc) from None
        finally:
            replies.cancel()

    call.__name__ = rpc.attribute
    return call


def _metadata() -> tuple[tuple[str, str], ...] | None:
    traceparent, acting = tracing.current.get(), token.get()
    traced = ((TRACEPARENT, traceparent),) if traceparent else None
    return (*(traced or ()), (AUTHORIZATION, SCHEME + acting)) if acting else traced


def _failure(error: grpc.aio.AioRpcError, provider: str, rpc: Rpc) -> PlatformError:
    failure = from_rpc_error(error, provider)
    metrics.grpc_client_failures.labels(provider, error.code().name).inc()
    if failure.code is Code.INTERNAL:
        log.error("internal call failed", method=rpc.path, status=error.code().name, details=error.details())
    else:
        log.debug("internal call failed", method=rpc.path, status=error.code().name, details=error.details())
    return failure
