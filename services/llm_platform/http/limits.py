"""Rate limits at the entry: one lease a request, taken before the call and corrected after it.

A call under limits of requests alone needs no lease. While its key is busy, a small block of its requests is taken
ahead in one call, and spent here without another (docs/limits.md, docs/adr/0007).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

from llm_platform.core.config import Config
from llm_platform.http.limit_headers import write_headers, write_state
from llm_platform.http.quota import Quota
from llm_platform.http.scopes import CallScopes
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter.client import (
    Lease,
    LimiterClient,
    held_of,
    holds_leases,
    is_limited,
)
from llm_platform.rate_limiter.configured import lease_seconds
from llm_platform.rate_limiter.interfaces import Limiter
from llm_platform.rate_limiter.refusal import refusal

BLOCK_SECONDS = 1
"""How long a block may be spent, from when it was asked for."""


class RateLimits:
    """Takes leases from rate-limiter, many in one call."""

    def __init__(self, config: Config, limiter: Limiter, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = LimiterClient(limiter, clock)
        self._clock = clock
        self._enabled = config.security.rate_limiting_enabled
        self._ttl = lease_seconds(config)
        self._scopes = CallScopes(config)
        self._quotas: dict[str, Quota] = {}
        self._sweep_timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """The number of keys that blocks may be taken for."""
        return len(self._quotas)

    async def acquire(
        self, principal: common_pb2.Principal, request_id: str, tokens: int, headers: dict[str, str], model: str = ""
    ) -> Lease | None:
        """Takes a lease and writes the ``x-ratelimit-*`` headers; None where nothing is to be given back.

        ``tokens`` is the estimate to hold. Raises ``PlatformError`` RATE_LIMITED.
        """
        if not self._enabled:
            return None
        name = self._scopes.quota_name(principal.key_id, model)
        quota = self._quotas.get(name)
        if quota is not None and quota.principal is principal and self._spend(quota, headers):
            return None
        limits = self._scopes.of_key(principal)
        scopes = self._scopes.beside_key(principal, model)
        if not (scopes or is_limited(limits)):
            return None
        if not (holds_leases(limits) or any(holds_leases(scope.limits) for scope in scopes)):
            await self._take_request(self._quota(name, principal, limits, scopes), request_id, headers)
            return None  # requests are counted once: there is nothing to give back
        for scope in scopes:
            scope.tokens = held_of(scope.limits, tokens)
        item = limiter_pb2.Acquire(
            lease_id=request_id,
            subject=principal.key_id,
            limits=limits,
            tokens=held_of(limits, tokens),
            ttl_seconds=self._ttl,
            scopes=scopes,
        )
        reply = await self._client.acquire(item)
        write_headers(reply, headers)
        if not reply.allowed:
            raise refusal(reply)
        return Lease(item, self._client)

    def degraded(self) -> str | None:
        """For readiness: why limits are off, None when they hold."""
        return self._client.degraded()

    async def aclose(self) -> None:
        """Gives back what is still to be given back."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        for quota in self._quotas.values():
            self._give_back(quota)
        await self._client.aclose()

    def _quota(
        self,
        name: str,
        principal: common_pb2.Principal,
        limits: common_pb2.Limits,
        scopes: Sequence[limiter_pb2.Scope],
    ) -> Quota:
        quota = self._quotas.get(name)
        if quota is None or quota.limits != limits or quota.scopes != scopes:
            if quota is not None:
                self._give_back(quota)
            quota = self._quotas[name] = Quota(name, principal, limits, scopes)
            if self._sweep_timer is None:
                self._sweep_timer = asyncio.get_running_loop().call_later(1, self._tick)
        quota.principal = principal
        return quota

    def _spend(self, quota: Quota, headers: dict[str, str]) -> bool:
        now = self._clock()
        if not quota.spend(now):
            return False
        write_state(headers, "requests", quota.limit, quota.remaining + quota.left, quota.reset_ms(now))
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
            scopes=quota.scopes,
        )
        if count > 1:
            quota.asking = True
        try:
            reply = await self._client.acquire(item, partial(self._receive, quota, item))
        finally:
            if count > 1:
                quota.asking = False
        write_headers(reply, headers, quota.left)
        if not reply.allowed:
            raise refusal(reply)

    def _receive(self, quota: Quota, item: limiter_pb2.Acquire, reply: limiter_pb2.AcquireReply, asked: float) -> None:
        """Notes what came for a key, even when the request that asked has gone meanwhile."""
        if reply.granted > 1:
            if self._quotas.get(quota.name) is not quota:
                self._end_block(item.lease_id, quota, spent=1)
                return
            self._give_back(quota)
            quota.take(item.lease_id, reply.granted, asked + BLOCK_SECONDS)
        if reply.requests.limit:
            quota.note(reply.requests, self._clock())

    def _give_back(self, quota: Quota) -> None:
        """Ends the block, whose rest others may use."""
        if quota.left:
            self._end_block(quota.lease_id, quota, quota.spent)
            quota.left = 0

    def _end_block(self, lease_id: str, quota: Quota, spent: int) -> None:
        self._client.finish(
            limiter_pb2.Finish(
                lease_id=lease_id,
                subject=quota.principal.key_id,
                requests=spent,
                scopes=[scope.subject for scope in quota.scopes],
            )
        )

    def sweep(self) -> None:
        """Gives back expired blocks and forgets keys that are not used. Runs each second while there are keys."""
        now = self._clock()
        for name, quota in list(self._quotas.items()):
            if quota.expired(now):
                self._give_back(quota)
            if not quota.next_second() and not quota.left:
                del self._quotas[name]

    def _tick(self) -> None:
        self.sweep()
        self._sweep_timer = asyncio.get_running_loop().call_later(1, self._tick) if self._quotas else None
