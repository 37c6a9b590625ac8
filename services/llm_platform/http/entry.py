"""What tail and gateway share: the way of an inference call through the entry.

``Entry.infer`` is the procedure. Every failure before the first byte becomes an HTTP error, later ones
an event that ends the stream. A client that leaves cancels the handler (``http/server/connection.py``), and with it the
call at head, model-proxy and the provider.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from llm_platform.core import tracing
from llm_platform.core.actor import BILLING_VIEWER, READ_ONLY, administers_platform
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.inference import Inference, Reply
from llm_platform.core.tokens import estimated_tokens
from llm_platform.http.address import ClientAddress
from llm_platform.http.body import read_body
from llm_platform.http.credentials import Credentials, Keys
from llm_platform.http.dialects import CallHead
from llm_platform.http.limits import RateLimits
from llm_platform.http.models import Models
from llm_platform.http.replies import send_buffered, send_stream, took_too_long
from llm_platform.http.server.exchange import Exchange
from llm_platform.http.server.request import Response
from llm_platform.proto import common_pb2, inference_pb2
from llm_platform.rate_limiter.client import Lease

TRACEPARENT = "traceparent"
FORBID_RETRY = "x-forbid-retry"
"""``true``: never send this call to a provider twice, not even when the first one may not have seen it."""
PROVIDER_HEADER = "x-provider-"
"""What a provider may add to a reply's headers: names that cannot be taken for the platform's own."""
EVENT_STREAM = "text/event-stream"
_NO_INFERENCE = frozenset((BILLING_VIEWER, READ_ONLY))


class Entry:
    """An entry's handlers. ``name`` is tail or gateway."""

    def __init__(
        self, config: Config, name: str, inference: Inference, keys: Keys, limits: RateLimits, models: Models
    ) -> None:
        self._name = name
        self._inference = inference
        self._credentials = Credentials(config, keys)
        self._addresses = ClientAddress(config.security.trusted_proxies)
        self._limits = limits
        self._models = models
        self._default_model = config.routing.default_model
        self._default_output_tokens = config.traffic.default_output_tokens
        self._places = config.traffic.max_concurrent_requests
        self._max_body = config.traffic.max_body_bytes
        self._timeout_ms = config.traffic.request_timeout
        self._longest = config.traffic.stream_max_seconds

    async def infer(self, exchange: Exchange) -> Response | None:
        """Answers one inference call; a stream is written already when it returns."""
        with self._place(), tracing.entry(self._name, exchange.request.headers.get(TRACEPARENT)) as span:
            principal = await self._authenticate(exchange)
            body = await read_body(exchange.request, self._max_body, self._timeout_ms / 1000)
            head = exchange.dialect.read(body)
            call = self._describe(exchange, principal, head, span.traceparent)
            self._check_allowed(principal, call.model)
            lease = await self._lease(exchange, principal, head)
            response = await self._call(exchange, call, body, lease)
            if span.traceparent:
                _describe_span(span, exchange)
            return response

    async def list_models(self, exchange: Exchange) -> Response:
        principal = await self._authenticate(exchange)
        return exchange.reply(200, exchange.dialect.models(await self._models.of(principal)))

    async def one_model(self, exchange: Exchange) -> Response:
        principal = await self._authenticate(exchange)
        model = await self._models.one(principal, exchange.path_argument)
        return exchange.reply(200, exchange.dialect.model(model))

    def only_admin(
        self, handler: Callable[[Exchange], Awaitable[Response | None]]
    ) -> Callable[[Exchange], Awaitable[Response | None]]:
        """The handler behind a check of the role."""

        async def guarded(exchange: Exchange) -> Response | None:
            principal = await self._authenticate(exchange)
            if not administers_platform(principal.organization_id, principal.role):
                raise PlatformError(Code.PERMISSION_DENIED, "Only a key of the platform's administrators may do this.")
            return await handler(exchange)

        return guarded

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._places <= 0:
            raise PlatformError(
                Code.OVERLOADED, "This entry serves as many requests at once as it may. Try again.", retry_after=1
            )
        self._places -= 1
        try:
            yield
        finally:
            self._places += 1

    async def _authenticate(self, exchange: Exchange) -> common_pb2.Principal:
        principal = await self._credentials.principal(exchange.request.headers)
        exchange.key_id = principal.key_id
        if principal.allowed_entries or principal.ip_ranges:
            self._check_way_here(exchange, principal)
        return principal

    def _check_way_here(self, exchange: Exchange, principal: common_pb2.Principal) -> None:
        if principal.allowed_entries and self._name not in principal.allowed_entries:
            allowed = ", ".join(principal.allowed_entries)
            raise PlatformError(Code.PERMISSION_DENIED, f"This key is not for this entry, but for: {allowed}.")
        if principal.ip_ranges and not self._addresses.is_within(exchange.request, tuple(principal.ip_ranges)):
            address = self._addresses.of(exchange.request) or "an unknown one"
            raise PlatformError(Code.PERMISSION_DENIED, f"This key may not be used from your address ({address}).")

    def _describe(
        self, exchange: Exchange, principal: common_pb2.Principal, head: CallHead, traceparent: str
    ) -> inference_pb2.Open:
        exchange.model = head.model or self._default_model
        return inference_pb2.Open(
            request_id=exchange.request_id,
            correlation_id=exchange.correlation_id,
            dialect=exchange.dialect.name,
            model=exchange.model,
            stream=head.stream,
            principal=principal,
            max_output_tokens=head.max_output_tokens,
            choices=head.choices,
            prompt_tokens_bound=head.prompt_tokens_bound,
            traceparent=traceparent,
            timeout_ms=self._timeout_ms,
            usage_wanted=head.usage_wanted,
            forbid_retry=exchange.request.headers.get(FORBID_RETRY, "").lower() == "true",
            entry=self._name,
        )

    def _check_allowed(self, principal: common_pb2.Principal, model: str) -> None:
        if principal.role in _NO_INFERENCE:
            raise PlatformError(
                Code.PERMISSION_DENIED, f"The owner of this key has the role {principal.role}: it calls no models."
            )
        allowed = principal.allowed_models
        if allowed and model not in allowed:
            raise PlatformError(
                Code.PERMISSION_DENIED,
                f"This key may not use the model '{model}'. GET /v1/models lists what it may.",
                param="model",
            )

    async def _lease(self, exchange: Exchange, principal: common_pb2.Principal, head: CallHead) -> Lease | None:
        tokens = estimated_tokens(
            head.prompt_tokens_bound,
            max_output=head.max_output_tokens,
            default_output=self._default_output_tokens,
            choices=head.choices,
        )
        return await self._limits.acquire(principal, exchange.request_id, tokens, exchange.headers, exchange.model)

    async def _call(
        self, exchange: Exchange, call: inference_pb2.Open, body: bytes, lease: Lease | None
    ) -> Response | None:
        deadline = asyncio.get_running_loop().time() + self._longest
        used: int | None = 0
        try:
            reply = await self._open(call, body, deadline)
            used = None
            try:
                return await self._send(exchange, call, reply, deadline)
            finally:
                await reply.aclose()
                used = _note_usage(exchange, reply)
        finally:
            if lease is not None:
                lease.end(used)

    async def _open(self, call: inference_pb2.Open, body: bytes, deadline: float) -> Reply:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._inference.open(call, body)
        except TimeoutError:
            raise took_too_long() from None

    async def _send(
        self, exchange: Exchange, call: inference_pb2.Open, reply: Reply, deadline: float
    ) -> Response | None:
        start = reply.start
        exchange.provider = start.provider
        for header, value in start.headers.items():
            if header.startswith(PROVIDER_HEADER):
                exchange.headers[header] = value
        if call.stream and start.content_type.startswith(EVENT_STREAM):
            await send_stream(exchange, reply, deadline)
            return None
        return await send_buffered(exchange, reply, deadline)


def _describe_span(span: tracing.Span, exchange: Exchange) -> None:
    span.set(tracing.GenAI.OPERATION, "chat")
    span.set(tracing.GenAI.REQUEST_MODEL, exchange.model)
    span.set(tracing.GenAI.PROVIDER, exchange.provider)
    span.set(tracing.GenAI.INPUT_TOKENS, exchange.input_tokens)
    span.set(tracing.GenAI.OUTPUT_TOKENS, exchange.output_tokens)
    span.set("http.response.status_code", exchange.status)
    if exchange.error is not None:
        # A stream that broke off has no exception any more: its status was sent long ago.
        span.end(exchange.error)


def _note_usage(exchange: Exchange, reply: Reply) -> int | None:
    """The tokens used, None when the reply broke off before they were known."""
    if reply.end is None:
        return None
    usage = reply.end.usage
    exchange.input_tokens, exchange.output_tokens = usage.input_tokens, usage.output_tokens
    return usage.input_tokens + usage.output_tokens
