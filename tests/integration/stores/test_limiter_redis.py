"""The limiter in Redis: replicas, Redis's own clock and memory, and its faults."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis

from llm_platform.core import metrics, pki
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.http.limits import RateLimits
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter.app import open_limiter
from llm_platform.rate_limiter.redis_limiter import RedisLimiter
from tests.integration.stores.limiter import SCRIPT, SECOND, TTL, Key, Shared, one, replica, runs
from tests.servers.redis import RedisServer


@pytest.mark.case(6)
@pytest.mark.parametrize(
    ("limits", "passes"),
    [({"requests_per_minute": 100}, 100), ({"tokens_per_minute": 1_000}, 100), ({"concurrency": 100}, 100)],
)
async def test_two_replicas_let_exactly_the_limit_pass(
    redis_server: RedisServer, patience: None, limits: dict[str, int], passes: int
) -> None:
    """300 at once. Time stands still, so that nothing is refilled meanwhile."""
    script = SCRIPT.replace("redis.call('TIME')", "{1700000000, 0}")

    def asked(number: int) -> limiter_pb2.AcquireBatch:
        return one(f"{number}", "key", tokens=10, **limits)

    name = f"dev-{next(runs)}"
    async with (
        aclosing(replica(redis_server, environment=name, script=script)) as first,
        aclosing(replica(redis_server, environment=name, script=script)) as second,
    ):
        replies = await asyncio.gather(*((first, second)[number % 2].acquire(asked(number)) for number in range(300)))
    assert sum(reply.items[0].allowed for reply in replies) == passes


@pytest.mark.case(6)
async def test_places_of_several_scopes_are_never_exceeded_over_two_replicas(
    redis_server: RedisServer, patience: None
) -> None:
    """Two hundred calls of six keys and three users of one organisation, each at either replica; all end at random.

    The first ones stay until every place of the organisation is taken. How many were under way at once is counted
    where they are, which is never more than the limiters count.
    """
    places = {"key": 4, "user": 6, "organization": 9}
    under_way: Counter[str] = Counter()
    most: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    random = Random(1)  # noqa: S311 - nothing is kept secret with it
    full = asyncio.Event()

    def limited(kind: str) -> common_pb2.Limits:
        return common_pb2.Limits(concurrency=places[kind], tokens_per_minute=10**9)

    async def call(limiter: RedisLimiter, number: int) -> None:
        key, user = f"key-{number % 6}", f"user:{number % 3}"
        among = [(user, "user"), ("organization:o", "organization")]
        scopes = [limiter_pb2.Scope(subject=name, limits=limited(kind), tokens=10) for name, kind in among]
        for attempt in range(400):
            lease = f"{number}-{attempt}"
            item = limiter_pb2.Acquire(lease_id=lease, subject=key, limits=limited("key"), tokens=10, scopes=scopes)
            reply = (await limiter.acquire(limiter_pb2.AcquireBatch(items=[item]))).items[0]
            if reply.allowed:
                break
            assert reply.denied_by == "concurrency"
            refused[reply.denied_scope.partition(":")[0]] += 1
            await asyncio.sleep(random.random() / 50)
        else:
            pytest.fail("a place never came free")
        for name in (key, user, "organization:o"):
            under_way[name] += 1
            most[name] = max(most[name], under_way[name])
        if under_way["organization:o"] == places["organization"]:
            full.set()
        async with asyncio.timeout(30):
            await full.wait()
        await asyncio.sleep(random.random() / 100)
        for name in (key, user, "organization:o"):
            under_way[name] -= 1
        ended = limiter_pb2.Finish(lease_id=lease, subject=key, tokens=5, scopes=[user, "organization:o"])
        await limiter.finish(limiter_pb2.FinishBatch(items=[ended]))

    name = f"dev-{next(runs)}"
    async with (
        aclosing(replica(redis_server, environment=name)) as first,
        aclosing(replica(redis_server, environment=name)) as second,
    ):
        await asyncio.gather(*(call((first, second)[number % 2], number) for number in range(200)))
        left = [await first.acquire(one("last", subject, concurrency=1)) for subject in (*most, "fresh")]
    assert most["organization:o"] == places["organization"]
    assert all(count <= places[subject.partition(":")[0].partition("-")[0]] for subject, count in most.items())
    assert refused["organization"] > 0
    assert all(reply.items[0].allowed for reply in left), "every place was given back"


@pytest.mark.case(6)
@pytest.mark.parametrize(
    ("narrow", "passes"),
    [({"requests_per_minute": 100}, 100), ({"tokens_per_minute": 1_000}, 100), ({"concurrency": 100}, 100)],
)
async def test_what_several_keys_share_is_exact_over_two_replicas(
    redis_server: RedisServer, patience: None, narrow: dict[str, int], passes: int
) -> None:
    """300 calls at once of ten keys, whose team is narrower than all of them. Time stands still."""
    script = SCRIPT.replace("redis.call('TIME')", "{1700000000, 0}")
    wide = common_pb2.Limits(requests_per_minute=60, tokens_per_minute=600, concurrency=60)
    team = limiter_pb2.Scope(subject="team:t", limits=common_pb2.Limits(**narrow), tokens=10)

    def asked(number: int) -> limiter_pb2.AcquireBatch:
        item = limiter_pb2.Acquire(
            lease_id=f"{number}", subject=f"key-{number % 10}", limits=wide, tokens=10, scopes=[team]
        )
        return limiter_pb2.AcquireBatch(items=[item])

    name = f"dev-{next(runs)}"
    async with (
        aclosing(replica(redis_server, environment=name, script=script)) as first,
        aclosing(replica(redis_server, environment=name, script=script)) as second,
    ):
        replies = await asyncio.gather(*((first, second)[number % 2].acquire(asked(number)) for number in range(300)))
        taken = [
            60
            - (await first.acquire(one("x", f"key-{number}", requests_per_minute=60))).items[0].requests.remaining
            - 1
            for number in range(10)
        ]
    assert sum(reply.items[0].allowed for reply in replies) == sum(taken) == passes


async def test_what_a_release_without_turns_wrote_is_read_and_it_can_read_what_is_written(
    redis_server: RedisServer, patience: None
) -> None:
    """While replicas are replaced both run, each with its own script on the same hashes. The older one knows leases as
    three numbers and nothing of turns and levels; it ends leases without their turns."""
    limits = {"tokens_per_minute": 1_000, "concurrency": 3}
    async with aclosing(Shared(redis_server)) as shared:
        key = Key(shared, **limits)
        (name,) = [f"llm:{{dev-{shared.clock}:limits}}:key"]
        await key.ask(tokens=400, lease="older")
        await key.ask(tokens=100, lease="newer")
        held = await shared.redis.hgetall(name)
        assert re.fullmatch(r"\d+ \d+ \d+", held["l:older"])
        assert {"at", "requests", "tokens", "leases", "blocks", "blocks_ns", "earliest", "latest"} <= held.keys()
        await shared.redis.hdel(name, "turn", "last", "levels", "t:older")  # as if the older one had taken it
        await key.finish("older", tokens=100)
        assert (await key.ask(lease="last", ttl=30)).tokens.remaining == 800
        await shared.redis.hdel(name, "l:newer")  # as the older one ends it
        await shared.redis.hset(name, "leases", 1)
        shared.now += 30 * SECOND
        assert (await key.ask(lease="more")).allowed
        left = await shared.redis.hgetall(name)
        assert {field for field in left if field[1] == ":"} == {"l:more", "t:more"}


async def test_redis_holds_a_key_only_as_long_as_it_changes_an_answer(redis_server: RedisServer) -> None:
    async with aclosing(replica(redis_server)) as limiter, aclosing(Redis.from_url(redis_server.url)) as client:
        redis: Any = client
        await redis.flushdb()
        await limiter.acquire(one("a", "requests", requests_per_minute=60))
        await limiter.acquire(one("a", "lease", ttl=30, concurrency=1))
        await limiter.acquire(one("a", "ended", ttl=30, concurrency=1))
        await limiter.finish(limiter_pb2.FinishBatch(items=[limiter_pb2.Finish(lease_id="a", subject="ended")]))
        keys = {key.decode().rpartition(":")[2]: await redis.pttl(key) for key in await redis.keys("*")}
    assert set(keys) == {"requests", "lease"}
    assert 1_000 < keys["requests"] <= 11_001
    assert 30_000 < keys["lease"] <= 40_001


async def test_environments_do_not_share_limits(redis_server: RedisServer) -> None:
    async with aclosing(replica(redis_server)) as staging, aclosing(replica(redis_server)) as production:
        for limiter in (staging, production):
            assert (await limiter.acquire(one("a", requests_per_minute=1))).items[0].allowed


async def test_leases_expire_by_redis_own_clock(redis_server: RedisServer) -> None:
    async with aclosing(replica(redis_server)) as limiter:
        await limiter.acquire(one("a", ttl=1, concurrency=1))
        assert not (await limiter.acquire(one("b", concurrency=1))).items[0].allowed
        await asyncio.sleep(1.01)
        assert (await limiter.acquire(one("c", concurrency=1))).items[0].allowed


async def test_a_clock_that_is_set_back_keeps_nobody_waiting(redis_server: RedisServer) -> None:
    async with aclosing(Shared(redis_server)) as shared:
        key = Key(shared, requests_per_minute=60)
        await key.ask()
        shared.now -= 3_600 * SECOND
        assert (await key.ask()).requests.reset_ms == 2_000


# --- faults --------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as own:
        yield own


async def fails(limiter: RedisLimiter) -> str:
    """The message; fails when the call hangs."""
    async with asyncio.timeout(10):
        with pytest.raises(PlatformError) as failure:
            await limiter.acquire(one("x", requests_per_minute=60))
    assert failure.value.code is Code.UNAVAILABLE
    assert metrics.limiter_degraded._value.get() == 1
    assert await limiter.check() == failure.value.message
    return failure.value.message


@pytest.mark.case(10)
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["rename-command EVALSHA ''", "rename-command EVAL ''"], "refuses the script"),
        (["user default on nopass ~* &* +@all -@scripting"], "does not permit the script"),
        (["maxmemory 1", "maxmemory-policy noeviction"], "out of memory"),
        (["requirepass secret"], "user or password"),
    ],
)
async def test_a_redis_that_does_not_do_its_part_shows_and_is_not_replaced_by_memory(
    options: list[str], says: str
) -> None:
    with RedisServer(*options) as refusing:
        async with aclosing(replica(refusing)) as limiter:
            assert says in await fails(limiter)
            assert says in await fails(limiter)


async def test_a_user_with_the_documented_permissions_is_enough() -> None:
    allowed = "~llm:* +evalsha +eval +time +hmget +hget +hset +hdel +hgetall +hexists +del +pexpire"
    with RedisServer(f"user limits on >secret -@all {allowed}", "user default off") as strict:
        url = strict.url.replace("//", "//limits:secret@")
        async with aclosing(RedisLimiter(url, environment="dev", default_ttl_seconds=TTL)) as limiter:
            assert await limiter.check() is None
            await limiter.acquire(one("a", concurrency=1))
            await limiter.finish(limiter_pb2.FinishBatch(items=[limiter_pb2.Finish(lease_id="a", subject="key")]))
            assert (await limiter.acquire(one("b", concurrency=1))).items[0].allowed


async def test_a_redis_that_forgot_the_script_is_given_it_again(server: RedisServer) -> None:
    async with aclosing(replica(server)) as limiter, aclosing(Redis.from_url(server.url)) as client:
        redis: Any = client
        await limiter.acquire(one("a", requests_per_minute=60))
        await redis.script_flush()
        reply = await limiter.acquire(one("b", requests_per_minute=60))
        assert reply.items[0].requests.remaining == 58


@pytest.mark.case(11)
async def test_a_redis_that_comes_later_goes_and_comes_back_empty(server: RedisServer) -> None:
    server.stop()
    async with aclosing(replica(server)) as limiter:
        assert "cannot be reached" in await fails(limiter)
        server.start()
        assert await limiter.check() is None
        assert (await limiter.acquire(one("a", requests_per_minute=1))).items[0].allowed
        assert not (await limiter.acquire(one("b", requests_per_minute=1))).items[0].allowed
        assert metrics.limiter_degraded._value.get() == 0
        server.stop()
        assert "cannot be reached" in await fails(limiter)
        server.start()
        assert (await limiter.acquire(one("c", requests_per_minute=1))).items[0].allowed, "limits begin anew"


async def test_a_restart_between_two_calls_fails_none(server: RedisServer) -> None:
    async with aclosing(replica(server)) as limiter:
        await asyncio.gather(*(limiter.acquire(one(f"{number}", concurrency=99)) for number in range(10)))
        server.stop()
        server.start()
        await asyncio.gather(*(limiter.acquire(one(f"{number}", concurrency=99)) for number in range(10)))


@pytest.mark.case(12)
async def test_a_frozen_redis_costs_each_call_a_bounded_time_and_is_used_again(server: RedisServer) -> None:
    async with aclosing(replica(server, connections=2)) as limiter:
        await limiter.acquire(one("a", concurrency=9))
        server.freeze()
        # More calls than connections: those that wait for one are bounded too.
        async with asyncio.timeout(10):
            failures = await asyncio.gather(
                *(limiter.acquire(one(f"{number}", concurrency=9)) for number in range(20)), return_exceptions=True
            )
        assert all(isinstance(failure, PlatformError) for failure in failures)
        assert "does not answer within 0.5 s" in await fails(limiter)
        server.thaw()
        for _ in range(20):  # the thawed one answers soon; each look is bounded
            if await limiter.check() is None:
                break
        assert (await limiter.acquire(one("b", "other", concurrency=1))).items[0].allowed
        assert not (await limiter.acquire(one("c", "other", concurrency=1))).items[0].allowed


@pytest.mark.case(10)
@pytest.mark.case(12)
async def test_the_entry_lets_requests_pass_and_says_so_while_redis_is_frozen(server: RedisServer) -> None:
    """The whole way: the configured limiter behind an entry's RateLimits, with its own patience."""
    config = Config.model_validate({"stores": {"limits_url": server.url}, "traffic": {"concurrency": 1}})
    who = common_pb2.Principal(key_id="k")
    async with open_limiter(config) as limiter, aclosing(RateLimits(config, limiter)) as entry:
        assert await entry.acquire(who, "a", 1, {}) is not None
        with pytest.raises(PlatformError, match="too many requests at once"):
            await entry.acquire(who, "b", 1, {})
        server.freeze()
        async with asyncio.timeout(10):
            for number in range(50):
                assert await entry.acquire(who, f"free-{number}", 1, {}) is not None
        assert "rate limits are off" in (entry.degraded() or "")
        assert metrics.limiter_degraded._value.get() == 1
        server.thaw()


async def test_tls_is_checked_against_the_configured_authority(tmp_path: Path) -> None:
    authority = pki.issue_authority("test.internal")
    pki.write_bundle(tmp_path / "own", pki.issue_certificate(authority, "redis", addresses=["127.0.0.1"]))
    pki.write_bundle(tmp_path / "other", pki.issue_certificate(pki.issue_authority("other.internal"), "redis"))
    with RedisServer(tls=tmp_path / "own") as secured:
        for folder, reached in (("own", True), ("other", False)):
            async with aclosing(replica(secured, authority=tmp_path / folder / pki.AUTHORITY_FILE)) as limiter:
                assert (await limiter.check() is None) is reached
