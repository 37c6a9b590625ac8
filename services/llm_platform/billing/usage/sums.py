"""Sums of usage: from the roll-ups where whole ones fit into the period that is asked for, else from the entries.

Roll-ups (``rollups.py``) and their summaries (``summaries.py``) hold what the entries up to a sequence number add up
to. What came later is summed here, so that a report is exact at every moment.
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
    and_,
    case,
    cast,
    literal_column,
    select,
    union_all,
)

from llm_platform.billing.periods import DAY, Period, offsets
from llm_platform.billing.schema import USAGE_COLUMNS, entries, total
from llm_platform.billing.schema_derived import usage_rollups, usage_summaries
from llm_platform.billing.usage.grains import GRAINS
from llm_platform.billing.usage.summaries import Summary, summary_of

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


class Progress(NamedTuple):
    """The last entries that are in the roll-ups and in the summaries, which begin at ``summarised_from``."""

    rolled_up: int
    summarised: int
    summarised_from: int


class Piece(NamedTuple):
    """A part of a period and the length of the roll-ups that cover it; 0: only the entries do."""

    grain: int
    since: int
    until: int


@dataclass(frozen=True)
class Question:
    """``filters``: columns and what they must hold, one of several things if it is a list. ``by``: of DIMENSIONS, and
    ``day``, which is of ``zone``."""

    by: Sequence[str]
    filters: Mapping[str, str | Sequence[str]]
    period: Period
    zone: ZoneInfo

    @property
    def is_rolled_up(self) -> bool:
        """Whether roll-ups cover all of the period."""
        return all(piece.grain for piece in self.pieces())

    def pieces(self, summary: Summary | None = None) -> list[Piece]:
        known = sorted({*GRAINS, *(summary.grains if summary else ())}, reverse=True)
        if "day" in self.by:
            shifts = [each.offset for each in offsets(self.zone, self.period)]
            known = [grain for grain in GRAINS if not any(shift % grain for shift in shifts)]
        return _pieces(self.period, known)

    def summary(self, progress: Progress) -> Summary | None:
        """What is read in place of roll-ups."""
        if self.period.since < progress.summarised_from:
            return None
        # The keys of a page are few as well.
        single = [name for name, value in self.filters.items() if isinstance(value, str) or name == DIMENSIONS["key"]]
        return summary_of([*(DIMENSIONS[name] for name in self.by if name != "day"), *self.filters], single)


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


def sums(question: Question, progress: Progress, measures: Sequence[str] = MEASURES) -> Select[Any]:
    """Columns: those of ``by`` by their names, then ``measures``."""
    summary = question.summary(progress)
    sources = [_Source(question, measures, piece, progress, summary) for piece in question.pieces(summary)]
    parts = [part for source in sources for part in source.parts()]
    parts.append(_booked(question, measures, question.period, entries.c.sequence > progress.rolled_up))
    part = union_all(*parts).subquery("part")
    groups = [part.c[name] for name in question.by]
    return select(*groups, *(total(part.c[name]).label(name) for name in measures)).group_by(*groups)


@dataclass(frozen=True)
class _Source:
    """Where the sums of a piece are, of the entries up to ``rolled_up``."""

    question: Question
    measures: Sequence[str]
    piece: Piece
    progress: Progress
    summary: Summary | None

    def parts(self) -> list[Select[Any]]:
        _, since, until = self.piece
        if not self.piece.grain:
            known = entries.c.sequence <= self.progress.rolled_up
            return [_booked(self.question, self.measures, Period(since, until), known)]
        if self.summary is None or self.piece.grain not in self.summary.grains:
            return [self._summed(usage_rollups)]
        parts = [self._summed(usage_summaries, usage_summaries.c.kept == self.summary.name)]
        if self.progress.summarised < self.progress.rolled_up:
            between = and_(entries.c.sequence > self.progress.summarised, entries.c.sequence <= self.progress.rolled_up)
            parts.append(_booked(self.question, self.measures, Period(since, until), between))
        return parts

    def _summed(self, source: FromClause, *which: ColumnElement[bool]) -> Select[Any]:
        grain, since, until = self.piece
        at = source.c.starts_at
        # Not grouped: there would be little less of it, for the price of another sort.
        return select(
            *_groups(self.question, source, at), *(source.c[name].label(name) for name in self.measures)
        ).where(
            *which, source.c.grain == grain, at >= since, at < until, *_filters(self.question, source)
        )  # fmt: skip


def _booked(question: Question, measures: Sequence[str], period: Period, part: ColumnElement[bool]) -> Select[Any]:
    """``part``: a condition on the sequence."""
    at = entries.c.created_at
    columns = dict(zip(MEASURES, measured(), strict=True))
    return (
        select(*_groups(question, entries, at), *(total(columns[name]).label(name) for name in measures))
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
    return [
        source.c[column] == value if isinstance(value, str) else source.c[column].in_(value)
        for column, value in question.filters.items()
    ]
