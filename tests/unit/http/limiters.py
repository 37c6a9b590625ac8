"""Limiters that say what they were asked, and a caller under limits."""

from __future__ import annotations

import asyncio
import itertools

from llm_platform.core.errors import Code, PlatformError
from llm_platform.http.limits import RateLimits
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter.service import MemoryLimiter
from tests.unit.http.parts import config


class Limiter:
    """Allows everything."""

    def __init__(self) -> None:
        self.asked: list[limiter_pb2.Acquire] = []
        self.frozen = False

    async def acquire(self, request: limiter_pb2.AcquireBatch) -> limiter_pb2.AcquireReplies:
        self.asked += request.items
        if self.frozen:
            await asyncio.Event().wait()
        return limiter_pb2.AcquireReplies(items=[limiter_pb2.AcquireReply(allowed=True) for _ in request.items])

    async def finish(self, request: limiter_pb2.FinishBatch) -> common_pb2.Empty:
        return common_pb2.Empty()


def principal(**limits: int) -> common_pb2.Principal:
    return common_pb2.Principal(key_id="k", limits=common_pb2.Limits(**limits))


class Clock:
    """Seconds for entries, nanoseconds for the limiter: the same moment."""

    def __init__(self) -> None:
        self.ms = 1_000_000

    def __call__(self) -> float:
        return self.ms / 1000

    def ns(self) -> int:
        return self.ms * 1_000_000


class Counted(MemoryLimiter):
    """The real limiter, and what it was asked and answered."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(default_ttl_seconds=60, clock_ns=clock.ns)
        self.asked: list[limiter_pb2.Acquire] = []
        self.replies: list[limiter_pb2.AcquireReply] = []
        self.given_back: list[limiter_pb2.Finish] = []

    async def acquire(self, request: limiter_pb2.AcquireBatch) -> limiter_pb2.AcquireReplies:
        replies = await super().acquire(request)
        self.asked += request.items
        self.replies += replies.items
        return replies

    async def finish(self, request: limiter_pb2.FinishBatch) -> common_pb2.Empty:
        self.given_back += request.items
        return await super().finish(request)

    async def remaining(self, limit: int) -> int:
        """What another entry is told, which asks for one request."""
        item = limiter_pb2.Acquire(lease_id="other", subject="k", limits=common_pb2.Limits(requests_per_minute=limit))
        replies = await super().acquire(limiter_pb2.AcquireBatch(items=[item]))
        return replies.items[0].requests.remaining


class Caller:
    """One key that makes requests at one entry."""

    def __init__(self, limiter: Limiter | MemoryLimiter, clock: Clock, limit: int, entry: str = "a") -> None:
        self.rate_limits = RateLimits(config(), limiter, clock=clock)
        self.principal = principal(requests_per_minute=limit)
        self.headers: dict[str, str] = {}
        self._entry = entry
        self._ids = itertools.count()

    async def call(self) -> bool:
        """Whether one request passes."""
        self.headers = {}
        try:
            await self.rate_limits.acquire(self.principal, f"{self._entry}{next(self._ids)}", 1, self.headers)
        except PlatformError as error:
            if error.code is not Code.RATE_LIMITED:
                raise
            return False
        return True

    async def calls(self, count: int) -> int:
        """How many of ``count`` pass, one after the other."""
        return sum([await self.call() for _ in range(count)])

    @property
    def told(self) -> int:
        return int(self.headers["x-ratelimit-remaining-requests"])
