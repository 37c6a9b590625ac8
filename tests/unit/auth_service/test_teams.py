"""Teams: their members, their keys, and the end of both."""

from __future__ import annotations

import asyncio

from llm_platform.auth_service.cache import KeyCache
from llm_platform.auth_service.service import AccountService
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2, common_pb2
from tests.unit.auth_service.parts import OpenAccounts, acting, ask, make_key, make_team, make_user, refused, until

LIMITS = common_pb2.Limits(tokens_per_minute=1_000)


async def test_a_teams_keys_carry_it_and_its_limits(accounts: AccountService, first: accounts_pb2.Bootstrapped) -> None:
    team = await make_team(accounts, "tools", "root")
    key = await make_key(accounts, team="tools")
    await accounts.update_team(accounts_pb2.UpdateTeamRequest(team="tools", etag=team.etag, limits=LIMITS))
    principal = (await ask(accounts, key.secret))[0].principal
    assert (principal.team_id, principal.team_limits) == (team.team_id, LIMITS)
    listed = await accounts.list_keys(accounts_pb2.ListKeysRequest(team="tools"))
    assert [each.key_id for each in listed.items] == [key.key.key_id]


async def test_a_key_is_only_made_for_a_team_that_its_owner_is_in(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    await make_team(accounts, "tools")
    with refused(Code.INVALID_REQUEST, "team", says="not in the team"):
        await make_key(accounts, team="tools")
    with refused(Code.NOT_FOUND, "team"):
        await make_key(accounts, team="nobody")


async def test_a_member_joins_once_and_takes_no_key_of_the_team_when_it_leaves(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    await make_user(accounts, "ann")
    member = accounts_pb2.TeamMember(team="tools", user="ann")
    await make_team(accounts, "tools", "ann", "root")
    assert (await accounts.add_team_member(member)).members == 2
    own, theirs = await make_key(accounts, user="ann"), await make_key(accounts, user="ann", team="tools")
    stays = await make_key(accounts, team="tools")
    assert (await accounts.remove_team_member(member)).members == 1
    assert (await accounts.remove_team_member(member)).members == 1
    refusals = [reply.refusal for reply in await ask(accounts, own.secret, theirs.secret, stays.secret)]
    assert refusals == ["", "revoked", ""]


async def test_a_team_takes_members_of_its_own_organisation_only(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    await accounts.create_organization(accounts_pb2.CreateOrganizationRequest(name="acme"))
    await make_user(accounts, "ann", organization="acme")
    with refused(Code.NOT_FOUND, "user"):
        await make_team(accounts, "tools", "ann")


async def test_a_developer_sees_the_teams_it_is_in(accounts: AccountService, first: accounts_pb2.Bootstrapped) -> None:
    user = await make_user(accounts, "ann")
    await make_team(accounts, "hers", "ann", "root")
    await make_team(accounts, "others", "root")
    with acting(user):
        listed = await accounts.list_teams(accounts_pb2.ListTeamsRequest())
        assert [(team.name, team.members) for team in listed.items] == [("hers", 2)]
        with refused(Code.NOT_FOUND, "team"):
            await accounts.get_team(accounts_pb2.TeamName(team="others"))
    listed = await accounts.list_teams(accounts_pb2.ListTeamsRequest(user="ann"))
    assert [team.name for team in listed.items] == ["hers"]


async def test_a_team_deleted_while_its_keys_are_used_and_made_leaves_no_live_key_of_it(
    open_accounts: OpenAccounts,
) -> None:
    async with open_accounts() as here, open_accounts() as there:
        await here.bootstrap(accounts_pb2.BootstrapRequest(admin_name="root"))
        team = await make_team(here, "tools", "root")
        made = [await make_key(here, team="tools") for _ in range(5)]
        async with KeyCache(here, 5.0) as cache:

            async def use(secret: str) -> str:
                try:
                    while True:
                        assert (await cache.get(secret)).team_id == team.team_id
                        await asyncio.sleep(0)
                except PlatformError as refusal:
                    return refusal.message

            async def make_more() -> list[accounts_pb2.CreatedKey]:
                more = []
                with refused(Code.NOT_FOUND, "team"):
                    while True:
                        more.append(await make_key(there, team="tools"))
                return more

            using = [asyncio.create_task(use(key.secret)) for key in made]
            making = asyncio.create_task(make_more())
            await until(lambda: len(cache) == len(made))
            await there.delete_team(accounts_pb2.TeamName(team="tools"))
            async with asyncio.timeout(10):
                refusals = await asyncio.gather(*using)
                made += await making
        assert all("revoked" in refusal for refusal in refusals)
        assert {reply.refusal for reply in await ask(here, *(key.secret for key in made))} == {"revoked"}
        live = await here.list_keys(accounts_pb2.ListKeysRequest())
        assert [key.name for key in live.items] == ["first"]
        await make_team(here, "tools", "root")
