"""The limiter as its callers see it."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest
from hypothesis import given
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


async def test_a_full_minute_passes_at_once_and_the_next_waits_for_its_turn(
    limiter: MemoryLimiter, clock: Clock
) -> None:
    key = Key(limiter, requests_per_minute=60)
    assert all([(await key.ask()).allowed for _ in range(60)])
    refused = await key.ask()
    assert (refused.allowed, refused.denied_by, refused.retry_after_ms) == (False, "requests", 1_000)
    clock.now += refused.retry_after_ms * 1_000_000 - 1
    assert not (await key.ask()).allowed
    clock.now += 1
    assert (await key.ask()).allowed


async def test_the_reply_has_what_the_headers_need(limiter: MemoryLimiter) -> None:
    key = Key(limiter, requests_per_minute=60, tokens_per_minute=6_000)
    reply = await key.ask(tokens=1_000)
    assert (reply.requests.limit, reply.requests.remaining, reply.requests.reset_ms) == (60, 59, 1_000)
    assert (reply.tokens.limit, reply.tokens.remaining, reply.tokens.reset_ms) == (6_000, 5_000, 10_000)


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


async def test_use_beyond_the_estimate_is_a_debt_that_later_requests_wait_for(
    limiter: MemoryLimiter, clock: Clock
) -> None:
    key = Key(limiter, tokens_per_minute=1_000)
    await key.ask(tokens=1_000, lease="a")
    await key.finish("a", tokens=2_000)
    clock.now += MINUTE
    assert (await key.ask(tokens=1)).denied_by == "tokens"
    clock.now += MINUTE
    assert (await key.ask(tokens=1_000)).allowed


async def test_a_refund_is_not_lost_to_the_time_that_passed_and_never_overfills(
    limiter: MemoryLimiter, clock: Clock
) -> None:
    key = Key(limiter, tokens_per_minute=1_000)
    await key.ask(tokens=1_000, lease="a")
    clock.now += MINUTE // 2
    await key.finish("a", tokens=0)
    assert (await key.ask(tokens=0)).tokens.remaining == 1_000


async def test_more_tokens_than_the_limit_holds_are_refused_without_a_time_to_come_back(limiter: MemoryLimiter) -> None:
    key = Key(limiter, requests_per_minute=1, tokens_per_minute=1_000)
    reply = await key.ask(tokens=1_001)
    assert (reply.denied_by, reply.retry_after_ms) == ("tokens", 0)
    assert reply.tokens.remaining == 1_000


@pytest.mark.parametrize(
    ("limits", "tokens", "denied_by"),
    [
        ({"requests_per_minute": 1, "tokens_per_minute": 1_000, "concurrency": 9}, 10, "requests"),
        ({"requests_per_minute": 9, "tokens_per_minute": 1_000, "concurrency": 9}, 995, "tokens"),
        ({"requests_per_minute": 9, "tokens_per_minute": 1_000, "concurrency": 1}, 10, "concurrency"),
    ],
)
async def test_a_denial_by_one_limit_takes_nothing_from_the_others(
    limiter: MemoryLimiter, limits: dict[str, int], tokens: int, denied_by: str
) -> None:
    key = Key(limiter, "key", **limits)
    before = await key.ask(tokens=10, lease="first")
    for _ in range(5):
        refused = await key.ask(tokens=tokens)
        assert refused.denied_by == denied_by
        assert refused.requests.remaining == before.requests.remaining
        assert refused.tokens.remaining == before.tokens.remaining
    await key.finish("first", tokens=10)


async def test_who_is_refused_twice_over_is_told_the_longer_wait(limiter: MemoryLimiter) -> None:
    key = Key(limiter, requests_per_minute=1, concurrency=1)
    await key.ask()
    assert (await key.ask()).retry_after_ms == 60_000


async def test_a_place_is_free_again_when_the_request_ends(limiter: MemoryLimiter) -> None:
    key = Key(limiter, concurrency=2)
    assert (await key.ask(lease="a")).allowed
    assert (await key.ask(lease="b")).allowed
    refused = await key.ask(lease="c")
    assert (refused.denied_by, refused.retry_after_ms) == ("concurrency", 1_000)
    await key.finish("a")
    assert (await key.ask(lease="c")).allowed


async def test_a_place_whose_holder_died_is_free_at_its_ttl(limiter: MemoryLimiter, clock: Clock) -> None:
    key = Key(limiter, concurrency=2)
    await key.ask(ttl=30)
    await key.ask(ttl=10)
    clock.now += 10 * SECOND - 1
    assert not (await key.ask()).allowed
    clock.now += 1
    assert (await key.ask(ttl=10)).allowed
    assert not (await key.ask()).allowed


async def test_a_finish_after_the_lease_expired_or_twice_changes_nothing(limiter: MemoryLimiter, clock: Clock) -> None:
    key = Key(limiter, tokens_per_minute=1_000, concurrency=1)
    await key.ask(tokens=500, lease="a")
    await key.finish("a", tokens=500)
    await key.finish("a", tokens=0)
    await key.finish("never", tokens=0)
    assert (await key.ask(tokens=0)).tokens.remaining == 500


async def test_an_acquire_that_is_sent_again_takes_nothing_again(limiter: MemoryLimiter) -> None:
    key = Key(limiter, requests_per_minute=10, tokens_per_minute=1_000, concurrency=1)
    first = await key.ask(tokens=100, lease="a")
    again = await key.ask(tokens=100, lease="a")
    assert again == first


async def test_subjects_do_not_share_limits(limiter: MemoryLimiter) -> None:
    assert (await Key(limiter, "one", requests_per_minute=1).ask()).allowed
    assert (await Key(limiter, "two", requests_per_minute=1).ask()).allowed


async def test_a_changed_limit_counts_from_the_next_request_and_keeps_the_share_used(limiter: MemoryLimiter) -> None:
    for _ in range(30):
        await Key(limiter, requests_per_minute=60).ask(lease=f"{_}")
    reply = await Key(limiter, requests_per_minute=120).ask()
    assert reply.requests.remaining == 59


async def test_a_block_is_counted_at_once_as_if_it_came_at_its_last_moment(limiter: MemoryLimiter) -> None:
    key = Key(limiter, requests_per_minute=6_000)
    reply = await key.ask(count=50, ttl=1)
    assert (reply.granted, reply.requests.remaining, reply.requests.reset_ms) == (50, 6_000 - 100 - 50, 1_500)
    reply = await key.ask(count=50, ttl=1)
    assert (reply.granted, reply.requests.remaining) == (50, 6_000 - 100 - 100)


async def test_a_block_is_at_most_a_hundredth_of_the_limit(limiter: MemoryLimiter) -> None:
    assert (await Key(limiter, "large", requests_per_minute=6_000).ask(count=2**32 - 1, ttl=1)).granted == 60
    assert (await Key(limiter, "small", requests_per_minute=200).ask(count=50, ttl=1)).granted == 2


@pytest.mark.parametrize(
    "limits",
    [
        {"requests_per_minute": 199},
        {"requests_per_minute": 6_000, "tokens_per_minute": 1_000},
        {"requests_per_minute": 6_000, "concurrency": 9},
        {},
    ],
)
async def test_other_limits_are_counted_one_by_one_whatever_is_asked(clock: Clock, limits: dict[str, int]) -> None:
    one, many = (Key(MemoryLimiter(default_ttl_seconds=660, clock_ns=clock), **limits) for _ in range(2))
    for _ in range(3):
        assert await many.ask(count=50) == await one.ask()


async def test_a_block_that_does_not_fit_is_one_request(limiter: MemoryLimiter, clock: Clock) -> None:
    key = Key(limiter, requests_per_minute=6_000)
    for _ in range(5_980):
        assert (await key.ask()).allowed
    reply = await key.ask(count=50, ttl=1)
    assert (reply.allowed, reply.granted, reply.requests.remaining) == (True, 0, 19)
    for _ in range(19):
        assert (await key.ask(count=50, ttl=1)).allowed
    assert (await key.ask(count=50, ttl=1)).denied_by == "requests"


async def test_what_is_given_back_of_a_block_is_as_if_it_had_never_been_taken(
    limiter: MemoryLimiter, clock: Clock
) -> None:
    key, other = (Key(limiter, name, requests_per_minute=7_000) for name in ("key", "other"))
    await key.ask(count=50, ttl=1, lease="a")
    await key.finish("a", requests=20)
    await other.ask(count=20, ttl=1)
    clock.now += SECOND // 2
    assert (await key.ask()).requests == (await other.ask()).requests


async def test_a_block_is_given_back_once_and_not_beyond_what_it_was(limiter: MemoryLimiter) -> None:
    key = Key(limiter, requests_per_minute=6_000)
    await key.ask(count=50, ttl=1, lease="a")
    before = (await key.ask(count=50, ttl=1, lease="b")).requests.remaining
    await key.finish("a", requests=49)
    await key.finish("a", requests=0)
    await key.finish("b", requests=2**32 - 1)
    await key.finish("never", requests=0)
    assert (await key.ask()).requests.remaining == before + 1 - 1


async def test_what_is_refilled_is_not_given_back_once_more(limiter: MemoryLimiter, clock: Clock) -> None:
    key = Key(limiter, requests_per_minute=6_000)
    await key.ask(count=60, ttl=1, lease="a")
    clock.now += 3 * SECOND
    assert [(await key.ask()).requests.remaining for _ in range(30)][-1] == 5_970
    await key.finish("a", requests=1)
    assert (await key.ask()).requests.remaining == 5_969


async def test_a_block_asked_for_again_is_granted_again_and_taken_once(limiter: MemoryLimiter) -> None:
    key = Key(limiter, requests_per_minute=6_000)
    first = await key.ask(count=50, ttl=1, lease="a")
    assert await key.ask(count=50, ttl=1, lease="a") == first


async def test_a_block_takes_no_place_of_a_limit_of_concurrency(limiter: MemoryLimiter) -> None:
    await Key(limiter, requests_per_minute=6_000).ask(count=50, ttl=1)
    assert (await Key(limiter, requests_per_minute=6_000, concurrency=1).ask()).allowed


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
