"""Sending a model's reply to the client: buffered, or as a stream of events."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Awaitable
from contextlib import nullcontext

from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.inference import Reply, pour
from llm_platform.core.logging import get_logger
from llm_platform.http.server.exchange import Exchange
from llm_platform.http.server.request import Response

COMPRESS_BYTES = 16 * 1024
"""Below this a compressed reply saves less time than it costs."""
COMPRESS_ASIDE_BYTES = 256 * 1024
"""From here compressing takes long enough to hold up other requests: a thread does it."""

log = get_logger("http.replies")


async def send_buffered(exchange: Exchange, reply: Reply, deadline: float) -> Response:
    """Collects the reply, to be sent whole: a failure up to its last byte is still an HTTP error.

    ``deadline`` is by the loop's clock. Raises ``PlatformError``.
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
    return exchange.reply(reply.start.status, body, reply.start.content_type)


async def send_stream(exchange: Exchange, reply: Reply, deadline: float) -> None:
    """Passes events on as they come. A failure before the first one is still an HTTP error, a later one
    is an event in the caller's dialect, after which the stream ends without its usual last word.

    ``deadline`` is by the loop's clock. Raises ``PlatformError`` before the first event only,
    ``ConnectionError`` when the client left or does not read.
    """
    stream = _Stream(exchange, reply)
    try:
        async with asyncio.timeout_at(deadline):
            await pour(reply, stream.take)
            if not stream.begun:
                await _done(stream.take(b""))
    except TimeoutError:
        await stream.break_off(took_too_long())
    except PlatformError as error:
        await stream.break_off(error)
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception as error:
        if not stream.begun:
            raise
        # The status has been sent: only an event can still say it.
        log.error("stream failed unexpectedly", exc_info=error)
        await stream.break_off(PlatformError(Code.INTERNAL, "The platform failed; its log has the cause."))
    await _done(exchange.request.connection.finish())


class _Stream:
    """The events of one reply on their way to the client. ``begun``: the status was sent, with the first of them."""

    def __init__(self, exchange: Exchange, reply: Reply) -> None:
        self.begun = False
        self._exchange = exchange
        self._connection = exchange.request.connection
        self._reply = reply

    def take(self, event: bytes) -> Awaitable[None] | None:
        """Writes an event. What it gives must be awaited before the next. Raises ``ConnectionError``."""
        if self.begun:
            return self._connection.write(event)
        self.begun = True
        start = self._reply.start
        return self._exchange.begin_stream(start.status, start.content_type, event)

    async def break_off(self, error: PlatformError) -> None:
        """Raises ``error`` while the status is not sent yet."""
        if not self.begun:
            raise error
        self._exchange.error = error
        self._exchange.request.keep_alive = False
        await _done(self._connection.write(self._exchange.dialect.error_event(error)))


async def _done(writing: Awaitable[None] | None) -> None:
    if writing is not None:
        await writing


def took_too_long() -> PlatformError:
    return PlatformError(Code.TIMEOUT, "The request took longer than any request may (traffic.stream_max_seconds).")


async def _compressed(exchange: Exchange, body: bytes) -> bytes:
    headers = exchange.headers
    headers["vary"] = f"{headers['vary']}, Accept-Encoding" if "vary" in headers else "Accept-Encoding"
    if not _takes_gzip(exchange.request.headers.get("accept-encoding", "")):
        return body
    headers["content-encoding"] = "gzip"
    if len(body) < COMPRESS_ASIDE_BYTES:
        return gzip.compress(body, compresslevel=1)
    return await asyncio.to_thread(gzip.compress, body, compresslevel=1)


def _takes_gzip(accept: str) -> bool:
    for choice in accept.lower().split(","):
        coding, _, weight = choice.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
