"""One page of a usage report: from the message that asks for it to the rows that answer it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, or_, select, tuple_
from sqlalchemy.engine.interfaces import Dialect

from llm_platform.billing.periods import DAY, Period, day_name, moment, zone
from llm_platform.billing.schema import USAGE_COLUMNS
from llm_platform.billing.usage.sums import DIMENSIONS, MEASURES, Question
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, ledger_pb2

PAGE = 1_000
MAX_PAGE = 10_000
RANKED = 500
"""The longest page for which the keys or users on it are found first."""
_DEFAULT = ("key", "provider", "model")
_FILTERS = tuple(DIMENSIONS.values())
_LONGEST_FILTER = 512


def usage_filters(query: ledger_pb2.UsageQuery) -> dict[str, str]:
    """Columns and what they must hold. Raises INVALID_REQUEST."""
    filters = {name: getattr(query, name) for name in _FILTERS if getattr(query, name)}
    for name, value in filters.items():
        # PostgreSQL has no text with a zero in it.
        if "\0" in value or len(value) > _LONGEST_FILTER:
            raise PlatformError(Code.INVALID_REQUEST, f"{name}: nothing has such a name.", param=name)
    return filters


class Page:
    """Rows come by their groups, or the largest ``order`` first; a cursor names the last row of a page.

    ``now`` in microseconds: a period without an end ends with the day after it. Raises INVALID_REQUEST.
    """

    def __init__(self, query: ledger_pb2.UsageQuery, filters: dict[str, str], now: int) -> None:
        self._by = _groups(query.by)
        self._order = query.order
        if self._order and self._order not in MEASURES:
            raise PlatformError(
                Code.INVALID_REQUEST, f"order: give one of {', '.join(MEASURES)}, or none.", param="order"
            )
        self._limit = min(query.limit or PAGE, MAX_PAGE)
        self._after = self._decoded(query.cursor) if query.cursor else None
        where = zone(query.time_zone)
        end = (now // DAY + 2) * DAY
        since = moment("since", query.since, where) if query.since else 0
        until = moment("until", query.until, where) if query.until else end
        self.question = Question(self._by, filters, Period(max(since, 0), min(until, end)), where)

    @property
    def order(self) -> str:
        return self._order

    @property
    def only_ranks(self) -> bool:
        """Whether it is the largest of very many that are asked for."""
        return bool(self._order) and self._by in (["key"], ["user"]) and self._limit <= RANKED

    def narrowed(self, question: Question, ranked: Sequence[Any]) -> Question:
        """To the keys or users that ``ranked`` has."""
        (name,) = self._by
        found = [row._mapping[name] for row in ranked]  # noqa: SLF001 - SQLAlchemy's name for it
        return replace(question, filters={**question.filters, DIMENSIONS[name]: found})

    def statement(self, summed: Select[Any], dialect: Dialect) -> Select[Any]:
        """One row more than fit: it says that there is another page."""
        usage = summed.subquery("usage")
        groups = [_sortable(usage.c[name], dialect) for name in self._by]
        statement = select(usage).limit(self._limit + 1)
        if self._order:
            measure = usage.c[self._order]
            statement = statement.order_by(measure.desc(), *groups)
        else:
            statement = statement.order_by(*groups)
        if self._after is None:
            return statement
        later: ColumnElement[bool] = tuple_(*groups) > tuple_(*self._after[-len(groups) :])
        if self._order:
            last = self._after[0]
            later = or_(measure < last, and_(measure == last, later))
        return statement.where(later)

    def report(self, rows: Sequence[Any]) -> ledger_pb2.UsageReport:
        shown = rows[: self._limit]
        report = ledger_pb2.UsageReport(rows=[self._row(row._mapping) for row in shown])  # noqa: SLF001 - SQLAlchemy's name for it
        if len(rows) > len(shown):
            last = shown[-1]._mapping  # noqa: SLF001
            names = [self._order, *self._by] if self._order else self._by
            report.cursor = msgspec.json.encode([last[name] for name in names]).decode()
        return report

    def _row(self, row: Any) -> ledger_pb2.UsageRow:
        # Corrections may have taken back more tokens than were booked in the period.
        usage = common_pb2.Usage(**{name: max(row[name], 0) for name in USAGE_COLUMNS})
        groups = {column: row[name] for name, column in DIMENSIONS.items() if name in self._by}
        if "day" in self._by:
            groups["day"] = day_name(row["day"])
        return ledger_pb2.UsageRow(
            **groups, requests=row["requests"], cost=row["cost"], adjusted=row["adjusted"], usage=usage
        )

    def _decoded(self, cursor: str) -> list[Any]:
        kinds: list[Any] = [int] if self._order else []
        kinds += [int if name == "day" else str for name in self._by]
        try:
            values = msgspec.json.decode(cursor, type=list[int | str])
        except msgspec.DecodeError:
            values = []
        fits = len(values) == len(kinds) and all(isinstance(v, k) for v, k in zip(values, kinds, strict=True))
        if not fits or not all(map(_storable, values)):
            raise PlatformError(Code.INVALID_REQUEST, "cursor: it is none of a page of this report.", param="cursor")
        return values


def _storable(value: int | str) -> bool:
    return abs(value) < 2**63 if isinstance(value, int) else "\0" not in value


def _groups(by: Sequence[str]) -> list[str]:
    for name in by:
        if name != "day" and name not in DIMENSIONS:
            known = ", ".join([*DIMENSIONS, "day"])
            raise PlatformError(Code.INVALID_REQUEST, f"by: give some of {known}.", param="by")
    return list(dict.fromkeys(by)) or list(_DEFAULT)


def _sortable(column: ColumnElement[Any], dialect: Dialect) -> ColumnElement[Any]:
    """The same order on every database, whatever the server's locale."""
    return column.collate("C") if dialect.name == "postgresql" and column.key != "day" else column
