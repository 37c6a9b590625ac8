"""Limits of providers: taken after the choice, before money; a provider that is full is passed over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from llm_platform.core.config import Config
from llm_platform.core.errors import Code, Fault, PlatformError
from llm_platform.core.inference import Reply, pour
from llm_platform.head.app import Head
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter.service import MemoryLimiter
from tests.unit.head.parts import CONFIG, ProviderStates, Proxy, RecordingLedger, call, opened


class Counted(MemoryLimiter):
    """The real limiter, and what it was asked."""

    def __init__(self) -> None:
        super().__init__(default_ttl_seconds=60, clock_ns=lambda: 10**12)
        self.asked: list[limiter_pb2.Acquire] = []
        self.ended: list[limiter_pb2.Finish] = []
        self.away = False

    async def acquire(self, request: limiter_pb2.AcquireBatch) -> limiter_pb2.AcquireReplies:
        self.asked += request.items
        if self.away:
            raise PlatformError(Code.UNAVAILABLE, "away")
        return await super().acquire(request)

    async def finish(self, request: limiter_pb2.FinishBatch) -> common_pb2.Empty:
        self.ended += request.items
        return await super().finish(request)


def limited(**providers: dict[str, int]) -> Config:
    return CONFIG.model_copy(update={"limits": Config.model_validate({"limits": {"providers": providers}}).limits})


class Parts:
    def __init__(self, head: Head, limiter: Counted, proxy: Proxy, ledger: RecordingLedger) -> None:
        self.head, self.limiter, self.proxy, self.ledger = head, limiter, proxy, ledger

    async def open(self, **fields: object) -> Reply:
        return await self.head.inference.open(call(**fields), b"x" * 400)

    async def refused(self, **fields: object) -> PlatformError:
        with pytest.raises(PlatformError) as caught:
            await self.open(**fields)
        return caught.value


@asynccontextmanager
async def running(**providers: dict[str, int]) -> AsyncIterator[Parts]:
    limiter, proxy, ledger = Counted(), Proxy(), RecordingLedger()
    async with opened(limited(**providers), proxy, ledger, ProviderStates(), limiter) as head:
        yield Parts(head, limiter, proxy, ledger)


async def read(reply: Reply) -> None:
    async for _ in reply:
        pass


async def test_without_limits_of_providers_nobody_is_asked() -> None:
    async with running() as parts:
        await parts.open()
        assert not parts.limiter.asked


async def test_a_provider_without_limits_is_not_asked_for() -> None:
    async with running(second={"requests_per_minute": 1}) as parts:
        assert (await parts.open()).start.provider == "first"
        assert not parts.limiter.asked


async def test_a_full_provider_is_passed_over_for_the_next_even_where_a_retry_is_forbidden() -> None:
    async with running(first={"requests_per_minute": 1}) as parts:
        answers = [(await parts.open(forbid_retry=True)).start.provider for _ in range(3)]
        assert answers == ["first", "second", "second"]
        assert [one.provider for one in parts.ledger.reserved] == answers, "no money is held where nothing is sent"
        assert {item.subject for item in parts.limiter.asked} == {"provider:first"}


async def test_when_all_are_full_the_caller_is_told_the_shortest_wait_and_no_numbers() -> None:
    async with running(
        first={"requests_per_minute": 2, "requests_burst": 1}, second={"requests_per_minute": 1}
    ) as parts:
        await parts.open()
        await parts.open()
        error = await parts.refused()
        assert (error.code, error.fault, error.status, error.retry_after) == (Code.RATE_LIMITED, Fault.POLICY, 429, 30)
        assert error.message == (
            "All calls of this model's provider together are too many requests a minute. Wait, then try again."
        )
        assert len(parts.ledger.reserved) == 2


async def test_a_full_fallback_leaves_the_failure_as_it_is() -> None:
    async with running(second={"requests_per_minute": 1}) as parts:
        parts.proxy.failing["first"] = PlatformError(Code.PROVIDER_FAILED, "It failed.")
        assert (await parts.open()).start.provider == "second"
        assert (await parts.refused()).code is Code.PROVIDER_FAILED


@pytest.mark.parametrize("end", ["iterated", "poured"])
async def test_tokens_are_estimated_first_and_corrected_when_the_call_ends(end: str) -> None:
    async with running(alone={"tokens_per_minute": 10_000, "concurrency": 1}) as parts:
        parts.proxy.usage = common_pb2.Usage(input_tokens=70, output_tokens=30)
        reply = await parts.open(model="single", max_output_tokens=2_000)
        assert parts.limiter.asked[0].tokens == 400 // 4 + 2_000
        assert (await parts.refused(model="single")).message.endswith("at once. Wait, then try again.")
        if end == "iterated":
            await read(reply)
        else:
            await pour(reply, lambda _: None)
        assert reply.end is not None
        await reply.aclose()
        await parts.head.drain()
        (ended,) = parts.limiter.ended
        assert (ended.tokens, ended.estimate_stands) == (100, False)
        await parts.open(model="single")
        assert parts.limiter.asked[-1].tokens == 100 + 1_000


async def test_a_reply_that_is_left_keeps_the_estimate_and_frees_the_place() -> None:
    async with running(alone={"tokens_per_minute": 10_000, "concurrency": 1}) as parts:
        await (await parts.open(model="single")).aclose()
        await parts.head.drain()
        (ended,) = parts.limiter.ended
        assert ended.estimate_stands
        await parts.open(model="single")


async def test_what_fails_before_its_reply_frees_the_place_and_the_tokens() -> None:
    async with running(alone={"tokens_per_minute": 1_100, "concurrency": 1}) as parts:
        parts.proxy.failing["alone"] = PlatformError(Code.PROVIDER_REFUSED, "No.")
        for _ in range(3):
            assert (await parts.refused(model="single")).code is Code.PROVIDER_REFUSED
            await parts.head.drain()


async def test_a_call_larger_than_all_the_limit_holds_may_pass_alone() -> None:
    async with running(alone={"tokens_per_minute": 500, "tokens_burst": 50}) as parts:
        await parts.open(model="single")
        assert parts.limiter.asked[0].tokens == 50


async def test_while_the_limiter_is_away_calls_pass_and_it_shows() -> None:
    async with running(alone={"concurrency": 1}) as parts:
        parts.limiter.away = True
        for _ in range(3):
            await parts.open(model="single")
        assert parts.head.provider_limits is not None
        assert "rate limits are off" in (parts.head.provider_limits.degraded() or "")
        assert len(parts.limiter.asked) == 1


async def test_no_limit_holds_when_they_are_switched_off() -> None:
    limiter = Counted()
    config = limited(alone={"concurrency": 1}).model_copy(
        update={"security": Config.model_validate({"security": {"rate_limiting_enabled": False}}).security}
    )
    async with opened(config, Proxy(), RecordingLedger(), ProviderStates(), limiter) as head:
        await asyncio.gather(*(head.inference.open(call(model="single"), b"") for _ in range(3)))
    assert not limiter.asked
