"""The Generic Cell Rate Algorithm: a token bucket whose whole state is one integer.

A limit of ``L`` units a minute lets ``B`` units through at once, its burst (a full minute's, unless it is set), and
then refills steadily. The state is the *theoretical arrival time* (TAT): the moment at which the bucket will be full
again. With ``P`` = 60 s, ``cost(n) = ceil(n * P / L)`` and the tolerance ``T = cost(B)``, taking ``n`` units at ``now``

    tat' = max(tat, now) + cost(n)      is allowed when      tat' - now <= T
    remaining = floor((T - (tat' - now)) * L / P)

Source: ITU-T I.371, annex A (the virtual scheduling form, with increment P/L and tolerance T - P/L).
All times are integer nanoseconds, so nothing drifts. The TAT depends neither on ``L`` nor on ``B``: a limit that is
changed takes effect at the next request and keeps the share of the minute that is used up.
"""

from __future__ import annotations

PERIOD_NS = 60_000_000_000
MAX_DEBT_NS = 60 * PERIOD_NS
"""The longest a subject can be kept waiting for what it used beyond its estimate."""
MAX_TOLERANCE_NS = 60 * PERIOD_NS
"""A burst is at most what refills in this time."""


def cost_ns(units: int, limit: int) -> int:
    """The time ``units`` take to refill at ``limit`` units a minute, rounded up."""
    return -(-units * PERIOD_NS // limit)


def tolerance_ns(burst: int, limit: int) -> int:
    """The time a bucket of ``burst`` units takes to fill; 0 is a full minute's units."""
    return min(cost_ns(burst, limit), MAX_TOLERANCE_NS) if burst else PERIOD_NS


def remaining(tat: int, now: int, limit: int, tolerance: int = PERIOD_NS) -> int:
    """The units that may be taken at ``now``."""
    free = tolerance - max(tat - now, 0)
    return free * limit // PERIOD_NS if free > 0 else 0


def indebted(tat: int, now: int, more_ns: int) -> int:
    """The TAT once ``more_ns`` were used beyond the estimate: at most MAX_DEBT_NS away, or as far as it was."""
    return min(max(tat, now) + more_ns, max(tat, now + MAX_DEBT_NS))
