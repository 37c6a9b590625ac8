"""The last hour of all entries together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
from aiohttp import web

from llm_platform.admin_dashboard.traffic import KEPT_SECONDS, Traffic, percentile, summed
from llm_platform.http.server.traffic import PATH, Report, Times

BOUNDS = [0.1, 1.0]


def report(replica: str, *counts: int, since: str = "2026-01-01T00:00:00.000Z", **errors: int) -> Report:
    times = Times(BOUNDS, list(counts))
    service = replica.rpartition("-")[0]
    return Report(service, replica, since, sum(counts), errors, times, Times(BOUNDS, [0, 0, 0]))


class Replicas:
    """Answers as HAProxy before several replicas does: each in its turn."""

    def __init__(self, *reports: Report | int) -> None:
        self.reports = list(reports)

    async def answer(self, _request: web.Request) -> web.Response:
        self.reports.append(said := self.reports.pop(0))
        if isinstance(said, int):
            return web.Response(status=said, text="{")
        return web.Response(body=msgspec.json.encode(said), content_type="application/json")


@asynccontextmanager
async def entry(replicas: Replicas) -> AsyncIterator[str]:
    application = web.Application()
    application.add_routes([web.get(PATH, replicas.answer)])
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_entries_and_their_replicas_are_added_up() -> None:
    tails = Replicas(report("tail-1", 8, 2, 0, caller=1), report("tail-2", 2, 0, 0, policy=3, caller=1))
    now = 1000.0
    async with (
        entry(tails) as tail,
        entry(Replicas(report("gateway-1", 0, 0, 8, since="2026-01-01T00:20:00.000Z"))) as gateway,
        aiohttp.ClientSession() as client,
    ):
        traffic = Traffic({"tail": tail, "gateway": gateway}, client, clock=lambda: now)
        summary = await traffic.summary()
        assert summary is not None
        assert (summary["requests"], summary["errors"]) == (20, {"caller": 2, "policy": 3})
        assert summary["since"] == "2026-01-01T00:00:00.000Z"
        assert [each["replica"] for each in summary["entries"]] == ["gateway-1", "tail-1", "tail-2"]
        assert summary["duration"] == {"p50_ms": 100.0, "p95_ms": 1000.0}
        assert (summary["first_byte"], summary["silent"]) == (None, [])

        tails.reports = [tails.reports[0]]  # only one of them is asked: the other still counts for a while
        now += KEPT_SECONDS
        again = await traffic.summary()
        assert again is not None
        assert again["requests"] == 20
        now += 1
        later = await traffic.summary()
        assert later is not None
        assert [each["replica"] for each in later["entries"]] == ["gateway-1", tails.reports[0].replica]  # type: ignore[union-attr]


async def test_entries_that_say_nothing_are_named() -> None:
    async with (
        entry(Replicas(report("tail-1", 1, 0, 0))) as tail,
        entry(Replicas(404)) as before,
        entry(Replicas(200)) as senseless,
        aiohttp.ClientSession() as client,
    ):
        names = {"tail": tail, "before": before, "senseless": senseless, "away": "http://127.0.0.1:9"}
        summary = await Traffic(names, client).summary()
        assert summary is not None
        assert (summary["requests"], summary["silent"]) == (1, ["away", "before", "senseless"])
        assert await Traffic({"before": before}, client).summary() is None


@pytest.mark.parametrize(
    ("counts", "share", "seconds"),
    [
        ({0.1: 10, 1.0: 0}, 0.5, 0.05),
        ({0.1: 10, 1.0: 10}, 0.5, 0.1),
        ({0.1: 10, 1.0: 10}, 0.75, 0.55),
        ({0.1: 0, 1.0: 0, float("inf"): 3}, 0.95, 1.0),
        ({0.1: 1, 1.0: 0, float("inf"): 99}, 0.95, 1.0),
        ({}, 0.5, 0.0),
    ],
)
def test_percentiles_lie_evenly_in_their_bucket(counts: dict[float, int], share: float, seconds: float) -> None:
    assert percentile(counts, share) == pytest.approx(seconds)


def test_releases_with_other_buckets_are_added_up() -> None:
    other = Report(
        "tail", "tail-2", "2026-01-01T00:00:00.000Z", 5, {}, Times([0.1, 0.5, 1.0], [5, 0, 0, 0]), Times([], [])
    )
    assert summed([report("tail-1", 5, 0, 0), other], [])["duration"] == {"p50_ms": 50.0, "p95_ms": 95.0}
