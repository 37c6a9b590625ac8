"""Outcomes that billing refused: kept, listed, delivered again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llm_platform.core.errors import PlatformError
from llm_platform.model_proxy.refused import kept, replay, set_aside
from llm_platform.proto import ledger_pb2
from tests.unit.model_proxy.parts import MemoryLedger

OUTCOMES = [ledger_pb2.Outcome(attempt_id=f"rsv-{n}", key_id="key_1", final=True) for n in range(3)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for outcome in OUTCOMES:
        set_aside(tmp_path, outcome)
    return tmp_path


async def test_nothing_was_refused(tmp_path: Path) -> None:
    assert kept(tmp_path / "missing") == []
    assert await replay(tmp_path / "missing", MemoryLedger()) == []


async def test_what_was_set_aside_is_delivered_in_order_and_once(root: Path) -> None:
    ledger = MemoryLedger()
    await ledger.record(ledger_pb2.OutcomeBatch(items=OUTCOMES[1:2]))
    assert kept(root) == OUTCOMES
    replayed = await replay(root, ledger)
    assert [(each.outcome, each.result) for each in replayed] == list(
        zip(OUTCOMES, ["recorded", "known", "recorded"], strict=True)
    )
    assert kept(root) == []
    assert await replay(root, ledger) == []


async def test_what_is_refused_again_is_kept(root: Path) -> None:
    ledger = MemoryLedger()
    ledger.refuses = {"rsv-1"}
    refused = [each for each in await replay(root, ledger) if each.result == "refused"]
    assert [(each.outcome, bool(each.reason)) for each in refused] == [(OUTCOMES[1], True)]
    assert kept(root) == OUTCOMES[1:2]
    set_aside(root, OUTCOMES[2])
    assert kept(root) == OUTCOMES[1:]


async def test_what_an_operator_found_in_no_archive_is_said_to_billing_only(root: Path) -> None:
    ledger = MemoryLedger()
    await replay(root, ledger, ["rsv-1"])
    assert {name: each.not_archived for name, each in ledger.outcomes.items()} == {
        "rsv-0": False,
        "rsv-1": True,
        "rsv-2": False,
    }
    assert not any(each.not_archived for each in OUTCOMES)


async def test_while_billing_is_away_everything_is_kept(root: Path) -> None:
    ledger = MemoryLedger()
    ledger.down = True
    with pytest.raises(PlatformError, match="billing is away"):
        await replay(root, ledger)
    assert kept(root) == OUTCOMES


def test_what_a_crash_tore_off_hides_nothing_that_comes_later(root: Path) -> None:
    path = root / "refused.journal"
    path.write_bytes(path.read_bytes()[:-3])
    assert kept(root) == OUTCOMES[:2]
    set_aside(root, OUTCOMES[2])
    assert kept(root) == OUTCOMES


async def test_what_is_set_aside_during_a_replay_is_not_lost(root: Path) -> None:
    late = ledger_pb2.Outcome(attempt_id="late")

    class Slow(MemoryLedger):
        async def record(self, request: ledger_pb2.OutcomeBatch) -> ledger_pb2.RecordReply:
            if not self.outcomes:
                self.adding = asyncio.create_task(asyncio.to_thread(set_aside, root, late))
                await asyncio.sleep(0.05)
            return await super().record(request)

    ledger = Slow()
    await replay(root, ledger)
    await ledger.adding
    assert kept(root) == [late]
