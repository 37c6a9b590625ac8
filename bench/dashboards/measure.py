"""How long the answers to one question take."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests

from bench.dashboards.operations import Asked

AT_ONCE = 4
PATIENCE = 3
"""An operation that is this many times over the limit is asked less often."""


@dataclass(frozen=True)
class Times:
    """Milliseconds."""

    p50: float
    p95: float
    max: float
    count: int


@dataclass(frozen=True)
class Measured:
    """``failed``: answers other than 200."""

    name: str
    serial: Times
    at_once: Times
    failed: int


def measured(asked: Asked, times: int, limit: float, tell: Callable[[str], None]) -> Measured:
    failures: list[int] = []
    first = _ask(asked, asked.visitor.http, failures)
    count = times if first < PATIENCE * limit else max(times // 10, 5)
    serial = [_ask(asked, asked.visitor.http, failures) for _ in range(count)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        parts = pool.map(lambda part: _asking(asked, part, failures), [count // AT_ONCE] * AT_ONCE)
        at_once = [each for part in parts for each in part]
    result = Measured(asked.name, _times(serial), _times(at_once), len(failures))
    tell(
        f"{asked.name}: p95 {result.serial.p95:.0f} ms, four at once {result.at_once.p95:.0f} ms"
        + (f"; {len(failures)} failed with {failures[0]}" if failures else "")
    )
    return result


def _asking(asked: Asked, count: int, failures: list[int]) -> list[float]:
    with requests.Session() as session:
        session.cookies.update(asked.visitor.http.cookies)
        _ask(asked, session, failures)  # connects
        return [_ask(asked, session, failures) for _ in range(count)]


def _ask(asked: Asked, session: requests.Session, failures: list[int]) -> float:
    began = time.perf_counter()
    reply = session.get(asked.visitor.url + asked.url, timeout=60)
    took = (time.perf_counter() - began) * 1000
    if reply.status_code != 200:
        failures.append(reply.status_code)
    return took


def _times(values: Sequence[float]) -> Times:
    parts = statistics.quantiles(values, n=20, method="inclusive")
    return Times(statistics.median(values), parts[18], max(values), len(values))
