"""Many rows at once into a store's own tables, past its service, which does not run meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

import asyncpg
from sqlalchemy import Executable, make_url
from sqlalchemy.dialects import postgresql, sqlite

AT_ONCE = 50_000
"""Rows that are in memory at a time."""


class Bulk(Protocol):
    """A connection to one store's database."""

    async def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """How many there were."""

    async def run(self, statement: Executable | str) -> None: ...

    async def value(self, query: str) -> Any:
        """The one value of a query."""

    async def close(self) -> None:
        """Commits, and has the database know its own sizes."""


async def open_bulk(url: str) -> Bulk:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return SqliteBulk(str(parsed.database))
    return PostgresqlBulk(await asyncpg.connect(parsed.set(drivername="postgresql").render_as_string(False)))


class SqliteBulk:
    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path)
        for pragma in ("synchronous=OFF", "temp_store=MEMORY", "cache_size=-200000"):
            self._connection.execute(f"PRAGMA {pragma}")

    async def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        places = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608 - our own names
        done = 0
        for part in _parts(rows):
            self._connection.executemany(statement, part)
            self._connection.commit()
            done += len(part)
        return done

    async def run(self, statement: Executable | str) -> None:
        self._connection.execute(_text(statement, sqlite.dialect()))
        self._connection.commit()

    async def value(self, query: str) -> Any:
        return self._connection.execute(query).fetchone()[0]

    async def close(self) -> None:
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()


class PostgresqlBulk:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        done = 0
        for part in _parts(rows):
            await self._connection.copy_records_to_table(table, records=part, columns=columns)
            done += len(part)
        return done

    async def run(self, statement: Executable | str) -> None:
        await self._connection.execute(_text(statement, postgresql.dialect()))  # type: ignore[no-untyped-call]

    async def value(self, query: str) -> Any:
        return await self._connection.fetchval(query)

    async def close(self) -> None:
        await self._connection.execute("VACUUM ANALYZE")
        await self._connection.close()


def _parts(rows: Iterable[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    walked = iter(rows)
    while part := list(islice(walked, AT_ONCE)):
        yield part


def _text(statement: Executable | str, dialect: Any) -> str:
    if isinstance(statement, str):
        return statement
    compiled: Any = statement
    return str(compiled.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
