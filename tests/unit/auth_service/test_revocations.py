"""Watching revocations, within one process and over two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from llm_platform.auth_service.service import AccountService
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2, common_pb2
from tests.unit.auth_service.parts import OpenAccounts, make_key

EMPTY = common_pb2.Empty()


async def next_revocation(watch: AsyncIterator[accounts_pb2.Revocation], within: float = 5) -> str:
    async with asyncio.timeout(within):
        async for event in watch:
            if event.key_id:
                return event.key_id
    raise AssertionError("the watch ended")


async def test_a_watch_begins_with_a_heartbeat_and_goes_on_beating(accounts: AccountService) -> None:
    watch = accounts.watch_revocations(EMPTY)
    async with asyncio.timeout(5):
        assert [(await anext(watch)).key_id for _ in range(3)] == ["", "", ""]


@pytest.mark.case(26)
async def test_a_revocation_is_pushed_to_every_watcher(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    watches = [accounts.watch_revocations(EMPTY) for _ in range(2)]
    for watch in watches:
        await anext(watch)
    key_id = first.key.key.key_id
    await accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=key_id))
    assert [await next_revocation(watch) for watch in watches] == [key_id, key_id]


@pytest.mark.case(26)
async def test_a_revocation_by_another_process_on_the_database_is_pushed_too(open_accounts: OpenAccounts) -> None:
    async with open_accounts() as here, open_accounts() as there:
        made = await there.bootstrap(accounts_pb2.BootstrapRequest())
        second = await there.create_key(accounts_pb2.CreateKeyRequest(name="second"))
        watch = here.watch_revocations(EMPTY)
        await anext(watch)
        for key in (second.key.key_id, made.key.key.key_id):
            await there.revoke_key(accounts_pb2.RevokeKeyRequest(key=key))
        assert await next_revocation(watch) == second.key.key_id
        assert await next_revocation(watch) == made.key.key.key_id


async def test_revoking_again_is_not_news(accounts: AccountService, first: accounts_pb2.Bootstrapped) -> None:
    other = await accounts.create_key(accounts_pb2.CreateKeyRequest(name="other"))
    watch = accounts.watch_revocations(EMPTY)
    await anext(watch)
    for key in (first.key.key.key_id, first.key.key.key_id, other.key.key_id):
        await accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=key))
    assert await next_revocation(watch) == first.key.key.key_id
    assert await next_revocation(watch) == other.key.key_id


async def test_watches_end_when_the_service_stops(open_accounts: OpenAccounts) -> None:
    async with open_accounts() as accounts:
        watch = accounts.watch_revocations(EMPTY)
        await anext(watch)
    with pytest.raises(PlatformError) as ended:
        await next_revocation(watch)
    assert ended.value.code is Code.UNAVAILABLE


async def test_no_revocation_is_missed_when_many_come_at_once(open_accounts: OpenAccounts) -> None:
    async with open_accounts() as here, open_accounts() as there:
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
