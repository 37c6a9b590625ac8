"""Requests and tokens a minute, and requests at once, in a Redis that several replicas share."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import TimeoutError as SlowRedisError

from llm_platform.core import metrics
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.core.redaction import redact
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter.reply import allow, describe, refuse
from llm_platform.rate_limiter.scopes import Scope, scopes_of, subjects_of

CALL_SECONDS = 0.5
"""The longest a call may take, with the wait for a connection: less than its caller's patience (ANSWER_SECONDS)."""

_SCRIPT = resources.files(__package__).joinpath("redis_limiter.lua").read_text("utf-8")
_DENIED_BY = ("", "requests", "tokens", "concurrency")
_PROBE = limiter_pb2.Acquire(
    lease_id="probe", subject=":probe", limits=common_pb2.Limits(requests_per_minute=(1 << 32) - 1)
)

# What is more special stands before what it is a kind of.
_REASONS: dict[type[Exception], str] = {
    NoPermissionError: "does not permit the script: allow EVAL, EVALSHA and what it calls",
    AuthenticationError: "refuses the user or password",
    BusyLoadingError: "is loading its data",
    ReadOnlyError: "is read-only: it is a replica",
    OutOfMemoryError: "is out of memory: raise its maxmemory",
}
_REFUSALS = {
    "MISCONF": "cannot write to its disk",
    "NOREPLICAS": "has too few replicas to take writes",
    "BUSY": "is busy with a script of somebody else",
}
"""By the first word of the error."""
_NO_PLACE = "max number of clients reached"
"""An error without a code, which the library takes for a lost connection."""

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
        asked = [(item, scopes_of(item)) for item in request.items]
        said = iter(await self._acquire([(item, scopes) for item, scopes in asked if scopes]))
        replies = limiter_pb2.AcquireReplies()
        for _, scopes in asked:
            reply = replies.items.add()
            if scopes:
                _read(said, scopes, reply)
            else:
                allow(reply)
        return replies

    async def finish(self, request: limiter_pb2.FinishBatch) -> common_pb2.Empty:
        """Ends leases and blocks, and corrects what they took. One not held (expired, ended) is left as it is."""
        fields: list[str | int] = []
        subjects: list[str] = []
        for item in request.items:
            names = subjects_of(item)
            subjects += names
            fields += (item.lease_id, "" if item.estimate_stands else item.tokens, item.requests, len(names))
        if subjects:
            await self._run("finish", subjects, fields)
        return common_pb2.Empty()

    async def check(self) -> str | None:
        """For readiness: why limits cannot be kept, None when they can. Takes, and so writes, as a call does."""
        try:
            await self._acquire([(_PROBE, scopes_of(_PROBE))])
        except PlatformError as error:
            return error.message
        return None

    async def _acquire(self, asked: Sequence[tuple[limiter_pb2.Acquire, Sequence[Scope]]]) -> Sequence[int]:
        fields: list[str | int] = []
        subjects: list[str] = []
        for item, scopes in asked:
            fields += (item.lease_id, item.ttl_seconds or self._default_ttl, item.count, len(scopes))
            for scope in scopes:
                subjects.append(scope.subject)
                fields += (scope.request_limit, scope.request_tolerance, scope.token_limit, scope.token_tolerance)
                fields += (scope.concurrency, scope.tokens)
        return await self._run("acquire", subjects, fields) if subjects else ()

    async def _run(self, operation: str, subjects: Sequence[str], fields: Sequence[str | int]) -> Sequence[int]:
        """One call of the script. Raises ``PlatformError`` UNAVAILABLE."""
        arguments = [*(self._prefix + subject for subject in subjects), operation, *fields]
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
    for kind, words in _REASONS.items():
        if isinstance(error, kind):
            return f"the Redis of the limits {words}"
    if isinstance(error, ResponseError):
        refusal = str(error).partition(" ")[0]
        return f"the Redis of the limits {_REFUSALS.get(refusal, 'refuses the script')}"
    if isinstance(error, TimeoutError | SlowRedisError):
        return f"the Redis of the limits does not answer within {CALL_SECONDS:g} s"
    if _NO_PLACE in str(error):
        return "the Redis of the limits has no place for another client: raise its maxclients"
    return "the Redis of the limits cannot be reached"


def _read(said: Iterator[int], scopes: Sequence[Scope], reply: limiter_pb2.AcquireReply) -> None:
    """Reads what the script said of one item."""
    denied, place, wait_ns, granted = (next(said) for _ in range(4))
    refused_by = place - 1  # Lua counts from one
    if denied:
        refuse(reply, _DENIED_BY[denied], scopes[refused_by].subject, wait_ns)
    else:
        allow(reply, granted)
    requests_ns, tokens_ns = [], []
    for _ in scopes:
        requests_ns.append(next(said))
        tokens_ns.append(next(said))
    describe(reply, scopes, requests_ns, tokens_ns, refused_by)
