"""Summaries: roll-ups of fewer dimensions, for reports over everybody.

A roll-up has every dimension, so a month of them is about as much as all keys have used on all days. Who asks by model
or by day needs a few rows of each hour. Summaries follow from the entries like roll-ups, up to a sequence number of
their own that is never after the roll-ups': the release before does not write them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from llm_platform.billing.periods import DAY
from llm_platform.billing.usage.grains import DECADE, GRAINS, HOUR


@dataclass(frozen=True)
class Summary:
    """``kept``: columns of the dimensions that it has, ``grains``: lengths of time, longest first."""

    kept: tuple[str, ...]
    grains: tuple[int, ...]

    @property
    def name(self) -> str:
        """As the table's column says it."""
        return ",".join(self.kept)


_ORGANIZATION, _TEAM, _USER, _KEY = "organization_id", "team_id", "user_id", "key_id"
SUMMARIES = (
    Summary(("provider", "model"), GRAINS),
    Summary((_ORGANIZATION,), GRAINS),
    Summary((_ORGANIZATION, "provider", "model"), (DAY, HOUR)),
    Summary((_ORGANIZATION, _TEAM), (DAY, HOUR)),
    Summary((_ORGANIZATION, _USER), (DAY,)),
    Summary((_ORGANIZATION, _TEAM, "provider", "model"), (DAY,)),
    Summary((_ORGANIZATION, _USER, "provider", "model"), (DAY,)),
    Summary((_ORGANIZATION, _KEY), (DECADE, DAY)),
)
"""Those with fewer rows first."""


def summary_of(columns: Iterable[str], single: Iterable[str]) -> Summary | None:
    """The one with the fewest rows that has these dimensions; None: roll-ups are to be read. ``single``: those of which
    one is asked for. An index finds the roll-ups of a key, a team or a user, of which there are few."""
    wanted, alone = set(columns), set(single)
    if alone & {_KEY, _TEAM} or (_USER in alone and not wanted <= {_ORGANIZATION, _USER}):
        return None
    return next((each for each in SUMMARIES if wanted <= set(each.kept)), None)
