"""Calls of providers as the ledger knows them: how each went, by the provider's own id, and the newest."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from llm_platform.billing.app import open_ledger
from llm_platform.billing.archive import BEGINNING, differing, segment_lines, verified, write
from llm_platform.billing.periods import rfc3339
from llm_platform.billing.reconciliation import attempts
from llm_platform.billing.service import DatabaseLedger
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import ledger_pb2
from tests.unit.billing.calls import entries, outcome, problems, record, reserve, reserve_each
from tests.unit.billing.conftest import Clock
from tests.unit.billing.release_before import ReleaseBefore

COURSE = {
    "sent_at": "2026-01-01T00:00:00.250Z",
    "first_byte_us": 120_000,
    "duration_us": 900_000,
    "provider_request_id": "req_theirs",
}


@pytest.fixture
async def ledger(config: Config, clock: Clock) -> AsyncIterator[DatabaseLedger]:
    async with open_ledger(config, clock=clock) as opened:
        yield opened


async def call(ledger: DatabaseLedger, clock: Clock, course: dict[str, Any] | None = None, **fields: Any) -> str:
    """Its attempt."""
    kind = fields.pop("kind", "exact")
    asked = reserve(**fields)
    clock.now += 1
    await reserve_each(ledger, asked)
    done = outcome(asked, kind=kind, input_tokens=3)
    for name, value in (course or {}).items():
        setattr(done, name, value)
    await record(ledger, done)
    return done.attempt_id


async def found(ledger: DatabaseLedger, **query: Any) -> list[ledger_pb2.Attempt]:
    """All pages."""
    asked = ledger_pb2.AttemptsQuery(**query)
    page = await ledger.attempts(asked)
    items = list(page.items)
    while page.cursor:
        asked.cursor = page.cursor
        page = await ledger.attempts(asked)
        items += page.items
    return items


async def ids(ledger: DatabaseLedger, **query: Any) -> list[str]:
    return [each.attempt_id for each in await found(ledger, **query)]


async def refused(ledger: DatabaseLedger, **query: Any) -> str:
    with pytest.raises(PlatformError) as error:
        await ledger.attempts(ledger_pb2.AttemptsQuery(**query))
    assert error.value.code is Code.INVALID_REQUEST
    return str(error.value.param)


async def test_the_ledger_knows_how_a_call_went(ledger: DatabaseLedger, clock: Clock) -> None:
    known, unknown = await call(ledger, clock, COURSE), await call(ledger, clock)
    by_id = {each.attempt_id: each for each in await entries(ledger, "settle")}
    one = by_id[known]
    assert (one.sent_at, one.first_byte_us, one.duration_us) == ("2026-01-01T00:00:00.250000Z", 120_000, 900_000)
    assert (one.provider_request_id, one.status, one.user_id) == ("req_theirs", 200, "usr_a")
    other = by_id[unknown]
    assert (other.sent_at, other.first_byte_us, other.duration_us, other.provider_request_id) == ("", 0, 0, "")
    [attempt] = await found(ledger, attempt_ids=[known])
    assert attempt.request_id == one.request_id
    assert (attempt.sent_at, attempt.first_byte_us, attempt.duration_us) == (one.sent_at, 120_000, 900_000)
    assert (attempt.provider_request_id, attempt.result, attempt.status) == ("req_theirs", "completed", 200)
    assert await problems(ledger) == []


async def test_what_a_newer_or_broken_model_proxy_says_is_bounded(ledger: DatabaseLedger, clock: Clock) -> None:
    beyond = {
        "sent_at": "9999-12-31T23:59:59-14:00",
        "first_byte_us": 2**64 - 1,
        "duration_us": 2**64 - 1,
        "provider_request_id": "req\x00\n" + "x" * 10_000,
    }
    [attempt] = await found(ledger, attempt_ids=[await call(ledger, clock, beyond)])
    assert (attempt.sent_at, attempt.first_byte_us, attempt.duration_us) == ("", 10**12, 10**12)
    assert attempt.provider_request_id == "req" + "x" * 125


async def test_a_call_is_found_by_the_providers_own_id(ledger: DatabaseLedger, clock: Clock) -> None:
    one = await call(ledger, clock, COURSE)
    elsewhere = await call(ledger, clock, COURSE, provider="other", model="echo")
    another = await call(ledger, clock, COURSE | {"provider_request_id": "req_another"})
    await call(ledger, clock)
    assert await ids(ledger, provider_request_ids=["req_theirs"]) == [one, elsewhere]
    assert await ids(ledger, provider_request_ids=["req_theirs", "req_another"], provider="echo") == [one, another]
    assert await ids(ledger, provider_request_ids=["req_their", ""]) == []
    assert await refused(ledger, provider_request_ids=["x"] * 1001) == "provider_request_ids"


async def test_the_newest_come_first_in_pages_that_can_be_filtered(
    ledger: DatabaseLedger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "SCANNED", 4)
    made = []
    for number in range(9):
        kind = "estimated" if number == 4 else "exact"
        key, user = f"key_{number % 2}", f"usr_{number % 3}"
        made.append(await call(ledger, clock, kind=kind, key=key, user=user))
    newest = made[::-1]
    for limit in (0, 1, 2, 3, 4, 9):
        assert await ids(ledger, newest_first=True, limit=limit) == newest
    assert await ids(ledger, newest_first=True, limit=2, key_id="key_1") == newest[1::2]
    assert await ids(ledger, newest_first=True, user_id="usr_0") == newest[2::3]
    assert await ids(ledger, newest_first=True, certainty="estimated") == [made[4]]
    assert await ids(ledger, newest_first=True, provider="echo", model="echo") == newest
    assert await ids(ledger, newest_first=True, provider="other") == []
    [third] = await found(ledger, attempt_ids=[made[2]])
    [sixth] = await found(ledger, attempt_ids=[made[5]])
    period = {"since": third.reserved_at, "until": sixth.reserved_at}
    assert await ids(ledger, newest_first=True, **period) == made[4:1:-1]
    assert await refused(ledger, newest_first=True, limit=1001) == "limit"
    assert await refused(ledger, key_id="key_1") == "key_id"
    assert await refused(ledger, newest_first=True, cursor="[1]") == "cursor"


async def test_an_archive_of_what_older_releases_wrote_stays_as_it_is(
    ledger: DatabaseLedger, clock: Clock, tmp_path: Path
) -> None:
    """Nothing is in it that they did not have, so that its hashes are those they made."""
    before = ReleaseBefore(ledger)
    old = reserve()
    await before.reserve(old, 200_000)
    await before.settle(old, 200_000, 1_000)
    await call(ledger, clock)
    with_course = await call(ledger, clock, COURSE)
    clock.now += 600
    await write(ledger, rfc3339(int((clock.now - 300) * 1_000_000)), tmp_path)
    verified(tmp_path)
    assert await differing(ledger, tmp_path, clock=clock) is None
    lines = [json.loads(line) for _, line in segment_lines(tmp_path, BEGINNING) if line]
    assert len(lines) == 9
    for line in lines:
        assert (set(COURSE) <= set(line)) == (line["reference"] == with_course)
        assert list(line)[-1] == ("provider_request_id" if line["reference"] == with_course else "reserved_at")
        if line["reference"] != with_course:
            assert not set(COURSE) & set(line)
