"""One HTTP/1.1 connection of the server: llhttp reads requests, one after the other is served.

A general server costs as much as all that the entry itself does with a request (docs/adr/0006-own-http-server.md). What
this one is strict about:

* Framing is llhttp's in its strict mode: contradictory or repeated lengths, a lone LF, folded lines and the like are
  refused, since two readers that disagree on where a request ends let one client speak for another.
* A head is limited in size and number of lines, and so is the time until it is complete.
* A body that nobody reads makes the socket stop; a reply that the client does not read makes its writer wait.
* A client that leaves cancels what is done for it.
* What still comes after a refusal is read and dropped for a moment: closing at once would reset the connection, and
  the client would not see why.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import Awaitable, Mapping
from typing import Protocol, cast

import httptools

from llm_platform.http.server.request import Request, Response, response_head

KEEP_ALIVE_SECONDS = 75.0
"""Longer than HAProxy keeps an idle connection. Also ends a client that never finishes its headers."""
LINGER_SECONDS = 5.0
"""How long what comes after a refusal is read and dropped, so that the client sees the refusal."""
WRITE_SECONDS = 60.0
"""How long a client may leave a full socket unread."""
UNREAD_BYTES = 32 * 1024
"""What a client may leave unread beyond its socket's buffer before its writer waits. Not 0: replies then leave together
at the end of the loop's turn, and whoever reads them is woken once."""
HEAD_BYTES = 16 * 1024
HEAD_LINES = 100

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE = "connection: close\r\n"
_KEEP_HTTP10 = "connection: keep-alive\r\n"
_WITHOUT_BODY = frozenset({204, 304})
_OF_THE_CONNECTION = frozenset({b"connection", b"proxy-connection"})
"""What llhttp believes in a trailer too: it would refuse the next request, which may be another client's of HAProxy."""
_AUTHORITY = re.compile(r"https?://[^/?]*", re.IGNORECASE)


class Host(Protocol):
    """Whom a connection belongs to."""

    draining: bool
    connections: set[ServerConnection]

    async def serve(self, request: Request) -> None:
        """Answers a request with ``send`` or ``begin`` of its connection. Raises ``ConnectionError`` to cut it off."""
        ...

    def unreadable(self, request: Request, status: int, reason: str) -> Response:
        """The reply to what is no HTTP request."""
        ...


class _RefusedError(Exception):
    """Raised inside a parser's callback: the request is not read any further."""


class ServerConnection(asyncio.Protocol):
    """Reads requests and writes their replies."""

    __slots__ = (
        "_broken", "_chunked", "_framing", "_full", "_head_bytes", "_head_lines", "_head_open", "_headers", "_host",
        "_incoming", "_lingering", "_loop", "_parser", "_pipelined", "_refusal", "_room", "_serving", "_since",
        "_staying", "_target", "_task", "_timer", "_transport",
    )  # fmt: skip

    def __init__(self, host: Host, loop: asyncio.AbstractEventLoop) -> None:
        self._host = host
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._serving: Request | None = None
        self._incoming: Request | None = None
        """Whose body is being read."""
        self._staying: Request | None = None
        """Asked for an upgrade: its body is read by a new parser."""
        self._pipelined: deque[Request] = deque()
        self._target = b""
        self._headers: dict[str, str] = {}
        self._head_open = False
        self._head_bytes = 0
        self._head_lines = 0
        self._framing = 0
        """Bytes read since a head began or ended, or a part of a body came: of a line that is not complete yet."""
        self._refusal: tuple[int, str] | None = None
        self._broken = False
        """What comes after the requests read so far is not looked at: the connection ends with them."""
        self._lingering = False
        self._full = False
        self._room: asyncio.Future[None] | None = None
        self._chunked = False
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # Replies

    def send(self, response: Response) -> Awaitable[None] | None:
        """Writes a whole reply. What it gives must be awaited: the client has not taken all of it yet."""
        request = cast("Request", self._serving)
        body = response.body
        framing = self._connection_line(request)
        if response.status not in _WITHOUT_BODY:
            framing = f"{framing}content-length: {len(body)}\r\n"
        head = response_head(response.status, response.headers, framing)
        return self._write(head if request.method == "HEAD" else head + body)

    def begin(self, status: int, headers: Mapping[str, str], first: bytes) -> Awaitable[None] | None:
        """Writes the head of a reply of unknown length, and its first part with it."""
        request = cast("Request", self._serving)
        self._chunked = not request.http10
        if request.http10:
            request.keep_alive = False
        framing = self._connection_line(request)
        if self._chunked:
            framing = f"{framing}transfer-encoding: chunked\r\n"
        head = response_head(status, headers, framing)
        return self._write(head + (b"%x\r\n%b\r\n" % (len(first), first) if self._chunked and first else first))

    def write(self, part: bytes) -> Awaitable[None] | None:
        """Writes a part of a reply that was begun. Raises ``ConnectionResetError`` when the client left."""
        if not part:
            return None  # an empty chunk would end the reply, and the next part be taken for another one
        return self._write(b"%x\r\n%b\r\n" % (len(part), part) if self._chunked else part)

    def finish(self) -> Awaitable[None] | None:
        """Ends a reply that was begun."""
        return self._write(b"0\r\n\r\n") if self._chunked else None

    def go_on(self) -> None:
        """Tells a client that asks first (``expect: 100-continue``) to send its body."""
        if self._transport is not None:
            self._transport.write(_CONTINUE)

    @property
    def peer_address(self) -> str:
        """Of whom the connection is with; empty when it is not known any more."""
        peer = self._transport.get_extra_info("peername") if self._transport is not None else None
        return str(peer[0]) if isinstance(peer, tuple) else ""

    @property
    def open(self) -> bool:
        """The client has not left."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def task(self) -> asyncio.Task[None] | None:
        """What serves a request now."""
        return self._task

    def abort(self) -> None:
        """Cuts the connection now."""
        if self._transport is not None:
            self._transport.abort()

    def resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing() and not self._pipelined:
            self._transport.resume_reading()

    def close_when_idle(self) -> None:
        """Ends the connection, at once if no request is being served."""
        self._broken = True
        if self._serving is None and self._transport is not None:
            self._transport.close()

    def _connection_line(self, request: Request) -> str:
        if self._host.draining or not request.complete:
            # A refused body that is still coming would be read as the next request.
            request.keep_alive = False
        if not request.keep_alive:
            return _CLOSE
        return _KEEP_HTTP10 if request.http10 else ""

    def _write(self, data: bytes) -> Awaitable[None] | None:
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client left")
        transport.write(data)
        return self._taken() if self._full else None

    async def _taken(self) -> None:
        """Returns when all that was written has been taken. Raises ``ConnectionResetError``."""
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                while self._full:
                    self._room = self._loop.create_future()
                    await self._room
        except TimeoutError:
            self.abort()
            raise ConnectionResetError("the client does not read its reply") from None

    # Requests, one after the other

    def _start(self, request: Request) -> None:
        self._serving = request
        self._task = self._loop.create_task(self._serve(request))

    async def _serve(self, request: Request) -> None:
        try:
            await self._host.serve(request)
        except ConnectionError:
            self.abort()
        except BaseException:
            self.abort()  # the client must not wait for a reply that will not come
            raise
        finally:
            self._served(request)

    def _served(self, request: Request) -> None:
        self._task = self._serving = None
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._since = self._loop.time()
        if not request.complete:
            self._linger()
        elif not request.keep_alive:
            transport.close()
        elif self._pipelined:
            self._start(self._pipelined.popleft())
            if not self._pipelined:  # its body may still be coming
                transport.resume_reading()
        elif self._broken:
            self._end()
        else:
            transport.resume_reading()

    def _end(self) -> None:
        """Nothing more is read. Says why, if it was no HTTP."""
        refusal, self._refusal = self._refusal, None
        transport = cast("asyncio.Transport", self._transport)
        if refusal is None or transport.is_closing():
            transport.close()
            return
        self._serving = request = Request(self, "", "", {}, keep_alive=False, http10=False)
        self.send(self._host.unreadable(request, *refusal))
        self._serving = None
        self._linger()

    def _linger(self) -> None:
        transport = cast("asyncio.Transport", self._transport)
        self._lingering = True
        with contextlib.suppress(OSError):  # the client has cut the connection, which is heard of when reading
            transport.write_eof()
        transport.resume_reading()
        self._loop.call_later(LINGER_SECONDS, transport.close)

    def _look(self) -> None:
        """One timer follows the connection: moving it with every request would cost each of them."""
        idle = 0.0 if self._serving is not None else self._loop.time() - self._since
        if idle >= KEEP_ALIVE_SECONDS:
            self.abort()  # closing would wait until the client has read its last reply
        else:
            self._timer = self._loop.call_later(KEEP_ALIVE_SECONDS - idle, self._look)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class is no subclass
        self._transport.set_write_buffer_limits(high=UNREAD_BYTES)
        self._host.connections.add(self)
        self._since = self._loop.time()
        self._timer = self._loop.call_later(KEEP_ALIVE_SECONDS, self._look)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._host.connections.discard(self)
        self._transport = None
        self._pipelined.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def data_received(self, data: bytes) -> None:
        while not self._broken:
            self._framing += len(data)
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._stay(data[upgrade.args[0] :])
                continue
            except httptools.HttpParserError as error:
                self._refuse(*(self._refusal or (400, str(error))))
                return
            if self._framing > HEAD_BYTES:  # llhttp hands a line over when it is complete, also that of a trailer
                self._refuse(431, "its head is too large")
            return

    def _refuse(self, status: int, reason: str) -> None:
        """What was read is no request, or no body; requests before it are still answered."""
        self._broken = True
        self._refusal = status, reason
        if self._lingering:
            cast("asyncio.Transport", self._transport).close()
        elif self._incoming is not None:
            self._refusal = None  # whoever reads the body words the reply
            self._incoming.fail(reason)
        elif self._serving is None:
            self._end()

    def _stay(self, rest: bytes) -> bytes:
        """No upgrade is taken (Java's client asks for one with its first request): the request goes on as HTTP/1.1.

        llhttp takes what follows for another protocol, so a new parser reads the body, and the requests after it: what
        this returns.
        """
        self._parser = httptools.HttpRequestParser(self)
        if self._staying is None:
            return rest
        headers = self._staying.headers
        framing = "content-length" if "content-length" in headers else "transfer-encoding"
        return f"POST / HTTP/1.1\r\n{framing}: {headers[framing]}\r\n\r\n".encode("latin-1") + rest

    # httptools' callbacks

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers = {}
        self._head_open = True
        self._head_bytes = self._head_lines = self._framing = 0

    def on_url(self, target: bytes) -> None:
        self._target += target
        self._count(len(target))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        if not self._head_open:  # a trailer: nothing that comes after a body is believed
            if name.lower() in _OF_THE_CONNECTION:
                raise _RefusedError
            return
        self._head_lines += 1
        if self._head_lines > HEAD_LINES:
            self._refusal = 431, "it has too many headers"
            raise _RefusedError
        headers = self._headers
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1").strip()
        if key in headers:
            if key == "host":
                self._refusal = 400, "it names two hosts"
                raise _RefusedError
            text = f"{headers[key]}, {text}"
        headers[key] = text

    def on_headers_complete(self) -> None:
        self._head_open = False
        self._framing = 0
        if self._staying is not None:
            self._incoming, self._staying = self._staying, None
            return
        parser, headers = self._parser, self._headers
        if self._lingering:
            raise _RefusedError
        version = parser.get_http_version()
        if version == "1.1":
            if "host" not in headers:
                self._refusal = 400, "it names no host"
                raise _RefusedError
        elif version != "1.0":
            self._refusal = 505, "its version is not known here"
            raise _RefusedError
        if "transfer-encoding" in headers and (headers["transfer-encoding"].lower() != "chunked" or version == "1.0"):
            self._refusal = 400, "its transfer-encoding is not known here"
            raise _RefusedError
        target = self._target.decode("latin-1")
        if target[0] != "/":
            target = _without_authority(target)
        request = self._incoming = Request(
            self,
            parser.get_method().decode("latin-1"),
            target,
            headers,
            keep_alive=parser.should_keep_alive(),
            http10=version == "1.0",
        )
        if parser.should_upgrade():
            if request.method == "CONNECT":
                request.keep_alive = False
            elif "content-length" in headers or "transfer-encoding" in headers:
                self._incoming, self._staying = None, request
        if self._serving is None:
            self._start(request)
        else:
            self._pipelined.append(request)
            cast("asyncio.Transport", self._transport).pause_reading()

    def on_body(self, part: bytes) -> None:
        self._framing = 0
        if not self._lingering and self._incoming is not None and self._incoming.take(part):
            cast("asyncio.Transport", self._transport).pause_reading()

    def on_message_complete(self) -> None:
        incoming, self._incoming = self._incoming, None
        if incoming is None:
            return
        incoming.finish()
        if not incoming.keep_alive:
            self._broken = True
        if self._lingering:
            self._broken = True
            cast("asyncio.Transport", self._transport).close()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES:
            self._refusal = 431, "its head is too large"
            raise _RefusedError


def _without_authority(target: str) -> str:
    """The path of a target that names its host too; ``*`` and the like stay as they are."""
    host = _AUTHORITY.match(target)
    path = target[host.end() :] if host else target
    return f"/{path}" if path[:1] in ("", "?") else path
