"""What the ledger promises, on every database it can be kept in."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from llm_platform.billing.app import open_ledger
from llm_platform.billing.service import DatabaseLedger
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, ledger_pb2
from tests.unit.billing.calls import balance, entries, outcome, problems, record, release, reserve, reserve_each
from tests.unit.billing.conftest import Clock

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def ledger(config: Config, clock: Clock) -> AsyncIterator[DatabaseLedger]:
    async with open_ledger(config, clock=clock) as opened:
        yield opened


async def test_a_call_is_reserved_settled_and_freed_and_everything_said_twice_is_done_once(
    ledger: DatabaseLedger,
) -> None:
    call = reserve()
    result = outcome(call, input_tokens=40, output_tokens=10)
    assert await reserve_each(ledger, call, call) == [200_000, 200_000]
    assert await balance(ledger) == (0, 200_000)
    assert await record(ledger, result, result) == (1, 1)
    assert await record(ledger, result) == (0, 1)
    await release(ledger, call.reservation_id, call.reservation_id)
    assert await reserve_each(ledger, call) == [200_000]
    assert await balance(ledger) == (60_000, 0)
    assert [(entry.kind, entry.amount) for entry in await entries(ledger)] == [
        ("reserve", 200_000),
        ("settle", 60_000),
        ("release", 200_000),
    ]
    assert await problems(ledger) == []


async def test_each_attempt_is_charged_and_outcomes_come_in_any_order(ledger: DatabaseLedger) -> None:
    retried, released, unknown, lost = reserve(), reserve(), reserve(key="key_b"), reserve()
    await reserve_each(ledger, retried, released, lost)
    await record(ledger, outcome(retried, n=1, final=False, result="failed", input_tokens=1))
    assert await problems(ledger) == []
    await release(ledger, released.reservation_id, lost.reservation_id)
    await record(
        ledger,
        outcome(retried, n=2, input_tokens=30, output_tokens=5),
        outcome(released, input_tokens=5),
        outcome(unknown, input_tokens=11),
        outcome(lost, kind="uncertain", result="lost"),
    )
    assert await balance(ledger) == (1_000 + 40_000 + 5_000 + 200_000, 0)
    assert await balance(ledger, "key_b") == (11_000, 0)
    assert await problems(ledger) == []


async def test_a_budget_admits_what_fits_to_the_last_nano_dollar(ledger: DatabaseLedger) -> None:
    budget = await ledger.set_budget(ledger_pb2.Budget(key_id="key_a", limit=400_000))
    assert budget.limit == 400_000
    first, second, third = reserve(), reserve(), reserve(prompt=1, output=0)
    answers = await reserve_each(ledger, first, second, third, reserve(key="key_b"), reserve(provider="nobody"))
    assert answers == [200_000, 200_000, Code.BUDGET_EXCEEDED, 200_000, Code.PRICE_UNKNOWN]
    await release(ledger, first.reservation_id)
    assert await reserve_each(ledger, third) == [1_000]
    removed = await ledger.set_budget(ledger_pb2.Budget(key_id="key_a", limit=-1))
    assert (removed.limit, removed.reserved) == (-1, 201_000)
    assert await reserve_each(ledger, reserve(output=10**6)) == [100_000 + 2 * 10**9]


@pytest.mark.case(5)
@pytest.mark.case(6)
async def test_200_concurrent_calls_at_two_ledgers_take_exactly_the_room_there_is(config: Config) -> None:
    async with open_ledger(config) as one, open_ledger(config) as two:
        await one.set_budget(ledger_pb2.Budget(key_id="key_a", limit=30 * 200_000 + 199_999))
        calls = [reserve(key="key_a" if n % 4 else "key_b") for n in range(200)]
        answers = await asyncio.gather(
            *(reserve_each(ledger, call) for call, ledger in zip(calls, [one, two] * 100, strict=True))
        )
        admitted = [call for call, answer in zip(calls, answers, strict=True) if answer == [200_000]]
        assert sum(call.key_id == "key_a" for call in admitted) == 30
        assert sum(call.key_id == "key_b" for call in admitted) == 50
        # Every outcome is delivered twice, to both.
        outcomes = [outcome(call, input_tokens=10, output_tokens=10) for call in admitted]
        replies = await asyncio.gather(*(record(ledger, each) for each in outcomes for ledger in (one, two)))
        assert sum(recorded for recorded, _ in replies) == 80
        assert await balance(one) == (30 * 30_000, 0)
        assert await problems(one) == []
    async with open_ledger(config) as restarted:
        assert await balance(restarted, "key_b") == (50 * 30_000, 0)


async def test_the_same_reservation_at_two_ledgers_at_once_is_one(config: Config) -> None:
    async with open_ledger(config) as one, open_ledger(config) as two:
        calls = [reserve() for _ in range(40)]
        answers = await asyncio.gather(*(reserve_each(ledger, call) for call in calls for ledger in (one, two)))
        assert answers == [[200_000]] * 80
        assert await balance(one) == (0, 40 * 200_000)
        await asyncio.gather(*(release(ledger, call.reservation_id) for call in calls for ledger in (two, one)))
        assert await balance(one) == (0, 0)
        assert len(await entries(one)) == 80
        assert await problems(one) == []


async def test_batches_of_many_keys_in_any_order_do_not_lock_each_other_out(config: Config) -> None:
    async with open_ledger(config) as one, open_ledger(config) as two:
        keys = [f"key_{n}" for n in range(20)]
        batches = [[reserve(key=key) for key in order] for order in (keys, keys[::-1]) for _ in range(10)]
        await asyncio.gather(
            *(reserve_each(ledger, *batch) for batch, ledger in zip(batches, [one, two] * 10, strict=True))
        )
        await asyncio.gather(
            *(
                record(ledger, *(outcome(call, input_tokens=1) for call in batch))
                for batch, ledger in zip(batches, [two, one] * 10, strict=True)
            )
        )
        assert [await balance(one, key) for key in keys] == [(20_000, 0)] * 20
        assert await problems(two) == []


async def test_what_nobody_closes_expires_once_and_late_outcomes_still_settle(
    config: Config, ledger: DatabaseLedger, clock: Clock
) -> None:
    call = reserve()
    await reserve_each(ledger, call)
    clock.now += config.traffic.stream_max_seconds
    assert await ledger.sweep() == 0
    clock.now += 3600
    async with open_ledger(config, clock=clock) as other:
        assert sum(await asyncio.gather(ledger.sweep(), other.sweep())) == 1
    assert await balance(ledger) == (0, 0)
    assert [entry.result for entry in await entries(ledger, "release")] == ["expired"]
    assert await record(ledger, outcome(call, input_tokens=5)) == (1, 0)
    assert await balance(ledger) == (5_000, 0)
    assert await problems(ledger) == []


async def test_usage_is_summed_by_key_provider_and_model_within_the_time_asked_for(
    ledger: DatabaseLedger, clock: Clock
) -> None:
    early, retried, other = reserve(), reserve(), reserve(key="key_b", model="parrot")
    await record(ledger, outcome(early, input_tokens=1, cached_input_tokens=1))
    clock.now += 3600
    await record(ledger, outcome(retried, n=1, final=False, result="failed"), outcome(retried, n=2, output_tokens=2))
    await record(ledger, outcome(other, input_tokens=3))

    async def rows(**query: str) -> list[tuple[str, str, int, int, int, int]]:
        report = await ledger.usage(ledger_pb2.UsageQuery(**query))  # type: ignore[arg-type]
        return [
            (r.key_id, r.model, r.requests, r.usage.input_tokens, r.usage.output_tokens, r.cost) for r in report.rows
        ]

    assert await rows() == [("key_a", "echo", 3, 1, 2, 5_000), ("key_b", "parrot", 1, 3, 0, 3_000)]
    assert await rows(key_id="key_a", since="2026-01-01T01:00:00Z") == [("key_a", "echo", 2, 0, 2, 4_000)]
    assert await rows(until="2026-01-01T02:00:00+01:00") == [("key_a", "echo", 1, 1, 0, 1_000)]
    for wrong in ("yesterday", "2026-01-01T00:00:00"):
        with pytest.raises(PlatformError) as caught:
            await rows(since=wrong)
        assert caught.value.param == "since"


async def test_entries_are_read_in_pages_and_by_request_and_kind(ledger: DatabaseLedger) -> None:
    calls = [reserve() for _ in range(5)]
    await reserve_each(ledger, *calls)
    await record(ledger, *(outcome(call) for call in calls))
    first = await ledger.entries(ledger_pb2.EntriesQuery(limit=4))
    second = await ledger.entries(ledger_pb2.EntriesQuery(after=first.items[-1].sequence))
    assert [entry.sequence for entry in (*first.items, *second.items)] == list(range(1, 16))
    of_one = await ledger.entries(ledger_pb2.EntriesQuery(request_id=calls[2].request_id))
    assert [entry.kind for entry in of_one.items] == ["reserve", "settle", "release"]
    assert len(await entries(ledger, "settle")) == 5


async def test_a_batch_larger_than_a_statement_is_stored_whole(ledger: DatabaseLedger) -> None:
    calls = [reserve(key=f"key_{n % 7}") for n in range(700)]
    assert await reserve_each(ledger, *calls) == [200_000] * 700
    assert await record(ledger, *(outcome(call, input_tokens=1) for call in calls)) == (700, 0)
    assert await balance(ledger) == (0, 0)
    assert await balance(ledger, "key_3") == (100_000, 0)
    assert await problems(ledger) == []


async def test_the_ledger_cannot_be_rewritten_and_an_amount_of_64_bits_is_kept(ledger: DatabaseLedger) -> None:
    await record(ledger, outcome(reserve(), input_tokens=5))
    for change in ("UPDATE entries SET amount = 0", "DELETE FROM entries"):
        with pytest.raises(DBAPIError, match="append-only"):
            await ledger._store._transactions.run(lambda transaction, sql: transaction.run(sql), change)
    assert (await ledger.verify(common_pb2.Empty())).entries == 1
    await ledger.set_budget(ledger_pb2.Budget(key_id="key_a", limit=10**18))
    assert await reserve_each(ledger, reserve(prompt=0, output=5 * 10**11 - 1)) == [10**15 - 2_000]
    assert await problems(ledger) == []


async def test_a_value_that_cannot_be_stored_fails_alone(ledger: DatabaseLedger, database: str) -> None:
    if database.startswith("sqlite"):
        pytest.skip("SQLite stores every text")
    good, bad = reserve(), reserve(key="key\0")
    answers = await asyncio.gather(
        reserve_each(ledger, good), reserve_each(ledger, bad), reserve_each(ledger, reserve()), return_exceptions=True
    )
    assert [answers[0], answers[2]] == [[200_000]] * 2
    assert isinstance(answers[1], PlatformError)
    assert answers[1].code is Code.INTERNAL
    await ledger.check()
    assert await problems(ledger) == []


_STARTER = """
import asyncio, sys
from pathlib import Path
from llm_platform.billing.app import open_ledger
from llm_platform.core.config import Config, Service, Stores
from tests.unit.billing.calls import reserve, reserve_each

async def main():
    async with open_ledger(Config(stores=Stores(ledger_url=sys.stdin.read()))) as ledger:
        print((await reserve_each(ledger, reserve()))[0])

asyncio.run(main())
"""


async def test_processes_that_start_at_once_on_an_empty_database_migrate_it_once(config: Config) -> None:
    url = config.stores.ledger_url
    assert url is not None
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _STARTER),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": f"{ROOT / 'services'}:{ROOT}"},
        )
        for _ in range(2)
    ]
    async with asyncio.timeout(60):
        said = await asyncio.gather(*(process.communicate(url.encode()) for process in processes))
    assert [out.decode().strip() for out, _ in said] == ["200000", "200000"]
    async with open_ledger(config) as ledger:
        assert await balance(ledger) == (0, 400_000)
