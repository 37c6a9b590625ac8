"""One connection between two peers, as both sides of it see it.

A link carries many streams (requests). Everything that is sent within one turn of the event loop
leaves as one gRPC message, and what is sent while a message is on its way leaves together after it.
Streams take turns frame by frame, so that a large body delays a small request by one frame.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from typing import Any, Final, Protocol

import grpc
from grpc.aio import EOF

from llm_platform.core import metrics
from llm_platform.core.logging import get_logger
from llm_platform.proto import inference_pb2
from llm_platform.relay import frames
from llm_platform.relay.frames import ProtocolError
from llm_platform.relay.settings import Settings
from llm_platform.relay.stream import Stream

log = get_logger("relay")

_TRANSPORT_ERRORS = (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError)
_OLD_WINDOW: Final = 64 * 1024
"""Credit towards a peer whose hello names none."""
_MAX_CONTROL_FRAMES: Final = 1024
_STAMP_DIGITS: Final = 24

_batches_sent = metrics.relay_batches.labels("sent")
_batches_received = metrics.relay_batches.labels("received")
_frames_sent = metrics.relay_frames.labels("sent")
_frames_received = metrics.relay_frames.labels("received")
_bytes_sent = metrics.relay_bytes.labels("sent")
_bytes_received = metrics.relay_bytes.labels("received")


class Transport(Protocol):
    """The common half of a gRPC client call and a server context: whole messages in order, then ``EOF``."""

    async def read(self) -> Any: ...

    async def write(self, message: bytes, /) -> None: ...


class Link:
    """What both sides do: say hello, send, receive, watch that the peer lives.

    ``name`` says in logs who the other end is.
    """

    def __init__(self, transport: Transport, hello: inference_pb2.Hello, settings: Settings, name: str) -> None:
        self.loop = asyncio.get_running_loop()
        self.settings = settings
        self.name = name
        self.streams: dict[int, Stream] = {}
        self.peer: inference_pb2.Hello | None = None
        self.peer_window = _OLD_WINDOW
        self.round_trip: float | None = None
        """Seconds, of the last ping."""
        self.messages_sent = self.frames_sent = self.messages_received = self.frames_received = 0
        self._transport = transport
        self._closed: asyncio.Future[str] = self.loop.create_future()
        self._control: list[bytes] = []
        self._ready: deque[Stream] = deque()
        self._urgent = False
        self._waiter: asyncio.Future[None] | None = None
        self._lingering = False
        self._last_write = -1.0
        self._writing = False
        self._on_quiet: asyncio.Future[None] | None = None
        self._heard = True
        self._missed = 0
        self._barriers: dict[bytes, asyncio.Future[None]] = {}
        self.control(frames.HELLO, 0, hello.SerializeToString())

    # What a side adds.

    def on_hello(self, hello: inference_pb2.Hello) -> None:
        """The peer said hello; ``self.peer`` is set."""

    def on_open(self, stream_id: int, payload: bytes) -> None:
        """A frame ``open`` on a stream that is not open. Raises ``ProtocolError``."""

    def on_drain(self) -> None:
        """The peer drains, or confirms ours."""

    def on_down(self) -> None:
        """The link has ended; its streams are failed next."""

    # Life.

    async def run(self) -> None:
        """Carries frames until the link ends, then fails its streams."""
        tasks = [self.loop.create_task(self._guarded(work)) for work in (self._read(), self._write())]
        hello_timer = self.loop.call_later(self.settings.hello_timeout, self._expect_hello)
        self._timer = self.loop.call_later(self.settings.ping_interval, self._tick)
        try:
            await asyncio.shield(self._closed)
        finally:
            self.close("the connection is gone")
            hello_timer.cancel()
            self._timer.cancel()
            for task in tasks:
                task.cancel()
            self.on_down()
            self._break_streams()
            await asyncio.gather(*tasks, return_exceptions=True)

    def close(self, reason: str) -> None:
        """Ends the link soon; only the first reason counts."""
        if not self._closed.done():
            self._closed.set_result(reason)

    @property
    def closed(self) -> bool:
        return self._closed.done()

    @property
    def reason(self) -> str:
        """Why the link ended; empty while it has not."""
        return self._closed.result() if self._closed.done() else ""

    async def _guarded(self, work: Coroutine[None, None, str]) -> None:
        try:
            reason = await work
        except ProtocolError as error:
            log.warning("relay peer broke the protocol, link closed", peer=self.name, sent=str(error))
            reason = f"the peer sent {error}"
        except _TRANSPORT_ERRORS as error:
            reason = _describe(error)
        except Exception:
            log.exception("relay link failed", peer=self.name)
            reason = "an internal error"
        self.close(reason)

    def _break_streams(self) -> None:
        streams = list(self.streams.values())
        self.streams.clear()
        for stream in streams:
            stream.over()
            stream.broken()
        self._check_quiet()

    # Liveness.

    def _expect_hello(self) -> None:
        if self.peer is None:
            self.close(f"no hello within {self.settings.hello_timeout:g} s")

    def _tick(self) -> None:
        """Counts intervals rather than time, so that a pause of this process does not kill its links."""
        if self._heard:
            self._heard, self._missed = False, 0
        else:
            self._missed += 1
            if self._missed >= self.settings.missed_pings:
                self.close(f"the peer was silent for {self._missed} pings")
                return
        if self.peer is not None:
            self._ping()
        self._timer = self.loop.call_later(self.settings.ping_interval, self._tick)

    def _ping(self) -> bytes:
        stamp = b"%d" % time.monotonic_ns()
        self.control(frames.PING, 0, stamp)
        return stamp

    def _on_pong(self, payload: bytes) -> None:
        if payload.isdigit() and len(payload) < _STAMP_DIGITS:
            self.round_trip = (time.monotonic_ns() - int(payload)) / 1e9
        barrier = self._barriers.pop(payload, None)
        if barrier is not None:
            barrier.set_result(None)

    async def settled(self) -> None:
        """Returns once no stream is open and the peer has read everything, or the link ended."""
        await self._quiet()
        if self.closed:
            return
        answered: asyncio.Future[None] = self.loop.create_future()
        self._barriers[self._ping()] = answered
        await asyncio.wait((answered, self._closed), return_when=asyncio.FIRST_COMPLETED)

    # Sending.

    def enqueue(self, stream: Stream, linger: bool) -> None:
        """Puts a stream in line. With ``linger`` its frame may wait for company on a busy link."""
        self._ready.append(stream)
        if not linger:
            self.hurry()
        elif not self._lingering:
            self._wake_writer()

    def hurry(self) -> None:
        """What is in line leaves in the next turn of the loop."""
        self._urgent = True
        self._wake_writer()

    def control(self, kind: int, stream_id: int, payload: bytes) -> None:
        """Sends a frame ahead of all streams."""
        if len(self._control) >= _MAX_CONTROL_FRAMES:
            self.close("the peer does not read")
            return
        self._control.append(frames.frame(kind, stream_id, payload))
        self.hurry()

    def forget(self, stream: Stream) -> None:
        """Takes a stream off the link."""
        if self.streams.get(stream.id) is stream:
            del self.streams[stream.id]
            stream.over()
            self._check_quiet()

    async def _quiet(self) -> None:
        """Returns once no stream is open and everything was handed to the transport, or the link ended."""
        while not self._is_quiet():
            self._on_quiet = self.loop.create_future()
            await self._on_quiet

    def _is_quiet(self) -> bool:
        idle = not self.streams and not self._control and not self._ready and not self._writing
        return idle or self.closed

    def _check_quiet(self) -> None:
        if self._on_quiet is not None and self._is_quiet():
            if not self._on_quiet.done():
                self._on_quiet.set_result(None)
            self._on_quiet = None

    def _wake_writer(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _write(self) -> str:
        loop, transport, settings = self.loop, self._transport, self.settings
        while True:
            if not self._control and not self._ready:
                self._check_quiet()
                await self._wait_for_output()
            if not self._urgent:
                linger = min(settings.linger_per_stream * len(self.streams), settings.linger)
                if (left := self._last_write + linger - loop.time()) > 0:
                    await self._linger(left)
            message = self._pack()
            if message is None:
                continue
            self._writing = True
            await transport.write(message)
            self._writing = False
            self._last_write = loop.time()

    async def _wait_for_output(self) -> None:
        self._waiter = self.loop.create_future()
        await self._waiter

    async def _linger(self, seconds: float) -> None:
        self._lingering = True
        timer = self.loop.call_later(seconds, self._wake_writer)
        try:
            await self._wait_for_output()
        finally:
            timer.cancel()
            self._lingering = False

    def _pack(self) -> bytes | None:
        """The next message: control frames, then one frame of each stream in turn."""
        parts: list[bytes | memoryview] = []
        parts += self._control
        count = len(parts)
        self._control.clear()
        size = sum(map(len, parts))
        ready = self._ready
        while ready and size < frames.MAX_BATCH_BYTES:
            stream = ready.popleft()
            item = stream.take()
            if item is None:
                stream.ready = False
                continue
            kind, flags, payload = item
            parts.append(frames.header(kind, flags, stream.id, len(payload)))
            parts.append(payload)
            size += frames.HEADER_BYTES + len(payload)
            count += 1
            if stream.outgoing:
                ready.append(stream)
                continue
            stream.ready = False
            if kind in (frames.END, frames.ERROR):
                self.forget(stream)
        self._urgent = bool(ready)
        if not parts:
            return None
        message = frames.encode(parts)
        self.messages_sent += 1
        self.frames_sent += count
        _batches_sent.inc()
        _frames_sent.inc(count)
        _bytes_sent.inc(len(message))
        return message

    # Receiving.

    async def _read(self) -> str:
        transport = self._transport
        while (message := await transport.read()) is not EOF:
            self._heard = True
            count = 0
            for kind, flags, stream_id, payload in frames.decode(message):
                count += 1
                if stream_id and self.peer is not None:
                    self._on_stream(kind, flags, stream_id, payload)
                else:
                    self._on_link(kind, payload)
            self.messages_received += 1
            self.frames_received += count
            _batches_received.inc()
            _frames_received.inc(count)
            _bytes_received.inc(len(message))
        return "the peer ended the link"

    def _on_stream(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        stream = self.streams.get(stream_id)
        if stream is None:
            # Other kinds are late: their stream ended here before the peer knew.
            if kind == frames.OPEN:
                self.on_open(stream_id, payload)
        elif kind == frames.CREDIT:
            stream.credited(frames.decode_credit(payload))
        elif kind == frames.OPEN:
            raise ProtocolError("an open for a stream that is open")
        else:
            stream.receive(kind, flags, payload)

    def _on_link(self, kind: int, payload: bytes) -> None:
        if self.peer is None:
            if kind != frames.HELLO:
                raise ProtocolError("a frame before its hello")
            self.peer = frames.decode_hello(payload)
            self.peer_window = self.peer.window_bytes or self.peer_window
            self.on_hello(self.peer)
        elif kind == frames.PING:
            self.control(frames.PONG, 0, payload)
        elif kind == frames.PONG:
            self._on_pong(payload)
        elif kind == frames.DRAIN:
            self.on_drain()


def _describe(error: Exception) -> str:
    """Why a link ended, as an operator reads it."""
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return str(error) or type(error).__name__
