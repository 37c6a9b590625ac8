"""What an entry says of its last hour: what its metrics have counted since the oldest note."""

from __future__ import annotations

from llm_platform.core import metrics
from llm_platform.core.errors import Code, PlatformError
from llm_platform.http.server.traffic import NOTES, PATH, Traffic
from tests.unit.http.parts import CHAT, STREAM, ScriptedInference, client_of, entry_server


class Clock:
    now = 1_767_225_600.0

    def __call__(self) -> float:
        return self.now


async def test_an_entry_says_what_it_has_answered() -> None:
    refusal = PlatformError(Code.PROVIDER_FAILED, "no")
    async with entry_server(ScriptedInference()) as server, client_of(server) as client:
        for body in (CHAT, STREAM):
            await (await client.post("/v1/chat/completions", json=body)).read()
        await client.get("/v1/models", headers={"authorization": "Bearer wrong"})
        server._observation.flush()
        async with client.get(PATH) as reply:
            assert (reply.status, reply.headers["cache-control"]) == (200, "no-store")
            report = await reply.json()
    assert (report["service"], report["replica"]) == ("tail", "standalone-1")
    assert (report["requests"], report["errors"]) == (3, {"caller": 1})
    assert sum(report["duration"]["counts"]) == 3
    assert sum(report["first_byte"]["counts"]) == 2
    assert len(report["duration"]["counts"]) == len(report["duration"]["seconds"]) + 1
    async with entry_server(ScriptedInference(error=refusal)) as server, client_of(server) as client:
        await client.post("/v1/chat/completions", json=CHAT)
        server._observation.flush()
        async with client.get(PATH) as reply:
            report = await reply.json()
    # What was counted before it began, by whatever, is not its own.
    assert (report["requests"], report["errors"]) == (1, {"provider": 1})


def test_only_the_last_hour_counts_and_only_of_this_service() -> None:
    clock = Clock()
    traffic = Traffic("entry-of-a-test", "entry-1", clock=clock)
    duration = metrics.request_duration.labels("entry-of-a-test", "false")
    metrics.request_duration.labels("another", "false").observe(3)
    metrics.errors.labels("another", "caller", "x").inc()
    for minute in range(90):
        duration.observe(0.02 if minute < 60 else 40)
        metrics.errors.labels("entry-of-a-test", "policy", "x").inc()
        clock.now += 60
        traffic.note()
    report = traffic.report()
    assert report.since == "2026-01-01T00:31:00.000Z"
    assert (report.requests, report.errors) == (NOTES - 1, {"policy": NOTES - 1})
    counted = dict(zip([*report.duration.seconds, None], report.duration.counts, strict=True))
    assert {bound: count for bound, count in counted.items() if count} == {0.025: 29, 60: 30}
    assert sum(report.first_byte.counts) == 0


def test_since_the_start_when_that_is_later() -> None:
    clock = Clock()
    traffic = Traffic("entry-that-began", "entry-1", clock=clock)
    clock.now += 600
    traffic.note()
    assert traffic.report().since == "2026-01-01T00:00:00.000Z"
    assert (traffic.report().requests, traffic.report().errors) == (0, {})
