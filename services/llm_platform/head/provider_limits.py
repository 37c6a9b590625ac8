"""Limits of providers, taken once a provider is chosen and before money is held or anything is sent.

Without limits of providers in the configuration rate-limiter is never asked from here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from llm_platform.core.config import Config
from llm_platform.core.errors import PlatformError
from llm_platform.core.inference import Reply, Take, pour
from llm_platform.core.tokens import estimated_tokens
from llm_platform.proto import inference_pb2, limiter_pb2
from llm_platform.rate_limiter.client import (
    Lease,
    LimiterClient,
    held_of,
    holds_leases,
)
from llm_platform.rate_limiter.configured import lease_seconds, limits_of
from llm_platform.rate_limiter.interfaces import Limiter
from llm_platform.rate_limiter.refusal import refusal


class ProviderLimitReached(Exception):  # noqa: N818 - not a failure: another provider is looked at
    """The provider takes no call now, by its limits here; nothing was sent. ``refusal`` is what a caller is told."""

    def __init__(self, refused: PlatformError) -> None:
        super().__init__(refused.message)
        self.refusal = refused


class ProviderLimits:
    """Takes from the limits of providers."""

    def __init__(self, config: Config, limiter: Limiter) -> None:
        enabled = config.security.rate_limiting_enabled
        self._limits = limits_of(config.limits.providers) if enabled else {}
        self._client = LimiterClient(limiter)
        self._ttl = lease_seconds(config)
        self._default_output_tokens = config.traffic.default_output_tokens

    async def take(self, call: inference_pb2.Open, body: bytes, provider: str, attempt_id: str) -> Lease | None:
        """The attempt's place, None where nothing is to be given back. Raises ``ProviderLimitReached``."""
        limits = self._limits.get(provider)
        if limits is None:
            return None
        item = limiter_pb2.Acquire(
            lease_id=attempt_id,
            subject=f"provider:{provider}",
            limits=limits,
            tokens=held_of(limits, self._estimate(call, body)),
            ttl_seconds=self._ttl,
        )
        reply = await self._client.acquire(item)
        if not reply.allowed:
            if not reply.denied_scope:  # an older limiter does not name it
                reply.denied_scope = item.subject
            raise ProviderLimitReached(refusal(reply))
        return Lease(item, self._client) if holds_leases(limits) else None

    def degraded(self) -> str | None:
        """For readiness: why limits are off, None when they hold."""
        return self._client.degraded()

    async def aclose(self) -> None:
        """Waits until what ended was told."""
        await self._client.aclose()

    def _estimate(self, call: inference_pb2.Open, body: bytes) -> int:
        return estimated_tokens(
            call.prompt_tokens_bound or len(body),
            max_output=call.max_output_tokens,
            default_output=self._default_output_tokens,
            choices=call.choices,
        )


class LimitedReply:
    """A reply whose place ends with it, corrected by what was really used."""

    def __init__(self, reply: Reply, lease: Lease) -> None:
        self.start = reply.start
        self.end: inference_pb2.End | None = None
        self._reply = reply
        self._lease: Lease | None = lease

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._reply:
                yield chunk
        finally:
            self._end()

    async def pour(self, take: Take) -> None:
        """As ``core.inference.pour`` of the reply itself."""
        try:
            await pour(self._reply, take)
        finally:
            self._end()

    async def aclose(self) -> None:
        try:
            await self._reply.aclose()
        finally:
            self._end()

    def _end(self) -> None:
        self.end = self._reply.end
        lease, self._lease = self._lease, None
        if lease is None:
            return
        if self.end is None:  # broke off before its usage was known
            lease.end(None)
        else:
            lease.end(self.end.usage.input_tokens + self.end.usage.output_tokens)
