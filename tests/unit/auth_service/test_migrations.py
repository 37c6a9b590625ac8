from __future__ import annotations

import sqlite3
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine

import llm_platform.auth_service.audit.schema
import llm_platform.auth_service.sessions.schema  # noqa: F401 - their tables are of the same metadata
from llm_platform.auth_service.handover import Handover
from llm_platform.auth_service.passwords import Passwords
from llm_platform.auth_service.revocations import Revocations
from llm_platform.auth_service.schema import metadata
from llm_platform.auth_service.service import AccountService
from llm_platform.auth_service.store import AccountStore
from llm_platform.core.database import open_database, sqlite_url
from llm_platform.proto import accounts_pb2

MIGRATIONS = "llm_platform.auth_service.migrations"


async def test_the_migrations_make_the_schema_that_the_code_uses(tmp_path: Path) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    url = sqlite_url(tmp_path / "accounts.sqlite")
    async with open_database(url, MIGRATIONS) as engine, engine.connect() as connection:
        assert not await connection.run_sync(differences)


def write_as_the_first_release(path: Path, user_id: str, role: str, *, bootstrap: bool = False) -> None:
    """A user and a key of the same id, in the columns that release knows."""
    with sqlite3.connect(path) as database:
        database.execute(
            "INSERT INTO users (user_id, name, role, password_hash, created_at) VALUES (?, ?, ?, '', 1)",
            (user_id, user_id, role),
        )
        database.execute(
            "INSERT INTO api_keys (key_id, digest, name, user_id, requests_per_minute, tokens_per_minute, concurrency,"
            " allowed_models, created_at) VALUES (?, '', 'app', ?, 5, 0, 0, '[]', 1)",
            (user_id, user_id),
        )
        if bootstrap:
            database.execute("INSERT INTO bootstrap (id, user_id, created_at) VALUES (1, ?, 1)", (user_id,))


async def test_what_the_first_release_wrote_before_and_after_the_migration_is_read_right(tmp_path: Path) -> None:
    path = tmp_path / "accounts.sqlite"
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", "llm_platform.auth_service:migrations")
        config.set_main_option("path_separator", "os")
        config.attributes.update(connection=connection, version_table="alembic_version")
        command.upgrade(config, "0001")
        connection.commit()
    engine.dispose()
    write_as_the_first_release(path, "root", "admin", bootstrap=True)
    async with open_database(sqlite_url(path), MIGRATIONS) as opened:
        write_as_the_first_release(path, "second", "admin")
        write_as_the_first_release(path, "ann", "user")
        store = AccountStore(opened)
        found = await store.keys_by_id(["root", "second", "ann"])
        roles = {key_id: row.principal.role for key_id, row in found.items()}
        assert roles == {"root": "owner", "second": "admin", "ann": "developer"}
        assert {row.principal.organization_id for row in found.values()} == {"org_platform"}
        assert found["ann"].principal.limits.requests_per_minute == 5
        assert not found["ann"].disabled
        service = AccountService(store, Revocations(store), Passwords(), pepper=b"p" * 32, handover=Handover(None))
        listed = await service.list_users(accounts_pb2.ListUsersRequest())
        assert {user.name: user.role for user in listed.items} == roles
        found_by = await service.list_users(accounts_pb2.ListUsersRequest(search="SEC", role="admin"))
        assert [user.name for user in found_by.items] == ["second"]
