"""Users and service accounts: who holds keys, in which organisation and role."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_platform.auth_service import permissions, requests, rows
from llm_platform.auth_service.lookup import check_etag, find_organization, find_team, find_user
from llm_platform.auth_service.methods import Methods, limit_columns
from llm_platform.auth_service.names import check_user_name, fold
from llm_platform.auth_service.owners import check_not_last_owner
from llm_platform.auth_service.paging import matches, page
from llm_platform.auth_service.schema import api_keys, team_members, users
from llm_platform.auth_service.sessions.schema import identities, password_states, sessions
from llm_platform.auth_service.sessions.store import end_sessions
from llm_platform.auth_service.team_methods import revoke_keys
from llm_platform.core.actor import DEVELOPER, OWNER, actor
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.ids import new_id
from llm_platform.proto import accounts_pb2

USER, SERVICE_ACCOUNT = "user", "service_account"


class UserMethods(Methods):
    """The users and service accounts."""

    async def create_user(self, request: accounts_pb2.CreateUserRequest) -> accounts_pb2.User:
        """Adds a user; without a password it can own keys but not log in with one.

        Raises INVALID_REQUEST, NOT_FOUND (the organisation), CONFLICT (the name), PERMISSION_DENIED.
        """
        name, role = check_user_name(request.name), requests.check_role(request.role or DEVELOPER)
        kind = requests.check_kind(request.kind or USER)
        if kind == SERVICE_ACCOUNT and request.password:
            raise PlatformError(Code.INVALID_REQUEST, "A service account has no password.", param="password")
        _check_kind_may(kind, role)
        limits = limit_columns(requests.check_limits(request.limits))
        permissions.check_role_given(actor.get(), permissions.scope(actor.get()) or "", role)
        password_hash = await self._passwords.hash(request.password) if request.password else ""
        row = user_row(name, role, password_hash, self._now_ms()) | limits | {"kind": kind}
        async with self._database.change() as (connection, _):
            organization = await find_organization(connection, actor.get(), request.organization)
            permissions.check_role_given(actor.get(), organization["organization_id"], role)
            await _check_free(connection, name)
            await connection.execute(insert(users).values(row | {"organization_id": organization["organization_id"]}))
            await self._audit(connection, "CreateUser", row["user_id"], organization["organization_id"], row)
            return await _user(connection, row["user_id"])

    async def list_users(self, request: accounts_pb2.ListUsersRequest) -> accounts_pb2.Users:
        """Those that the actor sees, newest first. Raises NOT_FOUND (organisation, team), INVALID_REQUEST."""
        who = actor.get()
        query = rows.select_users().where(users.c.deleted_at.is_(None))
        if request.role:
            query = query.where(rows.role() == requests.check_role(request.role))
        if request.kind:
            query = query.where(users.c.kind == requests.check_kind(request.kind))
        if request.search:
            query = query.where(matches(users.c.folded, users.c.name, request.search))
        if (own := permissions.own_only(who)) is not None:
            query = query.where(users.c.user_id == own)
        async with self._database.read() as connection:
            if request.organization:
                organization = await find_organization(connection, who, request.organization)
                query = query.where(users.c.organization_id == organization["organization_id"])
            elif (only := permissions.scope(who)) is not None:
                query = query.where(users.c.organization_id == only)
            if request.team:
                team = await find_team(connection, who, request.team)
                members = select(team_members.c.user_id).where(team_members.c.team_id == team["team_id"])
                query = query.where(users.c.user_id.in_(members))
            order = (users.c.created_at, users.c.user_id)
            found, token = await page(connection, query, order, request.page_size, request.page_token, descending=True)
            return accounts_pb2.Users(items=await _with_teams(connection, found), next_page_token=token)

    async def get_user(self, request: accounts_pb2.UserName) -> accounts_pb2.User:
        """Raises NOT_FOUND."""
        who = actor.get()
        async with self._database.read() as connection:
            row = await find_user(connection, who, request.user)
            if permissions.own_only(who) not in {None, row["user_id"]}:
                raise PlatformError(Code.NOT_FOUND, "There is no such user.", param="user")
            return (await _with_teams(connection, [row]))[0]

    async def update_user(self, request: accounts_pb2.UpdateUserRequest) -> accounts_pb2.User:
        """Changes what is set; a disabled user's keys are refused until it is enabled, its sessions end for good.

        Raises INVALID_REQUEST, NOT_FOUND, CONFLICT (etag, name, the last owner), PERMISSION_DENIED.
        """
        role = requests.check_role(request.role) if request.HasField("role") else None
        values = _values(request, role, self._now_ms())
        async with self._database.change() as (connection, number):
            row = await find_user(connection, actor.get(), request.user)
            permissions.check_user_changed(
                actor.get(), row, role, limits=request.HasField("limits"), barred=request.disabled
            )
            check_etag(row, request.etag)
            _check_kind_may(row["kind"], role or row["as_role"])
            if request.disabled or (role or OWNER) != OWNER:
                await check_not_last_owner(connection, row)
            if values.get("name", row["name"]) != row["name"]:
                await _check_free(connection, values["name"])
            if request.disabled and row["disabled_at"] is not None:
                del values["disabled_at"]  # since then
            changed = await _write(connection, row, values | {"change": number})
            told = dict(values)
            if request.disabled:
                told["sessions_ended"] = await self._end_sessions(connection, row["user_id"], "disabled")
            await self._audit(connection, "UpdateUser", row["user_id"], row["organization_id"], told)
        self._revocations.changed()
        return changed

    async def delete_user(self, request: accounts_pb2.UserName) -> accounts_pb2.User:
        """Deletes it, revokes its keys and ends its sessions; of it stays the id, for the ledger.

        Whoever signed in as it at the identity provider is nobody known there any more.

        Raises NOT_FOUND, CONFLICT (the last owner), PERMISSION_DENIED.
        """
        now_ms = self._now_ms()
        async with self._database.change() as (connection, number):
            row = await find_user(connection, actor.get(), request.user)
            permissions.check_user_changed(actor.get(), row, None, limits=False, barred=True)
            await check_not_last_owner(connection, row, may_be_last_member=True)
            user_id = row["user_id"]
            await revoke_keys(connection, api_keys.c.user_id == user_id, now_ms, number)
            await connection.execute(delete(team_members).where(team_members.c.user_id == user_id))
            forgotten = {"name": user_id, "folded": user_id, "password_hash": ""}
            gone = await _write(connection, row, forgotten | {"deleted_at": now_ms, "change": number})
            # Behind the user's row, which a login locks: one that was under way has ended or finds it deleted.
            for table in (password_states, identities):
                await connection.execute(delete(table).where(table.c.user_id == user_id))
            ended = await self._end_sessions(connection, user_id, "deleted")
            told = {"name": row["name"], "sessions_ended": ended}
            await self._audit(connection, "DeleteUser", user_id, row["organization_id"], told)
        self._revocations.changed()
        return gone

    async def _end_sessions(self, connection: AsyncConnection, user_id: str, reason: str) -> int:
        return await end_sessions(connection, sessions.c.user_id == user_id, reason, self._now_ms())


def user_row(name: str, role: str, password_hash: str, now_ms: int) -> dict[str, Any]:
    """Columns of a new user."""
    return {
        "user_id": new_id("usr"),
        "name": name,
        "folded": fold(name),
        "role": rows.role_before(role),
        "organization_role": role,
        "password_hash": password_hash,
        "created_at": now_ms,
    }


def _values(request: accounts_pb2.UpdateUserRequest, role: str | None, now_ms: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if role is not None:
        values |= {"role": rows.role_before(role), "organization_role": role}
    if request.HasField("limits"):
        values |= limit_columns(requests.check_limits(request.limits))
    if request.HasField("name"):
        name = check_user_name(request.name)
        values |= {"name": name, "folded": fold(name)}
    if request.HasField("disabled"):
        values["disabled_at"] = now_ms if request.disabled else None
    return values


def _check_kind_may(kind: str, role: str) -> None:
    if kind == SERVICE_ACCOUNT and role == OWNER:
        raise PlatformError(
            Code.INVALID_REQUEST, "A service account is nobody's owner: give another role.", param="role"
        )


async def _check_free(connection: AsyncConnection, name: str) -> None:
    if (await connection.execute(select(users.c.user_id).where(users.c.name == name))).first() is not None:
        raise PlatformError(Code.CONFLICT, f"There is already a user named {name}.", param="name")


async def _write(connection: AsyncConnection, row: rows.Row, values: dict[str, Any]) -> accounts_pb2.User:
    this = users.c.user_id == row["user_id"]
    await connection.execute(update(users).where(this).values(**values, version=row["version"] + 1))
    return await _user(connection, row["user_id"])


async def _user(connection: AsyncConnection, user_id: str) -> accounts_pb2.User:
    found = (await connection.execute(rows.select_users().where(users.c.user_id == user_id))).mappings().all()
    return (await _with_teams(connection, found))[0]


async def _with_teams(connection: AsyncConnection, found: Sequence[rows.Row]) -> list[accounts_pb2.User]:
    listed = {row["user_id"]: rows.user(row) for row in found}
    for user_id, team_id in await _memberships(connection, listed):
        listed[user_id].team_ids.append(team_id)
    return list(listed.values())


async def _memberships(connection: AsyncConnection, user_ids: Iterable[str]) -> Sequence[Any]:
    query = select(team_members.c.user_id, team_members.c.team_id).where(team_members.c.user_id.in_(list(user_ids)))
    return (await connection.execute(query.order_by(team_members.c.team_id))).all()
