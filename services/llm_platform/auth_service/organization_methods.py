"""Organisations: whose users see, and are administered by, each other only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_platform.auth_service import permissions, requests, rows
from llm_platform.auth_service.lookup import check_etag, find_organization
from llm_platform.auth_service.methods import Methods, limit_columns
from llm_platform.auth_service.names import check_name, fold
from llm_platform.auth_service.paging import matches, page
from llm_platform.auth_service.schema import organizations, teams, users
from llm_platform.core.actor import PLATFORM_ORGANIZATION, actor
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.ids import new_id
from llm_platform.proto import accounts_pb2


class OrganizationMethods(Methods):
    """The organisations."""

    async def create_organization(self, request: accounts_pb2.CreateOrganizationRequest) -> accounts_pb2.Organization:
        """Makes one without members. Raises INVALID_REQUEST, CONFLICT (the name)."""
        permissions.require_platform_administrator(actor.get())
        name = check_name(request.name, "An organisation")
        row = {
            "organization_id": new_id("org"),
            "name": name,
            "folded": fold(name),
            "created_at": self._now_ms(),
            **limit_columns(requests.check_limits(request.limits)),
        }
        async with self._database.change() as (connection, _):
            await _check_free(connection, name)
            made = await connection.execute(insert(organizations).values(row).returning(organizations))
            organization = rows.organization(made.mappings().one())
            organization_id = organization.organization_id
            await self._audit(connection, "CreateOrganization", organization_id, organization_id, row)
            return organization

    async def list_organizations(self, request: accounts_pb2.ListOrganizationsRequest) -> accounts_pb2.Organizations:
        """Those that the actor sees, by name."""
        query = select(organizations).where(organizations.c.deleted_at.is_(None))
        if (only := permissions.scope(actor.get())) is not None:
            query = query.where(organizations.c.organization_id == only)
        if request.search:
            query = query.where(matches(organizations.c.folded, organizations.c.name, request.search))
        async with self._database.read() as connection:
            order = (organizations.c.name,)
            found, token = await page(connection, query, order, request.page_size, request.page_token)
        return accounts_pb2.Organizations(items=map(rows.organization, found), next_page_token=token)

    async def get_organization(self, request: accounts_pb2.OrganizationName) -> accounts_pb2.Organization:
        """Raises NOT_FOUND."""
        async with self._database.read() as connection:
            return rows.organization(await find_organization(connection, actor.get(), request.organization))

    async def update_organization(self, request: accounts_pb2.UpdateOrganizationRequest) -> accounts_pb2.Organization:
        """Changes what is set. Raises INVALID_REQUEST, NOT_FOUND, CONFLICT (etag, name), PERMISSION_DENIED."""
        values: dict[str, Any] = {}
        if request.HasField("limits"):
            values |= limit_columns(requests.check_limits(request.limits))
        if request.HasField("name"):
            name = check_name(request.name, "An organisation")
            values |= {"name": name, "folded": fold(name)}
        async with self._database.change() as (connection, number):
            row = await find_organization(connection, actor.get(), request.organization)
            permissions.check_organization_changed(actor.get(), row, limits=request.HasField("limits"))
            check_etag(row, request.etag)
            if values.get("name", row["name"]) != row["name"]:
                await _check_free(connection, values["name"])
            changed = await _write(connection, row, values | {"change": number})
            organization_id = row["organization_id"]
            await self._audit(connection, "UpdateOrganization", organization_id, organization_id, values)
        self._revocations.changed()
        return rows.organization(changed)

    async def delete_organization(self, request: accounts_pb2.OrganizationName) -> accounts_pb2.Organization:
        """Deletes one without members, and its teams. Raises NOT_FOUND, CONFLICT, PERMISSION_DENIED."""
        permissions.require_platform_administrator(actor.get())
        now_ms = self._now_ms()
        async with self._database.change() as (connection, number):
            row = await find_organization(connection, actor.get(), request.organization or "-")
            organization_id = row["organization_id"]
            if organization_id == PLATFORM_ORGANIZATION:
                raise PlatformError(
                    Code.CONFLICT, "This is the platform's own organisation: it stays.", param="organization"
                )
            members = select(users.c.user_id).where(
                users.c.organization_id == organization_id, users.c.deleted_at.is_(None)
            )
            if (await connection.execute(members.limit(1))).first() is not None:
                raise PlatformError(
                    Code.CONFLICT, "The organisation has members: delete them first.", param="organization"
                )
            await connection.execute(
                update(teams)
                .where(teams.c.organization_id == organization_id, teams.c.deleted_at.is_(None))
                .values(deleted_at=now_ms, change=number)
            )
            name = f"{row['name']} ({organization_id})"  # the name is free again
            values = {"deleted_at": now_ms, "change": number, "name": name, "folded": fold(name)}
            gone = rows.organization(await _write(connection, row, values))
            told = {"name": row["name"]}
            await self._audit(connection, "DeleteOrganization", organization_id, organization_id, told)
            return gone


async def _check_free(connection: AsyncConnection, name: str) -> None:
    query = select(organizations.c.organization_id).where(organizations.c.name == name)
    if (await connection.execute(query)).first() is not None:
        raise PlatformError(Code.CONFLICT, f"There is already an organisation named {name}.", param="name")


async def _write(connection: AsyncConnection, row: rows.Row, values: dict[str, Any]) -> rows.Row:
    this = organizations.c.organization_id == row["organization_id"]
    statement = update(organizations).where(this).values(**values, version=row["version"] + 1)
    written: rows.Row = (await connection.execute(statement.returning(organizations))).mappings().one()
    return written
