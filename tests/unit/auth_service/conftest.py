"""Accounts on a real database, with a clock and cheap password hashes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llm_platform.auth_service.service import AccountService
from llm_platform.core.database import sqlite_url
from llm_platform.proto import accounts_pb2
from tests.unit.auth_service.parts import OpenAccounts, SetClock, opener


@pytest.fixture
def clock() -> SetClock:
    return SetClock(1_800_000_000.0)


@pytest.fixture
def open_accounts(tmp_path: Path, clock: SetClock) -> OpenAccounts:
    """Opens the accounts once more on the same database, as another process would."""
    return opener(sqlite_url(tmp_path / "accounts.sqlite"), tmp_path, clock)


@pytest.fixture
async def accounts(open_accounts: OpenAccounts) -> AsyncIterator[AccountService]:
    async with open_accounts() as service:
        yield service


@pytest.fixture
async def first(accounts: AccountService) -> accounts_pb2.Bootstrapped:
    """The first admin and key."""
    return await accounts.bootstrap(accounts_pb2.BootstrapRequest(admin_name="root", key_name="first"))
