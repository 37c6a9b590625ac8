"""Budgets under a thousand calls at once from two processes, and under a failure at every statement."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from llm_platform.billing import instruments
from llm_platform.billing.app import open_ledger
from llm_platform.billing.service import DatabaseLedger
from llm_platform.core.config import Config
from llm_platform.core.transactions import Transaction, Transactions
from tests.servers.postgresql import PostgresqlServer
from tests.unit.billing.calls import entries, outcome, problems, put_budget, record, reserve, reserve_each, room

ROOT = Path(__file__).parents[3]
T = TypeVar("T")

_CALLER = """
import asyncio, sys
from llm_platform.billing.app import open_ledger
from llm_platform.core.config import Config, Stores
from tests.unit.billing.calls import reserve, reserve_each

async def main(url, which):
    async with open_ledger(Config(stores=Stores(ledger_url=url))) as ledger:
        calls = [reserve(key=f"key_{n % 7}", user=f"usr_{which}", team="t", organization="o") for n in range(500)]
        answers = await asyncio.gather(*(reserve_each(ledger, call) for call in calls))
        print(sum(answer == [200_000] for answer in answers))

asyncio.run(main(*sys.stdin.read().split()))
"""


@pytest.mark.case(5)
@pytest.mark.case(6)
async def test_a_thousand_calls_at_once_from_two_processes_take_exactly_the_room_for_a_hundred(
    config: Config, database: str
) -> None:
    async with open_ledger(config) as ledger:
        await put_budget(ledger, "organization", "o", 100 * 200_000 + 199_999, period="monthly")
        await put_budget(ledger, "team", "t", 10**9, period="daily", time_zone="Asia/Kathmandu")
        processes = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _CALLER),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={"PYTHONPATH": f"{ROOT / 'services'}:{ROOT}"},
            )
            for _ in range(2)
        ]
        async with asyncio.timeout(120):
            said = await asyncio.gather(
                *(process.communicate(f"{database} {n}".encode()) for n, process in enumerate(processes))
            )
        assert sum(int(out) for out, _ in said) == 100
        assert [used[:2] for used in await room(ledger)] == [(0, 20_000_000)] * 2
        assert len(await entries(ledger, "reserve")) == 100
        assert await problems(ledger) == []


async def test_a_hundred_calls_of_one_request_id_are_a_hundred_entries(config: Config) -> None:
    async with open_ledger(config) as ledger:
        await put_budget(ledger, "user", "usr_a", 10**9)
        calls = [reserve() for _ in range(100)]
        for call in calls:
            call.request_id = "the-same"
        await asyncio.gather(*(reserve_each(ledger, call) for call in calls))
        await asyncio.gather(*(record(ledger, outcome(call, input_tokens=1)) for call in calls))
        assert len(await entries(ledger, "settle")) == 100
        assert await room(ledger) == [(100_000, 0, 10**9 - 100_000)]


# A failure at every statement.

_RAISE = "DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{}'; END $$"
FAULTS = {
    "deadlock": _RAISE.format("40P01"),
    "serialisation failure": _RAISE.format("40001"),
    "lost connection": "SELECT pg_terminate_backend(pg_backend_pid())",
}


class Faults:
    """Transactions of which one fails, at its ``at``-th statement."""

    def __init__(self, transactions: Transactions, fault: str) -> None:
        self._transactions = transactions
        self._fault = fault
        self._left = 0

    def fail_at(self, statement: int) -> None:
        self._left = statement

    @property
    def failed(self) -> bool:
        return self._left <= 0

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        return await self._transactions.run(self._run, work, *arguments)

    def _run(self, transaction: Transaction, work: Callable[..., T], *arguments: Any) -> T:
        return work(_Faulty(transaction, self), *arguments)

    def count(self, transaction: Transaction) -> None:
        self._left -= 1
        if self._left == 0:
            transaction.run(self._fault)


class _Faulty:
    def __init__(self, transaction: Transaction, faults: Faults) -> None:
        self._transaction = transaction
        self._faults = faults

    def run(self, statement: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        self._faults.count(self._transaction)
        return self._transaction.run(statement, values)

    def ask(self, questions: Sequence[tuple[str, Sequence[Any]]]) -> list[Sequence[Sequence[Any]]]:
        self._faults.count(self._transaction)
        return self._transaction.ask(questions)

    def write(self, statement: str, values: Sequence[Any] = ()) -> None:
        self._faults.count(self._transaction)
        self._transaction.write(statement, values)


@pytest.fixture
def server_config(postgresql: PostgresqlServer, tmp_path: Path) -> Config:
    return Config.model_validate(
        {"service": {"data_dir": tmp_path}, "stores": {"ledger_url": postgresql.make_database()}}
    )


@pytest.fixture
async def ledger(server_config: Config) -> AsyncIterator[DatabaseLedger]:
    async with open_ledger(server_config) as opened:
        yield opened


@pytest.mark.case(4)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_failure_at_any_statement_of_reserve_and_settle_loses_and_repeats_nothing(
    ledger: DatabaseLedger, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr("llm_platform.billing.service.COMMIT_PATIENCE_SECONDS", 30)
    await put_budget(ledger, "organization", "o", 10**9, thresholds=[1])
    faults = Faults(ledger._store._transactions, FAULTS[fault])
    ledger._store._transactions = faults
    injected = calls = 0
    while injected == calls:
        # The budget of the user is new, so that its window and its threshold are written as well.
        call = reserve(key=f"key_{calls}", user=f"usr_{calls}", organization="o")
        await put_budget(ledger, "user", call.user_id, 400_000, period="daily", thresholds=[1])
        calls += 1
        failed = []
        faults.fail_at(calls)
        assert await reserve_each(ledger, call) == [200_000]
        failed.append(faults.failed)
        faults.fail_at(calls)
        assert sum(await record(ledger, outcome(call, input_tokens=50))) == 1
        failed.append(faults.failed)
        injected += any(failed)
        faults.fail_at(0)
        assert await room(ledger, scope="user", scope_id=call.user_id) == [(50_000, 0, 350_000)]
    assert calls >= 8
    assert [entry.kind for entry in await entries(ledger)] == ["reserve", "settle", "release"] * calls
    assert await room(ledger, scope="organization") == [(50_000 * calls, 0, 10**9 - 50_000 * calls)]
    assert await problems(ledger) == []


@pytest.mark.case(4)
async def test_a_real_deadlock_is_begun_again(
    ledger: DatabaseLedger, server_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeated: list[SQLAlchemyError] = []
    monkeypatch.setattr(instruments, "repeated", repeated.append)
    calls = [reserve(key="key_a"), reserve(key="key_b")]
    await reserve_each(ledger, *calls)
    url = make_url(server_config.stores.ledger_url or "").set(drivername="postgresql", query={})
    other = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        await other.execute("SET deadlock_timeout = '1min'")  # so that it is not the one that is chosen
        locking = "SELECT 1 FROM balances WHERE key_id = $1 FOR UPDATE"
        async with other.transaction():
            await other.fetch(locking, "key_b")
            settling = asyncio.create_task(record(ledger, *(outcome(call, input_tokens=1) for call in calls)))
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            async with asyncio.timeout(10):
                while not await other.fetchval(waiting):  # noqa: ASYNC110 - the server's event, not ours
                    await asyncio.sleep(0.01)
            await other.fetch(locking, "key_a")
        assert await settling == (2, 0)
    finally:
        await other.close()
    assert repeated
    assert await problems(ledger) == []
    assert [entry.kind for entry in await entries(ledger)].count("settle") == 2
