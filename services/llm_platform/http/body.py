"""Reading request bodies within bounds."""

from __future__ import annotations

import asyncio

from aiohttp import ClientError, hdrs, web
from aiohttp.web_exceptions import HTTPException

from llm_platform.core.errors import Code, PlatformError

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def read_body(request: web.BaseRequest, limit: int, seconds: float) -> bytes:
    """The whole body, of at most ``limit`` bytes, sent within ``seconds``.

    Raises ``PlatformError``: BODY_TOO_LARGE (a declared length is refused before anything is read),
    UNSUPPORTED_MEDIA_TYPE, REQUEST_TIMEOUT, INVALID_REQUEST for a body that breaks off.
    """
    headers = request.headers
    _check_type(headers.get(hdrs.CONTENT_TYPE), headers.get(hdrs.CONTENT_ENCODING))
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    if headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(_CONTINUE)
        # The interim reply is no part of the final one.
        request.writer.output_size = 0
    content = request.content
    if content.is_eof():
        body = content.read_nowait()
    else:
        body = await _receive(request, limit, seconds)
    if len(body) > limit:
        raise _too_large(limit)
    return body


async def _receive(request: web.BaseRequest, limit: int, seconds: float) -> bytes:
    content = request.content
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while part := await content.readany():
                size += len(part)
                if size > limit:
                    raise _too_large(limit)
                parts.append(part)
    except TimeoutError:
        raise PlatformError(
            Code.REQUEST_TIMEOUT, f"The body did not arrive within {seconds:g} s. Send it faster or make it smaller."
        ) from None
    except (ClientError, HTTPException):
        raise PlatformError(Code.INVALID_REQUEST, "The body is not framed as its headers say.") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _check_type(content_type: str | None, encoding: str | None) -> None:
    if encoding is not None and encoding.lower() != "identity":
        raise PlatformError(
            Code.UNSUPPORTED_MEDIA_TYPE, "Compressed request bodies are not taken: send it without Content-Encoding."
        )
    if content_type is None or content_type == "application/json":
        return
    essence = content_type.partition(";")[0].strip().lower()
    if essence != "application/json" and not essence.endswith("+json"):
        raise PlatformError(Code.UNSUPPORTED_MEDIA_TYPE, "The body must be JSON: send Content-Type: application/json.")


def _too_large(limit: int) -> PlatformError:
    return PlatformError(Code.BODY_TOO_LARGE, f"The body is larger than {limit} bytes, which is the limit here.")
