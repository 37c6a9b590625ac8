"""Rate limits at the entry: whose limits apply, and what happens without the limiter."""

from __future__ import annotations

import asyncio

import pytest
from multidict import CIMultiDict

from llm_platform.core.errors import Code, PlatformError
from llm_platform.http.limits import RateLimits
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter import client
from tests.unit.http.limiters import Limiter, principal
from tests.unit.http.parts import config


async def acquire(rate_limits: RateLimits, who: common_pb2.Principal, tokens: int = 1) -> client.Lease | None:
    return await rate_limits.acquire(who, "req_1", tokens, CIMultiDict())


async def test_a_key_without_limits_asks_nobody() -> None:
    limiter = Limiter()
    assert await acquire(RateLimits(config(), limiter), principal()) is None
    assert not limiter.asked


async def test_no_limit_holds_when_they_are_switched_off() -> None:
    limiter = Limiter()
    sections = config(security={"rate_limiting_enabled": False})
    assert await acquire(RateLimits(sections, limiter), principal(requests_per_minute=1)) is None
    assert not limiter.asked


async def test_a_keys_own_limits_come_before_the_configured_ones() -> None:
    limiter = Limiter()
    sections = config(
        security={"rate_limit_rpm": 60}, traffic={"tokens_per_minute": 500, "concurrency": 3, "stream_max_seconds": 100}
    )
    await acquire(RateLimits(sections, limiter), principal(tokens_per_minute=900))
    (asked,) = limiter.asked
    assert (asked.limits.requests_per_minute, asked.limits.tokens_per_minute, asked.limits.concurrency) == (60, 900, 3)
    assert asked.ttl_seconds == 160


async def test_a_call_larger_than_the_whole_limit_holds_all_of_it() -> None:
    limiter = Limiter()
    await acquire(RateLimits(config(), limiter), principal(tokens_per_minute=900), tokens=5000)
    assert limiter.asked[0].tokens == 900


async def test_requests_of_one_moment_are_asked_for_together() -> None:
    class Counting(Limiter):
        calls = 0

        async def acquire(self, request: limiter_pb2.AcquireBatch) -> limiter_pb2.AcquireReplies:
            self.calls += 1
            return await super().acquire(request)

    limiter = Counting()
    rate_limits = RateLimits(config(), limiter)
    await asyncio.gather(*(acquire(rate_limits, principal(concurrency=100)) for _ in range(50)))
    assert (limiter.calls, len(limiter.asked)) == (1, 50)


@pytest.mark.case(12)
async def test_a_frozen_limiter_delays_requests_once_not_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.05)
    limiter = Limiter()
    limiter.frozen = True
    rate_limits = RateLimits(config(), limiter)
    async with asyncio.timeout(5):
        for _ in range(20):
            assert await acquire(rate_limits, principal(concurrency=1)) is not None
    assert len(limiter.asked) == 1
    assert "rate limits are off" in (rate_limits.degraded() or "")


@pytest.mark.case(10)
async def test_limits_hold_again_once_the_limiter_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "DOWN_SECONDS", 0.05)
    limiter = Limiter()
    rate_limits = RateLimits(config(), limiter)

    async def down(request: limiter_pb2.AcquireBatch) -> limiter_pb2.AcquireReplies:
        raise PlatformError(Code.UNAVAILABLE, "away")

    with monkeypatch.context() as patch:
        patch.setattr(limiter, "acquire", down)
        await acquire(rate_limits, principal(concurrency=1))
    assert rate_limits.degraded()
    await asyncio.sleep(0.1)
    await acquire(rate_limits, principal(concurrency=1))
    assert rate_limits.degraded() is None
    assert len(limiter.asked) == 1
