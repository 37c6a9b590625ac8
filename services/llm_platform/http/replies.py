"""Sending a model's reply to the client: buffered, or as a stream of events."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Coroutine

from aiohttp import hdrs, web

from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.inference import Reply
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
        async with asyncio.timeout_at(deadline):
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
    events = aiter(reply)
    try:
        async with asyncio.timeout_at(deadline):
            event = await anext(events, b"")
    except TimeoutError:
        raise took_too_long() from None
    response = exchange.stream(reply.start.status, reply.start.content_type)
    await response.prepare(exchange.request)
    exchange.first_byte = time.perf_counter()
    try:
        async with asyncio.timeout_at(deadline):
            await _write(exchange, response, event)
            async for event in events:
                await _write(exchange, response, event)
    except TimeoutError:
        await _break_off(exchange, response, took_too_long())
    except PlatformError as error:
        await _break_off(exchange, response, error)
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception as error:
        # The status has been sent: only an event can still say it.
        log.error("stream failed unexpectedly", exc_info=error)
        failure = PlatformError(Code.INTERNAL, "The platform failed; its log has the cause.")
        await _break_off(exchange, response, failure)
    return response


def took_too_long() -> PlatformError:
    return PlatformError(Code.TIMEOUT, "The request took longer than any request may (traffic.stream_max_seconds).")


async def _break_off(exchange: Exchange, response: web.StreamResponse, error: PlatformError) -> None:
    exchange.error = error
    response.force_close()
    await _write(exchange, response, exchange.dialect.error_event(error))


async def _write(exchange: Exchange, response: web.StreamResponse, event: bytes) -> None:
    transport = exchange.request.transport
    if transport is None or transport.get_write_buffer_size() + len(event) < UNBLOCKED_BYTES:
        # Far below the transport's high-water mark a write does not wait, so no timer is needed.
        await response.write(event)
    else:
        await _patiently(exchange, response.write(event))


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
