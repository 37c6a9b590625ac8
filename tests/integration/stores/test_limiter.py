"""docs/limits.md in memory and in a real Redis: one suite, the same clock, the same answers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llm_platform.proto import limiter_pb2
from tests.integration.stores.limiter import MINUTE, SECOND, Key, Store, opened
from tests.servers.redis import RedisServer


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest, redis_server: RedisServer, patience: None) -> AsyncIterator[Store]:
    async with opened(request.param, redis_server) as one:
        yield one


async def test_a_full_minute_passes_at_once_and_the_next_waits_for_its_turn(store: Store) -> None:
    key = Key(store, requests_per_minute=60)
    assert all([(await key.ask()).allowed for _ in range(60)])
    refused = await key.ask()
    assert (refused.allowed, refused.denied_by, refused.retry_after_ms) == (False, "requests", 1_000)
    store.now += refused.retry_after_ms * 1_000 - 1
    assert not (await key.ask()).allowed
    store.now += 1
    assert (await key.ask()).allowed


async def test_the_reply_has_what_the_headers_need(store: Store) -> None:
    reply = await Key(store, requests_per_minute=60, tokens_per_minute=6_000).ask(tokens=1_000)
    assert (reply.requests.limit, reply.requests.remaining, reply.requests.reset_ms) == (60, 59, 1_000)
    assert (reply.tokens.limit, reply.tokens.remaining, reply.tokens.reset_ms) == (6_000, 5_000, 10_000)


async def test_without_limits_everything_passes(store: Store) -> None:
    reply = await Key(store).ask(tokens=10**9)
    assert reply.allowed
    assert not reply.HasField("requests")


@pytest.mark.case(6)
async def test_a_batch_is_decided_item_after_item(store: Store) -> None:
    key, other = Key(store, tokens_per_minute=100), Key(store, "other", tokens_per_minute=100)
    items = [key.item(tokens=30) for _ in range(20)]
    items.insert(1, other.item(tokens=100))
    replies = (await (await store.at(store.now)).acquire(limiter_pb2.AcquireBatch(items=items))).items
    assert [reply.allowed for reply in replies] == [True] * 4 + [False] * 17
    assert {reply.denied_by for reply in replies[4:]} == {"tokens"}


@pytest.mark.case(13)
async def test_tokens_are_corrected_once_their_use_is_known(store: Store) -> None:
    key = Key(store, tokens_per_minute=1_000)
    assert (await key.ask(tokens=400, lease="a")).tokens.remaining == 600
    await key.finish("a", tokens=100)
    assert (await key.ask(lease="b")).tokens.remaining == 900
    await key.finish("b", tokens=2_700)
    assert (await key.ask(tokens=1)).denied_by == "tokens"
    store.now += 3 * MINUTE
    assert (await key.ask(tokens=1_000)).allowed


async def test_one_debt_keeps_a_key_waiting_for_at_most_an_hour(store: Store) -> None:
    key = Key(store, tokens_per_minute=1)
    await key.ask(tokens=1, lease="a")
    await key.finish("a", tokens=2**64 - 1)
    assert (await key.ask(tokens=1)).retry_after_ms == 60 * 60_000


async def test_more_than_the_limit_ever_holds_is_refused_without_a_time_to_come_back(store: Store) -> None:
    reply = await Key(store, requests_per_minute=1, tokens_per_minute=1_000).ask(tokens=1_001)
    assert (reply.denied_by, reply.retry_after_ms, reply.requests.remaining) == ("tokens", 0, 1)


async def test_a_refusal_takes_nothing_and_tells_the_longest_wait(store: Store) -> None:
    key = Key(store, requests_per_minute=2, concurrency=1)
    before = await key.ask(lease="a")
    for _ in range(3):
        refused = await key.ask()
        assert (refused.denied_by, refused.retry_after_ms, refused.requests) == ("concurrency", 1_000, before.requests)
    await key.finish("a")
    assert (await key.ask()).allowed
    assert ((await key.ask()).denied_by, (await key.ask()).retry_after_ms) == ("requests", 30_000)


async def test_a_place_is_free_when_the_call_ends_or_at_its_ttl(store: Store) -> None:
    key = Key(store, concurrency=2)
    assert (await key.ask(ttl=30, lease="a")).allowed
    assert (await key.ask(ttl=10, lease="b")).allowed
    assert not (await key.ask()).allowed
    await key.finish("a")
    assert (await key.ask(lease="c")).allowed
    store.now += 10 * SECOND - 1
    assert not (await key.ask()).allowed
    store.now += 1
    assert (await key.ask()).allowed
    assert not (await key.ask()).allowed


async def test_after_the_lease_expired_the_estimate_stands(store: Store) -> None:
    key = Key(store, tokens_per_minute=1_000)
    await key.ask(tokens=500, lease="a", ttl=10)
    store.now += 10 * SECOND
    await key.finish("a", tokens=0)
    await key.finish("never", tokens=0)
    assert (await key.ask()).tokens.reset_ms == 20_000


async def test_an_acquire_that_is_sent_again_takes_nothing_again(store: Store) -> None:
    key = Key(store, requests_per_minute=10, tokens_per_minute=1_000, concurrency=1)
    assert await key.ask(tokens=100, lease="a") == await key.ask(tokens=100, lease="a")
    block = Key(store, "busy", requests_per_minute=6_000)
    assert await block.ask(count=50, ttl=1, lease="a") == await block.ask(count=50, ttl=1, lease="a")


async def test_a_changed_limit_keeps_the_share_used(store: Store) -> None:
    slow, fast = Key(store, requests_per_minute=60), Key(store, requests_per_minute=120)
    for _ in range(30):
        await slow.ask()
    assert (await fast.ask()).requests.remaining == 59


async def test_a_block_is_counted_as_if_it_came_at_its_last_moment(store: Store) -> None:
    key = Key(store, requests_per_minute=6_000)
    reply = await key.ask(count=50, ttl=1)
    assert (reply.granted, reply.requests.remaining, reply.requests.reset_ms) == (50, 6_000 - 100 - 50, 1_500)
    assert (await key.ask(count=2**32 - 1, ttl=1)).granted == 60
    assert (await Key(store, "small", requests_per_minute=199).ask(count=50, ttl=1)).granted == 0


async def test_a_block_is_given_back_once_and_not_beyond_what_it_was(store: Store) -> None:
    key = Key(store, requests_per_minute=6_000)
    await key.ask(count=50, ttl=1, lease="a")
    before = (await key.ask(count=50, ttl=1, lease="b")).requests.remaining
    for lease, spent in (("a", 20), ("a", 0), ("b", 2**32 - 1), ("never", 0)):
        await key.finish(lease, requests=spent)
    assert (await key.ask()).requests.remaining == before + 30 - 1


async def test_what_is_refilled_is_not_given_back_once_more(store: Store) -> None:
    key = Key(store, requests_per_minute=6_000)
    await key.ask(count=60, ttl=1, lease="a")
    store.now += 3 * SECOND
    assert [(await key.ask()).requests.remaining for _ in range(30)][-1] == 5_970
    await key.finish("a", requests=1)
    assert (await key.ask()).requests.remaining == 5_969


async def test_a_block_may_be_given_back_until_five_seconds_after_its_last_moment(store: Store) -> None:
    early, late = (Key(store, name, requests_per_minute=6_000) for name in ("early", "late"))
    for number in range(20):
        for key in (early, late):
            await key.ask(count=60, ttl=1, lease=f"{number}")
    store.now += 6 * SECOND - 1
    await early.finish("0", requests=0)
    store.now += 1
    await late.finish("0", requests=0)
    assert (await early.ask()).requests.remaining == (await late.ask()).requests.remaining + 60


async def test_what_is_given_back_of_a_block_is_as_if_it_had_never_been_taken(store: Store) -> None:
    key, other = (Key(store, name, requests_per_minute=7_000) for name in ("key", "other"))
    await key.ask(count=50, ttl=1, lease="a")
    await key.finish("a", requests=20)
    await other.ask(count=20, ttl=1)
    store.now += SECOND // 2
    assert (await key.ask()).requests == (await other.ask()).requests


async def test_a_block_that_does_not_fit_is_one_request(store: Store) -> None:
    key = Key(store, requests_per_minute=6_000, requests_burst=120)
    assert (await key.ask(count=50, ttl=1)).granted == 0, "a second's and fifty more are more than the burst"
    for left in range(118, -1, -1):
        assert (await key.ask(count=50, ttl=1)).requests.remaining == left
    assert (await key.ask(count=50, ttl=1)).denied_by == "requests"


@pytest.mark.parametrize(
    "limits",
    [{"requests_per_minute": 6_000, "tokens_per_minute": 1_000}, {"requests_per_minute": 6_000, "concurrency": 9}, {}],
)
async def test_other_limits_are_counted_one_by_one_whatever_is_asked(store: Store, limits: dict[str, int]) -> None:
    one, many = Key(store, "one", **limits), Key(store, "many", **limits)
    for _ in range(3):
        assert await many.ask(count=50) == await one.ask()


# --- bursts --------------------------------------------------------------------------------------------


async def test_a_burst_is_what_may_come_at_once_and_the_rate_stays(store: Store) -> None:
    key = Key(store, requests_per_minute=60, requests_burst=3)
    assert [(await key.ask()).requests.remaining for _ in range(3)] == [2, 1, 0]
    refused = await key.ask()
    assert (refused.retry_after_ms, refused.requests.limit, refused.requests.reset_ms) == (1_000, 60, 3_000)
    for _ in range(10):
        store.now += SECOND
        assert (await key.ask()).allowed
        assert not (await key.ask()).allowed


async def test_a_burst_may_be_more_than_a_minutes_units(store: Store) -> None:
    key = Key(store, tokens_per_minute=100, tokens_burst=250)
    assert (await key.ask(tokens=250)).tokens.remaining == 0
    assert (await key.ask(tokens=1)).retry_after_ms == 600
    assert (await key.ask(tokens=251)).retry_after_ms == 0, "never fits"
    store.now += 2 * MINUTE
    assert (await key.ask()).tokens.remaining == 200


# --- corrections ---------------------------------------------------------------------------------------


@pytest.mark.case(6)
async def test_what_was_refilled_while_a_stream_ran_is_not_given_back_once_more(store: Store) -> None:
    """The first stream lasts longer than its tokens take to refill: others have used them meanwhile."""
    key = Key(store, tokens_per_minute=1_000)
    assert (await key.ask(tokens=1_000, lease="long")).allowed
    store.now += MINUTE
    assert (await key.ask(tokens=1_000, lease="other")).allowed
    await key.finish("long", tokens=0)
    assert (await key.ask(tokens=1)).denied_by == "tokens"
    await key.finish("other", tokens=1_000)
    store.now += MINUTE // 2
    assert (await key.ask()).tokens.remaining == 500


async def test_what_was_not_refilled_yet_is_given_back_whole(store: Store) -> None:
    key = Key(store, tokens_per_minute=1_000)
    assert (await key.ask(tokens=500, lease="long")).allowed
    store.now += MINUTE // 4
    assert (await key.ask(tokens=500, lease="other")).allowed
    await key.finish("long", tokens=100)
    assert (await key.ask()).tokens.remaining == 500, "nothing of the first is left; a quarter had refilled"


async def test_after_an_end_without_its_use_the_estimate_stands(store: Store) -> None:
    key, team = Key(store, tokens_per_minute=1_000), Key(store, "team:t", tokens_per_minute=1_000)
    await key.ask(tokens=400, lease="a", also=[team])
    await key.finish("a", tokens=None, also=[team])
    assert (await key.ask()).tokens.remaining == (await team.ask()).tokens.remaining == 600
