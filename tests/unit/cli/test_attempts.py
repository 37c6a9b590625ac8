"""``llm-gateway ledger attempts`` on the stores of a directory."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llm_platform.billing.app import open_ledger
from llm_platform.core.config import Config, Service
from tests.unit.billing.calls import outcome, record, reserve, reserve_each
from tests.unit.cli.test_budgets import Commands


@pytest.fixture
def run(tmp_path: Path) -> Commands:
    async def book() -> None:
        async with open_ledger(Config(service=Service(data_dir=tmp_path))) as ledger:
            for number in range(3):
                call = reserve(key=f"key_{number % 2}")
                await reserve_each(ledger, call)
                done = outcome(call, kind="estimated" if number else "exact", input_tokens=3)
                done.sent_at, done.first_byte_us, done.duration_us = "2026-01-01T00:00:00.250Z", 1_500, 20_000
                done.provider_request_id = f"req_theirs_{number}"
                await record(ledger, done)

    asyncio.run(book())
    return Commands(tmp_path)


def test_calls_of_providers_are_listed_and_found_by_the_providers_id(run: Commands) -> None:
    newest = run.json("ledger", "attempts")
    assert [each["provider_request_id"] for each in newest] == ["req_theirs_2", "req_theirs_1", "req_theirs_0"]
    first = newest[-1]
    assert (first["sent_at"], first["first_byte_ms"], first["duration_ms"]) == ("2026-01-01T00:00:00.250000Z", 1.5, 20)
    assert run.json("ledger", "attempts", "--provider-request-id", "req_theirs_1") == [newest[1]]
    assert run.json("ledger", "attempts", "--certainty", "estimated", "--limit", "1") == newest[:1]
    assert run.json("ledger", "attempts", "--key", "key_1", "--since", "2026-01-01") == newest[1:2]
    assert "There are none." in run("ledger", "attempts", "--until", "2026-01-01").stdout
    assert "req_theirs_0" in run("ledger", "attempts").stdout
