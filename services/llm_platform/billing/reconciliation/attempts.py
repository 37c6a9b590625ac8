"""Calls of providers as they are charged now: the settle entry and its corrections together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import add
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Select, and_, func, or_, select, tuple_

from llm_platform.billing.records import Course, UsageCounts
from llm_platform.billing.schema import USAGE_COLUMNS, entries
from llm_platform.billing.schema_derived import resolutions
from llm_platform.billing.usage.sums import COSTS

Run: TypeAlias = Callable[[Select[Any]], Sequence[Sequence[Any]]]
"""Runs a statement in a transaction of the caller's."""

SCANNED = 5_000
"""Entries that one page looks at: how long a page takes does not depend on how many of them are meant."""
LATE_MICROSECONDS = 24 * 3_600_000_000
"""How long after its reservation a call is looked for among those of its time. Later outcomes are found by their id,
and uncertain ones by being unresolved."""

_reserved_at = func.coalesce(entries.c.reserved_at, entries.c.created_at)
_SETTLES = entries.c.kind == "settle"


class Attempt(NamedTuple):
    """Amounts and tokens with corrections."""

    attempt_id: str
    sequence: int
    """Of the settle entry."""
    key_id: str
    provider: str
    model: str
    certainty: str
    reserved_at: int
    amount: int
    usage: UsageCounts
    revision: int
    """How many corrections there are; 0: it was never held against the provider's books."""
    request_id: str
    user_id: str
    result: str
    status: int
    course: Course


class Place(NamedTuple):
    """Where a page ends: in the order of entries that cost something."""

    created_at: int
    sequence: int


_COLUMNS = (
    entries.c.reference,
    entries.c.sequence,
    entries.c.key_id,
    entries.c.provider,
    entries.c.model,
    entries.c.certainty,
    _reserved_at.label("known_reserved_at"),
    entries.c.amount,
    entries.c.request_id,
    entries.c.user_id,
    entries.c.result,
    entries.c.status,
    *(entries.c[name] for name in USAGE_COLUMNS),
    *(entries.c[name] for name in Course._fields),
)
_KINDS_OF_TOKENS = len(USAGE_COLUMNS)


def correction_id(attempt_id: str, revision: int) -> str:
    """The reference of an attempt's adjust entry, from 1."""
    return f"{attempt_id}~{revision}"


def by_ids(run: Run, attempt_ids: Sequence[str]) -> list[Attempt]:
    return _corrected(run, run(select(*_COLUMNS).where(_SETTLES, entries.c.reference.in_(attempt_ids))))


def by_provider_ids(run: Run, provider: str, request_ids: Sequence[str]) -> list[Attempt]:
    """By the provider's own ids, which it may have given twice. ``provider`` empty: of any."""
    statement = select(*_COLUMNS).where(
        _SETTLES, entries.c.provider_request_id != "", entries.c.provider_request_id.in_(request_ids)
    )
    if provider:
        statement = statement.where(entries.c.provider == provider)
    return _corrected(run, run(statement.order_by(entries.c.sequence).limit(SCANNED)))


def newest(
    run: Run, filters: Mapping[str, str], since: int, until: int, before: Place | None, limit: int
) -> tuple[list[Attempt], Place | None]:
    """The calls of a page, those that were booked last first, and where it ended; None: there are no more. ``filters``:
    columns and what they must hold. A page may have fewer than ``limit``, or none, before the last one."""
    place = (entries.c.created_at, entries.c.sequence)
    earlier = and_(COSTS, entries.c.created_at >= since, entries.c.created_at < until + LATE_MICROSECONDS)
    if before is not None:
        earlier = and_(earlier, tuple_(*place) < tuple_(*before))
    latest_first = [column.desc() for column in place]
    ends = run(select(*place).where(earlier).order_by(*latest_first).limit(1).offset(SCANNED - 1))
    statement = (
        select(*_COLUMNS, entries.c.created_at)
        .where(earlier, _SETTLES, _reserved_at >= since, _reserved_at < until)
        .where(*(entries.c[name] == value for name, value in filters.items()))
    )
    if ends:
        statement = statement.where(tuple_(*place) >= tuple_(*ends[0]))
    rows = run(statement.order_by(*latest_first).limit(limit))
    if len(rows) == limit:
        return _corrected(run, [row[:-1] for row in rows]), Place(rows[-1][-1], rows[-1][1])
    return _corrected(run, [row[:-1] for row in rows]), Place(*ends[0]) if ends else None


def unresolved(run: Run, provider: str, since: int, until: int, after: Place) -> tuple[list[Attempt], Place | None]:
    """The uncertain calls of a page that nothing has resolved, and where it ended; None: there are no more."""
    statement = (
        select(*_COLUMNS)
        .select_from(entries.outerjoin(resolutions, resolutions.c.attempt_id == entries.c.reference))
        .where(
            entries.c.certainty == "uncertain",
            _SETTLES,
            entries.c.sequence > after.sequence,
            entries.c.provider == provider,
            resolutions.c.attempt_id.is_(None),
            _reserved_at >= since,
            _reserved_at < until,
        )
        .order_by(entries.c.sequence)
        .limit(SCANNED)
    )
    rows = run(statement)
    return _corrected(run, rows), Place(0, rows[-1][1]) if len(rows) == SCANNED else None


def of_period(run: Run, provider: str, since: int, until: int, after: Place) -> tuple[list[Attempt], Place | None]:
    """The calls of a page, and where it ended; None: there are no more."""
    place = (entries.c.created_at, entries.c.sequence)
    following = and_(
        COSTS,
        entries.c.created_at >= max(since, after.created_at),
        entries.c.created_at < until + LATE_MICROSECONDS,
        or_(entries.c.created_at > after.created_at, entries.c.sequence > after.sequence),
    )
    ends = run(select(*place).where(following).order_by(*place).limit(1).offset(SCANNED - 1))
    end = Place(*ends[0]) if ends else None
    statement = select(*_COLUMNS).where(
        following, _SETTLES, entries.c.provider == provider, _reserved_at >= since, _reserved_at < until
    )
    if end is not None:
        statement = statement.where(tuple_(*place) <= tuple_(*end))
    return _corrected(run, run(statement)), end


def _corrected(run: Run, rows: Sequence[Sequence[Any]]) -> list[Attempt]:
    revisions = _revisions(run, [row[0] for row in rows])
    corrections = _corrections(run, revisions)
    attempts = []
    for attempt_id, sequence, key_id, provider, model, certainty, reserved_at, amount, *more in rows:
        request_id, user_id, result, status, *rest = more
        correction, corrected = corrections.get(attempt_id, (0, UsageCounts()))
        attempts.append(
            Attempt(
                attempt_id,
                sequence,
                key_id,
                provider,
                model,
                certainty,
                reserved_at,
                amount + correction,
                UsageCounts(*map(add, rest[:_KINDS_OF_TOKENS], corrected)),
                revisions.get(attempt_id, 0),
                request_id,
                user_id,
                result,
                status,
                Course(*rest[_KINDS_OF_TOKENS:]),
            )
        )
    return attempts


def _revisions(run: Run, attempt_ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in _parts(attempt_ids):
        columns = (resolutions.c.attempt_id, resolutions.c.revision)
        found.update(map(tuple, run(select(*columns).where(resolutions.c.attempt_id.in_(part)))))
    return found


def _corrections(run: Run, revisions: dict[str, int]) -> dict[str, tuple[int, UsageCounts]]:
    of = {correction_id(name, n): name for name, last in revisions.items() for n in range(1, last + 1)}
    found: dict[str, tuple[int, UsageCounts]] = {}
    columns = (entries.c.reference, entries.c.amount, *(entries.c[name] for name in USAGE_COLUMNS))
    for part in _parts(list(of)):
        for reference, amount, *usage in run(
            select(*columns).where(entries.c.kind == "adjust", entries.c.reference.in_(part))
        ):
            so_far, counts = found.get(of[reference], (0, UsageCounts()))
            found[of[reference]] = (so_far + amount, UsageCounts(*map(add, counts, usage)))
    return found


def _parts(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[start : start + 500] for start in range(0, len(names), 500)]
