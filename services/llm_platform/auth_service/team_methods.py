"""Teams: users of one organisation whose keys share limits and a budget."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_platform.auth_service import permissions, requests, rows
from llm_platform.auth_service.lookup import check_etag, find_organization, find_team, find_user, teams_of
from llm_platform.auth_service.methods import Methods, limit_columns
from llm_platform.auth_service.names import check_name, fold
from llm_platform.auth_service.paging import matches, page
from llm_platform.auth_service.schema import api_keys, team_members, teams
from llm_platform.core.actor import actor
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.ids import new_id
from llm_platform.proto import accounts_pb2


class TeamMethods(Methods):
    """The teams and their members."""

    async def create_team(self, request: accounts_pb2.CreateTeamRequest) -> accounts_pb2.Team:
        """Makes one without members. Raises INVALID_REQUEST, NOT_FOUND, CONFLICT (the name), PERMISSION_DENIED."""
        name = check_name(request.name, "A team")
        limits = limit_columns(requests.check_limits(request.limits))
        async with self._database.change() as (connection, _):
            organization = await find_organization(connection, actor.get(), request.organization)
            organization_id = organization["organization_id"]
            permissions.require_administrator(actor.get(), organization_id)
            await _check_free(connection, organization_id, name)
            row = {
                "team_id": new_id("team"),
                "organization_id": organization_id,
                "name": name,
                "folded": fold(name),
                "created_at": self._now_ms(),
                **limits,
            }
            made = await connection.execute(insert(teams).values(row).returning(teams))
            team = rows.team(made.mappings().one(), members=0)
            await self._audit(connection, "CreateTeam", team.team_id, organization_id, row)
            return team

    async def list_teams(self, request: accounts_pb2.ListTeamsRequest) -> accounts_pb2.Teams:
        """Those that the actor sees, by name. Raises NOT_FOUND, INVALID_REQUEST."""
        who = actor.get()
        async with self._database.read() as connection:
            query = _select_teams()
            if request.organization:
                organization = await find_organization(connection, who, request.organization)
                query = query.where(teams.c.organization_id == organization["organization_id"])
            elif (only := permissions.scope(who)) is not None:
                query = query.where(teams.c.organization_id == only)
            if request.user:
                user = await find_user(connection, who, request.user)
                query = query.where(teams.c.team_id.in_(teams_of(user["user_id"])))
            if (own := permissions.own_only(who)) is not None:
                query = query.where(teams.c.team_id.in_(teams_of(own)))
            if request.search:
                query = query.where(matches(teams.c.folded, teams.c.name, request.search))
            order = (teams.c.name, teams.c.team_id)
            found, token = await page(connection, query, order, request.page_size, request.page_token)
        return accounts_pb2.Teams(items=[rows.team(row, row["members"]) for row in found], next_page_token=token)

    async def get_team(self, request: accounts_pb2.TeamName) -> accounts_pb2.Team:
        """Raises NOT_FOUND."""
        async with self._database.read() as connection:
            return await _team(connection, await find_team(connection, actor.get(), request.team))

    async def update_team(self, request: accounts_pb2.UpdateTeamRequest) -> accounts_pb2.Team:
        """Changes what is set. Raises INVALID_REQUEST, NOT_FOUND, CONFLICT (etag, name), PERMISSION_DENIED."""
        values: dict[str, Any] = {}
        if request.HasField("limits"):
            values |= limit_columns(requests.check_limits(request.limits))
        if request.HasField("name"):
            name = check_name(request.name, "A team")
            values |= {"name": name, "folded": fold(name)}
        async with self._database.change() as (connection, number):
            row = await self._administered(connection, request.team)
            check_etag(row, request.etag)
            if values.get("name", row["name"]) != row["name"]:
                await _check_free(connection, row["organization_id"], values["name"])
            changed = await _team(connection, await _write(connection, row, values | {"change": number}))
            await self._audit(connection, "UpdateTeam", row["team_id"], row["organization_id"], values)
        self._revocations.changed()
        return changed

    async def delete_team(self, request: accounts_pb2.TeamName) -> accounts_pb2.Team:
        """Deletes it and revokes its keys. Raises NOT_FOUND, PERMISSION_DENIED."""
        now_ms = self._now_ms()
        async with self._database.change() as (connection, number):
            row = await self._administered(connection, request.team)
            await revoke_keys(connection, api_keys.c.team_id == row["team_id"], now_ms, number)
            await connection.execute(delete(team_members).where(team_members.c.team_id == row["team_id"]))
            name = f"{row['name']} ({row['team_id']})"  # the name is free again
            values = {"deleted_at": now_ms, "change": number, "name": name, "folded": fold(name)}
            gone = rows.team(await _write(connection, row, values), members=0)
            await self._audit(connection, "DeleteTeam", row["team_id"], row["organization_id"], {"name": row["name"]})
        self._revocations.changed()
        return gone

    async def add_team_member(self, request: accounts_pb2.TeamMember) -> accounts_pb2.Team:
        """Adds a user of the same organisation. Raises NOT_FOUND, PERMISSION_DENIED."""
        async with self._database.change() as (connection, _):
            row = await self._administered(connection, request.team)
            user = await find_user(connection, actor.get(), request.user)
            if user["organization_id"] != row["organization_id"]:
                raise PlatformError(Code.NOT_FOUND, "There is no such user in the team's organisation.", param="user")
            if (await connection.execute(_membership(row, user))).first() is None:
                member = {"team_id": row["team_id"], "user_id": user["user_id"], "created_at": self._now_ms()}
                await connection.execute(insert(team_members).values(member))
                told = {"user_id": user["user_id"]}
                await self._audit(connection, "AddTeamMember", row["team_id"], row["organization_id"], told)
            return await _team(connection, row)

    async def remove_team_member(self, request: accounts_pb2.TeamMember) -> accounts_pb2.Team:
        """Removes a user and revokes its keys of the team. Raises NOT_FOUND, PERMISSION_DENIED."""
        async with self._database.change() as (connection, number):
            row = await self._administered(connection, request.team)
            user = await find_user(connection, actor.get(), request.user)
            theirs = (api_keys.c.team_id == row["team_id"]) & (api_keys.c.user_id == user["user_id"])
            await revoke_keys(connection, theirs, self._now_ms(), number)
            await connection.execute(
                delete(team_members).where(
                    team_members.c.team_id == row["team_id"], team_members.c.user_id == user["user_id"]
                )
            )
            left = await _team(connection, row)
            told = {"user_id": user["user_id"]}
            await self._audit(connection, "RemoveTeamMember", row["team_id"], row["organization_id"], told)
        self._revocations.changed()
        return left

    async def _administered(self, connection: AsyncConnection, name: str) -> rows.Row:
        row = await find_team(connection, actor.get(), name)
        permissions.require_administrator(actor.get(), row["organization_id"])
        return row


async def revoke_keys(connection: AsyncConnection, which: Any, now_ms: int, number: int) -> None:
    """Revokes those of the keys that are live, as the change of that number."""
    live = which & api_keys.c.revoked_at.is_(None)
    values = {"revoked_at": now_ms, "revocation": number, "version": api_keys.c.version + 1}
    await connection.execute(update(api_keys).where(live).values(values))


def _membership(team: rows.Row, user: rows.Row) -> Select[tuple[str]]:
    return select(team_members.c.user_id).where(
        team_members.c.team_id == team["team_id"], team_members.c.user_id == user["user_id"]
    )


def _select_teams() -> Select[Any]:
    count = select(func.count()).where(team_members.c.team_id == teams.c.team_id).correlate(teams).scalar_subquery()
    return select(teams, count.label("members")).where(teams.c.deleted_at.is_(None))


async def _team(connection: AsyncConnection, row: rows.Row) -> accounts_pb2.Team:
    query = select(func.count()).where(team_members.c.team_id == row["team_id"])
    return rows.team(row, (await connection.execute(query)).scalar_one())


async def _check_free(connection: AsyncConnection, organization_id: str, name: str) -> None:
    query = select(teams.c.team_id).where(teams.c.organization_id == organization_id, teams.c.name == name)
    if (await connection.execute(query)).first() is not None:
        raise PlatformError(Code.CONFLICT, f"There is already a team named {name}.", param="name")


async def _write(connection: AsyncConnection, row: rows.Row, values: dict[str, Any]) -> rows.Row:
    statement = update(teams).where(teams.c.team_id == row["team_id"]).values(**values, version=row["version"] + 1)
    written: rows.Row = (await connection.execute(statement.returning(teams))).mappings().one()
    return written
