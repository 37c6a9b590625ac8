"""Which entries go, and what is left when removing them is broken off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from llm_platform.billing.retention.removal import Member, Removal, whole_calls
from llm_platform.billing.service import DatabaseLedger
from llm_platform.billing.usage.rollups import RollUps
from llm_platform.core.database import open_database, sqlite_url
from tests.unit.billing.calls import balance, entries, outcome, problems, put_budget, record, reserve, reserve_each
from tests.unit.billing.conftest import Clock

_CALL = [
    Member(1, "r", "reserve", "r", 9),
    Member(3, "r", "settle", "r-1", 7),
    Member(4, "r", "release", "r", 9),
    Member(8, "r", "adjust", "r-1~1", -2),
]


@pytest.mark.parametrize(
    ("archived_to", "staying", "go"),
    [(8, (), True), (10, (), True), (7, (), False), (4, (), False), (8, {"r"}, False), (8, {"other"}, True)],
)
def test_a_call_goes_as_a_whole(archived_to: int, staying: set[str], go: bool) -> None:
    assert whole_calls(_CALL, archived_to, staying) == (_CALL if go else [])


def test_what_does_not_add_up_stays_for_verify_to_find() -> None:
    assert whole_calls(_CALL[:2], 10) == []
    assert whole_calls([*_CALL[:2], _CALL[2]._replace(amount=8)], 10) == []
    assert whole_calls(_CALL[2:], 10) == []
    without_reservation = [Member(5, "never", "settle", "never-1", 3)]
    assert whole_calls([*_CALL[:2], *without_reservation], 10) == without_reservation


async def test_broken_off_at_any_statement_a_batch_has_happened_or_not(
    ledger: DatabaseLedger, clock: Clock, tmp_path: Path
) -> None:
    await put_budget(ledger, "user", "usr_a", 10**9, period="monthly")
    calls = [reserve() for _ in range(4)]
    await reserve_each(ledger, *calls)
    await record(ledger, *(outcome(call, kind="uncertain") for call in calls))
    clock.now += 61
    async with open_database(sqlite_url(tmp_path / "ledger.sqlite"), "llm_platform.billing.migrations") as engine:
        await RollUps(engine).advance(int(clock.now * 1_000_000))
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE retention SET archived_to = 12, removed_before = 1"))
        left, failed = 0, 0

        def fail(*_arguments: Any) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError("killed")

        event.listen(engine.sync_engine, "before_cursor_execute", fail)
        while True:
            left = failed
            try:
                state = await Removal(engine).advance()
                break
            except OSError:
                failed += 1
            assert len(await entries(ledger)) == 12
            assert await problems(ledger) == []
        event.remove(engine.sync_engine, "before_cursor_execute", fail)
        assert failed > 10
        assert (state.removed, state.examined_to) == (12, 12)
        assert await entries(ledger) == []
        assert await balance(ledger) == (800_000, 0)
        assert await problems(ledger) == []
        # The sums are what the books rest on now.
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE archived_usage SET cost = cost - 1"))
        found = "\n".join(await problems(ledger))
        for what in ("the balance says", "budget and window", "the usage in parts of"):
            assert what in found
