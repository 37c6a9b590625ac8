"""Budgets in the database: put, deleted, listed.

A new budget begins with what its window has seen so far. The entries up to some point, which no longer change, are
summed while calls go on; then the few after it, while nothing is posted. So nothing is counted twice or left out,
and the calls of a large ledger are not held up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, delete, exists, func, insert, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.billing.balances import Balances, budget
from llm_platform.billing.budgets import counting
from llm_platform.billing.budgets.budget import HARD, Account, Budget, Crossed
from llm_platform.billing.budgets.windows import FOREVER, TOTAL, Window
from llm_platform.billing.notifications.notices import notice
from llm_platform.billing.records import Balance
from llm_platform.billing.schema import balances, budget_windows, budgets, entries
from llm_platform.billing.scope import keys_of
from llm_platform.billing.statements import Row, bound, statements_for
from llm_platform.core.actor import Actor
from llm_platform.core.database import reading
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.transactions import Transaction, Transactions

CHUNK = 50_000
"""Entries summed by one statement, so that it ends within the limits of core/postgresql.py."""


class Identity(NamedTuple):
    """What a budget is of: there is one of each."""

    scope: str
    scope_id: str
    period: str
    enforcement: str
    organization_id: str


class Stored(NamedTuple):
    """A budget in its window of now. ``version`` 0: set by the release before."""

    budget: Budget
    window: Window
    balance: Balance
    updated_at: int
    updated_by: str

    @property
    def etag(self) -> str:
        # The release before changes the amount of a key's budget in total, and nothing else.
        return f"{self.budget.version}-{self.budget.amount}"


class BudgetStore:
    """Raises SQLAlchemyError."""

    def __init__(self, engine: AsyncEngine, transactions: Transactions, *, notifies: bool) -> None:
        self._engine = reading(engine)
        self._transactions = transactions
        self._notifies = notifies
        self._dialect = engine.dialect
        self._sql = statements_for(engine.dialect)
        self._balances = Balances(self._sql)

    # Changing

    async def put(self, wanted: Budget, now: int, by: str, etag: str | None) -> Stored:
        """Makes or replaces the budget of this identity. ``etag``: of the one to replace; empty: there must be none;
        None: whatever there is. Raises CONFLICT."""
        within = wanted.window(now)
        wanted = replace(wanted, counted_from=within.starts_at)
        counted_to, sums = 0, {}
        if not wanted.in_balance:
            counted_to = await self._transactions.run(self._last_entry)
            sums = {each: await self._sum(wanted, each, counted_to) for each in _windows(wanted, now)}
        return await self._transactions.run(self._put, wanted, now, by, etag, counted_to, sums)

    def _last_entry(self, transaction: Transaction) -> int:
        """Every entry up to this one is there for good, or never will be."""
        self._balances.stop_postings(transaction)
        return int(self._run(transaction, select(func.coalesce(func.max(entries.c.sequence), 0)))[0][0])

    async def _sum(self, wanted: Budget, within: Window, counted_to: int) -> tuple[int, int]:
        """In one transaction: an entry that is removed meanwhile is seen either way, and once."""
        async with self._engine.connect() as connection:
            spent, reserved = (await connection.execute(counting.archived_sums(wanted, within))).one()
            for start in range(0, counted_to, CHUNK):
                query = counting.sums(wanted, within, after=start, up_to=min(start + CHUNK, counted_to))
                row = (await connection.execute(query)).one()
                spent, reserved = spent + row[0], reserved + row[1]
        return spent, reserved

    def _put(
        self,
        transaction: Transaction,
        wanted: Budget,
        now: int,
        by: str,
        etag: str | None,
        counted_to: int,
        sums: dict[Window, tuple[int, int]],
    ) -> Stored:
        self._balances.stop_postings(transaction)
        before = self._found(transaction, identity(wanted), now)
        _check(etag, before)
        counting_goes_on = before is not None and before.budget.time_zone == wanted.time_zone
        if before is not None and before.budget.version:
            kept = before.budget
            wanted = replace(wanted, budget_id=kept.budget_id, version=kept.version + 1)
            if counting_goes_on:
                wanted = replace(wanted, counted_from=kept.counted_from)
        self._write_budget(transaction, wanted, now, by)
        if wanted.in_balance:
            self._balances.lock_keys(transaction, [wanted.scope_id])
            transaction.run(self._sql.set_budget, (wanted.amount, wanted.scope_id))
        elif not counting_goes_on:
            self._begin_windows(transaction, wanted, counted_to, sums)
        stored = self._found(transaction, identity(wanted), now)
        if stored is None:
            raise AssertionError("a budget that was just written is not there")
        self._notify(transaction, stored, now)
        return stored

    def _write_budget(self, transaction: Transaction, wanted: Budget, now: int, by: str) -> None:
        values = {
            **{name: getattr(wanted, name) for name in wanted.__slots__},
            "thresholds": ",".join(map(str, wanted.thresholds)),
            "updated_at": now,
            "updated_by": by,
        }
        # What the release before removed, and this one forgot nothing of, goes with it.
        of = identity(wanted)
        self._run(transaction, delete(budgets).where(*(budgets.c[name] == each for name, each in of._asdict().items())))
        self._run(transaction, insert(budgets).values(values))

    def _begin_windows(
        self, transaction: Transaction, wanted: Budget, counted_to: int, sums: dict[Window, tuple[int, int]]
    ) -> None:
        self._run(transaction, delete(budget_windows).where(budget_windows.c.budget_id == wanted.budget_id))
        for within, (spent, reserved) in sums.items():
            later = self._run(transaction, counting.sums(wanted, within, after=counted_to, up_to=FOREVER))[0]
            waiting = self._run(transaction, counting.unposted_sums(wanted, within))[0]
            row = (
                wanted.window_id(within),
                wanted.budget_id,
                *within,
                spent + later[0] - waiting[0],
                reserved + later[1] - waiting[1],
            )
            transaction.run(self._sql.make_window, row)

    def _notify(self, transaction: Transaction, stored: Stored, now: int) -> None:
        account = Account(stored.budget, stored.window, stored.balance)
        for threshold in stored.budget.thresholds:
            if stored.balance.spent * 100 >= threshold * stored.budget.amount:
                row = notice(Crossed(account, threshold), now, deliver=self._notifies)
                transaction.run(self._sql.notify, row)

    async def delete(self, of: Identity, now: int, etag: str | None) -> None:
        """Raises NOT_FOUND, CONFLICT."""
        await self._transactions.run(self._delete, of, now, etag)

    def _delete(self, transaction: Transaction, of: Identity, now: int, etag: str | None) -> None:
        self._balances.stop_postings(transaction)
        before = self._found(transaction, of, now)
        if before is None:
            raise PlatformError(Code.NOT_FOUND, "There is no such budget.")
        _check(etag, before)
        if before.budget.in_balance:
            transaction.run(self._sql.set_budget, (None, of.scope_id))
        self._run(transaction, delete(budget_windows).where(budget_windows.c.budget_id == before.budget.budget_id))
        self._run(transaction, delete(budgets).where(budgets.c.budget_id == before.budget.budget_id))

    # Reading

    def _found(self, transaction: Transaction, of: Identity, now: int) -> Stored | None:
        mine = [budgets.c[name] == each for name, each in of._asdict().items()]
        if rows := self._run(transaction, _budgets(now).where(*mine)):
            return _stored(rows[0], now)
        if is_in_balance(of) and (
            rows := self._run(transaction, _set_before().where(balances.c.key_id == of.scope_id))
        ):
            return _stored_before(rows[0])
        return None

    async def listed(
        self,
        now: int,
        *,
        scope: str = "",
        scope_id: str = "",
        organization_id: str = "",
        own: Actor | None = None,
        after: str = "",
        limit: int,
    ) -> list[Stored]:
        """In the order of their ids. ``organization_id`` empty: of all. ``own``: only of keys that this one has called
        with, and none that another organisation has set."""
        asked = {"scope": scope, "scope_id": scope_id, "organization_id": organization_id}
        query = _budgets(now).where(budgets.c.budget_id > after).order_by(budgets.c.budget_id).limit(limit)
        query = query.where(*(budgets.c[name] == value for name, value in asked.items() if value))
        if own is not None:
            query = query.where(budgets.c.organization_id.in_(("", own.organization_id)))
            query = query.where(or_(budgets.c.scope != "key", budgets.c.scope_id.in_(keys_of(own.id))))
        async with self._engine.connect() as connection:
            found = [_stored(row, now) for row in (await connection.execute(query)).all()]
            if len(found) < limit and scope in ("", "key") and not organization_id:
                query = _set_before().order_by(balances.c.key_id).limit(limit - len(found))
                query = query.where(balances.c.key_id > after.removeprefix(_BEFORE)) if after >= _BEFORE else query
                query = query.where(balances.c.key_id == scope_id) if scope_id else query
                query = query.where(balances.c.key_id.in_(keys_of(own.id))) if own is not None else query
                found += [_stored_before(row) for row in (await connection.execute(query)).all()]
        return found

    def _run(self, transaction: Transaction, statement: Any) -> Sequence[Row]:
        return transaction.run(*bound(self._dialect, statement))


def identity(of: Budget) -> Identity:
    return Identity(of.scope, of.scope_id, of.period, of.enforcement, of.organization_id)


def is_in_balance(of: Identity) -> bool:
    return of == Identity("key", of.scope_id, "total", HARD, "")


def _check(etag: str | None, before: Stored | None) -> None:
    if etag is None or etag == (before.etag if before else ""):
        return
    what = "was removed" if before is None else "is there already" if not etag else "was changed"
    raise PlatformError(
        Code.CONFLICT, f"The budget {what} meanwhile, so nothing was done. Read it again and decide anew.", param="etag"
    )


def _windows(of: Budget, now: int) -> list[Window]:
    """This one and the next: it may begin while the entries are summed."""
    current = of.window(now)
    return [current] if current == TOTAL else [current, of.window(current.ends_at)]


in_balance = and_(
    budgets.c.scope == "key",
    budgets.c.period == "total",
    budgets.c.enforcement == HARD,
    budgets.c.organization_id == "",
)
_BEFORE = "key/"
"""What the ids of budgets that the release before set begin with: after all others."""


def _budgets(now: int) -> Select[Any]:
    """Budgets with their windows of now, those of a key in total with the key's balance."""
    windows = and_(
        budget_windows.c.budget_id == budgets.c.budget_id,
        budget_windows.c.starts_at <= now,
        budget_windows.c.ends_at > now,
    )
    return (
        select(
            *budgets.columns,
            balances.c.budget,
            func.coalesce(balances.c.spent, budget_windows.c.spent, 0),
            func.coalesce(balances.c.reserved, budget_windows.c.reserved, 0),
        )
        .select_from(
            budgets.outerjoin(budget_windows, windows).outerjoin(
                balances, and_(in_balance, balances.c.key_id == budgets.c.scope_id)
            )
        )
        .where(or_(not_(in_balance), balances.c.budget.is_not(None)))
    )


def _stored(row: Row, now: int) -> Stored:
    *columns, updated_at, updated_by, amount, spent, reserved = row
    of = budget(columns)
    if of.in_balance:
        of = replace(of, amount=amount)  # as the release before may have set it
    return Stored(of, of.window(now), Balance(of.amount, spent, reserved), updated_at, updated_by)


def _set_before() -> Select[Any]:
    """Budgets of keys in total that only the release before knows of."""
    known = exists().where(in_balance, budgets.c.scope_id == balances.c.key_id)
    return select(*balances.columns).where(balances.c.budget.is_not(None), not_(known))


def _stored_before(row: Row) -> Stored:
    key_id, amount, spent, reserved = row
    of = Budget(f"{_BEFORE}{key_id}", "key", key_id, "", "total", HARD, amount, "UTC", (), 0, 0)
    return Stored(of, TOTAL, Balance(amount, spent, reserved), 0, "")
