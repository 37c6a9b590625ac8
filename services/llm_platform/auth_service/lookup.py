"""Finds what a request names, among what its actor may see. What it may not see does not exist for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_platform.auth_service import keys, permissions, rows
from llm_platform.auth_service.rows import Row
from llm_platform.auth_service.schema import api_keys, bootstrap, organizations, team_members, teams, users
from llm_platform.core.actor import PLATFORM_ORGANIZATION, Actor
from llm_platform.core.errors import Code, PlatformError

_LONGEST = 200


async def find_user(connection: AsyncConnection, who: Actor, name: str) -> Row:
    """The user of that id or name; an id goes first. Raises NOT_FOUND."""
    query = rows.select_users().where(users.c.deleted_at.is_(None))
    return await _named(connection, _scoped(query, users, who), users.c.user_id, users.c.name, name, "user")


async def find_first_admin(connection: AsyncConnection) -> Row:
    """Raises NOT_FOUND."""
    query = rows.select_users().join(bootstrap, bootstrap.c.user_id == users.c.user_id)
    row: Row | None = (await connection.execute(query.where(users.c.deleted_at.is_(None)))).mappings().first()
    if row is None:
        raise PlatformError(Code.NOT_FOUND, "There is no first admin yet: name a user.", param="user")
    return row


async def find_team(connection: AsyncConnection, who: Actor, name: str, organization_id: str | None = None) -> Row:
    """The team of that id or name, of that organisation if one is given. Raises NOT_FOUND, CONFLICT."""
    query = _scoped(select(teams).where(teams.c.deleted_at.is_(None)), teams, who)
    if organization_id is not None:
        query = query.where(teams.c.organization_id == organization_id)
    if (own := permissions.own_only(who)) is not None:
        query = query.where(teams.c.team_id.in_(teams_of(own)))
    return await _named(connection, query, teams.c.team_id, teams.c.name, name, "team")


async def find_organization(connection: AsyncConnection, who: Actor, name: str) -> Row:
    """The organisation of that id or name; without one that of the actor. Raises NOT_FOUND."""
    query = _scoped(select(organizations).where(organizations.c.deleted_at.is_(None)), organizations, who)
    name = name or who.organization_id or PLATFORM_ORGANIZATION
    return await _named(connection, query, organizations.c.organization_id, organizations.c.name, name, "organization")


async def find_key(connection: AsyncConnection, who: Actor, name: str) -> Row:
    """The key of that id, shown prefix or text, with its owner's ``organization_id`` and ``as_role``.

    Raises NOT_FOUND.
    """
    query = _scoped(select_keys(), users, who).where(api_keys.c.key_id == (keys.key_id_of(name) or name))
    if (own := permissions.own_only(who)) is not None:
        query = query.where(api_keys.c.user_id == own)
    row: Row | None = (await connection.execute(query)).mappings().first() if is_storable(name) else None
    if row is None:
        raise _missing("key")
    return row


def select_keys() -> Select[Any]:
    return select(api_keys, users.c.organization_id, rows.role().label("as_role")).join(
        users, users.c.user_id == api_keys.c.user_id
    )


def teams_of(user_id: str) -> Select[tuple[str]]:
    return select(team_members.c.team_id).where(team_members.c.user_id == user_id)


def is_storable(text: str) -> bool:
    """Whether it can be in the database: PostgreSQL refuses to look for what none of its texts can hold."""
    return "\0" not in text and len(text) <= _LONGEST


def check_etag(row: Row, etag: str) -> None:
    """Raises INVALID_REQUEST without one, CONFLICT when the row was changed since it was read."""
    if not etag:
        raise PlatformError(
            Code.INVALID_REQUEST, "An update needs the etag of what it is based on: read it first.", param="etag"
        )
    if etag != str(row["version"]):
        raise PlatformError(
            Code.CONFLICT, "Someone else changed it meanwhile. Read it again, then change it.", param="etag"
        )


def _scoped(query: Select[Any], table: Table, who: Actor) -> Select[Any]:
    organization_id = permissions.scope(who)
    return query if organization_id is None else query.where(table.c.organization_id == organization_id)


async def _named(
    connection: AsyncConnection, query: Select[Any], id_column: Any, name_column: Any, name: str, what: str
) -> Row:
    if not name or not is_storable(name):
        raise _missing(what)
    found = (await connection.execute(query.where((id_column == name) | (name_column == name)))).mappings().all()
    exact: Sequence[Row] = [row for row in found if row[id_column.name] == name] or found
    if len(exact) > 1:
        raise PlatformError(Code.CONFLICT, f"More than one {what} has that name: give the id.", param=what)
    if not exact:
        raise _missing(what)
    return exact[0]


def _missing(what: str) -> PlatformError:
    called = {"organization": "organisation"}.get(what, what)
    return PlatformError(Code.NOT_FOUND, f"There is no such {called}.", param=what)
