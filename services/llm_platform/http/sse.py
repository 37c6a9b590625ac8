"""Server-sent events as bytes: whole events in, whole events out.

Source: the WHATWG standard, section 9.2. Events travel through this platform in blocks of whole events, mostly
as they were read from the socket, and are taken apart only where something in them must be seen.
"""

from __future__ import annotations

from collections.abc import Iterator

_BOM = b"\xef\xbb\xbf"


class EventTooLargeError(ValueError):
    """An event passed the limit before it ended."""


class EventSplitter:
    """Cuts a byte stream into blocks of whole events; lines end in LF afterwards.

    ``limit`` bounds what may wait for the end of an event, in bytes.
    """

    def __init__(self, limit: int = 16 * 1024 * 1024) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._searched = 0
        self._held_return = False
        self._at_start = True

    def feed(self, part: bytes) -> bytes:
        """The whole events that are complete now, or nothing. Raises ``EventTooLargeError``."""
        if self._at_start and part:
            self._at_start = False
            part = part.removeprefix(_BOM)
        if self._held_return or b"\r" in part:
            part = self._with_line_feeds(part)
        if not self._rest and part.endswith(b"\n\n"):
            return part
        self._rest += part
        end = self._rest.rfind(b"\n\n", self._searched)
        if end < 0:
            if len(self._rest) > self._limit:
                raise EventTooLargeError(f"an event is larger than {self._limit} bytes")
            self._searched = max(len(self._rest) - 1, 0)
            return b""
        block = bytes(self._rest[: end + 2])
        del self._rest[: end + 2]
        self._searched = max(len(self._rest) - 1, 0)
        return block

    def rest(self) -> bytes:
        """What came after the last whole event."""
        return bytes(self._rest) + (b"\n" if self._held_return else b"")

    def _with_line_feeds(self, part: bytes) -> bytes:
        """CRLF and CR become LF; a CR at the end waits, since its LF may come with the next part."""
        if self._held_return:
            part = b"\r" + part
        self._held_return = part.endswith(b"\r")
        if self._held_return:
            part = part[:-1]
        return part.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def events(block: bytes) -> Iterator[bytes]:
    """The events of a block, each with the blank line that ends it."""
    start = 0
    while start < len(block):
        end = block.find(b"\n\n", start)
        end = len(block) if end < 0 else end + 2
        yield block[start:end]
        start = end


def data_of(event: bytes) -> bytes:
    """The event's data, its lines joined by LF; empty for comments and blank events."""
    lines = [
        line[6:] if line.startswith(b"data: ") else line[5:] for line in event.split(b"\n") if line.startswith(b"data:")
    ]
    return lines[0] if len(lines) == 1 else b"\n".join(lines)
