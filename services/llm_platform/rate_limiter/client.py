"""Asking rate-limiter: many calls in one message, and with a bounded patience.

When rate-limiter is down or frozen, requests pass: a limit protects against load, the budget (billing, which fails
closed) protects money. It is asked again after DOWN_SECONDS, so that a frozen limiter delays few requests; readiness,
a metric and a log line say that limits are off.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from llm_platform.core import metrics
from llm_platform.core.batch import Batcher
from llm_platform.core.errors import PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter.gcra import MAX_TOLERANCE_NS, PERIOD_NS
from llm_platform.rate_limiter.interfaces import Limiter

ANSWER_SECONDS = 1.0
DOWN_SECONDS = 2.0

Receive: TypeAlias = Callable[[limiter_pb2.AcquireReply, float], None]
"""Told of a reply, even when who asked has gone meanwhile, and of when it was asked for."""

_PASS = limiter_pb2.AcquireReply(allowed=True)

log = get_logger("rate_limiter.client")


class _Asked(NamedTuple):
    item: limiter_pb2.Acquire
    receive: Receive | None


class LimiterClient:
    """Asks a limiter; ``clock`` counts seconds."""

    def __init__(self, limiter: Limiter, clock: Callable[[], float] = time.monotonic) -> None:
        self._limiter = limiter
        self._clock = clock
        self._acquire: Batcher[_Asked, limiter_pb2.AcquireReply] = Batcher(self._send_acquire)
        self._finish: Batcher[limiter_pb2.Finish, None] = Batcher(self._send_finish)
        self._down_until = 0.0
        self._down = ""

    async def acquire(self, item: limiter_pb2.Acquire, receive: Receive | None = None) -> limiter_pb2.AcquireReply:
        """The limiter's answer; one that lets the call pass while there is none."""
        return await self._acquire(_Asked(item, receive))

    def finish(self, item: limiter_pb2.Finish) -> None:
        """Ends a lease or a block, in the background."""
        with contextlib.suppress(PlatformError):  # too many wait: it ends by itself, as when its holder dies
            self._finish.post(item)

    def degraded(self) -> str | None:
        """For readiness: why limits are off, None when they hold."""
        return self._down if self._clock() < self._down_until else None

    async def aclose(self) -> None:
        """Waits until what ended was told."""
        await self._finish.aclose()

    async def _send_acquire(self, asked: Sequence[_Asked]) -> Sequence[limiter_pb2.AcquireReply]:
        at = self._clock()
        replies = await self._ask([one.item for one in asked])
        for one, reply in zip(asked, replies, strict=True):
            if one.receive is not None:
                one.receive(reply, at)
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


class Lease:
    """What a call holds of its limits until it ends."""

    __slots__ = ("_client", "_finish")

    def __init__(self, item: limiter_pb2.Acquire, client: LimiterClient) -> None:
        self._finish = limiter_pb2.Finish(
            lease_id=item.lease_id,
            subject=item.subject,
            tokens=item.tokens,  # for a limiter that does not know of estimate_stands
            scopes=[scope.subject for scope in item.scopes],
        )
        self._client = client

    def end(self, tokens: int | None) -> None:
        """Gives the lease back. ``tokens`` were really used; None: unknown, the estimate stands."""
        if tokens is None:
            self._finish.estimate_stands = True
        else:
            self._finish.tokens = tokens
        self._client.finish(self._finish)


def holds_leases(limits: common_pb2.Limits) -> bool:
    """Whether a call under these limits has something to give back at its end."""
    return bool(limits.tokens_per_minute or limits.concurrency)


def is_limited(limits: common_pb2.Limits) -> bool:
    return bool(limits.requests_per_minute or limits.tokens_per_minute or limits.concurrency)


def held_of(limits: common_pb2.Limits, tokens: int) -> int:
    """The estimate to hold: a call larger than all that a limit holds may still pass alone, else it never could."""
    rate, burst = limits.tokens_per_minute, limits.tokens_burst
    return min(tokens, min(burst, MAX_TOLERANCE_NS // PERIOD_NS * rate) if burst else rate) if rate else 0
