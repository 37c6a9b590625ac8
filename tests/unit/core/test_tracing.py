"""Traces: decided once, free when not sampled, whole when sampled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_platform.core import logging, tracing
from llm_platform.core.config import Config, Service, Telemetry
from llm_platform.core.errors import Code, PlatformError

PARENT = f"00-{'ab' * 16}-{'cd' * 8}-01"


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Starts tracing with a ratio; then gives the spans, sent and read back."""
    path = tmp_path / "spans.jsonl"

    def spans(ratio: float | None = None) -> list[dict[str, Any]]:
        if ratio is not None:
            telemetry = Telemetry(enabled=True, endpoint=path.as_uri(), sample_ratio=ratio)
            tracing.configure(Config(service=Service(name="tail", replica="tail-1"), telemetry=telemetry))
            return []
        tracing.shutdown()
        return [json.loads(line) for line in path.read_text().splitlines()]

    yield spans
    tracing.shutdown()


def test_without_telemetry_nothing_is_sampled() -> None:
    assert tracing.entry("x", PARENT) is tracing.UNSAMPLED
    assert tracing.span("x", PARENT) is tracing.UNSAMPLED


def test_hops_are_one_trace(traced: Callable[..., list[dict[str, Any]]]) -> None:
    traced(1.0)
    with (
        tracing.entry("tail", None, {"http.route": "/v1"}) as entry,
        tracing.span("head", entry.traceparent) as head,
    ):
        head.set(tracing.GenAI.PROVIDER, "openai")
        tracing.span("provider", head.traceparent, "client").end()
    provider, head_span, root = traced()
    assert len({span["trace_id"] for span in (provider, head_span, root)}) == 1
    assert root["parent_id"] == ""
    assert head_span["parent_id"] == root["span_id"]
    assert provider["parent_id"] == head_span["span_id"]
    assert provider["kind"] == "client"
    assert root["attributes"] == {"http.route": "/v1"}
    assert head_span["attributes"] == {"gen_ai.provider.name": "openai"}
    assert root["service"] == "tail"


def test_a_callers_sampled_trace_is_continued(traced: Callable[..., list[dict[str, Any]]]) -> None:
    traced(0.0)
    with tracing.entry("tail", PARENT):
        pass
    (span,) = traced()
    assert (span["trace_id"], span["parent_id"]) == ("ab" * 16, "cd" * 8)


NO_TRACE = f"00-{'0' * 32}-{'cd' * 8}-01"
NO_PARENT = f"00-{'ab' * 16}-{'0' * 16}-01"


@pytest.mark.parametrize(
    "incoming", [None, "", "garbage", PARENT[:-2] + "00", NO_TRACE, NO_PARENT, PARENT.upper(), PARENT + "x"]
)
def test_anything_else_is_left_to_the_dice(traced: Callable[..., list[dict[str, Any]]], incoming: str | None) -> None:
    traced(0.0)
    assert tracing.entry("tail", incoming) is tracing.UNSAMPLED
    traced(1.0)
    span = tracing.entry("tail", incoming)
    assert span.traceparent
    assert "ab" * 16 not in span.traceparent
    span.end()


def test_later_hops_do_not_roll_again(traced: Callable[..., list[dict[str, Any]]]) -> None:
    traced(1.0)
    assert tracing.span("head", "") is tracing.UNSAMPLED
    assert tracing.span("head", "garbage") is tracing.UNSAMPLED


def test_a_failure_marks_the_span_and_shows_no_secret(traced: Callable[..., list[dict[str, Any]]]) -> None:
    traced(1.0)
    with pytest.raises(PlatformError), tracing.entry("tail"):
        raise PlatformError(Code.PROVIDER_FAILED, "https://h/?key=canary-1234 failed")
    ended = tracing.entry("twice")
    ended.end()
    ended.end(ValueError("ignored"))
    first, second = traced()
    assert first["status"] == "error"
    assert first["attributes"]["error.type"] == "provider_failed"
    assert "canary" not in json.dumps(first)
    assert second["status"] == "unset"


def test_log_lines_carry_the_trace_while_a_span_is_open(traced: Callable[..., list[dict[str, Any]]]) -> None:
    traced(1.0)
    with tracing.entry("tail") as span:
        assert logging.trace_id.get() == span.traceparent[3:35]
    assert logging.trace_id.get() == ""


def test_a_collector_that_is_away_does_not_hold_up_requests() -> None:
    tracing.configure(Config(telemetry=Telemetry(enabled=True, endpoint="http://127.0.0.1:9", sample_ratio=1.0)))
    for _ in range(10_000):
        tracing.entry("x").end()
    tracing._Tracing.tracer = None
    provider, tracing._Tracing.shut_down = tracing._Tracing.shut_down, None
    assert provider is not None
