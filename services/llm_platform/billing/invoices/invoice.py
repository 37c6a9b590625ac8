"""What stands on an invoice, and how its amounts are rounded.

Amounts are exact to the nano-dollar in the ledger. An invoice shows fewer digits: the sum is rounded once, half to
even, and the lines are rounded by the largest remainder, so that they add up to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from llm_platform.billing.periods import Period, rfc3339
from llm_platform.proto import ledger_pb2

if TYPE_CHECKING:
    from llm_platform.billing.interfaces import Ledger

NANO_DIGITS = 9
_PAGE = 1_000


@dataclass(frozen=True)
class Subject:
    """Whose calls are charged. ``scope``: organization, team or user."""

    scope: str
    id: str
    name: str
    """As people know it; empty: the id."""


@dataclass(frozen=True)
class Line:
    """A model's calls, or the corrections of earlier ones (then there are no tokens)."""

    provider: str
    model: str
    requests: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    amount: int
    """Nano-dollars, exact."""
    shown: int
    """In the invoice's smallest unit."""

    @property
    def price(self) -> int | None:
        """Nano-dollars a million tokens on average, rounded half to even; None: there are no tokens."""
        tokens = self.input_tokens + self.output_tokens
        return _half_even(self.amount * 1_000_000, tokens) if tokens else None


@dataclass(frozen=True)
class Invoice:
    """``digits`` after the point of the dollars."""

    number: str
    subject: Subject
    seller: str
    period: Period
    zone: ZoneInfo
    issued: date
    draft: bool
    digits: int
    lines: Sequence[Line]
    corrections: Sequence[Line]

    @property
    def total(self) -> int:
        """In the smallest unit: what all lines add up to."""
        return sum(line.shown for line in (*self.lines, *self.corrections))

    @property
    def exact(self) -> int:
        """Nano-dollars."""
        return sum(line.amount for line in (*self.lines, *self.corrections))


async def make(
    ledger: Ledger,
    subject: Subject,
    period: Period,
    zone: ZoneInfo,
    *,
    issued: date,
    draft: bool = False,
    digits: int = 2,
    seller: str = "",
    number: str = "",
) -> Invoice:
    """Raises what the ledger raises."""
    rows = await _usage(ledger, subject, period)
    amounts = [row.cost - row.adjusted for row in rows] + [row.adjusted for row in rows]
    shown = rounded(amounts, NANO_DIGITS - digits)
    lines = [
        _line(row, amount, units)
        for row, amount, units in zip(rows, amounts, shown, strict=False)
        if row.requests or amount
    ]
    corrections = [
        Line(row.provider, row.model, 0, 0, 0, 0, row.adjusted, units)
        for row, units in zip(rows, shown[len(rows) :], strict=True)
        if row.adjusted
    ]
    number = number or _number(subject, period, zone)
    return Invoice(number, subject, seller, period, zone, issued, draft, digits, lines, corrections)


def rounded(amounts: Sequence[int], digits: int) -> list[int]:
    """The amounts without their last ``digits``, adding up to their sum rounded half to even.

    The largest remainders are rounded up; of equal ones the first.
    """
    unit: int = 10**digits
    parts = [divmod(amount, unit) for amount in amounts]
    missing = _half_even(sum(amounts), unit) - sum(whole for whole, _ in parts)
    upwards = sorted(range(len(parts)), key=lambda place: (-parts[place][1], place))[:missing]
    shown = [whole for whole, _ in parts]
    for place in upwards:
        shown[place] += 1
    return shown


async def _usage(ledger: Ledger, subject: Subject, period: Period) -> list[ledger_pb2.UsageRow]:
    query = ledger_pb2.UsageQuery(
        by=["provider", "model"], since=rfc3339(period.since), until=rfc3339(period.until), limit=_PAGE
    )
    setattr(query, f"{subject.scope}_id", subject.id)
    rows: list[ledger_pb2.UsageRow] = []
    while True:
        report = await ledger.usage(query)
        rows += report.rows
        query.cursor = report.cursor
        if not report.cursor:
            return rows


def _line(row: ledger_pb2.UsageRow, amount: int, units: int) -> Line:
    usage = row.usage
    return Line(
        row.provider,
        row.model,
        row.requests,
        usage.input_tokens,
        usage.cached_input_tokens,
        usage.output_tokens,
        amount,
        units,
    )


def _number(subject: Subject, period: Period, zone: ZoneInfo) -> str:
    """The same for the same subject and period, whenever the invoice is made."""
    named = "\0".join((subject.scope, subject.id, rfc3339(period.since), rfc3339(period.until), zone.key))
    first = rfc3339(period.since + (period.until - period.since) // 2)[:7]
    return f"{first}-{hashlib.sha256(named.encode()).hexdigest()[:8].upper()}"


def _half_even(amount: int, unit: int) -> int:
    whole, rest = divmod(amount, unit)
    return whole + (rest * 2 > unit or (rest * 2 == unit and whole % 2 == 1))
