"""Head's inference: validate, decide, reserve, send to model-proxy, fall back once.

A fallback is only tried before the first byte: ``Inference.open`` returns when the reply is decided,
and from then on it is the caller's (case 15: a later fallback would repeat text).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from llm_platform.core import ids, metrics, tracing
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.inference import Inference, Reply
from llm_platform.core.logging import get_logger
from llm_platform.head.engine import Target
from llm_platform.head.observation import Observation
from llm_platform.head.provider_limits import LimitedReply, ProviderLimitReached, ProviderLimits
from llm_platform.head.reservations import Reservations
from llm_platform.head.routing import Route, Router
from llm_platform.proto import inference_pb2, ledger_pb2

DIALECTS: Final = frozenset({"openai.chat"})
LONGEST_MODEL_NAME = 256

_ANOTHER_PROVIDER_MAY_ANSWER: Final = frozenset(
    {
        Code.NO_HEALTHY_PROVIDERS,
        Code.PROVIDER_AUTHENTICATION,
        Code.PROVIDER_FAILED,
        Code.PROVIDER_RATE_LIMITED,
        Code.PROVIDER_TIMEOUT,
    }
)

log = get_logger("head")


class HeadInference:
    """Makes an inference call through model-proxy, with money held for it."""

    def __init__(
        self,
        inference: Inference,
        router: Router,
        reservations: Reservations,
        default_output_tokens: int,
        limits: ProviderLimits | None = None,
        api_of: Callable[[str], str] = lambda _provider: "",
    ) -> None:
        """``api_of`` a provider is what billing needs to know of a definition that its configuration does not have."""
        self._limits = limits
        self._api_of = api_of
        self._inference = inference
        self._router = router
        self._reservations = reservations
        self._default_output_tokens = default_output_tokens
        self._observation = Observation()

    async def open(self, call: inference_pb2.Open, body: bytes) -> Reply:
        _validate(call)
        started = time.perf_counter()
        try:
            reply = await self._decide_and_send(call, body)
        except PlatformError as error:
            self._observation.failed(call, error)
            raise
        self._observation.answered(call, reply.start.status, started)
        return reply

    async def _decide_and_send(self, call: inference_pb2.Open, body: bytes) -> Reply:
        """A provider whose limit is reached is passed over, as one that cannot be used is."""
        passed_over: dict[str, PlatformError] = {}
        while True:
            decision = self._decide(call.model, passed_over)
            try:
                return await self._send(call, body, decision)
            except ProviderLimitReached as reached:
                metrics.decisions.labels("route_pass_over", decision.primary.provider).inc()
                passed_over[decision.primary.provider] = reached.refusal

    def _decide(self, model: str, passed_over: Mapping[str, PlatformError]) -> Route:
        try:
            return self._router.decide(model, passed_over)
        except PlatformError as error:
            if passed_over and error.code is Code.NO_HEALTHY_PROVIDERS:
                raise min(passed_over.values(), key=lambda refusal: refusal.retry_after or 0) from None
            raise

    async def _send(self, call: inference_pb2.Open, body: bytes, decision: Route) -> Reply:
        try:
            return await self._attempt(call, body, decision.primary)
        except PlatformError as error:
            target = self._second_target(call, decision, error)
            if target is None:
                raise
            try:
                return await self._attempt(call, body, target)
            except ProviderLimitReached:
                raise error from None

    def _second_target(self, call: inference_pb2.Open, decision: Route, error: PlatformError) -> Target | None:
        """Where a call that failed before its first byte is tried once more. Each attempt has a reservation of its
        own, so both stand in the ledger."""
        if call.forbid_retry:
            return None
        if error.code is Code.LINK_BROKEN:
            return decision.primary  # a replica of model-proxy died under the call: another one takes it
        if decision.fallback is not None and error.code in _ANOTHER_PROVIDER_MAY_ANSWER:
            self._note_fallback(call, decision.primary, decision.fallback, error)
            return decision.fallback
        return None

    async def _attempt(self, call: inference_pb2.Open, body: bytes, target: Target) -> Reply:
        """Raises ``ProviderLimitReached`` before anything was held."""
        with tracing.span("head", call.traceparent) as span:
            routed = self._routed(call, target, span.traceparent)
            if self._limits is None:
                return await self._reserve_and_open(routed, body)
            lease = await self._limits.take(routed, body, target.provider, routed.route.reservation_id)
            if lease is None:
                return await self._reserve_and_open(routed, body)
            try:
                return LimitedReply(await self._reserve_and_open(routed, body), lease)
            except BaseException:
                lease.end(0)
                raise

    async def _reserve_and_open(self, routed: inference_pb2.Open, body: bytes) -> Reply:
        await self._reservations.reserve(_reserve(routed, body))
        try:
            return await self._inference.open(routed, body)
        except BaseException:
            self._reservations.release(routed.route.reservation_id)
            raise

    def _routed(self, call: inference_pb2.Open, target: Target, traceparent: str) -> inference_pb2.Open:
        routed = inference_pb2.Open()
        routed.CopyFrom(call)
        routed.traceparent = traceparent or call.traceparent
        route = routed.route
        route.provider = target.provider
        route.upstream_model = target.upstream_model
        route.provider_api = self._api_of(target.provider)
        route.reservation_id = ids.new_id("rsv")
        route.default_output_tokens = self._default_output_tokens * max(call.choices, 1)
        return routed

    def _note_fallback(self, call: inference_pb2.Open, primary: Target, fallback: Target, error: PlatformError) -> None:
        metrics.fallbacks.labels(fallback.provider).inc()
        metrics.decisions.labels("route_fallback", fallback.provider).inc()
        log.warning(
            "falling back",
            request_id=call.request_id,
            model=call.model,
            failed=primary.provider,
            fallback=fallback.provider,
            reason=str(error),
        )


def _validate(call: inference_pb2.Open) -> None:
    """The entry has checked all of this; a faulty or newer entry must still not get further than here."""
    if not call.request_id or not call.principal.key_id:
        raise PlatformError(Code.INVALID_REQUEST, "The call names no request id or no key.")
    if call.dialect not in DIALECTS:
        raise PlatformError(Code.INVALID_REQUEST, f"The dialect '{call.dialect[:40]}' is not served here.")
    if not call.model or len(call.model) > LONGEST_MODEL_NAME:
        raise PlatformError(Code.INVALID_REQUEST, "The call names no model, or too long a name.", param="model")
    allowed = call.principal.allowed_models
    if allowed and call.model not in allowed:
        raise PlatformError(Code.PERMISSION_DENIED, f"This key may not use the model '{call.model}'.", param="model")


def _reserve(call: inference_pb2.Open, body: bytes) -> ledger_pb2.Reserve:
    route = call.route
    return ledger_pb2.Reserve(
        reservation_id=route.reservation_id,
        request_id=call.request_id,
        key_id=call.principal.key_id,
        user_id=call.principal.user_id,
        provider=route.provider,
        model=route.upstream_model,
        # A token is at least one byte, so the body's length bounds a prompt whose bound was not given.
        prompt_tokens_bound=call.prompt_tokens_bound or len(body),
        max_output_tokens=call.max_output_tokens,
        default_output_tokens=route.default_output_tokens,
        entry=call.entry,
        team_id=call.principal.team_id,
        organization_id=call.principal.organization_id,
        provider_api=route.provider_api,
    )
