"""Whole write transactions for hot paths: one function of SQL, run where it costs least.

On SQLite it runs in a thread of its own on the driver's own connection. Through the asynchronous driver every
statement crosses to that driver's thread and back, and SQLAlchemy costs several times what SQLite does: measured
600 µs of CPU for a transaction of eight statements, 250 µs with a synchronous engine, 60 µs here. On PostgreSQL the
same function runs on a connection of its own as well (core/postgresql.py), for half the CPU and time that SQLAlchemy's
engine takes. Failures are SQLAlchemy's on both.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar, TypeVarTuple

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.core.database import BUSY_TIMEOUT_MS, SQLITE_PRAGMAS

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class Transaction(Protocol):
    """A transaction under way. Statements are of the database's own dialect, values positional."""

    def run(self, statement: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """Runs one statement; answers its rows, all at once."""
        ...

    def ask(self, questions: Sequence[tuple[str, Sequence[Any]]]) -> list[Sequence[Sequence[Any]]]:
        """Runs several statements that only read; answers the rows of each. To a server they travel together."""
        ...

    def write(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Runs a statement without an answer: before the next ``run``, at the latest before the commit.

        To a server all that wait for it travel together, as parts of one statement. So each has to be about rows of
        its own, and sees nothing of what the others do.
        """
        ...


class Transactions(Protocol):
    """Runs whole write transactions, one after the other."""

    async def run(self, work: Callable[[Transaction, *Arguments], T], *arguments: *Arguments) -> T:
        """Commits when ``work`` returns, rolls back when it raises. Raises SQLAlchemyError."""
        ...

    async def run_one(self, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """A transaction of one statement, which to a server is one round trip; its rows. Raises SQLAlchemyError."""
        ...


@asynccontextmanager
async def open_transactions(engine: AsyncEngine, *, busy_timeout_ms: int | None = None) -> AsyncIterator[Transactions]:
    """Write transactions on the database of ``engine``; default timeout: BUSY_TIMEOUT_MS."""
    if engine.dialect.name == "postgresql":
        from llm_platform.core.postgresql import BY_INDEX, ServerTransactions, connector

        served = ServerTransactions(connector(engine.url, planning=BY_INDEX))
        try:
            yield served
        finally:
            await served.aclose()
        return
    timeout = BUSY_TIMEOUT_MS if busy_timeout_ms is None else busy_timeout_ms
    transactions = _FileTransactions(str(engine.url.database), timeout)
    try:
        yield transactions
    finally:
        await transactions.aclose()


class _FileTransactions:
    """On a connection of its own to a SQLite file, in a thread of its own."""

    def __init__(self, path: str, busy_timeout_ms: int) -> None:
        self._path = path
        self._timeout = busy_timeout_ms / 1000
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database")
        self._connection: sqlite3.Connection | None = None

    async def run(self, work: Callable[[Transaction, *Arguments], T], *arguments: *Arguments) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work, *arguments)

    async def run_one(self, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        return await self.run(lambda transaction: transaction.run(statement, values))

    async def aclose(self) -> None:
        """Waits for the transaction under way."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    def _run(self, work: Callable[[Transaction, *Arguments], T], *arguments: *Arguments) -> T:
        try:
            connection = self._connection or self._connect()
            connection.execute("BEGIN IMMEDIATE")  # what is read cannot change before it is written
            try:
                done = work(_FileTransaction(connection), *arguments)
                connection.execute("COMMIT")
            except BaseException:
                self._roll_back(connection)
                raise
            return done
        except sqlite3.Error as error:
            raise DBAPIError.instance(None, None, error, sqlite3.Error) from error

    def _connect(self) -> sqlite3.Connection:
        # No isolation level: the driver begins nothing by itself. Only the thread uses it.
        connection = sqlite3.connect(self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False)
        try:
            for pragma in SQLITE_PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:  # some failures have rolled back by themselves
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._disconnect()  # closing rolls back; the next transaction connects again

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _FileTransaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, statement: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        return self._connection.execute(statement, values).fetchall()

    def ask(self, questions: Sequence[tuple[str, Sequence[Any]]]) -> list[Sequence[Sequence[Any]]]:
        return [self.run(statement, values) for statement, values in questions]

    def write(self, statement: str, values: Sequence[Any] = ()) -> None:
        self._connection.execute(statement, values)
