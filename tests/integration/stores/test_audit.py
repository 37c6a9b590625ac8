"""What the audit log promises, on every database it can be kept in."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.auth_service.audit import store as stores
from llm_platform.auth_service.audit.entry import Draft
from llm_platform.auth_service.audit.schema import audit_entries, audit_head
from llm_platform.auth_service.audit.service import AuditService
from llm_platform.auth_service.audit.store import AuditStore, append
from llm_platform.core.actor import OPERATOR, Actor, actor
from llm_platform.core.database import open_database
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import audit_pb2
from tests.unit.billing.conftest import Clock

ZOE = Actor("usr_zoe", "Zoë", "user", "owner", "org_a", platform=False)
VERIFY = audit_pb2.VerifyAuditRequest()


@asynccontextmanager
async def opened(database: str) -> AsyncIterator[AsyncEngine]:
    async with open_database(database, "llm_platform.auth_service.migrations") as engine:
        yield engine


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    async with opened(database) as engine:
        yield engine


@pytest.fixture
def audit(engine: AsyncEngine, clock: Clock) -> AuditService:
    return AuditService(AuditStore(engine), clock)


async def listed(audit: AuditService, **wanted: object) -> list[audit_pb2.AuditEntry]:
    return list((await audit.list(audit_pb2.ListAuditRequest(**wanted))).items)  # type: ignore[arg-type]


def targets(entries: list[audit_pb2.AuditEntry]) -> list[str]:
    return [entry.target for entry in entries]


async def test_an_entry_says_who_did_what_to_whose_and_when(audit: AuditService) -> None:
    before = actor.set(ZOE)
    try:
        await audit.write(Draft("Accounts/CreateKey", target="k1", details={"limits": {"rpm": 5}, "name": "零 🙂"}))
    finally:
        actor.reset(before)
    (entry,) = await listed(audit)
    assert (entry.number, entry.actor_id, entry.actor_name, entry.actor_kind) == (1, "usr_zoe", "Zoë", "user")
    assert (entry.actor_role, entry.organization_id, entry.action, entry.target) == (
        *("owner", "org_a"),
        *("Accounts/CreateKey", "k1"),
    )
    assert json.loads(entry.details) == {"limits": {"rpm": 5}, "name": "零 🙂"}
    assert (entry.result, entry.repeated, entry.previous) == ("ok", 1, "0" * 64)
    assert entry.at.endswith("Z")


async def test_entries_of_several_processes_stand_in_one_order_and_one_chain(database: str) -> None:
    async with opened(database) as one, opened(database) as two:
        services = [AuditService(AuditStore(engine)) for engine in (one, two)]
        await asyncio.gather(
            *(
                services[n % 2].write(Draft("Test/Do", target=str(n)), Draft("Test/Do", target=f"{n}b"))
                for n in range(40)
            )
        )
        entries = await listed(services[0], page_size=1_000)
        assert [entry.number for entry in entries] == list(range(1, 81))
        assert all(each.previous == before.hash for before, each in itertools.pairwise(entries))
        checked = await services[1].verify(VERIFY)
        assert (checked.checked_to, checked.end, checked.broken, checked.hash) == (80, True, 0, entries[-1].hash)


async def test_an_entry_is_committed_with_what_it_tells_or_not_at_all(engine: AsyncEngine, audit: AuditService) -> None:
    async with engine.connect() as connection, connection.begin() as transaction:
        await append(connection, 1, Draft("Test/Do"))
        await transaction.rollback()
    assert not await listed(audit)
    await audit.write(Draft("Test/Do"))
    assert [entry.number for entry in await listed(audit)] == [1]


@pytest.mark.parametrize("change", [update(audit_entries).values(target="other"), delete(audit_entries)])
async def test_the_database_itself_refuses_to_change_or_delete_entries(
    engine: AsyncEngine, audit: AuditService, change: object
) -> None:
    await audit.write(Draft("Test/Do", target="k1"))
    with pytest.raises(DBAPIError, match="append-only"):
        async with engine.begin() as connection:
            await connection.execute(change)  # type: ignore[call-overload]
    assert targets(await listed(audit)) == ["k1"]


async def disarm(engine: AsyncEngine) -> None:
    """What somebody with all rights on the database can do."""
    drop = ["DROP TRIGGER audit_append_only ON audit_entries"]
    if engine.dialect.name == "sqlite":
        drop = ["DROP TRIGGER audit_append_only_update", "DROP TRIGGER audit_append_only_delete"]
    async with engine.begin() as connection:
        for statement in drop:
            await connection.execute(text(statement))


_E = audit_entries.c


@pytest.mark.parametrize(
    ("changes", "broken", "reason"),
    [
        ([update(audit_entries).where(_E.number == 3).values(target="x")], 3, "it was changed after it was written"),
        ([update(audit_entries).where(_E.number == 1).values(actor_id="x")], 1, "it was changed after it was written"),
        ([update(audit_entries).where(_E.number == 3).values(hash="0" * 64)], 3, "it was changed after it was written"),
        ([delete(audit_entries).where(_E.number == 3)], 3, "it is missing"),
        ([delete(audit_entries).where(_E.number == 1)], 1, "it is missing"),
        ([delete(audit_entries).where(_E.number >= 5)], 5, "it is missing: entries were removed from the end"),
        (
            [delete(audit_entries).where(_E.number == 6), update(audit_head).values(number=5)],
            5,
            "it is not what was written last",
        ),
        (
            [
                delete(audit_entries).where(_E.number == 3),
                update(audit_entries).where(_E.number == 4).values(number=3),
                update(audit_entries).where(_E.number == 5).values(number=4),
                update(audit_entries).where(_E.number == 6).values(number=5),
            ],
            3,
            "it does not follow the entry before",
        ),
    ],
)
async def test_the_first_entry_that_is_not_as_it_was_written_is_named(
    engine: AsyncEngine,
    audit: AuditService,
    monkeypatch: pytest.MonkeyPatch,
    changes: list[object],
    broken: int,
    reason: str,
) -> None:
    await audit.write(*(Draft("Test/Do", target=f"k{n}") for n in range(6)))
    await disarm(engine)
    async with engine.begin() as connection:
        for change in changes:
            await connection.execute(change)  # type: ignore[call-overload]
    whole = await audit.verify(VERIFY)
    assert (whole.broken, whole.reason, whole.end) == (broken, reason, True)
    monkeypatch.setattr(stores, "STRETCH", 2)
    checked = await audit.verify(VERIFY)
    while not checked.end:
        checked = await audit.verify(audit_pb2.VerifyAuditRequest(after=checked.checked_to, hash=checked.hash))
    assert (checked.broken, checked.reason) == (broken, reason)


async def test_a_log_that_was_written_anew_is_found_by_a_hash_noted_earlier(
    engine: AsyncEngine, audit: AuditService
) -> None:
    await audit.write(*(Draft("Test/Do", target=f"k{n}") for n in range(3)))
    noted = await audit.verify(VERIFY)
    await disarm(engine)
    async with engine.begin() as connection:
        await connection.execute(delete(audit_entries))
        await connection.execute(update(audit_head).values(number=0, hash="0" * 64))
    await audit.write(*(Draft("Test/Do", target="forged") for _ in range(3)))
    assert not (await audit.verify(VERIFY)).broken
    anchored = await audit.verify(audit_pb2.VerifyAuditRequest(after=3, hash=noted.hash))
    assert (anchored.broken, anchored.reason) == (3, "its hash is not what it was")


async def test_pages_hold_every_entry_once_in_both_directions(audit: AuditService) -> None:
    await audit.write(*(Draft("Test/Do", target=str(n)) for n in range(7)))
    for newest_first in (False, True):
        found: list[str] = []
        request = audit_pb2.ListAuditRequest(page_size=3, newest_first=newest_first)
        while True:
            page = await audit.list(request)
            found += targets(list(page.items))
            if newest_first:
                await audit.write(Draft("Test/Do", target="written meanwhile"))
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        assert found == sorted(map(str, range(7)), reverse=newest_first)


@pytest.mark.case(22)
@pytest.mark.case(25)
async def test_filters_take_what_is_typed_as_it_is(audit: AuditService, clock: Clock) -> None:
    odd = ["%", "_", "a' OR '1'='1", "\\", "Ünï零🙂", "يوسف", "नमस्ते"]
    await audit.write(*(Draft("Test/Do", target=each) for each in odd), Draft("Testing/Do", target="plain"))
    for each in odd:
        assert targets(await listed(audit, target=each)) == [each]
    assert targets(await listed(audit, action="Test/")) == odd
    assert not await listed(audit, action="%/")
    assert not await listed(audit, action="T_st/")
    assert targets(await listed(audit, action="Testing/Do")) == ["plain"]
    assert len(await listed(audit, actor="operator", result="ok")) == 8
    assert not await listed(audit, actor="' OR ''='")
    at = (await listed(audit))[0].at
    assert len(await listed(audit, since=at)) == 8
    assert not await listed(audit, until=at)
    for wrong in ({"since": "yesterday"}, {"until": "2027-01-01"}, {"result": "good"}, {"page_token": "1;"}):
        with pytest.raises(PlatformError) as refused:
            await listed(audit, **wrong)
        assert refused.value.code is Code.INVALID_REQUEST
    with pytest.raises(PlatformError, match="NUL"):
        await listed(audit, target="a\0")


@pytest.mark.case(23)
async def test_people_see_the_entries_of_their_own_organisation_only(audit: AuditService) -> None:
    await audit.write(*(Draft("Test/Do", target=org, organization_id=org) for org in ("org_a", "org_b")), Draft("X/Y"))
    before = actor.set(ZOE)
    try:
        assert targets(await listed(audit)) == ["org_a"]
        assert targets(await listed(audit, organization="org_a")) == ["org_a"]
        with pytest.raises(PlatformError) as refused:
            await listed(audit, organization="org_b")
        assert refused.value.code is Code.PERMISSION_DENIED
        actor.set(ZOE._replace(platform=True))
        assert len(await listed(audit)) == 3
        assert targets(await listed(audit, organization="org_b")) == ["org_b"]
        actor.set(ZOE._replace(platform=True, role="read_only"))  # sees the platform's own organisation, not tenants
        assert targets(await listed(audit)) == ["org_a"]
        with pytest.raises(PlatformError):
            await listed(audit, organization="org_b")
    finally:
        actor.reset(before)


async def test_what_another_service_delivers_twice_or_at_once_stands_there_once(database: str) -> None:
    items = [
        audit_pb2.AuditEntry(entry_id=f"aud_{n}", action="Secrets/Put", target=f"p{n}", result="ok", actor_id="usr_1")
        for n in range(5)
    ]
    async with opened(database) as one, opened(database) as two:
        services = [AuditService(AuditStore(engine)) for engine in (one, two)]
        batch = audit_pb2.AuditBatch(items=[*items, items[0]])
        await asyncio.gather(*(service.record(batch) for service in services * 3))
        assert sorted(targets(await listed(services[0]))) == [f"p{n}" for n in range(5)]
        assert not (await services[0].verify(VERIFY)).broken


@pytest.mark.parametrize(
    "item",
    [
        {"action": "", "result": "ok"},
        {"action": "A/B", "result": "fine"},
        {"action": "A/B", "result": "ok", "details": "[1]"},
        {"action": "A/B", "result": "ok", "details": "{"},
        {"action": "A/B", "result": "ok", "at": "noon"},
        {"action": "A/B", "result": "ok", "repeated": 2**63},
    ],
)
async def test_an_entry_that_is_not_one_is_refused_and_nothing_of_its_batch_is_written(
    audit: AuditService, item: dict[str, object]
) -> None:
    good = audit_pb2.AuditEntry(action="A/B", result="ok")
    with pytest.raises(PlatformError) as refused:
        await audit.record(audit_pb2.AuditBatch(items=[good, audit_pb2.AuditEntry(**item)]))  # type: ignore[arg-type]
    assert refused.value.code is Code.INVALID_REQUEST
    assert not await listed(audit)


async def test_what_is_too_long_or_misleads_is_kept_as_a_database_and_a_reader_can_take_it(
    engine: AsyncEngine, audit: AuditService
) -> None:
    await audit.write(
        Draft(
            "Test/Do",
            target="a\0b\nc\u202ed" + "x" * 1_000,
            reason="r" * 1_000,
            details={"much": "m" * 10_000},
            who=OPERATOR._replace(name="n" * 500),
        )
    )
    (entry,) = await listed(audit)
    assert entry.target.startswith("a\ufffdb\ufffdc\ufffdd")
    assert (len(entry.target), len(entry.reason), len(entry.actor_name)) == (300, 500, 200)
    assert "left_out" in entry.details
    assert not (await audit.verify(VERIFY)).broken
    async with engine.connect() as connection:
        assert (await connection.execute(select(func.count()).select_from(audit_entries))).scalar() == 1
