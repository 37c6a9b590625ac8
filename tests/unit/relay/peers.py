"""Both ends of the relay for tests: real gRPC on loopback, a scripted service behind it, and raw peers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio

from llm_platform.core.config import Config, Service, Traffic
from llm_platform.proto import inference_pb2
from llm_platform.relay import frames
from llm_platform.relay.client import RelayClient, connect
from llm_platform.relay.server import RelayServer
from llm_platform.relay.settings import Settings

Answer = Callable[[inference_pb2.Open, bytes], AsyncIterator[bytes]]

QUICK = Settings(ping_interval=0.05, hello_timeout=0.5, backoff=0.01, backoff_limit=0.05, wait_for_link=2.0)


async def echo(_call: inference_pb2.Open, body: bytes) -> AsyncIterator[bytes]:
    yield body


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Waits for ``condition``; a bound, not a measurement."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.005)


class ScriptedReply:
    def __init__(self, service: ScriptedService, chunks: AsyncIterator[bytes]) -> None:
        self.start = inference_pb2.Start(status=200, content_type="text/plain")
        self.end: inference_pb2.End | None = None
        self._service = service
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            self._service.produced += len(chunk)
            yield chunk
        self.end = inference_pb2.End(attempts=1)

    async def aclose(self) -> None:
        self._service.closed += 1
        aclose = getattr(self._chunks, "aclose", None)
        if aclose is not None:
            await aclose()


class ScriptedService:
    """An ``Inference`` that answers with what ``answer`` yields; ``before`` runs before the start is decided."""

    def __init__(
        self, answer: Answer = echo, before: Callable[[inference_pb2.Open], Awaitable[None]] | None = None
    ) -> None:
        self._answer = answer
        self._before = before
        self.calls: list[inference_pb2.Open] = []
        self.bodies: list[bytes] = []
        self.cancelled = 0
        self.closed = 0
        self.produced = 0

    async def open(self, call: inference_pb2.Open, body: bytes) -> ScriptedReply:
        self.calls.append(call)
        self.bodies.append(body)
        try:
            if self._before is not None:
                await self._before(call)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return ScriptedReply(self, self._answer(call, body))


class Replica:
    """A relay server on a port of its own."""

    def __init__(self, server: RelayServer, grpc_server: grpc.aio.Server, port: int) -> None:
        self.server = server
        self.port = port
        self._grpc_server = grpc_server

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def links(self) -> list[Any]:
        return list(self.server._links)

    async def kill(self) -> None:
        """Gone without a word: nothing is drained, nothing finished."""
        await self._grpc_server.stop(None)
        await self.server.aclose()

    def break_links(self) -> None:
        for link in self.links:
            link.close("cut by the test")


@asynccontextmanager
async def replica(
    service: ScriptedService,
    *,
    name: str = "head-1",
    port: int = 0,
    settings: Settings = QUICK,
    max_body_bytes: int = 32 * 1024 * 1024,
    siblings: list[str] | None = None,
) -> AsyncIterator[Replica]:
    config = Config(
        service=Service(name="head", replica=name),
        traffic=Traffic(max_body_bytes=max_body_bytes),
        peers={"head": siblings} if siblings else {},
    )
    server = RelayServer(config, service, settings=settings)
    async with serving(server.handler, port) as (grpc_server, bound):
        try:
            yield Replica(server, grpc_server, bound)
        finally:
            await server.aclose()


@asynccontextmanager
async def serving(handler: grpc.GenericRpcHandler, port: int = 0) -> AsyncIterator[tuple[grpc.aio.Server, int]]:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((handler,))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield server, bound
    finally:
        await server.stop(None)


def client(*endpoints: str, settings: Settings = QUICK) -> Any:
    """``connect`` to these endpoints: an async context manager of a ``RelayClient``."""
    return connect(Config(peers={"head": list(endpoints)}), "head", settings=settings)


async def linked(relay: RelayClient, count: int = 1) -> None:
    """Waits until ``count`` links are up."""
    await until(lambda: len(relay._links) >= count)


def call(request_id: str = "req", **fields: Any) -> inference_pb2.Open:
    return inference_pb2.Open(request_id=request_id, model="echo", **fields)


async def read(reply: Any) -> bytes:
    return b"".join([chunk async for chunk in reply])


# Raw peers: what they say is written out by the test.


def message(*written: bytes) -> bytes:
    return inference_pb2.Batch(frames=b"".join(written)).SerializeToString()


def hello(version: int = frames.VERSION, **fields: Any) -> bytes:
    said = inference_pb2.Hello(protocol_version=version, replica="raw-1", window_bytes=65536, **fields)
    return frames.frame(frames.HELLO, payload=said.SerializeToString())


class RawPeer:
    """Speaks frames over one stream, from either end."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self._unread: list[frames.Frame] = []

    async def write(self, *written: bytes) -> None:
        await self.transport.write(message(*written))

    async def read(self, *kinds: int) -> frames.Frame:
        """The next frame, of ``kinds`` if given; others are passed over. ``EOFError`` at the end."""
        while True:
            while self._unread:
                frame = self._unread.pop(0)
                if not kinds or frame.kind in kinds:
                    return frame
            received = await self.transport.read()
            if received is grpc.aio.EOF:
                raise EOFError
            self._unread += [frames.Frame(*each) for each in frames.decode(received)]


@asynccontextmanager
async def raw_client(endpoint: str) -> AsyncIterator[RawPeer]:
    async with grpc.aio.insecure_channel(endpoint) as channel:
        yield RawPeer(channel.stream_stream(frames.METHOD)())


@asynccontextmanager
async def raw_server(script: Callable[[RawPeer], Awaitable[None]]) -> AsyncIterator[str]:
    """Runs ``script`` for each link; yields the endpoint."""

    async def serve(_requests: object, context: Any) -> None:
        await script(RawPeer(context))

    handler = grpc.method_handlers_generic_handler(
        "llm.v1.Relay", {"Connect": grpc.stream_stream_rpc_method_handler(serve)}
    )
    async with serving(handler) as (_, port):
        yield f"127.0.0.1:{port}"
