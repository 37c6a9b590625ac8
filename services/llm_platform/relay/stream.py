"""One request on a link: what is still to be sent of it, and the credit in both directions."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from llm_platform.relay import frames
from llm_platform.relay.frames import ProtocolError

if TYPE_CHECKING:
    from llm_platform.relay.link import Link

HIGH_WATER: Final = frames.MAX_FRAME_BYTES
"""Unsent bytes of data above which ``writable`` waits."""


class Stream:
    """Base of a call as the client sees it (``reply.py``) and as the server does (``server.py``)."""

    __slots__ = (
        "_allowance",
        "_consumed",
        "_room",
        "committed",
        "credit",
        "id",
        "link",
        "outgoing",
        "pending",
        "ready",
    )

    def __init__(self, link: Link, stream_id: int) -> None:
        self.link = link
        self.id = stream_id
        self.outgoing: deque[tuple[int, int, bytes | memoryview]] = deque()
        self.pending = 0
        """Bytes of data in ``outgoing``."""
        self.credit = link.peer_window
        """Bytes of data the peer still takes."""
        self.ready = False
        """Whether the link has it in line for sending."""
        self.committed = False
        """Whether the whole request was handed to the transport, so that the peer may have begun the call."""
        self._allowance = link.settings.window_bytes
        self._consumed = 0
        self._room: asyncio.Future[None] | None = None

    def send(self, kind: int, payload: bytes, flags: int = 0, *, linger: bool = False) -> None:
        """Queues a frame (data: cut into frames when its turn comes). Does nothing once the stream is over."""
        link = self.link
        if link.streams.get(self.id) is not self:
            return
        self.outgoing.append((kind, flags, payload))
        if kind == frames.DATA:
            self.pending += len(payload)
        if not self.ready:
            self.ready = True
            link.enqueue(self, linger)
        elif not linger:
            link.hurry()

    async def writable(self) -> None:
        """Returns once the peer and the link took most of what was sent, or the stream is over."""
        while self.pending > HIGH_WATER:
            self._room = self.link.loop.create_future()
            await self._room

    def take(self) -> tuple[int, int, bytes | memoryview] | None:
        """The next frame, its data cut to a frame's size and to the credit. None: nothing may be sent now."""
        outgoing = self.outgoing
        if not outgoing:
            return None
        item = outgoing[0]
        kind, flags, payload = item
        if kind != frames.DATA:
            outgoing.popleft()
            return item
        size = len(payload)
        room = min(frames.MAX_FRAME_BYTES, self.credit)
        if size <= room:
            outgoing.popleft()
            self.committed = bool(flags & frames.LAST)
        elif room <= 0:
            return None
        else:
            rest = memoryview(payload)
            outgoing[0] = (kind, flags, rest[room:])
            item, size = (kind, frames.PART, rest[:room]), room
        self.credit -= size
        self.pending -= size
        if self._room is not None and self.pending <= HIGH_WATER:
            self._wake_sender()
        return item

    def credited(self, credit: int) -> None:
        self.credit += credit
        if self.outgoing and not self.ready:
            self.ready = True
            self.link.enqueue(self, False)

    def arrived(self, size: int) -> None:
        """Counts data from the peer against its credit. Raises ``ProtocolError``."""
        self._allowance -= size
        if self._allowance < 0:
            raise ProtocolError("more data than there was credit for")

    def consumed(self, size: int) -> None:
        """Gives credit back for data that was read, half a window at a time."""
        self._consumed += size
        if self._consumed * 2 >= self.link.settings.window_bytes and self.link.streams.get(self.id) is self:
            self._allowance += self._consumed
            self.link.control(frames.CREDIT, self.id, frames.encode_credit(self._consumed))
            self._consumed = 0

    def over(self) -> None:
        """Called when the stream has left the link: nothing more is sent."""
        self.outgoing.clear()
        self.pending = 0
        if self._room is not None:
            self._wake_sender()

    def receive(self, kind: int, flags: int, payload: bytes) -> None:
        """A frame from the peer. Raises ``ProtocolError``."""
        raise NotImplementedError

    def broken(self) -> None:
        """The link is gone."""
        raise NotImplementedError

    def _wake_sender(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
