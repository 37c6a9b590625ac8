"""What auth-service remembers, in its database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from sqlalchemy import Select, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llm_platform.auth_service import rows
from llm_platform.auth_service.changes import Changes, changes_after, last_change
from llm_platform.auth_service.rows import KeyRow
from llm_platform.auth_service.schema import api_keys, bootstrap, revocation_counter, users
from llm_platform.core.database import reading
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2

_BOOTSTRAP = 1


class Login(NamedTuple):
    user: accounts_pb2.User
    password_hash: str


class AccountStore:
    """Users, keys and revocations. Every public method is one transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = reading(engine)
        self._changes = Changes(engine)

    async def check(self) -> None:
        """Whether the tables are there and take changes: locks a row, which a read-only server refuses."""
        query = select(revocation_counter.c.value).with_for_update(read=True, key_share=True)
        async with self._engine.begin() as connection:
            await connection.execute(query)

    async def keys_by_id(self, key_ids: Iterable[str]) -> dict[str, KeyRow]:
        """The keys that exist among these, in one query."""
        wanted = {key_id for key_id in key_ids if _storable(key_id)}
        if not wanted:
            return {}
        query = rows.select_principals().where(api_keys.c.key_id.in_(wanted))
        async with self._reading.connect() as connection:
            found = (await connection.execute(query)).mappings().all()
        return {row["key_id"]: rows.key_row(row) for row in found}

    async def has_keys(self) -> bool:
        async with self._reading.connect() as connection:
            return (await connection.execute(select(api_keys.c.key_id).limit(1))).first() is not None

    async def list_keys(self, user_id: str | None, include_revoked: bool) -> list[accounts_pb2.Key]:
        query = _select_keys().order_by(api_keys.c.created_at, api_keys.c.key_id)
        if user_id is not None:
            query = query.where(api_keys.c.user_id == user_id)
        if not include_revoked:
            query = query.where(api_keys.c.revoked_at.is_(None))
        async with self._reading.connect() as connection:
            found = (await connection.execute(query)).mappings()
            return [rows.key(row, row["organization_id"]) for row in found]

    async def add_key(self, key: dict[str, Any]) -> accounts_pb2.Key:
        """Adds the row ``key`` (columns of api_keys) and returns it as the port shows it."""
        async with self._engine.begin() as connection:
            return await _insert_key(connection, key)

    async def revoke_key(self, key_id: str, now_ms: int) -> accounts_pb2.Key:
        """Revokes; a key already revoked keeps its first time. Raises NOT_FOUND."""
        missing = PlatformError(Code.NOT_FOUND, "There is no such key.", param="key")
        if not _storable(key_id):
            raise missing
        async with self._changes.begin() as (connection, number):
            live = (api_keys.c.key_id == key_id) & api_keys.c.revoked_at.is_(None)
            await connection.execute(update(api_keys).where(live).values(revoked_at=now_ms, revocation=number))
            row = (await connection.execute(_select_keys().where(api_keys.c.key_id == key_id))).mappings().first()
            if row is None:
                raise missing
            return rows.key(row, row["organization_id"])

    async def last_change(self) -> int:
        """The number of the newest change."""
        async with self._reading.connect() as connection:
            return await last_change(connection)

    async def changes_after(self, number: int) -> list[accounts_pb2.Revocation]:
        """What was changed after that one, in order."""
        async with self._reading.connect() as connection:
            return await changes_after(connection, number)

    async def add_user(self, user: dict[str, Any]) -> accounts_pb2.User:
        """Adds the row ``user`` (columns of users). Raises CONFLICT when the name is taken."""
        try:
            async with self._engine.begin() as connection:
                return await _insert_user(connection, user)
        except IntegrityError:
            # Without the driver's words: they quote the row, and the row holds the password's hash.
            raise PlatformError(Code.CONFLICT, f"There is already a user named {user['name']}.", param="name") from None

    async def list_users(self) -> list[accounts_pb2.User]:
        async with self._reading.connect() as connection:
            found = (await connection.execute(rows.select_users().order_by(users.c.name))).mappings()
            return [rows.user(row) for row in found]

    async def user(self, id_or_name: str) -> accounts_pb2.User | None:
        """The user of that id or name; an id goes first."""
        if not _storable(id_or_name):
            return None
        query = rows.select_users().where((users.c.user_id == id_or_name) | (users.c.name == id_or_name))
        async with self._reading.connect() as connection:
            found = (await connection.execute(query)).mappings().all()
        exact = [row for row in found if row["user_id"] == id_or_name] or found
        return rows.user(exact[0]) if exact else None

    async def login(self, name: str) -> Login | None:
        if not _storable(name):
            return None
        async with self._reading.connect() as connection:
            row = (await connection.execute(rows.select_users().where(users.c.name == name))).mappings().first()
        return Login(rows.user(row), row["password_hash"]) if row else None

    async def first_admin(self) -> accounts_pb2.User | None:
        """The user that bootstrap made."""
        query = rows.select_users().join(bootstrap, bootstrap.c.user_id == users.c.user_id)
        async with self._reading.connect() as connection:
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
        async with self._engine.connect() as connection, connection.begin() as transaction:
            if (await connection.execute(select(bootstrap.c.id))).first() is not None:
                return False
            mark = {"id": _BOOTSTRAP, "user_id": user["user_id"], "created_at": user["created_at"]}
            try:
                added = await _insert_user(connection, user)
                await connection.execute(insert(bootstrap).values(mark))
            except IntegrityError:  # PostgreSQL: another process was first
                await transaction.rollback()
                return False
            await before_commit(added, await _insert_key(connection, key))
            return True


def _storable(text: str) -> bool:
    """PostgreSQL refuses to look for what none of its texts can hold."""
    return "\0" not in text


def _select_keys() -> Select[Any]:
    return select(api_keys, users.c.organization_id).join(users)


async def _insert_user(connection: AsyncConnection, user: dict[str, Any]) -> accounts_pb2.User:
    await connection.execute(insert(users).values(user))
    query = rows.select_users().where(users.c.user_id == user["user_id"])
    return rows.user((await connection.execute(query)).mappings().one())


async def _insert_key(connection: AsyncConnection, key: dict[str, Any]) -> accounts_pb2.Key:
    await connection.execute(insert(api_keys).values(key))
    query = _select_keys().where(api_keys.c.key_id == key["key_id"])
    row = (await connection.execute(query)).mappings().one()
    return rows.key(row, row["organization_id"])
