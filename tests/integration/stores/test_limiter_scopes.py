"""Several scopes in one call, in memory and in a real Redis: all are taken from, or none."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llm_platform.proto import common_pb2, limiter_pb2
from tests.integration.stores.limiter import MINUTE, SECOND, Key, Store, opened
from tests.servers.redis import RedisServer


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest, redis_server: RedisServer, patience: None) -> AsyncIterator[Store]:
    async with opened(request.param, redis_server) as one:
        yield one


async def test_a_call_takes_from_every_scope_and_each_may_be_shared(store: Store) -> None:
    team = Key(store, "team:t", requests_per_minute=60)
    first, second = (Key(store, name, requests_per_minute=600) for name in ("first", "second"))
    for _ in range(30):
        assert (await first.ask(also=[team])).allowed
        assert (await second.ask(also=[team])).allowed
    refused = await first.ask(also=[team])
    assert (refused.denied_by, refused.denied_scope, refused.retry_after_ms) == ("requests", "team:t", 1_000)
    assert (await first.ask()).requests.remaining == 600 - 30 - 1


@pytest.mark.parametrize(
    ("narrow", "denied_by"),
    [
        ({"requests_per_minute": 1}, "requests"),
        ({"tokens_per_minute": 15}, "tokens"),
        ({"concurrency": 1}, "concurrency"),
    ],
)
async def test_a_refusal_of_any_scope_takes_nothing_of_the_others(
    store: Store, narrow: dict[str, int], denied_by: str
) -> None:
    wide = {"requests_per_minute": 100, "tokens_per_minute": 1_000, "concurrency": 10}
    scopes = [Key(store, "user:u", **wide), Key(store, "model:m", **narrow), Key(store, "organization:o", **wide)]
    key = Key(store, **wide)
    assert (await key.ask(tokens=10, lease="a", also=scopes)).allowed
    for _ in range(20):
        refused = await key.ask(tokens=10, also=scopes)
        assert (refused.denied_by, refused.denied_scope) == (denied_by, "model:m")
    for one in (key, scopes[0], scopes[2]):
        reply = await one.ask(tokens=10)
        assert (reply.requests.remaining, reply.tokens.remaining) == (98, 980)


async def test_a_place_in_every_scope_is_held_until_the_call_ends(store: Store) -> None:
    key, team = Key(store, concurrency=5), Key(store, "team:t", concurrency=2)
    for lease in ("a", "b"):
        assert (await key.ask(lease=lease, also=[team])).allowed
    assert (await key.ask(lease="c", also=[team])).denied_scope == "team:t"
    await key.finish("a", also=[team])
    assert (await key.ask(lease="c", also=[team])).allowed
    assert not (await key.ask(lease="d", also=[team])).allowed
    store.now += 600 * SECOND
    assert [(await team.ask(lease=name)).allowed for name in "efg"] == [True, True, False]


async def test_tokens_of_every_scope_are_corrected(store: Store) -> None:
    key, model = Key(store, tokens_per_minute=1_000), Key(store, "model:m", tokens_per_minute=2_000)
    await key.ask(tokens=800, lease="a", also=[model])
    await key.finish("a", tokens=100, also=[model])
    assert ((await key.ask()).tokens.remaining, (await model.ask()).tokens.remaining) == (900, 1_900)


async def test_each_scope_has_an_estimate_of_its_own(store: Store) -> None:
    key, model = Key(store, tokens_per_minute=100), Key(store, "model:m", tokens_per_minute=1_000)
    item = key.item(tokens=100, lease="a", also=[model])
    item.scopes[0].tokens = 700
    await (await store.at(store.now)).acquire(limiter_pb2.AcquireBatch(items=[item]))
    assert ((await key.ask()).tokens.remaining, (await model.ask()).tokens.remaining) == (0, 300)


async def test_the_longest_wait_is_told_with_whose_it_is(store: Store) -> None:
    key, user = Key(store, requests_per_minute=60, requests_burst=1), Key(store, "user:u", requests_per_minute=1)
    await key.ask(also=[user])
    refused = await key.ask(also=[user])
    assert (refused.denied_scope, refused.retry_after_ms, refused.requests.limit) == ("user:u", MINUTE // 1_000, 1)
    store.now += MINUTE
    assert (await key.ask(also=[user])).allowed


async def test_what_never_fits_a_scope_comes_before_every_wait(store: Store) -> None:
    key, model = Key(store, requests_per_minute=1), Key(store, "model:m", tokens_per_minute=100)
    await key.ask()
    refused = await key.ask(tokens=101, also=[model])
    assert (refused.denied_by, refused.denied_scope, refused.retry_after_ms) == ("tokens", "model:m", 0)


async def test_the_reply_tells_of_the_scope_with_the_least_left(store: Store) -> None:
    key = Key(store, requests_per_minute=10, tokens_per_minute=100_000)
    team = Key(store, "team:t", requests_per_minute=1_000, tokens_per_minute=1_000)
    reply = await key.ask(tokens=100, also=[team])
    assert (reply.requests.limit, reply.requests.remaining) == (10, 9)
    assert (reply.tokens.limit, reply.tokens.remaining) == (1_000, 900)


async def test_a_scope_without_limits_and_one_named_twice_are_as_if_they_were_not_there(store: Store) -> None:
    key, team = Key(store, requests_per_minute=10, concurrency=9), Key(store, "team:t", requests_per_minute=10)
    nothing = Key(store, "user:u")
    reply = await key.ask(also=[nothing, team, team, key])
    assert (reply.requests.remaining, (await team.ask()).requests.remaining) == (9, 8)
    assert (await nothing.ask(also=[nothing])).allowed
    alone = await nothing.ask(also=[team])
    assert (alone.allowed, alone.requests.remaining) == (True, 7)


async def test_an_acquire_of_several_that_is_sent_again_takes_nothing_again(store: Store) -> None:
    key, team = Key(store, requests_per_minute=10), Key(store, "team:t", concurrency=2)
    first = await key.ask(lease="a", also=[team])
    assert await key.ask(lease="a", also=[team]) == first
    busy, whole = Key(store, "busy", requests_per_minute=6_000), Key(store, "user:u", requests_per_minute=9_000)
    block = await busy.ask(count=50, ttl=1, lease="a", also=[whole])
    assert block.granted == 50
    assert await busy.ask(count=50, ttl=1, lease="a", also=[whole]) == block


async def test_a_block_is_as_large_as_the_smallest_scope_allows_and_given_back_to_all(store: Store) -> None:
    key, team = Key(store, requests_per_minute=60_000), Key(store, "team:t", requests_per_minute=6_000)
    reply = await key.ask(count=500, ttl=1, lease="a", also=[team])
    assert (reply.granted, reply.requests.limit) == (60, 6_000)
    await key.finish("a", requests=10, also=[team])
    assert (await team.ask()).requests.remaining == 6_000 - 100 - 10 - 1
    assert (await key.ask()).requests.remaining == 60_000 - 1_000 - 10 - 1


async def test_no_block_where_one_scope_has_more_than_a_limit_of_requests(store: Store) -> None:
    key, team = Key(store, requests_per_minute=60_000), Key(store, "team:t", tokens_per_minute=6_000)
    assert (await key.ask(count=500, ttl=1, also=[team])).granted == 0


async def test_a_call_of_an_older_entry_and_one_of_a_newer_share_the_key(store: Store) -> None:
    """An older entry knows nothing of scopes and ends its leases by the key alone."""
    key, team = Key(store, concurrency=2, tokens_per_minute=100), Key(store, "team:t", concurrency=9)
    assert (await key.ask(tokens=30, lease="new", also=[team])).allowed
    assert (await key.ask(tokens=30, lease="old")).tokens.remaining == 40
    assert (await key.ask(tokens=0)).denied_by == "concurrency"
    await key.finish("old", tokens=0)
    await key.finish("new", tokens=0, also=[team])
    assert (await key.ask()).tokens.remaining == 100


def test_an_older_limiter_reads_a_newer_acquire_as_that_of_the_key() -> None:
    """What it does not know it leaves: the fields that it knows mean what they meant."""
    item = limiter_pb2.Acquire(
        lease_id="a",
        subject="key",
        limits=common_pb2.Limits(requests_per_minute=60, requests_burst=5),
        scopes=[limiter_pb2.Scope(subject="team:t")],
    )
    numbers = {field.number for field, _ in item.ListFields()}
    assert numbers == {1, 2, 3, 7}
    assert {field.number for field, _ in item.limits.ListFields()} == {1, 4}
