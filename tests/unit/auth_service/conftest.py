"""Accounts on a real database, with a clock and cheap password hashes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from llm_platform.auth_service.handover import Handover
from llm_platform.auth_service.passwords import Passwords
from llm_platform.auth_service.revocations import Revocations
from llm_platform.auth_service.service import AccountService
from llm_platform.auth_service.store import AccountStore
from llm_platform.core.database import open_database, sqlite_url
from llm_platform.proto import accounts_pb2
from tests.unit.auth_service.parts import OpenAccounts, SetClock


@pytest.fixture
def clock() -> SetClock:
    return SetClock(1_800_000_000.0)


@pytest.fixture
def open_accounts(tmp_path: Path, clock: SetClock) -> OpenAccounts:
    """Opens the accounts once more on the same database, as another process would."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[AccountService]:
        async with open_database(
            sqlite_url(tmp_path / "accounts.sqlite"), "llm_platform.auth_service.migrations"
        ) as engine:
            store = AccountStore(engine)
            revocations = Revocations(store)
            async with revocations.running():
                yield AccountService(
                    store,
                    revocations,
                    Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
                    pepper=b"p" * 32,
                    handover=Handover(tmp_path / "first.json"),
                    clock=clock,
                )

    return opened


@pytest.fixture
async def accounts(open_accounts: OpenAccounts) -> AsyncIterator[AccountService]:
    async with open_accounts() as service:
        yield service


@pytest.fixture
async def first(accounts: AccountService) -> accounts_pb2.Bootstrapped:
    """The first admin and key."""
    return await accounts.bootstrap(accounts_pb2.BootstrapRequest(admin_name="root", key_name="first"))
