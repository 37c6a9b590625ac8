"""The ledger over a real SQLite file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from llm_platform.billing.app import open_ledger
from llm_platform.billing.posting import MAX_BUDGET
from llm_platform.billing.service import DatabaseLedger
from llm_platform.core.config import Billing, Config, Service
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import ledger_pb2
from tests.unit.billing.calls import (
    INPUT,
    OUTPUT,
    balance,
    entries,
    outcome,
    problems,
    record,
    release,
    reserve,
    reserve_each,
)
from tests.unit.billing.conftest import Clock


async def test_a_call_is_reserved_then_settled_by_its_usage_and_its_hold_is_freed(ledger: DatabaseLedger) -> None:
    call = reserve(prompt=100, output=50)
    assert await reserve_each(ledger, call) == [100 * INPUT + 50 * OUTPUT]
    assert await balance(ledger) == (0, 200_000)
    assert await record(ledger, outcome(call, input_tokens=40, output_tokens=10)) == (1, 0)
    assert await balance(ledger) == (60_000, 0)
    assert [(entry.kind, entry.amount, entry.price_revision) for entry in await entries(ledger)] == [
        ("reserve", 200_000, "builtin-1"),
        ("settle", 60_000, "builtin-1"),
        ("release", 200_000, ""),
    ]
    settle = (await entries(ledger, "settle"))[0]
    assert (settle.attempt_id, settle.certainty, settle.usage.output_tokens) == (
        f"{call.reservation_id}-1",
        "exact",
        10,
    )
    assert settle.created_at == "2026-01-01T00:00:00.000000Z"
    assert await problems(ledger) == []


async def test_everything_said_twice_is_done_once(ledger: DatabaseLedger) -> None:
    call = reserve()
    result = outcome(call, input_tokens=1)
    assert await reserve_each(ledger, call, call) == [200_000, 200_000]
    assert await reserve_each(ledger, call) == [200_000]
    assert await record(ledger, result, result) == (1, 1)
    assert await record(ledger, result) == (0, 1)
    await release(ledger, call.reservation_id, call.reservation_id)
    assert await reserve_each(ledger, call) == [200_000]
    assert await balance(ledger) == (1_000, 0)
    assert len(await entries(ledger)) == 3
    assert await problems(ledger) == []


async def test_the_default_output_is_reserved_when_the_caller_gave_none(ledger: DatabaseLedger) -> None:
    assert await reserve_each(ledger, reserve(prompt=0, output=0, default_output=7)) == [7 * OUTPUT]


async def test_a_refusal_does_not_fail_the_others_of_its_batch(ledger: DatabaseLedger) -> None:
    await ledger.set_budget(ledger_pb2.Budget(key_id="poor", limit=199_999))
    answers = await reserve_each(
        ledger, reserve(key="poor"), reserve(), reserve(provider="nobody"), reserve(output=2**63), reserve(key="poor")
    )
    assert answers == [
        Code.BUDGET_EXCEEDED,
        200_000,
        Code.PRICE_UNKNOWN,
        Code.INVALID_REQUEST,
        Code.BUDGET_EXCEEDED,
    ]
    assert await problems(ledger) == []


async def test_a_strict_budget_refuses_calls_without_max_tokens(tmp_path: Path) -> None:
    config = Config(service=Service(data_dir=tmp_path), billing=Billing(strict_budgets=True))
    async with open_ledger(config) as ledger:
        await ledger.set_budget(ledger_pb2.Budget(key_id="key_a", limit=10**9))
        open_ended = {"output": 0, "default_output": 10}
        replies = await ledger.reserve(ledger_pb2.ReserveBatch(items=[reserve(**open_ended)]))  # type: ignore[arg-type]
        assert replies.items[0].error.code == Code.INVALID_REQUEST
        assert replies.items[0].error.param == "max_tokens"
        assert await reserve_each(ledger, reserve(), reserve(key="free", **open_ended)) == [200_000, 120_000]  # type: ignore[arg-type]


@pytest.mark.case(7)
async def test_each_attempt_of_a_reservation_is_charged_and_the_last_closes_it(ledger: DatabaseLedger) -> None:
    call = reserve()
    await reserve_each(ledger, call)
    failed = outcome(call, n=1, final=False, result="failed", status=500)
    assert await record(ledger, failed) == (1, 0)
    assert await balance(ledger) == (0, 200_000)
    assert await record(
        ledger, outcome(call, n=2, final=False, kind="estimated", result="timeout", input_tokens=30)
    ) == (1, 0)
    assert await balance(ledger) == (30_000, 200_000)
    assert await problems(ledger) == []
    assert await record(ledger, outcome(call, n=3, input_tokens=30, output_tokens=5)) == (1, 0)
    assert await balance(ledger) == (70_000, 0)
    assert [(e.certainty, e.result, e.amount) for e in await entries(ledger, "settle")] == [
        ("exact", "failed", 0),
        ("estimated", "timeout", 30_000),
        ("exact", "completed", 40_000),
    ]


@pytest.mark.case(8)
async def test_a_call_its_caller_left_costs_what_was_produced(ledger: DatabaseLedger) -> None:
    cut, unsent = reserve(), reserve()
    await reserve_each(ledger, cut, unsent)
    await record(ledger, outcome(cut, kind="estimated", result="cancelled", input_tokens=20, output_tokens=3))
    await release(ledger, unsent.reservation_id)
    assert await balance(ledger) == (26_000, 0)


@pytest.mark.parametrize(("share", "amount"), [(1.0, 200_000), (0.5, 100_000), (0.0, 0)])
@pytest.mark.case(7)
async def test_a_lost_call_costs_the_configured_share_of_its_reservation(
    tmp_path: Path, share: float, amount: int
) -> None:
    config = Config(service=Service(data_dir=tmp_path), billing=Billing(uncertain_share=share))
    async with open_ledger(config) as ledger:
        call = reserve()
        await reserve_each(ledger, call)
        await record(ledger, outcome(call, kind="uncertain", result="lost", status=0))
        assert await balance(ledger) == (amount, 0)
        assert (await entries(ledger, "settle"))[0].certainty == "uncertain"


async def test_lost_attempts_together_cost_no_more_than_their_reservation(ledger: DatabaseLedger) -> None:
    call = reserve()
    await reserve_each(ledger, call)
    await record(ledger, outcome(call, n=1, final=False, input_tokens=50))
    await record(ledger, outcome(call, n=2, kind="uncertain", result="lost"))
    assert await balance(ledger) == (200_000, 0)


async def test_outcomes_and_releases_come_in_any_order(ledger: DatabaseLedger) -> None:
    released, expired, settled = reserve(), reserve(), reserve()
    await reserve_each(ledger, released, settled)
    await release(ledger, released.reservation_id)
    await record(ledger, outcome(released, input_tokens=5), outcome(settled, input_tokens=7))
    await release(ledger, settled.reservation_id)
    await record(ledger, outcome(expired, input_tokens=11))
    assert await balance(ledger) == (23_000, 0)
    assert await problems(ledger) == []


async def test_a_lost_call_costs_by_its_reservation_even_after_the_release(ledger: DatabaseLedger) -> None:
    call = reserve()
    await reserve_each(ledger, call)
    await release(ledger, call.reservation_id)
    await record(ledger, outcome(call, kind="uncertain", result="lost"))
    assert await balance(ledger) == (200_000, 0)


async def test_a_reservation_that_nobody_closes_expires_and_late_outcomes_still_settle(
    ledger: DatabaseLedger, clock: Clock, config: Config
) -> None:
    call = reserve()
    await reserve_each(ledger, call)
    clock.now += config.traffic.stream_max_seconds
    assert await ledger.sweep() == 0
    clock.now += 3600
    assert await ledger.sweep() == 1
    assert await ledger.sweep() == 0
    assert await balance(ledger) == (0, 0)
    assert (await entries(ledger, "release"))[0].result == "expired"
    assert await record(ledger, outcome(call, input_tokens=5)) == (1, 0)
    assert await balance(ledger) == (5_000, 0)
    assert await problems(ledger) == []


@pytest.mark.case(9)
async def test_a_call_that_could_cost_more_than_anything_does_is_refused(ledger: DatabaseLedger) -> None:
    for item in (reserve(output=2**64 - 1), reserve(prompt=2**64 - 1), reserve(output=5 * 10**11)):
        replies = await ledger.reserve(ledger_pb2.ReserveBatch(items=[item]))
        assert replies.items[0].error.code == Code.INVALID_REQUEST
        assert replies.items[0].error.fault == "caller"
    assert await balance(ledger) == (0, 0)


@pytest.mark.case(9)
async def test_a_usage_beyond_belief_is_charged_by_the_reservation(ledger: DatabaseLedger) -> None:
    call = reserve()
    await reserve_each(ledger, call)
    assert await record(ledger, outcome(call, input_tokens=2**64 - 1, output_tokens=2**64 - 1)) == (1, 0)
    assert await balance(ledger) == (200_000, 0)
    assert (await entries(ledger, "settle"))[0].certainty == "uncertain"


@pytest.mark.case(9)
@pytest.mark.parametrize("kind", ["exact", "uncertain"])
async def test_a_usage_beyond_belief_leaves_the_sums_of_usage_as_they_are(kind: str, ledger: DatabaseLedger) -> None:
    for _ in range(2):
        call = reserve()
        await reserve_each(ledger, call)
        await record(ledger, outcome(call, kind=kind, input_tokens=2**63 - 1, cached_input_tokens=2**63 - 1))
    row = (await ledger.usage(ledger_pb2.UsageQuery(by=["key"]))).rows[0]
    assert (row.requests, row.cost, row.usage.input_tokens) == (2, 400_000, 0)
    assert await problems(ledger) == []


@pytest.mark.case(9)
async def test_a_model_without_a_price_is_never_silently_free(tmp_path: Path) -> None:
    call = reserve(provider="nobody", model="x")
    async with open_ledger(Config(service=Service(data_dir=tmp_path / "refuse"))) as ledger:
        assert await reserve_each(ledger, call) == [Code.PRICE_UNKNOWN]
        assert await balance(ledger) == (0, 0)
    config = Config(service=Service(data_dir=tmp_path / "free"), billing=Billing(unknown_price="free"))
    async with open_ledger(config) as ledger:
        assert await reserve_each(ledger, call) == [0]
        await record(ledger, outcome(call, input_tokens=5))
        assert {entry.price_revision for entry in await entries(ledger) if entry.kind != "release"} == {"unpriced"}


async def test_an_amount_is_rounded_once_half_to_even(tmp_path: Path) -> None:
    config = Config(service=Service(data_dir=tmp_path), billing=Billing(prices={"p/m": [100, 300]}))
    async with open_ledger(config) as ledger:
        amounts = []
        for tokens in (5, 15, 14, 16, 25):  # 500, 1500, 1400, 1600, 2500 pico-dollars
            call = reserve(provider="p", model="m", prompt=10**6)
            await reserve_each(ledger, call)
            await record(ledger, outcome(call, input_tokens=tokens))
            amounts.append((await entries(ledger, "settle"))[-1].amount)
        assert amounts == [0, 2, 1, 2, 2]


async def test_an_outcome_without_an_attempt_is_refused_with_its_place(ledger: DatabaseLedger) -> None:
    with pytest.raises(PlatformError) as caught:
        await record(ledger, outcome(reserve()), ledger_pb2.Outcome(kind="exact"))
    assert caught.value.param == "items[1].attempt_id"
    assert await entries(ledger) == []


async def test_a_kind_of_a_newer_release_is_recorded_as_estimated(ledger: DatabaseLedger) -> None:
    await record(ledger, outcome(reserve(), kind="reconciled", input_tokens=1))
    assert (await entries(ledger, "settle"))[0].certainty == "estimated"


@pytest.mark.parametrize(("key", "limit"), [("", 1), ("key_a", MAX_BUDGET + 1)])
async def test_a_budget_that_cannot_be_is_refused(ledger: DatabaseLedger, key: str, limit: int) -> None:
    with pytest.raises(PlatformError, match="invalid_request"):
        await ledger.set_budget(ledger_pb2.Budget(key_id=key, limit=limit))


@pytest.mark.case(5)
async def test_budgets_survive_a_restart_and_hold_over_two_services_at_once(config: Config) -> None:
    async with open_ledger(config) as old:
        await old.set_budget(ledger_pb2.Budget(key_id="key_a", limit=500_000))
        assert await reserve_each(old, reserve()) == [200_000]
        async with open_ledger(config) as new:
            assert await reserve_each(new, reserve()) == [200_000]
            assert await reserve_each(old, reserve()) == [Code.BUDGET_EXCEEDED]
    async with open_ledger(config) as restarted:
        assert await reserve_each(restarted, reserve()) == [Code.BUDGET_EXCEEDED]
        assert await balance(restarted) == (0, 400_000)


@pytest.mark.case(6)
async def test_300_concurrent_calls_take_exactly_the_room_there_is(config: Config) -> None:
    async with open_ledger(config) as one, open_ledger(config) as two:
        await one.set_budget(ledger_pb2.Budget(key_id="key_a", limit=30 * 200_000 + 199_999))
        calls = [reserve() for _ in range(300)]
        answers = await asyncio.gather(
            *(reserve_each(ledger, call) for call, ledger in zip(calls, [one, two] * 150, strict=True))
        )
        admitted = [call for call, answer in zip(calls, answers, strict=True) if answer == [200_000]]
        assert len(admitted) == 30
        assert sum(answer == [Code.BUDGET_EXCEEDED] for answer in answers) == 270
        assert await balance(two) == (0, 6_000_000)
        # Every outcome is delivered twice, to both.
        outcomes = [outcome(call, input_tokens=10, output_tokens=10) for call in admitted]
        replies = await asyncio.gather(*(record(ledger, each) for each in outcomes for ledger in (one, two)))
        assert sum(recorded for recorded, _ in replies) == 30
        assert await balance(one) == (30 * 30_000, 0)
        assert await problems(one) == []


@pytest.mark.case(4)
async def test_a_deadlock_is_tried_again_and_loses_nothing(
    ledger: DatabaseLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    class DeadlockDetectedError(Exception):
        sqlstate = "40P01"

    commit, failures = ledger._store.commit, iter([True, True])

    async def deadlocking(*arguments: object) -> object:
        if next(failures, False):
            raise DBAPIError("UPDATE balances", None, DeadlockDetectedError())
        return await commit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ledger._store, "commit", deadlocking)
    assert await record(ledger, outcome(reserve(), input_tokens=5)) == (1, 0)
    assert await balance(ledger) == (5_000, 0)
