from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llm_platform.model_proxy.app import ModelProxy
from tests.simulator import Simulator, running
from tests.unit.model_proxy.parts import MemoryLedger, opened


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running() as simulator:
        yield simulator


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture
async def proxy(tmp_path: Path, ledger: MemoryLedger, simulator: Simulator) -> AsyncIterator[ModelProxy]:
    async with opened(tmp_path, ledger, simulator) as proxy:
        yield proxy
