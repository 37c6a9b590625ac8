"""Corrections of what calls were charged, by what the provider's own books say of them: ``adjust`` entries.

A call is charged for the usage in those books at our price. What is charged so already is left alone, so that the same
books may be read twice; what they say differently later is corrected again.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import sub
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.billing.balances import Balances
from llm_platform.billing.budgets import counting
from llm_platform.billing.notifications.notices import notice
from llm_platform.billing.reconciliation.attempts import Attempt, by_ids, correction_id
from llm_platform.billing.records import EntryRow, Scopes, UsageCounts
from llm_platform.billing.schema import entries
from llm_platform.billing.schema_derived import resolutions
from llm_platform.billing.statements import Row, bound, statements_for
from llm_platform.core.transactions import Transaction, Transactions

ABSENT, EXPORT = "absent", "export"


@dataclass(frozen=True, slots=True)
class Resolving:
    """What a call is to be charged. ``source``: ABSENT only holds for unresolved uncertain calls."""

    attempt_id: str
    amount: int
    usage: UsageCounts
    price_revision: str
    source: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """``adjusted`` is None when no entry was made: the call is charged so already, or ABSENT says nothing of it."""

    amount: int
    adjusted: int | None


class Resolver:
    """Raises SQLAlchemyError: nothing was done."""

    def __init__(self, engine: AsyncEngine, transactions: Transactions, *, notifies: bool) -> None:
        self._transactions = transactions
        self._notifies = notifies
        self._dialect = engine.dialect
        self._sql = statements_for(engine.dialect)
        self._balances = Balances(self._sql)
        self._insert: Any = importlib.import_module(f"sqlalchemy.dialects.{engine.dialect.name}").insert

    async def resolve(self, items: Sequence[Resolving], now: int) -> dict[str, Resolved]:
        """By attempt; one that was never settled is not among them. ``now`` in microseconds."""
        return await self._transactions.run(self._resolve, items, now)

    def _resolve(self, transaction: Transaction, items: Sequence[Resolving], now: int) -> dict[str, Resolved]:
        def run(statement: Select[Any]) -> Sequence[Row]:
            return transaction.run(*bound(self._dialect, statement))

        wanted = {item.attempt_id: item for item in items}
        keys = {attempt.key_id for attempt in by_ids(run, list(wanted))}
        balances = self._balances.lock_keys(transaction, sorted(keys))
        # Read again: whoever corrects a call holds the lock of its key.
        attempts = {attempt.attempt_id: attempt for attempt in by_ids(run, list(wanted))}
        changed = [attempt for name, attempt in attempts.items() if _changes(attempt, wanted[name])]
        calls = self._calls(run, changed)
        accounts = self._balances.lock_accounts(transaction, [(scopes, at) for _, scopes, at in calls.values()])
        rows = []
        for attempt in changed:
            settle, scopes, at = calls[attempt.sequence]
            row = _adjustment(attempt, wanted[attempt.attempt_id], settle, scopes, at, now)
            balances[attempt.key_id].spend(row.amount)
            for account in accounts.of(scopes, at):
                account.balance.spend(row.amount)
            self._note(transaction, attempt, row, wanted[attempt.attempt_id].source)
            rows.append(row)
        self._sql.append_entries(transaction, rows)
        self._balances.write(transaction, balances, accounts)
        for crossed in accounts.crossed(balances):
            transaction.run(self._sql.notify, notice(crossed, now, deliver=self._notifies))
        adjusted = {attempt.attempt_id: row.amount for attempt, row in zip(changed, rows, strict=True)}
        return {
            name: Resolved(attempt.amount + adjusted.get(name, 0), adjusted.get(name))
            for name, attempt in attempts.items()
        }

    def _calls(self, run: Any, attempts: Sequence[Attempt]) -> Mapping[int, tuple[Row, Scopes, int]]:
        """By settle entry: what it says of the call, and whose call it was and when, as budgets count it."""
        sequences = [attempt.sequence for attempt in attempts]
        if not sequences:
            return {}
        columns = (entries.c.sequence, entries.c.reservation_id, entries.c.request_id)
        settles = {row[0]: row for row in run(select(*columns).where(entries.c.sequence.in_(sequences)))}
        counted = run(select(counting.counted.where(counting.SEQUENCE.in_(sequences)).subquery("counted")))
        return {
            sequence: (settles[sequence], Scopes(*scopes), at) for sequence, *scopes, at, _spent, _reserved in counted
        }

    def _note(self, transaction: Transaction, attempt: Attempt, row: EntryRow, source: str) -> None:
        values = {
            "attempt_id": attempt.attempt_id,
            "reservation_id": row.reservation_id,
            "key_id": attempt.key_id,
            "adjusted": row.amount,
            "revision": attempt.revision + 1,
            "source": source,
            "resolved_at": row.created_at,
        }
        insertion = self._insert(resolutions).values(values)
        again = {name: insertion.excluded[name] for name in ("revision", "source", "resolved_at")}
        again["adjusted"] = resolutions.c.adjusted + insertion.excluded.adjusted
        transaction.run(
            *bound(self._dialect, insertion.on_conflict_do_update(index_elements=["attempt_id"], set_=again))
        )


def _changes(attempt: Attempt, item: Resolving) -> bool:
    if item.source == ABSENT:
        return attempt.certainty == "uncertain" and not attempt.revision
    # An uncertain call gets its entry even when the guess was right: it is certain from then on.
    first = attempt.certainty == "uncertain" and not attempt.revision
    return first or (item.amount, item.usage) != (attempt.amount, attempt.usage)


def _adjustment(attempt: Attempt, item: Resolving, settle: Row, scopes: Scopes, at: int, now: int) -> EntryRow:
    _, reservation_id, request_id = settle
    change = UsageCounts(*map(sub, item.usage, attempt.usage))
    return EntryRow(
        kind="adjust",
        reference=correction_id(attempt.attempt_id, attempt.revision + 1),
        reservation_id=reservation_id,
        request_id=request_id,
        key_id=attempt.key_id,
        user_id=scopes.user_id,
        provider=attempt.provider,
        model=attempt.model,
        amount=item.amount - attempt.amount,
        certainty="",
        result=item.source,
        status=0,
        price_revision=item.price_revision,
        **change._asdict(),
        created_at=now,
        team_id=scopes.team_id,
        organization_id=scopes.organization_id,
        reserved_at=at,
    )
