"""The platform's ledger held against the provider's own record of calls."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llm_platform.billing.interfaces import Ledger
from llm_platform.billing.reconciliation.export import Coverage
from llm_platform.billing.reconciliation.reconcile import Wanted, reconcile
from llm_platform.proto import common_pb2, ledger_pb2
from tests.chaos.campaign import Kill, until
from tests.fleet.ledger import settled_entries
from tests.simulator import Call, Simulator
from tests.simulator.export import export

CLOSING_SECONDS = 120
INPUT_PRICE, OUTPUT_PRICE = 150_000, 600_000
"""Pico-dollars a token, as they are to be configured."""
UNEXPLAINED = ("uncertain", "missing_here", "charged_again", "not_corrected", "priced_otherwise")
"""Kinds of the report (docs/usage.md)."""


async def reconciled(ledger: Ledger, simulator: Simulator, provider: str, file: Path) -> dict[str, Any]:
    """The report of a reconciliation with the provider's usage export. Afterwards no call is uncertain, and what
    differs is what we had to estimate."""
    prices = {call.model: (INPUT_PRICE, OUTPUT_PRICE) for call in simulator.record.calls}
    await asyncio.to_thread(file.write_bytes, b"".join(export(simulator.record.calls, provider, prices=prices)))
    report = await reconcile(ledger, file, Wanted(Coverage(provider)), lambda _difference: None)
    uncertain = await ledger.attempts(ledger_pb2.AttemptsQuery(provider=provider, unresolved=True))
    assert [attempt.attempt_id for attempt in uncertain.items] == []
    assert {kind: report[kind] for kind in UNEXPLAINED if report[kind]} == {}
    assert list((await ledger.verify(common_pb2.Empty())).problems) == []
    return report


async def closed_books(ledger: Ledger, simulator: Simulator) -> list[ledger_pb2.Entry]:
    """The entries of calls, once every call has ended at the provider, every outcome was delivered, and every hold
    is gone. Fails when that does not come, or when the ledger does not agree with itself."""
    calls = simulator.record.calls
    await until(lambda: all(call.state != "opened" for call in calls), "the end of every call at the provider")
    waiting = asyncio.get_running_loop().time() + CLOSING_SECONDS
    missing: set[str] = set()
    while True:
        report = await ledger.verify(common_pb2.Empty())
        assert not report.problems, list(report.problems)
        if report.open_reservations == 0:
            entries = await settled_entries(ledger)
            missing = {call.attempt_id for call in calls} - {entry.attempt_id for entry in entries}
            if not missing:
                return entries
        assert asyncio.get_running_loop().time() < waiting, (
            f"{report.open_reservations} reservations stay open; calls without an entry: {sorted(missing)[:10]}"
        )
        await asyncio.sleep(1)


def judge(entries: Sequence[ledger_pb2.Entry], calls: Sequence[Call], kills: Sequence[Kill]) -> None:
    """``kills`` of model-proxy: nothing else makes a call uncertain."""
    by_attempt = {call.attempt_id: call for call in calls}
    made = [entry for entry in entries if entry.attempt_id in by_attempt]
    not_made = [entry for entry in entries if entry.attempt_id not in by_attempt]
    open_at_a_kill = {call.attempt_id for call in calls if any(kill.found_open(call) for kill in kills)}

    assert not [call for call in calls if call.repeated], "an attempt was sent twice"
    assert by_attempt.keys() - {entry.attempt_id for entry in entries} == set(), "calls without an entry"
    assert {name: count for name, count in Counter(e.attempt_id for e in entries).items() if count != 1} == {}
    assert [e for e in made if e.certainty == "exact" and differs(e, by_attempt[e.attempt_id])] == []
    assert [e for e in made if e.certainty == "uncertain" and e.attempt_id not in open_at_a_kill] == []
    # Killed or left before the provider read what was sent: nobody can know, so it may be charged as an estimate.
    assert [e for e in not_made if e.certainty == "exact" and e.amount] == [], "charged and not called"


def differs(entry: ledger_pb2.Entry, call: Call) -> bool:
    """In its tokens, or in what they cost."""
    usage = entry.usage
    charged = (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, usage.reasoning_tokens, entry.amount)
    cost = (call.prompt_tokens * INPUT_PRICE + call.completion_tokens * OUTPUT_PRICE) // 1_000
    return charged != (call.prompt_tokens, call.cached_tokens, call.completion_tokens, call.reasoning_tokens, cost)
