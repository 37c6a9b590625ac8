"""docs/limits.md in memory and in a real Redis: one suite, the same clock, the same answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from llm_platform.core import metrics, pki
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.http.limits import RateLimits
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter import redis_limiter
from llm_platform.rate_limiter.app import open_limiter
from llm_platform.rate_limiter.redis_limiter import RedisLimiter
from llm_platform.rate_limiter.service import MemoryLimiter
from tests.servers.redis import RedisServer

SECOND = 1_000_000  # microseconds, as Redis counts
MINUTE = 60 * SECOND
TTL = 660
SCRIPT = redis_limiter._SCRIPT
Limiter = MemoryLimiter | RedisLimiter

runs = count()


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    """For the tests that only use it; tests of faults start their own."""
    with RedisServer() as server:
        yield server


class Memory:
    """The limiter of one process, at a time that the test sets."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * SECOND
        self.limiter: Limiter = MemoryLimiter(TTL, clock_ns=lambda: self.now * 1000)

    async def at(self, now: int) -> Limiter:
        self.now = now
        return self.limiter


class Shared:
    """The limiter in Redis, whose script reads the time that the test sets instead of Redis's own."""

    def __init__(self, server: RedisServer) -> None:
        clock = f"clock-{next(runs)}"
        self.now = 1_700_000_000 * SECOND
        script = SCRIPT.replace("redis.call('TIME')", f"redis.call('LRANGE', '{clock}', 0, 1)")
        assert script != SCRIPT
        self.limiter: Limiter = RedisLimiter(
            server.url, environment=f"dev-{clock}", default_ttl_seconds=TTL, script=script
        )
        self._clock = clock
        self.redis: Any = Redis.from_url(server.url, decode_responses=True)

    async def at(self, now: int) -> Limiter:
        self.now = now
        async with self.redis.pipeline() as pipe:
            await pipe.delete(self._clock).rpush(self._clock, now // SECOND, now % SECOND).execute()
        return self.limiter

    async def aclose(self) -> None:
        assert isinstance(self.limiter, RedisLimiter)
        await self.limiter.aclose()
        await self.redis.aclose()


Store = Memory | Shared


@asynccontextmanager
async def opened(kind: str, server: RedisServer) -> AsyncIterator[Store]:
    if kind == "memory":
        yield Memory()
        return
    async with aclosing(Shared(server)) as shared:
        yield shared


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest, redis_server: RedisServer) -> AsyncIterator[Store]:
    async with opened(request.param, redis_server) as one:
        yield one


class Key:
    """One key that makes requests."""

    def __init__(self, store: Store, subject: str = "key", **limits: int) -> None:
        self._store = store
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
        limiter = await self._store.at(self._store.now)
        batch = limiter_pb2.AcquireBatch(items=[self.item(tokens, ttl, lease, count)])
        return (await limiter.acquire(batch)).items[0]

    async def finish(self, lease: str, tokens: int = 0, requests: int = 0) -> None:
        limiter = await self._store.at(self._store.now)
        item = limiter_pb2.Finish(lease_id=lease, subject=self._subject, tokens=tokens, requests=requests)
        await limiter.finish(limiter_pb2.FinishBatch(items=[item]))


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


# --- equality ------------------------------------------------------------------------------------------

sizes = st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 1))
rates = st.one_of(st.just(0), st.integers(1, 2_000), st.integers(1, 2**32 - 1))
token_rates = st.one_of(st.just(0), st.integers(1, 2_000), st.integers(1, 9 * 10**12))
subjects = st.sampled_from(["one", "two"])
names = st.sampled_from([f"lease-{number}" for number in range(8)])
acquires = st.builds(
    lambda subject, name, requests, tokens, concurrency, units, ttl, block: limiter_pb2.Acquire(
        subject=subject,
        lease_id=name,
        limits=common_pb2.Limits(requests_per_minute=requests, tokens_per_minute=tokens, concurrency=concurrency),
        tokens=units,
        ttl_seconds=ttl,
        count=block,
    ),
    *(subjects, names, rates, token_rates, st.integers(0, 4), sizes),
    st.one_of(st.integers(0, 20), st.integers(0, 2**32 - 1)),
    st.sampled_from([0, 1, 2, 50, 2**32 - 1]),
)
blocks = st.builds(
    lambda subject, name, requests, size: limiter_pb2.Acquire(
        subject=subject,
        lease_id=name,
        limits=common_pb2.Limits(requests_per_minute=requests),
        ttl_seconds=1,
        count=size,
    ),
    *(subjects, names, st.sampled_from([250, 600, 7_000]), st.integers(1, 80)),
)
finishes = st.builds(
    lambda subject, name, units, spent: limiter_pb2.Finish(
        subject=subject, lease_id=name, tokens=units, requests=spent
    ),
    *(subjects, names, sizes, st.integers(0, 100)),
)
pauses = st.one_of(st.just(0), st.integers(0, 3 * SECOND), st.integers(0, 70 * MINUTE))
steps = st.lists(
    st.tuples(
        pauses, st.one_of(st.lists(st.one_of(acquires, blocks), max_size=6), st.lists(finishes, min_size=1, max_size=6))
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps)
def test_redis_decides_as_memory_does_to_the_nanosecond(redis_server: RedisServer, asked: list[Any]) -> None:
    """Every answer, header numbers and times in it, is the same; nothing is rounded differently."""

    async def play() -> None:
        memory = Memory()
        async with aclosing(Shared(redis_server)) as shared:
            for pause, batch in asked:
                one = await memory.at(memory.now + pause)
                other = await shared.at(memory.now)
                if batch and isinstance(batch[0], limiter_pb2.Finish):
                    request = limiter_pb2.FinishBatch(items=batch)
                    await asyncio.gather(one.finish(request), other.finish(request))
                else:
                    asking = limiter_pb2.AcquireBatch(items=batch)
                    assert await other.acquire(asking) == await one.acquire(asking)

    asyncio.run(play())


# --- replicas, Redis's own clock, memory ---------------------------------------------------------------


def replica(server: RedisServer, **options: Any) -> RedisLimiter:
    return RedisLimiter(server.url, default_ttl_seconds=TTL, **{"environment": f"dev-{next(runs)}", **options})


def one(
    lease: str, subject: str = "key", *, ttl: int = 600, tokens: int = 0, **limits: int
) -> limiter_pb2.AcquireBatch:
    item = limiter_pb2.Acquire(
        lease_id=lease, subject=subject, limits=common_pb2.Limits(**limits), ttl_seconds=ttl, tokens=tokens
    )
    return limiter_pb2.AcquireBatch(items=[item])


@pytest.mark.case(6)
@pytest.mark.parametrize(
    ("limits", "passes"),
    [({"requests_per_minute": 100}, 100), ({"tokens_per_minute": 1_000}, 100), ({"concurrency": 100}, 100)],
)
async def test_two_replicas_let_exactly_the_limit_pass(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int], passes: int
) -> None:
    """300 at once. Time stands still, so that nothing is refilled meanwhile; patience is not what is tested."""
    monkeypatch.setattr(redis_limiter, "CALL_SECONDS", 20)
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
        (["maxmemory 1", "maxmemory-policy noeviction"], "refuses the script"),
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
