"""Whole write transactions (core/transactions.py), the same on both kinds of database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

from llm_platform.core.transactions import Transaction, Transactions, open_transactions


@pytest.fixture
async def transactions(database: str) -> AsyncIterator[Transactions]:
    engine = create_async_engine(make_url(database))
    async with open_transactions(engine) as opened:
        await opened.run(lambda each: each.run("CREATE TABLE one (name TEXT PRIMARY KEY, n INTEGER)"))
        await opened.run(lambda each: each.run("CREATE TABLE other (name TEXT PRIMARY KEY, n INTEGER)"))
        yield opened
    await engine.dispose()


def insert(transaction: Transaction, table: str, name: str, n: int) -> None:
    # Numbered parameters are PostgreSQL's, and SQLite takes a dollar sign for a name.
    transaction.write(f"INSERT INTO {table} VALUES ('{name}', {n})")  # noqa: S608 - names of this test


def everything(transaction: Transaction) -> list[tuple[str, int]]:
    rows = transaction.run("SELECT name, n FROM one UNION ALL SELECT name, n FROM other ORDER BY name")
    return [(name, n) for name, n in rows]


async def test_what_is_written_is_seen_by_the_next_question_and_committed(transactions: Transactions) -> None:
    def work(transaction: Transaction) -> list[tuple[str, int]]:
        insert(transaction, "one", "a", 1)
        insert(transaction, "other", "b", 2)
        transaction.write("UPDATE one SET n = 9 WHERE name = 'nobody'")
        seen = everything(transaction)
        insert(transaction, "one", "c", 3)
        transaction.write("DELETE FROM other WHERE name = 'b'")
        return seen

    assert await transactions.run(work) == [("a", 1), ("b", 2)]
    assert await transactions.run(everything) == [("a", 1), ("c", 3)]


async def test_a_write_that_fails_undoes_the_whole_transaction(transactions: Transactions) -> None:
    def work(transaction: Transaction) -> None:
        insert(transaction, "other", "b", 2)
        insert(transaction, "one", "a", 1)
        transaction.run("SELECT 1")
        insert(transaction, "other", "c", 3)
        insert(transaction, "one", "a", 4)

    with pytest.raises(IntegrityError):
        await transactions.run(work)
    assert await transactions.run(everything) == []


async def test_questions_asked_together_have_an_answer_each(transactions: Transactions) -> None:
    def work(transaction: Transaction) -> list[list[tuple[object, ...]]]:
        insert(transaction, "one", "a", 1)
        insert(transaction, "one", "b", 2)
        answers = transaction.ask(
            [("SELECT name, n, NULL FROM one ORDER BY name", ()), ("SELECT n FROM other", ()), ("SELECT 7", ())]
        )
        return [[tuple(row) for row in rows] for rows in answers]

    assert await transactions.run(work) == [[("a", 1, None), ("b", 2, None)], [], [(7,)]]
    assert await transactions.run(lambda each: each.ask([])) == []
