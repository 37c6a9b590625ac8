"""Both request flows through all services as processes: tail or gateway, head, model-proxy."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.integration.conftest import Platform, eventually

ENTRIES = ("tail-1", "gateway-1")


def post(
    platform: Platform,
    entry: str,
    request: dict[str, Any] | bytes,
    key: str | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any, str]:
    """Status, headers and text."""
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    authorization = f"Bearer {platform.key if key is None else key}"
    sent = {"content-type": "application/json", "authorization": authorization, **(headers or {})}
    call = urllib.request.Request(f"{platform.fleet.url(entry)}/v1/chat/completions", body, sent)
    try:
        with urllib.request.urlopen(call, timeout=20) as response:
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def hello(**fields: Any) -> dict[str, Any]:
    return {"model": "echo", "messages": [{"role": "user", "content": "hello over three hops"}], **fields}


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_completion_comes_back_through_every_hop(platform: Platform, entry: str) -> None:
    status, headers, text = post(platform, entry, hello())
    assert status == 200
    assert json.loads(text)["choices"][0]["message"]["content"] == "hello over three hops"
    assert headers["x-request-id"]


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_stream_comes_back_through_every_hop(platform: Platform, entry: str) -> None:
    status, headers, text = post(platform, entry, hello(stream=True, stream_options={"include_usage": True}))
    events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    chunks = [json.loads(event) for event in events[:-1]]
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert events[-1] == "[DONE]"
    said = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
    assert said == "hello over three hops"
    assert chunks[-1]["usage"]["completion_tokens"] == 4


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_trace_of_a_request_shows_every_hop(platform: Platform, entry: str) -> None:
    trace_id = os.urandom(16).hex()
    assert post(platform, entry, hello(), headers={"traceparent": f"00-{trace_id}-{os.urandom(8).hex()}-01"})[0] == 200

    def hops() -> set[str]:
        return {span["service"] for span in platform.spans() if span["trace_id"] == trace_id}

    eventually(lambda: {entry.removesuffix("-1"), "head", "model-proxy", "billing"} <= hops(), "a span of every hop")


def test_what_was_used_stands_in_the_ledger(platform: Platform) -> None:
    key = platform.fleet.create_key("billed")
    for _ in range(3):
        assert post(platform, "tail-1", hello(), key)[0] == 200

    def rows() -> list[dict[str, Any]]:
        keys = {one["prefix"]: one["key_id"] for one in platform.fleet.command("keys", "list")}
        own = next(key_id for prefix, key_id in keys.items() if key.startswith(prefix.rstrip("….")))
        return [row for row in platform.fleet.command("usage") if row["key_id"] == own]

    eventually(lambda: [row["requests"] for row in rows()] == [3], "three requests in the usage report")
    assert rows()[0]["output_tokens"] == 12
    assert rows()[0]["cost_nano_dollars"] > 0


@pytest.mark.case(26)
def test_a_revoked_key_is_refused_within_the_stated_time(platform: Platform) -> None:
    key = platform.fleet.create_key("short-lived")
    assert post(platform, "tail-1", hello(), key)[0] == 200
    key_id = next(one["key_id"] for one in platform.fleet.command("keys", "list") if one["name"] == "short-lived")
    platform.fleet.command("keys", "revoke", key_id)
    eventually(lambda: post(platform, "tail-1", hello(), key)[0] == 401, "the revoked key is refused", seconds=3)


@pytest.mark.parametrize(
    ("request_body", "status", "code"),
    [
        (b"{not json", 400, "invalid_request"),
        (b'{"model": 5, "messages": []}', 400, "invalid_request"),
        (b'{"model": "echo", "messages": "hi"}', 400, "invalid_request"),
        (b'{"model": "no-such-model", "messages": [{"role": "user", "content": "hi"}]}', 404, "model_not_found"),
    ],
)
@pytest.mark.parametrize("entry", ENTRIES)
def test_bad_requests_are_refused_in_the_dialect(
    platform: Platform, entry: str, request_body: bytes, status: int, code: str
) -> None:
    answered, headers, text = post(platform, entry, request_body)
    error = json.loads(text)["error"]
    assert (answered, error["code"]) == (status, code)
    assert set(error) == {"message", "type", "param", "code"}
    assert headers["x-error-fault"] == "caller"


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_missing_key_says_how_to_get_one(platform: Platform, entry: str) -> None:
    answered, _, text = post(platform, entry, hello(), key="")
    assert answered == 401
    assert "llm-gateway keys create" in text


def test_a_budget_that_is_spent_refuses_the_next_call(platform: Platform) -> None:
    key = platform.fleet.create_key("poor")
    key_id = next(one["key_id"] for one in platform.fleet.command("keys", "list") if one["name"] == "poor")
    platform.fleet.command("budgets", "set", key_id, "0.000001")
    answered, headers, text = post(platform, "tail-1", hello(max_tokens=10_000), key)
    assert (answered, json.loads(text)["error"]["code"]) == (429, "budget_spend_limit_exceeded")
    assert headers["x-error-fault"] == "policy"


@pytest.mark.case(6)
def test_limits_of_a_model_and_of_its_provider_hold_for_both_entries_together(platform: Platform) -> None:
    """The model's is taken by the entries, the provider's by head; rate-limiter counts for all."""
    answers = [post(platform, entry, hello(model="rare")) for entry in ("tail-1", "gateway-1", "tail-1")]
    assert [status for status, _, _ in answers] == [200, 200, 429]
    for _, headers, _ in answers:
        assert headers["x-ratelimit-limit-requests"] == "60"
    _, headers, text = answers[-1]
    assert json.loads(text)["error"]["message"].startswith("All calls of this model's provider together are")
    assert headers["x-error-fault"] == "policy"
    assert 25 <= int(headers["retry-after"]) <= 31
    assert post(platform, "tail-1", hello())[0] == 200, "another model is free"
