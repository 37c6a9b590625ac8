"""Redis decides as memory does: random histories, every number and time in every answer."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_platform.proto import common_pb2, limiter_pb2
from tests.integration.stores.limiter import MINUTE, SECOND, Memory, Shared
from tests.servers.redis import RedisServer

sizes = st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 1))
rates = st.one_of(st.just(0), st.integers(1, 2_000), st.integers(1, 2**32 - 1))
token_rates = st.one_of(st.just(0), st.integers(1, 2_000), st.integers(1, 9 * 10**12))
subjects = st.sampled_from(["one", "two"])
others = st.sampled_from(["one", "user:u", "team:t", "model:m"])
names = st.sampled_from([f"lease-{number}" for number in range(8)])
limits = st.builds(
    lambda requests, tokens, concurrency, requests_burst, tokens_burst: common_pb2.Limits(
        requests_per_minute=requests,
        tokens_per_minute=tokens,
        concurrency=concurrency,
        requests_burst=requests_burst,
        tokens_burst=tokens_burst,
    ),
    *(rates, token_rates, st.integers(0, 4)),
    st.one_of(st.just(0), st.integers(1, 3_000), st.integers(1, 2**32 - 1)),
    st.one_of(st.just(0), st.integers(1, 3_000), st.integers(1, 2**64 - 1)),
)
request_limits = st.builds(
    lambda requests, burst: common_pb2.Limits(requests_per_minute=requests, requests_burst=burst),
    *(st.sampled_from([250, 600, 7_000]), st.sampled_from([0, 0, 50, 20_000])),
)


def scopes(of: st.SearchStrategy[common_pb2.Limits]) -> st.SearchStrategy[list[limiter_pb2.Scope]]:
    scope = st.builds(
        lambda subject, limit, units: limiter_pb2.Scope(subject=subject, limits=limit, tokens=units), others, of, sizes
    )
    return st.one_of(st.just([]), st.lists(scope, max_size=4))


acquires = st.builds(
    lambda subject, name, limit, units, ttl, block, among: limiter_pb2.Acquire(
        subject=subject, lease_id=name, limits=limit, tokens=units, ttl_seconds=ttl, count=block, scopes=among
    ),
    *(subjects, names, limits, sizes),
    st.one_of(st.integers(0, 20), st.integers(0, 2**32 - 1)),
    st.sampled_from([0, 1, 2, 50, 2**32 - 1]),
    scopes(limits),
)
blocks = st.builds(
    lambda subject, name, limit, size, among: limiter_pb2.Acquire(
        subject=subject, lease_id=name, limits=limit, ttl_seconds=1, count=size, scopes=among
    ),
    *(subjects, names, request_limits, st.integers(1, 80), scopes(request_limits)),
)
finishes = st.builds(
    lambda subject, name, units, spent, among, stands: limiter_pb2.Finish(
        subject=subject, lease_id=name, tokens=units, requests=spent, scopes=among, estimate_stands=stands
    ),
    *(subjects, names, sizes, st.integers(0, 100), st.lists(others, max_size=4), st.booleans()),
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
def test_redis_decides_as_memory_does_to_the_nanosecond(
    redis_server: RedisServer, patience: None, asked: list[Any]
) -> None:
    """Nothing is rounded differently, and nothing of a call that several scopes decide is decided differently."""
    asyncio.run(play(redis_server, asked))


streams = st.lists(
    st.tuples(
        st.integers(0, 3 * SECOND),
        st.one_of(
            st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=40),  # begin, of one or two
            st.lists(st.tuples(st.just(0), st.integers(0, 40)), min_size=1, max_size=6),  # end
        ),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams, st.randoms(use_true_random=False))
def test_many_streams_that_overlap_are_corrected_alike(
    redis_server: RedisServer, patience: None, made: list[Any], random: Any
) -> None:
    """More calls under way than levels are remembered, of a key and of its team."""
    key = common_pb2.Limits(tokens_per_minute=2_000)
    team = limiter_pb2.Scope(subject="team:t", limits=common_pb2.Limits(tokens_per_minute=3_000, tokens_burst=5_000))
    asked: list[tuple[int, list[Any]]] = []
    under_way: list[tuple[str, bool]] = []
    for pause, what in made:
        if isinstance(what[0][1], bool):
            items = []
            for units, both in what:
                lease = f"{len(asked)}-{len(items)}"
                among = [limiter_pb2.Scope(subject=team.subject, limits=team.limits, tokens=units)] if both else []
                items.append(limiter_pb2.Acquire(lease_id=lease, subject="one", limits=key, tokens=units, scopes=among))
                under_way.append((lease, both))
            asked.append((pause, items))
        elif under_way:
            ended = [(under_way.pop(random.randrange(len(under_way))), used) for _, used in what[: len(under_way)]]
            asked.append(
                (
                    pause,
                    [
                        limiter_pb2.Finish(lease_id=lease, subject="one", tokens=used, scopes=["team:t"] * both)
                        for (lease, both), used in ended
                    ],
                )
            )
    asyncio.run(play(redis_server, asked))


async def play(server: RedisServer, asked: list[Any]) -> None:
    """Every answer of both is the same, header numbers and times in it."""
    memory = Memory()
    async with aclosing(Shared(server)) as shared:
        for pause, batch in asked:
            one = await memory.at(memory.now + pause)
            other = await shared.at(memory.now)
            if batch and isinstance(batch[0], limiter_pb2.Finish):
                request = limiter_pb2.FinishBatch(items=batch)
                await asyncio.gather(one.finish(request), other.finish(request))
            else:
                asking = limiter_pb2.AcquireBatch(items=batch)
                assert await other.acquire(asking) == await one.acquire(asking)


async def test_more_calls_than_levels_are_remembered_are_corrected_alike(
    redis_server: RedisServer, patience: None
) -> None:
    """A hundred begin, each at another level; then they end in another order, seen each time in what is left."""
    key = common_pb2.Limits(tokens_per_minute=100_000)
    asked: list[Any] = []
    for number in range(100):
        begun = limiter_pb2.Acquire(lease_id=f"{number}", subject="one", limits=key, tokens=100 + number)
        asked.append((20_000 + 997 * (number % 31), [begun]))
    for number in range(100):
        ended = limiter_pb2.Finish(lease_id=f"{number * 37 % 100}", subject="one", tokens=number % 7)
        asked += [(150_000, [ended]), (0, [limiter_pb2.Acquire(lease_id="look", subject="one", limits=key)])]
    await play(redis_server, asked)
