"""The arithmetic against a token bucket with exact fractions."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from llm_platform.rate_limiter import gcra
from llm_platform.rate_limiter.gcra import MAX_DEBT_NS, PERIOD_NS

limits = st.integers(1, 10**12)
units = st.integers(0, 10**13)
steps = st.lists(st.tuples(st.integers(0, 2 * PERIOD_NS), st.integers(1, 2_000)), min_size=1, max_size=40)


@given(limits, steps)
def test_it_decides_like_a_token_bucket_within_a_nanosecond_a_request(limit: int, taken: list[tuple[int, int]]) -> None:
    level, tat, now = Fraction(limit), 0, 0
    rounding = Fraction(0)
    for pause, wanted in taken:
        now += pause
        level = min(Fraction(limit), level + Fraction(limit * pause, PERIOD_NS))
        rounding += Fraction(limit, PERIOD_NS)  # a cost is rounded up by less than a nanosecond
        new_tat = max(tat, now) + gcra.cost_ns(wanted, limit)
        if new_tat - now <= PERIOD_NS:
            tat = new_tat
            assert wanted <= level
            level -= wanted
        else:
            assert wanted > level - rounding
        assert level - rounding - 1 <= gcra.remaining(tat, now, limit) <= level


@given(limits, units)
def test_a_cost_is_rounded_up_and_never_free(limit: int, wanted: int) -> None:
    cost = gcra.cost_ns(wanted, limit)
    assert (cost - 1) * limit < wanted * PERIOD_NS <= cost * limit


@given(limits, st.integers(0, 10**9), units, units)
def test_a_correction_leaves_what_the_true_use_would_have_taken(limit: int, now: int, reserved: int, used: int) -> None:
    before = now + PERIOD_NS // 3
    reserved_ns, used_ns = gcra.cost_ns(reserved, limit), gcra.cost_ns(used, limit)
    after = gcra.corrected(before + reserved_ns, now, reserved_ns, used_ns)
    longest = max(before + reserved_ns, now + MAX_DEBT_NS)
    assert after == min(before + used_ns, longest)


def test_a_debt_ends_within_the_hour() -> None:
    assert gcra.corrected(5, 10, 0, gcra.cost_ns(2**63, 1)) == 10 + MAX_DEBT_NS


def test_remaining_is_never_negative() -> None:
    assert gcra.remaining(tat=10 * PERIOD_NS, now=0, limit=60) == 0
