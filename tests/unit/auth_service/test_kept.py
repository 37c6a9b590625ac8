"""What lies in the database's file, and what is told when that fails."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from llm_platform.auth_service import keys
from llm_platform.auth_service.service import AccountService
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2, common_pb2
from tests.unit.auth_service.parts import ask, make_key, until
from tests.unit.auth_service.test_revocations import next_revocation


@pytest.mark.case(26)
async def test_only_keyed_hashes_are_kept_and_they_are_no_credentials(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, tmp_path: Path
) -> None:
    secret_part = first.key.secret.rsplit("-", 1)[1]
    with sqlite3.connect(tmp_path / "accounts.sqlite") as database:
        dump = "\n".join(database.iterdump())
    assert secret_part not in dump
    assert first.password not in dump
    kept = keys.digest(b"p" * 32, first.key.secret)
    assert kept in dump
    replies = await ask(accounts, kept, f"{first.key.key.prefix}-{kept}", f"{first.key.key.prefix}-{kept[:43]}")
    assert [reply.refusal for reply in replies] == ["unknown"] * 3


@pytest.mark.case(11)
async def test_a_database_that_fails_is_unavailable_and_never_a_refused_key(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "accounts.sqlite") as database:
        database.execute("ALTER TABLE api_keys RENAME TO gone")
    for call in (
        ask(accounts, first.key.secret),
        make_key(accounts),
        accounts.list_keys(accounts_pb2.ListKeysRequest()),
    ):
        with pytest.raises(PlatformError) as failure:
            await call
        assert failure.value.code is Code.UNAVAILABLE
        assert first.key.secret not in str(failure.value)
    with sqlite3.connect(tmp_path / "accounts.sqlite") as database:
        database.execute("ALTER TABLE gone RENAME TO api_keys")
    assert not (await ask(accounts, first.key.secret))[0].refusal


@pytest.mark.case(11)
async def test_while_the_database_fails_a_watch_is_silent_and_then_goes_on(
    accounts: AccountService, first: accounts_pb2.Bootstrapped, tmp_path: Path
) -> None:
    watch = accounts.watch_revocations(common_pb2.Empty())
    await anext(watch)
    with sqlite3.connect(tmp_path / "accounts.sqlite") as database:
        database.execute("ALTER TABLE revocation_counter RENAME TO gone")
    accounts._revocations.changed()
    await until(lambda: accounts._revocations._poller.failing)
    with sqlite3.connect(tmp_path / "accounts.sqlite") as database:
        database.execute("ALTER TABLE gone RENAME TO revocation_counter")
    await accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=first.key.key.key_id))
    assert await next_revocation(watch) == first.key.key.key_id
