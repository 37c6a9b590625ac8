"""The rules of the ledger, without a database: what a transaction does to balances, holds and entries.

``Posting`` starts from what the transaction has read under its locks, applies operations in order, and
collects what has to be written. Every operation is idempotent: repeated, it changes nothing and
answers the same. docs/money.md has the rules in words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from llm_platform.core.errors import Code, PlatformError

MAX_AMOUNT = 10**15
"""Nano-dollars of one entry ($1,000,000): more is a mistake. Keeps every sum far from 63 bits."""
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


class UsageCounts(NamedTuple):
    """The usage columns of an entry, in their order."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0


class EntryRow(NamedTuple):
    """A row of ``entries``, without its sequence, in the order of the columns."""

    kind: str
    reference: str
    reservation_id: str
    request_id: str
    key_id: str
    user_id: str
    provider: str
    model: str
    amount: int
    certainty: str
    result: str
    status: int
    price_revision: str
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    input_audio_tokens: int
    output_audio_tokens: int
    created_at: int
    team_id: str
    organization_id: str
    reserved_at: int | None


@dataclass(slots=True)
class Hold:
    """An open reservation: a row of ``reservations``."""

    reservation_id: str
    request_id: str
    key_id: str
    user_id: str
    provider: str
    model: str
    amount: int
    settled: int
    """By its attempts so far."""
    expires_at: int
    team_id: str = ""
    organization_id: str = ""
    reserved_at: int | None = None
    """None: by the release before, which posts to no budget's window; the sweep does it (store.py)."""

    def row(self) -> tuple[str, str, str, str, str, str, int, int, int, str, str, int | None]:
        """In the order of the columns."""
        return (
            self.reservation_id,
            self.request_id,
            self.key_id,
            self.user_id,
            self.provider,
            self.model,
            self.amount,
            self.settled,
            self.expires_at,
            self.team_id,
            self.organization_id,
            self.reserved_at,
        )


class Reserved(NamedTuple):
    """What a reserve entry says."""

    amount: int
    user_id: str
    team_id: str
    organization_id: str
    reserved_at: int | None

    @classmethod
    def of(cls, hold: Hold) -> Reserved:
        return cls(hold.amount, hold.user_id, hold.team_id, hold.organization_id, hold.reserved_at)


@dataclass(slots=True)
class Balance:
    """A row of ``balances``, and what the transaction adds to it."""

    budget: int | None
    spent: int
    reserved: int
    spent_change: int = 0
    reserved_change: int = 0

    def spend(self, amount: int) -> None:
        self.spent += amount
        self.spent_change += amount

    def reserve(self, amount: int) -> None:
        self.reserved += amount
        self.reserved_change += amount


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
    entries: list[EntryRow] = field(default_factory=list)
    opened: dict[str, Hold] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    partly_settled: dict[str, Hold] = field(default_factory=dict)
    overrun: int = 0

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
        if refusal := self._refusal(balance, operation):
            return refusal
        balance.reserve(hold.amount)
        self.reserved[hold.reservation_id] = Reserved.of(hold)
        self.holds[hold.reservation_id] = self.opened[hold.reservation_id] = hold
        self._append("reserve", hold, hold.amount, "", operation.price_revision)
        return hold.amount

    def _refusal(self, balance: Balance, operation: Reserving) -> PlatformError | None:
        if balance.budget is None:
            if balance.reserved + operation.hold.amount > MAX_RESERVED:
                return PlatformError(Code.OVERLOADED, "This key has too many open reservations.", retry_after=60)
            return None
        if self.rules.strict_budgets and not operation.bounded:
            return PlatformError(
                Code.INVALID_REQUEST,
                "This key has a budget: name the most output tokens the call may produce (max_tokens).",
                param="max_tokens",
            )
        if balance.spent + balance.reserved + operation.hold.amount > balance.budget:
            return PlatformError(
                Code.BUDGET_EXCEEDED,
                "The budget of this key does not cover this call. Ask for fewer output tokens (max_tokens), "
                "wait for open calls to end, or have the budget raised.",
            )
        return None

    def _settle(self, operation: Settling) -> bool:
        hold = self.holds.get(operation.reservation_id)
        new = operation.attempt_id not in self.settled
        if new:
            amount = self._uncertain_amount(operation, hold) if operation.amount is None else operation.amount
            key_id = hold.key_id if hold else operation.key_id
            call = Reserved.of(hold) if hold else self._call(operation)
            self.settled.add(operation.attempt_id)
            self.balances[key_id].spend(amount)
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
                )
            )
            if hold:
                self._count_against(hold, amount)
        if hold and operation.final:
            self._close(hold, "settled")
        return new

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
        self._append("release", hold, hold.amount, reason, "")

    def _append(self, kind: str, hold: Hold, amount: int, result: str, price_revision: str) -> None:
        self.entries.append(
            EntryRow(
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
                self.now,
                hold.team_id,
                hold.organization_id,
                hold.reserved_at,
            )
        )
