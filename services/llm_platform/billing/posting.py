"""The rules of the ledger, without a database: what a transaction does to balances, holds and entries.

``Posting`` starts from what the transaction has read under its locks, applies operations in order, and
collects what has to be written. Every operation is idempotent: repeated, it changes nothing and
answers the same. docs/money.md has the rules in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from llm_platform.billing.budgets.budget import HARD, Account, Accounts, Crossed, budget_exceeded, exceeded
from llm_platform.billing.budgets.windows import TOTAL, rfc3339
from llm_platform.billing.records import UNKNOWN_COURSE, Balance, Course, EntryRow, Hold, Reserved, Scopes, UsageCounts
from llm_platform.core.errors import Code, PlatformError

MAX_AMOUNT = 10**15
"""Nano-dollars of one entry ($1,000,000): more is a mistake. Keeps every sum far from 63 bits."""
MAX_TOKENS = 10**12
"""Of one kind in one entry; no model's context is a millionth of it. Keeps the sums of usage far from 63 bits."""
MAX_BUDGET = 10**18
"""Nano-dollars of one budget ($1,000,000,000)."""
MAX_RESERVED = 4 * 10**18
"""Nano-dollars reserved by one key at once, so that a key without a budget cannot overflow its sum."""

PICO_PER_NANO = 1_000


def nano_dollars(pico: int) -> int:
    """Rounds pico-dollars to nano-dollars, half to even. Done once per entry."""
    whole, rest = divmod(pico, PICO_PER_NANO)
    if rest * 2 > PICO_PER_NANO or (rest * 2 == PICO_PER_NANO and whole % 2):
        return whole + 1
    return whole


@dataclass(frozen=True, slots=True)
class Reserving:
    """Opens ``hold`` if the key's budget has room for it."""

    hold: Hold
    bounded: bool
    """Whether the caller named max_tokens, so that the amount is a true bound."""
    price_revision: str


@dataclass(frozen=True, slots=True)
class Settling:
    """Charges one provider call."""

    attempt_id: str
    reservation_id: str
    request_id: str
    key_id: str
    user_id: str
    provider: str
    model: str
    certainty: str
    amount: int | None
    """None: unknown, charged by the rule for uncertain calls."""
    price_revision: str
    usage: UsageCounts
    result: str
    status: int
    final: bool
    team_id: str = ""
    organization_id: str = ""
    course: Course = UNKNOWN_COURSE
    not_archived: bool = False
    """An operator has looked for it among the removed entries."""

    @property
    def scopes(self) -> Scopes:
        return Scopes(self.key_id, self.user_id, self.team_id, self.organization_id)


@dataclass(frozen=True, slots=True)
class Releasing:
    """Frees what a reservation holds; ``reason`` is released or expired."""

    reservation_id: str
    reason: str


Operation: TypeAlias = Reserving | Settling | Releasing
Result: TypeAlias = int | bool | PlatformError
"""Of Reserving: the amount held, or the refusal. Of the others: whether anything was new."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What configuration decides."""

    uncertain_share: Fraction = Fraction(1)
    strict_budgets: bool = False
    notifies: bool = False
    """Whether there is anywhere to send that a threshold was reached."""


def archived(before: int) -> PlatformError:
    """The refusal of an outcome that may be among removed entries. ``before`` in microseconds."""
    return PlatformError(
        Code.INVALID_REQUEST,
        f"Entries of calls that were sent before {rfc3339(before)} were archived and removed, so that it is not known "
        "here whether this one is among them: look in the archive (docs/money.md).",
        param="sent_at",
    )


@dataclass(slots=True)
class Posting:
    """One transaction: what is known at its beginning, and what it will write."""

    rules: Rules
    now: int
    balances: dict[str, Balance]
    holds: dict[str, Hold]
    reserved: dict[str, Reserved]
    """The reserve entries that exist, of the reservations in question."""
    settled: set[str]
    """Attempts in question that have a settle entry."""
    accounts: Accounts = field(default_factory=Accounts)
    """Of the budgets in question."""
    removed_before: int = 0
    """Of calls that were sent before this nobody here knows whether they were booked; 0: all are known."""
    entries: list[EntryRow] = field(default_factory=list)
    opened: dict[str, Hold] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    partly_settled: dict[str, Hold] = field(default_factory=dict)
    overrun: int = 0

    def crossed(self) -> list[Crossed]:
        """The thresholds of budgets that this transaction has reached."""
        return list(self.accounts.crossed(self.balances))

    def calls(self, operations: Iterable[Operation]) -> Iterator[tuple[Scopes, int | None]]:
        """Whose calls the operations are about, and when each was reserved."""
        for hold in self.holds.values():
            yield hold.scopes, hold.reserved_at
        for operation in operations:
            if isinstance(operation, Reserving):
                yield operation.hold.scopes, operation.hold.reserved_at
            elif isinstance(operation, Settling) and operation.reservation_id not in self.holds:
                call = self._call(operation)
                yield call.scopes(operation.key_id), call.reserved_at

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, Reserving):
            return self._reserve(operation)
        if isinstance(operation, Settling):
            return self._settle(operation)
        return self._release(operation)

    def _reserve(self, operation: Reserving) -> int | PlatformError:
        hold = operation.hold
        if (known := self.reserved.get(hold.reservation_id)) is not None:
            return known.amount
        balance = self.balances[hold.key_id]
        accounts = self.accounts.of(hold.scopes, hold.reserved_at)
        if refusal := self._refusal(balance, accounts, operation):
            return refusal
        balance.reserve(hold.amount)
        for account in accounts:
            account.balance.reserve(hold.amount)
        self.reserved[hold.reservation_id] = Reserved.of(hold)
        self.holds[hold.reservation_id] = self.opened[hold.reservation_id] = hold
        self._append("reserve", hold, hold.amount, "", operation.price_revision)
        return hold.amount

    def _refusal(self, balance: Balance, accounts: Sequence[Account], operation: Reserving) -> PlatformError | None:
        amount = operation.hold.amount
        if balance.reserved + amount > MAX_RESERVED or any(
            account.balance.reserved + amount > MAX_RESERVED for account in accounts
        ):
            return PlatformError(Code.OVERLOADED, "This key has too many open reservations.", retry_after=60)
        limited = balance.budget is not None or any(account.budget.enforcement == HARD for account in accounts)
        if limited and self.rules.strict_budgets and not operation.bounded:
            return PlatformError(
                Code.INVALID_REQUEST,
                "This key has a budget: name the most output tokens the call may produce (max_tokens).",
                param="max_tokens",
            )
        if balance.budget is not None and balance.spent + balance.reserved + amount > balance.budget:
            return budget_exceeded("key", "total", TOTAL, self.now)
        if over := [account for account in accounts if account.exceeded_by(amount)]:
            return exceeded(over, self.now)
        return None

    def _settle(self, operation: Settling) -> bool | PlatformError:
        hold = self.holds.get(operation.reservation_id)
        new = operation.attempt_id not in self.settled
        if (
            new
            and (operation.course.sent_at or 0) < self.removed_before
            and not (self.knows(operation) or operation.not_archived)
        ):
            return archived(self.removed_before)
        if new:
            amount = self._uncertain_amount(operation, hold) if operation.amount is None else operation.amount
            key_id = hold.key_id if hold else operation.key_id
            call = Reserved.of(hold) if hold else self._call(operation)
            self.settled.add(operation.attempt_id)
            self.balances[key_id].spend(amount)
            for account in self.accounts.of(call.scopes(key_id), call.reserved_at):
                account.balance.spend(amount)
            self.entries.append(
                EntryRow(
                    "settle",
                    operation.attempt_id,
                    operation.reservation_id,
                    operation.request_id,
                    key_id,
                    call.user_id,
                    operation.provider,
                    operation.model,
                    amount,
                    operation.certainty,
                    operation.result,
                    operation.status,
                    operation.price_revision,
                    *operation.usage,
                    self.now,
                    call.team_id,
                    call.organization_id,
                    call.reserved_at,
                    *operation.course,
                )
            )
            if hold:
                self._count_against(hold, amount)
        if hold and operation.final:
            self._close(hold, "settled")
        return new

    def knows(self, operation: Settling) -> bool:
        """Whether the ledger has anything of its call."""
        name = operation.reservation_id
        return name in self.holds or name in self.reserved or operation.attempt_id in self.settled

    def _call(self, operation: Settling) -> Reserved:
        """What was reserved for a call whose hold is gone; if nothing was, it counts from now."""
        known = self.reserved.get(operation.reservation_id)
        return known or Reserved(0, operation.user_id, operation.team_id, operation.organization_id, self.now)

    def _uncertain_amount(self, operation: Settling, hold: Hold | None) -> int:
        """The configured share of the reservation, less than which nobody knows; never more than is left of it."""
        amount = hold.amount if hold else self._call(operation).amount
        left = amount - (hold.settled if hold else 0)
        return max(0, min(round(amount * self.rules.uncertain_share), left))

    def _count_against(self, hold: Hold, amount: int) -> None:
        over = max(0, hold.settled - hold.amount)
        hold.settled += amount
        self.overrun += max(0, hold.settled - hold.amount) - over
        if hold.reservation_id not in self.opened:
            self.partly_settled[hold.reservation_id] = hold

    def _release(self, operation: Releasing) -> bool:
        hold = self.holds.get(operation.reservation_id)
        if hold is None:
            return False
        if operation.reason == "expired" and hold.expires_at > self.now:
            return False
        self._close(hold, operation.reason)
        return True

    def _close(self, hold: Hold, reason: str) -> None:
        del self.holds[hold.reservation_id]
        self.reserved[hold.reservation_id] = Reserved.of(hold)
        self.partly_settled.pop(hold.reservation_id, None)
        if self.opened.pop(hold.reservation_id, None) is None:
            self.closed.append(hold.reservation_id)
        self.balances[hold.key_id].reserve(-hold.amount)
        for account in self.accounts.of(hold.scopes, hold.reserved_at):
            account.balance.reserve(-hold.amount)
        self._append("release", hold, hold.amount, reason, "")

    def _append(self, kind: str, hold: Hold, amount: int, result: str, price_revision: str) -> None:
        self.entries.append(entry_of(hold, kind, amount, result, price_revision, self.now))


def entry_of(hold: Hold, kind: str, amount: int, result: str, price_revision: str, now: int) -> EntryRow:
    """The entry that opens or ends a hold."""
    return EntryRow(
        kind,
        hold.reservation_id,
        hold.reservation_id,
        hold.request_id,
        hold.key_id,
        hold.user_id,
        hold.provider,
        hold.model,
        amount,
        "",
        result,
        0,
        price_revision,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        now,
        hold.team_id,
        hold.organization_id,
        hold.reserved_at,
    )
