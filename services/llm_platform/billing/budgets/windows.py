"""The windows of time that budgets run in: days and months of a time zone, from midnight to midnight.

A local midnight that a change of the clocks leaves out begins at the change; of one that happens twice the first
counts. So windows of one period and zone follow each other without a gap, and last 23 to 25 hours where clocks change.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

FOREVER = 2**63 - 1
PERIODS = ("total", "daily", "monthly")


class Window(NamedTuple):
    """Microseconds since 1970: from ``starts_at`` on, before ``ends_at``."""

    starts_at: int
    ends_at: int


TOTAL = Window(0, FOREVER)
_last: dict[tuple[str, str], Window] = {}
"""The window asked for last; replaced as a whole, so threads may share it."""


def is_time_zone(name: str) -> bool:
    """Whether this is an IANA name that can be calculated with."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def window(period: str, time_zone: str, at: int) -> Window:
    """The window of ``period`` that holds the time ``at`` (microseconds)."""
    if period == "total":
        return TOTAL
    found = _last.get((period, time_zone))
    if found is None or not found.starts_at <= at < found.ends_at:
        found = _last[period, time_zone] = _window(period, ZoneInfo(time_zone), at)
    return found


def rfc3339(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _window(period: str, zone: ZoneInfo, at: int) -> Window:
    day = datetime.fromtimestamp(at // 1_000_000, zone).date()
    if period == "daily":
        return Window(_midnight(day, zone), _midnight(day + timedelta(days=1), zone))
    first = day.replace(day=1)
    return Window(_midnight(first, zone), _midnight((first + timedelta(days=31)).replace(day=1), zone))


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1_000_000
