"""``kill -9`` under load: afterwards the ledger has exactly one entry for every call in the provider's own record."""

from __future__ import annotations

import asyncio
import math
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llm_platform.billing.interfaces import Ledger
from llm_platform.proto import common_pb2, ledger_pb2
from tests.chaos.load import Load
from tests.fleet import Fleet
from tests.fleet.ledger import ledger_of, settled_entries
from tests.simulator import Call, Simulator, running

KILLS = int(os.environ.get("KILLS", "5"))
"""Of each service."""
VICTIMS = ("head", "tail", "billing", "model-proxy")
MODEL = "gpt-4o-mini"
UNREAD_SECONDS = 0.5
"""How long the end of a reply may lie in the socket of a process that has no time to read it."""


@dataclass
class Kill:
    """One ``kill -9``, and what was under way at that moment."""

    victim: str
    requests_in_flight: int
    began: float
    ended: float = math.inf
    """Around the kill, seconds of ``time.monotonic``: at the end the provider has read what was sent before it."""

    def found_open(self, call: Call) -> bool:
        """Whether the killed process may have had the call open. The provider may read what it sent last after its
        death, and it may never have read what the provider sent last."""
        ended = math.inf if call.ended_at is None else call.ended_at
        return call.opened_at <= self.ended and ended >= self.began - UNREAD_SECONDS


@dataclass
class Campaign:
    """Kills services one after the other while the load runs, and starts them again."""

    fleet: Fleet
    simulator: Simulator
    load: Load
    kills: list[Kill] = field(default_factory=list)

    async def run(self) -> None:
        order = [victim for victim in VICTIMS for _ in range(KILLS)]
        chance = random.Random(20261121)  # noqa: S311 - the same kills each time
        chance.shuffle(order)
        for victim in order:
            await asyncio.sleep(chance.uniform(0.2, 0.8))
            await until(lambda: self.load.in_flight > 0 and self.calls_are_open(), "requests in flight")
            kill = Kill(victim, self.load.in_flight, time.monotonic())
            self.kills.append(kill)
            process = self.fleet[f"{victim}-1"]
            await asyncio.to_thread(process.kill)
            await asyncio.sleep(0.1)
            kill.ended = time.monotonic()
            process.start()
            await asyncio.to_thread(process.wait_ready)

    def calls_are_open(self) -> bool:
        return any(call.state == "opened" for call in self.simulator.record.calls[-200:])


async def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.02)
    assert condition(), what


async def until_books_are_closed(ledger: Ledger, simulator: Simulator) -> None:
    """Every call has ended at the provider, every outcome was delivered, every hold is gone."""
    await until(lambda: all(call.state != "opened" for call in simulator.record.calls), "calls ended")
    async with asyncio.timeout(90):
        while True:
            report = await ledger.verify(common_pb2.Empty())
            known = {entry.attempt_id for entry in await settled_entries(ledger)}
            missing = [call for call in simulator.record.calls if call.attempt_id not in known]
            if report.open_reservations == 0 and not missing:
                assert not report.problems, list(report.problems)
                return
            await asyncio.sleep(0.5)


def usage_differs(entry: ledger_pb2.Entry, call: Call) -> bool:
    usage = entry.usage
    return (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, usage.reasoning_tokens) != (
        call.prompt_tokens,
        call.cached_tokens,
        call.completion_tokens,
        call.reasoning_tokens,
    )


@pytest.mark.case(7)
async def test_every_provider_call_has_exactly_one_entry_after_kills_of_every_service(tmp_path: Path) -> None:
    async with running() as simulator:
        simulator.behave(MODEL, tokens=12, pace=0.03, first_byte=0.03)
        settings = {
            "providers": {
                "openai": {"type": "openai", "base_url": simulator.url, "api_key": simulator.key, "models": [MODEL]},
                "echo": {"type": "echo", "models": ["echo"]},
            },
            # Short, so that what a killed head had reserved without using it expires within the test.
            "traffic": {"stream_max_seconds": 10, "request_timeout": 8000},
            "billing": {"hold_margin_seconds": 15},
        }
        fleet = await asyncio.to_thread(Fleet(tmp_path, settings=settings).__enter__)
        try:
            await asyncio.to_thread(fleet.command, "bootstrap")
            load = Load(fleet.url("tail-1"), await asyncio.to_thread(fleet.create_key), MODEL)
            campaign = Campaign(fleet, simulator, load)
            loading = asyncio.create_task(load.run(workers=12))
            try:
                await campaign.run()
            finally:
                load.stop()
                await loading
            async with ledger_of(fleet) as ledger:
                await until_books_are_closed(ledger, simulator)
                entries = await settled_entries(ledger)
        finally:
            await asyncio.to_thread(fleet.stop)
    report(campaign, entries)
    judge(campaign, entries)


def judge(campaign: Campaign, entries: list[ledger_pb2.Entry]) -> None:
    calls = {call.attempt_id: call for call in campaign.simulator.record.calls}
    by_attempt = Counter(entry.attempt_id for entry in entries)
    exact = [entry for entry in entries if entry.certainty == "exact"]
    uncertain = {entry.attempt_id for entry in entries if entry.certainty == "uncertain"}
    kills = [kill for kill in campaign.kills if kill.victim == "model-proxy"]
    open_at_a_kill = {name for name, call in calls.items() if any(kill.found_open(call) for kill in kills)}

    assert all(kill.requests_in_flight > 0 for kill in campaign.kills)
    assert not [call for call in calls.values() if call.repeated], "an attempt was sent twice"
    assert {attempt: count for attempt, count in by_attempt.items() if count != 1} == {}
    assert calls.keys() - by_attempt.keys() == set(), "calls without an entry"
    assert [e.attempt_id for e in exact if e.attempt_id in calls and usage_differs(e, calls[e.attempt_id])] == []
    # An attempt that was journaled but never reached the provider is uncertain too: only a kill explains it.
    assert uncertain & calls.keys() - open_at_a_kill == set(), "uncertain without a kill of model-proxy"
    assert campaign.load.unclear == []
    assert campaign.load.outcomes["answered"] > len(campaign.kills)


def report(campaign: Campaign, entries: list[ledger_pb2.Entry]) -> None:
    """What ``pytest -s`` and the CI log show."""
    print(f"\nkills: {dict(Counter(kill.victim for kill in campaign.kills))}")
    print(f"requests in flight at each: {[kill.requests_in_flight for kill in campaign.kills]}")
    print(f"clients: {dict(campaign.load.outcomes)}")
    print(f"provider calls: {len(campaign.simulator.record.calls)}")
    print(f"entries: {dict(Counter(entry.certainty for entry in entries))}")
