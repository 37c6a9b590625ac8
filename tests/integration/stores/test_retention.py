"""Archived entries leave the ledger, and nothing that follows from them changes, on every database."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.billing.app import open_ledger
from llm_platform.billing.archive import differing, found, write
from llm_platform.billing.periods import rfc3339
from llm_platform.billing.reconciliation import reconcile
from llm_platform.billing.reconciliation.export import Coverage
from llm_platform.billing.retention import removal
from llm_platform.billing.retention.archived import Removed, Wanted, remove
from llm_platform.billing.service import DatabaseLedger
from llm_platform.billing.usage.rollups import RollUps
from llm_platform.core.config import Config
from llm_platform.core.database import open_database
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, ledger_pb2
from tests.unit.billing.calls import (
    balance,
    entries,
    find_budgets,
    outcome,
    problems,
    put_budget,
    record,
    reserve,
    reserve_each,
)
from tests.unit.billing.conftest import Clock
from tests.unit.billing.release_before import ReleaseBefore

DAY = 86_400.0
NOTHING = common_pb2.Empty()
ROOT = Path(__file__).parents[3]


@pytest.fixture
async def ledger(config: Config, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DatabaseLedger]:
    monkeypatch.setattr(removal, "AT_ONCE", 7)
    async with open_ledger(config, clock=clock) as opened:
        yield opened


@pytest.fixture
async def engine(ledger: DatabaseLedger, database: str) -> AsyncIterator[AsyncEngine]:
    async with open_database(database, "llm_platform.billing.migrations") as opened:
        yield opened


class Books:
    """A ledger that grows, and its archive."""

    def __init__(self, ledger: DatabaseLedger, engine: AsyncEngine, clock: Clock, directory: Path, url: str) -> None:
        self.url = url
        self.ledger = ledger
        self.engine = engine
        self.clock = clock
        self.directory = directory

    def outcome(self, call: ledger_pb2.Reserve, **fields: Any) -> ledger_pb2.Outcome:
        """Sent now."""
        made = outcome(call, **fields)
        made.sent_at = rfc3339(int(self.clock.now * 1_000_000))
        return made

    async def call(self, *, key: str = "key_a", tokens: int = 3, **fields: Any) -> ledger_pb2.Outcome:
        call = reserve(key=key, user="usr_" + key, team="team_a", organization="org_a", **fields)
        await reserve_each(self.ledger, call)
        self.clock.now += 1
        made = self.outcome(call, input_tokens=tokens, output_tokens=1)
        await record(self.ledger, made)
        return made

    async def settle_down(self) -> None:
        """All of it is old and rolled up."""
        self.clock.now += 500 * DAY
        while await RollUps(self.engine).advance(int(self.clock.now * 1_000_000)):
            pass

    async def archive(self) -> None:
        await write(self.ledger, rfc3339(int((self.clock.now - 400 * DAY) * 1_000_000)), self.directory)

    async def remove(self, **wanted: Any) -> Removed:
        return await remove(self.ledger, self.directory, Wanted(**wanted), lambda _state: None)

    async def shown(self) -> dict[str, Any]:
        """What people see of it."""
        zones = ("Asia/Kathmandu", "America/St_Johns")
        by = ["key", "user", "team", "organization", "provider", "model", "day"]
        queries = [ledger_pb2.UsageQuery(by=by, time_zone=zone) for zone in zones]
        async with self.engine.connect() as connection:
            windows = (await connection.execute(text("SELECT * FROM budget_windows ORDER BY window_id"))).all()
        return {
            "usage": [[*(await self.ledger.usage(query)).rows] for query in queries],
            "balances": [*(await self.ledger.list_budgets(NOTHING)).items],
            "windows": list(windows),
            "budgets": await find_budgets(self.ledger),
        }


@pytest.fixture
def books(ledger: DatabaseLedger, engine: AsyncEngine, clock: Clock, tmp_path: Path, database: str) -> Books:
    directory = tmp_path / "archive"
    directory.mkdir()
    return Books(ledger, engine, clock, directory, database)


async def set_budgets(ledger: DatabaseLedger) -> None:
    await put_budget(ledger, "key", "key_a", 10**9)
    await put_budget(ledger, "key", "key_b", 10**9, enforcement="soft", thresholds=[1])
    await put_budget(ledger, "user", "usr_key_a", 10**9, period="daily", time_zone="Asia/Kathmandu")
    await put_budget(ledger, "team", "team_a", 10**9, period="monthly", time_zone="America/St_Johns")
    await put_budget(ledger, "organization", "org_a", 10**9, organization_id="org_a")


async def test_what_was_removed_counts_as_before_wherever_it_counted(books: Books) -> None:
    ledger, clock = books.ledger, books.clock
    await set_budgets(ledger)
    chance = random.Random(7)  # noqa: S311
    for _ in range(20):
        clock.now += chance.uniform(0, DAY)
        await books.call(key=chance.choice(["key_a", "key_b"]), tokens=chance.randrange(50), model=chance.choice("xy"))
    old = reserve(key="key_a", user="usr_key_a")
    await ReleaseBefore(ledger).reserve(old, 5_000)
    await ReleaseBefore(ledger).settle(old, 5_000, 4_000)
    await ledger.sweep()
    lost = reserve(key="key_b")
    await reserve_each(ledger, lost)
    await record(ledger, books.outcome(lost, kind="uncertain", result="lost"))
    attempt = f"{lost.reservation_id}-1"
    resolution = ledger_pb2.Resolution(attempt_id=attempt, usage=common_pb2.Usage(input_tokens=9), cost=9_000)
    assert (await ledger.resolve(ledger_pb2.ResolveBatch(items=[resolution]))).items[0].made
    count = len(await entries(ledger))
    await books.settle_down()
    recent = await books.call()
    before = await books.shown()
    assert await problems(ledger) == []

    await books.archive()
    planned = await books.remove(dry_run=True)
    assert (planned.confirmed, planned.removed) == (count, 0)
    assert len(await entries(ledger)) == count + 3
    done = await books.remove()
    assert (done.confirmed, done.removed) == (count, count)
    assert {entry.reservation_id for entry in await entries(ledger)} == {recent.reservation_id}
    assert await books.shown() == before
    assert await problems(ledger) == []
    assert (await ledger.verify(NOTHING)).removed == count
    assert (await books.remove()).removed == 0
    assert await differing(ledger, books.directory, clock=clock) is None

    # A new budget has seen what is gone, and goes on from there.
    made = await put_budget(ledger, "user", "usr_key_b", 10**9)
    spent = sum(row.cost for row in before["usage"][0] if row.user_id == "usr_key_b")
    assert made.spent == spent > 0
    await books.call(key="key_b", tokens=1)
    assert [each.spent for each in await find_budgets(ledger, scope_id="usr_key_b")] == [spent + 3_000]
    assert await problems(ledger) == []


async def test_a_call_stays_while_it_is_open_or_reaches_beyond_the_archive(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With everything that is needed to close it, correct it and post it."""
    ledger = books.ledger
    never_ends = reserve(key="key_b")
    monkeypatch.setattr(ledger._store, "expired", _nothing_expires)
    late, corrected, gone = reserve(), reserve(), reserve()
    await reserve_each(ledger, late, corrected, gone, never_ends)
    await record(ledger, *(books.outcome(call, kind="uncertain", n=1) for call in (late, corrected, gone)))
    late_outcome = books.outcome(late, n=2, input_tokens=7)
    await books.settle_down()
    await books.archive()
    resolution = ledger_pb2.Resolution(attempt_id=f"{corrected.reservation_id}-1", absent=True)
    assert (await ledger.resolve(ledger_pb2.ResolveBatch(items=[resolution]))).items[0].adjusted < 0
    assert await record(ledger, late_outcome) == (1, 0)
    before = await books.shown()

    async def left() -> dict[str, int]:
        names = {call.reservation_id: name for call, name in ((late, "late"), (corrected, "corrected"), (gone, "gone"))}
        names[never_ends.reservation_id] = "open"
        found = [names[entry.reservation_id] for entry in await entries(ledger)]
        return {name: found.count(name) for name in dict.fromkeys(found)}

    assert (await books.remove()).removed == 3
    assert await left() == {"late": 4, "corrected": 4, "open": 1}
    assert await books.shown() == before
    assert await problems(ledger) == []
    assert await differing(ledger, books.directory, clock=books.clock) is None
    assert await record(ledger, late_outcome) == (0, 1)
    assert await record(ledger, books.outcome(never_ends, n=1, final=False)) == (1, 0)

    await books.settle_down()
    before = await books.shown()
    await books.archive()
    assert (await books.remove()).removed == 8
    assert await left() == {"open": 2}
    await record(ledger, books.outcome(never_ends, n=2))
    await books.settle_down()
    await books.archive()
    assert (await books.remove()).removed == 4
    assert await entries(ledger) == []
    assert await balance(ledger, "key_b") == (0, 0)
    assert await problems(ledger) == []
    assert (await books.shown())["usage"][0][: len(before["usage"][0])]


async def _nothing_expires(_now: int, _limit: int) -> list[str]:
    return []


async def test_an_outcome_that_may_be_among_removed_entries_is_refused_and_booked_by_nobody(books: Books) -> None:
    ledger = books.ledger
    booked = await books.call(tokens=5)
    never_came = books.outcome(reserve(), input_tokens=5)
    undated = outcome(reserve(), input_tokens=5)
    await books.settle_down()
    await books.archive()
    await books.remove()
    spent = await balance(ledger)
    live, unknown = books.outcome(reserve()), books.outcome(reserve(), input_tokens=1)
    for old in (booked, never_came, undated):
        with pytest.raises(PlatformError, match="archived and removed") as refused:
            await record(ledger, live, old)
        assert (refused.value.code, refused.value.param) == (Code.INVALID_REQUEST, "sent_at")
    assert await record(ledger, live) == (0, 1)  # nobody else waits for it
    assert await record(ledger, unknown) == (1, 0)
    assert await record(ledger, unknown) == (0, 1)
    assert await balance(ledger) == (spent[0] + 1_000, 0)

    # The archive knows which of them was booked.
    names = [booked.attempt_id, never_came.attempt_id]
    (line,) = found(books.directory, names)
    assert json.loads(line)["reference"] == booked.attempt_id
    never_came.not_archived = True
    assert await record(ledger, never_came) == (1, 0)
    assert await record(ledger, never_came) == (0, 1)
    assert await balance(ledger) == (spent[0] + 6_000, 0)
    assert await problems(ledger) == []


async def test_the_database_lets_only_archived_entries_go_that_were_named(books: Books, engine: AsyncEngine) -> None:
    await books.call()
    await books.settle_down()
    await books.archive()
    await books.call()
    changes = [
        "UPDATE entries SET amount = 0",
        "DELETE FROM entries",
        "DELETE FROM entries WHERE sequence = 1",
        "INSERT INTO removals VALUES (1); DELETE FROM entries WHERE sequence = 1",
    ]
    if engine.dialect.name == "postgresql":
        changes.append("TRUNCATE entries")

    async def run(statements: str) -> None:
        async with engine.begin() as connection:
            for statement in statements.split("; "):
                await connection.execute(text(statement))

    async def refused() -> None:
        for change in changes:
            with pytest.raises(DBAPIError, match="append-only"):
                await run(change)

    await refused()
    await books.remove()
    changes[2:4] = ["INSERT INTO removals VALUES (4); DELETE FROM entries WHERE sequence = 4"]
    await refused()
    assert len(await entries(books.ledger)) == 3
    assert await problems(books.ledger) == []


async def test_only_what_the_archive_has_and_is_old_enough_may_be_removed(books: Books, engine: AsyncEngine) -> None:
    ledger = books.ledger
    with pytest.raises(PlatformError, match="no segments"):
        await books.remove()
    for _ in range(3):
        await books.call()
    await books.settle_down()
    await books.archive()
    state = await ledger.retention(NOTHING)
    right = await _range(ledger, 0, 9)
    wrong = [
        (await _range(ledger, 0, 9, b"x"), Code.CONFLICT),
        (await _range(ledger, 1, 9), Code.CONFLICT),
        (ledger_pb2.ArchivedRange(after=0, last=8, sha256=right.sha256), Code.CONFLICT),
        (ledger_pb2.ArchivedRange(after=0, last=10, sha256=right.sha256), Code.CONFLICT),
        (ledger_pb2.ArchivedRange(after=9, last=10**6, sha256=hashlib.sha256().hexdigest()), Code.CONFLICT),
        (ledger_pb2.ArchivedRange(after=9, last=9, sha256=right.sha256), Code.INVALID_REQUEST),
        (ledger_pb2.ArchivedRange(after=0, last=2**63, sha256=right.sha256), Code.INVALID_REQUEST),
    ]
    await books.call()
    books.clock.now += 62
    young = await _range(ledger, 0, 12)
    wrong.append((young, Code.CONFLICT))  # not rolled up
    for range_, code in wrong:
        with pytest.raises(PlatformError) as refused:
            await ledger.confirm_archive(range_)
        assert refused.value.code is code, range_
    await RollUps(engine).advance(int(books.clock.now * 1_000_000))
    with pytest.raises(PlatformError, match="too young"):
        await ledger.confirm_archive(young)
    with pytest.raises(PlatformError, match="retention_days"):
        await books.remove(before=rfc3339(int((books.clock.now - 399 * DAY) * 1_000_000)))
    too_young = rfc3339(int((books.clock.now - 600 * DAY) * 1_000_000))
    assert await books.remove(before=too_young) == Removed(archived_to=0)
    assert (await ledger.retention(NOTHING)).archived_to == state.archived_to == 0

    async with engine.begin() as connection:
        await connection.execute(text("UPDATE balances SET spent = spent + 1"))
    with pytest.raises(PlatformError, match="does not verify"):
        await books.remove()
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE balances SET spent = spent - 1"))
    assert (await books.remove()).removed == 9
    assert (await ledger.confirm_archive(right)).archived_to == 9  # again: nothing changes


async def _range(ledger: DatabaseLedger, after: int, last: int, more: bytes = b"") -> ledger_pb2.ArchivedRange:
    before = rfc3339(int((ledger._clock() - 61) * 1_000_000))
    page = await ledger.read_back(ledger_pb2.ReadBackQuery(after=after, before=before))
    lines = b"".join(entry.encode() + b"\n" for entry in page.entries[: last - after])
    return ledger_pb2.ArchivedRange(after=after, last=last, sha256=hashlib.sha256(lines + more).hexdigest())


async def test_an_export_of_a_time_that_was_removed_is_not_compared_with_nothing(books: Books, tmp_path: Path) -> None:
    booked = await books.call(tokens=5)
    await books.settle_down()
    await books.archive()
    await books.remove()
    recent = await books.call(tokens=5)
    export = tmp_path / "export.jsonl"
    lines = [
        {"attempt_id": each.attempt_id, "time": each.sent_at, "model": "echo", "input_tokens": 5, "output_tokens": 1}
        for each in (booked, recent)
    ]
    lines.append({**lines[1], "attempt_id": "rsv_unknown-1"})
    export.write_text("\n".join(map(json.dumps, lines)))
    wanted = reconcile.Wanted(Coverage("echo", None, None, complete=False))
    report = await reconcile.reconcile(books.ledger, export, wanted, lambda _difference: None, clock=books.clock)
    counts = {kind: report[kind] for kind in reconcile.KINDS if report[kind]}
    assert counts == {"matched": 1, "equal": 1, "archived": 1, "missing_here": 1}


async def test_a_period_of_removed_entries_is_reported_by_quarters_of_an_hour(books: Books) -> None:
    await books.call(tokens=5)
    await books.settle_down()
    await books.archive()
    await books.remove()

    async def cost(since: str, until: str = "") -> int:
        report = await books.ledger.usage(ledger_pb2.UsageQuery(since=since, until=until))
        return sum(row.cost for row in report.rows)

    assert await cost("2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z") == 7_000
    assert await cost("2026-01-01T00:15:00Z") == 0
    with pytest.raises(PlatformError, match="quarter of an hour") as refused:
        await cost("2025-12-31T00:07:00Z", "2026-01-01T00:15:00Z")
    assert refused.value.param == "since"
    with pytest.raises(PlatformError, match="quarter of an hour"):
        await cost("2026-01-01T00:00:00Z", "2026-01-01T00:00:30Z")
    assert await cost(rfc3339(int((books.clock.now - 7) * 1_000_000))) == 0


async def test_calls_go_on_while_two_remove_at_once_and_a_budget_is_made(books: Books, config: Config) -> None:
    ledger = books.ledger
    for number in range(40):
        await books.call(key=f"key_{number % 3}")
    await books.settle_down()
    await books.archive()
    async with open_ledger(config, clock=books.clock) as other:
        state = await ledger.retention(NOTHING)
        await ledger.confirm_archive(await _range(ledger, 0, 120))
        made = []

        async def remove_all(by: DatabaseLedger) -> None:
            nonlocal state
            while (state := await by.remove_archived(NOTHING)).examined_to < state.archived_to:
                pass

        async def set_budgets_meanwhile() -> None:
            for number in range(6):
                user, enforcement = f"usr_key_{number % 3}", ("hard", "soft")[number % 2]
                made.append(await put_budget(other, "user", user, 10**9, enforcement=enforcement))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(remove_all(ledger))
            tasks.create_task(remove_all(other))
            tasks.create_task(set_budgets_meanwhile())
            for _ in range(10):
                await books.call(key="key_9")
    assert state.removed == 120
    assert len(await entries(ledger)) == 30
    assert sorted({each.spent for each in made}) == sorted({5_000 * 13, 5_000 * 14})
    assert await problems(ledger) == []


_REMOVER = """
import asyncio, sys
from pathlib import Path
from llm_platform.billing.app import open_ledger
from llm_platform.billing.retention import archived, removal
from llm_platform.core.config import Config, Stores

removal.AT_ONCE = 4

async def main():
    def tell(state):
        print(state.examined_to, flush=True)
    config = Config(stores=Stores(ledger_url=sys.stdin.readline().strip()))
    async with open_ledger(config, clock=lambda: float(sys.argv[2])) as ledger:
        print("removing", flush=True)
        await archived.remove(ledger, Path(sys.argv[1]), archived.Wanted(), tell)

asyncio.run(main())
"""


async def test_a_process_killed_while_it_removes_is_followed_by_one_that_goes_on(books: Books) -> None:
    for number in range(100):
        await books.call(key=f"key_{number % 3}")
    await books.settle_down()
    await books.archive()
    before = await books.shown()
    chance = random.Random(3)  # noqa: S311
    for kill in (True, True, True, False):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _REMOVER, str(books.directory), str(books.clock.now)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": f"{ROOT / 'services'}:{ROOT}"},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{books.url}\n".encode())
        assert await process.stdout.readline() == b"removing\n"
        if kill:
            await asyncio.sleep(chance.uniform(0.05, 0.6))
            with suppress(ProcessLookupError):
                process.kill()
        await process.communicate()
        assert await problems(books.ledger) == []
        assert await books.shown() == before
    assert await entries(books.ledger) == []
