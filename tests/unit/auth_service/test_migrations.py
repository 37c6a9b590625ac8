from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from llm_platform.auth_service.schema import metadata
from llm_platform.core.database import open_database, sqlite_url


async def test_the_migrations_make_the_schema_that_the_code_uses(tmp_path: Path) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    url = sqlite_url(tmp_path / "accounts.sqlite")
    async with open_database(url, "llm_platform.auth_service.migrations") as engine, engine.connect() as connection:
        assert not await connection.run_sync(differences)
