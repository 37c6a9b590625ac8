"""Cross-origin requests from browsers, for the origins of ``security.cors_origins``.

Source: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import hdrs, web

from llm_platform.http.exchange import Exchange

_EXPOSED = (
    "x-request-id, retry-after, x-error-fault, "
    "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens"
)
_PREFLIGHT_SECONDS = "600"


class Cors:
    """A filter of the server: answers preflights, and marks replies to allowed origins.

    Keys travel in headers, never in cookies, so credentials are not allowed.
    """

    def __init__(self, origins: Sequence[str]) -> None:
        self._any = "*" in origins
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)

    def __call__(self, exchange: Exchange) -> web.Response | None:
        request = exchange.request
        exchange.headers[hdrs.VARY] = hdrs.ORIGIN
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or not (self._any or origin.lower() in self._origins):
            return None
        exchange.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*" if self._any else origin
        exchange.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED
        if request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers:
            return self._preflight(exchange)
        return None

    @staticmethod
    def _preflight(exchange: Exchange) -> web.Response:
        headers = exchange.headers
        headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = "GET, POST, OPTIONS"
        headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = exchange.request.headers.get(
            hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "authorization, content-type"
        )
        headers[hdrs.ACCESS_CONTROL_MAX_AGE] = _PREFLIGHT_SECONDS
        return exchange.empty(204)
