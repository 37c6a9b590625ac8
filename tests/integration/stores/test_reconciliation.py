"""The ledger against a provider's own books, on every database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.billing.app import open_ledger
from llm_platform.billing.periods import rfc3339
from llm_platform.billing.reconciliation import attempts, resolving
from llm_platform.billing.reconciliation.export import Coverage
from llm_platform.billing.reconciliation.reconcile import Wanted, reconcile
from llm_platform.billing.service import DatabaseLedger
from llm_platform.billing.usage.rollups import RollUps
from llm_platform.core.config import Config
from llm_platform.core.database import open_database
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, ledger_pb2
from tests.simulator.export import export
from tests.simulator.record import Call
from tests.unit.billing.calls import balance, entries, outcome, problems, record, reserve, reserve_each
from tests.unit.billing.conftest import Clock


@pytest.fixture
async def ledger(config: Config, clock: Clock) -> AsyncIterator[DatabaseLedger]:
    async with open_ledger(config, clock=clock) as opened:
        yield opened


@pytest.fixture
async def engine(ledger: DatabaseLedger, database: str) -> AsyncIterator[AsyncEngine]:
    async with open_database(database, "llm_platform.billing.migrations") as opened:
        yield opened


class Provider:
    """The calls of ``echo`` in the ledger, and what the provider has of them."""

    def __init__(self, ledger: DatabaseLedger, clock: Clock, path: Path) -> None:
        self.ledger = ledger
        self.clock = clock
        self.path = path
        self.calls: list[Call] = []

    async def call(self, kind: str = "exact", *, charged: tuple[int, int] | None = (30, 4), **usage: int) -> str:
        """``charged``: tokens in the provider's books; None: it knows nothing of the call."""
        asked = reserve()
        self.clock.now += 1
        await reserve_each(self.ledger, asked)
        done = outcome(asked, kind=kind, **usage)
        # Of a call that was lost nobody has the provider's id.
        done.provider_request_id = f"req_{asked.reservation_id}" if kind != "uncertain" else ""
        await record(self.ledger, done)
        attempt_id = f"{asked.reservation_id}-1"
        if charged is not None:
            call = Call(attempt_id, "echo", stream=True, state="completed", received_at=self.clock.now)
            call.prompt_tokens, call.completion_tokens = charged
            call.request_id = f"req_{asked.reservation_id}"
            self.calls.append(call)
        return attempt_id

    async def reconcile(
        self, *, since: float = 0.0, echoes: bool = True, **wanted: Any
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        self.clock.now += 1
        prices = {"echo": (1_000_000, 2_000_000)}
        lines = export(self.calls, "echo", prices=prices, since=since, until=self.clock.now, echoes=echoes)
        self.path.write_bytes(b"".join(lines))
        differences: list[dict[str, Any]] = []
        wish = Wanted(Coverage("echo"), **wanted)
        report = await reconcile(self.ledger, self.path, wish, differences.append, clock=self.clock)
        assert await problems(self.ledger) == []
        return report, differences

    async def unresolved(self) -> list[str]:
        query = ledger_pb2.AttemptsQuery(provider="echo", unresolved=True)
        page = await self.ledger.attempts(query)
        found = list(page.items)
        while page.cursor:
            query.cursor = page.cursor
            page = await self.ledger.attempts(query)
            found += page.items
        return [attempt.attempt_id for attempt in found]


@pytest.fixture
def provider(ledger: DatabaseLedger, clock: Clock, tmp_path: Path) -> Provider:
    return Provider(ledger, clock, tmp_path / "export.jsonl")


async def test_uncertain_calls_are_resolved_and_the_sums_are_those_of_the_export_to_the_unit(
    ledger: DatabaseLedger, provider: Provider, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "SCANNED", 2)
    await ledger.set_budget(ledger_pb2.Budget(key_id="key_a", limit=10**9))
    await provider.call(input_tokens=30, output_tokens=4)
    charged = await provider.call("uncertain")
    never = await provider.call("uncertain", charged=None)
    await provider.call(charged=None, result="failed")  # type: ignore[arg-type] - refused: nobody charges for it
    guessed_right = await provider.call("uncertain", charged=(100, 50))
    assert await balance(ledger) == (38_000 + 3 * 200_000, 0)

    dry, _ = await provider.reconcile(dry_run=True)
    assert (dry["corrected"], dry["absent"], dry["adjusted_nano_dollars"]) == (2, 1, 0)
    assert await provider.unresolved() == [charged, never, guessed_right]

    report, differences = await provider.reconcile()
    assert differences == []
    assert (report["matched"], report["equal"], report["corrected"], report["absent"]) == (3, 2, 2, 1)
    assert report["charged_nano_dollars"] == report["export_nano_dollars"] == 38_000 * 2 + 200_000
    assert report["adjusted_nano_dollars"] == 38_000 - 200_000 - 200_000
    assert await balance(ledger) == (report["export_nano_dollars"], 0)
    assert await provider.unresolved() == []
    made = [(entry.attempt_id, entry.amount, entry.result) for entry in await entries(ledger, "adjust")]
    assert made == [(charged, -162_000, "export"), (guessed_right, 0, "export"), (never, -200_000, "absent")]

    again, _ = await provider.reconcile()
    assert (again["corrected"], again["absent"], again["adjusted_nano_dollars"]) == (0, 0, 0)
    assert len(await entries(ledger, "adjust")) == 3
    while await RollUps(engine).advance(int((provider.clock.now + 61) * 1_000_000)):
        assert await problems(ledger) == []
    assert await problems(ledger) == []


async def test_only_what_is_uncertain_is_corrected_unless_more_is_asked_for(
    ledger: DatabaseLedger, provider: Provider
) -> None:
    exact = await provider.call(input_tokens=30, output_tokens=5)
    estimated = await provider.call("estimated", input_tokens=29, output_tokens=4)
    unknown_there = await provider.call(charged=None, input_tokens=1)
    provider.calls.append(Call("rsv_unheard-1", "echo", stream=False, prompt_tokens=7, received_at=provider.clock.now))
    provider.calls.append(provider.calls[0])
    report, differences = await provider.reconcile()
    assert [(each["kind"], each["attempt_id"], each["what"]) for each in differences] == [
        ("differing", exact, ["output_tokens", "cost"]),
        ("differing", estimated, ["input_tokens", "cost"]),
        ("missing_there", unknown_there, []),
        ("missing_here", "rsv_unheard-1", []),
        ("charged_again", exact, []),
    ]
    assert report["adjusted_nano_dollars"] == 0
    report, _ = await provider.reconcile(accept="estimated")
    assert (report["corrected"], report["differing"], report["adjusted_nano_dollars"]) == (1, 1, 1_000)
    report, _ = await provider.reconcile(accept="all")
    assert (report["corrected"], report["differing"], report["adjusted_nano_dollars"]) == (1, 0, -2_000)
    # What the provider says differently later is corrected again.
    provider.calls[0].completion_tokens = 9
    report, _ = await provider.reconcile(accept="all")
    assert report["adjusted_nano_dollars"] == 10_000
    assert [entry.attempt_id for entry in await entries(ledger, "adjust")] == [estimated, exact, exact]


async def test_a_call_that_was_absent_at_first_is_charged_when_its_books_come(
    ledger: DatabaseLedger, provider: Provider
) -> None:
    late = await provider.call("uncertain")
    calls, provider.calls = provider.calls, []
    report, _ = await provider.reconcile()
    assert (report["absent"], await balance(ledger)) == (1, (0, 0))
    provider.calls = calls
    report, _ = await provider.reconcile()
    assert (report["corrected"], await balance(ledger)) == (1, (38_000, 0))
    assert [entry.attempt_id for entry in await entries(ledger, "adjust")] == [late, late]


async def test_no_call_is_taken_for_absent_while_the_books_have_lines_of_calls_that_they_do_not_name(
    ledger: DatabaseLedger, provider: Provider
) -> None:
    unnamed = await provider.call("uncertain")
    provider.clock.now += 1
    period = {"provider": "echo", "since": rfc3339(0), "until": rfc3339(int(provider.clock.now * 1_000_000))}
    line = {"request_id": "req_of_the_provider", "input_tokens": 30, "output_tokens": 4, "cost": "0.000038"}
    provider.path.write_text("\n".join(map(json.dumps, ({"export": {**period, "complete": True}}, line))))
    differences: list[dict[str, Any]] = []
    report = await reconcile(ledger, provider.path, Wanted(Coverage("echo")), differences.append, clock=provider.clock)
    assert [each["kind"] for each in differences] == ["missing_here", "uncertain"]
    assert (report["absent"], await provider.unresolved()) == (0, [unnamed])
    assert await balance(ledger) == (200_000, 0)


async def test_books_with_the_providers_own_ids_only_are_matched_by_those_that_the_ledger_has(
    ledger: DatabaseLedger, provider: Provider
) -> None:
    await provider.call(input_tokens=30, output_tokens=4)
    begins = provider.clock.now + 0.5
    provider.calls[0].received_at += 1  # by its clock of the period, by ours not
    await provider.call(input_tokens=30, output_tokens=4)
    estimated = await provider.call("estimated", input_tokens=29, output_tokens=4)
    never = await provider.call("uncertain", charged=None)
    unnamed = await provider.call("uncertain")  # the provider charged it, but nobody here knows which line is its
    report, differences = await provider.reconcile(since=begins, echoes=False)
    assert (report["matched"], report["equal"], report["absent"]) == (3, 2, 0)
    assert [(each["kind"], each["attempt_id"]) for each in differences] == [
        ("differing", estimated),
        ("missing_here", ""),
        ("uncertain", never),
        ("uncertain", unnamed),
    ]
    assert differences[1]["request_id"] == f"req_{unnamed.removesuffix('-1')}"

    provider.calls.pop()  # now each of its lines is of a call that is known here
    report, differences = await provider.reconcile(since=begins, echoes=False, accept="estimated")
    assert differences == []
    assert (report["matched"], report["corrected"], report["absent"]) == (3, 1, 2)
    assert report["charged_nano_dollars"] == report["export_nano_dollars"] == 3 * 38_000
    assert await provider.unresolved() == []


async def test_one_id_that_a_provider_gave_twice_is_of_one_call_only(
    ledger: DatabaseLedger, provider: Provider
) -> None:
    first = await provider.call(input_tokens=30, output_tokens=4)
    asked = reserve()
    await reserve_each(ledger, asked)
    second = outcome(asked, input_tokens=30, output_tokens=4)
    second.provider_request_id = provider.calls[0].request_id
    await record(ledger, second)
    lost = await provider.call("uncertain", charged=None)
    report, differences = await provider.reconcile(echoes=False)
    assert [(each["kind"], each["attempt_id"]) for each in differences] == [("missing_there", second.attempt_id)]
    assert (report["matched"], report["absent"]) == (1, 1)
    provider.calls.append(provider.calls[0])
    lost = await provider.call("uncertain", charged=None)
    report, differences = await provider.reconcile(echoes=False)
    assert [(each["kind"], each["attempt_id"]) for each in differences] == [
        ("missing_there", second.attempt_id),
        ("charged_again", ""),
        ("uncertain", lost),  # the second line may be of any call
    ]
    assert first != second.attempt_id


async def test_books_that_are_wrong_change_nothing(ledger: DatabaseLedger, provider: Provider) -> None:
    await provider.call("uncertain", charged=None)
    before = await entries(ledger)
    good = {"export": {"provider": "echo", "since": rfc3339(0), "until": rfc3339(1), "complete": True}}
    end = {"export": {**good["export"], "until": "2999-01-01T00:00:00Z"}}
    incomplete = {"export": {"provider": "echo", "complete": True}}
    foreign = {"export": {**good["export"], "provider": "other"}}
    line = {"attempt_id": "a", "input_tokens": 1}
    for lines in ([end], [incomplete], [foreign], [good, line, {**line, "cost": "NaN"}]):
        provider.path.write_text("\n".join(map(json.dumps, lines)))
        with pytest.raises(PlatformError) as refused:
            await reconcile(ledger, provider.path, Wanted(Coverage("echo")), print, clock=provider.clock)
        assert refused.value.code is Code.INVALID_REQUEST
    provider.path.write_text(json.dumps(good))  # covers another time
    assert (await reconcile(ledger, provider.path, Wanted(Coverage("echo")), print, clock=provider.clock))[
        "absent"
    ] == 0
    assert await entries(ledger) == before


async def test_resolutions_refuse_what_cannot_be_right(ledger: DatabaseLedger, provider: Provider) -> None:
    known, other = [await provider.call("uncertain") for _ in range(2)]
    resolution = ledger_pb2.Resolution
    batch = ledger_pb2.ResolveBatch(
        items=[
            resolution(attempt_id="unheard", absent=True),
            resolution(attempt_id=known, cost=-1),
            resolution(attempt_id=other, usage=common_pb2.Usage(input_tokens=10**12 + 1)),
        ]
    )
    replies = (await ledger.resolve(batch)).items
    assert [reply.error.code for reply in replies] == [Code.NOT_FOUND, Code.INVALID_REQUEST, Code.INVALID_REQUEST]
    for wrong in ([resolution(attempt_id=known)] * 2, [resolution(attempt_id=str(n)) for n in range(501)]):
        with pytest.raises(PlatformError):
            await ledger.resolve(ledger_pb2.ResolveBatch(items=wrong))
    assert resolving.EXPORT not in {entry.result for entry in await entries(ledger)}
