"""Sums of usage: from the roll-ups where whole ones fit into the period that is asked for, else from the entries.

Roll-ups (``rollups.py``) hold what the entries up to a sequence number add up to. What came later is summed here, so
that a report is exact at every moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    case,
    cast,
    literal_column,
    select,
    union_all,
)

from llm_platform.billing.periods import DAY, Period, offsets
from llm_platform.billing.schema import USAGE_COLUMNS, entries, total
from llm_platform.billing.schema_derived import usage_rollups

GRAINS = (DAY, 3_600_000_000, 900_000_000)
"""Lengths of roll-ups in microseconds, coarsest first. Every time zone's days begin at a quarter of an hour of UTC."""
DIMENSIONS = {
    "key": "key_id",
    "user": "user_id",
    "team": "team_id",
    "organization": "organization_id",
    "provider": "provider",
    "model": "model",
}
"""What usage can be grouped by, besides ``day``, and the columns that hold it."""
MEASURES = ("requests", "cost", "adjusted", *USAGE_COLUMNS)
COSTS = entries.c.kind.in_(("settle", "adjust"))


class Piece(NamedTuple):
    """A part of a period and the length of the roll-ups that cover it; 0: only the entries do."""

    grain: int
    since: int
    until: int


@dataclass(frozen=True)
class Question:
    """``filters``: columns and what they must hold. ``by``: of DIMENSIONS, and ``day``, which is of ``zone``."""

    by: Sequence[str]
    filters: Mapping[str, str]
    period: Period
    zone: ZoneInfo

    @property
    def is_rolled_up(self) -> bool:
        """Whether roll-ups cover all of the period."""
        return all(piece.grain for piece in self.pieces())

    def pieces(self) -> list[Piece]:
        coarsest: Sequence[int] = GRAINS
        if "day" in self.by:
            shifts = [each.offset for each in offsets(self.zone, self.period)]
            coarsest = [grain for grain in GRAINS if not any(shift % grain for shift in shifts)]
        return _pieces(self.period, coarsest)


def _pieces(period: Period, grains: Sequence[int]) -> list[Piece]:
    since, until = period
    if since >= until:
        return []
    if not grains:
        return [Piece(0, since, until)]
    grain, finer = grains[0], grains[1:]
    first, last = -(-since // grain) * grain, until // grain * grain
    if first >= last:
        return _pieces(period, finer)
    return [
        *_pieces(Period(since, first), finer),
        Piece(grain, first, last),
        *_pieces(Period(last, until), finer),
    ]


def sums(question: Question, rolled_up: int) -> Select[Any]:
    """Columns: those of ``by`` by their names, then MEASURES. ``rolled_up``: the last sequence in the roll-ups."""
    parts = [_rolled_up(question, piece) for piece in question.pieces() if piece.grain]
    parts += [
        _booked(question, Period(piece.since, piece.until), entries.c.sequence <= rolled_up)
        for piece in question.pieces()
        if not piece.grain
    ]
    parts.append(_booked(question, question.period, entries.c.sequence > rolled_up))
    part = union_all(*parts).subquery("part")
    groups = [part.c[name] for name in question.by]
    measures = [total(part.c[name]).label(name) for name in MEASURES]
    return select(*groups, *measures).group_by(*groups)


def _rolled_up(question: Question, piece: Piece) -> Select[Any]:
    at = usage_rollups.c.starts_at
    return (
        select(*_groups(question, usage_rollups, at), *(total(usage_rollups.c[name]).label(name) for name in MEASURES))
        .where(
            usage_rollups.c.grain == piece.grain,
            at >= piece.since,
            at < piece.until,
            *_filters(question, usage_rollups),
        )
        .group_by(*_groups(question, usage_rollups, at))
    )


def _booked(question: Question, period: Period, part: ColumnElement[bool]) -> Select[Any]:
    at = entries.c.created_at
    measures = [total(column).label(name) for name, column in zip(MEASURES, measured(), strict=True)]
    return (
        select(*_groups(question, entries, at), *measures)
        .where(COSTS, at >= period.since, at < period.until, part, *_filters(question, entries))
        .group_by(*_groups(question, entries, at))
    )


def measured() -> list[ColumnElement[int]]:
    """What an entry adds to each of MEASURES."""
    return [
        case((entries.c.kind == "settle", 1), else_=0),
        entries.c.amount,
        case((entries.c.kind == "adjust", entries.c.amount), else_=0),
        *(entries.c[name] for name in USAGE_COLUMNS),
    ]


def _groups(question: Question, source: FromClause, at: ColumnElement[int]) -> list[ColumnElement[Any]]:
    return [
        _day(question, at).label("day") if name == "day" else source.c[DIMENSIONS[name]].label(name)
        for name in question.by
    ]


def _day(question: Question, at: ColumnElement[int]) -> ColumnElement[int]:
    """Days since 1970-01-01 by the zone's clocks."""
    first, *later = offsets(question.zone, question.period)
    shift = number(first.offset)
    if later:
        branches = [(at < number(each.since), number(before.offset)) for before, each in pairwise([first, *later])]
        shift = case(*branches, else_=number(later[-1].offset))
    return cast((at + shift) // number(DAY), BigInteger)


def number(value: int) -> ColumnElement[int]:
    """Written out: PostgreSQL takes two expressions with parameters for different ones, and could not group by them."""
    return literal_column(str(value), BigInteger)


def _filters(question: Question, source: FromClause) -> list[ColumnElement[bool]]:
    return [source.c[column] == value for column, value in question.filters.items()]
