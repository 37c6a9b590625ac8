"""core/transactions.py on SQLite's own connection; billing's contract tests run it on PostgreSQL's."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from llm_platform.core.database import sqlite_url
from llm_platform.core.database_failures import is_transient
from llm_platform.core.transactions import Transaction, open_transactions


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "counter.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE counter (n INTEGER UNIQUE); INSERT INTO counter VALUES (0)")
    return path


@pytest.fixture
async def engine(path: Path) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(sqlite_url(path))
    yield engine
    await engine.dispose()


def increment(transaction: Transaction, by: int) -> int:
    ((n,),) = transaction.run("SELECT n FROM counter")
    transaction.run("UPDATE counter SET n = ?", (n + by,))
    if by < 0:
        raise ValueError("not this one")
    return int(n) + by


async def test_a_transaction_of_one_function_is_committed_whole_or_not_at_all(engine: AsyncEngine) -> None:
    async with open_transactions(engine) as one, open_transactions(engine) as two:
        with pytest.raises(ValueError, match="not this one"):
            await one.run(increment, -5)
        results = await asyncio.gather(*(each.run(increment, 1) for each in (one, two) for _ in range(20)))
        assert sorted(results) == list(range(1, 41))


async def test_failures_are_sqlalchemys_and_the_next_transaction_starts_afresh(engine: AsyncEngine, path: Path) -> None:
    async with open_transactions(engine, busy_timeout_ms=50) as transactions:
        with pytest.raises(IntegrityError):
            await transactions.run(lambda each: each.run("INSERT INTO counter VALUES (0)"))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(OperationalError) as caught:
                await transactions.run(increment, 1)
            assert is_transient(caught.value)
        assert await transactions.run(increment, 1) == 1


async def test_a_commit_is_on_the_disk_and_in_the_log_of_writes(engine: AsyncEngine) -> None:
    async with open_transactions(engine) as transactions:
        assert await transactions.run(lambda each: each.run("PRAGMA synchronous")) == [(2,)]
        assert await transactions.run(lambda each: each.run("PRAGMA journal_mode")) == [("wal",)]
