"""Users and service accounts, and what nobody may do to them."""

from __future__ import annotations

import asyncio

import pytest

from llm_platform.auth_service.service import AccountService
from llm_platform.core.actor import ADMIN, BILLING_VIEWER, DEVELOPER, OWNER, READ_ONLY
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2, common_pb2
from tests.unit.auth_service.parts import acting, ask, make_key, make_team, make_user, proved, refused

Update = accounts_pb2.UpdateUserRequest
LIMITS = common_pb2.Limits(requests_per_minute=7, tokens_per_minute=8, concurrency=9, requests_burst=3, tokens_burst=4)


async def names(accounts: AccountService, **fields: object) -> list[str]:
    return [user.name for user in (await accounts.list_users(accounts_pb2.ListUsersRequest(**fields))).items]  # type: ignore[arg-type]


async def get(accounts: AccountService, name: str) -> accounts_pb2.User:
    return await accounts.get_user(accounts_pb2.UserName(user=name))


async def test_a_user_is_changed_in_what_is_set_and_its_keys_know_at_once(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    user = await make_user(accounts, "ann")
    key = await make_key(accounts, user="ann")
    changed = await accounts.update_user(Update(user="ann", etag=user.etag, role=READ_ONLY, limits=LIMITS))
    assert (changed.name, changed.role, changed.limits) == ("ann", READ_ONLY, LIMITS)
    changed = await accounts.update_user(Update(user="ann", etag=changed.etag, name="anna"))
    assert (changed.name, changed.role, changed.limits) == ("anna", READ_ONLY, LIMITS)
    principal = (await ask(accounts, key.secret))[0].principal
    assert (principal.role, principal.user_limits) == (READ_ONLY, LIMITS)


@pytest.mark.case(23)
async def test_of_two_who_edit_at_once_the_second_is_told_and_nothing_is_lost(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    user = await make_user(accounts, "ann")
    edits = [Update(user="ann", etag=user.etag, role=ADMIN), Update(user="ann", etag=user.etag, limits=LIMITS)]
    results = await asyncio.gather(*(accounts.update_user(edit) for edit in edits), return_exceptions=True)
    (conflict,) = (result for result in results if isinstance(result, PlatformError))
    (done,) = (result for result in results if isinstance(result, accounts_pb2.User))
    assert (conflict.code, conflict.param) == (Code.CONFLICT, "etag")
    assert await get(accounts, "ann") == done
    for edit in edits:
        edit.etag = (await get(accounts, "ann")).etag
        await accounts.update_user(edit)
    now = await get(accounts, "ann")
    assert (now.role, now.limits) == (ADMIN, LIMITS)
    with refused(Code.INVALID_REQUEST, "etag"):
        await accounts.update_user(Update(user="ann", role=DEVELOPER))


async def test_a_disabled_users_keys_and_password_are_refused_until_it_is_enabled(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    user = await make_user(accounts, "ann", password="a password of ann")
    key = await make_key(accounts, user="ann")
    disabled = await accounts.update_user(Update(user="ann", etag=user.etag, disabled=True))
    assert disabled.disabled_at
    assert (await ask(accounts, key.secret))[0].refusal == "disabled"
    with refused(Code.UNAUTHENTICATED, says="name or the password is wrong"):
        await proved(accounts, "ann", "a password of ann")
    enabled = await accounts.update_user(Update(user="ann", etag=disabled.etag, disabled=False))
    assert not enabled.disabled_at
    assert not (await ask(accounts, key.secret))[0].refusal
    assert (await proved(accounts, "ann", "a password of ann")).user_id == user.user_id


async def test_a_deleted_users_keys_are_revoked_for_good_and_its_name_is_free(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    user = await make_user(accounts, "ann", password="a password of ann")
    await make_team(accounts, "tools", "ann")
    key = await make_key(accounts, user="ann")
    gone = await accounts.delete_user(accounts_pb2.UserName(user="ann"))
    assert (gone.user_id, gone.name, gone.team_ids) == (user.user_id, user.user_id, [])
    assert (await ask(accounts, key.secret))[0].refusal == "revoked"
    assert await names(accounts) == ["root"]
    for name in ("ann", user.user_id):
        with refused(Code.NOT_FOUND, "user"):
            await get(accounts, name)
    with refused(Code.UNAUTHENTICATED):
        await proved(accounts, user.user_id, "a password of ann")
    assert (await make_user(accounts, "ann")).user_id != user.user_id


async def test_users_are_listed_in_pages_also_while_they_come_and_go(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    made = {name: (await make_user(accounts, name)).user_id for name in ("b", "B", "ä", "я", "a-1", "a_1", "日本")}
    made["root"] = first.key.key.user_id
    newest_first = sorted(made, key=made.__getitem__, reverse=True)  # all at one time: by their ids
    request = accounts_pb2.ListUsersRequest(page_size=3)
    seen: list[str] = []
    while True:
        found = await accounts.list_users(request)
        seen += [user.name for user in found.items]
        if not found.next_page_token:
            break
        assert len(found.items) == 3
        request.page_token = found.next_page_token
        if len(seen) == 3:
            await make_user(accounts, "0")
            await accounts.delete_user(accounts_pb2.UserName(user=newest_first[5]))
    assert seen == [name for name in newest_first if name != newest_first[5]]


@pytest.mark.parametrize(
    "fields",
    [
        {"page_token": "?"},
        {"page_token": "WzFd"},
        {"page_token": "W10="},
        {"page_token": "x" * 100_000},
        {"page_size": 1_001},
        {"search": "x" * 101},
        {"search": "\0"},
        {"role": "root"},
        {"kind": "robot"},
    ],
)
async def test_a_list_that_makes_no_sense_is_refused_with_the_field(
    accounts: AccountService, fields: dict[str, object]
) -> None:
    with refused(Code.INVALID_REQUEST, next(iter(fields))):
        await names(accounts, **fields)


@pytest.mark.case(22)
@pytest.mark.parametrize("text", ["%", "_", "/%", "\\", "' OR 1=1 --", '"', "sk-llm-%", "*", "[a-z]", "x'||'y"])
async def test_a_search_is_text_and_never_a_pattern_or_a_query(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, text: str
) -> None:
    await make_key(accounts, name=f"is{text}in")
    assert await names(accounts, search=text) == []
    listed = await accounts.list_keys(accounts_pb2.ListKeysRequest(search=text))
    assert [key.name for key in listed.items] == [f"is{text}in"]
    team = await accounts.create_team(accounts_pb2.CreateTeamRequest(name=f"is{text}in"))
    assert [each.name for each in (await accounts.list_teams(accounts_pb2.ListTeamsRequest(search=text))).items] == [
        team.name
    ]
    found = await accounts.list_organizations(accounts_pb2.ListOrganizationsRequest(search=text))
    assert not found.items
    for call in (
        get(accounts, text),
        accounts.get_team(accounts_pb2.TeamName(team=text)),
        accounts.get_organization(accounts_pb2.OrganizationName(organization=text)),
        accounts.get_key(accounts_pb2.KeyName(key=text)),
    ):
        with refused(Code.NOT_FOUND):
            await call


async def test_a_search_finds_a_part_of_a_name_in_any_script_whatever_its_case(accounts: AccountService) -> None:
    for name in ("Straße", "ΣΊΣΥΦΟΣ", "Åse", "bob"):
        await make_user(accounts, name)
    assert await names(accounts, search="STRASSE") == ["Straße"]
    assert await names(accounts, search="σίσυφος") == ["ΣΊΣΥΦΟΣ"]
    assert await names(accounts, search="a\u030a") == ["Åse"]
    assert await names(accounts, search="O") == ["bob"]


async def test_users_are_found_by_role_kind_and_team(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    await make_user(accounts, "ann", ADMIN)
    await make_user(accounts, "ci", kind="service_account")
    team = await make_team(accounts, "tools", "ci", "root")
    assert await names(accounts, role=OWNER) == ["root"]
    assert await names(accounts, role=ADMIN) == ["ann"]
    assert await names(accounts, kind="service_account") == ["ci"]
    assert await names(accounts, team="tools") == ["ci", "root"]
    assert (await get(accounts, "ci")).team_ids == [team.team_id]


async def test_a_service_account_holds_keys_and_neither_a_password_nor_an_organisation(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    account = await make_user(accounts, "ci", kind="service_account")
    key = await make_key(accounts, user="ci")
    assert (await ask(accounts, key.secret))[0].principal.user_id == account.user_id
    with refused(Code.INVALID_REQUEST, "password"):
        await make_user(accounts, "cd", kind="service_account", password="a password of cd")
    with refused(Code.INVALID_REQUEST, "role"):
        await make_user(accounts, "cd", OWNER, kind="service_account")
    with refused(Code.INVALID_REQUEST, "role"):
        await accounts.update_user(Update(user="ci", etag=account.etag, role=OWNER))


@pytest.mark.case(23)
async def test_nobody_raises_their_own_role_or_limits(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    for role in (ADMIN, BILLING_VIEWER, DEVELOPER, READ_ONLY):
        user = await make_user(accounts, f"a-{role}", role)
        with acting(user):
            for change in ({"role": OWNER}, {"role": ADMIN}, {"limits": LIMITS}, {"disabled": True}):
                if change == {"role": role}:
                    continue
                with refused(Code.PERMISSION_DENIED):
                    await accounts.update_user(Update(user=user.user_id, etag=user.etag, **change))  # type: ignore[arg-type]
        assert await get(accounts, user.name) == user


@pytest.mark.case(23)
async def test_an_admin_neither_makes_nor_changes_an_owner(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    admin, other = await make_user(accounts, "ann", ADMIN), await make_user(accounts, "bob")
    owner = await get(accounts, "root")
    with acting(admin):
        for call in (
            make_user(accounts, "eve", OWNER),
            accounts.update_user(Update(user="bob", etag=other.etag, role=OWNER)),
            accounts.update_user(Update(user="root", etag=owner.etag, role=DEVELOPER)),
            accounts.update_user(Update(user="root", etag=owner.etag, disabled=True)),
            accounts.delete_user(accounts_pb2.UserName(user="root")),
            make_key(accounts, user="root"),
            accounts.rotate_key(accounts_pb2.RotateKeyRequest(key=first.key.key.key_id)),
        ):
            with refused(Code.PERMISSION_DENIED):
                await call
        assert (await accounts.update_user(Update(user="bob", etag=other.etag, role=ADMIN))).role == ADMIN
    with acting(owner):
        assert (await make_user(accounts, "eve", OWNER)).role == OWNER


async def test_an_organisation_keeps_an_owner(accounts: AccountService, first: accounts_pb2.Bootstrapped) -> None:
    second = await make_user(accounts, "ann", OWNER)
    owner = await get(accounts, "root")
    edits = [Update(user=user.name, etag=user.etag, role=ADMIN) for user in (owner, second)]
    results = await asyncio.gather(*(accounts.update_user(edit) for edit in edits), return_exceptions=True)
    assert [type(result) for result in results].count(PlatformError) == 1
    (last,) = await names(accounts, role=OWNER)
    etag = (await get(accounts, last)).etag
    for call in (
        accounts.update_user(Update(user=last, etag=etag, role=DEVELOPER)),
        accounts.update_user(Update(user=last, etag=etag, disabled=True)),
        accounts.delete_user(accounts_pb2.UserName(user=last)),
    ):
        with refused(Code.CONFLICT, says="last owner"):
            await call
