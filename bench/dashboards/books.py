"""What was used: roll-ups as billing writes them, of entries that are archived, and the newest calls as entries.

An active key of a day calls in some hours of it; a few keys do every day, most now and then.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from bench.dashboards.bulk import Bulk
from bench.dashboards.population import KeyOwner
from llm_platform.billing.periods import DAY
from llm_platform.billing.schema import USAGE_COLUMNS
from llm_platform.billing.schema_derived import archived_usage
from llm_platform.billing.usage.grains import HOUR, QUARTER
from llm_platform.billing.usage.sums import DIMENSIONS, MEASURES

MODELS = {"gpt-large": "openai", "gpt-small": "openai", "claude": "anthropic", "mistral": "mistral", "embed": "openai"}
_MODELS = (*MODELS.items(),)
_WEIGHTS = (4, 8, 5, 2, 3)
_BUSY = 0.04
"""The share of keys that call on most days."""
_COLUMNS = ("grain", "starts_at", *DIMENSIONS.values(), *MEASURES)


class Books:
    """``now``: microseconds. The days end with yesterday, in UTC."""

    def __init__(self, keys: Sequence[KeyOwner], days: int, now: int, chance: random.Random) -> None:
        self._keys = keys
        self._now = now
        self._chance = chance
        self._days = [now // DAY * DAY - DAY * number for number in range(days, 0, -1)]
        self._busy = set(chance.sample(range(len(keys)), int(len(keys) * _BUSY)))

    async def write(self, ledger: Bulk, rows: int, calls: int, tell: Callable[[str], None]) -> None:
        """About ``rows`` roll-ups of all lengths, and ``calls`` of the last day."""
        share = self._share(rows)

        def days() -> Iterator[Sequence[Any]]:
            for number, day in enumerate(self._days, 1):
                if number % 10 == 0:
                    tell(f"usage: day {number} of {len(self._days)}")
                yield from self._day(day, share)

        await ledger.insert("usage_rollups", _COLUMNS, days())
        tell("usage: longer roll-ups, archived usage, balances, budgets")
        for coarse, fine in ((HOUR, QUARTER), (DAY, HOUR)):
            await ledger.run(_coarser(coarse, fine))
        names = [column.name for column in archived_usage.columns]
        await ledger.run(
            f"INSERT INTO archived_usage ({', '.join(names)}) SELECT {', '.join(names)} FROM usage_rollups "  # noqa: S608
            f"WHERE grain = {QUARTER}"
        )
        # Billing found no roll-ups when it began, and believes that the summaries have all.
        await ledger.run(f"UPDATE summary_progress SET summarised_from = {2**62}")  # noqa: S608
        tell("usage: calls of the last day")
        await ledger.insert("entries", _ENTRY, self._calls(calls))
        await ledger.run(_BALANCES)
        await self._budgets(ledger)

    def _share(self, rows: int) -> float:
        """How many of the keys that do not call every day do so on one, so that there are about ``rows``."""
        sample = list(self._day(self._days[0], 0.05))
        of_day = len({(row[1] // DAY, *row[2:8]) for row in sample})
        of_hour = len({(row[1] // HOUR, *row[2:8]) for row in sample})
        for_each = (len(sample) + of_day + of_hour) / (0.9 * len(self._busy) + 0.05 * len(self._keys))
        return max((rows / len(self._days) / for_each - 0.9 * len(self._busy)) / len(self._keys), 0.0)

    def _day(self, day: int, share: float) -> Iterator[Sequence[Any]]:
        chance = self._chance
        for number, key in enumerate(self._keys):
            busy = number in self._busy
            if chance.random() >= (0.9 if busy else share):
                continue
            quarters: dict[tuple[int, str, str], int] = {}
            for _ in range(1 + int(chance.expovariate(0.6 if busy else 1.5))):
                model, provider = chance.choices(_MODELS, _WEIGHTS)[0]
                at = day + HOUR * int(chance.triangular(0, 24, 14)) % DAY + QUARTER * chance.randrange(4)
                quarters[at, provider, model] = 1 + int(chance.paretovariate(0.9)) % 10_000
            owner = (key.key_id, key.user_id, key.team_id, key.organization_id)
            for (at, provider, model), requests in sorted(quarters.items()):
                tokens = requests * chance.randrange(50, 4_000)
                usage = (tokens, tokens // 3, 0, tokens // 4, tokens // 9, 0, 0)
                yield QUARTER, at, *owner, provider, model, requests, tokens * 1_300, 0, *usage

    def _calls(self, calls: int) -> Iterator[Sequence[Any]]:
        """Reserved, settled and released, oldest first, up to a minute ago."""
        step = (DAY - 60_000_000) // max(calls, 1)
        for number in range(calls):
            at = self._now - DAY + step * number
            key = self._chance.choice(self._keys)
            model, provider = self._chance.choices(_MODELS, _WEIGHTS)[0]
            name = f"{at:016x}{self._chance.getrandbits(64):016x}"
            tokens = self._chance.randrange(50, 8_000)
            amount = tokens * 1_300
            certainty = "uncertain" if self._chance.random() < 0.001 else "exact"
            owner = (key.key_id, key.user_id, key.team_id, key.organization_id, provider, model)
            of = (f"rsv_{name}", f"req_{name}", *owner, at)
            none = (0,) * len(USAGE_COLUMNS)
            yield "reserve", f"rsv_{name}", *of, at, 2 * amount, "", "", 0, "", *none
            usage = (tokens, tokens // 3, 0, tokens // 4, tokens // 9, 0, 0)
            yield "settle", f"rsv_{name}-1", *of, at + step // 2, amount, certainty, "completed", 200, "seed", *usage
            yield "release", f"rsv_{name}", *of, at + step // 2, 2 * amount, "", "settled", 0, "", *none

    async def _budgets(self, ledger: Bulk) -> None:
        """A monthly one of every user, and one in total of every twentieth key."""
        begin = _month(self._now)
        users = sorted({key.user_id for key in self._keys})
        rows = (
            (f"bud_{number:032x}", "user", user, "", "monthly", "hard", 10**15, "UTC", "", begin, 1, self._now, "seed")
            for number, user in enumerate(users)
        )
        totals = (
            (f"bud_k{number:031x}", "key", key.key_id, "", "total", "hard", 10**15, "UTC", "", 0, 1, self._now, "seed")
            for number, key in enumerate(self._keys[::20])
        )
        await ledger.insert("budgets", _BUDGET, chain(rows, totals))
        await ledger.run(_WINDOWS.format(begin=begin, end=_month(begin + 40 * DAY)))
        await ledger.run(
            "UPDATE balances SET budget = 1000000000000000 WHERE key_id IN "
            "(SELECT scope_id FROM budgets WHERE scope = 'key')"
        )


_ENTRY = (
    "kind", "reference", "reservation_id", "request_id", "key_id", "user_id", "team_id", "organization_id", "provider",
    "model", "reserved_at", "created_at", "amount", "certainty", "result", "status", "price_revision", *USAGE_COLUMNS,
)  # fmt: skip
_BUDGET = (
    "budget_id", "scope", "scope_id", "organization_id", "period", "enforcement", "amount", "time_zone", "thresholds",
    "counted_from", "version", "updated_at", "updated_by",
)  # fmt: skip
_COSTS = "kind IN ('settle', 'adjust')"
_BALANCES = (
    "INSERT INTO balances (key_id, spent, reserved) SELECT key_id, sum(cost), 0 FROM ("  # noqa: S608
    f"SELECT key_id, cost FROM archived_usage UNION ALL SELECT key_id, amount FROM entries WHERE {_COSTS}"
    ") AS parts GROUP BY key_id"
)
_WINDOWS = (
    "INSERT INTO budget_windows (window_id, budget_id, starts_at, ends_at, spent, reserved) "  # noqa: S608
    "SELECT budget_id || '/{begin}', budget_id, {begin}, {end}, sum(cost), 0 FROM ("
    "SELECT user_id, cost FROM archived_usage WHERE starts_at >= {begin} UNION ALL "
    f"SELECT user_id, amount FROM entries WHERE {_COSTS} AND reserved_at >= {{begin}}"
    ") AS parts JOIN budgets ON scope = 'user' AND scope_id = user_id GROUP BY budget_id"
)


def _coarser(coarse: int, fine: int) -> str:
    dimensions = ", ".join(DIMENSIONS.values())
    sums = ", ".join(f"sum({name})" for name in MEASURES)
    return (
        f"INSERT INTO usage_rollups ({', '.join(_COLUMNS)}) "  # noqa: S608 - our own names
        f"SELECT {coarse}, starts_at - starts_at % {coarse}, {dimensions}, {sums} FROM usage_rollups "
        f"WHERE grain = {fine} GROUP BY starts_at - starts_at % {coarse}, {dimensions}"
    )


def _month(at: int) -> int:
    """Its first moment in UTC."""
    first = datetime.fromtimestamp(at / 1_000_000, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return int(first.timestamp()) * 1_000_000
