"""Billing's metrics: fed once per commit, not once per item."""

from __future__ import annotations

from collections import Counter

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from llm_platform.billing.store import Committed
from llm_platform.core import metrics

_NANO = 1e-9

_batch_size = metrics.ledger_batch_size.labels("commit")
_commit_seconds = metrics.ledger_commit.labels("commit")


def committed(done: Committed, seconds: float) -> None:
    _batch_size.observe(len(done.results))
    _commit_seconds.observe(seconds)
    spent: Counter[tuple[str, str]] = Counter()
    for entry in done.entries:
        if entry.kind == "settle" and entry.amount:
            spent[entry.provider, entry.model] += entry.amount
    reserved = sum(entry.amount for entry in done.entries if entry.kind == "reserve")
    for (kind, certainty), count in Counter((entry.kind, entry.certainty) for entry in done.entries).items():
        metrics.ledger_entries.labels(kind, certainty).inc(count)
    for (provider, model), amount in spent.items():
        metrics.cost.labels(provider, metrics.model_label(model)).inc(amount * _NANO)
    for account, _ in done.crossed:
        metrics.budget_thresholds.labels(account.budget.scope, account.budget.period).inc()
    metrics.ledger_reserved.inc(reserved * _NANO)
    metrics.ledger_overrun.inc(done.overrun * _NANO)


def repeated(error: SQLAlchemyError) -> None:
    metrics.ledger_retries.labels("duplicate" if isinstance(error, IntegrityError) else "conflict").inc()


def refused(code: str) -> None:
    metrics.ledger_refusals.labels(code).inc()


def expired(count: int) -> None:
    metrics.ledger_expired.inc(count)


def open_reservations(count: int) -> None:
    metrics.ledger_open_reservations.set(count)
