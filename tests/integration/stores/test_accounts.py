"""What the accounts promise, on every database they can be kept in."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from llm_platform.auth_service.app import open_accounts
from llm_platform.auth_service.handover import Handover
from llm_platform.auth_service.passwords import Passwords
from llm_platform.auth_service.revocations import Revocations
from llm_platform.auth_service.service import AccountService
from llm_platform.auth_service.store import AccountStore
from llm_platform.core.actor import PLATFORM_ORGANIZATION
from llm_platform.core.config import Config, Service, Stores
from llm_platform.core.database import open_database
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2, common_pb2
from tests.unit.billing.conftest import Clock

ROOT = Path(__file__).parents[3]
EMPTY = common_pb2.Empty()


def opened(database: str, folder: Path, clock: Clock) -> AbstractAsyncContextManager[AccountService]:
    """As one more process would, with cheap password hashes."""

    @asynccontextmanager
    async def open_service() -> AsyncIterator[AccountService]:
        async with open_database(database, "llm_platform.auth_service.migrations") as engine:
            store = AccountStore(engine)
            revocations = Revocations(store)
            hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
            async with revocations.running():
                yield AccountService(
                    store,
                    revocations,
                    Passwords(hasher),
                    pepper=b"p" * 32,
                    handover=Handover(folder / "first.json"),
                    clock=clock,
                )

    return open_service()


@pytest.fixture
async def accounts(database: str, tmp_path: Path, clock: Clock) -> AsyncIterator[AccountService]:
    async with opened(database, tmp_path, clock) as service:
        yield service


@pytest.fixture
async def first(accounts: AccountService) -> accounts_pb2.Bootstrapped:
    return await accounts.bootstrap(accounts_pb2.BootstrapRequest(admin_name="root", key_name="first"))


async def ask(accounts: AccountService, *texts: str) -> list[accounts_pb2.AuthenticateReply]:
    return list((await accounts.authenticate(accounts_pb2.AuthenticateBatch(keys=texts))).items)


async def make_key(accounts: AccountService, **fields: object) -> accounts_pb2.CreatedKey:
    return await accounts.create_key(accounts_pb2.CreateKeyRequest(**({"name": "app"} | fields)))  # type: ignore[arg-type]


async def next_revocation(watch: AsyncIterator[accounts_pb2.Revocation]) -> str:
    async with asyncio.timeout(10):
        async for event in watch:
            if event.key_id:
                return event.key_id
    raise AssertionError("the watch ended")


async def test_a_key_tells_who_calls_and_what_they_may_until_it_expires(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, clock: Clock
) -> None:
    user = await accounts.create_user(accounts_pb2.CreateUserRequest(name="ann"))
    limits = common_pb2.Limits(requests_per_minute=5, tokens_per_minute=10**12, concurrency=2)
    created = await make_key(
        accounts, user="ann", limits=limits, allowed_models=["echo", "gpt"], expires_at="2026-01-01T00:01:00Z"
    )
    known, unknown, again = await ask(accounts, created.secret, created.secret[:-1] + "!", created.secret)
    assert (
        known.principal
        == again.principal
        == common_pb2.Principal(
            key_id=created.key.key_id,
            user_id=user.user_id,
            role="developer",
            limits=limits,
            allowed_models=["echo", "gpt"],
            organization_id=PLATFORM_ORGANIZATION,
        )
    )
    assert unknown.refusal == "unknown"
    clock.now += 60
    assert (await ask(accounts, created.secret))[0].refusal == "expired"


@pytest.mark.parametrize("text", ["' OR 1=1 --", "sk-llm-%%%%%%%%%%%%%%%%-x", "\x00", "sk-llm-\x00", "ключ", ""])
@pytest.mark.case(22)
async def test_a_key_is_never_read_as_a_query(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, text: str
) -> None:
    assert await ask(accounts, text) == [accounts_pb2.AuthenticateReply(refusal="unknown")]
    with pytest.raises(PlatformError) as refusal:
        await accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=text))
    assert refusal.value.code is Code.NOT_FOUND
    with pytest.raises(PlatformError) as refusal:
        await accounts.login(accounts_pb2.LoginRequest(name=text, password="x"))
    assert refusal.value.code is Code.UNAUTHENTICATED
    if text:
        with pytest.raises(PlatformError) as refusal:
            await make_key(accounts, user=text)
        assert refusal.value.code is Code.NOT_FOUND


async def test_lists_show_live_keys_of_one_user_or_of_all(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, clock: Clock
) -> None:
    await accounts.create_user(accounts_pb2.CreateUserRequest(name="ann"))
    for name in ("kept", "gone"):
        clock.now += 1
        made = await make_key(accounts, user="ann", name=name)
    await accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=made.key.key_id))

    async def names(**fields: object) -> list[str]:
        listed = await accounts.list_keys(accounts_pb2.ListKeysRequest(**fields))  # type: ignore[arg-type]
        return [key.name for key in listed.items]

    assert await names() == ["first", "kept"]
    assert await names(user="ann", include_revoked=True) == ["kept", "gone"]


async def test_users_have_one_name_each_and_log_in_with_their_password(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    await accounts.create_user(accounts_pb2.CreateUserRequest(name="ann", password="a password of ann"))
    with pytest.raises(PlatformError) as conflict:
        await accounts.create_user(accounts_pb2.CreateUserRequest(name="ann", password="another password"))
    assert conflict.value.code is Code.CONFLICT
    assert [user.name for user in (await accounts.list_users(EMPTY)).items] == ["ann", "root"]
    assert (
        await accounts.login(accounts_pb2.LoginRequest(name="ann", password="a password of ann"))
    ).role == "developer"
    with pytest.raises(PlatformError) as refusal:
        await accounts.login(accounts_pb2.LoginRequest(name="ann", password="another password"))
    assert refusal.value.code is Code.UNAUTHENTICATED


@pytest.mark.case(26)
async def test_revocations_are_pushed_in_order_also_those_of_another_process(
    database: str, tmp_path: Path, clock: Clock
) -> None:
    async with opened(database, tmp_path, clock) as here, opened(database, tmp_path, clock) as there:
        made = await there.bootstrap(accounts_pb2.BootstrapRequest())
        second = await there.create_key(accounts_pb2.CreateKeyRequest(name="second"))
        watch, pushed = here.watch_revocations(EMPTY), there.watch_revocations(EMPTY)
        await anext(watch)
        await anext(pushed)
        ids = [second.key.key_id, made.key.key.key_id]
        for key_id in (ids[0], ids[0], ids[1]):
            await there.revoke_key(accounts_pb2.RevokeKeyRequest(key=key_id))
        assert [await next_revocation(pushed) for _ in ids] == ids
        assert [await next_revocation(watch) for _ in ids] == ids
        assert [reply.refusal for reply in await ask(here, second.secret, made.key.secret)] == ["revoked"] * 2


async def test_no_revocation_is_missed_when_many_come_at_once(database: str, tmp_path: Path, clock: Clock) -> None:
    async with opened(database, tmp_path, clock) as here, opened(database, tmp_path, clock) as there:
        await here.bootstrap(accounts_pb2.BootstrapRequest())
        ids = {(await make_key(here, name=f"key {n}")).key.key_id for n in range(20)}
        watch = here.watch_revocations(EMPTY)
        await anext(watch)
        await asyncio.gather(
            *(
                service.revoke_key(accounts_pb2.RevokeKeyRequest(key=key_id))
                for key_id, service in zip(ids, [here, there] * 10, strict=True)
            )
        )
        seen: set[str] = set()
        while seen != ids:
            seen.add(await next_revocation(watch))


async def test_of_many_that_make_the_first_admin_at_once_one_does(database: str, tmp_path: Path, clock: Clock) -> None:
    async with opened(database, tmp_path, clock) as one, opened(database, tmp_path, clock) as two:
        request = accounts_pb2.BootstrapRequest(admin_name="admin")
        results = await asyncio.gather(*(each.bootstrap(request) for each in (one, two) * 4))
        assert sorted(result.created for result in results) == [False] * 7 + [True]
        assert {result.admin.user_id for result in results} == {results[0].admin.user_id}
        assert len((await one.list_users(EMPTY)).items) == 1
        assert len((await one.list_keys(accounts_pb2.ListKeysRequest())).items) == 1


async def test_credentials_that_cannot_be_handed_over_are_not_made(accounts: AccountService, tmp_path: Path) -> None:
    (tmp_path / "first.json").mkdir()
    with pytest.raises(PlatformError, match="bootstrap_file cannot be written"):
        await accounts.bootstrap(accounts_pb2.BootstrapRequest())
    assert not (await accounts.list_users(EMPTY)).items
    (tmp_path / "first.json").rmdir()
    assert (await accounts.bootstrap(accounts_pb2.BootstrapRequest())).created


_FIRST_START = """
import asyncio, json, sys
from pathlib import Path
from llm_platform.auth_service.app import open_accounts
from llm_platform.core.config import Config, Service, Stores
from llm_platform.proto import accounts_pb2

async def main():
    folder, url = json.load(sys.stdin)
    config = Config(service=Service(data_dir=Path(folder)), stores=Stores(accounts_url=url))
    async with open_accounts(config) as accounts:
        made = await accounts.bootstrap(accounts_pb2.BootstrapRequest(admin_name="admin", key_name="first"))
        print(made.key.secret)

asyncio.run(main())
"""


@pytest.mark.case(32)
async def test_of_two_processes_that_start_at_once_on_an_empty_database_one_makes_the_admin(
    database: str, tmp_path: Path
) -> None:
    config = Config(service=Service(data_dir=tmp_path), stores=Stores(accounts_url=database))
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _FIRST_START),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": str(ROOT / "services")},
        )
        for _ in range(2)
    ]
    told = json.dumps([str(config.service.data_dir), config.stores.accounts_url]).encode()
    async with asyncio.timeout(60):
        said = await asyncio.gather(*(process.communicate(told) for process in processes))
    assert [process.returncode for process in processes] == [0, 0]
    (secret,) = filter(None, (out.decode().strip() for out, _ in said))
    async with open_accounts(config) as accounts:
        assert len((await accounts.list_users(EMPTY)).items) == 1
        assert not (await ask(accounts, secret))[0].refusal
