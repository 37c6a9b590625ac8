"""Reservations that one statement of PostgreSQL decides and writes: never another decision than the rules'."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from llm_platform.billing.app import open_ledger
from llm_platform.billing.service import DatabaseLedger
from llm_platform.core.config import Billing, Config, Service, Stores
from llm_platform.core.errors import Code
from llm_platform.core.postgresql import ServerTransactions
from llm_platform.proto import ledger_pb2
from tests.servers.postgresql import PostgresqlServer
from tests.unit.billing.calls import (
    balance,
    entries,
    outcome,
    problems,
    put_budget,
    record,
    release,
    reserve,
    reserve_each,
    room,
)


@pytest.fixture
def config(postgresql: PostgresqlServer, tmp_path: Path) -> Config:
    return Config(service=Service(data_dir=tmp_path), stores=Stores(ledger_url=postgresql.make_database()))


@pytest.fixture
async def ledger(config: Config) -> AsyncIterator[DatabaseLedger]:
    async with open_ledger(config) as opened:
        yield opened


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the statement answered each time, whichever ledger asked."""
    answers: list[bool] = []
    asks = ServerTransactions.run_one

    async def noted(self: ServerTransactions, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        rows = await asks(self, statement, values)
        answers.append(rows[0][0])
        return rows

    monkeypatch.setattr(ServerTransactions, "run_one", noted)
    return answers


async def test_what_it_writes_is_what_the_rules_write(
    ledger: DatabaseLedger, config: Config, postgresql: PostgresqlServer, said: list[bool]
) -> None:
    plain, other = reserve(organization="o", team="t"), reserve(key="key_b", organization="o", team="t")
    for call in (plain, other):
        assert await reserve_each(ledger, reserve(key=call.key_id, organization="o", team="t")) == [200_000]
    assert said == []
    assert await reserve_each(ledger, plain, other) == [200_000, 200_000]
    assert said == [True]
    assert [each.reservation_id for each in await entries(ledger)][2:] == [plain.reservation_id, other.reservation_id]
    for table in ("entries", "reservations"):
        own = "{sequence,reference,reservation_id,request_id,key_id,created_at,reserved_at,expires_at}"
        rows = f"SELECT DISTINCT to_jsonb(each) - '{own}'::text[] FROM {table} AS each"  # noqa: S608 - our own
        assert len(postgresql.sql(rows, str(config.stores.ledger_url)).splitlines()) == 1
    assert await record(ledger, outcome(plain, input_tokens=40)) == (1, 0)
    await release(ledger, other.reservation_id)
    assert await balance(ledger) == (40_000, 200_000)
    assert await balance(ledger, "key_b") == (0, 200_000)
    assert await problems(ledger) == []


async def test_nothing_is_written_of_a_batch_in_which_one_has_no_room(ledger: DatabaseLedger, said: list[bool]) -> None:
    await ledger.set_budget(ledger_pb2.Budget(key_id="key_a", limit=400_000))
    await reserve_each(ledger, reserve(), reserve(key="key_b"))
    answers = await reserve_each(ledger, reserve(key="key_b"), reserve(), reserve())
    assert answers == [200_000, 200_000, Code.BUDGET_EXCEEDED]
    assert said == [False]
    assert await balance(ledger) == (0, 400_000)
    assert await balance(ledger, "key_b") == (0, 400_000)
    assert await problems(ledger) == []


async def test_the_same_reservation_again_is_the_same(ledger: DatabaseLedger, said: list[bool]) -> None:
    call = reserve()
    await reserve_each(ledger, reserve())
    assert [await reserve_each(ledger, call) for _ in range(3)] == [[200_000]] * 3
    assert said == [True]
    assert await reserve_each(ledger, reserve(), call) == [200_000, 200_000]
    assert await balance(ledger) == (0, 600_000)
    assert await problems(ledger) == []


async def test_strict_budgets_are_left_to_the_rules(config: Config, said: list[bool]) -> None:
    strict = config.model_copy(update={"billing": Billing(strict_budgets=True)})
    async with open_ledger(strict) as ledger:
        await ledger.set_budget(ledger_pb2.Budget(key_id="key_a", limit=10**9))
        assert await reserve_each(ledger, reserve()) == [200_000]
        assert await reserve_each(ledger, reserve(output=0, default_output=50)) == [Code.INVALID_REQUEST]
        assert await reserve_each(ledger, reserve()) == [200_000]
    assert said == [True]


@pytest.mark.case(5)
@pytest.mark.parametrize(("scope", "scope_id"), [("user", "usr_a"), ("organization", "o"), ("key", "key_a")])
async def test_a_budget_holds_from_the_moment_it_is_set(
    config: Config, said: list[bool], scope: str, scope_id: str
) -> None:
    """By another process, while calls are reserved at two."""
    async with open_ledger(config) as one, open_ledger(config) as two:
        calls = [reserve(organization="o", key=f"key_{'ab'[n % 2]}") for n in range(400)]
        for ledger in (one, two):
            await reserve_each(ledger, reserve(organization="o"), reserve(organization="o", key="key_b"))

        async def call(ledger: DatabaseLedger, mine: Sequence[ledger_pb2.Reserve]) -> list[int | Code]:
            answers = []
            for number, each in enumerate(mine):
                answers += await reserve_each(ledger, each)
                if number == len(mine) // 5:
                    under_way.set()
            return answers

        under_way = asyncio.Event()
        calling = asyncio.gather(*(call(ledger, calls[n::8]) for n, ledger in enumerate([one, two] * 4)))
        await under_way.wait()
        set_here = await put_budget(one, scope, scope_id, 60 * 200_000, period="monthly")
        answers = [answer for each in await calling for answer in each]
        (used,) = await room(two, scope=scope)
        assert set(answers) <= {200_000, Code.BUDGET_EXCEEDED}
        assert any(said)
        assert set_here.reserved <= used[1] == max(set_here.reserved, 60 * 200_000)
        assert await problems(one) == []


@pytest.mark.case(6)
async def test_a_budget_of_a_key_admits_what_fits_at_two_ledgers(config: Config, said: list[bool]) -> None:
    async with open_ledger(config) as one, open_ledger(config) as two:
        await one.set_budget(ledger_pb2.Budget(key_id="key_a", limit=70 * 200_000 + 199_999))
        for ledger in (one, two):
            await reserve_each(ledger, reserve(), reserve(key="key_b"))
        calls = [reserve(key=f"key_{'ab'[n % 2]}") for n in range(300)]
        answers = await asyncio.gather(
            *(reserve_each(ledger, call) for call, ledger in zip(calls, [one, one, two, two] * 75, strict=True))
        )
        assert answers.count([Code.BUDGET_EXCEEDED]) == 150 - 68
        assert any(said)
        assert await balance(one) == (0, 70 * 200_000)
        assert await balance(one, "key_b") == (0, 152 * 200_000)
        assert await problems(one) == []


@pytest.mark.case(5)
async def test_it_decides_by_the_balance_as_it_is_once_it_has_the_lock(
    ledger: DatabaseLedger, config: Config, said: list[bool]
) -> None:
    """Another process takes the last room while the statement waits for it."""
    await ledger.set_budget(ledger_pb2.Budget(key_id="key_a", limit=400_000))
    assert await reserve_each(ledger, reserve()) == [200_000]
    other = await asyncpg.connect(str(config.stores.ledger_url).replace("+asyncpg", ""))
    try:
        change = other.transaction()
        await change.start()
        await other.execute("UPDATE balances SET reserved = reserved + 1 WHERE key_id = 'key_a'")
        waiting = asyncio.create_task(reserve_each(ledger, reserve()))
        blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        for _ in range(90):  # less than it waits for a lock
            if await other.fetchval(blocked):
                break
            await asyncio.sleep(0.01)
        else:
            pytest.fail("the statement waits for nobody")
        await change.commit()
        assert await waiting == [Code.BUDGET_EXCEEDED]
    finally:
        await other.close()
    assert said == [False]
    assert await balance(ledger) == (0, 200_001)
