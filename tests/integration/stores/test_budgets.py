"""The budgets' tests of tests/unit/billing (there on SQLite), on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llm_platform.billing.app import open_ledger
from llm_platform.billing.service import DatabaseLedger
from llm_platform.core.config import Config
from tests.servers.postgresql import PostgresqlServer
from tests.unit.billing.conftest import Clock
from tests.unit.billing.test_adoption import *  # noqa: F403
from tests.unit.billing.test_budgets import *  # noqa: F403


@pytest.fixture
def database(postgresql: PostgresqlServer) -> str:
    return postgresql.make_database()


@pytest.fixture
async def ledger(config: Config, clock: Clock) -> AsyncIterator[DatabaseLedger]:
    async with open_ledger(config, clock=clock) as opened:
        yield opened
