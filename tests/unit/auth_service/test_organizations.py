"""Organisations: made, changed, deleted, and closed to each other."""

from __future__ import annotations

import pytest

from llm_platform.auth_service.service import AccountService
from llm_platform.core.actor import ADMIN, BILLING_VIEWER, DEVELOPER, OWNER, READ_ONLY, ROLES
from llm_platform.core.errors import Code
from llm_platform.proto import accounts_pb2, common_pb2
from tests.unit.auth_service.parts import acting, ask, make_key, make_team, make_user, refused

LIMITS = common_pb2.Limits(requests_per_minute=7)


async def make(accounts: AccountService, name: str = "acme") -> accounts_pb2.Organization:
    return await accounts.create_organization(accounts_pb2.CreateOrganizationRequest(name=name))


def named(name: str) -> accounts_pb2.OrganizationName:
    return accounts_pb2.OrganizationName(organization=name)


async def listed(accounts: AccountService) -> list[str]:
    found = await accounts.list_organizations(accounts_pb2.ListOrganizationsRequest())
    return [organization.name for organization in found.items]


async def test_the_platforms_own_organisation_is_there_and_stays(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    platform = await accounts.get_organization(named(""))
    assert (platform.name, platform.platform) == ("platform", True)
    assert first.admin.organization_id == platform.organization_id
    with refused(Code.CONFLICT, says="it stays"):
        await accounts.delete_organization(named("platform"))


async def test_limits_of_an_organisation_go_with_its_keys(accounts: AccountService) -> None:
    acme = await make(accounts)
    await make_user(accounts, "ann", OWNER, "acme")
    key = await make_key(accounts, user="ann")
    update = accounts_pb2.UpdateOrganizationRequest(organization="acme", etag=acme.etag, limits=LIMITS, name="Acme AG")
    changed = await accounts.update_organization(update)
    assert (changed.name, changed.limits, changed.platform) == ("Acme AG", LIMITS, False)
    principal = (await ask(accounts, key.secret))[0].principal
    assert (principal.organization_id, principal.organization_limits) == (acme.organization_id, LIMITS)
    assert not principal.HasField("user_limits")
    update.organization = acme.organization_id
    with refused(Code.CONFLICT, "etag"):
        await accounts.update_organization(update)


async def test_an_organisation_goes_when_its_last_member_has_gone(accounts: AccountService) -> None:
    await make(accounts)
    owner = await make_user(accounts, "ann", OWNER, "acme")
    await make_user(accounts, "bob", DEVELOPER, "acme")
    await make_team(accounts, "tools", "bob", organization="acme")
    with refused(Code.CONFLICT, says="has members"):
        await accounts.delete_organization(named("acme"))
    with refused(Code.CONFLICT, says="last owner"):
        await accounts.delete_user(accounts_pb2.UserName(user=owner.name))
    for name in ("bob", "ann"):
        await accounts.delete_user(accounts_pb2.UserName(user=name))
    await accounts.delete_organization(named("acme"))
    assert await listed(accounts) == ["platform"]
    assert not (await accounts.list_teams(accounts_pb2.ListTeamsRequest())).items
    await make(accounts)


async def test_names_of_organisations_and_of_teams_within_one_are_taken_once(accounts: AccountService) -> None:
    await make(accounts)
    with refused(Code.CONFLICT, "name"):
        await make(accounts)
    await make_team(accounts, "tools")
    await make_team(accounts, "tools", organization="acme")
    with refused(Code.CONFLICT, "name"):
        await make_team(accounts, "tools")
    with refused(Code.CONFLICT, "team", says="give the id"):
        await accounts.get_team(accounts_pb2.TeamName(team="tools"))


@pytest.mark.case(23)
@pytest.mark.parametrize("role", ROLES)
async def test_nobody_sees_or_touches_another_organisation(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, role: str
) -> None:
    await make(accounts)
    await make(accounts, "other")
    other = await make_user(accounts, "otto", OWNER, "other")
    team = await make_team(accounts, "theirs", "otto", organization="other")
    key = (await make_key(accounts, user="otto")).key
    with acting(await make_user(accounts, "ann", role, "acme")):
        assert await listed(accounts) == ["acme"]
        assert [user.name for user in (await accounts.list_users(accounts_pb2.ListUsersRequest())).items] == ["ann"]
        assert not (await accounts.list_keys(accounts_pb2.ListKeysRequest())).items
        assert not (await accounts.list_teams(accounts_pb2.ListTeamsRequest())).items
        for call in (
            accounts.get_organization(named("other")),
            accounts.get_user(accounts_pb2.UserName(user=other.user_id)),
            accounts.update_user(accounts_pb2.UpdateUserRequest(user="otto", etag=other.etag, disabled=True)),
            accounts.delete_user(accounts_pb2.UserName(user="otto")),
            accounts.get_team(accounts_pb2.TeamName(team=team.team_id)),
            accounts.delete_team(accounts_pb2.TeamName(team=team.team_id)),
            accounts.get_key(accounts_pb2.KeyName(key=key.key_id)),
            accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=key.key_id)),
            accounts.rotate_key(accounts_pb2.RotateKeyRequest(key=key.key_id)),
            accounts.list_users(accounts_pb2.ListUsersRequest(organization="other")),
            accounts.list_keys(accounts_pb2.ListKeysRequest(user="otto")),
            make_key(accounts, user="otto"),
        ):
            with refused(Code.NOT_FOUND):
                await call
        with refused(Code.NOT_FOUND if role in {OWNER, ADMIN} else Code.PERMISSION_DENIED):
            await make_user(accounts, "eve", DEVELOPER, "other")
        for denied in (
            make(accounts, "more"),
            accounts.delete_organization(named("acme")),
            accounts.update_organization(
                accounts_pb2.UpdateOrganizationRequest(organization="acme", etag="1", limits=LIMITS)
            ),
        ):
            with refused(Code.PERMISSION_DENIED):
                await denied


@pytest.mark.case(23)
@pytest.mark.parametrize("role", [BILLING_VIEWER, DEVELOPER, READ_ONLY])
async def test_only_administrators_change_anything_of_others(accounts: AccountService, role: str) -> None:
    await make(accounts)
    other = await make_user(accounts, "otto", DEVELOPER, "acme")
    key = (await make_key(accounts, user="otto")).key
    user = await make_user(accounts, "ann", role, "acme")
    await make_team(accounts, "tools", "ann", organization="acme")
    with acting(user):
        for call in (
            make_user(accounts, "eve"),
            accounts.update_user(accounts_pb2.UpdateUserRequest(user="otto", etag=other.etag, limits=LIMITS)),
            accounts.delete_user(accounts_pb2.UserName(user="otto")),
            make_team(accounts, "mine"),
            accounts.update_team(accounts_pb2.UpdateTeamRequest(team="tools", etag="1", limits=LIMITS)),
            accounts.delete_team(accounts_pb2.TeamName(team="tools")),
            accounts.add_team_member(accounts_pb2.TeamMember(team="tools", user="otto")),
            accounts.remove_team_member(accounts_pb2.TeamMember(team="tools", user="ann")),
            make_key(accounts, user="otto"),
            accounts.update_organization(
                accounts_pb2.UpdateOrganizationRequest(organization="acme", etag="1", name="mine")
            ),
        ):
            with refused(Code.PERMISSION_DENIED):
                await call
        # A developer does not even see the key of another.
        hidden = Code.NOT_FOUND if role == DEVELOPER else Code.PERMISSION_DENIED
        for call in (
            accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=key.key_id)),
            accounts.rotate_key(accounts_pb2.RotateKeyRequest(key=key.key_id)),
            accounts.update_key(accounts_pb2.UpdateKeyRequest(key=key.key_id, etag=key.etag, name="mine")),
        ):
            with refused(hidden):
                await call
        if role != DEVELOPER:
            with refused(Code.PERMISSION_DENIED, says="may not have keys"):
                await make_key(accounts)
    assert await accounts.get_key(accounts_pb2.KeyName(key=key.key_id)) == key


async def test_an_administrator_of_the_platform_administers_every_organisation_but_no_owner(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    await make(accounts)
    await make_user(accounts, "otto", OWNER, "acme")
    with acting(await make_user(accounts, "ann", ADMIN)):
        assert await listed(accounts) == ["acme", "platform"]
        user = await make_user(accounts, "bob", DEVELOPER, "acme")
        await accounts.delete_user(accounts_pb2.UserName(user=user.user_id))
        with refused(Code.PERMISSION_DENIED):
            await accounts.delete_user(accounts_pb2.UserName(user="otto"))
    with acting(await make_user(accounts, "bert", READ_ONLY)):
        assert await listed(accounts) == ["platform"]
