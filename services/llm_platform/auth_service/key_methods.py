"""API keys: made, listed, changed, rotated, revoked."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_platform.auth_service import keys, permissions, requests, rows
from llm_platform.auth_service.lookup import (
    check_etag,
    find_first_admin,
    find_key,
    find_organization,
    find_team,
    find_user,
    select_keys,
)
from llm_platform.auth_service.methods import Methods, json_column, limit_columns
from llm_platform.auth_service.names import check_name, fold
from llm_platform.auth_service.paging import matches, page
from llm_platform.auth_service.schema import api_keys, team_members, users
from llm_platform.auth_service.team_methods import revoke_keys
from llm_platform.core.actor import actor
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2, common_pb2

DEFAULT_OVERLAP_SECONDS = 86_400


class KeyMethods(Methods):
    """The API keys."""

    async def create_key(self, request: accounts_pb2.CreateKeyRequest) -> accounts_pb2.CreatedKey:
        """Makes a key; only this answer ever holds its secret.

        Raises INVALID_REQUEST, NOT_FOUND (user, team), PERMISSION_DENIED.
        """
        now_ms = self._now_ms()
        new = keys.new_key()
        name = check_name(request.name, "A key")
        row = key_row(self._pepper, new, name, now_ms) | {
            **limit_columns(requests.check_limits(request.limits)),
            "allowed_models": json_column(requests.check_models(request.allowed_models)),
            "allowed_entries": json_column(requests.check_entries(request.allowed_entries)),
            "ip_ranges": json_column(requests.check_ranges(request.ip_ranges)),
            "expires_at": requests.parse_expiry(request.expires_at, now_ms),
        }
        async with self._database.change() as (connection, _):
            user = await self._owner(connection, request.user)
            permissions.check_key_made(actor.get(), user)
            if request.team:
                row["team_id"] = await _team_of(connection, user, request.team)
            row["user_id"] = user["user_id"]
            await connection.execute(insert(api_keys).values(row))
            await self._audit(connection, "CreateKey", new.key_id, user["organization_id"], row)
            return accounts_pb2.CreatedKey(key=_key(row, user), secret=new.text)

    async def list_keys(self, request: accounts_pb2.ListKeysRequest) -> accounts_pb2.Keys:
        """Those that the actor sees, newest first. Raises NOT_FOUND (user, team, organisation), INVALID_REQUEST."""
        who = actor.get()
        query = select_keys()
        if not request.include_revoked:
            query = query.where(api_keys.c.revoked_at.is_(None))
        if request.search:
            query = query.where(_found_by(request.search))
        if (own := permissions.own_only(who)) is not None:
            query = query.where(api_keys.c.user_id == own)
        async with self._database.read() as connection:
            query = await _narrowed(connection, query, request)
            order = (api_keys.c.created_at, api_keys.c.key_id)
            found, token = await page(connection, query, order, request.page_size, request.page_token, descending=True)
        return accounts_pb2.Keys(items=[rows.key(row, row["organization_id"]) for row in found], next_page_token=token)

    async def get_key(self, request: accounts_pb2.KeyName) -> accounts_pb2.Key:
        """Raises NOT_FOUND."""
        async with self._database.read() as connection:
            row = await find_key(connection, actor.get(), request.key)
            return rows.key(row, row["organization_id"])

    async def update_key(self, request: accounts_pb2.UpdateKeyRequest) -> accounts_pb2.Key:
        """Changes what is set. Raises INVALID_REQUEST, NOT_FOUND, CONFLICT (etag, revoked), PERMISSION_DENIED."""
        values = _values(request, self._now_ms())
        async with self._database.change() as (connection, number):
            row = await find_key(connection, actor.get(), request.key)
            permissions.check_key_changed(actor.get(), row, only_name=set(values) <= {"name", "folded"})
            check_etag(row, request.etag)
            _check_live(row)
            changed = await _write(connection, row, values | {"revocation": number})
            await self._audit(connection, "UpdateKey", row["key_id"], row["organization_id"], values)
        self._revocations.changed()
        return changed

    async def rotate_key(self, request: accounts_pb2.RotateKeyRequest) -> accounts_pb2.CreatedKey:
        """Makes a key in place of another, which still works for the overlap.

        The new one may what the old one may, and counts as it: budgets, limits and usage go on.
        Raises INVALID_REQUEST, NOT_FOUND, CONFLICT (not live, rotated already), PERMISSION_DENIED.
        """
        now_ms = self._now_ms()
        overlap = request.overlap_seconds if request.HasField("overlap_seconds") else DEFAULT_OVERLAP_SECONDS
        until = now_ms + requests.check_overlap(overlap) * 1000
        expires_at = requests.parse_expiry(request.expires_at, now_ms)
        new = keys.new_key()
        async with self._database.change() as (connection, number):
            old = await find_key(connection, actor.get(), request.key)
            permissions.check_key_made(actor.get(), old)
            _check_live(old)
            if old["expires_at"] is not None and old["expires_at"] <= now_ms:
                raise PlatformError(Code.CONFLICT, "The key has expired: make a new one.", param="key")
            if old["replaced_by"] is not None:
                replacement = keys.shown(old["replaced_by"])
                raise PlatformError(
                    Code.CONFLICT, f"The key was rotated already: its new one is {replacement}.", param="key"
                )
            if expires_at is None and old["expires_at"] is not None:
                expires_at = now_ms + old["expires_at"] - old["created_at"]
            row = {column.name: old[column.name] for column in api_keys.columns} | key_row(
                self._pepper, new, old["name"], now_ms
            )
            row |= {
                "expires_at": expires_at,
                "counted_as": old["counted_as"] or old["key_id"],
                "revocation": None,
                "version": 1,
            }
            await connection.execute(insert(api_keys).values(row))
            ends = {"expires_at": min(until, old["expires_at"] or until), "replaced_by": new.key_id}
            revoked = {} if overlap else {"revoked_at": now_ms}
            await _write(connection, old, ends | revoked | {"revocation": number})
            await self._audit(connection, "RotateKey", old["key_id"], old["organization_id"], ends)
        self._revocations.changed()
        return accounts_pb2.CreatedKey(key=_key(row, old), secret=new.text)

    async def revoke_key(self, request: accounts_pb2.RevokeKeyRequest) -> accounts_pb2.Key:
        """Revokes by id or shown prefix, for good; watchers hear at once. Raises NOT_FOUND, PERMISSION_DENIED."""
        async with self._database.change() as (connection, number):
            row = await find_key(connection, actor.get(), request.key)
            permissions.check_key_revoked(actor.get(), row)
            this = api_keys.c.key_id == row["key_id"]
            await revoke_keys(connection, this, self._now_ms(), number)
            revoked = _key((await connection.execute(select(api_keys).where(this))).mappings().one(), row)
            await self._audit(connection, "RevokeKey", row["key_id"], row["organization_id"], {"name": row["name"]})
        self._revocations.changed()
        return revoked

    async def _owner(self, connection: AsyncConnection, name: str) -> rows.Row:
        who = actor.get()
        if name:
            return await find_user(connection, who, name)
        if who.kind in {"user", "service_account"}:
            return await find_user(connection, who, who.id)
        return await find_first_admin(connection)


def _values(request: accounts_pb2.UpdateKeyRequest, now_ms: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if request.HasField("name"):
        name = check_name(request.name, "A key")
        values |= {"name": name, "folded": fold(name)}
    if request.HasField("limits"):
        values |= limit_columns(requests.check_limits(request.limits))
    if request.HasField("allowed_models"):
        values["allowed_models"] = json_column(requests.check_models(request.allowed_models.items))
    if request.HasField("allowed_entries"):
        values["allowed_entries"] = json_column(requests.check_entries(request.allowed_entries.items))
    if request.HasField("ip_ranges"):
        values["ip_ranges"] = json_column(requests.check_ranges(request.ip_ranges.items))
    if request.HasField("expires_at"):
        values["expires_at"] = requests.parse_expiry(request.expires_at, now_ms)
    return values


UNBOUNDED = {**limit_columns(common_pb2.Limits()), "allowed_models": json_column([])}
"""Columns of a key that may everything."""


def key_row(pepper: bytes, new: keys.NewKey, name: str, now_ms: int) -> dict[str, Any]:
    """Columns of a new key: its own, not what it may."""
    return {
        "key_id": new.key_id,
        "digest": keys.digest(pepper, new.text),
        "name": name,
        "folded": fold(name),
        "created_at": now_ms,
    }


def _key(row: rows.Row, owner: rows.Row) -> accounts_pb2.Key:
    defaults = {column.name: None for column in api_keys.columns} | {"version": 1}
    return rows.key(defaults | dict(row), owner["organization_id"])


def _check_live(row: rows.Row) -> None:
    if row["revoked_at"] is not None:
        raise PlatformError(Code.CONFLICT, "The key is revoked: make a new one.", param="key")


def _found_by(search: str) -> ColumnElement[bool]:
    in_name = matches(api_keys.c.folded, api_keys.c.name, search)
    key_id = (keys.key_id_of(search) or search).lower()
    return or_(in_name, api_keys.c.key_id.startswith(key_id, autoescape=True))


async def _narrowed(
    connection: AsyncConnection, query: Select[Any], request: accounts_pb2.ListKeysRequest
) -> Select[Any]:
    who = actor.get()
    if request.organization:
        organization = await find_organization(connection, who, request.organization)
        query = query.where(users.c.organization_id == organization["organization_id"])
    elif (only := permissions.scope(who)) is not None:
        query = query.where(users.c.organization_id == only)
    if request.user:
        user = await find_user(connection, who, request.user)
        query = query.where(api_keys.c.user_id == user["user_id"])
    if request.team:
        team = await find_team(connection, who, request.team)
        query = query.where(api_keys.c.team_id == team["team_id"])
    return query


async def _team_of(connection: AsyncConnection, user: rows.Row, name: str) -> str:
    team = await find_team(connection, actor.get(), name, user["organization_id"])
    membership = select(team_members.c.user_id).where(
        team_members.c.team_id == team["team_id"], team_members.c.user_id == user["user_id"]
    )
    if (await connection.execute(membership)).first() is None:
        raise PlatformError(
            Code.INVALID_REQUEST, f"{user['name']} is not in the team {team['name']}: add it first.", param="team"
        )
    return str(team["team_id"])


async def _write(connection: AsyncConnection, row: rows.Row, values: dict[str, Any]) -> accounts_pb2.Key:
    this = api_keys.c.key_id == row["key_id"]
    statement = update(api_keys).where(this).values(**values, version=row["version"] + 1).returning(api_keys)
    return rows.key((await connection.execute(statement)).mappings().one(), row["organization_id"])
