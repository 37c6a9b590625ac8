"""What is said of every request when it has ended: metrics and one access line.

It is said of many requests at once, a moment after they ended: what is done for one request after the other finds its
code and data in the processor's caches, what is done between other work does not. Children of the metrics are kept,
since looking one up costs more than counting.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from prometheus_client import Counter, Histogram

from llm_platform.core import metrics
from llm_platform.core.errors import PlatformError
from llm_platform.core.logging import get_logger, request_id, trace_id
from llm_platform.http.server.exchange import Exchange

GATHER_SECONDS = 0.02
"""How long a request that ended waits for others to be counted and logged with."""

log = get_logger("http.access")


class Observation:
    """Records the end of requests of one entry."""

    def __init__(self, service: str, *, name_provider: bool = True) -> None:
        self._service = service
        self._name_provider = name_provider
        self._waiting: list[tuple[Exchange, float, float, str]] = []
        self._requests: dict[tuple[str, bool, int], Counter] = {}
        self._duration: dict[bool, Histogram] = {
            streamed: metrics.request_duration.labels(service, _word(streamed)) for streamed in (False, True)
        }
        self._first_token = metrics.time_to_first_token.labels(service)

    def watch_open(self, count: Callable[[], int]) -> None:
        """Shows ``count()`` as the number of requests under way."""
        metrics.requests_open.labels(self._service).set_function(count)

    def ended(self, exchange: Exchange) -> None:
        """Counts and logs, soon."""
        if not self._waiting:
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self.flush)
        self._waiting.append((exchange, time.perf_counter() - exchange.started, time.time(), trace_id.get()))

    def flush(self) -> None:
        """Counts and logs the requests that have ended until now."""
        waiting, self._waiting = self._waiting, []
        for exchange, seconds, at, trace in waiting:
            request_id.set(exchange.request_id)
            trace_id.set(trace)
            try:
                self._count(exchange, seconds)
                if exchange.error is not None:
                    self.failed(exchange.error)
                log.info("request", at=at, **self._line(exchange, seconds))
            except Exception as error:  # the others are counted all the same
                log.error("a request was not counted", exc_info=error)

    def failed(self, error: PlatformError) -> None:
        metrics.errors.labels(self._service, error.fault.value, error.code.value).inc()

    def _count(self, exchange: Exchange, seconds: float) -> None:
        streamed = exchange.streamed
        key = (exchange.dialect.name, streamed, exchange.status)
        requests = self._requests.get(key)
        if requests is None:
            requests = metrics.requests.labels(self._service, key[0], _word(streamed), str(key[2]))
            self._requests[key] = requests
        requests.inc()
        self._duration[streamed].observe(seconds)
        if exchange.first_byte is not None:
            self._first_token.observe(exchange.first_byte - exchange.started)

    def _line(self, exchange: Exchange, seconds: float) -> dict[str, Any]:
        line: dict[str, Any] = {
            "method": exchange.request.method,
            "route": exchange.route,
            "status": exchange.status,
            "ms": round(seconds * 1000, 2),
        }
        if correlation_id := exchange.correlation_id:
            line["correlation_id"] = correlation_id
        if exchange.key_id:
            line["key_id"] = exchange.key_id
        if exchange.model:
            line["model"] = exchange.model
            line["stream"] = exchange.streamed
        if exchange.provider:
            if self._name_provider:
                line["provider"] = exchange.provider
            line["input_tokens"] = exchange.input_tokens
            line["output_tokens"] = exchange.output_tokens
        if exchange.first_byte is not None:
            line["first_byte_ms"] = round((exchange.first_byte - exchange.started) * 1000, 2)
        if exchange.error is not None:
            line["error"] = exchange.error.code.value
            line["fault"] = exchange.error.fault.value
            line["reason"] = exchange.error.message
        return line


class GatewayObservation(Observation):
    """The gateway keeps its own metrics beside those of every service."""

    def __init__(self, service: str, *, name_provider: bool = True) -> None:
        super().__init__(service, name_provider=name_provider)
        self._gateway_requests: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._providers: dict[tuple[str, int], Counter] = {}

    def failed(self, error: PlatformError) -> None:
        super().failed(error)
        metrics.gateway_errors.labels(error.code.value, error.fault.value).inc()

    def _count(self, exchange: Exchange, seconds: float) -> None:
        super()._count(exchange, seconds)
        key = (exchange.route, exchange.status)
        children = self._gateway_requests.get(key)
        if children is None:
            children = (
                metrics.gateway_requests.labels(exchange.route, str(exchange.status)),
                metrics.gateway_request_duration.labels(exchange.route),
            )
            self._gateway_requests[key] = children
        requests, duration = children
        requests.inc()
        duration.observe(seconds)
        if exchange.provider:
            self._count_provider(exchange.provider, exchange.status)

    def _count_provider(self, provider: str, status: int) -> None:
        child = self._providers.get((provider, status))
        if child is None:
            child = metrics.gateway_provider_requests.labels(provider, str(status))
            self._providers[provider, status] = child
        child.inc()


def _word(streamed: bool) -> str:
    return "true" if streamed else "false"
