"""Which budget counts what: entries as the windows of budgets see them, and the sums of a window.

Of removed entries (``archived_usage``) there are sums instead, which count like entries.

An entry of this release says itself whose call it is of and when that was reserved. One of the release before
(``reserved_at`` is null) belongs where its reserve entry does, and if it has none, or that is as old, where and when
it was written. Until the sweep has posted it, it stands in ``unposted`` and counts nowhere.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, case, func, literal, or_, select

from llm_platform.billing.budgets.budget import SCOPES, Budget
from llm_platform.billing.budgets.windows import Window
from llm_platform.billing.schema import entries, total, unposted
from llm_platform.billing.schema_derived import archived_usage

_reserve = entries.alias("its_reserve")
_old = entries.c.reserved_at.is_(None)
_joined = entries.outerjoin(
    _reserve,
    and_(
        _old,
        _reserve.c.reference == entries.c.reservation_id,
        _reserve.c.kind == "reserve",
        _reserve.c.sequence <= entries.c.sequence,
    ),
)


def _of_call(name: str) -> ColumnElement[Any]:
    return func.coalesce(_reserve.c[name], entries.c[name])


_COLUMNS = (
    entries.c.sequence,
    *(_of_call(f"{scope}_id").label(f"{scope}_id") for scope in SCOPES),
    func.coalesce(entries.c.reserved_at, _reserve.c.reserved_at, _reserve.c.created_at, entries.c.created_at).label(
        "counts_at"
    ),
    case((entries.c.kind.in_(("settle", "adjust")), entries.c.amount), else_=0).label("spent"),
    case(
        (entries.c.kind == "reserve", entries.c.amount), (entries.c.kind == "release", -entries.c.amount), else_=0
    ).label("reserved"),
)

SEQUENCE = entries.c.sequence
counted = select(*_COLUMNS).select_from(_joined)
"""sequence, key_id, user_id, team_id, organization_id, counts_at, spent, reserved: of every entry."""
posted = (
    select(*_COLUMNS)
    .select_from(_joined.outerjoin(unposted, unposted.c.sequence == entries.c.sequence))
    .where(or_(entries.c.reserved_at.is_not(None), unposted.c.sequence.is_(None)))
)
"""The same of entries that are in the windows of budgets."""
archived = select(
    literal(0).label("sequence"),
    *(archived_usage.c[f"{scope}_id"] for scope in SCOPES),
    archived_usage.c.starts_at.label("counts_at"),
    archived_usage.c.cost.label("spent"),
    literal(0, BigInteger).label("reserved"),
)
"""The same of what was removed."""


def sums(budget: Budget, within: Window, *, after: int, up_to: int) -> Select[int, int]:
    """Spent and reserved of a budget in a window, by the entries with ``after < sequence <= up_to``."""
    rows = counted.where(entries.c.sequence > after, entries.c.sequence <= up_to).subquery("counted")
    return _sums(rows, budget, within)


def archived_sums(budget: Budget, within: Window) -> Select[int, int]:
    """The part of entries that were removed."""
    return _sums(archived.subquery("counted"), budget, within)


def unposted_sums(budget: Budget, within: Window) -> Select[int, int]:
    """The part of it that the sweep has still to post."""
    rows = counted.where(entries.c.sequence.in_(select(unposted.c.sequence))).subquery("counted")
    return _sums(rows, budget, within)


def _sums(rows: Any, budget: Budget, within: Window) -> Select[int, int]:
    conditions = [
        rows.c[f"{budget.scope}_id"] == budget.scope_id,
        rows.c.counts_at >= within.starts_at,
        rows.c.counts_at < within.ends_at,
    ]
    if budget.organization_id:
        conditions.append(rows.c.organization_id == budget.organization_id)
    return select(total(rows.c.spent), total(rows.c.reserved)).where(*conditions)
