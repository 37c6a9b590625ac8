"""The limiter in memory and in a real Redis, at a time that the test sets; a key that asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import count
from typing import Any

from redis.asyncio import Redis

from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter import redis_limiter
from llm_platform.rate_limiter.redis_limiter import RedisLimiter
from llm_platform.rate_limiter.service import MemoryLimiter
from tests.servers.redis import RedisServer

SECOND = 1_000_000  # microseconds, as Redis counts
MINUTE = 60 * SECOND
TTL = 660
SCRIPT = redis_limiter._SCRIPT
Limiter = MemoryLimiter | RedisLimiter

runs = count()


class Memory:
    """The limiter of one process, at a time that the test sets."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * SECOND
        self.limiter: Limiter = MemoryLimiter(TTL, clock_ns=lambda: self.now * 1000)

    async def at(self, now: int) -> Limiter:
        self.now = now
        return self.limiter


class Shared:
    """The limiter in Redis, whose script reads the time that the test sets instead of Redis's own."""

    def __init__(self, server: RedisServer) -> None:
        self.clock = clock = f"clock-{next(runs)}"
        self.now = 1_700_000_000 * SECOND
        script = SCRIPT.replace("redis.call('TIME')", f"redis.call('LRANGE', '{clock}', 0, 1)")
        assert script != SCRIPT
        self.limiter: Limiter = RedisLimiter(
            server.url, environment=f"dev-{clock}", default_ttl_seconds=TTL, script=script
        )
        self.redis: Any = Redis.from_url(server.url, decode_responses=True)

    async def at(self, now: int) -> Limiter:
        self.now = now
        async with self.redis.pipeline() as pipe:
            await pipe.delete(self.clock).rpush(self.clock, now // SECOND, now % SECOND).execute()
        return self.limiter

    async def aclose(self) -> None:
        assert isinstance(self.limiter, RedisLimiter)
        await self.limiter.aclose()
        await self.redis.aclose()


Store = Memory | Shared


@asynccontextmanager
async def opened(kind: str, server: RedisServer) -> AsyncIterator[Store]:
    if kind == "memory":
        yield Memory()
        return
    async with aclosing(Shared(server)) as shared:
        yield shared


class Key:
    """One subject that makes requests, of a key or of whatever else has limits."""

    def __init__(self, store: Store, subject: str = "key", **limits: int) -> None:
        self._store = store
        self.subject = subject
        self.limits = common_pb2.Limits(**limits)
        self._ids = count()

    def item(
        self, tokens: int = 0, ttl: int = 600, lease: str = "", count: int = 0, also: Sequence[Key] = ()
    ) -> limiter_pb2.Acquire:
        return limiter_pb2.Acquire(
            lease_id=lease or f"{self.subject}-{next(self._ids)}",
            subject=self.subject,
            limits=self.limits,
            tokens=tokens,
            ttl_seconds=ttl,
            count=count,
            scopes=[limiter_pb2.Scope(subject=one.subject, limits=one.limits, tokens=tokens) for one in also],
        )

    async def ask(
        self, tokens: int = 0, ttl: int = 600, lease: str = "", count: int = 0, also: Sequence[Key] = ()
    ) -> limiter_pb2.AcquireReply:
        limiter = await self._store.at(self._store.now)
        batch = limiter_pb2.AcquireBatch(items=[self.item(tokens, ttl, lease, count, also)])
        return (await limiter.acquire(batch)).items[0]

    async def finish(self, lease: str, tokens: int | None = 0, requests: int = 0, also: Sequence[Key] = ()) -> None:
        """``tokens`` None: the estimate stands."""
        limiter = await self._store.at(self._store.now)
        item = limiter_pb2.Finish(
            lease_id=lease,
            subject=self.subject,
            tokens=tokens or 0,
            requests=requests,
            scopes=[one.subject for one in also],
            estimate_stands=tokens is None,
        )
        await limiter.finish(limiter_pb2.FinishBatch(items=[item]))


def replica(server: RedisServer, **options: Any) -> RedisLimiter:
    return RedisLimiter(server.url, default_ttl_seconds=TTL, **{"environment": f"dev-{next(runs)}", **options})


def one(
    lease: str, subject: str = "key", *, ttl: int = 600, tokens: int = 0, **limits: int
) -> limiter_pb2.AcquireBatch:
    item = limiter_pb2.Acquire(
        lease_id=lease, subject=subject, limits=common_pb2.Limits(**limits), ttl_seconds=ttl, tokens=tokens
    )
    return limiter_pb2.AcquireBatch(items=[item])
