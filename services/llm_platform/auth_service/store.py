"""What authentication, the watch of changes and the first admin need of the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llm_platform.auth_service import rows
from llm_platform.auth_service.audit.entry import Draft
from llm_platform.auth_service.audit.store import append
from llm_platform.auth_service.changes import changes_after, last_change
from llm_platform.auth_service.database import AccountDatabase
from llm_platform.auth_service.rows import KeyRow
from llm_platform.auth_service.schema import api_keys, bootstrap, revocation_counter, users
from llm_platform.core.actor import PLATFORM_ORGANIZATION
from llm_platform.proto import accounts_pb2

_BOOTSTRAP = 1


class AccountStore:
    """Every public method is one transaction. Raises UNAVAILABLE."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.database = AccountDatabase(engine)

    async def check(self) -> None:
        """Whether the tables are there and take changes: locks a row, which a read-only server refuses."""
        query = select(revocation_counter.c.value).with_for_update(read=True, key_share=True)
        async with self.database.write() as connection:
            await connection.execute(query)

    async def keys_by_id(self, key_ids: Iterable[str]) -> dict[str, KeyRow]:
        """The keys that exist among these, in one query."""
        wanted = set(key_ids)
        if not wanted:
            return {}
        query = rows.select_principals().where(api_keys.c.key_id.in_(wanted))
        async with self.database.read() as connection:
            found = (await connection.execute(query)).mappings().all()
        return {row["key_id"]: rows.key_row(row) for row in found}

    async def has_keys(self) -> bool:
        async with self.database.read() as connection:
            return (await connection.execute(select(api_keys.c.key_id).limit(1))).first() is not None

    async def last_change(self) -> int:
        """The number of the newest change."""
        async with self.database.read() as connection:
            return await last_change(connection)

    async def changes_after(self, number: int) -> list[accounts_pb2.Revocation]:
        """What was changed after that one, in order."""
        async with self.database.read() as connection:
            return await changes_after(connection, number)

    async def first_admin(self) -> accounts_pb2.User | None:
        """The user that bootstrap made."""
        query = rows.select_users().join(bootstrap, bootstrap.c.user_id == users.c.user_id)
        async with self.database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        return rows.user(row) if row else None

    async def add_first_admin(
        self,
        user: dict[str, Any],
        key: dict[str, Any],
        before_commit: Callable[[accounts_pb2.User, accounts_pb2.Key], Awaitable[None]],
    ) -> bool:
        """Adds the first admin and the first key together; False when there is one already, or the name is taken.

        ``before_commit`` runs when nothing but the commit can fail any more.
        """
        async with self.database.write() as connection:
            if (await connection.execute(select(bootstrap.c.id))).first() is not None:
                return False
            mark = {"id": _BOOTSTRAP, "user_id": user["user_id"], "created_at": user["created_at"]}
            try:
                # Within, so that PostgreSQL goes on after another process was first.
                async with connection.begin_nested():
                    await connection.execute(insert(users).values(user))
                    await connection.execute(insert(bootstrap).values(mark))
            except IntegrityError:
                return False
            await connection.execute(insert(api_keys).values(key))
            target, details = user["user_id"], {"name": user["name"], "key_id": key["key_id"]}
            draft = Draft("Accounts/Bootstrap", target=target, organization_id=PLATFORM_ORGANIZATION, details=details)
            await append(connection, user["created_at"], draft)
            await before_commit(*await _first(connection, user["user_id"], key["key_id"]))
            return True


async def _first(connection: AsyncConnection, user_id: str, key_id: str) -> tuple[accounts_pb2.User, accounts_pb2.Key]:
    user = (await connection.execute(rows.select_users().where(users.c.user_id == user_id))).mappings().one()
    key = (await connection.execute(select(api_keys).where(api_keys.c.key_id == key_id))).mappings().one()
    return rows.user(user), rows.key(key, PLATFORM_ORGANIZATION)
