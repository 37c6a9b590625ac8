"""What auth-service remembers, in its database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llm_platform.auth_service import keys
from llm_platform.auth_service.requests import rfc3339
from llm_platform.auth_service.schema import api_keys, bootstrap, revocation_counter, users
from llm_platform.core.database import reading
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2, common_pb2

_COUNTER = 1
_BOOTSTRAP = 1


class KeyRow(NamedTuple):
    """What authentication needs to know of a key."""

    principal: common_pb2.Principal
    digest: str
    expires_at: int | None
    revoked_at: int | None


class Login(NamedTuple):
    user: accounts_pb2.User
    password_hash: str


class AccountStore:
    """Users, keys and revocations. Every public method is one transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = reading(engine)

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
        query = select(api_keys, users.c.role).join(users).where(api_keys.c.key_id.in_(wanted))
        async with self._reading.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return {row["key_id"]: _key_row(row) for row in rows}

    async def has_keys(self) -> bool:
        async with self._reading.connect() as connection:
            return (await connection.execute(select(api_keys.c.key_id).limit(1))).first() is not None

    async def list_keys(self, user_id: str | None, include_revoked: bool) -> list[accounts_pb2.Key]:
        query = select(api_keys).order_by(api_keys.c.created_at, api_keys.c.key_id)
        if user_id is not None:
            query = query.where(api_keys.c.user_id == user_id)
        if not include_revoked:
            query = query.where(api_keys.c.revoked_at.is_(None))
        async with self._reading.connect() as connection:
            return [_key(row) for row in (await connection.execute(query)).mappings()]

    async def add_key(self, key: dict[str, Any]) -> accounts_pb2.Key:
        """Adds the row ``key`` (columns of api_keys) and returns it as the port shows it."""
        async with self._engine.begin() as connection:
            return await _insert_key(connection, key)

    async def revoke_key(self, key_id: str, now_ms: int) -> accounts_pb2.Key:
        """Revokes; a key already revoked keeps its first time. Raises NOT_FOUND."""
        missing = PlatformError(Code.NOT_FOUND, "There is no such key.", param="key")
        if not _storable(key_id):
            raise missing
        async with self._engine.begin() as connection:
            counter = (
                update(revocation_counter)
                .where(revocation_counter.c.id == _COUNTER)
                .values(value=revocation_counter.c.value + 1)
                .returning(revocation_counter.c.value)
            )
            number = (await connection.execute(counter)).scalar_one()
            live = (api_keys.c.key_id == key_id) & api_keys.c.revoked_at.is_(None)
            await connection.execute(update(api_keys).where(live).values(revoked_at=now_ms, revocation=number))
            row = (await connection.execute(select(api_keys).where(api_keys.c.key_id == key_id))).mappings().first()
            if row is None:
                raise missing
            return _key(row)

    async def last_revocation(self) -> int:
        """The number of the newest revocation."""
        async with self._reading.connect() as connection:
            return int((await connection.execute(select(revocation_counter.c.value))).scalar_one())

    async def revoked_after(self, number: int) -> list[str]:
        """The keys revoked after that one, in order."""
        query = select(api_keys.c.key_id).where(api_keys.c.revocation > number).order_by(api_keys.c.revocation)
        async with self._reading.connect() as connection:
            return list((await connection.execute(query)).scalars())

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
            return [_user(row) for row in (await connection.execute(select(users).order_by(users.c.name))).mappings()]

    async def user(self, id_or_name: str) -> accounts_pb2.User | None:
        """The user of that id or name; an id goes first."""
        if not _storable(id_or_name):
            return None
        query = select(users).where((users.c.user_id == id_or_name) | (users.c.name == id_or_name))
        async with self._reading.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        exact = [row for row in rows if row["user_id"] == id_or_name] or rows
        return _user(exact[0]) if exact else None

    async def login(self, name: str) -> Login | None:
        if not _storable(name):
            return None
        async with self._reading.connect() as connection:
            row = (await connection.execute(select(users).where(users.c.name == name))).mappings().first()
        return Login(_user(row), row["password_hash"]) if row else None

    async def first_admin(self) -> accounts_pb2.User | None:
        """The user that bootstrap made."""
        query = select(users).join(bootstrap, bootstrap.c.user_id == users.c.user_id)
        async with self._reading.connect() as connection:
            row = (await connection.execute(query)).mappings().first()
        return _user(row) if row else None

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


async def _insert_user(connection: AsyncConnection, user: dict[str, Any]) -> accounts_pb2.User:
    row = (await connection.execute(insert(users).values(user).returning(users))).mappings().one()
    return _user(row)


async def _insert_key(connection: AsyncConnection, key: dict[str, Any]) -> accounts_pb2.Key:
    row = (await connection.execute(insert(api_keys).values(key).returning(api_keys))).mappings().one()
    return _key(row)


def _user(row: RowMapping) -> accounts_pb2.User:
    return accounts_pb2.User(
        user_id=row["user_id"], name=row["name"], role=row["role"], created_at=rfc3339(row["created_at"])
    )


def _limits(row: RowMapping) -> common_pb2.Limits:
    return common_pb2.Limits(
        requests_per_minute=row["requests_per_minute"],
        tokens_per_minute=row["tokens_per_minute"],
        concurrency=row["concurrency"],
    )


def _models(row: RowMapping) -> list[str]:
    return msgspec.json.decode(row["allowed_models"], type=list[str])


def _key(row: RowMapping) -> accounts_pb2.Key:
    return accounts_pb2.Key(
        key_id=row["key_id"],
        prefix=keys.shown(row["key_id"]),
        name=row["name"],
        user_id=row["user_id"],
        limits=_limits(row),
        allowed_models=_models(row),
        created_at=rfc3339(row["created_at"]),
        expires_at=rfc3339(row["expires_at"]),
        revoked_at=rfc3339(row["revoked_at"]),
    )


def _key_row(row: RowMapping) -> KeyRow:
    principal = common_pb2.Principal(
        key_id=row["key_id"],
        user_id=row["user_id"],
        role=row["role"],
        limits=_limits(row),
        allowed_models=_models(row),
    )
    return KeyRow(principal, row["digest"], row["expires_at"], row["revoked_at"])
