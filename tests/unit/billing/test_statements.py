"""The same tables and statements on both kinds of database."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from llm_platform.billing.records import EntryRow, Hold, UsageCounts
from llm_platform.billing.schema import USAGE_COLUMNS, entries, metadata, reservations
from llm_platform.billing.statements import Statements, statements_for
from llm_platform.core.database import open_database, sqlite_url
from llm_platform.proto import common_pb2


def test_the_hot_path_compiles_for_postgresql() -> None:
    from sqlalchemy.dialects.postgresql.asyncpg import dialect

    sql = Statements(dialect())
    assert "ON CONFLICT DO NOTHING" in sql.make_balance
    recorder = _Recorder()
    sql.append_entries(recorder, [EntryRow._fields] * 5)
    assert [values for _, values in recorder.ran] == [tuple((name,) * 5 for name in EntryRow._fields)]


class _Recorder:
    def __init__(self) -> None:
        self.ran: list[tuple[str, Sequence[Any]]] = []

    def run(self, statement: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        self.ran.append((statement, values))
        return ()

    def write(self, statement: str, values: Sequence[Any] = ()) -> None:
        self.ran.append((statement, values))


@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 100])
def test_every_row_is_inserted_once_and_in_order(count: int) -> None:
    from sqlalchemy.dialects.sqlite import dialect

    recorder = _Recorder()
    rows = [tuple(f"{column} {n}" for column in EntryRow._fields) for n in range(count)]
    Statements(dialect()).append_entries(recorder, rows)
    assert [value for _, values in recorder.ran for value in values] == [value for row in rows for value in row]
    assert len({statement for statement, _ in recorder.ran}) == len(recorder.ran) or count == 100
    assert all(statement.count("?") == len(values) for statement, values in recorder.ran)


def test_rows_are_in_the_order_of_their_columns() -> None:
    assert EntryRow._fields == tuple(entries.columns.keys())[1:]
    assert Hold.__slots__ == tuple(reservations.columns.keys())
    assert (
        UsageCounts._fields
        == USAGE_COLUMNS
        == tuple(field for field in EntryRow._fields if field in common_pb2.Usage.DESCRIPTOR.fields_by_name)
    )
    assert set(USAGE_COLUMNS) == set(common_pb2.Usage.DESCRIPTOR.fields_by_name)


async def test_the_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    async with open_database(sqlite_url(tmp_path / "migrated.sqlite"), "llm_platform.billing.migrations"):
        pass
    engine = create_engine(f"sqlite:///{tmp_path / 'created.sqlite'}")
    metadata.create_all(engine)
    engine.dispose()

    def shape(name: str) -> dict[str, object]:
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            tables = [
                table
                for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                if table in metadata.tables
            ]
            return {
                table: (
                    connection.execute(f"PRAGMA table_info({table})").fetchall(),
                    sorted(row[1:] for row in connection.execute(f"PRAGMA index_list({table})")),
                )
                for table in tables
            }

    assert shape("migrated.sqlite") == shape("created.sqlite")


def test_all_parts_of_a_ledger_share_what_was_compiled() -> None:
    from sqlalchemy.dialects import sqlite
    from sqlalchemy.dialects.postgresql import asyncpg

    assert statements_for(sqlite.dialect()) is statements_for(sqlite.dialect())
    assert statements_for(sqlite.dialect()) is not statements_for(asyncpg.dialect())
