"""What an entry has answered in the last hour, for people who look at it: from the metrics, which count anyway.

Every minute the counters are written down; the last hour is what they have counted since the oldest note. Nothing is
done for a request.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import prometheus_client

from llm_platform.core import metrics
from llm_platform.core.config import Config
from llm_platform.core.lifecycle import in_background
from llm_platform.core.timestamps import Timestamps

PATH = "/health/traffic"
NOTE_SECONDS = 60.0
NOTES = 60

_timestamp = Timestamps()


class Times(msgspec.Struct):
    """How many took how long: ``counts[n]`` at most ``seconds[n]`` and longer than the one before it, the last ones
    longer than all."""

    seconds: list[float]
    counts: list[int]


class Report(msgspec.Struct):
    """Since ``since`` (RFC 3339): an hour ago, or when the process has started."""

    service: str
    replica: str
    since: str
    requests: int
    errors: dict[str, int]
    """By whose fault: caller, policy, platform, provider."""
    duration: Times
    """From a request's arrival to its last byte."""
    first_byte: Times
    """Of answers of models, to the first byte."""


@dataclass(slots=True)
class _Note:
    """The counters at a time. A histogram's counts are cumulative, by the bound as the metrics write it."""

    at: float
    errors: Counter[str] = field(default_factory=Counter)
    duration: Counter[str] = field(default_factory=Counter)
    first_byte: Counter[str] = field(default_factory=Counter)


class Traffic:
    def __init__(self, service: str, replica: str, *, clock: Callable[[], float] = time.time) -> None:
        self._service = service
        self._replica = replica
        self._clock = clock
        self._notes = deque([self._counted()], maxlen=NOTES)

    async def note_forever(self) -> None:
        """Writes down what was counted, each minute, until cancelled."""
        while True:
            await asyncio.sleep(NOTE_SECONDS)
            self.note()

    def note(self) -> None:
        self._notes.append(self._counted())

    def report(self) -> Report:
        first, now = self._notes[0], self._counted()
        duration = _times(first.duration, now.duration)
        return Report(
            service=self._service,
            replica=self._replica,
            since=_timestamp(first.at),
            requests=sum(duration.counts),
            errors=dict(now.errors - first.errors),
            duration=duration,
            first_byte=_times(first.first_byte, now.first_byte),
        )

    def _counted(self) -> _Note:
        note = _Note(self._clock())
        for labels, count in self._samples(metrics.errors, "_total"):
            note.errors[labels["fault"]] += count
        for histogram, counts in (
            (metrics.request_duration, note.duration),
            (metrics.time_to_first_token, note.first_byte),
        ):
            for labels, count in self._samples(histogram, "_bucket"):
                counts[labels["le"]] += count
        return note

    def _samples(
        self, metric: prometheus_client.Counter | metrics.Histogram, kind: str
    ) -> Iterator[tuple[dict[str, str], int]]:
        for family in metric.collect():
            for sample in family.samples:
                if sample.name.endswith(kind) and sample.labels["service"] == self._service:
                    yield sample.labels, int(sample.value)


def _times(before: Counter[str], now: Counter[str]) -> Times:
    """What came to a histogram meanwhile, each bucket by itself."""
    bounds = sorted(now, key=float)
    cumulative = [now[bound] - before[bound] for bound in bounds]
    counts = [count - less for count, less in zip(cumulative, [0, *cumulative], strict=False)]
    return Times([float(bound) for bound in bounds if bound != "+Inf"], counts)


@asynccontextmanager
async def watching(config: Config, service: str) -> AsyncIterator[Traffic]:
    """The traffic of an entry of this process, from now on."""
    traffic = Traffic(service, config.service.replica)
    async with in_background(traffic.note_forever(), "traffic"):
        yield traffic
