"""Migrations by real processes, on both kinds of database."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from llm_platform.core.database import UnusableDatabaseError, migrate_apart, open_database, reading
from tests.unit.core.migrations import Migrations

PROCESSES = 5


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Migrations:
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Migrations(tmp_path)
    made.add("0001", "CREATE TABLE things (name TEXT PRIMARY KEY)", "CREATE TABLE runs (number INTEGER)")
    return made


async def rows(url: str, package: str, statement: str) -> list[tuple[object, ...]]:
    async with open_database(url, package) as engine, reading(engine).connect() as connection:
        return [tuple(row) for row in await connection.execute(text(statement))]


async def start(url: str, package: str) -> tuple[int | None, str]:
    """What every service does before it opens its database (core/migration.py)."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "llm_platform.core.migration", package),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    said, _ = await process.communicate(url.encode())
    return process.returncode, said.decode()


@pytest.mark.case(31)
async def test_of_many_processes_that_start_at_once_exactly_one_migrates(database: str, migrations: Migrations) -> None:
    migrations.add("0002", "INSERT INTO runs VALUES (1)", after="0001")
    async with asyncio.timeout(120):
        ended = await asyncio.gather(*(start(database, migrations.package) for _ in range(PROCESSES)))
    assert ended == [(0, "")] * PROCESSES
    assert await rows(database, migrations.package, "SELECT number FROM runs") == [(1,)]


@pytest.mark.case(31)
async def test_a_failed_migration_says_why_and_leaves_the_schema_and_the_data_as_they_were(
    database: str, migrations: Migrations
) -> None:
    await migrate_apart(database, migrations.package)
    broken = migrations.add(
        "0002",
        "CREATE TABLE half (id INTEGER)",
        "ALTER TABLE things ADD COLUMN size INTEGER",
        "INSERT INTO things (name) VALUES ('half')",
        "INSERT INTO missing VALUES (1)",
        after="0001",
    )
    with pytest.raises(UnusableDatabaseError, match=r"could not be opened or migrated: .*missing"):
        await migrate_apart(database, migrations.package)
    broken.unlink()
    assert await rows(database, migrations.package, "SELECT * FROM things") == []
    migrations.add("0002", "CREATE TABLE half (name TEXT)", after="0001")  # mended: nothing of it is in the way
    await migrate_apart(database, migrations.package)
    assert await rows(database, migrations.package, "SELECT name FROM half") == []
