"""The provider's side: serves any ``Inference`` as the gRPC method /llm.v1.Relay/Connect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import cast

import grpc
from google.protobuf.message import DecodeError

from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.inference import Inference, Reply, pour
from llm_platform.core.logging import get_logger
from llm_platform.proto import inference_pb2
from llm_platform.relay import frames
from llm_platform.relay.frames import ProtocolError
from llm_platform.relay.link import Link, Transport
from llm_platform.relay.settings import Settings
from llm_platform.relay.stream import HIGH_WATER, Stream

log = get_logger("relay.server")


class RelayServer:
    """Add ``handler`` to a ``grpc.aio`` server; call ``drain`` and then ``aclose`` before stopping it."""

    def __init__(self, config: Config, inference: Inference, *, settings: Settings | None = None) -> None:
        self.inference = inference
        self.settings = settings or Settings()
        self.max_body_bytes = config.traffic.max_body_bytes
        self.draining = False
        self.tasks: set[asyncio.Task[None]] = set()
        self._service = config.service
        self._siblings = config.peers.get(config.service.name, [])
        self._links: dict[ServerLink, asyncio.Task[None]] = {}
        self.handler: grpc.GenericRpcHandler = grpc.method_handlers_generic_handler(
            "llm.v1.Relay", {"Connect": grpc.stream_stream_rpc_method_handler(self._connect)}
        )

    @property
    def open_requests(self) -> int:
        return sum(len(link.streams) for link in self._links)

    async def drain(self) -> None:
        """Tells every peer to ask elsewhere; returns once all that is open was answered and read.

        Unbounded: the caller sets the limit (``traffic.drain_seconds``).
        """
        self.draining = True
        await asyncio.gather(*(link.drain() for link in list(self._links)))
        if self.tasks:
            await asyncio.wait(set(self.tasks))

    async def aclose(self) -> None:
        """Cancels what is open and closes the links."""
        self.draining = True
        for link in self._links:
            link.close("the server is stopping")
        ending = {*self._links.values(), *self.tasks}
        if ending:
            await asyncio.wait(ending)

    def hello(self) -> inference_pb2.Hello:
        return inference_pb2.Hello(
            protocol_version=frames.VERSION,
            capabilities=[frames.CONFIRMS_DRAIN],
            replica=self._service.replica,
            replicas=self._siblings,
            draining=self.draining,
            window_bytes=self.settings.window_bytes,
        )

    async def _connect(self, _requests: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        link = ServerLink(cast("Transport", context), self, context.peer())
        self._links[link] = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            await link.run()
        finally:
            del self._links[link]
            log.info("relay link ended", peer=link.name, reason=link.reason)


class ServerLink(Link):
    """The link as the server sees it: it accepts streams."""

    def __init__(self, transport: Transport, server: RelayServer, name: str) -> None:
        super().__init__(transport, server.hello(), server.settings, name)
        self.server = server
        self._confirmed: asyncio.Future[None] = self.loop.create_future()

    def on_hello(self, hello: inference_pb2.Hello) -> None:
        self.name = f"{hello.replica} at {self.name}"
        log.info("relay link accepted", peer=self.name, version=hello.protocol_version)

    def on_open(self, stream_id: int, payload: bytes) -> None:
        try:
            call = inference_pb2.Open.FromString(payload)
        except DecodeError as error:
            raise ProtocolError("an open that cannot be read") from error
        exchange = Exchange(self, stream_id, call)
        self.streams[stream_id] = exchange
        if self.server.draining:
            exchange.fail(PlatformError(Code.DRAINING, "This replica is stopping.", retry_after=1), frames.REFUSED)
        elif len(self.streams) > self.settings.max_streams:
            exchange.fail(PlatformError(Code.OVERLOADED, "Too many requests are open.", retry_after=1), frames.REFUSED)

    def on_drain(self) -> None:
        if not self._confirmed.done():
            self._confirmed.set_result(None)

    on_down = on_drain  # a peer that is gone opens nothing more

    async def drain(self) -> None:
        """Returns once the peer opens nothing more here and has read every reply, or the link ended."""
        self.control(frames.DRAIN, 0, b"")
        if self.peer is not None and frames.CONFIRMS_DRAIN in self.peer.capabilities:
            await asyncio.wait((self._confirmed,), timeout=self.settings.drain_acknowledgement)
        await self.settled()


class Exchange(Stream):
    """One call at the server: gathers the body, then lets the service answer in a task of its own."""

    __slots__ = ("_answered", "_body", "_call", "_server", "_size", "_streamed", "_task")

    def __init__(self, link: ServerLink, stream_id: int, call: inference_pb2.Open) -> None:
        super().__init__(link, stream_id)
        self._server = link.server
        self._call = call
        self._streamed = call.stream
        self._body: list[bytes] = []
        self._size = 0
        self._task: asyncio.Task[None] | None = None
        self._answered = False
        """Whether the reply's last frame was queued."""

    def fail(self, error: PlatformError, flags: int = 0) -> None:
        self._answered = True
        self.send(frames.ERROR, error.to_proto().SerializeToString(), flags)

    def receive(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == frames.DATA:
            if self._task is None and not self._answered:
                self._gather(payload, bool(flags & frames.LAST))
        elif kind == frames.CANCEL:
            self.link.forget(self)
            self._stop()

    def broken(self) -> None:
        self._stop()

    def _gather(self, payload: bytes, last: bool) -> None:
        self.arrived(len(payload))
        self._size += len(payload)
        if self._size > self._server.max_body_bytes:
            self._body.clear()
            limit = self._server.max_body_bytes
            self.fail(PlatformError(Code.BODY_TOO_LARGE, f"The request's body is larger than {limit} bytes."))
            return
        self._body.append(payload)
        if not last:
            self.consumed(len(payload))
            return
        body = payload if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._task = self.link.loop.create_task(self._answer(body))
        self._server.tasks.add(self._task)
        self._task.add_done_callback(self._done)

    async def _answer(self, body: bytes) -> None:
        try:
            reply = await self._server.inference.open(self._call, body)
            try:
                await self._forward(reply)
            finally:
                await reply.aclose()
        except PlatformError as error:
            self.fail(error)
        except Exception:
            log.exception("inference call failed", request_id=self._call.request_id)
            self.fail(PlatformError(Code.INTERNAL, "The request failed inside the platform."))

    async def _forward(self, reply: Reply) -> None:
        self.send(frames.START, reply.start.SerializeToString())
        await pour(reply, self._take)
        self._answered = True
        end = (reply.end or inference_pb2.End()).SerializeToString()
        self.send(frames.END, end, linger=self._streamed)

    def _take(self, chunk: bytes) -> Awaitable[None] | None:
        if chunk:
            self.send(frames.DATA, chunk, linger=self._streamed)
            if self.pending > HIGH_WATER:
                self.link.hurry()
                return self.writable()
        return None

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._server.tasks.discard(task)
        if not self._answered:
            # Cancelled from within the service: the client must hear of it.
            self.fail(PlatformError(Code.UNAVAILABLE, "The request was given up inside the platform.", retry_after=1))
