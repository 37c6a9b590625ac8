"""core/database.py: real SQLite files, real migrations."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from llm_platform.core.database import (
    UnusableDatabaseError,
    migrate_apart,
    open_database,
    reading,
    sqlite_url,
)
from llm_platform.core.database_failures import is_transient, unavailable
from llm_platform.core.errors import Code
from tests.unit.core.migrations import Migrations


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Migrations:
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Migrations(tmp_path)
    made.add("0001", "CREATE TABLE things (name TEXT PRIMARY KEY)")
    return made


@pytest.fixture
def url(tmp_path: Path) -> str:
    return sqlite_url(tmp_path / "data" / "things.sqlite")


async def test_a_new_database_is_made_and_migrated(url: str, migrations: Migrations) -> None:
    async with open_database(url, migrations.package) as engine:
        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO things VALUES ('a')"))
        async with reading(engine).connect() as connection:
            assert (await connection.execute(text("SELECT name FROM things"))).scalars().all() == ["a"]
            assert (await connection.execute(text("PRAGMA journal_mode"))).scalar() == "wal"
            assert (await connection.execute(text("PRAGMA synchronous"))).scalar() == 2
            assert (await connection.execute(text("PRAGMA foreign_keys"))).scalar() == 1
            assert (await connection.execute(text("PRAGMA busy_timeout"))).scalar() == 5000


async def test_opening_again_applies_only_what_is_new(url: str, migrations: Migrations) -> None:
    async with open_database(url, migrations.package) as engine, engine.begin() as connection:
        await connection.execute(text("INSERT INTO things VALUES ('a')"))
    migrations.add("0002", "ALTER TABLE things ADD COLUMN size INTEGER", after="0001")
    async with open_database(url, migrations.package) as engine, engine.connect() as connection:
        assert (await connection.execute(text("SELECT name, size FROM things"))).all() == [("a", None)]


async def test_several_processes_may_start_on_one_new_database(url: str, migrations: Migrations) -> None:
    async def start() -> int:
        async with open_database(url, migrations.package) as engine, reading(engine).connect() as connection:
            return (await connection.execute(text("SELECT count(*) FROM things"))).scalar_one()

    assert await asyncio.gather(*(start() for _ in range(5))) == [0] * 5


@pytest.mark.case(31)
async def test_a_failed_migration_stops_the_start_and_leaves_nothing_behind(url: str, migrations: Migrations) -> None:
    async with open_database(url, migrations.package):
        pass
    migrations.add("0002", "CREATE TABLE half (id INTEGER)", "INSERT INTO missing VALUES (1)", after="0001")
    with pytest.raises(UnusableDatabaseError, match="missing"):
        async with open_database(url, migrations.package):
            pytest.fail("it must not open")
    with sqlite3.connect(url.removeprefix("sqlite+aiosqlite:///")) as connection:
        assert {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")} == {
            "things",
            "alembic_version",
        }
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
    connection.close()


async def test_migrations_in_a_process_of_their_own(url: str, migrations: Migrations) -> None:
    await migrate_apart(url, migrations.package)
    async with open_database(url, migrations.package) as engine, engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM things"))).scalar() == 0
    await migrate_apart(url, migrations.package)
    migrations.add("0002", "INSERT INTO missing VALUES (1)", after="0001")
    with pytest.raises(UnusableDatabaseError, match="no such table: missing"):
        await migrate_apart(url, migrations.package)


@pytest.mark.case(31)
async def test_the_release_before_runs_on_the_newer_schema(url: str, migrations: Migrations) -> None:
    newer = migrations.add("0002", "ALTER TABLE things ADD COLUMN size INTEGER", after="0001")
    async with open_database(url, migrations.package):
        pass
    newer.unlink()
    async with open_database(url, migrations.package) as engine, engine.begin() as connection:
        await connection.execute(text("INSERT INTO things (name) VALUES ('a')"))


async def test_a_file_is_one_services(url: str, migrations: Migrations, tmp_path: Path) -> None:
    """Else each would take the other's revision for its own, and find no tables."""
    other = Migrations(tmp_path)
    other.add("0001", "CREATE TABLE others (name TEXT PRIMARY KEY)")
    async with open_database(url, migrations.package):
        pass
    for opening in (open_database(url, other.package).__aenter__, lambda: migrate_apart(url, other.package)):
        with pytest.raises(UnusableDatabaseError, match=r"things\.sqlite belongs to another service"):
            await opening()
    async with open_database(url, migrations.package):
        pass


async def test_a_file_of_the_first_releases_is_marked_at_its_next_migration(url: str, migrations: Migrations) -> None:
    def marked() -> bool:
        with closing(sqlite3.connect(url.removeprefix("sqlite+aiosqlite:///"))) as connection:
            return connection.execute("PRAGMA application_id").fetchone() != (0,)

    async with open_database(url, migrations.package) as engine, engine.begin() as connection:
        await connection.execute(text("PRAGMA application_id = 0"))
    async with open_database(url, migrations.package):
        assert not marked()
    migrations.add("0002", "ALTER TABLE things ADD COLUMN size INTEGER", after="0001")
    async with open_database(url, migrations.package):
        assert marked()


async def test_a_revision_of_somebody_else_is_named(url: str, migrations: Migrations) -> None:
    async with open_database(url, migrations.package) as engine, engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'ae1027a6acf'"))
    with pytest.raises(UnusableDatabaseError, match="no release of this platform"):
        await migrate_apart(url, migrations.package)


async def test_a_file_that_is_no_database_is_named(url: str, migrations: Migrations, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "things.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(UnusableDatabaseError, match=r"things\.sqlite .* not a database"):
        async with open_database(url, migrations.package):
            pytest.fail("it must not open")


async def test_a_folder_that_cannot_be_made_is_named(migrations: Migrations, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnusableDatabaseError, match="folder of the database"):
        async with open_database(sqlite_url(tmp_path / "file" / "x" / "y.sqlite"), migrations.package):
            pytest.fail("it must not open")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://u:hunter2@db/x", r"begins with sqlite\+aiosqlite:// or postgresql\+asyncpg://, not mysql://"),
        ("postgresql://u:hunter2@db/x", "not postgresql://"),
        ("u:hunter2@db", "unreadable"),
        ("postgresql+asyncpg://u:hunter2@db:port/x", "unreadable"),
        ("sqlite+aiosqlite:///:memory:", "names a file"),
        ("sqlite+aiosqlite://", "names a file"),
    ],
)
async def test_a_url_of_no_known_database_is_refused_without_its_password(
    url: str, reason: str, migrations: Migrations
) -> None:
    with pytest.raises(UnusableDatabaseError, match=reason) as refusal:
        async with open_database(url, migrations.package):
            pytest.fail("it must not open")
    assert "hunter2" not in str(refusal.value)


async def test_a_writer_sees_what_the_writer_before_it_wrote(url: str, migrations: Migrations) -> None:
    """Read, then write what was read plus one: no update is lost, no transaction fails."""
    migrations.add("0002", "CREATE TABLE counter (n INTEGER)", "INSERT INTO counter VALUES (0)", after="0001")
    async with open_database(url, migrations.package) as one, open_database(url, migrations.package) as two:

        async def increment(engine: object) -> None:
            async with engine.begin() as connection:  # type: ignore[attr-defined]
                n = (await connection.execute(text("SELECT n FROM counter"))).scalar_one()
                await connection.execute(text("UPDATE counter SET n = :n"), {"n": n + 1})

        await asyncio.gather(*(increment(engine) for _ in range(20) for engine in (one, two)))
        async with one.connect() as connection:
            assert (await connection.execute(text("SELECT n FROM counter"))).scalar() == 40


async def test_readers_do_not_wait_for_a_writer(url: str, migrations: Migrations) -> None:
    async with open_database(url, migrations.package) as engine, engine.begin() as writer:
        await writer.execute(text("INSERT INTO things VALUES ('a')"))
        async with asyncio.timeout(2), reading(engine).connect() as reader:
            assert (await reader.execute(text("SELECT count(*) FROM things"))).scalar() == 0


async def test_a_locked_database_is_transient_and_unavailable(
    url: str, migrations: Migrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_platform.core.database.BUSY_TIMEOUT_MS", 50)
    async with open_database(url, migrations.package) as one, open_database(url, migrations.package) as two:
        async with one.begin():
            with pytest.raises(OperationalError) as caught:
                async with two.begin():
                    pytest.fail("it is locked")
            assert is_transient(caught.value)
            error = unavailable(caught.value, "The ledger's database")
            assert error.code is Code.UNAVAILABLE
            assert error.message == "The ledger's database cannot be used: it is locked by another process."
        async with two.begin():
            pass
