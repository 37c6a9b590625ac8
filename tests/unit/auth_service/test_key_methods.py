"""What administrators and owners do with keys after they are made."""

from __future__ import annotations

import asyncio

import pytest

from llm_platform.auth_service import keys
from llm_platform.auth_service.cache import KeyCache
from llm_platform.auth_service.service import AccountService
from llm_platform.core.actor import ADMIN
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2, common_pb2
from tests.unit.auth_service.parts import (
    OpenAccounts,
    SetClock,
    acting,
    ask,
    make_key,
    make_team,
    make_user,
    proved,
    refused,
    until,
)

Update, Rotate, Texts = accounts_pb2.UpdateKeyRequest, accounts_pb2.RotateKeyRequest, accounts_pb2.TextList
LIMITS = common_pb2.Limits(requests_per_minute=7, tokens_burst=10**6)


async def test_a_key_carries_where_it_may_be_used(accounts: AccountService, first: accounts_pb2.Bootstrapped) -> None:
    ranges = ["192.0.2.0/25", "192.0.2.128/25", "2001:db8::/32", "10.0.0.1"]
    made = await make_key(accounts, allowed_entries=["tail", "tail"], ip_ranges=ranges)
    principal = (await ask(accounts, made.secret))[0].principal
    assert list(principal.allowed_entries) == list(made.key.allowed_entries) == ["tail"]
    assert list(principal.ip_ranges) == ["10.0.0.1/32", "192.0.2.0/24", "2001:db8::/32"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("allowed_entries", ["head"]),
        ("ip_ranges", ["localhost"]),
        ("ip_ranges", ["10.0.0.1/8"]),
        ("ip_ranges", ["10.0.0.0/33"]),
        ("ip_ranges", ["10.0.0.0/8"] * 101),
        ("allowed_models", ["\0"]),
        ("name", "hid\u202eden"),
        ("expires_at", "2020-01-01T00:00:00Z"),
    ],
)
async def test_an_edit_that_makes_no_sense_is_refused_with_the_field(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, field: str, value: object
) -> None:
    key = first.key.key
    given = Texts(items=value) if isinstance(value, list) else value
    with refused(Code.INVALID_REQUEST, field):
        await accounts.update_key(Update(key=key.key_id, etag=key.etag, **{field: given}))  # type: ignore[arg-type]
    with refused(Code.INVALID_REQUEST, field):
        await make_key(accounts, **{field: value})
    assert await accounts.get_key(accounts_pb2.KeyName(key=key.key_id)) == key


async def test_a_key_is_changed_in_what_is_set(accounts: AccountService, first: accounts_pb2.Bootstrapped) -> None:
    made = await make_key(accounts, allowed_models=["echo"], limits=LIMITS, expires_at="2030-01-01T00:00:00Z")
    key = made.key
    changed = await accounts.update_key(Update(key=key.prefix, etag=key.etag, ip_ranges=Texts(items=["10.0.0.0/8"])))
    assert list(changed.ip_ranges) == ["10.0.0.0/8"]
    assert (changed.allowed_models, changed.limits, changed.expires_at) == (
        key.allowed_models,
        LIMITS,
        "2030-01-01T00:00:00.000Z",
    )
    changed = await accounts.update_key(
        Update(key=key.key_id, etag=changed.etag, allowed_models=Texts(), expires_at="", limits=common_pb2.Limits())
    )
    assert (list(changed.allowed_models), changed.expires_at) == ([], "")
    assert changed.limits == common_pb2.Limits()
    with refused(Code.CONFLICT, "etag"):
        await accounts.update_key(Update(key=key.key_id, etag=key.etag, name="late"))
    revoked = await accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=key.key_id))
    with refused(Code.CONFLICT, "key"):
        await accounts.update_key(Update(key=key.key_id, etag=revoked.etag, name="late"))


@pytest.mark.case(26)
async def test_edits_of_whatever_a_key_hangs_on_reach_an_entry_as_soon_as_a_revocation(
    open_accounts: OpenAccounts,
) -> None:
    """Through another process on the database, long before the entry's memory of the key is stale."""
    async with open_accounts() as here, open_accounts() as there, KeyCache(here, 3_600.0) as cache:
        await here.bootstrap(accounts_pb2.BootstrapRequest(admin_name="root"))
        user = await make_user(there, "ann")
        team = await make_team(there, "tools", "ann")
        key = await make_key(there, user="ann", team="tools")
        organization = await there.get_organization(accounts_pb2.OrganizationName())

        async def limits_become(field: str) -> None:
            async with asyncio.timeout(5):
                while getattr(await cache.get(key.secret), field) != LIMITS:  # noqa: ASYNC110 - heard of by a push
                    await asyncio.sleep(0.001)

        await cache.get(key.secret)
        await there.update_key(Update(key=key.key.key_id, etag=key.key.etag, limits=LIMITS))
        await limits_become("limits")
        await there.update_user(accounts_pb2.UpdateUserRequest(user="ann", etag=user.etag, limits=LIMITS))
        await limits_become("user_limits")
        await there.update_team(accounts_pb2.UpdateTeamRequest(team="tools", etag=team.etag, limits=LIMITS))
        await limits_become("team_limits")
        await there.update_organization(accounts_pb2.UpdateOrganizationRequest(etag=organization.etag, limits=LIMITS))
        await limits_become("organization_limits")
        disabled = (await there.get_user(accounts_pb2.UserName(user="ann"))).etag
        await there.update_user(accounts_pb2.UpdateUserRequest(user="ann", etag=disabled, disabled=True))
        await until(lambda: len(cache) == 0)
        with refused(Code.UNAUTHENTICATED, says="is disabled"):
            await cache.get(key.secret)


async def test_a_rotated_key_goes_on_as_the_old_one_which_ends_after_the_overlap(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, clock: SetClock
) -> None:
    await make_team(accounts, "tools", "root")
    old = await make_key(
        accounts, team="tools", limits=LIMITS, allowed_models=["echo"], allowed_entries=["tail"],
        ip_ranges=["10.0.0.0/8"], expires_at="2027-01-15T10:00:00Z",
    )  # fmt: skip
    clock.now += 3_600
    new = await accounts.rotate_key(Rotate(key=old.key.key_id, overlap_seconds=60))
    before, after = (reply.principal for reply in await ask(accounts, old.secret, new.secret))
    assert before == after
    assert after.key_id == old.key.key_id == new.key.counted_as
    assert keys.key_id_of(new.secret) == new.key.key_id != old.key.key_id
    assert new.key.expires_at == "2027-01-15T11:00:00.000Z"  # two hours, as the old one was given
    shown = await accounts.get_key(accounts_pb2.KeyName(key=old.key.key_id))
    assert (shown.replaced_by, shown.expires_at) == (new.key.key_id, "2027-01-15T09:01:00.000Z")
    clock.now += 60
    assert [reply.refusal for reply in await ask(accounts, old.secret, new.secret)] == ["expired", ""]
    newest = await accounts.rotate_key(Rotate(key=new.key.key_id, overlap_seconds=0, expires_at="2028-01-01T00:00:00Z"))
    assert newest.key.counted_as == old.key.key_id
    assert newest.key.expires_at == "2028-01-01T00:00:00.000Z"
    assert [reply.refusal for reply in await ask(accounts, new.secret, newest.secret)] == ["revoked", ""]


async def test_a_key_is_rotated_once_and_only_while_it_is_live(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, clock: SetClock
) -> None:
    key_id = first.key.key.key_id
    results = await asyncio.gather(*(accounts.rotate_key(Rotate(key=key_id)) for _ in range(3)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["CreatedKey", "PlatformError", "PlatformError"]
    assert {error.code for error in results if isinstance(error, PlatformError)} == {Code.CONFLICT}
    with refused(Code.INVALID_REQUEST, "overlap_seconds"):
        await accounts.rotate_key(Rotate(key=key_id, overlap_seconds=10**8))
    expired = await make_key(accounts, expires_at="2027-01-15T08:01:00Z")
    clock.now += 60
    with refused(Code.CONFLICT, says="expired"):
        await accounts.rotate_key(Rotate(key=expired.key.key_id))


@pytest.mark.case(26)
async def test_a_revoked_key_that_replaced_another_leaves_the_entrys_memory(accounts: AccountService) -> None:
    first = await accounts.bootstrap(accounts_pb2.BootstrapRequest())
    new = await accounts.rotate_key(Rotate(key=first.key.key.key_id))
    async with KeyCache(accounts, 3_600.0) as cache:
        async with asyncio.timeout(5):
            while len(cache) < 2:
                assert (await cache.get(first.key.secret)) == (await cache.get(new.secret))
            await accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=new.key.key_id))
            with refused(Code.UNAUTHENTICATED, says="revoked"):
                while await cache.get(new.secret):  # noqa: ASYNC110 - until the push
                    await asyncio.sleep(0.001)
        assert (await cache.get(first.key.secret)).key_id == new.key.counted_as


async def test_a_developer_looks_after_its_own_keys_and_widens_none(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    user = await make_user(accounts, "ann")
    narrow = (await make_key(accounts, user="ann", allowed_models=["echo"])).key
    with acting(user):
        own = (await make_key(accounts, name="own")).key
        assert own.user_id == user.user_id
        listed = await accounts.list_keys(accounts_pb2.ListKeysRequest())
        assert {key.key_id for key in listed.items} == {own.key_id, narrow.key_id}
        with refused(Code.PERMISSION_DENIED):
            await accounts.update_key(Update(key=narrow.key_id, etag=narrow.etag, allowed_models=Texts()))
        narrow = await accounts.update_key(Update(key=narrow.key_id, etag=narrow.etag, name="narrow"))
        rotated = await accounts.rotate_key(Rotate(key=narrow.key_id))
        assert list(rotated.key.allowed_models) == ["echo"]
        assert (await accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=own.key_id))).revoked_at
    with acting(await make_user(accounts, "adam", ADMIN)):
        assert (await accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=narrow.key_id))).revoked_at


async def test_keys_are_listed_in_pages_and_found_by_name_id_and_prefix(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    made = [(await make_key(accounts, name=f"Key {number}")).key for number in range(4)]  # all at one time
    request = accounts_pb2.ListKeysRequest(page_size=2)
    seen = []
    while True:
        found = await accounts.list_keys(request)
        seen += [key.key_id for key in found.items]
        if not found.next_page_token:
            break
        request.page_token = found.next_page_token
    newest_first = sorted([first.key.key, *made], key=lambda key: (key.created_at, key.key_id), reverse=True)
    assert seen == [key.key_id for key in newest_first]

    async def search(text: str) -> list[str]:
        return [key.key_id for key in (await accounts.list_keys(accounts_pb2.ListKeysRequest(search=text))).items]

    assert sorted(await search("KEY")) == sorted(key.key_id for key in made)
    for text in (made[0].key_id, made[0].prefix, made[0].key_id[:12].upper(), first.key.secret):
        expected = first.key.key.key_id if text == first.key.secret else made[0].key_id
        assert await search(text) == [expected]


@pytest.mark.case(26)
async def test_a_key_of_a_megabyte_is_unknown_and_not_even_hashed(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = first.key.secret + "x" * 2**20
    with monkeypatch.context() as patched:
        patched.setattr(keys, "digest", lambda *_: pytest.fail("it was hashed"))
        assert [reply.refusal for reply in await ask(accounts, huge)] == ["unknown"]
    for call in (
        accounts.get_user(accounts_pb2.UserName(user=huge)),
        proved(accounts, "root", huge),
        make_key(accounts, user=huge),
    ):
        with pytest.raises(PlatformError):
            await call
    with refused(Code.INVALID_REQUEST, "search"):
        await accounts.list_keys(accounts_pb2.ListKeysRequest(search=huge))
