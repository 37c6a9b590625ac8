"""One HTTP request and its reply: ids, headers and what the access log and the metrics will say of it."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Mapping
from typing import Final

from llm_platform.core.errors import Code, PlatformError
from llm_platform.http.dialects import Dialect
from llm_platform.http.server.request import Request, Response

REQUEST_ID: Final = "x-request-id"
JSON: Final = "application/json"

_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9._:/+=-]")
_LONGEST_CORRELATION_ID = 128


class Exchange:
    """A request on its way through the entry. Times are in seconds of ``time.perf_counter``."""

    __slots__ = (
        "dialect",
        "error",
        "first_byte",
        "headers",
        "input_tokens",
        "key_id",
        "model",
        "output_tokens",
        "path_argument",
        "provider",
        "request",
        "request_id",
        "route",
        "started",
        "status",
        "streamed",
    )

    def __init__(self, request: Request, request_id: str, dialect: Dialect) -> None:
        self.request = request
        self.request_id = request_id
        self.dialect = dialect
        self.started = time.perf_counter()
        self.headers = {REQUEST_ID: request_id}
        """Of the reply, by name in lower case."""
        self.route = ""
        self.path_argument = ""
        """What followed the path of a route that ends in ``/``."""
        self.status = 0
        self.error: PlatformError | None = None
        self.first_byte: float | None = None
        """When the first byte of the model's reply was sent on."""
        self.streamed = False
        self.model = ""
        self.provider = ""
        self.key_id = ""
        self.input_tokens = 0
        self.output_tokens = 0

    @property
    def correlation_id(self) -> str:
        """The caller's own ``x-request-id``: only a note, so bounded and harmless in logs."""
        given = self.request.headers.get(REQUEST_ID)
        return _NOT_IN_AN_ID.sub("", given[:_LONGEST_CORRELATION_ID]) if given else ""

    def reply(self, status: int, body: bytes, content_type: str = JSON) -> Response:
        """A buffered reply with the headers gathered so far."""
        self.status = status
        self.headers["content-type"] = content_type
        return Response(status, self.headers, body)

    def empty(self, status: int) -> Response:
        """A reply without a body."""
        self.status = status
        return Response(status, self.headers)

    def begin_stream(self, status: int, content_type: str, first: bytes) -> Awaitable[None] | None:
        """Sends the status of a reply of unknown length and its first part. What it gives must be awaited.

        Raises ``ConnectionError`` when the client left.
        """
        self.status = status
        self.streamed = True
        self.first_byte = time.perf_counter()
        headers = self.headers
        headers["content-type"] = content_type
        headers["cache-control"] = "no-cache"
        headers["x-accel-buffering"] = "no"
        return self.request.connection.begin(status, headers, first)

    def refuse(self, error: PlatformError) -> Response:
        """The error in the caller's dialect."""
        self.error = error
        self.headers.update(_error_headers(error))
        return self.reply(error.status, self.dialect.error(error))


def _error_headers(error: PlatformError) -> Mapping[str, str]:
    headers = {"x-error-fault": error.fault.value}
    if error.retry_after is not None:
        milliseconds = max(1, round(error.retry_after * 1000))
        headers["retry-after"] = str(-(-milliseconds // 1000))
        headers["retry-after-ms"] = str(milliseconds)
    if not error.retryable and (error.status in {408, 409, 429} or error.status >= 500):
        # Clients of OpenAI and Anthropic retry these statuses by themselves.
        headers["x-should-retry"] = "false"
    if error.code is Code.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    return headers
