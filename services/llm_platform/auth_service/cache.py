"""The entry's memory of keys: who calls, without a round trip a request, and never stale for long.

A key is trusted for at most ``max_staleness_seconds`` after it was *asked for*, whatever happens to
auth-service, to the network or to the watch: that bound is the promise. Within it a revocation or
another change that is pushed takes effect at once. After half of it a key in use is asked for again
behind the requests, so nobody waits while auth-service answers. When it cannot be asked, what is cached
serves until the bound, then callers get 503, not 401: it is not their key that is wrong.

Entries are found by the SHA-256 of the whole key. A cache keyed on a part of the key lets one key pass
for another (CVE-2026-35030), and whole keys do not belong in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, ItemsView, Sequence
from typing import Generic, TypeVar

from llm_platform.auth_service import keys
from llm_platform.auth_service.interfaces import Accounts
from llm_platform.core import metrics
from llm_platform.core.batch import Batcher
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.lifecycle import background
from llm_platform.core.logging import get_logger
from llm_platform.proto import accounts_pb2, common_pb2

LOOKUP_SECONDS = 2.0
"""A look-up without an answer for that long is a failed one: a frozen auth-service must not hold requests."""
SILENCE_SECONDS = 5.0
"""A watch is started again when not even a heartbeat came for that long."""
REFUSAL_SECONDS = 1.0
"""The longest a refused key is refused from memory."""
_RETRY_SECONDS = 0.5

log = get_logger("auth-service.cache")

_HITS, _MISSES = (metrics.key_cache.labels(result) for result in ("hit", "miss"))

_HOW_TO_GET_A_KEY = "Get one from your administrator, who makes it with `llm-gateway keys create`"
_REFUSALS = {
    "": f"No API key was given. {_HOW_TO_GET_A_KEY}, and send it as `Authorization: Bearer KEY`.",
    "unknown": f"This API key is not known. {_HOW_TO_GET_A_KEY}.",
    "revoked": f"This API key was revoked. {_HOW_TO_GET_A_KEY}.",
    "expired": f"This API key has expired. {_HOW_TO_GET_A_KEY}.",
    "disabled": "The owner of this API key is disabled. Ask your administrator.",
}

Value = TypeVar("Value")


class _Recent(Generic[Value]):
    """The values used last, at most ``size``."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[bytes, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, name: bytes) -> Value | None:
        value = self._values.get(name)
        if value is not None:
            self._values.move_to_end(name)
        return value

    def items(self) -> ItemsView[bytes, Value]:
        return self._values.items()

    def put(self, name: bytes, value: Value) -> Value | None:
        """Returns the value that had to make room."""
        self._values[name] = value
        self._values.move_to_end(name)
        return self._values.popitem(last=False)[1] if len(self._values) > self._size else None

    def drop(self, name: bytes) -> Value | None:
        return self._values.pop(name, None)


class _Known:
    """A key that was good when it was asked for."""

    __slots__ = ("key_id", "principal", "refresh_at", "stale_at")

    def __init__(self, key_id: str, principal: common_pb2.Principal, refresh_at: float, stale_at: float) -> None:
        self.key_id = key_id  # its own: the principal's is that of the key it replaced
        self.principal = principal
        self.refresh_at = refresh_at
        self.stale_at = stale_at


class _Refused:
    """A key that was not good when it was asked for."""

    __slots__ = ("reason", "until")

    def __init__(self, reason: str, until: float) -> None:
        self.reason = reason
        self.until = until


class KeyCache:
    """Authenticates at the entry. Use ``async with``: it watches revocations meanwhile."""

    def __init__(
        self,
        accounts: Accounts,
        max_staleness_seconds: float,
        *,
        size: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._max_staleness = max_staleness_seconds
        self._clock = clock
        self._known: _Recent[_Known] = _Recent(size)
        self._refused: _Recent[_Refused] = _Recent(size)  # apart: guessing does not push good keys out
        self._by_id: dict[str, bytes] = {}
        self._pushed = 0  # changes heard of so far
        self._look_up_batched: Batcher[str, accounts_pb2.AuthenticateReply] = Batcher(self._authenticate)
        self._refreshes: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> KeyCache:
        self._watch = background(self._watch_revocations(), "key cache: revocations")
        return self

    async def __aexit__(self, *exc: object) -> None:
        tasks = [*self._refreshes, *([self._watch] if self._watch else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._look_up_batched.aclose()

    def __len__(self) -> int:
        """The number of good keys in memory."""
        return len(self._known)

    async def get(self, key: str) -> common_pb2.Principal:
        """Who the key belongs to.

        Raises UNAUTHENTICATED (no key, unknown, revoked, expired), UNAVAILABLE when auth-service cannot be
        asked and nothing fresh enough is cached. The principal is shared: do not change it.
        """
        if not keys.is_well_formed(key):
            raise _refusal("unknown" if key else "")
        name = hashlib.sha256(key.encode("ascii")).digest()
        now = self._clock()
        known = self._known.get(name)
        if known is not None and now < known.stale_at:
            _HITS.inc()
            if now >= known.refresh_at:
                known.refresh_at = now + _RETRY_SECONDS  # one at a time, and not at once again when it fails
                self._refresh(key, name)
            return known.principal
        refused = self._refused.get(name)
        if refused is not None and now < refused.until:
            _HITS.inc()
            raise _refusal(refused.reason)
        _MISSES.inc()
        return await self._look_up(key, name)

    async def _look_up(self, key: str, name: bytes) -> common_pb2.Principal:
        asked_at, pushed = self._clock(), self._pushed
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                reply = await self._look_up_batched(key)
        except TimeoutError:
            raise _no_answer() from None
        if reply.refusal or not reply.HasField("principal"):
            reason = reply.refusal or "unknown"
            self._forget(name)
            self._refused.put(name, _Refused(reason, asked_at + min(REFUSAL_SECONDS, self._max_staleness)))
            raise _refusal(reason)
        if pushed == self._pushed:  # else this answer may be older than a change that was just pushed
            self._remember(name, keys.key_id_of(key), reply.principal, asked_at)
        return reply.principal

    def _remember(self, name: bytes, key_id: str, principal: common_pb2.Principal, asked_at: float) -> None:
        half = asked_at + self._max_staleness / 2
        evicted = self._known.put(name, _Known(key_id, principal, half, asked_at + self._max_staleness))
        if evicted is not None:
            self._by_id.pop(evicted.key_id, None)
        self._by_id[key_id] = name

    def _forget(self, name: bytes) -> None:
        if (known := self._known.drop(name)) is not None:
            self._by_id.pop(known.key_id, None)

    def _refresh(self, key: str, name: bytes) -> None:
        task = asyncio.create_task(self._refresh_quietly(key, name), name="key cache: refresh")
        self._refreshes.add(task)
        task.add_done_callback(self._refreshes.discard)

    async def _refresh_quietly(self, key: str, name: bytes) -> None:
        with contextlib.suppress(PlatformError):  # a refusal is remembered; a failure is met by the next request
            await self._look_up(key, name)

    async def _authenticate(self, batch: Sequence[str]) -> Sequence[accounts_pb2.AuthenticateReply]:
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):  # a call that hangs must not keep the batcher's slot
                replies = await self._accounts.authenticate(accounts_pb2.AuthenticateBatch(keys=batch))
        except TimeoutError:
            raise _no_answer() from None
        return replies.items

    async def _watch_revocations(self) -> None:
        empty = common_pb2.Empty()
        while True:
            try:
                async with contextlib.aclosing(_with_silence(self._accounts.watch_revocations(empty))) as revocations:
                    async for revocation in revocations:
                        self._changed(revocation)
            except (PlatformError, TimeoutError) as error:
                log.debug("the watch of revocations broke", reason=str(error) or "silence")
            await asyncio.sleep(_RETRY_SECONDS)

    def _changed(self, change: accounts_pb2.Revocation) -> None:
        """Forgets the keys that the change is about: the next request with one asks again."""
        if change.key_id:
            affected = [name] if (name := self._by_id.get(change.key_id)) is not None else []
        elif change.user_id:
            affected = self._names(lambda principal: principal.user_id == change.user_id)
        elif change.team_id:
            affected = self._names(lambda principal: principal.team_id == change.team_id)
        elif change.organization_id:
            affected = self._names(lambda principal: principal.organization_id == change.organization_id)
        else:
            return  # a heartbeat
        self._pushed += 1
        for name in affected:
            self._forget(name)

    def _names(self, concerns: Callable[[common_pb2.Principal], bool]) -> list[bytes]:
        return [name for name, known in self._known.items() if concerns(known.principal)]


async def _with_silence(
    revocations: AsyncIterator[accounts_pb2.Revocation],
) -> AsyncGenerator[accounts_pb2.Revocation, None]:
    """The same; raises TimeoutError after SILENCE_SECONDS without an event."""
    while True:
        async with asyncio.timeout(SILENCE_SECONDS):
            try:
                revocation = await anext(revocations)
            except StopAsyncIteration:
                return
        yield revocation


def _no_answer() -> PlatformError:
    return PlatformError(Code.UNAVAILABLE, "The key could not be checked: auth-service does not answer.", retry_after=1)


def _refusal(reason: str) -> PlatformError:
    return PlatformError(Code.UNAUTHENTICATED, _REFUSALS.get(reason, _REFUSALS["unknown"]))
