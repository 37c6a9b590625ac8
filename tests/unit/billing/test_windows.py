from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_platform.billing.budgets.windows import FOREVER, TOTAL, is_time_zone, rfc3339, window

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",  # its clocks changed at midnight
    "America/Havana",  # midnight came twice
    "Africa/Cairo",  # midnight was left out
    "Pacific/Apia",  # a whole day was left out
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
]


def microseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("period", "zone", "at", "starts_at", "ends_at"),
    [
        ("daily", "UTC", "2026-02-28T23:59:59+00:00", "2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"),
        ("monthly", "UTC", "2028-02-29T12:00:00+00:00", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        ("monthly", "UTC", "2026-12-31T23:59:59+00:00", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        # 23 and 25 hours
        ("daily", "Europe/Berlin", "2026-03-29T12:00:00+02:00", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("daily", "Europe/Berlin", "2026-10-25T12:00:00+01:00", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        ("monthly", "Europe/Berlin", "2026-03-31T23:30:00+00:00", "2026-03-31T22:00:00Z", "2026-04-30T22:00:00Z"),
        # The day began at 01:00; and at the first of two midnights.
        ("daily", "America/Sao_Paulo", "2018-11-04T12:00:00+00:00", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"),
        ("daily", "America/Havana", "2025-11-02T12:00:00+00:00", "2025-11-02T04:00:00Z", "2025-11-03T05:00:00Z"),
    ],
)
def test_windows_begin_and_end_at_local_midnights(
    period: str, zone: str, at: str, starts_at: str, ends_at: str
) -> None:
    assert tuple(map(rfc3339, window(period, zone, microseconds(at)))) == (starts_at, ends_at)


@given(
    at=st.integers(microseconds("2005-01-01T00:00:00+00:00"), microseconds("2040-01-01T00:00:00+00:00")),
    zone=st.sampled_from(ZONES),
    period=st.sampled_from(["daily", "monthly"]),
)
def test_every_moment_is_in_one_window_and_the_next_follows_without_a_gap(at: int, zone: str, period: str) -> None:
    within = window(period, zone, at)
    assert within.starts_at <= at < within.ends_at
    assert window(period, zone, within.starts_at) == window(period, zone, within.ends_at - 1) == within
    assert window(period, zone, within.ends_at).starts_at == within.ends_at
    assert window(period, zone, within.starts_at - 1).ends_at == within.starts_at
    assert datetime.fromtimestamp(within.starts_at // 1_000_000, UTC).astimezone(ZoneInfo(zone)).minute == 0


def test_in_total_there_is_one_window() -> None:
    assert window("total", "Europe/Berlin", 5) == TOTAL == (0, FOREVER)


@pytest.mark.parametrize("name", ["", "Mars/Base", "../../etc/passwd", "/etc/passwd", "Europe", "A\0B", "x" * 5000])
def test_what_is_no_time_zone_is_known(name: str) -> None:
    assert not is_time_zone(name)
