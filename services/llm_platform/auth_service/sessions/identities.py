"""Logins at an identity provider under way, and whom they turn out to be."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llm_platform.auth_service.audit.entry import Draft
from llm_platform.auth_service.audit.store import append
from llm_platform.auth_service.rows import role as role_column
from llm_platform.auth_service.rows import role_before
from llm_platform.auth_service.schema import revocation_counter, users
from llm_platform.auth_service.sessions.schema import identities, oidc_flows
from llm_platform.auth_service.sessions.sealing import BrokenSealError, Seal
from llm_platform.core.database_failures import unavailable
from llm_platform.core.ids import new_id

FLOW_SECONDS = 600
"""How long somebody may take to sign in at the provider."""


class Identities:
    """Every method is one transaction. Failures of the database are UNAVAILABLE."""

    def __init__(self, engine: AsyncEngine, pepper: bytes) -> None:
        self._engine = engine
        self._seal = Seal(pepper, "oidc flows")

    async def begin(self, state: str, content: Mapping[str, str], now_ms: int) -> None:
        """Keeps what the end of the login needs; readable only with the pepper."""
        name = _digest(state)
        sealed = self._seal.close(msgspec.json.encode(content), name)
        row = {"state": name, "sealed": sealed, "expires_at": now_ms + FLOW_SECONDS * 1000}
        async with self._write() as connection:
            await connection.execute(insert(oidc_flows).values(row))

    async def take(self, state: str, now_ms: int) -> dict[str, str] | None:
        """What was kept for ``state``, once; None when nothing was, or too long ago."""
        name = _digest(state)
        async with self._write() as connection:
            removed = delete(oidc_flows).where(oidc_flows.c.state == name)
            row = (await connection.execute(removed.returning(oidc_flows.c.sealed, oidc_flows.c.expires_at))).first()
        if row is None or row.expires_at <= now_ms:
            return None
        try:
            return msgspec.json.decode(self._seal.open(row.sealed, name), type=dict[str, str])
        except BrokenSealError:
            return None

    async def user_of(self, issuer: str, subject: str, role: str, now_ms: int) -> str | None:
        """The user of that identity, whose role becomes ``role`` (empty: stays); None when there is none yet."""
        mine = (identities.c.issuer == issuer) & (identities.c.subject == subject)
        async with self._write() as connection:
            # The counter's lock first, as every change of accounts takes it (schema.py).
            number = await _next_number(connection) if role else 0
            user_id = (await connection.execute(select(identities.c.user_id).where(mine))).scalar()
            if user_id is None:
                return None
            await connection.execute(update(identities).where(mine).values(used_at=now_ms))
            before = (await connection.execute(select(role_column()).where(users.c.user_id == user_id))).scalar()
            if role and before != role:
                values = {"organization_role": role, "role": role_before(role), "version": users.c.version + 1}
                change = update(users).where(users.c.user_id == user_id).values(values | {"change": number})
                await connection.execute(change)
                details = {"role": role, "role_before": before, "by": issuer}
                await append(connection, now_ms, Draft("Accounts/UpdateUser", target=str(user_id), details=details))
            return str(user_id)

    async def add_user(self, issuer: str, subject: str, name: str, role: str, organization_id: str, now_ms: int) -> str:
        """A new user for an identity; a name that is taken gets an ending. Two logins at once make one user."""
        user_id = new_id("usr")
        row = {
            "user_id": user_id,
            "role": role_before(role),
            "organization_role": role,
            "password_hash": "",
            "organization_id": organization_id,
            "created_at": now_ms,
        }
        known = {"issuer": issuer, "subject": subject, "user_id": user_id, "created_at": now_ms, "used_at": now_ms}
        try:
            async with self._write() as connection:
                taken = (await connection.execute(select(users.c.user_id).where(users.c.name == name))).first()
                row["name"] = f"{name[:90]}-{user_id[-6:]}" if taken else name
                await connection.execute(insert(users).values(row))
                await connection.execute(insert(identities).values(known))
                details = {"name": row["name"], "role": role, "issuer": issuer}
                draft = Draft("Accounts/CreateUser", target=user_id, organization_id=organization_id, details=details)
                await append(connection, now_ms, draft)
        except IntegrityError:
            if (other := await self.user_of(issuer, subject, "", now_ms)) is not None:
                return other
            return await self.add_user(issuer, subject, f"{name[:80]}-{user_id[-6:]}", role, organization_id, now_ms)
        return user_id

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise unavailable(error, "The accounts' database") from None


async def _next_number(connection: AsyncConnection) -> int:
    change = update(revocation_counter).values(value=revocation_counter.c.value + 1)
    return int((await connection.execute(change.returning(revocation_counter.c.value))).scalar_one())


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest()


def role_of(groups: Any, mapping: Mapping[str, str], roles: tuple[str, ...], default: str | None) -> str:
    """The most powerful role of the groups; ``default`` without one of them; empty: none."""
    listed = groups if isinstance(groups, list) else []
    given = {mapping[group] for group in listed if isinstance(group, str) and group in mapping}
    return next((role for role in roles if role in given), default or "")
