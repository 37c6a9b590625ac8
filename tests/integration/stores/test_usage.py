"""Usage reports on every database: the same sums from entries, from roll-ups, and from both together."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.billing.app import open_ledger
from llm_platform.billing.service import DatabaseLedger
from llm_platform.billing.usage import rollups
from llm_platform.billing.usage.rollups import RollUps
from llm_platform.core.actor import Actor, actor
from llm_platform.core.config import Config
from llm_platform.core.database import open_database
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import ledger_pb2
from tests.unit.billing.calls import outcome, problems, record, reserve, reserve_each
from tests.unit.billing.conftest import Clock

STRANGE = "'; DROP TABLE entries; -- %_\\"
NAMES = ("key_a", "Ключ", STRANGE, "=1+1")


@pytest.fixture
async def ledger(config: Config, clock: Clock) -> AsyncIterator[DatabaseLedger]:
    async with open_ledger(config, clock=clock) as opened:
        yield opened


@pytest.fixture
async def engine(ledger: DatabaseLedger, database: str) -> AsyncIterator[AsyncEngine]:
    async with open_database(database, "llm_platform.billing.migrations") as opened:
        yield opened


async def all_rows(ledger: DatabaseLedger, **query: Any) -> list[ledger_pb2.UsageRow]:
    rows: list[ledger_pb2.UsageRow] = []
    cursor = ""
    while True:
        report = await ledger.usage(ledger_pb2.UsageQuery(**query, cursor=cursor, limit=3))
        assert len(report.rows) <= 3
        rows += report.rows
        cursor = report.cursor
        if not cursor:
            return rows


async def book(ledger: DatabaseLedger, clock: Clock, at: float, **call: Any) -> int:
    clock.now = at
    output = call.pop("output")
    asked = reserve(output=output, **call)
    asked.team_id, asked.organization_id = "team_" + asked.key_id, "org_" + asked.model
    await reserve_each(ledger, asked)
    await record(ledger, outcome(asked, input_tokens=1, output_tokens=output))
    return 1_000 + 2_000 * output


async def test_days_of_a_time_zone_are_exact_before_and_after_they_are_rolled_up(
    ledger: DatabaseLedger, engine: AsyncEngine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups, "AT_ONCE", 20)
    chance = random.Random(25)  # noqa: S311
    zones = [ZoneInfo(name) for name in ("Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "UTC")]
    # Clocks are set on October 25 in Berlin and on November 1 in St John's.
    times = [
        datetime(2026, month, day, tzinfo=local).timestamp() + offset
        for month, day in ((10, 25), (11, 1))
        for local in zones
        for offset in (-1, 0, 86_399, 90_000)
    ]
    times += [chance.uniform(times[0], times[-1]) for _ in range(10)]
    booked: list[tuple[float, str, int]] = []
    for at in sorted(times):
        key = chance.choice(NAMES)
        booked.append((at, key, await book(ledger, clock, at, key=key, output=chance.randrange(9))))

    async def check(local: ZoneInfo) -> None:
        expected: Counter[tuple[str, str]] = Counter()
        for at, key, cost in booked:
            expected[str(datetime.fromtimestamp(at, local).date()), key] += cost

        async def days(**query: Any) -> dict[tuple[str, str], int]:
            rows = await all_rows(ledger, by=["day", "key"], time_zone=local.key, **query)
            assert [(row.day, row.key_id) for row in rows] == sorted((row.day, row.key_id) for row in rows)
            return {(row.day, row.key_id): row.cost for row in rows}

        assert await days() == expected
        one_day = {group: cost for group, cost in expected.items() if group[0] == "2026-10-25"}
        assert await days(since="2026-10-25", until="2026-10-26") == one_day
        assert await days(key_id=STRANGE) == {group: cost for group, cost in expected.items() if group[1] == STRANGE}
        by_cost = await all_rows(ledger, by=["key", "day"], time_zone=local.key, order="cost")
        assert [row.cost for row in by_cost] == sorted(expected.values(), reverse=True)

    await check(zones[0])
    more = True
    while more:
        more = await RollUps(engine).advance(int((clock.now + 61) * 1_000_000))
        await check(zones[1])
    for local in zones:
        await check(local)
    assert await problems(ledger) == []


async def test_a_roll_up_that_was_changed_is_found(ledger: DatabaseLedger, engine: AsyncEngine, clock: Clock) -> None:
    await book(ledger, clock, clock.now, output=5)
    assert not await RollUps(engine).advance(int((clock.now + 59) * 1_000_000))
    assert not await RollUps(engine).advance(int((clock.now + 61) * 1_000_000))
    async with engine.begin() as connection:
        assert (await connection.execute(text("SELECT sequence FROM usage_progress"))).scalar_one() > 0
        await connection.execute(text("UPDATE usage_rollups SET cost = cost + 1 WHERE grain = 3600000000"))
    found = await problems(ledger)
    assert len(found) == 2
    assert "in parts of 60 minutes" in found[0]


def acting(role: str, organization: str, *, platform: bool = False) -> Actor:
    return Actor("usr_a", "A", "user", role, organization, platform)


async def test_an_organisation_sees_only_itself_and_a_developer_only_their_own(
    ledger: DatabaseLedger, clock: Clock
) -> None:
    await book(ledger, clock, clock.now, output=1, model="echo")
    await book(ledger, clock, clock.now, output=2, model="parrot")
    foreign = reserve(model="echo")
    foreign.user_id, foreign.organization_id = "usr_b", "org_echo"
    await reserve_each(ledger, foreign)
    await record(ledger, outcome(foreign, output_tokens=4))

    async def models(who: Actor, **query: Any) -> list[tuple[str, int]]:
        token = actor.set(who)
        try:
            seen = await ledger.entries(ledger_pb2.EntriesQuery(kind="settle"))
            rows = await all_rows(ledger, by=["model"], **query)
            assert {entry.model for entry in seen.items} == {row.model for row in rows} or query
            return [(row.model, row.cost) for row in rows]
        finally:
            actor.reset(token)

    everything = [("echo", 11_000), ("parrot", 5_000)]
    assert await models(acting("billing_viewer", "org_echo")) == [("echo", 11_000)]
    assert await models(acting("developer", "org_echo")) == [("echo", 3_000)]
    assert await models(acting("admin", "org_platform", platform=True)) == everything
    assert await models(acting("owner", "org_none")) == []
    assert await models(acting("developer", "org_platform", platform=True)) == []
    for query in ({"organization_id": "org_parrot"}, {"organization_id": "org_echo", "user_id": "usr_b"}):
        with pytest.raises(PlatformError) as refused:
            await models(acting("developer", "org_echo"), **query)
        assert refused.value.code is Code.PERMISSION_DENIED


MEANINGLESS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"by": ["key", "1=1"]}, "by"),
    ({"order": "key_id; --"}, "order"),
    ({"since": "2026-02-30"}, "since"),
    ({"since": "0001-01-01", "time_zone": "Asia/Tokyo"}, "since"),
    ({"since": "2026-01-01T00:00:00"}, "since"),
    ({"until": "9999-12-31T23:59:59-14:00x"}, "until"),
    ({"time_zone": "../../etc/passwd"}, "time_zone"),
    ({"key_id": "a\0b"}, "key_id"),
    ({"cursor": '["a"]'}, "cursor"),
    ({"cursor": "x"}, "cursor"),
    ({"by": ["day"], "cursor": "[99999999999999999999]"}, "cursor"),
)


async def test_a_question_that_means_nothing_is_refused_and_the_ends_of_time_are_no_failure(
    ledger: DatabaseLedger, clock: Clock
) -> None:
    for query, param in MEANINGLESS:
        with pytest.raises(PlatformError) as refused:
            await ledger.usage(ledger_pb2.UsageQuery(**query))
        assert (refused.value.code, refused.value.param) == (Code.INVALID_REQUEST, param)
    await book(ledger, clock, clock.now, output=1)
    for where in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        query = {"since": "0002-01-01", "until": "9998-12-31", "time_zone": where}
        assert [row.cost for row in await all_rows(ledger, by=["day"], **query)] == [3_000]
    assert await all_rows(ledger, by=["day"], since="2027-01-01", until="2026-01-01") == []
