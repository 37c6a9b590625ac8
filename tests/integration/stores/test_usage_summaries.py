"""Reports over everybody, from summaries: equal to the entries while summaries are made, behind, or not there yet."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.billing.app import open_ledger
from llm_platform.billing.service import DatabaseLedger
from llm_platform.billing.usage import rollups
from llm_platform.billing.usage.rollups import RollUps
from llm_platform.core.config import Config
from llm_platform.core.database import open_database
from llm_platform.proto import ledger_pb2
from tests.unit.billing.calls import outcome, problems, record, reserve
from tests.unit.billing.conftest import Clock

DAYS = 23
CALLS = 60
BEGIN = datetime(2026, 9, 28, 3, tzinfo=UTC).timestamp()
GROUPS = ("day", "key", "user", "team", "organization", "provider", "model")
ASKED = [[], *([one] for one in GROUPS), *map(list, combinations(GROUPS, 2))]
ZONE = "Asia/Kolkata"

Call = dict[str, Any]
"""Its dimensions, its cost and when it was booked."""


@pytest.fixture
async def ledger(config: Config, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DatabaseLedger]:
    monkeypatch.setattr(rollups, "EVERY_SECONDS", 3_600.0)  # here the test says when
    async with open_ledger(config, clock=clock) as opened:
        yield opened


@pytest.fixture
async def engine(ledger: DatabaseLedger, database: str) -> AsyncIterator[AsyncEngine]:
    async with open_database(database, "llm_platform.billing.migrations") as opened:
        yield opened


async def book(ledger: DatabaseLedger, clock: Clock) -> list[Call]:
    """Calls of a few keys over some weeks, in the order they were made."""
    chance = random.Random(3)  # noqa: S311
    calls = []
    for at in sorted(BEGIN + chance.uniform(0, DAYS * 86_400) for _ in range(CALLS)):
        clock.now = at
        number = chance.randrange(5)
        asked = reserve(
            key=f"key_{number}", user=f"usr_{number // 2}", team=("", "team_a", "team_b")[number % 3],
            organization=f"org_{number // 3}", model=chance.choice(("echo", "parrot")), output=9,
        )  # fmt: skip
        output = chance.randrange(9)
        await ledger.reserve(ledger_pb2.ReserveBatch(items=[asked]))
        await record(ledger, outcome(asked, input_tokens=1, output_tokens=output))
        calls.append({
            "day": str(datetime.fromtimestamp(at, ZoneInfo(ZONE)).date()), "key": asked.key_id, "user": asked.user_id,
            "team": asked.team_id, "organization": asked.organization_id, "provider": "echo", "model": asked.model,
            "cost": 1_000 + 2_000 * output, "at": at,
        })  # fmt: skip
    return calls


def expected(calls: Sequence[Call], by: Sequence[str], **only: str) -> Counter[tuple[str, ...]]:
    sums: Counter[tuple[str, ...]] = Counter()
    for call in calls:
        if all(call[name] == value for name, value in only.items()):
            sums[tuple(call[name] for name in by or ("key", "provider", "model"))] += call["cost"]
    return sums


async def reported(ledger: DatabaseLedger, by: Sequence[str], **query: Any) -> Counter[tuple[str, ...]]:
    rows = (await ledger.usage(ledger_pb2.UsageQuery(by=by, time_zone=ZONE, **query))).rows
    names = [
        name if name in ("day", "provider", "model") else f"{name}_id" for name in by or ("key", "provider", "model")
    ]
    return Counter({tuple(getattr(row, name) for name in names): row.cost for row in rows})


async def check(ledger: DatabaseLedger, calls: Sequence[Call]) -> None:
    """Every grouping, of everybody and filtered; a part of the time; the largest, page by page; and the books."""
    for by in ASKED:
        assert await reported(ledger, by) == expected(calls, by), by
    for name, value in (("organization", "org_0"), ("model", "parrot"), ("user", "usr_1"), ("key", "key_2")):
        column = name if name == "model" else f"{name}_id"
        for by in (["key"], ["user"], ["day"], ["team"], ["day", "model"]):
            assert await reported(ledger, by, **{column: value}) == expected(calls, by, **{name: value}), (name, by)
    part = {"since": "2026-10-05T10:20:00Z", "until": "2026-10-17T04:00:00Z"}
    since, until = (datetime.fromisoformat(part[name]).timestamp() for name in ("since", "until"))
    within = [call for call in calls if since <= call["at"] < until]
    for by in (["key"], ["model"], ["day", "organization"]):
        assert await reported(ledger, by, **part) == expected(within, by), by
    for by in ("key", "user"):
        largest: list[int] = []
        cursor = ""
        while len(largest) == 0 or cursor:
            query = ledger_pb2.UsageQuery(by=[by], order="cost", limit=2, cursor=cursor)
            page = await ledger.usage(query)
            largest += [row.cost for row in page.rows]
            assert all(row.requests > 0 and row.usage.input_tokens == row.requests for row in page.rows)
            cursor = page.cursor
        assert largest == sorted(expected(calls, [by]).values(), reverse=True)
    assert await problems(ledger) == []


async def test_reports_are_equal_at_every_step_of_making_summaries(
    ledger: DatabaseLedger, engine: AsyncEngine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = await book(ledger, clock)
    now = int((clock.now + 61) * 1_000_000)
    await check(ledger, calls)
    with monkeypatch.context() as patched:
        patched.setattr(rollups, "AT_ONCE", 100)
        assert await RollUps(engine).advance(now)
    await check(ledger, calls)

    async def none(_self: RollUps, _connection: object, _rolled_up: int) -> bool:
        return False

    with monkeypatch.context() as patched:
        patched.setattr(RollUps, "_summarise", none)  # as the release before
        assert not await RollUps(engine).advance(now)
    await check(ledger, calls)
    while await RollUps(engine).advance(now):
        pass
    await check(ledger, calls)


async def test_summaries_are_made_of_roll_ups_from_before_they_were(
    ledger: DatabaseLedger, engine: AsyncEngine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = await book(ledger, clock)
    now = int((clock.now + 61) * 1_000_000)
    while await RollUps(engine).advance(now):
        pass
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM usage_summaries"))
        await connection.execute(text(f"UPDATE summary_progress SET summarised_from = {2**62}"))  # noqa: S608
    monkeypatch.setattr(rollups, "HOURS_AT_ONCE", 10 * 86_400_000_000)
    steps = 0
    await check(ledger, calls)
    while await RollUps(engine).advance(now):
        steps += 1
        await check(ledger, calls)
    assert steps >= 3
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT summarised_from FROM summary_progress"))).scalar_one() == 0


async def test_a_summary_that_was_changed_is_found(ledger: DatabaseLedger, engine: AsyncEngine, clock: Clock) -> None:
    await book(ledger, clock)
    while await RollUps(engine).advance(int((clock.now + 61) * 1_000_000)):
        pass
    which = "kept = 'provider,model' AND grain = 3600000000"
    change = f"UPDATE usage_summaries SET output_tokens = output_tokens + 1 WHERE {which}"  # noqa: S608
    async with engine.begin() as connection:
        await connection.execute(text(change))
    found = await problems(ledger)
    assert found
    assert "provider echo" in found[0]
    assert "in parts of 60 minutes" in found[0]
