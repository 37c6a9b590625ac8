"""What the entries have answered in the last hour, together.

An entry's URL may stand for several replicas, each with numbers of its own, and gives one of them. So it is asked more
than once, and what each replica said counts for a while.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import aiohttp
import msgspec

from llm_platform.http.server.traffic import PATH, Report, Times

ASKED = 2
"""How often each entry is asked at once."""
KEPT_SECONDS = 120.0
"""A replica that has not answered for so long does not count any more."""
_decode = msgspec.json.Decoder(Report).decode


class Traffic:
    def __init__(
        self,
        entries: Mapping[Any, str],
        client: aiohttp.ClientSession,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``entries``: names and URLs."""
        self._entries = entries
        self._client = client
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[float, Report]] = {}

    async def summary(self) -> dict[str, Any] | None:
        """None: no entry says anything of it."""
        asked = [(name, self._ask(url)) for name, url in self._entries.items() for _ in range(ASKED)]
        answers = await asyncio.gather(*(answer for _, answer in asked))
        now = self._clock()
        for report in answers:
            if report is not None:
                self._known[report.service, report.replica] = (now, report)
        self._known = {name: seen for name, seen in self._known.items() if now - seen[0] <= KEPT_SECONDS}
        silent = {name for name, _ in asked} - {
            name for (name, _), report in zip(asked, answers, strict=True) if report is not None
        }
        reports = [report for _, report in self._known.values()]
        return summed(reports, sorted(silent)) if reports else None

    async def _ask(self, url: str) -> Report | None:
        try:
            async with self._client.get(f"{url}{PATH}") as reply:
                return _decode(await reply.read()) if reply.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
            return None


def summed(reports: Sequence[Report], silent: Sequence[str]) -> dict[str, Any]:
    """``silent``: entries that did not answer."""
    errors: Counter[str] = Counter()
    for report in reports:
        errors.update(report.errors)
    replicas = sorted((report.service, report.replica, report.since) for report in reports)
    return {
        "since": min(report.since for report in reports),
        "requests": sum(report.requests for report in reports),
        "errors": dict(errors),
        "duration": _percentiles(report.duration for report in reports),
        "first_byte": _percentiles(report.first_byte for report in reports),
        "entries": [{"name": name, "replica": replica, "since": since} for name, replica, since in replicas],
        "silent": list(silent),
    }


def _percentiles(of: Iterable[Times]) -> dict[str, float] | None:
    """Milliseconds; None: there is nothing to measure."""
    counts: Counter[float] = Counter()
    for times in of:
        counts.update(dict(zip([*times.seconds, float("inf")], times.counts, strict=False)))
    if not counts.total():
        return None
    return {name: round(1000 * percentile(counts, share), 1) for name, share in (("p50_ms", 0.5), ("p95_ms", 0.95))}


def percentile(counts: Mapping[float, int], share: float) -> float:
    """By the upper bounds of buckets: as if the times of one lay evenly in it. Beyond the last bound, that bound."""
    bounds = sorted(counts)
    wanted = share * sum(counts.values())
    lower = 0.0
    for bound, reached in zip(bounds, accumulate(counts[bound] for bound in bounds), strict=True):
        if reached >= wanted and counts[bound]:
            if bound == float("inf"):
                return lower
            return lower + (bound - lower) * (wanted - (reached - counts[bound])) / counts[bound]
        lower = bound
    return lower
