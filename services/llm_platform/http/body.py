"""Reading request bodies within bounds."""

from __future__ import annotations

import asyncio

from llm_platform.core.errors import Code, PlatformError
from llm_platform.http.server.request import Request, UnreadableBodyError


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """The whole body, of at most ``limit`` bytes, sent within ``seconds``.

    Raises ``PlatformError``: BODY_TOO_LARGE (a declared length is refused before anything is read),
    UNSUPPORTED_MEDIA_TYPE, REQUEST_TIMEOUT, INVALID_REQUEST for a body that breaks off.
    """
    headers = request.headers
    _check_type(headers.get("content-type"), headers.get("content-encoding"))
    if request.content_length > limit:
        raise _too_large(limit)
    if request.complete:
        body = request.arrived()
    else:
        if headers.get("expect", "").lower() == "100-continue" and not request.http10:
            request.connection.go_on()
        body = await _receive(request, limit, seconds)
    if len(body) > limit:
        raise _too_large(limit)
    return body


async def _receive(request: Request, limit: int, seconds: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while part := await request.read():
                size += len(part)
                if size > limit:
                    raise _too_large(limit)
                parts.append(part)
    except TimeoutError:
        raise PlatformError(
            Code.REQUEST_TIMEOUT, f"The body did not arrive within {seconds:g} s. Send it faster or make it smaller."
        ) from None
    except UnreadableBodyError:
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
