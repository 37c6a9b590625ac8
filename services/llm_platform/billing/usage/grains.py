"""Lengths of time that usage is summed up in, in microseconds."""

from __future__ import annotations

from llm_platform.billing.periods import DAY

__all__ = ["DAY", "DECADE", "GRAINS", "HOUR", "QUARTER"]

HOUR = DAY // 24
QUARTER = HOUR // 4
GRAINS = (DAY, HOUR, QUARTER)
"""Of roll-ups, coarsest first. Every time zone's days begin at a quarter of an hour of UTC."""
DECADE = 10 * DAY
"""Of summaries that are as many as there are users or keys."""
