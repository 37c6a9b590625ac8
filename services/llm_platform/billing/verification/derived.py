"""The checks of ``ledger verify`` on what was summed up beside the balances: the roll-ups of usage, and corrections."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Subquery, and_, cast, func, literal, or_, select, union_all

from llm_platform.billing.schema import entries, total
from llm_platform.billing.schema_derived import (
    archived_usage,
    resolutions,
    summary_progress,
    usage_progress,
    usage_rollups,
    usage_summaries,
)
from llm_platform.billing.usage.grains import DAY, DECADE, GRAINS
from llm_platform.billing.usage.summaries import SUMMARIES, Summary
from llm_platform.billing.usage.sums import COSTS, MEASURES, measured, number
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


_begin = summary_progress.c.summarised_from + number(DECADE - 1)
_COMPLETE_FROM = select(_begin - _begin % number(DECADE)).scalar_subquery()
"""What is before is only in some of the summaries while they are first made."""


def _of_roll_ups(kept: tuple[str, ...]) -> Subquery:
    """What the roll-ups of days, which are held against the entries, say of these dimensions."""
    return (
        select(
            *(usage_rollups.c[name] for name in kept),
            *(total(usage_rollups.c[name]).label(name) for name in MEASURES),
        )
        .where(usage_rollups.c.grain == DAY, usage_rollups.c.starts_at >= _COMPLETE_FROM)
        .group_by(*(usage_rollups.c[name] for name in kept))
        .subquery()
    )


def _of_summaries(summary: Summary, grain: int) -> Subquery:
    """What summaries say, with the entries that are in roll-ups and in no summary yet."""
    parts = union_all(
        select(*(usage_summaries.c[name] for name in (*summary.kept, *MEASURES))).where(
            usage_summaries.c.kept == summary.name,
            usage_summaries.c.grain == grain,
            usage_summaries.c.starts_at >= _COMPLETE_FROM,
        ),
        select(
            *(entries.c[name] for name in summary.kept),
            *(cast(column, BigInteger).label(name) for name, column in zip(MEASURES, measured(), strict=True)),
        ).where(
            COSTS,
            entries.c.created_at >= _COMPLETE_FROM,
            entries.c.sequence > select(summary_progress.c.sequence).scalar_subquery(),
            entries.c.sequence <= select(usage_progress.c.sequence).scalar_subquery(),
        ),
    ).subquery()
    kept = [parts.c[name] for name in summary.kept]
    return select(*kept, *(total(parts.c[name]).label(name) for name in MEASURES)).group_by(*kept).subquery()


def _not_alike(summary: Summary, grain: int) -> Check:
    """Sums of the same dimensions that are not in both, with every measure as it is."""
    ours, theirs = _of_summaries(summary, grain), _of_roll_ups(summary.kept)
    differing = union_all(
        select(*ours.columns, literal(1).label("side")), select(*theirs.columns, literal(-1).label("side"))
    ).subquery()
    columns = [differing.c[name] for name in (*summary.kept, *MEASURES)]
    return Check(
        select(literal(grain // 60_000_000).label("minutes"), *columns)
        .group_by(*columns)
        .having(func.sum(differing.c.side) != 0),
        "the summary of " + ", ".join(f"{name} {{{name}}}" for name in summary.kept) + " in parts of {minutes} minutes "
        "is not that of the roll-ups (cost {cost})",
    )


_SUMMARIES = tuple(_not_alike(summary, grain) for summary in SUMMARIES for grain in summary.grains)

DERIVED_CHECKS = (
    *_ROLL_UPS,
    *_SUMMARIES,
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
