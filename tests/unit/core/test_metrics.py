"""Metrics: the contract's names, the text format, bounded labels."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from llm_platform.core import metrics
from llm_platform.core.config import Config, Service

FORBIDDEN_LABELS = {"user", "user_id", "key", "key_id", "prompt", "request_id", "tenant", "trace_id"}


@pytest.mark.parametrize(
    "name",
    [
        "gateway_requests_total", "gateway_request_duration_seconds", "gateway_provider_requests_total",
        "gateway_cache_hits_total", "gateway_errors_total", "llm_requests_total", "llm_request_duration_seconds",
        "llm_time_to_first_token_seconds", "llm_errors_total", "grpc_server_handled_total",
        "grpc_server_handling_seconds",
    ],
)  # fmt: skip
def test_the_contracts_metrics_are_exposed(name: str) -> None:
    assert f"# TYPE {name} " in metrics.exposition().decode()


def test_a_histogram_counts_as_the_librarys_own() -> None:
    registry = CollectorRegistry()
    ours = metrics.Histogram("ours", "", buckets=(0.1, 1, 5), registry=registry)
    theirs = Histogram("theirs", "", buckets=(0.1, 1, 5), registry=registry)
    for amount in (0.0, 0.1, 0.10001, 1, 4.9, 5, 5.1, 1e9, -1):
        ours.observe(amount)
        theirs.observe(amount)
    text = generate_latest(registry).decode()
    assert [line.removeprefix("ours") for line in text.splitlines() if line.startswith("ours_")] == [
        line.removeprefix("theirs") for line in text.splitlines() if line.startswith("theirs_")
    ]


def test_no_label_is_unbounded() -> None:
    for family in REGISTRY.collect():
        for sample in family.samples:
            assert not FORBIDDEN_LABELS & sample.labels.keys(), family.name


def test_the_exposition_can_be_parsed_and_says_what_runs() -> None:
    metrics.describe_process(Config(service=Service(name="billing", version="9.9.9", environment="staging")))
    families = {family.name: family for family in text_string_to_metric_families(metrics.exposition().decode())}
    labels = [sample.labels for sample in families["llm_build_info"].samples]
    assert {"service": "billing", "version": "9.9.9", "environment": "staging"} in labels
    assert metrics.CONTENT_TYPE.startswith("text/plain; version=0.0.4")


def test_a_bounded_label_keeps_the_first_values() -> None:
    label = metrics.BoundedLabel(limit=2)
    assert [label(value) for value in ("a", "b", "c", "a")] == ["a", "b", "other", "a"]


async def test_a_blocked_event_loop_shows_in_its_lag() -> None:
    def slow_turns() -> float:
        samples = next(iter(metrics.event_loop_lag.collect())).samples
        buckets = {s.labels["le"]: s.value for s in samples if s.name.endswith("_bucket")}
        return buckets["+Inf"] - buckets["0.05"]

    before = slow_turns()
    task = asyncio.create_task(metrics.observe_event_loop(interval=0.01))
    await asyncio.sleep(0.02)
    import time

    time.sleep(0.1)  # noqa: ASYNC251 - the point of the test
    await asyncio.sleep(0.05)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert slow_turns() > before
