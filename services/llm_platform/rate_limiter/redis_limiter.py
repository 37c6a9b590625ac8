"""Requests and tokens a minute, and requests at once, in a Redis that several replicas share."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, NoScriptError, RedisError, ResponseError
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import TimeoutError as SlowRedisError

from llm_platform.core import metrics
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.core.redaction import redact
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter.reply import describe, milliseconds, note_decision

CALL_SECONDS = 0.5
"""The longest a call may take, with the wait for a connection: less than the entry's patience (http/limits.py)."""

_SCRIPT = resources.files(__package__).joinpath("redis_limiter.lua").read_text("utf-8")
_DENIED_BY = ("", "requests", "tokens", "concurrency")
_NUMBERS_A_REPLY = 5
_PROBE = limiter_pb2.Acquire(
    lease_id="probe", subject=":probe", limits=common_pb2.Limits(requests_per_minute=(1 << 32) - 1)
)

log = get_logger("rate_limiter")


class RedisLimiter:
    """The Limiter over one Redis (docs/limits.md). Decides as ``MemoryLimiter`` does, to the nanosecond.

    A batch is one script call, so it is one step for all replicas; the clock is Redis's own. Every call raises
    ``PlatformError`` UNAVAILABLE within ``CALL_SECONDS`` when Redis does not do its part: it never decides alone.
    Nothing is asked at the start, so Redis may come later, go and come back.
    """

    def __init__(
        self,
        url: str,
        *,
        environment: str,
        default_ttl_seconds: int,
        connections: int = 16,
        authority: Path | None = None,
        script: str = _SCRIPT,
    ) -> None:
        """``url``: redis:// or rediss://, whose server ``authority`` (PEM; default: the system's) vouches for."""
        # One tag for all keys: a batch is one script call, and a cluster wants its keys in one slot.
        self._prefix = f"llm:{{{environment}:limits}}:"
        self._default_ttl = default_ttl_seconds
        self._script = script
        self._digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        tls = {"ssl_ca_certs": str(authority)} if authority and url.startswith("rediss:") else {}
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=CALL_SECONDS,
            socket_timeout=CALL_SECONDS,
            socket_connect_timeout=CALL_SECONDS,
            # A connection that Redis closed meanwhile is opened again, once. What was slow is not asked for twice.
            retry=Retry(NoBackoff(), 1, supported_errors=(LostConnectionError,)),
            **tls,
        )
        self._redis = Redis.from_pool(pool)
        self._down = ""

    async def aclose(self) -> None:
        await self._redis.aclose()

    async def acquire(self, request: limiter_pb2.AcquireBatch) -> limiter_pb2.AcquireReplies:
        """Takes from every limit of an item, or from none. One reply an item, in order."""
        limited = [item for item in request.items if _is_limited(item.limits)]
        said = iter(await self._acquire(limited) if limited else ())
        replies = limiter_pb2.AcquireReplies()
        for item in request.items:
            reply = replies.items.add()
            if _is_limited(item.limits):
                denied, wait_ns, reply.granted, requests_ns, tokens_ns = (next(said) for _ in range(_NUMBERS_A_REPLY))
                reply.denied_by = _DENIED_BY[denied]
                reply.retry_after_ms = milliseconds(wait_ns)
                describe(reply, item.limits, requests_ns, tokens_ns)
            reply.allowed = not reply.denied_by
            note_decision(reply)
        return replies

    async def finish(self, request: limiter_pb2.FinishBatch) -> common_pb2.Empty:
        """Ends leases and blocks, and corrects what they took. One not held (expired, ended) is left as it is."""
        fields: list[str | int] = []
        for item in request.items:
            fields += (item.lease_id, item.tokens, item.requests)
        if fields:
            await self._run("finish", [item.subject for item in request.items], fields)
        return common_pb2.Empty()

    async def check(self) -> str | None:
        """For readiness: why limits cannot be kept, None when they can. Takes, and so writes, as a call does."""
        try:
            await self._acquire([_PROBE])
        except PlatformError as error:
            return error.message
        return None

    async def _acquire(self, items: Sequence[limiter_pb2.Acquire]) -> Sequence[int]:
        fields: list[str | int] = []
        for item in items:
            limits = item.limits
            fields += (item.lease_id, limits.requests_per_minute, limits.tokens_per_minute, limits.concurrency)
            fields += (item.tokens, item.ttl_seconds, item.count)
        return await self._run("acquire", [item.subject for item in items], fields)

    async def _run(self, operation: str, subjects: Sequence[str], fields: Sequence[str | int]) -> Sequence[int]:
        """One call of the script. Raises ``PlatformError`` UNAVAILABLE."""
        arguments = [*(self._prefix + subject for subject in subjects), operation, self._default_ttl, *fields]
        try:
            async with asyncio.timeout(CALL_SECONDS):
                said = await self._evaluate(len(subjects), arguments)
        except (RedisError, OSError, TimeoutError) as error:
            raise self._note_down(error) from error
        self._note_up()
        return said

    async def _evaluate(self, keys: int, arguments: Sequence[str | int]) -> Sequence[int]:
        redis: Any = self._redis  # its commands are typed for both the blocking and the asynchronous client
        try:
            said = await redis.evalsha(self._digest, keys, *arguments)
        except NoScriptError:  # a Redis that is new, restarted or was told to forget its scripts
            said = await redis.eval(self._script, keys, *arguments)
        return cast("Sequence[int]", said)

    def _note_down(self, error: Exception) -> PlatformError:
        metrics.limiter_degraded.set(1)
        reason = _reason(error)
        if reason != self._down:
            log.error("limits cannot be kept", reason=reason, detail=redact(str(error)) or type(error).__name__)
        self._down = reason
        return PlatformError(Code.UNAVAILABLE, reason)

    def _note_up(self) -> None:
        if self._down:
            log.warning("limits are kept again; where Redis came back empty they begin anew", after=self._down)
        self._down = ""
        metrics.limiter_degraded.set(0)


def _reason(error: Exception) -> str:
    """What callers may see: no address."""
    if isinstance(error, NoPermissionError):
        return "the Redis of the limits does not permit the script: allow EVAL, EVALSHA and what it calls"
    if isinstance(error, ResponseError):
        return "the Redis of the limits refuses the script"
    if isinstance(error, AuthenticationError):
        return "the Redis of the limits refuses the user or password"
    if isinstance(error, TimeoutError | SlowRedisError):
        return f"the Redis of the limits does not answer within {CALL_SECONDS:g} s"
    return "the Redis of the limits cannot be reached"


def _is_limited(limits: common_pb2.Limits) -> bool:
    return bool(limits.requests_per_minute or limits.tokens_per_minute or limits.concurrency)
