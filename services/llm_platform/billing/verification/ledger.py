"""The checks of ``ledger verify``: what must be true of the tables, each as one query for what is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Select, and_, cast, func, literal, not_, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_platform.billing.budgets.budget import SCOPES
from llm_platform.billing.budgets.counting import archived, posted
from llm_platform.billing.budgets.store import in_balance
from llm_platform.billing.schema import balances, budget_windows, budgets, entries, reservations, total
from llm_platform.billing.schema_derived import archived_usage

_SHOWN = 100
"""Problems named by one check; one is already one too many."""


@dataclass(frozen=True, slots=True)
class Check:
    """``violations`` selects what is wrong; ``problem`` says it, with the columns in braces."""

    violations: Select[Any]
    problem: str

    async def problems(self, connection: AsyncConnection) -> list[str]:
        rows = (await connection.execute(self.violations.limit(_SHOWN))).mappings()
        return [self.problem.format(**row) for row in rows]


def _total(*kinds: str) -> Any:
    return cast(func.coalesce(func.sum(entries.c.amount).filter(entries.c.kind.in_(kinds)), 0), BigInteger)


_parts = union_all(
    select(
        entries.c.key_id,
        _total("settle", "adjust").label("spent"),
        (_total("reserve") - _total("release")).label("reserved"),
    ).group_by(entries.c.key_id),
    select(archived_usage.c.key_id, archived_usage.c.cost, literal(0, BigInteger)),
).subquery("parts")
_derived = (
    select(_parts.c.key_id, total(_parts.c.spent).label("spent"), total(_parts.c.reserved).label("reserved"))
    .group_by(_parts.c.key_id)
    .subquery("derived")
)
_spent = func.coalesce(_derived.c.spent, 0)
_reserved = func.coalesce(_derived.c.reserved, 0)
_reserves = select(entries).where(entries.c.kind == "reserve").subquery("reserves")
_releases = select(entries).where(entries.c.kind == "release").subquery("releases")
# Attempts that settled before their reservation was known do not count against it.
_settled = (
    select(entries.c.reservation_id, _total("settle").label("settled"))
    .join(_reserves, _reserves.c.reference == entries.c.reservation_id)
    .where(entries.c.kind == "settle", entries.c.sequence > _reserves.c.sequence)
    .group_by(entries.c.reservation_id)
    .subquery("settled")
)


def _posted_to_budgets() -> Any:
    """Every entry, and every sum of removed ones, once for each budget that counts it. One query for each scope, so
    that ids can be hashed."""
    rows = union_all(posted, archived).subquery("posted")
    return union_all(
        *(
            select(budgets.c.budget_id, rows.c.counts_at, rows.c.spent, rows.c.reserved).select_from(
                budgets.join(
                    rows,
                    and_(
                        budgets.c.scope == scope,
                        budgets.c.scope_id == rows.c[f"{scope}_id"],
                        rows.c.counts_at >= budgets.c.counted_from,
                        or_(budgets.c.organization_id == "", budgets.c.organization_id == rows.c.organization_id),
                        not_(in_balance),
                    ),
                )
            )
            for scope in SCOPES
        )
    ).subquery("posted_to_budgets")


_in_budgets = _posted_to_budgets()
_within = and_(
    _in_budgets.c.budget_id == budget_windows.c.budget_id,
    _in_budgets.c.counts_at >= budget_windows.c.starts_at,
    _in_budgets.c.counts_at < budget_windows.c.ends_at,
)
_windows = (
    select(
        budget_windows.c.window_id,
        budget_windows.c.spent,
        budget_windows.c.reserved,
        total(_in_budgets.c.spent).label("derived_spent"),
        total(_in_budgets.c.reserved).label("derived_reserved"),
    )
    .select_from(budget_windows.outerjoin(_in_budgets, _within))
    .group_by(budget_windows.c.window_id, budget_windows.c.spent, budget_windows.c.reserved)
    .subquery("windows")
)

CHECKS = (
    Check(
        select(_windows).where(
            or_(
                _windows.c.spent != _windows.c.derived_spent,
                _windows.c.reserved != _windows.c.derived_reserved,
            )
        ),
        "budget and window {window_id}: it says spent {spent}, reserved {reserved}; "
        "the entries say spent {derived_spent}, reserved {derived_reserved}",
    ),
    Check(
        select(_in_budgets.c.budget_id, func.count().label("count"))
        .select_from(_in_budgets.outerjoin(budget_windows, _within))
        .where(budget_windows.c.window_id.is_(None))
        .group_by(_in_budgets.c.budget_id),
        "budget {budget_id}: it has {count} entries in no window",
    ),
    Check(
        select(
            balances.c.key_id,
            balances.c.spent,
            balances.c.reserved,
            _spent.label("derived_spent"),
            _reserved.label("derived_reserved"),
        )
        .select_from(balances.outerjoin(_derived, balances.c.key_id == _derived.c.key_id))
        .where(or_(balances.c.spent != _spent, balances.c.reserved != _reserved)),
        "key {key_id}: the balance says spent {spent}, reserved {reserved}; "
        "the entries say spent {derived_spent}, reserved {derived_reserved}",
    ),
    Check(
        select(_derived.c.key_id)
        .select_from(_derived.outerjoin(balances, balances.c.key_id == _derived.c.key_id))
        .where(balances.c.key_id.is_(None)),
        "key {key_id}: it has entries and no balance",
    ),
    Check(
        select(reservations.c.reservation_id)
        .select_from(reservations.outerjoin(_reserves, _reserves.c.reference == reservations.c.reservation_id))
        .where(
            or_(
                _reserves.c.amount.is_(None),
                _reserves.c.amount != reservations.c.amount,
                _reserves.c.key_id != reservations.c.key_id,
            )
        ),
        "reservation {reservation_id}: it is open and no reserve entry agrees with it",
    ),
    Check(
        select(reservations.c.reservation_id).select_from(
            reservations.join(_releases, _releases.c.reference == reservations.c.reservation_id)
        ),
        "reservation {reservation_id}: it is open and has a release entry",
    ),
    Check(
        select(reservations.c.reservation_id, reservations.c.settled, func.coalesce(_settled.c.settled, 0).label("sum"))
        .select_from(reservations.outerjoin(_settled, _settled.c.reservation_id == reservations.c.reservation_id))
        .where(reservations.c.settled != func.coalesce(_settled.c.settled, 0)),
        "reservation {reservation_id}: it says settled {settled}, the entries say {sum}",
    ),
    Check(
        select(_reserves.c.reference)
        .select_from(
            _reserves.outerjoin(_releases, _releases.c.reference == _reserves.c.reference).outerjoin(
                reservations, reservations.c.reservation_id == _reserves.c.reference
            )
        )
        .where(and_(_releases.c.reference.is_(None), reservations.c.reservation_id.is_(None))),
        "reservation {reference}: it has no release entry and is not open",
    ),
    Check(
        select(_releases.c.reference)
        .select_from(_releases.outerjoin(_reserves, _releases.c.reference == _reserves.c.reference))
        .where(
            or_(
                _reserves.c.amount.is_(None),
                _reserves.c.amount != _releases.c.amount,
                _reserves.c.key_id != _releases.c.key_id,
            )
        ),
        "reservation {reference}: it was released and no reserve entry agrees with it",
    ),
    Check(
        select(entries.c.sequence, entries.c.kind, entries.c.amount).where(
            entries.c.kind != "adjust", entries.c.amount < 0
        ),
        "entry {sequence}: the amount of a {kind} is negative: {amount}",
    ),
)
