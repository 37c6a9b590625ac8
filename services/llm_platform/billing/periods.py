"""Times and periods as reports and invoices name them: days and months of a time zone.

A day begins at the first moment that has its date in the zone, which is not midnight where clocks are set forward
over it, and is 23 or 25 hours long (or 23.5) where they are set. Times are microseconds since 1970 in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from llm_platform.core.errors import Code, PlatformError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000
_MICROSECOND = timedelta(microseconds=1)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_LAST = datetime(9998, 12, 31, tzinfo=UTC)
"""A year before ``datetime`` ends, so that no zone's offset leads beyond it."""


class Period(NamedTuple):
    """From ``since`` until before ``until``."""

    since: int
    until: int


class Offset(NamedTuple):
    """What is added to UTC, in microseconds, from ``since`` on."""

    since: int
    offset: int


def zone(name: str, field: str = "time_zone") -> ZoneInfo:
    """Empty: UTC. Raises INVALID_REQUEST."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        raise PlatformError(
            Code.INVALID_REQUEST, f"{field}: there is no such time zone; give one like Europe/Berlin.", param=field
        ) from None


def microseconds(field: str, value: str) -> int:
    """An RFC 3339 time as microseconds since 1970. Raises INVALID_REQUEST."""
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise PlatformError(
            Code.INVALID_REQUEST, f"{field}: give a time with its offset, like 2026-01-31T00:00:00Z.", param=field
        )
    return (time - EPOCH) // _MICROSECOND


def moment(field: str, value: str, where: ZoneInfo) -> int:
    """An RFC 3339 time, or the beginning of a date in the zone. Raises INVALID_REQUEST."""
    if not _DATE.fullmatch(value):
        return microseconds(field, value)
    try:
        return _beginning(date.fromisoformat(value), where)
    except (ValueError, OverflowError):
        raise PlatformError(Code.INVALID_REQUEST, f"{field}: there is no such day.", param=field) from None


def month(value: str, where: ZoneInfo) -> Period:
    """``2026-10``, in the zone. Raises INVALID_REQUEST."""
    found = _MONTH.fullmatch(value)
    year, number = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= 12 or not 1970 <= year < _LAST.year:
        raise PlatformError(Code.INVALID_REQUEST, "month: give one like 2026-10.", param="month")
    following = date(year + number // 12, number % 12 + 1, 1)
    return Period(_beginning(date(year, number, 1), where), _beginning(following, where))


def rfc3339(value: int) -> str:
    return (EPOCH + timedelta(microseconds=value)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def local_date(value: int, where: ZoneInfo) -> date:
    return (EPOCH + timedelta(microseconds=value)).astimezone(where).date()


def day_name(number: int) -> str:
    """Of a day counted from 1970-01-01."""
    return (EPOCH.date() + timedelta(days=number)).isoformat()


def offsets(where: ZoneInfo, period: Period) -> list[Offset]:
    """The zone's offsets during the period, in order; the first one holds from its beginning."""
    found = [Offset(period.since, _offset(where, period.since))]
    at = period.since
    while at < period.until:
        following = min(at + DAY, period.until)
        if (offset := _offset(where, following)) != found[-1].offset:
            found.append(Offset(_change(where, at, following), offset))
        at = following
    return found


def _change(where: ZoneInfo, before: int, after: int) -> int:
    """When the offset of ``before`` became that of ``after``."""
    old = _offset(where, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(where, middle) == old:
            before = middle
        else:
            after = middle
    return after


def _offset(where: ZoneInfo, at: int) -> int:
    offset = (EPOCH + timedelta(microseconds=at)).astimezone(where).utcoffset()
    assert offset is not None  # noqa: S101 - a ZoneInfo always has one
    return offset // _MICROSECOND


def _beginning(day: date, where: ZoneInfo) -> int:
    # Of a midnight that clocks skip or show twice, fold 0 is the first moment of the day.
    start = datetime(day.year, day.month, day.day, tzinfo=where)
    return (start.astimezone(UTC) - EPOCH) // _MICROSECOND
