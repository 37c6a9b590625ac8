"""``kill -9`` under load: afterwards the ledger has exactly one entry for every call in the provider's own record."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.books import INPUT_PRICE, OUTPUT_PRICE, closed_books, judge, reconciled
from tests.chaos.campaign import Campaign
from tests.chaos.load import Load
from tests.fleet import Fleet, ProductionStores
from tests.fleet.ledger import ledger_of
from tests.simulator import Simulator, running

KILLS = int(os.environ.get("KILLS", "60"))
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1_000_000)))
REPLICAS = dict.fromkeys(("head", "billing", "rate-limiter", "model-proxy"), 2)
MODEL = "gpt-4o-mini"
WORKERS = 12


@pytest.mark.case(7)
async def test_every_provider_call_has_exactly_one_entry_after_kills_of_everything(tmp_path: Path) -> None:
    print(f"\nSEED={SEED} KILLS={KILLS}")
    with ProductionStores() as stores:
        async with running(record=tmp_path / "calls.jsonl") as simulator:
            simulator.behave(MODEL, tokens=12, pace=0.03, first_byte=0.03)
            async with Fleet(tmp_path, settings=settings(simulator, stores), replicas=REPLICAS) as fleet:
                await asyncio.to_thread(fleet.command, "bootstrap")
                key = await asyncio.to_thread(fleet.create_key, "chaos", *limits())
                load = Load(fleet.url("tail-1"), key, MODEL)
                campaign = Campaign(fleet, stores, simulator, load, random.Random(SEED))  # noqa: S311 - no secret
                await killed_under_load(campaign)
                async with ledger_of(fleet) as ledger:
                    entries = await closed_books(ledger, simulator)
                    reconciliation = await reconciled(ledger, simulator, "openai", tmp_path / "export.jsonl")
    calls = simulator.record.calls
    print(campaign.summary())
    print(f"provider calls: {len(calls)}; entries: {dict(Counter(entry.certainty for entry in entries))}")
    print(f"reconciliation: {reconciliation}")
    judge(entries, calls, [kill for kill in campaign.kills if kill.victim == "model-proxy"])
    assert all(kill.requests_in_flight > 0 for kill in campaign.kills)
    assert load.unclear == []
    assert load.outcomes["answered"] > len(campaign.kills)


async def killed_under_load(campaign: Campaign) -> None:
    loading = asyncio.create_task(campaign.load.run(WORKERS))
    try:
        await campaign.run(KILLS)
    finally:
        campaign.load.stop()
        await loading


def settings(simulator: Simulator, stores: ProductionStores) -> dict[str, object]:
    return {
        "providers": {
            "openai": {"type": "openai", "base_url": simulator.url, "api_key": simulator.key, "models": [MODEL]},
        },
        # Short, so that what a killed head had reserved without using it expires within the test.
        "traffic": {"stream_max_seconds": 10, "request_timeout": 8000},
        "billing": {"hold_margin_seconds": 10, "prices": {f"openai/{MODEL}": [INPUT_PRICE, OUTPUT_PRICE]}},
        "stores": stores.settings,
    }


def limits() -> tuple[str, ...]:
    """Never reached, and asked for with each request."""
    return ("--rpm", "1000000", "--tpm", "1000000000", "--concurrency", "10000")
