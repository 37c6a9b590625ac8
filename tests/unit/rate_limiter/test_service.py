"""What is particular to the limiter in memory; what it decides: tests/integration/stores/test_limiter.py."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter.service import MemoryLimiter

MINUTE = 60_000_000_000
SECOND = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 1_000 * SECOND

    def __call__(self) -> int:
        return self.now


class Key:
    """One key that makes requests."""

    def __init__(self, limiter: MemoryLimiter, subject: str = "key", **limits: int) -> None:
        self._limiter = limiter
        self._subject = subject
        self._limits = common_pb2.Limits(**limits)
        self._ids = count()

    def item(self, tokens: int = 0, ttl: int = 600, lease: str = "", count: int = 0) -> limiter_pb2.Acquire:
        return limiter_pb2.Acquire(
            lease_id=lease or f"{self._subject}-{next(self._ids)}",
            subject=self._subject,
            limits=self._limits,
            tokens=tokens,
            ttl_seconds=ttl,
            count=count,
        )

    async def ask(self, tokens: int = 0, ttl: int = 600, lease: str = "", count: int = 0) -> limiter_pb2.AcquireReply:
        batch = limiter_pb2.AcquireBatch(items=[self.item(tokens, ttl, lease, count)])
        return (await self._limiter.acquire(batch)).items[0]

    async def finish(self, lease: str, tokens: int = 0, requests: int = 0) -> None:
        item = limiter_pb2.Finish(lease_id=lease, subject=self._subject, tokens=tokens, requests=requests)
        await self._limiter.finish(limiter_pb2.FinishBatch(items=[item]))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> MemoryLimiter:
    return MemoryLimiter(default_ttl_seconds=660, clock_ns=clock)


async def test_without_limits_everything_passes_and_nothing_is_remembered(limiter: MemoryLimiter) -> None:
    reply = await Key(limiter).ask(tokens=10**9)
    assert reply.allowed
    assert not reply.HasField("requests")
    assert not reply.HasField("tokens")
    assert len(limiter) == 0


async def test_a_limit_of_requests_alone_holds_no_lease(limiter: MemoryLimiter, clock: Clock) -> None:
    assert (await Key(limiter, "one", requests_per_minute=60).ask(ttl=600)).allowed
    clock.now += 1_000_000_000
    assert (await Key(limiter, "two", requests_per_minute=60).ask(ttl=600)).allowed
    assert len(limiter) == 1, "the first is idle, and so forgotten, although nobody said Finish"


@pytest.mark.case(6)
async def test_concurrent_requests_cannot_overrun_a_token_limit(limiter: MemoryLimiter) -> None:
    key = Key(limiter, tokens_per_minute=100)
    batch = limiter_pb2.AcquireBatch(items=[key.item(tokens=30) for _ in range(20)])
    replies = await limiter.acquire(batch)
    assert [reply.allowed for reply in replies.items] == [True] * 3 + [False] * 17
    assert replies.items[3].denied_by == "tokens"


@pytest.mark.case(13)
async def test_remaining_tokens_follow_the_true_use_once_it_is_known(limiter: MemoryLimiter) -> None:
    key = Key(limiter, tokens_per_minute=1_000)
    assert (await key.ask(tokens=400, lease="a")).tokens.remaining == 600
    await key.finish("a", tokens=100)
    assert (await key.ask(tokens=0, lease="b")).tokens.remaining == 900
    await key.finish("b", tokens=700)
    assert (await key.ask(tokens=0)).tokens.remaining == 200


async def test_a_refund_is_not_lost_to_the_time_that_passed_and_never_overfills(
    limiter: MemoryLimiter, clock: Clock
) -> None:
    key = Key(limiter, tokens_per_minute=1_000)
    await key.ask(tokens=1_000, lease="a")
    clock.now += MINUTE // 2
    await key.finish("a", tokens=0)
    assert (await key.ask(tokens=0)).tokens.remaining == 1_000


async def test_blocks_whose_holders_died_are_forgotten(limiter: MemoryLimiter, clock: Clock) -> None:
    key = Key(limiter, "one", requests_per_minute=6_000)
    for _ in range(50):
        await key.ask(count=50, ttl=1)
    clock.now += 2 * MINUTE
    await Key(limiter, "two", requests_per_minute=6_000).ask()
    assert len(limiter) == 1


async def test_numbers_at_the_end_of_their_range_are_answered(limiter: MemoryLimiter) -> None:
    key = Key(limiter, requests_per_minute=2**32 - 1, tokens_per_minute=2**64 - 1, concurrency=2**32 - 1)
    assert (await key.ask(tokens=2**64 - 1, ttl=2**32 - 1, lease="a")).allowed
    await key.finish("a", tokens=2**64 - 1)
    small = Key(limiter, "small", tokens_per_minute=1)
    await small.ask(tokens=1, lease="b")
    await small.finish("b", tokens=2**64 - 1)
    assert (await small.ask(tokens=1)).retry_after_ms == 60 * 60_000


visits = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20)), max_size=150)


@settings(deadline=None)
@given(visits)
def test_memory_holds_no_more_than_twice_the_subjects_that_are_busy(asked: list[tuple[int, int]]) -> None:
    """A subject is busy for a minute after its request; an idle one goes once enough new ones have come."""

    async def play() -> None:
        clock = Clock()
        limiter = MemoryLimiter(default_ttl_seconds=660, clock_ns=clock)
        busy_until: dict[str, int] = {}
        peak = 0
        for number, (subject, pause) in enumerate(asked):
            clock.now += pause * SECOND
            key = Key(limiter, f"{subject}-{number // 30}", requests_per_minute=1)
            if (await key.ask(lease=f"{number}")).allowed:
                await key.finish(f"{number}")
                busy_until[f"{subject}-{number // 30}"] = clock.now + MINUTE
            busy = sum(until > clock.now for until in busy_until.values())
            peak = max(peak, busy)
            assert busy <= len(limiter) <= 2 * peak + 2
        clock.now += 2 * MINUTE
        for number in range(200):  # everything is idle now, and new ones make it go
            await Key(limiter, f"new-{number}", requests_per_minute=10**6).ask(ttl=1)
            clock.now += 2 * SECOND
        assert len(limiter) <= 4

    asyncio.run(play())


@settings(deadline=None)
@given(visits)
def test_eviction_changes_no_answer(asked: list[tuple[int, int]]) -> None:
    """The same requests, one key alone in its limiter against all keys in one."""

    async def play() -> None:
        clock = Clock()
        shared = MemoryLimiter(default_ttl_seconds=60, clock_ns=clock)
        alone: dict[int, MemoryLimiter] = {}
        for number, (subject, pause) in enumerate(asked):
            clock.now += pause * SECOND
            own = alone.setdefault(subject, MemoryLimiter(default_ttl_seconds=60, clock_ns=clock))
            item = Key(own, f"{subject}", requests_per_minute=5, tokens_per_minute=900, concurrency=3).item(
                tokens=200, ttl=20, lease=f"{number}"
            )
            batch = limiter_pb2.AcquireBatch(items=[item])
            assert await shared.acquire(batch) == await own.acquire(batch)

    asyncio.run(play())


limits = st.builds(
    lambda requests, tokens, concurrency, requests_burst, tokens_burst: common_pb2.Limits(
        requests_per_minute=requests,
        tokens_per_minute=tokens,
        concurrency=concurrency,
        requests_burst=requests_burst,
        tokens_burst=tokens_burst,
    ),
    *(st.sampled_from([0, 1, 60, 7_000]), st.sampled_from([0, 100, 2_000]), st.integers(0, 3)),
    *(st.sampled_from([0, 1, 90]), st.sampled_from([0, 50, 5_000])),
)
calls = st.tuples(st.integers(0, 5 * SECOND), limits, st.integers(0, 300), st.sampled_from([0, 1, 40]), st.booleans())


@settings(deadline=None)
@given(st.lists(calls, max_size=60))
def test_one_subject_is_decided_as_one_scope_among_several_is(
    made: list[tuple[int, common_pb2.Limits, int, int, bool]],
) -> None:
    """The short way for keys alone, against the way of calls with several scopes."""

    async def play() -> None:
        clock = Clock()
        alone, several = (MemoryLimiter(default_ttl_seconds=20, clock_ns=clock) for _ in range(2))
        for number, (pause, given_limits, tokens, block, ends) in enumerate(made):
            clock.now += pause
            item = limiter_pb2.Acquire(
                lease_id=f"{number}", subject="s", limits=given_limits, tokens=tokens, count=block, ttl_seconds=block
            )
            among = limiter_pb2.Acquire(lease_id=f"{number}", subject="k", count=block, ttl_seconds=block)
            among.scopes.add(subject="s", limits=given_limits, tokens=tokens)
            one = await alone.acquire(limiter_pb2.AcquireBatch(items=[item]))
            other = await several.acquire(limiter_pb2.AcquireBatch(items=[among]))
            assert one == other
            if ends:
                ended = limiter_pb2.Finish(
                    lease_id=f"{number // 2}", subject="s", tokens=tokens // 2, requests=block // 2
                )
                await alone.finish(limiter_pb2.FinishBatch(items=[ended]))
                await several.finish(limiter_pb2.FinishBatch(items=[ended]))

    asyncio.run(play())


async def test_subjects_of_one_call_do_not_make_room_for_each_other(limiter: MemoryLimiter) -> None:
    """A new subject lets idle ones go, and those of the same call are idle until it has taken from all."""
    item = Key(limiter, concurrency=1).item(lease="a")
    for number in range(4):
        item.scopes.add(subject=f"user:{number}", limits=item.limits)
    await limiter.acquire(limiter_pb2.AcquireBatch(items=[item]))
    assert len(limiter) == 5
