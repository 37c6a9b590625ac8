"""Delivery to billing, and what is left when a process is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from llm_platform.model_proxy import refused
from llm_platform.model_proxy.journal import Journal
from llm_platform.model_proxy.outbox import Outbox
from tests.simulator import Simulator
from tests.unit.model_proxy.parts import MemoryLedger, call_of, opened, read, request, until
from tests.unit.model_proxy.test_journal import attempt, ended

PLATFORM = Path(__file__).parents[3]


async def test_billing_may_be_away_and_learns_everything_when_it_is_back(
    tmp_path: Path, ledger: MemoryLedger, simulator: Simulator
) -> None:
    ledger.down = True
    async with opened(tmp_path, ledger, simulator) as proxy:
        calls = [call_of() for _ in range(20)]
        for call in calls:
            await read(await proxy.inference.open(call, request()))
        assert not ledger.outcomes
        ledger.down = False
        for call in calls:
            [outcome] = await ledger.closing(call.route.reservation_id)
            assert outcome.kind == "exact"


async def test_what_was_not_delivered_at_the_stop_is_delivered_by_the_next(
    tmp_path: Path, ledger: MemoryLedger, simulator: Simulator
) -> None:
    ledger.down = True
    async with opened(tmp_path, ledger, simulator) as proxy:
        call = call_of()
        await read(await proxy.inference.open(call, request()))
    ledger.down = False
    async with opened(tmp_path, ledger, simulator):
        [outcome] = await ledger.closing(call.route.reservation_id)
        assert outcome.kind == "exact"
        await until(lambda: len(list((tmp_path / "journal").glob("jrn_*"))) == 1)


async def test_outcomes_travel_together(tmp_path: Path, ledger: MemoryLedger, simulator: Simulator) -> None:
    async with opened(tmp_path, ledger, simulator) as proxy:
        calls = [call_of() for _ in range(50)]

        async def make(call: object) -> None:
            await read(await proxy.inference.open(call, request()))  # type: ignore[arg-type]

        await asyncio.gather(*(make(call) for call in calls))
        await proxy.drain()
    assert len(ledger.outcomes) == 50
    assert ledger.batches < 25


async def test_one_outcome_that_billing_cannot_take_does_not_hold_up_the_others(
    tmp_path: Path, ledger: MemoryLedger
) -> None:
    journal = await Journal.create(tmp_path)
    attempts = [attempt() for _ in range(9)]
    for each in attempts:
        await journal.sent(each)
        journal.outcome(ended(each))
    ledger.refuses = {attempts[4].attempt_id}
    outbox = Outbox(journal, ledger)
    assert await outbox.deliver_all() == 9
    assert set(ledger.outcomes) == {each.attempt_id for each in attempts} - ledger.refuses
    assert refused.kept(tmp_path) == [ended(attempts[4])]
    await journal.aclose(remove=True)


@pytest.mark.case(7)
async def test_a_killed_process_leaves_exactly_one_outcome_for_each_provider_call(
    tmp_path: Path, ledger: MemoryLedger, simulator: Simulator
) -> None:
    finished, streaming = call_of(), call_of("gpt-test+pace=0.05+tokens=60", stream=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from tests.unit.model_proxy.victim import main; main()",
        str(tmp_path),
        simulator.url,
        finished.SerializeToString().hex(),
        streaming.SerializeToString().hex(),
        cwd=PLATFORM,
        env=os.environ | {"PYTHONPATH": f"{PLATFORM}/services:{PLATFORM}"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        while await process.stdout.readline() != b"streaming\n":
            pass
    async with opened(tmp_path, ledger, simulator):  # beside the living: nothing of it is touched
        await asyncio.sleep(0.2)
    assert not ledger.outcomes
    process.send_signal(signal.SIGKILL)
    await process.wait()
    async with opened(tmp_path, ledger, simulator):
        [exact] = await ledger.closing(finished.route.reservation_id)
        [uncertain] = await ledger.closing(streaming.route.reservation_id)
        await until(lambda: len(list((tmp_path / "journal").glob("jrn_*"))) == 1)
    assert (exact.kind, exact.result) == ("exact", "completed")
    assert exact.usage.output_tokens == simulator.call(exact.attempt_id).completion_tokens
    assert (uncertain.kind, uncertain.result, uncertain.final) == ("uncertain", "lost", True)
    assert {each.attempt_id for each in simulator.record.calls} == set(ledger.outcomes)
    assert not list((tmp_path / "journal").glob("jrn_*"))
