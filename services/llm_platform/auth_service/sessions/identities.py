"""Logins at an identity provider under way, and whom they turn out to be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_platform.auth_service.audit.entry import Draft
from llm_platform.auth_service.audit.store import append
from llm_platform.auth_service.database import AccountDatabase
from llm_platform.auth_service.names import check_user_name, fold
from llm_platform.auth_service.owners import check_not_last_owner
from llm_platform.auth_service.rows import Row, role_before, select_users
from llm_platform.auth_service.schema import organizations, users
from llm_platform.auth_service.sessions.schema import identities, oidc_flows
from llm_platform.auth_service.sessions.sealing import BrokenSealError, Seal
from llm_platform.auth_service.user_methods import user_row
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger

FLOW_SECONDS = 600
"""How long somebody may take to sign in at the provider."""

_NO_ORGANIZATION = "oidc.organization names no organisation that there is: nobody new can come in."

log = get_logger("auth-service.oidc")


class Identities:
    """Failures of the database are UNAVAILABLE."""

    def __init__(self, database: AccountDatabase, pepper: bytes) -> None:
        self._database = database
        self._seal = Seal(pepper, "oidc flows")

    async def begin(self, state: str, content: Mapping[str, str], now_ms: int) -> None:
        """Keeps what the end of the login needs; readable only with the pepper."""
        name = _digest(state)
        sealed = self._seal.close(msgspec.json.encode(content), name)
        row = {"state": name, "sealed": sealed, "expires_at": now_ms + FLOW_SECONDS * 1000}
        async with self._database.write() as connection:
            await connection.execute(insert(oidc_flows).values(row))

    async def take(self, state: str, now_ms: int) -> dict[str, str] | None:
        """What was kept for ``state``, once; None when nothing was, or too long ago."""
        name = _digest(state)
        async with self._database.write() as connection:
            removed = delete(oidc_flows).where(oidc_flows.c.state == name)
            row = (await connection.execute(removed.returning(oidc_flows.c.sealed, oidc_flows.c.expires_at))).first()
        if row is None or row.expires_at <= now_ms:
            return None
        try:
            return msgspec.json.decode(self._seal.open(row.sealed, name), type=dict[str, str])
        except BrokenSealError:
            return None

    async def check_organization(self, organization_id: str) -> None:
        """Logs it as an error when there is no such organisation, which new users are to belong to."""
        async with self._database.read() as connection:
            if not await _has_organization(connection, organization_id):
                log.error(_NO_ORGANIZATION, organization=organization_id)

    async def user_of(self, issuer: str, subject: str, role: str, now_ms: int) -> str | None:
        """The user of that identity, whose role becomes ``role`` (empty: stays); None when there is none.

        The last owner of an organisation stays one, and nothing of a disabled user is changed.
        """
        mine = _is(issuer, subject)
        async with self._database.write() as connection:
            user = await _user_of(connection, mine)
            if user is None:
                return None
            if user["disabled_at"] is None:
                await connection.execute(update(identities).where(mine).values(used_at=now_ms))
        if role not in {"", user["as_role"]} and user["disabled_at"] is None:
            await self._change_role(issuer, subject, role, now_ms)
        return str(user["user_id"])

    async def _change_role(self, issuer: str, subject: str, role: str, now_ms: int) -> None:
        async with self._database.change() as (connection, number):
            user = await _user_of(connection, _is(issuer, subject))
            if user is None or user["disabled_at"] is not None or user["as_role"] == role:
                return
            details = {"role": role, "role_before": user["as_role"], "by": issuer}
            target, organization_id = user["user_id"], user["organization_id"]
            audit = Draft("Accounts/UpdateUser", target=target, organization_id=organization_id, details=details)
            try:
                await check_not_last_owner(connection, user)
            except PlatformError as error:
                log.warning("the groups of an identity would leave an organisation without an owner", user=target)
                await append(connection, now_ms, audit._replace(result="refused", reason=error.message))
                return
            values = {"organization_role": role, "role": role_before(role), "version": users.c.version + 1}
            await connection.execute(update(users).where(users.c.user_id == target).values(values | {"change": number}))
            await append(connection, now_ms, audit)

    async def add_user(self, issuer: str, subject: str, name: str, role: str, organization_id: str, now_ms: int) -> str:
        """A new user for an identity; a name that is taken gets an ending. Two logins at once make one user.

        ``name`` is one that a user may have. Raises PERMISSION_DENIED when there is no such organisation.
        """
        row = user_row(check_user_name(name), role, "", now_ms) | {"organization_id": organization_id}
        user_id = str(row["user_id"])
        async with self._database.change() as (connection, _):
            if (other := await _user_of(connection, _is(issuer, subject))) is not None:
                return str(other["user_id"])
            if not await _has_organization(connection, organization_id):
                raise PlatformError(Code.PERMISSION_DENIED, f"{_NO_ORGANIZATION} Ask an administrator.")
            taken = (await connection.execute(select(users.c.user_id).where(users.c.name == name))).first()
            if taken is not None:
                name = f"{name[:90]}-{user_id[-6:]}"
                row |= {"name": name, "folded": fold(name)}
            await connection.execute(insert(users).values(row))
            # Left by the release before, which deleted users without it.
            deleted = select(users.c.user_id).where(users.c.deleted_at.is_not(None))
            gone = _is(issuer, subject) & identities.c.user_id.in_(deleted)
            await connection.execute(delete(identities).where(gone))
            known = {"issuer": issuer, "subject": subject, "user_id": user_id, "created_at": now_ms, "used_at": now_ms}
            await connection.execute(insert(identities).values(known))
            details = {"name": name, "role": role, "issuer": issuer}
            draft = Draft("Accounts/CreateUser", target=user_id, organization_id=organization_id, details=details)
            await append(connection, now_ms, draft)
        return user_id


async def _has_organization(connection: AsyncConnection, organization_id: str) -> bool:
    query = select(organizations.c.organization_id).where(
        organizations.c.organization_id == organization_id, organizations.c.deleted_at.is_(None)
    )
    return (await connection.execute(query)).first() is not None


def _is(issuer: str, subject: str) -> ColumnElement[bool]:
    return (identities.c.issuer == issuer) & (identities.c.subject == subject)


async def _user_of(connection: AsyncConnection, which: ColumnElement[bool]) -> Row | None:
    query = select_users().join(identities, identities.c.user_id == users.c.user_id)
    row: Row | None = (await connection.execute(query.where(which, users.c.deleted_at.is_(None)))).mappings().first()
    return row


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest()


def role_of(groups: Any, mapping: Mapping[str, str], roles: tuple[str, ...], default: str | None) -> str:
    """The most powerful role of the groups; ``default`` without one of them; empty: none."""
    listed = groups if isinstance(groups, list) else []
    given = {mapping[group] for group in listed if isinstance(group, str) and group in mapping}
    return next((role for role in roles if role in given), default or "")
