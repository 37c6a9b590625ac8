"""An HTTP/1.1 client for the request path: asyncio transports, llhttp, and nothing else.

A call through a general client costs several times this one (docs/providers.md has the figures),
and none of them says what the money needs to know of a broken call: whether the request left, and
whether the answer began. So this one is small, and strict in what it takes:

* One request is written to one connection, once. The client never sends a request again by itself:
  a repeat is a second provider call, which has an attempt and a ledger entry of its own. It only
  moves on to another connection while nothing was written, as when an idle one turns out closed.
* A kept connection that the server closes in the very moment of its reuse shows as ``stale``
  (RFC 9112, 9.3.1): nothing of the answer came, shortly after the write.
* Redirects are not followed: a key must not travel to an address that the operator did not name.
* Header values with CR, LF or NUL are refused; a response's head is limited, and so is its time.
* A reader that stops makes the socket stop: at most ``_HIGH_WATER`` bytes wait for it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from llm_platform.http.client.connection import Connection
from llm_platform.http.client.response import ClientError, ConnectError, Response, ResponseLostError

__all__ = [
    "ClientError",
    "ConnectError",
    "HttpClient",
    "Response",
    "ResponseLostError",
    "Target",
    "TooManyConnectionsError",
    "read_body",
]

_FORBIDDEN_IN_VALUES = str.maketrans("", "", "\r\n\0")


class TooManyConnectionsError(ConnectError):
    """The limit of connections to this origin is reached; nothing was sent."""


class Origin(NamedTuple):
    host: str
    port: int
    tls: bool


class Target:
    """Where requests go: method and URL, with the headers that every one of them has."""

    __slots__ = ("host", "origin", "prefix")

    def __init__(self, method: str, url: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Raises ``ValueError`` for anything but a plain http(s) URL."""
        if not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError("must be printable ASCII without blanks")
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http:// or https:// URL with a host")
        if parts.username or parts.password or parts.fragment or parts.query:
            raise ValueError("must have no user, password, query or fragment: a credential there would leak into logs")
        tls = parts.scheme == "https"
        self.host = parts.hostname
        self.origin = Origin(parts.hostname, parts.port or (443 if tls else 80), tls)
        self.prefix = f"{method} {parts.path or '/'} HTTP/1.1\r\nhost: {parts.netloc}\r\n".encode(
            "ascii"
        ) + header_lines(headers)


def header_lines(headers: Iterable[tuple[str, str]]) -> bytes:
    """Header lines as they are written. Raises ``ValueError`` for a value that would break the framing."""
    lines = ""
    for name, value in headers:
        if value.translate(_FORBIDDEN_IN_VALUES) != value:
            raise ValueError(f"the value of header {name} has a line break in it")
        lines += f"{name}: {value}\r\n"
    return lines.encode("latin-1")


class HttpClient:
    """Keeps connections and makes requests. Open one in a process; ``aclose`` it at the end.

    ``max_connections`` bounds the connections to one origin, used and idle. ``idle_seconds`` is how long
    an unused one is kept: shorter than servers do, so that the race at its end is rare.
    """

    def __init__(
        self,
        *,
        connect_timeout: float = 10.0,
        idle_seconds: float = 15.0,
        max_connections: int = 4096,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._connect_timeout = connect_timeout
        self._idle_seconds = idle_seconds
        self._max_connections = max_connections
        self._tls = tls
        self._idle: dict[Origin, deque[Connection]] = {}
        self._open: dict[Origin, set[Connection]] = {}
        self._connecting: dict[Origin, int] = {}
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False

    async def request(
        self,
        target: Target,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        *,
        first_byte: float,
        silence: float,
        on_sent: Callable[[], None] | None = None,
    ) -> Response:
        """Sends one request and returns when the response's head is here; its body is then iterated.

        ``first_byte`` bounds the time from the write to the end of the head, ``silence`` every gap after it
        (seconds).
        ``on_sent`` is called as the request is written: from then on the server may have it.
        Raises ``ConnectError`` (nothing was sent) or ``ResponseLostError``. Cancelling closes the connection.
        """
        head = b"%b%bcontent-length: %d\r\n\r\n" % (target.prefix, header_lines(headers), len(body))
        connection = self._take_idle(target.origin) or await self._connect(target.origin)
        response = connection.send(head, body, first_byte, silence)
        if on_sent is not None:
            on_sent()
        try:
            await response.wait_for_head()
        except BaseException:
            response.close()
            raise
        return response

    def connections(self, target: Target) -> tuple[int, int]:
        """Connections to the target's origin: (open, of these idle)."""
        return len(self._open.get(target.origin, ())), len(self._idle.get(target.origin, ()))

    async def aclose(self) -> None:
        """Closes every connection, also those in use."""
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connections in list(self._open.values()):
            for connection in list(connections):
                connection.abort()
        self._idle.clear()
        await asyncio.sleep(0)

    def _take_idle(self, origin: Origin) -> Connection | None:
        """The connection used last: it is the least likely to have been closed meanwhile."""
        idle = self._idle.get(origin)
        now = asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if connection.usable(now):
                return connection
            connection.abort()
        return None

    async def _connect(self, origin: Origin) -> Connection:
        if self._closed:
            raise ConnectError("the client is closed")
        connections = self._open.setdefault(origin, set())
        connecting = self._connecting.get(origin, 0)
        if len(connections) + connecting >= self._max_connections:
            raise TooManyConnectionsError("all connections are in use")
        loop = asyncio.get_running_loop()
        connection = Connection(loop, lambda idle: self._release(origin, idle), lambda lost: self._lost(origin, lost))
        self._connecting[origin] = connecting + 1
        try:
            async with asyncio.timeout(self._connect_timeout):
                await loop.create_connection(
                    lambda: connection,
                    origin.host,
                    origin.port,
                    ssl=self._tls_context() if origin.tls else None,
                    server_hostname=origin.host if origin.tls else None,
                )
        except TimeoutError as error:
            raise ConnectError(f"no connection within {self._connect_timeout:g} s") from error
        except ssl.SSLError as error:
            raise ConnectError(f"TLS failed: {error.reason or 'handshake failed'}") from error
        except socket.gaierror as error:
            raise ConnectError("its name cannot be resolved") from error
        except OSError as error:  # its own text may hold the address
            raise ConnectError(os.strerror(error.errno) if error.errno else type(error).__name__) from error
        finally:
            self._connecting[origin] -= 1
        if self._closed:
            connection.abort()
            raise ConnectError("the client is closed")
        connections.add(connection)
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def _release(self, origin: Origin, connection: Connection) -> None:
        if self._closed:
            connection.abort()
            return
        connection.keep_for(self._idle_seconds)
        self._idle.setdefault(origin, deque()).append(connection)
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(self._idle_seconds, self._sweep)

    def _lost(self, origin: Origin, connection: Connection) -> None:
        self._open[origin].discard(connection)
        idle = self._idle.get(origin)
        if idle and connection in idle:
            idle.remove(connection)

    def _sweep(self) -> None:
        """Closes what stayed idle too long, the longest idle first."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._sweeping = None
        for idle in self._idle.values():
            while idle and not idle[0].usable(now):
                idle.popleft().abort()
        if any(self._idle.values()):
            self._sweeping = loop.call_later(max(self._idle_seconds / 2, 0.05), self._sweep)


async def read_body(response: AsyncIterator[bytes], limit: int) -> bytes:
    """The whole body. Raises ``ResponseLostError`` (and ``ValueError`` past ``limit`` bytes)."""
    parts: list[bytes] = []
    size = 0
    async for part in response:
        size += len(part)
        if size > limit:
            raise ValueError(f"the body is larger than {limit} bytes")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
