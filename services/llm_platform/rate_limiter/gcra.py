"""The Generic Cell Rate Algorithm: a token bucket whose whole state is one integer.

A limit of ``L`` units a minute lets a full minute's units through at once and then refills steadily. The
state is the *theoretical arrival time* (TAT): the moment at which the bucket will be full again. With
``P`` = 60 s and ``cost(n) = ceil(n * P / L)``, taking ``n`` units at time ``now``

    tat' = max(tat, now) + cost(n)      is allowed when      tat' - now <= P
    remaining = floor((P - (tat' - now)) * L / P)

Source: ITU-T I.371, annex A (the virtual scheduling form, with increment T = P/L and tolerance P - T).
All times are integer nanoseconds, so nothing drifts. The TAT does not depend on ``L``: a limit that is
changed takes effect at the next request and keeps the share of the minute that is used up.
"""

from __future__ import annotations

PERIOD_NS = 60_000_000_000
MAX_DEBT_NS = 60 * PERIOD_NS
"""The longest a subject can be kept waiting for what it used beyond its estimate."""


def cost_ns(units: int, limit: int) -> int:
    """The time ``units`` take to refill at ``limit`` units a minute, rounded up."""
    return -(-units * PERIOD_NS // limit)


def remaining(tat: int, now: int, limit: int) -> int:
    """The units that may be taken at ``now``."""
    free = PERIOD_NS - max(tat - now, 0)
    return free * limit // PERIOD_NS if free > 0 else 0


def corrected(tat: int, now: int, reserved_ns: int, used_ns: int) -> int:
    """The TAT once the true use is known: a refund never overfills, a debt is at most MAX_DEBT_NS."""
    if used_ns <= reserved_ns:
        return tat - (reserved_ns - used_ns)
    return min(max(tat, now) + used_ns - reserved_ns, max(tat, now + MAX_DEBT_NS))
