"""Failures as problem details (RFC 9457)."""

from __future__ import annotations

import math
from http import HTTPStatus

import msgspec
from aiohttp import web

from llm_platform.core.errors import Code, Fault, PlatformError
from llm_platform.core.logging import get_logger, request_id

CONTENT_TYPE = "application/problem+json"
ETAG = "etag"

log = get_logger("dashboard")


class MissingEtagError(Exception):
    """A change that does not say what it is based on (RFC 6585, section 3)."""


class Problem(msgspec.Struct, omit_defaults=True):
    """The body of every failure. ``type`` is about:blank: ``code`` says what happened, from a closed vocabulary."""

    title: str
    status: int
    detail: str
    code: str
    fault: str
    request_id: str
    param: str | None = None
    retry_after: int | None = None
    """Seconds."""
    type: str = "about:blank"


def response(error: Exception) -> web.Response:
    """What the page or the script is told of ``error``; what is not known is logged and told as our fault."""
    match error:
        case PlatformError():
            return _platform(error)
        case MissingEtagError():
            stated = PlatformError(
                Code.INVALID_REQUEST,
                "Say what the change is based on: If-Match with the ETag that was read.",
                param=ETAG,
            )
            return _problem(stated, HTTPStatus.PRECONDITION_REQUIRED)
        case web.HTTPNotFound():
            return _platform(PlatformError(Code.NOT_FOUND, "There is nothing at this path."))
        case web.HTTPMethodNotAllowed():
            refused = _platform(PlatformError(Code.METHOD_NOT_ALLOWED, f"{error.method} is not possible at this path."))
            refused.headers["allow"] = ", ".join(sorted(error.allowed_methods))
            return refused
        case web.HTTPRequestEntityTooLarge():
            return _platform(PlatformError(Code.BODY_TOO_LARGE, "The body is too large."))
        case web.HTTPException():
            return _problem(PlatformError(Code.INVALID_REQUEST, error.reason), HTTPStatus(error.status))
        case _:
            log.error("a request failed", exc_info=error)
            return _platform(PlatformError(Code.INTERNAL, "The request failed. The log says why, by its request id."))


def _platform(error: PlatformError) -> web.Response:
    stale = error.code is Code.CONFLICT and error.param == ETAG
    return _problem(error, HTTPStatus.PRECONDITION_FAILED if stale else _status(error))


def _status(error: PlatformError) -> HTTPStatus:
    try:
        return HTTPStatus(error.status)
    except ValueError:  # 499: nobody is there any more to read it
        return HTTPStatus.BAD_REQUEST if error.fault is Fault.CALLER else HTTPStatus.INTERNAL_SERVER_ERROR


def _problem(error: PlatformError, status: HTTPStatus) -> web.Response:
    retry_after = math.ceil(error.retry_after) if error.retry_after else None
    problem = Problem(
        title=status.phrase,
        status=status.value,
        detail=error.message,
        code=error.code.value,
        fault=error.fault.value,
        request_id=request_id.get(),
        param=error.param,
        retry_after=retry_after,
    )
    headers = {"retry-after": str(retry_after)} if retry_after else {}
    body = {"type": "about:blank", **msgspec.to_builtins(problem)}
    return web.Response(status=status.value, body=msgspec.json.encode(body), content_type=CONTENT_TYPE, headers=headers)
