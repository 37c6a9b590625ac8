"""Keys, users and the first admin, on a real database."""

from __future__ import annotations

import asyncio
import hmac
import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from llm_platform.auth_service import keys
from llm_platform.auth_service.service import AccountService
from llm_platform.core.actor import PLATFORM_ORGANIZATION
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2, common_pb2
from tests.unit.auth_service.parts import OpenAccounts, SetClock, ask, make_key, proved

EVERYONE = accounts_pb2.ListUsersRequest()


async def test_a_key_tells_who_calls_and_what_they_may(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    user = await accounts.create_user(accounts_pb2.CreateUserRequest(name="ann", role="developer"))
    limits = common_pb2.Limits(requests_per_minute=5, tokens_per_minute=10**12, concurrency=2)
    created = await make_key(accounts, user="ann", limits=limits, allowed_models=["echo", "gpt", "echo"])
    (reply,) = await ask(accounts, created.secret)
    assert reply.principal == common_pb2.Principal(
        key_id=created.key.key_id,
        user_id=user.user_id,
        role="developer",
        limits=limits,
        allowed_models=["echo", "gpt"],
        organization_id=PLATFORM_ORGANIZATION,
    )
    assert created.key.prefix == f"sk-llm-{created.key.key_id}"
    assert created.secret.startswith(created.key.prefix)


async def test_a_batch_is_answered_in_order_with_one_query(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (await make_key(accounts)).secret, (await make_key(accounts)).secret
    queries = 0
    asked = accounts._store.keys_by_id

    async def counted(key_ids):  # type: ignore[no-untyped-def]
        nonlocal queries
        queries += 1
        return await asked(key_ids)

    monkeypatch.setattr(accounts._store, "keys_by_id", counted)
    replies = await ask(accounts, two, "nonsense", one, two)
    assert [reply.refusal for reply in replies] == ["", "unknown", "", ""]
    assert replies[0].principal.key_id == replies[3].principal.key_id == keys.key_id_of(two)
    assert queries == 1


@pytest.mark.case(26)
async def test_an_unknown_id_costs_the_same_hash_and_comparison_as_a_wrong_secret(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_secret = first.key.secret[:-43] + "0" * 43
    unknown = keys.new_key().text
    work: list[str] = []
    digest, compare = keys.digest, hmac.compare_digest

    def watched_digest(pepper: bytes, text: str) -> str:
        work.append("digest")
        return digest(pepper, text)

    def watched_compare(one: str, other: str) -> bool:
        work.append(f"compare {len(one)} with {len(other)}")
        return compare(one, other)

    monkeypatch.setattr(keys, "digest", watched_digest)
    monkeypatch.setattr(hmac, "compare_digest", watched_compare)
    seen = []
    for text in (wrong_secret, unknown):
        work.clear()
        (reply,) = await ask(accounts, text)
        assert reply == accounts_pb2.AuthenticateReply(refusal="unknown")
        seen.append(list(work))
    assert seen[0] == seen[1] == ["digest", "compare 64 with 64"]


@pytest.mark.case(22)
@pytest.mark.parametrize(
    "text", ["' OR 1=1 --", "sk-llm-' OR '1'='1' ---", "sk-llm-%%%%%%%%%%%%%%%%-x", "\x00", "ключ", "", "x" * 100_000]
)
async def test_a_key_is_never_read_as_a_query(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, text: str
) -> None:
    (reply,) = await ask(accounts, text)
    assert reply == accounts_pb2.AuthenticateReply(refusal="unknown")
    with pytest.raises(PlatformError) as refusal:
        await accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=text))
    assert refusal.value.code is Code.NOT_FOUND


@pytest.mark.parametrize("by", ["id", "prefix", "whole key"])
async def test_a_revoked_key_is_refused_at_once_and_for_good(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, clock: SetClock, by: str
) -> None:
    created = await make_key(accounts)
    name = {"id": created.key.key_id, "prefix": created.key.prefix, "whole key": created.secret}[by]
    revoked = await accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=name))
    assert (await ask(accounts, created.secret))[0].refusal == "revoked"
    clock.now += 60
    again = await accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=name))
    assert again.revoked_at == revoked.revoked_at == "2027-01-15T08:00:00.000Z"


async def test_a_key_is_refused_from_the_moment_it_expires(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, clock: SetClock
) -> None:
    created = await make_key(accounts, expires_at="2027-01-15T09:01:00+01:00")
    assert created.key.expires_at == "2027-01-15T08:01:00.000Z"
    clock.now += 59.999
    assert not (await ask(accounts, created.secret))[0].refusal
    clock.now += 0.001
    assert (await ask(accounts, created.secret))[0].refusal == "expired"


async def test_lists_show_live_keys_of_one_user_or_of_all_and_no_secret(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, clock: SetClock
) -> None:
    await accounts.create_user(accounts_pb2.CreateUserRequest(name="ann"))
    clock.now += 1
    kept = await make_key(accounts, user="ann", name="kept")
    clock.now += 1
    gone = await make_key(accounts, user="ann", name="gone")
    await accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=gone.key.key_id))

    async def names(**fields: object) -> list[str]:
        listed = await accounts.list_keys(accounts_pb2.ListKeysRequest(**fields))  # type: ignore[arg-type]
        assert kept.secret not in str(listed)
        return [key.name for key in listed.items]

    assert await names() == ["kept", "first"]
    assert await names(user="ann") == ["kept"]
    assert await names(user="ann", include_revoked=True) == ["gone", "kept"]
    with pytest.raises(PlatformError, match="no such user"):
        await names(user="bob")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": " a"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"limits": common_pb2.Limits(tokens_per_minute=2**63)}, "limits.tokens_per_minute"),
        ({"allowed_models": [""]}, "allowed_models"),
        ({"allowed_models": ["m"] * 201}, "allowed_models"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at"),
    ],
)
async def test_a_key_that_makes_no_sense_is_refused_with_the_field(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, fields: dict[str, object], param: str
) -> None:
    with pytest.raises(PlatformError) as refusal:
        await make_key(accounts, **fields)
    assert (refusal.value.code, refusal.value.param) == (Code.INVALID_REQUEST, param)


async def test_a_key_needs_an_owner(accounts: AccountService) -> None:
    with pytest.raises(PlatformError, match="no first admin yet"):
        await make_key(accounts)
    with pytest.raises(PlatformError, match="no such user"):
        await make_key(accounts, user="bob")


async def test_users_are_listed_without_their_passwords(accounts: AccountService) -> None:
    for name in ("zoe", "ann"):
        await accounts.create_user(accounts_pb2.CreateUserRequest(name=name, password="a password of zoe"))
    users = await accounts.list_users(EVERYONE)
    assert [(user.name, user.role) for user in users.items] == [("ann", "developer"), ("zoe", "developer")]
    assert "argon2" not in str(users)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "ann"}, Code.CONFLICT),
        ({"name": "Ann Lee"}, Code.INVALID_REQUEST),
        ({"name": "", "role": "developer"}, Code.INVALID_REQUEST),
        ({"name": "bob", "role": "root"}, Code.INVALID_REQUEST),
        ({"name": "bob", "password": "short"}, Code.INVALID_REQUEST),
    ],
)
async def test_a_user_that_makes_no_sense_or_exists_is_refused(
    accounts: AccountService, fields: dict[str, str], code: Code
) -> None:
    await accounts.create_user(accounts_pb2.CreateUserRequest(name="ann"))
    with pytest.raises(PlatformError) as refusal:
        await accounts.create_user(accounts_pb2.CreateUserRequest(**fields))
    assert refusal.value.code is code


async def test_login_needs_the_right_name_and_password_and_does_not_say_which_was_wrong(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    await accounts.create_user(accounts_pb2.CreateUserRequest(name="no-password"))
    admin = await proved(accounts, "root", first.password)
    assert (admin, admin.role) == (first.admin, "owner")
    refusals = set()
    for name, password in (("root", "not the password"), ("nobody", first.password), ("no-password", ""), ("", "")):
        with pytest.raises(PlatformError) as refusal:
            await proved(accounts, name, password)
        refusals.add((refusal.value.code, refusal.value.message))
    assert refusals == {(Code.UNAUTHENTICATED, "The name or the password is wrong.")}


async def test_the_first_admin_is_made_once_and_its_secrets_are_shown_once(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, tmp_path: Path
) -> None:
    assert first.created
    assert not (await ask(accounts, first.key.secret))[0].refusal
    later = await accounts.bootstrap(accounts_pb2.BootstrapRequest(admin_name="other"))
    assert later == accounts_pb2.Bootstrapped(created=False, admin=first.admin)
    handed_over = tmp_path / "first.json"
    assert json.loads(handed_over.read_text()) == {
        "admin": "root",
        "password": first.password,
        "key": first.key.secret,
    }
    assert handed_over.stat().st_mode & 0o777 == 0o600


async def test_of_processes_that_make_the_first_admin_at_once_one_does(open_accounts: OpenAccounts) -> None:
    async with open_accounts() as one, open_accounts() as two:
        request = accounts_pb2.BootstrapRequest(admin_name="admin")
        results = await asyncio.gather(*(each.bootstrap(request) for each in (one, two) * 4))
        assert sorted(result.created for result in results) == [False] * 7 + [True]
        assert {result.admin.user_id for result in results} == {results[0].admin.user_id}
        assert len((await one.list_users(EVERYONE)).items) == 1
        assert len((await one.list_keys(accounts_pb2.ListKeysRequest())).items) == 1


async def test_credentials_that_cannot_be_handed_over_are_not_made(accounts: AccountService, tmp_path: Path) -> None:
    (tmp_path / "first.json").mkdir()
    with pytest.raises(PlatformError, match="bootstrap_file cannot be written"):
        await accounts.bootstrap(accounts_pb2.BootstrapRequest())
    assert not (await accounts.list_users(EVERYONE)).items
    (tmp_path / "first.json").rmdir()
    assert (await accounts.bootstrap(accounts_pb2.BootstrapRequest())).created


async def test_a_first_admin_whose_name_is_taken_is_a_conflict(accounts: AccountService) -> None:
    await accounts.create_user(accounts_pb2.CreateUserRequest(name="admin"))
    with pytest.raises(PlatformError) as refusal:
        await accounts.bootstrap(accounts_pb2.BootstrapRequest(admin_name="admin"))
    assert refusal.value.code is Code.CONFLICT


async def test_no_secret_reaches_logs_or_errors(accounts: AccountService) -> None:
    canary = "canary-password-4711"
    with capture_logs() as logs:
        made = await accounts.bootstrap(accounts_pb2.BootstrapRequest())
        await accounts.create_user(accounts_pb2.CreateUserRequest(name="ann", password=canary))
        with pytest.raises(PlatformError) as conflict:
            await accounts.create_user(accounts_pb2.CreateUserRequest(name="ann", password=canary))
        await ask(accounts, made.key.secret, made.key.secret + "x")
    told = f"{logs}{conflict.value!r}{conflict.value.__cause__!r}{conflict.value.__suppress_context__}"
    assert canary not in told
    assert "argon2" not in told
    assert made.key.secret not in told
