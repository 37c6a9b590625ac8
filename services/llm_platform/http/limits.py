"""Rate limits at the entry: one lease a request, taken before the call and corrected after it.

A key with a limit of requests alone needs no lease. While it is busy, a small block of its requests is taken ahead
in one call, and spent here without another (docs/limits.md, docs/adr/0007).

When rate-limiter is down or frozen the entry lets requests pass: a limit protects against load, the
budget (billing, which fails closed) protects money. It asks again after DOWN_SECONDS, so that a frozen
limiter delays few requests; readiness, a metric and a log line say that limits are off.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

from llm_platform.core import metrics
from llm_platform.core.batch import Batcher
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.http.quota import Quota
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter.interfaces import Limiter

ANSWER_SECONDS = 1.0
DOWN_SECONDS = 2.0
LEASE_MARGIN_SECONDS = 60
"""A lease outlives the longest stream, then it ends by itself: its holder died."""
BLOCK_SECONDS = 1
"""How long a block may be spent, from when it was asked for."""

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

    def __init__(self, config: Config, limiter: Limiter, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limiter = limiter
        self._clock = clock
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
        self._quotas: dict[str, Quota] = {}
        self._sweep_timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """The number of keys that blocks may be taken for."""
        return len(self._quotas)

    async def acquire(
        self, principal: common_pb2.Principal, request_id: str, tokens: int, headers: dict[str, str]
    ) -> Lease | None:
        """Takes a lease and writes the ``x-ratelimit-*`` headers; None where nothing is to be given back.

        ``tokens`` is the estimate to hold. Raises ``PlatformError`` RATE_LIMITED.
        """
        if not self._enabled:
            return None
        quota = self._quotas.get(principal.key_id)
        if quota is not None and quota.principal is principal and self._spend(quota, headers):
            return None
        limits = self._limits_of(principal)
        if not (limits.requests_per_minute or limits.tokens_per_minute or limits.concurrency):
            return None
        subject = principal.key_id
        if not (limits.tokens_per_minute or limits.concurrency):
            await self._take_request(self._quota(principal, limits), request_id, headers)
            return None  # requests are counted once: there is nothing to give back
        if limits.tokens_per_minute:
            # A call larger than the whole limit may still pass alone, else it could never be made.
            tokens = min(tokens, limits.tokens_per_minute)
        reply = await self._acquire(
            limiter_pb2.Acquire(
                lease_id=request_id, subject=subject, limits=limits, tokens=tokens, ttl_seconds=self._ttl
            )
        )
        _write_headers(reply, headers)
        _check(reply)
        return Lease(limiter_pb2.Finish(lease_id=request_id, subject=subject, tokens=tokens), self._finish)

    def degraded(self) -> str | None:
        """For readiness: why limits are off, None when they hold."""
        return self._down if self._clock() < self._down_until else None

    async def aclose(self) -> None:
        """Gives back what is still to be given back."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        for quota in self._quotas.values():
            self._give_back(quota)
        await self._finish.aclose()

    def _limits_of(self, principal: common_pb2.Principal) -> common_pb2.Limits:
        own, defaults = principal.limits, self._defaults
        return common_pb2.Limits(
            requests_per_minute=own.requests_per_minute or defaults.requests_per_minute,
            tokens_per_minute=own.tokens_per_minute or defaults.tokens_per_minute,
            concurrency=own.concurrency or defaults.concurrency,
        )

    def _quota(self, principal: common_pb2.Principal, limits: common_pb2.Limits) -> Quota:
        quota = self._quotas.get(principal.key_id)
        if quota is None or quota.limits != limits:
            if quota is not None:
                self._give_back(quota)
            quota = self._quotas[principal.key_id] = Quota(principal, limits)
            if self._sweep_timer is None:
                self._sweep_timer = asyncio.get_running_loop().call_later(1, self._tick)
        quota.principal = principal
        return quota

    def _spend(self, quota: Quota, headers: dict[str, str]) -> bool:
        now = self._clock()
        if not quota.spend(now):
            return False
        _write_state(headers, "requests", quota.limit, quota.remaining + quota.left, quota.reset_ms(now))
        return True

    async def _take_request(self, quota: Quota, request_id: str, headers: dict[str, str]) -> None:
        """Takes one request, of the block or from rate-limiter, and maybe more with it."""
        if self._spend(quota, headers):
            return
        self._give_back(quota)
        count = quota.ask()
        item = limiter_pb2.Acquire(
            lease_id=request_id,
            subject=quota.principal.key_id,
            limits=quota.limits,
            ttl_seconds=BLOCK_SECONDS,
            count=count,
        )
        if count > 1:
            quota.asking = True
        try:
            reply = await self._acquire(item)
        finally:
            if count > 1:
                quota.asking = False
        _write_headers(reply, headers, quota.left)
        _check(reply)

    def _receive(self, item: limiter_pb2.Acquire, reply: limiter_pb2.AcquireReply, asked: float) -> None:
        """Notes what came for a key, even when the request that asked has gone meanwhile."""
        quota = self._quotas.get(item.subject)
        if reply.granted > 1:
            if quota is None or quota.limits != item.limits:
                self._post(limiter_pb2.Finish(lease_id=item.lease_id, subject=item.subject, requests=1))
                return
            self._give_back(quota)
            quota.take(item.lease_id, reply.granted, asked + BLOCK_SECONDS)
        if quota is not None and reply.requests.limit:
            quota.note(reply.requests.remaining, reply.requests.reset_ms, self._clock())

    def _give_back(self, quota: Quota) -> None:
        """Ends the block, whose rest others may use."""
        if quota.left:
            subject = quota.principal.key_id
            self._post(limiter_pb2.Finish(lease_id=quota.lease_id, subject=subject, requests=quota.spent))
            quota.left = 0

    def _post(self, finish: limiter_pb2.Finish) -> None:
        with contextlib.suppress(PlatformError):  # too many wait: the block is lost, as when an entry dies
            self._finish.post(finish)

    def sweep(self) -> None:
        """Gives back expired blocks and forgets keys that are not used. Runs each second while there are keys."""
        now = self._clock()
        for subject, quota in list(self._quotas.items()):
            if quota.expired(now):
                self._give_back(quota)
            if not quota.next_second() and not quota.left:
                del self._quotas[subject]

    def _tick(self) -> None:
        self.sweep()
        self._sweep_timer = asyncio.get_running_loop().call_later(1, self._tick) if self._quotas else None

    async def _send_acquire(self, items: Sequence[limiter_pb2.Acquire]) -> Sequence[limiter_pb2.AcquireReply]:
        asked = self._clock()
        replies = await self._ask(items)
        for item, reply in zip(items, replies, strict=True):
            self._receive(item, reply, asked)
        return replies

    async def _ask(self, items: Sequence[limiter_pb2.Acquire]) -> Sequence[limiter_pb2.AcquireReply]:
        if self._clock() < self._down_until:
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
        self._down_until = self._clock() + DOWN_SECONDS
        metrics.limiter_degraded.set(1)
        log.warning("rate-limiter does not answer, requests pass without limits", reason=str(error) or "timeout")


_PASS = limiter_pb2.AcquireReply(allowed=True)


def _check(reply: limiter_pb2.AcquireReply) -> None:
    if not reply.allowed:
        raise PlatformError(
            Code.RATE_LIMITED,
            f"This key made {_REASONS.get(reply.denied_by, 'too many requests')}. Wait, then try again.",
            retry_after=reply.retry_after_ms / 1000,
        )


def _write_headers(reply: limiter_pb2.AcquireReply, headers: dict[str, str], ahead: int = 0) -> None:
    """``ahead``: requests that were taken and may still be made."""
    if reply.requests.limit:
        state = reply.requests
        _write_state(headers, "requests", state.limit, state.remaining + ahead, state.reset_ms)
    if reply.tokens.limit:
        state = reply.tokens
        _write_state(headers, "tokens", state.limit, state.remaining, state.reset_ms)


def _write_state(headers: dict[str, str], kind: str, limit: int, remaining: int, reset_ms: int) -> None:
    limit_name, remaining_name, reset_name = _HEADERS[kind]
    headers[limit_name] = str(limit)
    headers[remaining_name] = str(remaining)
    headers[reset_name] = _duration(reset_ms)


def _duration(milliseconds: int) -> str:
    """As OpenAI writes it: ``20ms``, ``1.5s``."""
    return f"{milliseconds}ms" if milliseconds < 1000 else f"{milliseconds / 1000:g}s"
