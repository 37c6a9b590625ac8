from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llm_platform.billing.app import open_ledger
from llm_platform.billing.service import DatabaseLedger
from llm_platform.core.config import Config, Service


class Clock:
    """Seconds since 1970; a test moves it."""

    def __init__(self) -> None:
        self.now = 1_767_225_600.0  # 2026-01-01T00:00:00Z

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(service=Service(data_dir=tmp_path))


@pytest.fixture
async def ledger(config: Config, clock: Clock) -> AsyncIterator[DatabaseLedger]:
    async with open_ledger(config, clock=clock) as opened:
        yield opened
