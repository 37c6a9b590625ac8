"""A call as its client sees it: the reply of ``core.inference``, fed by the link."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TypeVar

from google.protobuf.message import DecodeError

from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.inference import Outlet, Take
from llm_platform.proto import common_pb2, inference_pb2
from llm_platform.relay import frames
from llm_platform.relay.frames import ProtocolError
from llm_platform.relay.link import Link
from llm_platform.relay.stream import Stream

Message = TypeVar("Message", inference_pb2.Start, inference_pb2.End, common_pb2.Error)


class RelayReply(Stream):
    """Implements ``core.inference.Reply``.

    ``timeout`` bounds the time to the first byte and each wait of the reader, in seconds. A reader
    that pauses is not held against the peer.
    """

    __slots__ = (
        "_chunks", "_failure", "_outlet", "_parts", "_started", "_timeout", "_timer", "_waiter", "_waiting_since",
        "_whole_chunks", "end", "link_broke", "refused", "start",
    )  # fmt: skip

    def __init__(self, link: Link, stream_id: int, call: inference_pb2.Open, timeout: float) -> None:
        super().__init__(link, stream_id)
        self.start = inference_pb2.Start()
        self.end: inference_pb2.End | None = None
        self.refused = False
        """The server said that it did not begin the call."""
        self.link_broke = False
        self._started = False
        self._chunks: deque[tuple[bytes, int]] = deque()
        self._parts: list[bytes] = []
        self._whole_chunks = call.stream
        self._failure: PlatformError | None = None
        self._outlet: Outlet | None = None
        """Set while ``pour`` waits: chunks go there."""
        self._waiter: asyncio.Future[None] | None = None
        self._waiting_since = 0.0
        self._timeout = timeout
        self._timer: asyncio.TimerHandle | None = None

    async def begin(self, call: bytes, body: bytes, since: float) -> None:
        """Sends the call and waits for its start; ``since`` (loop time) is when its caller began to wait.

        Raises ``PlatformError``. Cancelled, it cancels the call.
        """
        self.send(frames.OPEN, call)
        self.send(frames.DATA, body, frames.LAST)
        self._waiting_since = since
        self._timer = self.link.loop.call_at(since + self._timeout, self._watch)
        self._waiter = self.link.loop.create_future()
        try:
            await self._waiter
        except asyncio.CancelledError:
            self._cancel()
            raise
        if self._failure is not None and not self._started:
            raise self._failure

    def __aiter__(self) -> RelayReply:
        return self

    async def __anext__(self) -> bytes:
        while True:
            while self._chunks:
                chunk, flags = self._chunks.popleft()
                self.consumed(len(chunk))
                if flags & frames.PART and self._whole_chunks:
                    self._parts.append(chunk)
                    continue
                if self._parts:
                    self._parts.append(chunk)
                    chunk = b"".join(self._parts)
                    self._parts = []
                return chunk
            if self._failure is not None:
                raise self._failure
            if self.end is not None:
                raise StopAsyncIteration
            await self._wait()

    async def _wait(self) -> None:
        loop = self.link.loop
        self._waiting_since = loop.time()
        self._waiter = loop.create_future()
        await self._waiter

    async def pour(self, take: Take) -> None:
        """See ``core.inference.pour``."""
        outlet = Outlet(take)
        while True:
            while self._chunks:
                outlet.give(await anext(self))
                await outlet.settle()
            if self._failure is not None:
                raise self._failure
            if self.end is not None:
                return
            self._outlet = outlet
            try:
                await self._wait()
            finally:
                self._outlet = None
            await outlet.settle()

    async def aclose(self) -> None:
        """Cancels the call unless it is over. Chunks not yet read are dropped."""
        self._chunks.clear()
        self._parts.clear()
        self._cancel()

    # From the link.

    def receive(self, kind: int, flags: int, payload: bytes) -> None:
        if kind in (frames.DATA, frames.END) and not self._started:
            raise ProtocolError("a reply without its start")
        if kind == frames.DATA:
            self.arrived(len(payload))
            if self._outlet is not None and not flags & frames.PART:
                self.consumed(len(payload))
                if self._outlet.give(payload):
                    self._waiting_since = self.link.loop.time()
                    return
            else:
                self._chunks.append((payload, flags))
            self._outlet = None  # what follows must not overtake this
            self._wake_reader()
        elif kind == frames.START:
            self.start = _read(inference_pb2.Start, payload)
            self._started = True
            self._wake_reader()
        elif kind == frames.END:
            self.end = _read(inference_pb2.End, payload)
            self._leave()
        elif kind == frames.ERROR:
            self.refused = bool(flags & frames.REFUSED)
            self._fail(PlatformError.from_proto(_read(common_pb2.Error, payload)))

    def broken(self) -> None:
        self.link_broke = True
        self._fail(PlatformError(Code.LINK_BROKEN, "The connection inside the platform broke off. Try again."))

    # Ends.

    def _watch(self) -> None:
        """One timer a request: it looks how long the reader has waited, rather than being set anew for each chunk."""
        loop = self.link.loop
        now = loop.time()
        due = now + self._timeout if self._waiter is None else self._waiting_since + self._timeout
        if due > now + 0.001:
            self._timer = loop.call_at(due, self._watch)
            return
        self._cancel(PlatformError(Code.TIMEOUT, f"No answer came within {self._timeout:g} seconds."))

    def _cancel(self, failure: PlatformError | None = None) -> None:
        """Ends the call on both sides unless it is over."""
        link = self.link
        if link.streams.get(self.id) is not self:
            return
        if not self.outgoing or self.outgoing[0][0] != frames.OPEN:
            link.control(frames.CANCEL, self.id, b"")
        self._fail(failure or PlatformError(Code.CANCELLED, "The request was cancelled."))

    def _fail(self, failure: PlatformError) -> None:
        self._failure = failure
        self._leave()

    def _leave(self) -> None:
        self.link.forget(self)
        if self._timer is not None:
            self._timer.cancel()
        self._wake_reader()

    def _wake_reader(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def _read(message: type[Message], payload: bytes) -> Message:
    try:
        return message.FromString(payload)
    except DecodeError as error:
        raise ProtocolError(f"a {message.__name__} that cannot be read") from error
