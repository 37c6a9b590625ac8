"""A server that does what it likes with the bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """One connection as the server sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """Reads one request; raises ``IncompleteReadError`` when the client has closed."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        size = next(int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: "))
        return head + await self.reader.readexactly(size)

    async def say(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            if len(parts) > 1:
                await asyncio.sleep(0)

    def cut(self) -> None:
        self.writer.transport.abort()


class Server:
    """Plays ``script`` on every connection."""

    def __init__(self) -> None:
        self.script: Script = answering(HELLO)
        self.connections = 0
        self.requests: list[bytes] = []
        self.closed = asyncio.Event()
        self.url = ""

    async def on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        peer = Peer(reader, writer)
        read = peer.request

        async def request() -> bytes:
            received = await read()
            self.requests.append(received)
            return received

        peer.request = request  # type: ignore[method-assign]
        try:
            await self.script(peer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed.set()
            writer.close()


def answering(*answer: bytes) -> Script:
    """Answers every request on the connection so."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.say(*answer)

    return script


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Server]:
    server = Server()
    listener = await asyncio.start_server(server.on_connection, "127.0.0.1", 0, **options)
    scheme = "https" if "ssl" in options else "http"
    server.url = f"{scheme}://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1/x"
    try:
        yield server
    finally:
        listener.close()


async def until(holds: Callable[[], bool], seconds: float = 3) -> None:
    """Returns once it holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.002)
