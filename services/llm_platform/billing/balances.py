"""The balances of keys and of budgets: read under locks, and written.

Everyone locks in the same order: balances of keys by key, then windows of budgets by their ids. Budgets are looked up
after that, so that whoever changes them (``stop_postings``) sees every call posted by the old ones or by the new.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from llm_platform.billing.budgets.budget import Accounts, Budget
from llm_platform.billing.records import Balance, Scopes
from llm_platform.billing.statements import Row, Statements
from llm_platform.core.transactions import Transaction

NO_ACCOUNTS = Accounts()


class Budgets(NamedTuple):
    """The budgets of some scopes."""

    scope_ids: set[str]
    found: list[Budget]


class Balances:
    """Within a transaction of the caller's."""

    def __init__(self, sql: Statements) -> None:
        self._sql = sql

    def lock_keys(self, transaction: Transaction, keys: Sequence[str]) -> dict[str, Balance]:
        """The balances of ``keys``, which are in order; those that are missing are made."""
        locked = {row[0]: Balance(*row[1:]) for row in self._sql.locked_balances(transaction, keys)}
        missing = [key for key in keys if key not in locked]
        for key in missing:
            transaction.run(self._sql.make_balance, (key, 0, 0))
        if missing:
            locked.update((row[0], Balance(*row[1:])) for row in self._sql.locked_balances(transaction, missing))
        return locked

    def lock_accounts(
        self, transaction: Transaction, calls: Iterable[tuple[Scopes, int | None]], known: Budgets | None = None
    ) -> Accounts:
        """The accounts of calls, each reserved at a time. The balances of their keys must be locked, and were when
        ``known`` was read."""
        calls = set(calls)
        names = {name for scopes, _ in calls for name in scopes if name}
        if known is None or not names <= known.scope_ids:
            known = Budgets(names, self.budgets(transaction, names))
        if not known.found:
            return NO_ACCOUNTS
        accounts = Accounts.under(known.found)
        for scopes, at in calls:
            accounts.open(scopes, at)
        self._read_windows(transaction, accounts)
        return accounts

    def budgets(self, transaction: Transaction, scope_ids: Iterable[str]) -> list[Budget]:
        return [budget(row) for row in self._sql.budgets_of(transaction, sorted(scope_ids))]

    def _read_windows(self, transaction: Transaction, accounts: Accounts) -> None:
        names = sorted(accounts.by_id)
        rows = self._sql.locked_windows(transaction, names)
        if missing := sorted(set(names) - {row[0] for row in rows}):
            for name in missing:
                account = accounts.by_id[name]
                row = (name, account.budget.budget_id, account.window.starts_at, account.window.ends_at, 0, 0)
                transaction.run(self._sql.make_window, row)
            rows = [*rows, *self._sql.locked_windows(transaction, missing)]
        for name, spent, reserved in rows:
            balance = accounts.by_id[name].balance
            balance.spent, balance.reserved = spent, reserved

    def write(self, transaction: Transaction, balances: Mapping[str, Balance], accounts: Accounts) -> None:
        self._sql.change_balances(transaction, _changes(balances))
        self._sql.change_windows(transaction, _changes({name: each.balance for name, each in accounts.by_id.items()}))

    def stop_postings(self, transaction: Transaction) -> None:
        """Waits for the transactions that post, of all processes, and holds off new ones until the end of this one."""
        if self._sql.stop_postings:
            transaction.run(self._sql.stop_postings)


def _changes(balances: Mapping[str, Balance]) -> list[Row]:
    return [
        (name, balance.spent_change, balance.reserved_change)
        for name, balance in balances.items()
        if balance.spent_change or balance.reserved_change
    ]


def budget(row: Row) -> Budget:
    """Of a row of ``budgets``, in the order of the columns."""
    (budget_id, scope, scope_id, organization_id, period, enforcement, amount, time_zone, thresholds, counted_from,
     version, *_) = row  # fmt: skip
    return Budget(
        budget_id, scope, scope_id, organization_id, period, enforcement, amount, time_zone,
        tuple(map(int, thresholds.split(","))) if thresholds else (), counted_from, version,
    )  # fmt: skip
