"""The arithmetic against a token bucket with exact fractions."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_platform.rate_limiter import gcra
from llm_platform.rate_limiter.gcra import MAX_DEBT_NS, PERIOD_NS

limits = st.integers(1, 10**12)
units = st.integers(0, 10**13)
steps = st.lists(st.tuples(st.integers(0, 2 * PERIOD_NS), st.integers(1, 2_000)), min_size=1, max_size=40)


@settings(deadline=None)
@given(limits, st.one_of(st.just(0), st.integers(1, 3_000)), steps)
def test_it_decides_like_a_token_bucket_within_a_nanosecond_a_request(
    limit: int, burst: int, taken: list[tuple[int, int]]
) -> None:
    """``burst`` units are in the bucket at first; it is filled steadily and holds no more than those."""
    tolerance = gcra.tolerance_ns(burst, limit)
    most = Fraction(limit * tolerance, PERIOD_NS)  # the burst, rounded up by less than a nanosecond
    assert (burst or limit) <= most < (burst or limit) + Fraction(limit, PERIOD_NS) or burst > 60 * limit
    level, tat, now = most, 0, 0
    rounding = Fraction(0)
    for pause, wanted in taken:
        now += pause
        level = min(most, level + Fraction(limit * pause, PERIOD_NS))
        rounding += Fraction(limit, PERIOD_NS)  # a cost is rounded up by less than a nanosecond
        new_tat = max(tat, now) + gcra.cost_ns(wanted, limit)
        if new_tat - now <= tolerance:
            tat = new_tat
            assert wanted <= level
            level -= wanted
        else:
            assert wanted > level - rounding
        assert level - rounding - 1 <= gcra.remaining(tat, now, limit, tolerance) <= level


@settings(deadline=None)
@given(limits, units)
def test_a_cost_is_rounded_up_and_never_free(limit: int, wanted: int) -> None:
    cost = gcra.cost_ns(wanted, limit)
    assert (cost - 1) * limit < wanted * PERIOD_NS <= cost * limit


def test_a_debt_ends_within_the_hour_or_when_it_did_before() -> None:
    assert gcra.indebted(5, 10, gcra.cost_ns(2**63, 1)) == 10 + MAX_DEBT_NS
    assert gcra.indebted(11 + MAX_DEBT_NS, 10, 1) == 11 + MAX_DEBT_NS
    assert gcra.indebted(5, 10, 7) == 17


def test_a_burst_is_at_most_what_refills_in_an_hour() -> None:
    assert gcra.tolerance_ns(0, 7) == PERIOD_NS
    assert gcra.tolerance_ns(7, 7) == PERIOD_NS
    assert gcra.tolerance_ns(1, 60) == PERIOD_NS // 60
    assert gcra.tolerance_ns(2**64 - 1, 1) == gcra.MAX_TOLERANCE_NS


def test_remaining_is_never_negative() -> None:
    assert gcra.remaining(tat=10 * PERIOD_NS, now=0, limit=60) == 0
