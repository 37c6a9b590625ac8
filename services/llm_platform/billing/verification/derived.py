"""The checks of ``ledger verify`` on what was summed up beside the balances: the roll-ups of usage, and corrections."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Subquery, and_, func, literal, or_, select, union_all

from llm_platform.billing.schema import entries, total
from llm_platform.billing.schema_derived import archived_usage, resolutions, usage_progress, usage_rollups
from llm_platform.billing.usage.sums import COSTS, GRAINS, MEASURES, measured
from llm_platform.billing.verification.ledger import Check

_PART = ("key_id", "model")


def _summed(name: str, grain: int) -> Subquery:
    parts = [usage_rollups.c[column] for column in _PART]
    return (
        select(*parts, *(total(usage_rollups.c[measure]).label(measure) for measure in MEASURES))
        .where(usage_rollups.c.grain == grain)
        .group_by(*parts)
        .subquery(name)
    )


_parts = union_all(
    select(
        *(entries.c[column] for column in _PART),
        *(total(column).label(measure) for measure, column in zip(MEASURES, measured(), strict=True)),
    )
    .where(COSTS, entries.c.sequence <= select(usage_progress.c.sequence).scalar_subquery())
    .group_by(*(entries.c[column] for column in _PART)),
    select(*(archived_usage.c[column] for column in (*_PART, *MEASURES))),
).subquery("parts")
_booked = (
    select(*(_parts.c[column] for column in _PART), *(total(_parts.c[measure]).label(measure) for measure in MEASURES))
    .group_by(*(_parts.c[column] for column in _PART))
    .subquery("booked")
)


def _differing(grain: int, left: Any, right: Any) -> Check:
    """What ``left`` has and ``right`` has otherwise or not at all."""
    same = and_(*(left.c[column] == right.c[column] for column in _PART))
    differs = or_(*(left.c[measure] != func.coalesce(right.c[measure], 0) for measure in MEASURES))
    return Check(
        select(
            literal(grain // 60_000_000).label("minutes"),
            *(left.c[column] for column in _PART),
            left.c.cost,
            func.coalesce(right.c.cost, 0).label("other"),
        )
        .select_from(left.outerjoin(right, same))
        .where(differs),
        "key {key_id}, model {model}: the usage in parts of {minutes} minutes is not that of the entries "
        "(cost {cost} against {other})",
    )


_corrected = (
    select(entries.c.reservation_id, total(entries.c.amount).label("adjusted"))
    .where(entries.c.kind == "adjust")
    .group_by(entries.c.reservation_id)
    .subquery("corrected")
)
_resolved = (
    select(resolutions.c.reservation_id, total(resolutions.c.adjusted).label("adjusted"))
    .group_by(resolutions.c.reservation_id)
    .subquery("resolved")
)

_ROLL_UPS = tuple(
    check
    for grain in GRAINS
    for summed in (_summed(f"every_{grain}", grain),)
    for check in (_differing(grain, _booked, summed), _differing(grain, summed, _booked))
)

DERIVED_CHECKS = (
    *_ROLL_UPS,
    Check(
        select(
            _resolved.c.reservation_id, _resolved.c.adjusted, func.coalesce(_corrected.c.adjusted, 0).label("entries")
        )
        .select_from(_resolved.outerjoin(_corrected, _corrected.c.reservation_id == _resolved.c.reservation_id))
        .where(_resolved.c.adjusted != func.coalesce(_corrected.c.adjusted, 0)),
        "reservation {reservation_id}: its calls were corrected by {adjusted}, the entries say {entries}",
    ),
    Check(
        select(_corrected.c.reservation_id, _corrected.c.adjusted)
        .select_from(_corrected.outerjoin(_resolved, _resolved.c.reservation_id == _corrected.c.reservation_id))
        .where(_resolved.c.reservation_id.is_(None)),
        "reservation {reservation_id}: entries correct its calls by {adjusted}, and nothing says why",
    ),
)
