"""Two of each service over one PostgreSQL and one Redis: what no replica may decide from its own memory."""

from __future__ import annotations

import asyncio
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from llm_platform.billing.interfaces import Ledger
from llm_platform.proto import common_pb2, ledger_pb2
from tests.fleet import Fleet, ProductionStores
from tests.fleet.ledger import all_entries, ledger_of
from tests.simulator import Simulator, running

MODEL = "gpt-4o-mini"
TWICE = ("head", "billing", "rate-limiter")
OUTPUT_TOKENS = 20
PRICE = 1_000_000
"""Pico-dollars an output token; input costs nothing here."""
COST = OUTPUT_TOKENS * PRICE // 1_000
"""Nano-dollars of one call."""
REFUSED = "429 budget_spend_limit_exceeded"
NEVER_REACHED = ("--rpm", "1000000", "--tpm", "1000000000", "--concurrency", "100000")
"""Limits that rate-limiter is asked about with each request."""


@dataclass(frozen=True)
class Key:
    id: str
    secret: str


@pytest.fixture(scope="module")
def stores() -> Iterator[ProductionStores]:
    with ProductionStores() as started:
        yield started


@asynccontextmanager
async def fleet_over(stores: ProductionStores, directory: Path) -> AsyncIterator[tuple[Fleet, Simulator]]:
    async with running() as simulator:
        openai = {"type": "openai", "base_url": simulator.url, "api_key": simulator.key, "models": [MODEL]}
        settings = {
            "providers": {"openai": openai},
            "billing": {"prices": {f"openai/{MODEL}": [0, PRICE]}},
            "traffic": {"max_concurrent_requests": 2_000, "default_output_tokens": OUTPUT_TOKENS},
            "stores": stores.settings,
        }
        async with Fleet(directory, settings=settings, replicas=dict.fromkeys(TWICE, 2)) as fleet:
            await asyncio.to_thread(fleet.command, "bootstrap")
            yield fleet, simulator


@pytest.mark.case(6)
async def test_no_replica_overruns_a_budget_or_takes_two_requests_for_one(
    stores: ProductionStores, tmp_path: Path
) -> None:
    async with fleet_over(stores, tmp_path) as (fleet, simulator), ledger_of(fleet) as ledger:
        simulator.behave(MODEL, tokens=OUTPUT_TOKENS)
        await a_budget_with_room_for_100_of_1000_concurrent_requests(fleet, ledger)
        await requests_that_share_an_id_are_entries_of_their_own(fleet, ledger)
        simulator.behave(MODEL, tokens=OUTPUT_TOKENS + 5)
        await spent_passes_the_budget_by_what_was_not_reserved(fleet, ledger)
        assert not (await ledger.verify(common_pb2.Empty())).problems
        for service, metric in (
            ("head", "llm_decisions_total"),
            ("billing", "llm_ledger_entries_total"),
            ("rate-limiter", "llm_limiter_decisions_total"),
        ):
            for replica in fleet.replicas(service):
                assert counted(replica.http_port, metric) > 0, f"{replica.replica} took no part"


async def a_budget_with_room_for_100_of_1000_concurrent_requests(fleet: Fleet, ledger: Ledger) -> None:
    key = await key_with_budget(fleet, ledger, 100 * COST)
    answers = await ask(fleet, key, [{"max_tokens": OUTPUT_TOKENS}] * 1_000)
    entries = await settled(ledger, key, 100)
    assert answers == {"200": 100, REFUSED: 900}
    # Each call costs what it had reserved, so no room ever comes back: exactly these fit.
    assert sum(entry.kind == "reserve" for entry in entries) == 100
    assert highest_claim(entries) == 100 * COST
    assert await balance(ledger, key) == (100 * COST, 0)


async def spent_passes_the_budget_by_what_was_not_reserved(fleet: Fleet, ledger: Ledger) -> None:
    """Calls that name no ``max_tokens`` reserve the configured default and produce more."""
    key = await key_with_budget(fleet, ledger, 50 * COST)
    answers = await ask(fleet, key, [{}] * 300)
    entries = await settled(ledger, key, answers["200"])
    overrun = sum(entry.amount - COST for entry in entries if entry.kind == "settle")
    spent, reserved = await balance(ledger, key)
    assert reserved == 0
    assert 0 < answers["200"] <= 50
    assert answers["200"] + answers[REFUSED] == 300
    assert highest_claim(entries) <= 50 * COST
    assert 49 * COST < spent <= 50 * COST + overrun


async def requests_that_share_an_id_are_entries_of_their_own(fleet: Fleet, ledger: Ledger) -> None:
    key = await key_with_budget(fleet, ledger, 10_000 * COST)
    answers = await ask(fleet, key, [{"max_tokens": OUTPUT_TOKENS}] * 100, {"x-request-id": "the-same"})
    entries = await settled(ledger, key, 100)
    assert answers == {"200": 100}
    assert len({entry.attempt_id for entry in entries if entry.kind == "settle"}) == 100
    assert await balance(ledger, key) == (100 * COST, 0)


async def key_with_budget(fleet: Fleet, ledger: Ledger, nano_dollars: int) -> Key:
    made = await asyncio.to_thread(fleet.command, "keys", "create", "test", *NEVER_REACHED)
    await ledger.set_budget(ledger_pb2.Budget(key_id=made["key_id"], limit=nano_dollars))
    return Key(made["key_id"], made["secret"])


async def ask(
    fleet: Fleet, key: Key, requests: Sequence[dict[str, int]], headers: dict[str, str] | None = None
) -> Counter[str]:
    """All at once; how they were answered."""

    async def one(session: aiohttp.ClientSession, fields: dict[str, int]) -> str:
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Tell me about foxes."}], **fields}
        async with session.post(f"{fleet.url('tail-1')}/v1/chat/completions", json=body) as response:
            answer = await response.json()
            return "200" if response.status == 200 else f"{response.status} {answer['error']['code']}"

    sent = {"authorization": f"Bearer {key.secret}", **(headers or {})}
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=sent) as session:
        return Counter(await asyncio.gather(*(one(session, fields) for fields in requests)))


async def settled(ledger: Ledger, key: Key, calls: int) -> list[ledger_pb2.Entry]:
    """The key's entries, in their order, once those of ``calls`` are all there and nothing is reserved."""
    async with asyncio.timeout(30):
        while True:
            entries = [entry for entry in await all_entries(ledger) if entry.key_id == key.id]
            kinds = Counter(entry.kind for entry in entries)
            if kinds["settle"] == calls and kinds["release"] == kinds["reserve"]:
                return entries
            await asyncio.sleep(0.2)


def highest_claim(entries: Sequence[ledger_pb2.Entry]) -> int:
    """The most that was spent and reserved when something was reserved, that reservation included."""
    claim = highest = 0
    for entry in entries:
        claim += -entry.amount if entry.kind == "release" else entry.amount
        if entry.kind == "reserve":
            highest = max(highest, claim)
    return highest


async def balance(ledger: Ledger, key: Key) -> tuple[int, int]:
    listed = (await ledger.list_budgets(common_pb2.Empty())).items
    return next((each.spent, each.reserved) for each in listed if each.key_id == key.id)


def counted(port: int, metric: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric))
