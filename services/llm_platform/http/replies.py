"""Sending a model's reply to the client: buffered, or as a stream of events."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Awaitable, Coroutine
from contextlib import nullcontext

from aiohttp import hdrs, web

from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.inference import Reply, pour
from llm_platform.core.logging import get_logger
from llm_platform.http.exchange import Exchange

COMPRESS_BYTES = 16 * 1024
"""Below this a compressed reply saves less time than it costs."""
COMPRESS_ASIDE_BYTES = 256 * 1024
"""From here compressing takes long enough to hold up other requests: a thread does it."""
WRITE_SECONDS = 60.0
"""How long a client may leave a full socket unread."""
UNBLOCKED_BYTES = 32 * 1024

log = get_logger("http.replies")


async def send_buffered(exchange: Exchange, reply: Reply, deadline: float) -> web.StreamResponse:
    """Collects the reply, then sends it whole: a failure up to its last byte is still an HTTP error.

    ``deadline`` is by the loop's clock. Raises ``PlatformError``, ``ConnectionError`` when the client left.
    """
    try:
        # What has ended already is only read, which needs no timer.
        async with asyncio.timeout_at(deadline) if reply.end is None else nullcontext():
            parts = [part async for part in reply]
    except TimeoutError:
        raise took_too_long() from None
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    exchange.first_byte = time.perf_counter()
    if len(body) >= COMPRESS_BYTES:
        body = await _compressed(exchange, body)
    response = exchange.reply(reply.start.status, body, reply.start.content_type)
    if len(body) > COMPRESS_BYTES:
        await response.prepare(exchange.request)
        await _patiently(exchange, response.write_eof())
    return response


async def send_stream(exchange: Exchange, reply: Reply, deadline: float) -> web.StreamResponse:
    """Passes events on as they come. A failure before the first one is still an HTTP error, a later one
    is an event in the caller's dialect, after which the stream ends without its usual last word.

    ``deadline`` is by the loop's clock. Raises ``PlatformError`` before the first event only,
    ``ConnectionError`` when the client left or does not read.
    """
    stream = _Stream(exchange, reply)
    try:
        async with asyncio.timeout_at(deadline):
            await pour(reply, stream.take)
            if stream.response is None:
                await stream.begin(b"")
    except TimeoutError:
        await stream.break_off(took_too_long())
    except PlatformError as error:
        await stream.break_off(error)
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception as error:
        if stream.response is None:
            raise
        # The status has been sent: only an event can still say it.
        log.error("stream failed unexpectedly", exc_info=error)
        await stream.break_off(PlatformError(Code.INTERNAL, "The platform failed; its log has the cause."))
    assert stream.response is not None  # noqa: S101 - begun above, or raised
    return stream.response


class _Stream:
    """The events of one reply on their way to the client. ``response`` is None until the first."""

    def __init__(self, exchange: Exchange, reply: Reply) -> None:
        self.response: web.StreamResponse | None = None
        self._exchange = exchange
        self._reply = reply
        self._chunked = False

    def take(self, event: bytes) -> Awaitable[None] | None:
        """Writes an event, or gives what writes it in its time. Raises ``ConnectionError`` when the client left."""
        if self.response is None:
            return self.begin(event)
        transport = self._exchange.request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client left")
        if transport.get_write_buffer_size() + len(event) >= UNBLOCKED_BYTES:
            return _patiently(self._exchange, self.response.write(event))
        # Far below the transport's high-water mark: what aiohttp would write, without a coroutine for each event.
        transport.write(b"%x\r\n%b\r\n" % (len(event), event) if self._chunked else event)
        return None

    async def begin(self, event: bytes) -> None:
        """Sends the status, and the first event with it."""
        exchange, start = self._exchange, self._reply.start
        self.response = response = exchange.stream(start.status, start.content_type)
        await response.prepare(exchange.request)
        self._chunked = hdrs.TRANSFER_ENCODING in response.headers
        exchange.first_byte = time.perf_counter()
        await _patiently(exchange, response.write(event))

    async def break_off(self, error: PlatformError) -> None:
        """Raises ``error`` while the status is not sent yet."""
        if self.response is None:
            raise error
        self._exchange.error = error
        self.response.force_close()
        await _patiently(self._exchange, self.response.write(self._exchange.dialect.error_event(error)))


def took_too_long() -> PlatformError:
    return PlatformError(Code.TIMEOUT, "The request took longer than any request may (traffic.stream_max_seconds).")


async def _patiently(exchange: Exchange, writing: Coroutine[None, None, None]) -> None:
    """Bounds a write to a client that may not read. Raises ``ConnectionError`` and cuts it off."""
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            await writing
    except TimeoutError:
        if (transport := exchange.request.transport) is not None:
            transport.abort()
        raise ConnectionResetError("the client does not read its reply") from None


async def _compressed(exchange: Exchange, body: bytes) -> bytes:
    exchange.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
    if not _takes_gzip(exchange.request.headers.get(hdrs.ACCEPT_ENCODING, "")):
        return body
    exchange.headers[hdrs.CONTENT_ENCODING] = "gzip"
    if len(body) < COMPRESS_ASIDE_BYTES:
        return gzip.compress(body, compresslevel=1)
    return await asyncio.to_thread(gzip.compress, body, compresslevel=1)


def _takes_gzip(accept: str) -> bool:
    for choice in accept.lower().split(","):
        coding, _, weight = choice.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
