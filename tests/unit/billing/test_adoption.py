"""What the release before writes during an update, in the budgets that it does not know."""

from __future__ import annotations

import asyncio
from itertools import product

import pytest

from llm_platform.billing.app import open_ledger
from llm_platform.billing.service import DatabaseLedger
from llm_platform.core.config import Config
from llm_platform.proto import ledger_pb2
from tests.unit.billing.calls import (
    balance,
    outcome,
    problems,
    put_budget,
    record,
    release,
    reserve,
    reserve_each,
    room,
)
from tests.unit.billing.conftest import Clock
from tests.unit.billing.release_before import ReleaseBefore


async def used(ledger: DatabaseLedger, scope: str) -> tuple[int, int]:
    ((spent, reserved, _),) = await room(ledger, scope=scope)
    return spent, reserved


async def test_what_the_release_before_wrote_is_posted_once(config: Config, clock: Clock) -> None:
    async with open_ledger(config, clock=clock) as ledger, open_ledger(config, clock=clock) as other:
        await put_budget(ledger, "user", "usr_a", 10**6, period="daily", thresholds=[5])
        before = ReleaseBefore(ledger)
        done, open_ = reserve(), reserve()
        await before.reserve(done, 200_000)
        await before.settle(done, 200_000, 70_000)
        await before.reserve(open_, 100_000)
        assert await used(ledger, "user") == (0, 0)
        assert await problems(ledger) == []
        await asyncio.gather(ledger.sweep(), other.sweep())
        assert await used(ledger, "user") == (70_000, 100_000)
        assert await problems(ledger) == []
        await ledger.sweep()
        assert await used(ledger, "user") == (70_000, 100_000)
        assert await balance(ledger) == (70_000, 100_000)


@pytest.mark.parametrize(("reserved_by", "settled_by"), list(product(["before", "now"], repeat=2)))
async def test_a_call_over_both_releases_is_in_the_window_of_its_reservation(
    ledger: DatabaseLedger, clock: Clock, reserved_by: str, settled_by: str
) -> None:
    before = ReleaseBefore(ledger)
    call = reserve(team="t", organization="o")
    for scope, name in (("user", "usr_a"), ("key", "key_a"), ("team", "t")):
        await put_budget(ledger, scope, name, 10**6, period="daily")
    if reserved_by == "before":
        await before.reserve(call, 200_000)
    else:
        await reserve_each(ledger, call)
    clock.now += 86_400
    if settled_by == "before":
        await before.settle(call, 200_000, 3_000)
    else:
        await record(ledger, outcome(call, input_tokens=3))
    await ledger.sweep()
    assert await problems(ledger) == []
    assert await used(ledger, "user") == (0, 0)
    clock.now -= 86_400
    assert await used(ledger, "user") == await used(ledger, "key") == (3_000, 0)
    # The release before does not write teams; where this one reserved, they are known.
    assert await used(ledger, "team") == ((3_000, 0) if reserved_by == "now" else (0, 0))


async def test_a_late_settle_by_this_release_follows_a_reservation_of_the_one_before(
    ledger: DatabaseLedger, clock: Clock
) -> None:
    call, late = reserve(), reserve()
    await ReleaseBefore(ledger).reserve(call, 200_000)
    await put_budget(ledger, "user", "usr_a", 10**6, period="daily")
    assert await used(ledger, "user") == (0, 0)
    await ledger.sweep()
    assert await used(ledger, "user") == (0, 200_000)
    await reserve_each(ledger, late)
    await release(ledger, call.reservation_id, late.reservation_id)
    clock.now += 86_400
    await record(ledger, outcome(call, input_tokens=5), outcome(late, input_tokens=7))
    await ledger.sweep()
    assert await used(ledger, "user") == (0, 0)
    clock.now -= 86_400
    assert await used(ledger, "user") == (12_000, 0)
    assert await problems(ledger) == []


async def test_the_sweep_goes_on_through_more_than_it_takes_at_once(
    ledger: DatabaseLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_platform.billing.service.SWEEP_LIMIT", 2)
    await put_budget(ledger, "user", "usr_a", 10**6)
    for _ in range(5):
        await ReleaseBefore(ledger).reserve(reserve(), 10)
    await ledger.sweep()
    assert await used(ledger, "user") == (0, 50)


async def test_a_budget_made_before_the_sweep_counts_what_waits_for_it_once(ledger: DatabaseLedger) -> None:
    await ReleaseBefore(ledger).reserve(reserve(), 10)
    made = await ledger.put_budget(
        ledger_pb2.PutBudgetRequest(budget=ledger_pb2.ScopedBudget(scope="user", scope_id="usr_a", limit=100))
    )
    assert made.reserved == 0
    await ledger.sweep()
    assert await used(ledger, "user") == (0, 10)
    assert await problems(ledger) == []
