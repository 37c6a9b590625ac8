"""Budgets of keys, users, teams and organisations. tests/integration/stores runs these on PostgreSQL as well."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from llm_platform.billing.app import open_ledger
from llm_platform.billing.posting import MAX_BUDGET
from llm_platform.billing.service import DatabaseLedger
from llm_platform.core.actor import Actor, actor
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, ledger_pb2
from tests.unit.billing.calls import (
    balance,
    find_budgets,
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

DAY = 86_400


@pytest.mark.parametrize("scope", ["key", "user", "team", "organization"])
@pytest.mark.parametrize("period", ["total", "daily", "monthly"])
async def test_a_hard_budget_refuses_what_does_not_fit_to_the_last_nano_dollar(
    ledger: DatabaseLedger, scope: str, period: str
) -> None:
    who = {"key": "k", "user": "u", "team": "t", "organization": "o"}
    other = {**who, scope: "other"}
    made = await put_budget(ledger, scope, who[scope], 400_000, period=period)
    assert (made.spent, made.reserved, made.remaining, made.enforcement) == (0, 0, 400_000, "hard")
    first, second, third = reserve(**who), reserve(**who), reserve(**who, prompt=1, output=0)
    answers = await reserve_each(ledger, first, second, third, reserve(**other))
    assert answers == [200_000, 200_000, Code.BUDGET_EXCEEDED, 200_000]
    await release(ledger, first.reservation_id)
    await record(ledger, outcome(second, input_tokens=199))
    assert await room(ledger) == [(199_000, 0, 201_000)]
    assert await reserve_each(ledger, reserve(**who, prompt=202, output=0)) == [Code.BUDGET_EXCEEDED]
    assert await reserve_each(ledger, reserve(**who, prompt=201, output=0)) == [201_000]
    assert await problems(ledger) == []


async def test_a_refusal_names_the_budget_and_when_it_begins_anew(ledger: DatabaseLedger, clock: Clock) -> None:
    await put_budget(ledger, "team", "t", 1, period="daily", time_zone="Europe/Berlin")
    await put_budget(ledger, "user", "usr_a", 1, period="monthly")
    replies = await ledger.reserve(ledger_pb2.ReserveBatch(items=[reserve(team="t"), reserve(team="t", user="b")]))
    of_user, of_team = (reply.error for reply in replies.items)
    assert "monthly budget of this user" in of_user.message
    assert "2026-02-01T00:00:00Z" in of_user.message
    assert of_user.retry_after_ms == 31 * DAY * 1000
    assert "daily budget of this team" in of_team.message
    assert of_team.retry_after_ms == 23 * 3600 * 1000
    assert "t" not in of_team.param


async def test_a_soft_budget_refuses_nothing(ledger: DatabaseLedger) -> None:
    await put_budget(ledger, "user", "usr_a", 1, enforcement="soft")
    call = reserve()
    assert await reserve_each(ledger, call) == [200_000]
    await record(ledger, outcome(call, input_tokens=3))
    assert await room(ledger) == [(3_000, 0, 1 - 3_000)]


async def test_all_budgets_of_a_call_must_have_room_and_a_refusal_takes_nothing_from_any(
    ledger: DatabaseLedger,
) -> None:
    await put_budget(ledger, "organization", "o", 10**9)
    await put_budget(ledger, "team", "t", 199_999, period="daily")
    assert await reserve_each(ledger, reserve(team="t", organization="o")) == [Code.BUDGET_EXCEEDED]
    assert [used[:2] for used in await room(ledger)] == [(0, 0), (0, 0)]
    assert await balance(ledger) == (0, 0)


async def test_a_call_counts_in_the_window_it_was_reserved_in_however_late_it_settles(
    ledger: DatabaseLedger, clock: Clock
) -> None:
    await put_budget(ledger, "user", "usr_a", 250_000, period="daily")
    yesterday, expired = reserve(), reserve(prompt=10, output=0)
    clock.now += DAY - 1
    assert await reserve_each(ledger, yesterday, expired) == [200_000, 10_000]
    clock.now += 1
    assert await room(ledger) == [(0, 0, 250_000)]
    assert await reserve_each(ledger, reserve()) == [200_000]
    await record(ledger, outcome(yesterday, input_tokens=90, output_tokens=50))
    assert await room(ledger) == [(0, 200_000, 50_000)]
    clock.now += 7200
    assert await ledger.sweep() == 2
    await record(ledger, outcome(expired, input_tokens=10))
    assert await room(ledger) == [(0, 0, 250_000)]
    assert await problems(ledger) == []
    clock.now -= DAY
    assert await room(ledger) == [(200_000, 0, 50_000)]


async def test_a_new_budget_begins_with_what_its_window_has_seen(ledger: DatabaseLedger, clock: Clock) -> None:
    before, spent, open_ = (reserve(team="t", organization="o") for _ in range(3))
    await reserve_each(ledger, before)
    await record(ledger, outcome(before, input_tokens=100))
    clock.now += DAY
    await reserve_each(ledger, spent, open_, reserve(team="other"))
    await record(ledger, outcome(spent, input_tokens=7))
    assert (await put_budget(ledger, "team", "t", 10**6, period="daily")).spent == 7_000
    assert (await put_budget(ledger, "organization", "o", 10**6)).spent == 107_000
    assert [used[:2] for used in await room(ledger)] == [(7_000, 200_000), (107_000, 200_000)]
    await record(ledger, outcome(open_, input_tokens=1))
    assert [used[:2] for used in await room(ledger)] == [(8_000, 0), (108_000, 0)]
    assert await problems(ledger) == []


async def test_a_budget_lowered_below_what_is_spent_refuses_and_shows_a_negative_room(ledger: DatabaseLedger) -> None:
    call = reserve(prompt=0, output=50)
    await put_budget(ledger, "user", "usr_a", 10**6)
    await reserve_each(ledger, call, reserve())
    await record(ledger, outcome(call, output_tokens=50))
    lowered = await put_budget(ledger, "user", "usr_a", 50_000)
    assert (lowered.spent, lowered.reserved, lowered.remaining) == (100_000, 200_000, -250_000)
    assert await reserve_each(ledger, reserve(prompt=1, output=0)) == [Code.BUDGET_EXCEEDED]
    await put_budget(ledger, "user", "usr_a", 301_000)
    assert await reserve_each(ledger, reserve(prompt=1, output=0)) == [1_000]
    assert await problems(ledger) == []


async def test_two_who_edit_at_once_are_told_and_nothing_is_lost(ledger: DatabaseLedger) -> None:
    made = await put_budget(ledger, "team", "t", 100, must_be_new=True)
    edits = await asyncio.gather(
        *(put_budget(ledger, "team", "t", limit, etag=made.etag) for limit in (200, 300)), return_exceptions=True
    )
    refused = [each for each in edits if isinstance(each, PlatformError)]
    assert [each.code for each in refused] == [Code.CONFLICT]
    assert "changed meanwhile" in refused[0].message
    (kept,) = await find_budgets(ledger, scope="team")
    assert kept.limit in (200, 300)
    assert kept.etag != made.etag
    for wrong in ({"must_be_new": True}, {"etag": made.etag}):
        with pytest.raises(PlatformError, match="conflict"):
            await put_budget(ledger, "team", "t", 1, **wrong)
    with pytest.raises(PlatformError, match="conflict"):
        await ledger.delete_budget(ledger_pb2.DeleteBudgetRequest(scope="team", scope_id="t", etag=made.etag))
    await ledger.delete_budget(ledger_pb2.DeleteBudgetRequest(scope="team", scope_id="t", etag=kept.etag))
    with pytest.raises(PlatformError, match="removed meanwhile"):
        await put_budget(ledger, "team", "t", 1, etag=kept.etag)
    with pytest.raises(PlatformError, match="not_found"):
        await ledger.delete_budget(ledger_pb2.DeleteBudgetRequest(scope="team", scope_id="t"))
    assert await find_budgets(ledger) == []


async def test_another_time_zone_begins_its_window_with_what_that_has_seen(
    ledger: DatabaseLedger, clock: Clock
) -> None:
    clock.now += DAY - 1800  # half an hour before midnight in UTC, half past midnight in Berlin
    early, late = reserve(), reserve()
    await put_budget(ledger, "user", "usr_a", 10**6, period="daily")
    clock.now -= 3600
    await reserve_each(ledger, early)
    await record(ledger, outcome(early, input_tokens=5))
    clock.now += 3600
    await reserve_each(ledger, late)
    await record(ledger, outcome(late, input_tokens=3))
    assert await room(ledger) == [(8_000, 0, 992_000)]
    moved = await put_budget(ledger, "user", "usr_a", 10**6, period="daily", time_zone="Europe/Berlin")
    assert (moved.spent, moved.window_starts_at) == (3_000, "2026-01-01T23:00:00Z")
    assert await problems(ledger) == []


async def test_the_budget_of_a_key_in_total_is_the_one_the_release_before_knows(ledger: DatabaseLedger) -> None:
    await ledger.set_budget(ledger_pb2.Budget(key_id="key_a", limit=100))
    (old,) = await find_budgets(ledger)
    assert (old.scope_id, old.limit, old.updated_at) == ("key_a", 100, "")
    new = await put_budget(ledger, "key", "key_a", 300, thresholds=[50], etag=old.etag)
    assert [(each.key_id, each.limit) for each in (await ledger.list_budgets(common_pb2.Empty())).items] == [
        ("key_a", 300)
    ]
    await ledger.set_budget(ledger_pb2.Budget(key_id="key_a", limit=150))
    (changed,) = await find_budgets(ledger)
    assert (changed.limit, list(changed.thresholds)) == (150, [50])
    assert changed.etag != new.etag
    await ledger.set_budget(ledger_pb2.Budget(key_id="key_a", limit=-1))
    assert await find_budgets(ledger) == []
    again = await put_budget(ledger, "key", "key_a", 1, must_be_new=True)
    assert again.thresholds == []
    await ledger.delete_budget(ledger_pb2.DeleteBudgetRequest(scope="key", scope_id="key_a"))
    assert await reserve_each(ledger, reserve()) == [200_000]


async def test_budgets_are_found_by_scope_and_in_pages(ledger: DatabaseLedger) -> None:
    for n in range(3):
        await put_budget(ledger, "team", f"t{n}", n)
        await ledger.set_budget(ledger_pb2.Budget(key_id=f"key_{n}", limit=n))
    everything = await find_budgets(ledger)
    paged: list[ledger_pb2.ScopedBudget] = []
    while page := await find_budgets(ledger, limit=2, after=paged[-1].budget_id if paged else ""):
        paged += page
    assert paged == everything
    assert len(everything) == 6
    assert [each.scope_id for each in await find_budgets(ledger, scope="team", scope_id="t1")] == ["t1"]
    assert [each.scope_id for each in await find_budgets(ledger, scope="key", scope_id="key_2")] == ["key_2"]


@pytest.mark.case(9)
@pytest.mark.parametrize(
    ("param", "change"),
    [
        ("budget.scope", {"scope": "planet"}),
        ("budget.scope_id", {"scope_id": ""}),
        ("budget.scope_id", {"scope_id": "a\0b"}),
        ("budget.period", {"period": "hourly"}),
        ("budget.enforcement", {"enforcement": "gentle"}),
        ("budget.limit", {"limit": -1}),
        ("budget.limit", {"limit": MAX_BUDGET + 1}),
        ("budget.time_zone", {"time_zone": "Mars/Base"}),
        ("budget.thresholds", {"thresholds": [0]}),
        ("budget.thresholds", {"thresholds": [1001]}),
        ("budget.thresholds", {"thresholds": range(1, 30)}),
    ],
)
async def test_a_budget_that_cannot_be_is_refused_and_changes_nothing(
    ledger: DatabaseLedger, param: str, change: dict[str, Any]
) -> None:
    await put_budget(ledger, "user", "u", 5)
    with pytest.raises(PlatformError) as caught:
        await put_budget(ledger, **{"scope": "user", "scope_id": "u", "limit": 7, **change})
    assert (caught.value.code, caught.value.param) == (Code.INVALID_REQUEST, param)
    assert [each.limit for each in await find_budgets(ledger)] == [5]


@contextmanager
def acting(
    role: str, organization: str, *, platform: bool = False, user: str = "usr_x", teams: tuple[str, ...] = ()
) -> Iterator[None]:
    token = actor.set(Actor(user, "x", "user", role, organization, platform, teams))
    try:
        yield
    finally:
        actor.reset(token)


@pytest.mark.case(23)
async def test_an_admin_of_an_organisation_sets_and_sees_only_its_own(ledger: DatabaseLedger) -> None:
    theirs, ours = reserve(key="k", organization="theirs"), reserve(key="k", organization="ours")
    await reserve_each(ledger, theirs)
    await record(ledger, outcome(theirs, input_tokens=50))
    with acting("admin", "ours"):
        # Of a key of someone else: nothing is seen of it, and nothing is refused to it.
        foreign = await put_budget(ledger, "key", "k", 0)
        assert (foreign.spent, foreign.organization_id) == (0, "ours")
        for change in ({"organization_id": "theirs"}, {"scope": "organization", "scope_id": "theirs"}):
            with pytest.raises(PlatformError, match="permission_denied"):
                await put_budget(ledger, **{"scope": "team", "scope_id": "t", "limit": 0, **change})  # type: ignore[arg-type]
    assert await reserve_each(ledger, theirs, reserve(key="k", organization="theirs"), ours) == [
        200_000,
        200_000,
        Code.BUDGET_EXCEEDED,
    ]
    await put_budget(ledger, "organization", "theirs", 10**9)
    with acting("admin", "ours"):
        assert [each.scope_id for each in await find_budgets(ledger)] == ["k"]
        with pytest.raises(PlatformError, match="permission_denied"):
            await find_budgets(ledger, organization_id="theirs")
        with pytest.raises(PlatformError, match="permission_denied"):
            await ledger.delete_budget(ledger_pb2.DeleteBudgetRequest(scope="organization", scope_id="theirs"))
    with acting("developer", "ours"):
        assert await find_budgets(ledger, scope="user", scope_id="usr_x") == []
        with pytest.raises(PlatformError, match="permission_denied"):
            await find_budgets(ledger, scope="user", scope_id="usr_a")
    assert len(await find_budgets(ledger)) == 2
    assert await problems(ledger) == []


@pytest.mark.case(23)
@pytest.mark.parametrize("role", ["developer", "read_only"])
async def test_a_developer_sees_budgets_of_its_keys_and_teams_and_of_nobody_else(
    ledger: DatabaseLedger, role: str
) -> None:
    for user, organization in (("usr_a", "ours"), ("usr_b", "ours"), ("usr_c", "theirs")):
        call = reserve(key=f"key_{user}", user=user, organization=organization, team=f"team_{organization}")
        await reserve_each(ledger, call)
        await record(ledger, outcome(call, input_tokens=50))
        await put_budget(ledger, "key", f"key_{user}", 10**9, period="monthly")
        await ledger.set_budget(ledger_pb2.Budget(key_id=f"key_{user}", limit=7_000))  # as the release before
    for team in ("team_ours", "team_theirs"):
        await put_budget(ledger, "team", team, 5)
    with acting("admin", "theirs"):
        await put_budget(ledger, "key", "key_usr_a", 1)
    with acting(role, "ours", user="usr_a", teams=("team_ours",)):
        keys = await find_budgets(ledger, scope="key")
        assert {(each.scope_id, each.limit) for each in keys} == {("key_usr_a", 10**9), ("key_usr_a", 7_000)}
        assert {each.remaining for each in keys} == {10**9 - 50_000, 7_000 - 50_000}
        assert await find_budgets(ledger, scope="key", scope_id="key_usr_b") == []
        assert await find_budgets(ledger, scope="key", scope_id="key_usr_c") == []
        assert [each.limit for each in await find_budgets(ledger, scope="team", scope_id="team_ours")] == [5]
        for asked in ({}, {"scope": "team"}, {"scope": "team", "scope_id": "team_theirs"}, {"scope": "organization"}):
            with pytest.raises(PlatformError, match="permission_denied"):
                await find_budgets(ledger, **asked)
    with acting(role, "ours", user="usr_none"):
        assert await find_budgets(ledger, scope="key") == []


async def test_a_budget_made_while_calls_go_on_counts_each_of_them_once(config: Config) -> None:
    async with open_ledger(config) as one, open_ledger(config) as two:

        async def call(ledger: DatabaseLedger) -> None:
            for _ in range(8):
                made = reserve(team="t")
                await reserve_each(ledger, made)
                await record(ledger, outcome(made, input_tokens=1))

        async def budgets() -> None:
            for n in range(6):
                await put_budget((one, two)[n % 2], "team", "t", 10**9, period=("total", "daily", "monthly")[n // 2])
                await asyncio.sleep(0.005)

        await asyncio.gather(budgets(), *(call(ledger) for ledger in (one, two) for _ in range(4)))
        assert await room(one) == [(64_000, 0, 10**9 - 64_000)] * 3
        assert await problems(one) == []
