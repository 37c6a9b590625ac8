"""A service's own database: opened, brought to the newest schema, closed again.

SQLite (aiosqlite) and PostgreSQL (asyncpg) behave alike behind one engine:

* a transaction of the engine takes SQLite's write lock when it begins (``BEGIN IMMEDIATE``), so that what
  it reads cannot change before it writes; transactions that only read go through ``reading(engine)`` and
  neither wait for writers nor stop them (write-ahead log);
* a commit is on the disk when it returns (``synchronous=FULL``): what was acknowledged survives a power cut;
* a writer waits up to ``BUSY_TIMEOUT_MS`` for another process on the same file, e.g. the previous
  release during a replacement. The limits on PostgreSQL are core/postgresql.py's.

Migrations are Alembic scripts with four-digit revision numbers, and only ever widen the schema: the
release before must run on it (a rollback keeps the database). So a database *ahead* of this release is
accepted as it is. On a server several services may share one database, each with a table of its own for the
revision; a SQLite file is one service's, and says whose (``application_id`` in its header).
"""

from __future__ import annotations

import asyncio
import os
import sys
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, MetaData, event, inspect, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from llm_platform.core.database_failures import is_transient, is_unreachable, reason
from llm_platform.core.errors import CannotStartError
from llm_platform.core.logging import get_logger

if TYPE_CHECKING:
    from alembic.runtime.environment import EnvironmentContext

DRIVERS = ("sqlite+aiosqlite", "postgresql+asyncpg")
BUSY_TIMEOUT_MS = 5_000
"""How long a SQLite transaction waits for the write lock."""
MIGRATION_TIMEOUT_SECONDS = 60.0
"""How long a start waits for another process that is migrating the same database."""
CONNECTIONS = 5
"""The most connections to a PostgreSQL server that one engine holds."""
UNHURRIED_SECONDS = 1_800.0
"""How long a statement may take that reads a whole table."""
WAIT_SECONDS = 0.5
"""How often a server that is down at boot is looked for."""

SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY")
# temp_store: statements of many rows note how to undo them, in a file unless told otherwise.

log = get_logger("database")

_READING = "llm_reading"
_NOBODY = 0
"""The mark of a new file, and of one that no release has migrated since files are marked."""
_MIGRATION_LOCK = 0x6C6C6D_67  # PostgreSQL advisory lock, any number of our own ("llmg")


class UnusableDatabaseError(CannotStartError):
    """The database cannot be used by this release: the service must not start. Says why and what to do."""


def sqlite_url(path: Path) -> str:
    """The URL of a database file."""
    return URL.create("sqlite+aiosqlite", database=str(path)).render_as_string()


def reading(engine: AsyncEngine) -> AsyncEngine:
    """The same connections for transactions that only read, all of it as it was at the first read."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine.execution_options(**{_READING: True})


@asynccontextmanager
async def unhurried(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection to read whole tables with, all of it as it was at the first read. On a server it is one of its
    own, without the limits in time of what callers wait for; it closes at the end. Raises SQLAlchemyError."""
    apart = engine.dialect.name == "postgresql"
    own = _engine(engine.url, 1, UNHURRIED_SECONDS) if apart else engine
    try:
        async with reading(own).connect() as connection:
            yield connection
    finally:
        if apart:
            await own.dispose()


@asynccontextmanager
async def open_database(
    url: str, migrations_package: str, *, connections: int = CONNECTIONS
) -> AsyncIterator[AsyncEngine]:
    """Opens the database at ``url`` and brings it to the newest schema of ``migrations_package``.

    ``migrations_package`` is the dotted name of a package with Alembic's ``env.py`` and ``versions``,
    e.g. ``llm_platform.billing.migrations``. Several processes may open one database at once: one
    migrates, the others wait. Raises UnusableDatabaseError; a failed migration leaves nothing behind.
    """
    engine = _engine(_parsed(url), connections)
    try:
        await _migrate(engine, migrations_package)
        yield engine
    finally:
        await engine.dispose()


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise UnusableDatabaseError(
            f"A database's URL is unreadable; it looks like {DRIVERS[1]}://USER@HOST/NAME."
        ) from None


def _engine(url: URL, connections: int = 1, statement_seconds: float | None = None) -> AsyncEngine:
    if url.drivername not in DRIVERS:
        # The URL may hold a password: only its scheme is told.
        raise UnusableDatabaseError(
            f"A database's URL begins with {':// or '.join(DRIVERS)}://, not {url.drivername}://."
        )
    if url.get_backend_name() != "sqlite":
        from llm_platform.core import postgresql

        try:
            return postgresql.make_engine(url, connections, statement_seconds or postgresql.STATEMENT_SECONDS)
        except ValueError as error:
            raise UnusableDatabaseError(f"A database's URL is wrong: {error}.") from None
    if url.database in (None, "", ":memory:"):
        raise UnusableDatabaseError(f"A SQLite database's URL names a file: {DRIVERS[0]}:////FOLDER/FILE.")
    try:
        Path(str(url.database)).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableDatabaseError(
            f"The folder of the database {url.database} cannot be made: {error.strerror}."
        ) from error
    # No isolation level: the driver begins nothing by itself, transactions begin in _begin.
    engine = create_async_engine(url, connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT_MS / 1000})
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in SQLITE_PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    deferred = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")


# Migrations


async def migrate_apart(url: str, migrations_package: str) -> None:
    """Does the migrations of ``open_database`` in a process of its own, if there are any to do.

    Alembic and what a migration makes take about 10 MB that a service would keep for its whole life.
    A server that cannot be reached is waited for. Raises UnusableDatabaseError.
    """
    engine = _engine(_parsed(url))
    try:
        if await _reached(engine, migrations_package):
            return
    finally:
        await engine.dispose()
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "llm_platform.core.migration", migrations_package),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    # By its standard input: a command line, which may show a password, can be read by every user.
    reason, _ = await child.communicate(url.encode())
    if child.returncode != 0:
        raise UnusableDatabaseError(reason.decode() or f"The migration ended with status {child.returncode}.")


async def _reached(engine: AsyncEngine, package: str) -> bool:
    """Waits until the server can be reached; whether its schema is current."""
    waiting = False
    while True:
        try:
            async with reading(engine).connect() as connection:
                return await connection.run_sync(_is_current, package)
        except SQLAlchemyError as error:
            if not is_unreachable(error):
                return False  # the migration says what is wrong
            if not waiting:
                log.warning("the database cannot be reached, waiting for it", reason=reason(error))
            waiting = True
            await asyncio.sleep(WAIT_SECONDS)


async def _migrate(service_engine: AsyncEngine, package: str) -> None:
    # A server does migrations without the service's limits in time.
    apart = service_engine.dialect.name == "postgresql"
    engine = _engine(service_engine.url, 1, MIGRATION_TIMEOUT_SECONDS) if apart else service_engine
    try:
        await _migrate_patiently(engine, package)
    finally:
        if apart:
            await engine.dispose()


async def _migrate_patiently(engine: AsyncEngine, package: str) -> None:
    deadline = asyncio.get_running_loop().time() + MIGRATION_TIMEOUT_SECONDS
    name = engine.url.render_as_string(hide_password=True)
    while True:
        try:
            async with reading(engine).connect() as connection:
                if await connection.run_sync(_is_current, package):
                    return
            async with engine.begin() as connection:
                await connection.run_sync(_upgrade, package)
        except UnusableDatabaseError:
            raise
        except Exception as error:
            again = is_transient(error) and not is_unreachable(error)
            if again and asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0.1)
                continue
            raise UnusableDatabaseError(
                f"The database {name} could not be opened or migrated: {reason(error, detail=str(error))}."
            ) from error
        else:
            return


def _is_current(connection: Connection, package: str) -> bool:
    """Whether the schema is this release's or a later one's. Raises UnusableDatabaseError: it is another service's."""
    if connection.dialect.name == "sqlite" and _owner(connection) not in (_NOBODY, _file_mark(package)):
        raise UnusableDatabaseError(
            f"The database file {connection.engine.url.database} belongs to another service: "
            "give each service a file of its own."
        )
    table = _version_table(connection, package)
    if not inspect(connection).has_table(table):
        return False
    current = connection.execute(text(f"SELECT version_num FROM {table}")).scalar()  # noqa: S608 - a name of our own
    if current is not None and not str(current).isdecimal():
        raise UnusableDatabaseError(f"The table {table} names a revision that no release of this platform made.")
    return current is not None and int(current) >= _newest_revision(package)


def _owner(connection: Connection) -> int:
    return int(connection.execute(text("PRAGMA application_id")).scalar_one())


def _file_mark(package: str) -> int:
    """https://www.sqlite.org/pragma.html#pragma_application_id: a signed number of 32 bits."""
    return zlib.crc32(f"llm-platform {_service(package)}".encode()) >> 1


def _version_table(connection: Connection, package: str) -> str:
    """SQLite's is Alembic's default, which the first releases chose."""
    return "alembic_version" if connection.dialect.name == "sqlite" else f"{_service(package)}_version"


def _service(package: str) -> str:
    return package.split(".")[-2]


def _newest_revision(package: str) -> int:
    names = [each.name for each in (resources.files(package) / "versions").iterdir()]
    revisions = [int(name[:4]) for name in names if name[:4].isdecimal() and name.endswith(".py")]
    if not revisions:
        raise UnusableDatabaseError(f"{package} holds no migration.")
    return max(revisions)


def _upgrade(connection: Connection, package: str) -> None:
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    if _is_current(connection, package):
        return  # another process was faster
    config = Config()
    config.set_main_option("script_location", _script_location(package))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["version_table"] = _version_table(connection, package)
    command.upgrade(config, "head")
    if connection.dialect.name == "sqlite":
        connection.execute(text(f"PRAGMA application_id = {_file_mark(package)}"))


def _script_location(package: str) -> str:
    parent, _, folder = package.rpartition(".")
    return f"{parent}:{folder}"


def migrate(context: EnvironmentContext | Any, metadata: MetaData) -> None:
    """The body of a migrations package's ``env.py``: runs inside the transaction that holds the lock."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=context.config.attributes["version_table"],
        transactional_ddl=True,
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()
