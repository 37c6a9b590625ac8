"""Health: live says little, ready names every dependency."""

from __future__ import annotations

import asyncio

import pytest

from llm_platform.core.config import Config, Service
from llm_platform.core.health import Health, State


@pytest.fixture
def health() -> Health:
    health = Health(Config(service=Service(name="head", replica="head-1")), timeout=0.05, keep=0)
    health.started = True
    return health


async def test_a_process_is_not_ready_before_it_has_started(health: Health) -> None:
    health.started = False
    report = await health.report()
    assert (report.status, report.ready) == (State.STARTING, False)
    health.started = True
    assert (await health.report()).ready


async def test_each_dependency_is_named_with_its_state(health: Health) -> None:
    async def down() -> None:
        raise ConnectionError("connection refused")

    health.add("billing", lambda: None)
    health.add("head", down)
    health.add("vault", lambda: "sealed")
    report = await health.report()
    assert report.status is State.NOT_READY
    assert report.dependencies["billing"].state == "ok"
    assert (report.dependencies["head"].state, report.dependencies["head"].reason) == ("down", "connection refused")
    assert report.dependencies["vault"].reason == "sealed"


async def test_what_is_not_required_only_degrades(health: Health) -> None:
    health.add("limiter", lambda: "limits are off", required=False)
    report = await health.report()
    assert (report.status, report.ready) == (State.DEGRADED, True)


@pytest.mark.case(12)
async def test_a_frozen_dependency_does_not_hang_the_answer(health: Health) -> None:
    async def frozen() -> None:
        await asyncio.Event().wait()

    health.add("redis", frozen)
    async with asyncio.timeout(2):
        report = await health.report()
    assert report.dependencies["redis"].reason == "no answer within 0.05 s"


@pytest.mark.case(11)
async def test_a_dependency_that_comes_back_is_noticed(health: Health) -> None:
    state: list[str | None] = ["down at boot"]
    health.add("database", lambda: state[0])
    assert not (await health.report()).ready
    state[0] = None
    assert (await health.report()).ready


async def test_a_draining_process_is_not_ready_and_says_so(health: Health) -> None:
    health.draining = True
    report = await health.report()
    assert (report.status, report.ready) == (State.DRAINING, False)
    assert health.live()["status"] == "ok"


async def test_probes_share_a_recent_answer() -> None:
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1

    health = Health(Config(), keep=60)
    health.add("x", check)
    await asyncio.gather(*(health.report() for _ in range(10)))
    assert asked == 1


async def test_a_reason_shows_no_secret(health: Health) -> None:
    health.add("db", lambda: (_ for _ in ()).throw(OSError("cannot reach postgresql://u:canary@db/x")))  # type: ignore[func-returns-value]
    reason = (await health.report()).dependencies["db"].reason
    assert reason is not None
    assert "canary" not in reason


async def test_requests_may_be_sent_to_a_replica_whose_dependency_is_gone_but_not_to_a_draining_one(
    health: Health,
) -> None:
    health.add("gone", lambda: "no answer")
    health.started = False
    assert not health.accepting
    health.started = True
    assert not (await health.report()).ready
    assert health.accepting
    health.draining = True
    assert not health.accepting
