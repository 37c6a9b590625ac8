"""Blocks of requests: what a busy key takes ahead, spends without asking, and gives back."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter import client, gcra
from tests.unit.http.limiters import Caller, Clock, Counted, Limiter, principal
from tests.unit.http.parts import CHAT, FixedKeys, ScriptedInference, client_of, entry_server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counted(clock: Clock) -> Counted:
    return Counted(clock)


visits = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 10, 100, 400, 900, 1000, 3000, 30_000]),  # milliseconds before
        st.integers(0, 2),  # at which entry
        st.integers(1, 120),  # requests
        st.sampled_from(["", "", "", "sweep", "dies", "new limits"]),  # then
    ),
    max_size=60,
)


@pytest.mark.case(6)
@settings(deadline=None)
@given(visits, st.sampled_from([150, 200, 1000, 6000]))
def test_blocks_let_no_request_pass_that_the_limit_would_refuse(
    made: list[tuple[int, int, int, str]], rpm: int
) -> None:
    """The requests that passed at three entries, each when it was made, against one bucket that counts each then."""

    async def play() -> None:
        clock = Clock()
        limiter = Counted(clock)
        entries = [Caller(limiter, clock, rpm, f"{number}-") for number in range(3)]
        tat = 0
        for number, (pause, index, requests, then) in enumerate(made):
            clock.ms += pause
            for _ in range(await entries[index].calls(requests)):
                tat = max(tat, clock.ns()) + gcra.cost_ns(1, rpm)
                assert tat - clock.ns() <= gcra.PERIOD_NS + 1000  # less than a nanosecond a request is rounding
            if then == "sweep":
                entries[index].rate_limits.sweep()
            elif then == "dies":
                entries[index] = Caller(limiter, clock, rpm, f"{index}-{number}-")
            elif then == "new limits":
                entries[index].principal = principal(requests_per_minute=rpm, tokens_per_minute=0)
            await asyncio.sleep(0)
        for reply in limiter.replies:
            assert reply.granted <= rpm // 100

    asyncio.run(play())


async def test_a_block_that_is_spent_late_does_not_pass_a_second_time(counted: Counted, clock: Clock) -> None:
    late, other = (Caller(counted, clock, 6_000, entry) for entry in ("a", "b"))
    await late.calls(97)
    held = late.told - counted.replies[-1].requests.remaining
    assert held > 20
    clock.ms += 990
    asked = len(counted.asked)
    assert await late.calls(held) == held
    assert len(counted.asked) == asked
    passed = held
    while await other.call():
        passed += 1
    assert passed <= 6_000


async def test_a_busy_key_is_asked_for_seldom_and_gets_its_whole_limit_but_a_sixtieth(
    counted: Counted, clock: Clock
) -> None:
    caller = Caller(counted, clock, 60_000)
    passed = await caller.calls(61_000)
    assert 59_000 - 600 <= passed <= 60_000
    assert sum(not reply.denied_by for reply in counted.replies) < passed / 50


async def test_blocks_grow_with_use_and_are_never_larger_than_it(counted: Counted, clock: Clock) -> None:
    caller = Caller(counted, clock, 1_000_000)
    for _ in range(5):
        await caller.calls(100)
        clock.ms += 1_000
        caller.rate_limits.sweep()
    used = 0
    for item in counted.asked[:8]:
        assert item.count == max(used, 1)
        used += item.count
    assert max(item.count for item in counted.asked) <= 100


async def test_a_key_that_is_seldom_used_never_has_a_block(counted: Counted, clock: Clock) -> None:
    caller = Caller(counted, clock, 60_000)
    for _ in range(20):
        assert await caller.call()
        for _ in range(60):
            clock.ms += 1_000
            caller.rate_limits.sweep()
    assert [item.count for item in counted.asked] == [1] * 20
    assert not counted.given_back


@pytest.mark.parametrize("limit", [1, 60, 96, 192])
async def test_small_limits_are_counted_one_by_one_as_ever(counted: Counted, clock: Clock, limit: int) -> None:
    caller = Caller(counted, clock, limit)
    for number in range(limit):
        assert await caller.call()
        assert caller.told == counted.replies[-1].requests.remaining
        assert len(counted.asked) == number + 1
    assert not await caller.call()
    assert not any(reply.granted for reply in counted.replies)


async def test_what_is_left_of_a_block_is_given_back(counted: Counted, clock: Clock) -> None:
    caller = Caller(counted, clock, 60_000)
    await caller.calls(40)
    held = counted.replies[-1].requests.remaining
    left = caller.told - held
    assert left > 0
    clock.ms += 1_000
    caller.rate_limits.sweep()
    await caller.rate_limits.aclose()
    assert sum(reply.granted or 1 for reply in counted.replies) - left == 40
    assert await counted.remaining(60_000) == held + left + 1_000 - 1  # a second's refill, and this one


async def test_a_stopping_entry_gives_its_blocks_back(counted: Counted, clock: Clock) -> None:
    caller = Caller(counted, clock, 60_000)
    await caller.calls(40)
    told = caller.told
    await caller.rate_limits.aclose()
    assert await counted.remaining(60_000) == told - 1


async def test_a_block_is_not_spent_after_its_second(counted: Counted, clock: Clock) -> None:
    caller = Caller(counted, clock, 60_000)
    await caller.calls(40)
    asked = len(counted.asked)
    clock.ms += 999
    assert await caller.call()
    assert len(counted.asked) == asked
    clock.ms += 1
    assert await caller.call()
    assert len(counted.asked) == asked + 1


async def test_remaining_falls_by_one_a_request_between_two_answers(counted: Counted, clock: Clock) -> None:
    caller = Caller(counted, clock, 6_000)
    before, asked = 6_000, 0
    while await caller.call():
        assert caller.headers["x-ratelimit-limit-requests"] == "6000"
        assert caller.told >= 0
        if len(counted.asked) == asked:
            assert caller.told == before - 1
        before, asked = caller.told, len(counted.asked)
    assert caller.told == 0


async def test_reset_passes_with_the_time(counted: Counted, clock: Clock) -> None:
    caller = Caller(counted, clock, 600_000)
    await caller.calls(40)
    reset = caller.headers["x-ratelimit-reset-requests"]
    clock.ms += 500
    assert await caller.call()
    assert float(reset.removesuffix("s")) - 0.5 == pytest.approx(
        float(caller.headers["x-ratelimit-reset-requests"].removesuffix("ms")) / 1000
    )


async def test_a_block_ends_when_the_limits_change_and_stays_when_they_are_told_again(
    counted: Counted, clock: Clock
) -> None:
    caller = Caller(counted, clock, 60_000)
    await caller.calls(40)
    asked = len(counted.asked)
    caller.principal = principal(requests_per_minute=60_000)
    assert await caller.call()
    assert len(counted.asked) == asked
    caller.principal = principal(requests_per_minute=1_000)
    assert await caller.call()
    assert (len(counted.asked), counted.asked[-1].count) == (asked + 1, 1)
    caller.principal = principal(requests_per_minute=1_000, concurrency=1)
    assert await caller.rate_limits.acquire(caller.principal, "last", 1, {}) is not None
    await caller.rate_limits.aclose()
    assert [item.lease_id for item in counted.given_back] == [counted.asked[asked - 1].lease_id]


async def test_a_block_that_comes_after_the_limits_changed_is_given_back(counted: Counted, clock: Clock) -> None:
    caller = Caller(counted, clock, 60_000)
    await caller.calls(2)
    late = asyncio.ensure_future(caller.call())
    await asyncio.sleep(0)
    caller.principal = principal(requests_per_minute=1_000)
    assert await caller.call()
    assert await late
    await caller.rate_limits.aclose()
    assert [(item.lease_id, item.requests) for item in counted.given_back] == [("a2", 1)]


async def test_a_block_is_kept_when_the_client_that_asked_has_left(counted: Counted, clock: Clock) -> None:
    caller = Caller(counted, clock, 60_000)
    await caller.calls(6)
    asked = len(counted.asked)
    while len(counted.asked) == asked:
        leaving = asyncio.ensure_future(caller.call())
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        await asyncio.sleep(0.01)
    assert counted.replies[-1].granted > 1
    asked = len(counted.asked)
    assert await caller.calls(counted.replies[-1].granted - 1) == counted.replies[-1].granted - 1
    assert len(counted.asked) == asked


async def test_one_block_is_asked_for_at_a_time(counted: Counted, clock: Clock) -> None:
    caller = Caller(counted, clock, 60_000)
    await caller.calls(2)
    assert all(await asyncio.gather(*(caller.call() for _ in range(50))))
    assert [item.count for item in counted.asked[2:]] == [2] + [1] * 49


async def test_while_the_limiter_is_down_requests_pass_and_keys_are_forgotten(clock: Clock) -> None:
    class Away(Limiter):
        async def acquire(self, request: limiter_pb2.AcquireBatch) -> limiter_pb2.AcquireReplies:
            self.asked += request.items
            raise PlatformError(Code.UNAVAILABLE, "away")

    away = Away()
    caller = Caller(away, clock, 6_000)
    assert await caller.calls(200) == 200
    assert len(away.asked) == 1
    assert caller.headers == {}
    clock.ms += int(client.DOWN_SECONDS * 1000)
    assert await caller.calls(200) == 200
    assert len(away.asked) == 2
    assert len(caller.rate_limits) == 1
    for _ in range(2):
        caller.rate_limits.sweep()
    assert len(caller.rate_limits) == 0


async def test_blocks_of_idle_keys_are_forgotten(counted: Counted, clock: Clock) -> None:
    caller = Caller(counted, clock, 60_000)
    for number in range(50):
        caller.principal = common_pb2.Principal(key_id=f"{number}", limits=principal(requests_per_minute=60_000).limits)
        await caller.calls(10)
    assert len(caller.rate_limits) == 50
    for _ in range(3):
        clock.ms += 1_000
        caller.rate_limits.sweep()
    assert len(caller.rate_limits) == 0


async def test_an_older_limiter_is_asked_for_every_request(counted: Counted, clock: Clock) -> None:
    class Older(Limiter):
        async def acquire(self, request: limiter_pb2.AcquireBatch) -> limiter_pb2.AcquireReplies:
            self.asked += request.items
            known = limiter_pb2.AcquireBatch(items=request.items)
            for item in known.items:
                item.ClearField("count")
            return await counted.acquire(known)

    older = Older()
    caller = Caller(older, clock, 6_000)
    for number in range(500):
        assert await caller.call()
        assert caller.told == 6_000 - number - 1
    await caller.rate_limits.aclose()
    assert len(older.asked) == 500
    assert not counted.given_back


async def test_a_revoked_key_is_refused_although_it_has_a_block(counted: Counted) -> None:
    class Revocable(FixedKeys):
        revoked = False

        async def get(self, token: str) -> common_pb2.Principal:
            return await super().get("revoked" if self.revoked else token)

    keys = Revocable(common_pb2.Limits(requests_per_minute=60_000))
    async with entry_server(ScriptedInference(), keys=keys, limiter=counted) as server, client_of(server) as client:
        while not any(reply.granted for reply in counted.replies):
            assert (await client.post("/v1/chat/completions", json=CHAT)).status == 200
        keys.revoked = True
        assert (await client.post("/v1/chat/completions", json=CHAT)).status == 401
