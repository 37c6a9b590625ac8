"""Budgets: what may be spent within a window of time by a key, a user, a team or an organisation.

A call counts in the window in which it was reserved, whenever it is settled. The budget of a key in total is the
``budget`` of its balance, which the release before knows too; every other one has a balance for each window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from llm_platform.billing.budgets.windows import FOREVER, TOTAL, Window, rfc3339, window
from llm_platform.billing.records import Balance, Scopes
from llm_platform.core.errors import Code, PlatformError

SCOPES = ("key", "user", "team", "organization")
HARD, SOFT = ENFORCEMENTS = ("hard", "soft")


@dataclass(frozen=True, slots=True)
class Budget:
    """A row of ``budgets``."""

    budget_id: str
    scope: str
    scope_id: str
    organization_id: str
    """Only calls of this organisation count; empty: all."""
    period: str
    enforcement: str
    amount: int
    time_zone: str
    thresholds: tuple[int, ...]
    """Percentages of the amount at which a notification is sent, ascending."""
    counted_from: int
    """Calls that were reserved before this do not count."""
    version: int

    @property
    def in_balance(self) -> bool:
        """Whether it is the budget of a key's balance."""
        return (self.scope, self.period, self.enforcement, self.organization_id) == ("key", "total", HARD, "")

    def window(self, at: int) -> Window:
        return window(self.period, self.time_zone, at)

    def window_id(self, of: Window) -> str:
        return f"{self.budget_id}/{of.starts_at}"


@dataclass(slots=True)
class Account:
    """A budget in one of its windows. The balance's budget is None when it only notifies."""

    budget: Budget
    window: Window
    balance: Balance

    def exceeded_by(self, amount: int) -> bool:
        balance = self.balance
        return balance.budget is not None and balance.spent + balance.reserved + amount > balance.budget


class Crossed(NamedTuple):
    """A threshold that was reached."""

    account: Account
    threshold: int


@dataclass(slots=True)
class Accounts:
    """The accounts that the calls of one transaction are posted to, beside the balances of their keys."""

    budgets: Mapping[tuple[str, str], Sequence[Budget]] = field(default_factory=dict)
    """By scope and its id."""
    by_id: dict[str, Account] = field(default_factory=dict)
    """By window."""

    @classmethod
    def under(cls, budgets: Iterable[Budget]) -> Accounts:
        by_scope: dict[tuple[str, str], list[Budget]] = {}
        for budget in budgets:
            by_scope.setdefault((budget.scope, budget.scope_id), []).append(budget)
        return cls(by_scope)

    def open(self, scopes: Scopes, at: int | None) -> None:
        """Makes the accounts of a call that was reserved at ``at``, with balances of nothing."""
        for budget, within in self._windows(scopes, at):
            name = budget.window_id(within)
            if name not in self.by_id:
                amount = budget.amount if budget.enforcement == HARD else None
                self.by_id[name] = Account(budget, within, Balance(amount, 0, 0))

    def of(self, scopes: Scopes, at: int | None) -> Sequence[Account]:
        """The accounts of a call, opened before. ``at`` None: the sweep posts what the release before wrote."""
        if not self.by_id:
            return ()
        return [self.by_id[budget.window_id(within)] for budget, within in self._windows(scopes, at)]

    def crossed(self, balances: Mapping[str, Balance]) -> Iterator[Crossed]:
        """The thresholds that this transaction's spending has reached."""
        for account in (*self.by_id.values(), *self._in_balances(balances)):
            balance, amount = account.balance, account.budget.amount
            before = balance.spent - balance.spent_change
            for threshold in account.budget.thresholds:
                if before * 100 < threshold * amount <= balance.spent * 100:
                    yield Crossed(account, threshold)

    def _windows(self, scopes: Scopes, at: int | None) -> Iterator[tuple[Budget, Window]]:
        if at is None:
            return
        for scope in zip(SCOPES, scopes, strict=True):
            for budget in self.budgets.get(scope, ()):
                mine = budget.organization_id in ("", scopes.organization_id)
                if mine and at >= budget.counted_from and not budget.in_balance:
                    yield budget, budget.window(at)

    def reached(self, balances: Mapping[str, Balance]) -> Iterator[Crossed]:
        """The thresholds that the balances of keys have reached by now."""
        for account in self._in_balances(balances):
            for threshold in account.budget.thresholds:
                if account.balance.spent * 100 >= threshold * account.budget.amount:
                    yield Crossed(account, threshold)

    def _in_balances(self, balances: Mapping[str, Balance]) -> Iterator[Account]:
        for budget in (each for budgets in self.budgets.values() for each in budgets):
            balance = balances.get(budget.scope_id) if budget.in_balance else None
            if balance is not None and balance.budget is not None:
                # The release before may have set another amount.
                yield Account(replace(budget, amount=balance.budget), TOTAL, balance)


def exceeded(accounts: Sequence[Account], now: int) -> PlatformError:
    """The refusal of a call that these do not cover: it names the one that stands longest."""
    last = max(accounts, key=lambda account: account.window.ends_at)
    return budget_exceeded(last.budget.scope, last.budget.period, last.window, now)


def budget_exceeded(scope: str, period: str, within: Window, now: int) -> PlatformError:
    which = "budget" if period == "total" else f"{period} budget"
    ends = "" if within.ends_at == FOREVER else f" It begins anew at {rfc3339(within.ends_at)}."
    return PlatformError(
        Code.BUDGET_EXCEEDED,
        f"The {which} of this {scope} does not cover this call. Ask for fewer output tokens (max_tokens), "
        f"wait for open calls to end, or have the budget raised.{ends}",
        retry_after=max((within.ends_at - now) / 1_000_000, 1) if ends else None,
    )
