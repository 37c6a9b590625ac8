"""The way of a call through the entry, over real sockets."""

from __future__ import annotations

import json

import pytest

from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.tokens import tokens_of
from llm_platform.proto import common_pb2, limiter_pb2
from tests.unit.http.parts import (
    CHAT,
    DOCUMENT,
    EVENTS,
    STREAM,
    FixedKeys,
    ScriptedInference,
    client_of,
    config,
    entry_server,
)

PATH = "/v1/chat/completions"


async def test_a_buffered_call_is_answered_with_the_platforms_request_id() -> None:
    inference = ScriptedInference()
    async with entry_server(inference) as server, client_of(server) as client:
        reply = await client.post(PATH, json=CHAT, headers={"x-request-id": "mine\u00e9<script>" + "x" * 500})
        assert reply.status == 200
        assert await reply.read() == DOCUMENT
    call = inference.calls[0]
    assert reply.headers["x-request-id"] == call.request_id
    assert call.request_id.startswith("req_")
    assert call.correlation_id.startswith("minescript")
    assert len(call.correlation_id) <= 128
    assert (call.dialect, call.model, call.principal.key_id, call.entry) == ("openai.chat", "m", "key_good", "tail")
    assert call.timeout_ms == 30_000
    assert json.loads(inference.bodies[0]) == CHAT
    assert inference.replies[0].closed


async def test_a_stream_is_passed_on_event_by_event() -> None:
    inference = ScriptedInference()
    async with entry_server(inference) as server, client_of(server) as client:
        reply = await client.post(PATH, json=STREAM)
        assert reply.headers["content-type"] == "text/event-stream"
        assert await reply.read() == b"".join(EVENTS)
    assert inference.calls[0].stream


async def test_a_caller_can_forbid_retries() -> None:
    inference = ScriptedInference()
    async with entry_server(inference) as server, client_of(server) as client:
        await client.post(PATH, json=CHAT, headers={"x-forbid-retry": "true"})
        await client.post(PATH, json=CHAT)
    assert [call.forbid_retry for call in inference.calls] == [True, False]


async def test_the_choices_asked_for_are_told() -> None:
    inference = ScriptedInference()
    async with entry_server(inference) as server, client_of(server) as client:
        await client.post(PATH, json=CHAT)
        await client.post(PATH, json=CHAT | {"n": 3})
    assert [call.choices for call in inference.calls] == [1, 3]


async def test_a_call_without_a_model_uses_the_configured_default() -> None:
    inference = ScriptedInference()
    async with entry_server(inference) as server, client_of(server) as client:
        assert (await client.post(PATH, json={"messages": CHAT["messages"]})).status == 200
    assert inference.calls[0].model == "echo"


@pytest.mark.parametrize(
    "headers",
    [{"x-api-key": "good"}, {"x-goog-api-key": "good"}, {"X-My-Key": "good"}, {"authorization": "bEARER good"}],
)
async def test_a_key_is_taken_from_any_of_its_headers(headers: dict[str, str]) -> None:
    settings = config(security={"api_key_header": "X-My-Key"})
    async with entry_server(ScriptedInference(), settings=settings) as server, client_of(server) as client:
        client.headers.pop("authorization")
        assert (await client.post(PATH, json=CHAT, headers=headers)).status == 200


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Basic eDp5"}, {"authorization": "Bearer "}, {"authorization": "Bearer " + "k" * 600}],
    ids=["missing", "basic", "empty", "long"],
)
async def test_a_call_without_a_usable_key_is_told_what_to_do(headers: dict[str, str]) -> None:
    inference = ScriptedInference()
    async with entry_server(inference) as server, client_of(server) as client:
        client.headers.pop("authorization")
        reply = await client.post(PATH, json=CHAT, headers=headers)
        assert reply.status == 401
        assert reply.headers["x-error-fault"] == "caller"
        assert reply.headers["www-authenticate"] == "Bearer"
        assert (await reply.json())["error"]["code"] == "invalid_api_key"
    assert not inference.calls


async def test_an_open_entry_serves_calls_without_a_key_but_refuses_a_wrong_one() -> None:
    inference = ScriptedInference()
    settings = config(auth={"require_auth_header": False})
    async with entry_server(inference, settings=settings) as server, client_of(server) as client:
        client.headers.pop("authorization")
        assert (await client.post(PATH, json=CHAT)).status == 200
        assert (await client.post(PATH, json=CHAT, headers={"x-api-key": "wrong"})).status == 401
    assert inference.calls[0].principal.key_id == "anonymous"


@pytest.mark.case(23)
async def test_a_model_the_key_may_not_use_is_refused_and_not_listed() -> None:
    inference = ScriptedInference()
    async with entry_server(inference) as server, client_of(server) as client:
        client.headers["authorization"] = "Bearer narrow"
        reply = await client.post(PATH, json=CHAT)
        assert reply.status == 403
        assert reply.headers["x-error-fault"] == "policy"
        listed = await (await client.get("/v1/models")).json()
        assert [model["id"] for model in listed["data"]] == ["narrow-model"]
        assert (await client.get("/v1/models/m")).status == 404
        assert (await client.get("/v1/models/narrow-model")).status == 200
    assert not inference.calls


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (PlatformError(Code.NO_HEALTHY_PROVIDERS, "None.", retry_after=5), 503, {"retry-after": "5"}),
        (PlatformError(Code.PROVIDER_RATE_LIMITED, "Slow.", retry_after=0.2), 429, {"retry-after-ms": "200"}),
        (PlatformError(Code.BUDGET_EXCEEDED, "Spent."), 429, {"x-should-retry": "false", "x-error-fault": "policy"}),
        (PlatformError(Code.PROVIDER_REFUSED, "No.", upstream_status=422), 422, {"x-error-fault": "caller"}),
        (PlatformError(Code.MODEL_NOT_FOUND, "No.", param="model"), 404, {"x-error-fault": "caller"}),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
async def test_a_failure_before_the_first_byte_keeps_its_status_also_for_a_stream(
    error: PlatformError, status: int, headers: dict[str, str]
) -> None:
    async with entry_server(ScriptedInference(error=error)) as server, client_of(server) as client:
        for body in (CHAT, STREAM):
            reply = await client.post(PATH, json=body)
            assert reply.status == status
            assert (await reply.json())["error"]["message"] == error.message
            assert headers == {name: reply.headers.get(name) for name in headers}


async def test_an_unexpected_failure_says_nothing_of_its_cause() -> None:
    inference = ScriptedInference()

    async def fail() -> None:
        raise RuntimeError("sk-secret at 10.0.0.1")

    inference.before = fail
    async with entry_server(inference) as server, client_of(server) as client:
        reply = await client.post(PATH, json=CHAT)
        text = await reply.text()
        assert reply.status == 500
        assert "secret" not in text
        assert "Runtime" not in text


async def test_limits_are_told_and_enforced() -> None:
    keys = FixedKeys(common_pb2.Limits(requests_per_minute=2, tokens_per_minute=1_000_000))
    async with entry_server(ScriptedInference(), keys=keys) as server, client_of(server) as client:
        first = await client.post(PATH, json=CHAT)
        assert first.headers["x-ratelimit-limit-requests"] == "2"
        assert first.headers["x-ratelimit-remaining-requests"] == "1"
        assert first.headers["x-ratelimit-limit-tokens"] == "1000000"
        assert first.headers["x-ratelimit-reset-requests"].endswith("s")
        await client.post(PATH, json=CHAT)
        refused = await client.post(PATH, json=CHAT)
        assert refused.status == 429
        assert refused.headers["x-error-fault"] == "policy"
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"
        assert (await refused.json())["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.case(13)
async def test_the_tokens_really_used_replace_the_estimate_also_after_a_stream() -> None:
    limiter = RecordingLimiter()
    keys = FixedKeys(common_pb2.Limits(tokens_per_minute=100_000))
    async with entry_server(ScriptedInference(), keys=keys, limiter=limiter) as server, client_of(server) as client:
        for body in (CHAT, STREAM):
            await (await client.post(PATH, json=body | {"max_tokens": 50})).read()
        await client.get("/health")
    assert [item.tokens for item in limiter.acquired] == [
        50 + tokens_of(len(json.dumps(body | {"max_tokens": 50}))) for body in (CHAT, STREAM)
    ]
    assert [item.tokens for item in limiter.finished] == [5, 5]


async def test_a_call_that_failed_gives_its_tokens_back() -> None:
    limiter = RecordingLimiter()
    keys = FixedKeys(common_pb2.Limits(tokens_per_minute=100_000))
    inference = ScriptedInference(error=PlatformError(Code.PROVIDER_FAILED, "No."))
    async with entry_server(inference, keys=keys, limiter=limiter) as server, client_of(server) as client:
        await client.post(PATH, json=CHAT)
        await client.get("/health")
    assert [item.tokens for item in limiter.finished] == [0]


async def test_where_only_requests_are_limited_nothing_is_given_back() -> None:
    limiter = RecordingLimiter()
    keys = FixedKeys(common_pb2.Limits(requests_per_minute=100))
    async with entry_server(ScriptedInference(), keys=keys, limiter=limiter) as server, client_of(server) as client:
        await (await client.post(PATH, json=CHAT)).read()
        await client.get("/health")
    assert len(limiter.acquired) == 1
    assert not limiter.finished


@pytest.mark.case(10)
async def test_requests_pass_while_the_limiter_is_down() -> None:
    keys = FixedKeys(common_pb2.Limits(requests_per_minute=1))
    async with (
        entry_server(ScriptedInference(), keys=keys, limiter=DownLimiter()) as server,
        client_of(server) as client,
    ):
        assert [(await client.post(PATH, json=CHAT)).status for _ in range(3)] == [200, 200, 200]


async def test_more_requests_at_once_than_allowed_are_told_to_come_back() -> None:
    inference = ScriptedInference()
    settings = config(traffic={"max_concurrent_requests": 1})
    async with entry_server(inference, settings=settings) as server, client_of(server) as client:

        async def try_another() -> None:
            inference.before = None
            reply = await client.post(PATH, json=CHAT)
            assert reply.status == 503
            assert reply.headers["retry-after"] == "1"
            assert (await reply.json())["error"]["code"] == "overloaded"

        inference.before = try_another
        assert (await client.post(PATH, json=CHAT)).status == 200
        assert (await client.post(PATH, json=CHAT)).status == 200


async def test_unknown_paths_and_methods_are_refused_in_the_dialect() -> None:
    async with entry_server(ScriptedInference()) as server, client_of(server) as client:
        unknown = await client.post("/v1/unknown", json=CHAT)
        assert (unknown.status, (await unknown.json())["error"]["code"]) == (404, "not_found")
        wrong = await client.get(PATH)
        assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
        assert wrong.headers["x-request-id"]


class RecordingLimiter:
    def __init__(self) -> None:
        self.acquired: list[limiter_pb2.Acquire] = []
        self.finished: list[limiter_pb2.Finish] = []

    async def acquire(self, request: limiter_pb2.AcquireBatch) -> limiter_pb2.AcquireReplies:
        self.acquired += request.items
        return limiter_pb2.AcquireReplies(items=[limiter_pb2.AcquireReply(allowed=True) for _ in request.items])

    async def finish(self, request: limiter_pb2.FinishBatch) -> common_pb2.Empty:
        self.finished += request.items
        return common_pb2.Empty()


class DownLimiter:
    async def acquire(self, request: limiter_pb2.AcquireBatch) -> limiter_pb2.AcquireReplies:
        raise PlatformError(Code.UNAVAILABLE, "rate-limiter is away")

    async def finish(self, request: limiter_pb2.FinishBatch) -> common_pb2.Empty:
        raise PlatformError(Code.UNAVAILABLE, "rate-limiter is away")
