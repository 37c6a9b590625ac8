"""The ledger's invariants under any interleaving of calls, duplicates, restarts and expiry."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_platform.billing.app import open_ledger
from llm_platform.billing.budgets.budget import Accounts, Budget
from llm_platform.billing.posting import Operation, Posting, Releasing, Reserving, Rules, Settling, nano_dollars
from llm_platform.billing.records import Balance, Hold, Scopes, UsageCounts
from llm_platform.billing.service import DatabaseLedger
from llm_platform.core.config import Config, Service
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import ledger_pb2
from tests.unit.billing.calls import INPUT, OUTPUT, balance, entries, outcome, problems, record, release, reserve
from tests.unit.billing.conftest import Clock


@given(st.integers(0, 10**24))
def test_rounding_is_to_the_nearest_and_half_to_even(pico: int) -> None:
    assert nano_dollars(pico) == round(Fraction(pico, 1_000))


# The rules alone: one transaction with any operations.

names = st.sampled_from(["r1", "r2", "r3"])
keys = st.sampled_from(["a", "b"])
amounts = st.integers(0, 100)


def _reserving(name: str, key: str, amount: int, bounded: bool) -> Operation:
    return Reserving(Hold(name, "req", key, "usr", "p", "m", amount, 0, 10), bounded, "rev")


def _settling(name: str, n: int, key: str, amount: int | None, final: bool) -> Operation:
    return Settling(
        f"{name}-{n}", name, "req", key, "usr", "p", "m", "exact", amount, "rev", UsageCounts(), "completed", 200, final
    )


operations = st.lists(
    st.one_of(
        st.builds(_reserving, names, keys, amounts, st.booleans()),
        st.builds(_settling, names, st.integers(1, 2), keys, st.none() | amounts, st.booleans()),
        st.builds(Releasing, names, st.sampled_from(["released", "expired"])),
    ),
    max_size=30,
)


@given(operations=operations, budget=st.none() | st.integers(0, 200), now=st.integers(0, 20))
def test_a_transaction_keeps_the_sums_equal_to_its_entries(
    operations: list[Operation], budget: int | None, now: int
) -> None:
    posting = Posting(Rules(Fraction(1, 2)), now, {key: Balance(budget, 0, 0) for key in "ab"}, {}, {}, set())
    for operation in operations:
        before = posting.balances["a"].spent + posting.balances["a"].reserved
        result = posting.apply(operation)
        if isinstance(result, PlatformError) and result.code is Code.BUDGET_EXCEEDED:
            assert isinstance(operation, Reserving)
            assert budget is not None
            if operation.hold.key_id == "a":
                assert before + operation.hold.amount > budget

    def total(key: str, *kinds: str) -> int:
        return sum(entry.amount for entry in posting.entries if entry.key_id == key and entry.kind in kinds)

    for key, after in posting.balances.items():
        assert after.spent == after.spent_change == total(key, "settle")
        assert after.reserved == after.reserved_change == total(key, "reserve") - total(key, "release")
        assert after.reserved == sum(hold.amount for hold in posting.holds.values() if hold.key_id == key)
    named = [(entry.kind, entry.reference) for entry in posting.entries]
    assert len(named) == len(set(named))
    assert all(entry.amount >= 0 for entry in posting.entries)
    assert not posting.closed  # what opens and closes within one transaction is never stored
    assert posting.opened == posting.holds


# With budgets of several scopes and windows.

DAY = 86_400_000_000
scopes = st.builds(Scopes, keys, st.sampled_from(["u", "v"]), st.sampled_from(["", "t"]), st.sampled_from(["o", "p"]))
times = st.integers(0, 3 * DAY)


def _call(name: str, of: Scopes, amount: int, at: int) -> Operation:
    hold = Hold(name, "req", of.key_id, of.user_id, "p", "m", amount, 0, DAY, of.team_id, of.organization_id, at)
    return Reserving(hold, True, "rev")


@given(
    calls=st.lists(
        st.tuples(st.builds(_call, names, scopes, amounts, times), st.none() | amounts, st.booleans()), max_size=20
    ),
    limits=st.lists(
        st.tuples(
            st.sampled_from([("key", "a"), ("user", "u"), ("team", "t"), ("organization", "o")]),
            st.sampled_from(["total", "daily", "monthly"]),
            st.sampled_from(["hard", "soft"]),
            st.integers(0, 200),
            st.sampled_from(["", "o"]),
            st.sampled_from(["UTC", "Asia/Kathmandu"]),
            st.sampled_from([0, DAY]),
        ),
        max_size=5,
    ),
)
def test_every_window_sums_the_calls_reserved_in_it_and_nothing_that_fits_is_refused(
    calls: list[tuple[Reserving, int | None, bool]],
    limits: list[tuple[tuple[str, str], str, str, int, str, str, int]],
) -> None:
    budgets = [
        Budget(f"bud_{n}", scope, name, organization, period, enforcement, amount, zone, (), counted_from, 1)
        for n, ((scope, name), period, enforcement, amount, organization, zone, counted_from) in enumerate(limits)
    ]
    budgets = [budget for budget in budgets if not budget.in_balance]
    accounts = Accounts.under(budgets)
    posting = Posting(Rules(), 4 * DAY, {key: Balance(None, 0, 0) for key in "ab"}, {}, {}, set(), accounts)
    for call, cost, freeing in calls:
        # A call that was refused and settled all the same counts from now.
        settling = _settling(call.hold.reservation_id, 1, call.hold.key_id, cost or 0, freeing)
        for of, at in posting.calls([call, settling]):
            accounts.open(of, at)
    for call, cost, freeing in calls:
        hold = call.hold
        mine = accounts.of(hold.scopes, hold.reserved_at)
        fits = all(
            account.budget.enforcement == "soft"
            or account.balance.spent + account.balance.reserved + hold.amount <= account.budget.amount
            for account in mine
        )
        known = hold.reservation_id in posting.reserved
        assert isinstance(posting.apply(call), PlatformError) is (not fits and not known)
        if cost is not None:
            posting.apply(_settling(hold.reservation_id, 1, hold.key_id, cost, freeing))
        elif freeing:
            posting.apply(Releasing(hold.reservation_id, "released"))

    for budget in budgets:
        for account in (each for each in accounts.by_id.values() if each.budget is budget):
            counted = [
                entry
                for entry in posting.entries
                if getattr(entry, f"{budget.scope}_id") == budget.scope_id
                and budget.organization_id in ("", entry.organization_id)
                and entry.reserved_at is not None
                and account.window.starts_at <= entry.reserved_at < account.window.ends_at
                and entry.reserved_at >= budget.counted_from
            ]
            sums = {kind: sum(each.amount for each in counted if each.kind == kind) for kind in ("settle", "reserve")}
            freed = sum(each.amount for each in counted if each.kind == "release")
            assert account.balance.spent == account.balance.spent_change == sums["settle"]
            assert account.balance.reserved == account.balance.reserved_change == sums["reserve"] - freed


# The same through the service: two ledgers on one file, some steps at once, restarts and expiry between.

BUDGET = 700_000


@dataclass
class Model:
    """What must be true, kept the simple way."""

    calls: list[ledger_pb2.Reserve] = field(default_factory=lambda: [reserve() for _ in range(5)])
    admitted: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    charged: dict[str, int] = field(default_factory=dict)

    @property
    def spent(self) -> int:
        return sum(self.charged.values())

    @property
    def reserved(self) -> int:
        return 200_000 * len(self.open)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.integers(0, 4), st.just(0), st.just(False)),
        st.tuples(st.just("release"), st.integers(0, 4), st.just(0), st.just(False)),
        st.tuples(st.just("record"), st.integers(0, 4), st.integers(1, 2), st.booleans()),
        st.tuples(st.sampled_from(["expire", "restart"]), st.just(0), st.just(0), st.just(False)),
    ),
    min_size=5,
    max_size=20,
)


@given(steps=steps)
@settings(max_examples=12, deadline=None)
def test_any_sequence_of_calls_over_two_services_keeps_every_promise(
    steps: list[tuple[str, int, int, bool]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_play(steps, Config(service=Service(data_dir=Path(folder)))))


async def _play(steps: list[tuple[str, int, int, bool]], config: Config) -> None:
    model, clock = Model(), Clock()
    async with open_ledger(config, clock=clock) as kept:
        await kept.set_budget(ledger_pb2.Budget(key_id="key_a", limit=BUDGET))
        restarting = open_ledger(config, clock=clock)
        other = await restarting.__aenter__()
        for number, (what, which, n, final) in enumerate(steps):
            if what == "restart":
                await restarting.__aexit__(None, None, None)
                restarting = open_ledger(config, clock=clock)
                other = await restarting.__aenter__()
                continue
            await _step(model, clock, (kept, other)[number % 2], (other, kept)[number % 2], what, which, n, final)
            assert await balance(other) == (model.spent, model.reserved)
        assert await problems(kept) == []
        settled = {entry.attempt_id: entry.amount for entry in await entries(other, "settle")}
        assert settled == model.charged
        await restarting.__aexit__(None, None, None)


async def _step(
    model: Model,
    clock: Clock,
    one: DatabaseLedger,
    two: DatabaseLedger,
    what: str,
    which: int,
    n: int,
    final: bool,
) -> None:
    """Each step is said to both services at once."""
    call = model.calls[which]
    name = call.reservation_id
    if what == "reserve":
        batch = ledger_pb2.ReserveBatch(items=[call])
        replies = await asyncio.gather(one.reserve(batch), two.reserve(batch))
        fits = name in model.admitted or model.spent + model.reserved + 200_000 <= BUDGET
        assert [reply.items[0].HasField("error") for reply in replies] == [not fits] * 2
        if fits and name not in model.admitted:
            model.admitted.add(name)
            model.open.add(name)
    elif what == "release":
        await asyncio.gather(release(one, name), release(two, name))
        model.open.discard(name)
    elif what == "record":
        attempt = outcome(call, n=n, final=final, input_tokens=10 * n, output_tokens=which)
        replies_ = await asyncio.gather(record(one, attempt), record(two, attempt))
        new = f"{name}-{n}" not in model.charged
        assert sorted(replies_) == ([(0, 1), (1, 0)] if new else [(0, 1)] * 2)
        model.charged.setdefault(f"{name}-{n}", 10 * n * INPUT + which * OUTPUT)
        if final:
            model.open.discard(name)
    else:
        clock.now += 3600
        await asyncio.gather(one.sweep(), two.sweep())
        model.open.clear()
