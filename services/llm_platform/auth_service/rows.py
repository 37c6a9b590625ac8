"""Rows of the database as the messages of the port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Select, Table, case, func, select

from llm_platform.auth_service import keys
from llm_platform.auth_service.requests import rfc3339
from llm_platform.auth_service.schema import api_keys, bootstrap, organizations, teams, users
from llm_platform.core.actor import ADMIN, DEVELOPER, OWNER, PLATFORM_ORGANIZATION
from llm_platform.proto import accounts_pb2, common_pb2

Row = Mapping[Any, Any]

LIMITS = ("requests_per_minute", "tokens_per_minute", "concurrency", "requests_burst", "tokens_burst")


class KeyRow(NamedTuple):
    """What authentication needs to know of a key."""

    principal: common_pb2.Principal
    digest: str
    expires_at: int | None
    revoked_at: int | None
    disabled: bool
    """Its owner is."""


def role() -> ColumnElement[str]:
    """A user's role in SQL, also where the release before wrote it, whose two roles are these."""
    first = select(bootstrap.c.user_id).where(bootstrap.c.user_id == users.c.user_id).correlate(users).exists()
    before = case((users.c.role != "admin", DEVELOPER), (first, OWNER), else_=ADMIN)
    return func.coalesce(users.c.organization_role, before)


def role_before(role: str) -> str:
    """The role as the release before knows it."""
    return "admin" if role in {OWNER, ADMIN} else "user"


def select_users() -> Select[Any]:
    """What ``user`` reads."""
    return select(users, role().label("as_role"))


def select_principals() -> Select[Any]:
    """What ``key_row`` reads."""
    return (
        select(
            api_keys,
            users.c.organization_id,
            users.c.disabled_at,
            role().label("as_role"),
            *_limits_of(users, "user"),
            *_limits_of(teams, "team"),
            *_limits_of(organizations, "organization"),
        )
        .join(users, users.c.user_id == api_keys.c.user_id)
        .outerjoin(teams, teams.c.team_id == api_keys.c.team_id)
        .outerjoin(organizations, organizations.c.organization_id == users.c.organization_id)
    )


def _limits_of(table: Table, whose: str) -> list[ColumnElement[Any]]:
    return [table.c[name].label(f"{whose}_{name}") for name in LIMITS]


def limits(row: Row, prefix: str = "") -> common_pb2.Limits:
    # Null: of a table that the row was joined with in vain.
    return common_pb2.Limits(**{name: row[prefix + name] or 0 for name in LIMITS})


def texts(column: str | None) -> list[str]:
    """The texts of a column that keeps them as a JSON array."""
    return msgspec.json.decode(column, type=list[str]) if column else []


def user(row: Row) -> accounts_pb2.User:
    return accounts_pb2.User(
        user_id=row["user_id"],
        name=row["name"],
        role=row["as_role"],
        created_at=rfc3339(row["created_at"]),
        organization_id=row["organization_id"],
        kind=row["kind"],
        limits=limits(row),
        disabled_at=rfc3339(row["disabled_at"]),
        etag=str(row["version"]),
    )


def key(row: Row, organization_id: str) -> accounts_pb2.Key:
    return accounts_pb2.Key(
        key_id=row["key_id"],
        prefix=keys.shown(row["key_id"]),
        name=row["name"],
        user_id=row["user_id"],
        limits=limits(row),
        allowed_models=texts(row["allowed_models"]),
        created_at=rfc3339(row["created_at"]),
        expires_at=rfc3339(row["expires_at"]),
        revoked_at=rfc3339(row["revoked_at"]),
        team_id=row["team_id"] or "",
        allowed_entries=texts(row["allowed_entries"]),
        ip_ranges=texts(row["ip_ranges"]),
        etag=str(row["version"]),
        organization_id=organization_id,
        counted_as=row["counted_as"] or row["key_id"],
        replaced_by=row["replaced_by"] or "",
    )


def team(row: Row, members: int) -> accounts_pb2.Team:
    return accounts_pb2.Team(
        team_id=row["team_id"],
        organization_id=row["organization_id"],
        name=row["name"],
        limits=limits(row),
        created_at=rfc3339(row["created_at"]),
        etag=str(row["version"]),
        members=members,
    )


def organization(row: Row) -> accounts_pb2.Organization:
    return accounts_pb2.Organization(
        organization_id=row["organization_id"],
        name=row["name"],
        limits=limits(row),
        platform=row["organization_id"] == PLATFORM_ORGANIZATION,
        created_at=rfc3339(row["created_at"]),
        etag=str(row["version"]),
    )


def key_row(row: Row) -> KeyRow:
    principal = common_pb2.Principal(
        key_id=row["counted_as"] or row["key_id"],
        user_id=row["user_id"],
        role=row["as_role"],
        limits=limits(row),
        allowed_models=texts(row["allowed_models"]),
        team_id=row["team_id"] or "",
        organization_id=row["organization_id"],
        allowed_entries=texts(row["allowed_entries"]),
        ip_ranges=texts(row["ip_ranges"]),
    )
    # Left out where there are none: a principal goes with every call.
    for whose, field in (
        ("user_", principal.user_limits),
        ("team_", principal.team_limits),
        ("organization_", principal.organization_limits),
    ):
        if any(row[whose + name] for name in LIMITS):
            field.CopyFrom(limits(row, whose))
    return KeyRow(principal, row["digest"], row["expires_at"], row["revoked_at"], row["disabled_at"] is not None)
