"""Traces: decided once at the entry, free for every request that is not sampled.

The entry calls ``entry``, which rolls the dice (or follows a caller's sampled ``traceparent``), and
passes ``span.traceparent`` on; every other hop calls ``span`` with what it was given. An empty
traceparent means "not sampled", and then all calls here are no-ops. The OpenTelemetry SDK is imported
only when telemetry is enabled.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from llm_platform.core import logging
from llm_platform.core.config import Config
from llm_platform.core.errors import PlatformError
from llm_platform.core.redaction import redact

if TYPE_CHECKING:
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import Tracer

Kind: TypeAlias = Literal["internal", "server", "client"]
Attributes: TypeAlias = Mapping[str, str | int | float | bool]


current: ContextVar[str] = ContextVar("traceparent", default="")
"""The traceparent of the sampled span that was entered; what control calls (``rpc/client.py``) pass on."""


class GenAI:
    """Attribute names of the OpenTelemetry GenAI semantic conventions (status "development", November 2026)."""

    OPERATION = "gen_ai.operation.name"
    PROVIDER = "gen_ai.provider.name"
    REQUEST_MODEL = "gen_ai.request.model"
    RESPONSE_MODEL = "gen_ai.response.model"
    MAX_TOKENS = "gen_ai.request.max_tokens"
    INPUT_TOKENS = "gen_ai.usage.input_tokens"
    OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
    FINISH_REASONS = "gen_ai.response.finish_reasons"


class Span:
    """A span that may not be sampled; use it as a context manager, or call ``end`` when it is over.

    ``traceparent`` is what the next hop is given (W3C; empty: not sampled).
    """

    __slots__ = ()
    traceparent = ""

    def set(self, name: str, value: str | int | float | bool) -> None:
        """Adds an attribute."""

    def end(self, error: BaseException | None = None) -> None:
        """Ends the span; ``error`` marks it as failed. A second call does nothing."""

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None


UNSAMPLED = Span()


class _SampledSpan(Span):
    __slots__ = ("_ended", "_otel", "_tokens", "traceparent")

    def __init__(self, otel: OtelSpan) -> None:
        context = otel.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-01"
        self._otel = otel
        self._ended = False
        self._tokens: tuple[Token[str], Token[str]] | None = None

    def set(self, name: str, value: str | int | float | bool) -> None:
        self._otel.set_attribute(name, value)

    def end(self, error: BaseException | None = None) -> None:
        if self._ended:
            return
        self._ended = True
        if error is not None:
            self._mark(error)
        self._otel.end()

    def _mark(self, error: BaseException) -> None:
        from opentelemetry.trace import StatusCode

        name = error.code.value if isinstance(error, PlatformError) else type(error).__name__
        self._otel.set_attribute("error.type", name)
        self._otel.set_status(StatusCode.ERROR, redact(str(error)))

    def __enter__(self) -> Span:
        self._tokens = logging.trace_id.set(self.traceparent[3:35]), current.set(self.traceparent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._tokens is not None:
            trace_id, traceparent = self._tokens
            logging.trace_id.reset(trace_id)
            current.reset(traceparent)
            self._tokens = None
        self.end(error)


class _Tracing:
    """The process's tracer; there is none until ``configure``."""

    tracer: Tracer | None = None
    ratio = 0.0
    shut_down: Callable[[], None] | None = None


def configure(config: Config) -> None:
    """Starts the exporter when telemetry is enabled. Export is in the background, batched and bounded."""
    shutdown()
    if not config.telemetry.enabled:
        return
    from llm_platform.core.trace_export import open_provider

    provider = open_provider(config)
    _Tracing.tracer = provider.get_tracer("llm_platform", config.service.version)
    _Tracing.ratio = config.telemetry.sample_ratio
    _Tracing.shut_down = provider.shutdown


def shutdown() -> None:
    """Sends what is pending and stops. Blocks for some seconds at most when the collector is away."""
    shut_down, _Tracing.shut_down, _Tracing.tracer = _Tracing.shut_down, None, None
    if shut_down is not None:
        shut_down()


_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-|\Z)")


def entry(name: str, incoming: str | None = None, attributes: Attributes | None = None) -> Span:
    """The span of a request's arrival: here, and only here, it is decided whether the request is traced."""
    if _Tracing.tracer is None:
        return UNSAMPLED
    if incoming and (match := _TRACEPARENT.match(incoming)) and int(match[3], 16) & 1:
        return _start(name, match, "server", attributes)
    if random.random() >= _Tracing.ratio:  # noqa: S311 - sampling, not a secret
        return UNSAMPLED
    return _start(name, None, "server", attributes)


def span(name: str, traceparent: str, kind: Kind = "internal", attributes: Attributes | None = None) -> Span:
    """A span below ``traceparent``; nothing when that is empty."""
    if not traceparent or _Tracing.tracer is None:
        return UNSAMPLED
    match = _TRACEPARENT.match(traceparent)
    return _start(name, match, kind, attributes) if match else UNSAMPLED


def _start(name: str, parent: re.Match[str] | None, kind: Kind, attributes: Attributes | None) -> Span:
    from opentelemetry import trace
    from opentelemetry.context import Context

    context = Context()
    if parent is not None:
        remote = trace.SpanContext(
            int(parent[1], 16), int(parent[2], 16), is_remote=True, trace_flags=trace.TraceFlags(1)
        )
        context = trace.set_span_in_context(trace.NonRecordingSpan(remote), context)
    tracer = _Tracing.tracer
    assert tracer is not None  # noqa: S101 - checked by the callers
    kinds: dict[str, Any] = {
        "internal": trace.SpanKind.INTERNAL,
        "server": trace.SpanKind.SERVER,
        "client": trace.SpanKind.CLIENT,
    }
    return _SampledSpan(tracer.start_span(name, context, kinds[kind], dict(attributes or {})))
