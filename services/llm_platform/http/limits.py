"""Rate limits at the entry: one lease a request, taken before the call and corrected after it.

When rate-limiter is down or frozen the entry lets requests pass: a limit protects against load, the
budget (billing, which fails closed) protects money. It asks again after DOWN_SECONDS, so that a frozen
limiter delays few requests; readiness, a metric and a log line say that limits are off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from llm_platform.core import metrics
from llm_platform.core.batch import Batcher
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter.interfaces import Limiter

ANSWER_SECONDS = 1.0
DOWN_SECONDS = 2.0
LEASE_MARGIN_SECONDS = 60
"""A lease outlives the longest stream, then it ends by itself: its holder died."""

_HEADERS = {
    kind: (f"x-ratelimit-limit-{kind}", f"x-ratelimit-remaining-{kind}", f"x-ratelimit-reset-{kind}")
    for kind in ("requests", "tokens")
}
_REASONS = {
    "requests": "too many requests a minute",
    "tokens": "too many tokens a minute",
    "concurrency": "too many requests at once",
}

log = get_logger("http.limits")


class Lease:
    """What a request holds of its key's limits until it ends."""

    __slots__ = ("_batch", "_finish")

    def __init__(self, finish: limiter_pb2.Finish, batch: Batcher[limiter_pb2.Finish, None]) -> None:
        self._finish = finish
        self._batch = batch

    def end(self, tokens: int | None) -> None:
        """Gives the lease back. ``tokens`` were really used; None: unknown, the estimate stands."""
        if tokens is not None:
            self._finish.tokens = tokens
        self._batch.post(self._finish)


class RateLimits:
    """Takes leases from rate-limiter, many in one call."""

    def __init__(self, config: Config, limiter: Limiter) -> None:
        self._limiter = limiter
        self._enabled = config.security.rate_limiting_enabled
        self._ttl = config.traffic.stream_max_seconds + LEASE_MARGIN_SECONDS
        traffic = config.traffic
        self._defaults = common_pb2.Limits(
            requests_per_minute=traffic.requests_per_minute or config.security.rate_limit_rpm,
            tokens_per_minute=traffic.tokens_per_minute,
            concurrency=traffic.concurrency,
        )
        self._acquire: Batcher[limiter_pb2.Acquire, limiter_pb2.AcquireReply] = Batcher(self._send_acquire)
        self._finish: Batcher[limiter_pb2.Finish, None] = Batcher(self._send_finish)
        self._down_until = 0.0
        self._down = ""

    async def acquire(
        self, principal: common_pb2.Principal, request_id: str, tokens: int, headers: dict[str, str]
    ) -> Lease | None:
        """Takes a lease and writes the ``x-ratelimit-*`` headers; None where nothing is to be given back.

        ``tokens`` is the estimate to hold. Raises ``PlatformError`` RATE_LIMITED.
        """
        if not self._enabled:
            return None
        limits = self._limits_of(principal)
        if not (limits.requests_per_minute or limits.tokens_per_minute or limits.concurrency):
            return None
        if limits.tokens_per_minute:
            # A call larger than the whole limit may still pass alone, else it could never be made.
            tokens = min(tokens, limits.tokens_per_minute)
        subject = principal.key_id
        reply = await self._acquire(
            limiter_pb2.Acquire(
                lease_id=request_id, subject=subject, limits=limits, tokens=tokens, ttl_seconds=self._ttl
            )
        )
        _write_headers(reply, headers)
        if not reply.allowed:
            raise PlatformError(
                Code.RATE_LIMITED,
                f"This key made {_REASONS.get(reply.denied_by, 'too many requests')}. Wait, then try again.",
                retry_after=reply.retry_after_ms / 1000,
            )
        if not (limits.tokens_per_minute or limits.concurrency):
            return None  # requests are counted once: there is nothing to give back
        return Lease(limiter_pb2.Finish(lease_id=request_id, subject=subject, tokens=tokens), self._finish)

    def degraded(self) -> str | None:
        """For readiness: why limits are off, None when they hold."""
        return self._down if time.monotonic() < self._down_until else None

    async def aclose(self) -> None:
        """Gives back what is still to be given back."""
        await self._finish.aclose()

    def _limits_of(self, principal: common_pb2.Principal) -> common_pb2.Limits:
        own, defaults = principal.limits, self._defaults
        return common_pb2.Limits(
            requests_per_minute=own.requests_per_minute or defaults.requests_per_minute,
            tokens_per_minute=own.tokens_per_minute or defaults.tokens_per_minute,
            concurrency=own.concurrency or defaults.concurrency,
        )

    async def _send_acquire(self, items: Sequence[limiter_pb2.Acquire]) -> Sequence[limiter_pb2.AcquireReply]:
        if time.monotonic() < self._down_until:
            return [_PASS] * len(items)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                replies = await self._limiter.acquire(limiter_pb2.AcquireBatch(items=items))
        except (PlatformError, TimeoutError) as error:
            self._note_down(error)
            return [_PASS] * len(items)
        metrics.limiter_degraded.set(0)
        return replies.items

    async def _send_finish(self, items: Sequence[limiter_pb2.Finish]) -> Sequence[None]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._limiter.finish(limiter_pb2.FinishBatch(items=items))
        except (PlatformError, TimeoutError) as error:
            # The leases end by themselves at their time.
            log.debug("leases were not given back", leases=len(items), reason=str(error))
        return [None] * len(items)

    def _note_down(self, error: PlatformError | TimeoutError) -> None:
        self._down = f"rate limits are off: {error or 'no answer in time'}"
        self._down_until = time.monotonic() + DOWN_SECONDS
        metrics.limiter_degraded.set(1)
        log.warning("rate-limiter does not answer, requests pass without limits", reason=str(error) or "timeout")


_PASS = limiter_pb2.AcquireReply(allowed=True)


def _write_headers(reply: limiter_pb2.AcquireReply, headers: dict[str, str]) -> None:
    for kind, state in (("requests", reply.requests), ("tokens", reply.tokens)):
        if state.limit:
            limit, remaining, reset = _HEADERS[kind]
            headers[limit] = str(state.limit)
            headers[remaining] = str(state.remaining)
            headers[reset] = _duration(state.reset_ms)


def _duration(milliseconds: int) -> str:
    """As OpenAI writes it: ``20ms``, ``1.5s``."""
    return f"{milliseconds}ms" if milliseconds < 1000 else f"{milliseconds / 1000:g}s"
