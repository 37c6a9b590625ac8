"""Cross-origin requests from browsers, for the origins of ``security.cors_origins``.

Source: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

from collections.abc import Sequence

from llm_platform.http.server.exchange import Exchange
from llm_platform.http.server.request import Response

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

    def __call__(self, exchange: Exchange) -> Response | None:
        request = exchange.request
        exchange.headers["vary"] = "Origin"
        origin = request.headers.get("origin")
        if origin is None or not (self._any or origin.lower() in self._origins):
            return None
        exchange.headers["access-control-allow-origin"] = "*" if self._any else origin
        exchange.headers["access-control-expose-headers"] = _EXPOSED
        if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            return self._preflight(exchange)
        return None

    @staticmethod
    def _preflight(exchange: Exchange) -> Response:
        headers = exchange.headers
        headers["access-control-allow-methods"] = "GET, POST, OPTIONS"
        headers["access-control-allow-headers"] = exchange.request.headers.get(
            "access-control-request-headers", "authorization, content-type"
        )
        headers["access-control-max-age"] = _PREFLIGHT_SECONDS
        return exchange.empty(204)
