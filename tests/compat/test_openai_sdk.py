"""The real ``openai`` SDK against every entry."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.compat.entries import EntryPoint

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello, how are you today?"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def test_a_buffered_completion_says_its_usage_and_its_request_id(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="echo", messages=HELLO)
    completion = raw.parse()
    assert completion.object == "chat.completion"
    assert completion.choices[0].message.content
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens > 0
    assert raw.request_id is not None
    assert raw.request_id.startswith("req_")


def test_a_stream_says_the_same_as_the_buffered_completion(client: openai.OpenAI) -> None:
    buffered = client.chat.completions.create(model="echo", messages=HELLO).choices[0].message.content
    chunks = list(client.chat.completions.create(model="echo", messages=HELLO, stream=True))
    assert len(chunks) > 2
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == buffered
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert all(chunk.usage is None for chunk in chunks)


@pytest.mark.case(1)
def test_usage_in_a_stream_equals_the_buffered_usage_and_comes_only_when_asked_for(client: openai.OpenAI) -> None:
    buffered = client.chat.completions.create(model="echo", messages=HELLO).usage
    stream = client.chat.completions.create(
        model="echo", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    *others, last = list(stream)
    assert last.choices == []
    assert last.usage == buffered
    assert all(chunk.usage is None for chunk in others)


def test_a_stream_left_early_leaves_the_entry_usable(client: openai.OpenAI) -> None:
    for _ in range(3):
        with client.chat.completions.create(model="echo", messages=HELLO, stream=True) as stream:
            next(iter(stream))
    assert client.chat.completions.create(model="echo", messages=HELLO).choices


def test_max_tokens_ends_a_completion(client: openai.OpenAI) -> None:
    long: list[ChatCompletionMessageParam] = [{"role": "user", "content": "word " * 50}]
    completion = client.chat.completions.create(model="echo", messages=long, max_tokens=3)
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 3


@pytest.mark.case(16)
def test_tools_are_called_buffered_and_streamed_alike(client: openai.OpenAI) -> None:
    forced: Any = {"type": "function", "function": {"name": "get_weather"}}
    buffered = client.chat.completions.create(model="echo", messages=HELLO, tools=[WEATHER], tool_choice=forced)
    calls = buffered.choices[0].message.tool_calls
    assert calls is not None
    (call,) = calls
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert buffered.choices[0].finish_reason == "tool_calls"
    with client.chat.completions.stream(model="echo", messages=HELLO, tools=[WEATHER], tool_choice=forced) as stream:
        final = stream.get_final_completion()
    streamed = final.choices[0].message.tool_calls
    assert streamed is not None
    assert streamed[0].function.name == "get_weather"
    assert streamed[0].function.arguments == call.function.arguments


async def test_the_async_client_works_too(entry: EntryPoint) -> None:
    async with openai.AsyncOpenAI(base_url=entry.url, api_key=entry.key, max_retries=0) as client:
        stream = await client.chat.completions.create(model="echo", messages=HELLO, stream=True)
        assert [chunk async for chunk in stream]


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    ids = [model.id for model in client.models.list()]
    assert "echo" in ids
    assert client.models.retrieve("echo").id == "echo"
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("no-such-model")
    assert missing.value.code == "model_not_found"


def test_a_provider_over_http_answers_buffered_and_streamed(simulated: EntryPoint, client: openai.OpenAI) -> None:
    buffered = client.chat.completions.create(model="sim", messages=HELLO)
    stream = client.chat.completions.create(
        model="sim", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    streamed = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert buffered.usage is not None
    assert chunks[-1].usage is not None
    assert streamed
    assert chunks[-1].usage.prompt_tokens == buffered.usage.prompt_tokens


def test_a_missing_key_is_an_authentication_error_that_says_what_to_do(entry: EntryPoint) -> None:
    client = openai.OpenAI(base_url=entry.url, api_key="x", max_retries=0, default_headers={"Authorization": ""})
    with pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(model="echo", messages=HELLO)
    assert "llm-gateway keys create" in caught.value.message
    assert caught.value.response.headers["x-error-fault"] == "caller"


def test_an_unknown_key_is_an_authentication_error(entry: EntryPoint) -> None:
    client = openai.OpenAI(base_url=entry.url, api_key="sk-unknown", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(model="echo", messages=HELLO)
    assert caught.value.code == "invalid_api_key"


@pytest.mark.case(26)
def test_a_revoked_key_stops_within_the_promised_time(entry: EntryPoint) -> None:
    made = entry.create_key("short-lived")
    client = openai.OpenAI(base_url=entry.url, api_key=made["secret"], max_retries=0)
    assert client.chat.completions.create(model="echo", messages=HELLO).choices
    entry.revoke_key(made["key_id"])

    def use_until_refused() -> None:
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:
            client.chat.completions.create(model="echo", messages=HELLO)
            time.sleep(0.1)

    with pytest.raises(openai.AuthenticationError):
        use_until_refused()


def test_a_rate_limit_is_told_with_when_to_come_back(entry: EntryPoint) -> None:
    made = entry.create_key("limited", "--rpm", "2")
    client = openai.OpenAI(base_url=entry.url, api_key=made["secret"], max_retries=0)
    for _ in range(2):
        client.chat.completions.create(model="echo", messages=HELLO)
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="echo", messages=HELLO)
    headers = caught.value.response.headers
    assert int(headers["retry-after"]) >= 1
    assert headers["x-ratelimit-limit-requests"] == "2"
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert caught.value.code == "rate_limit_exceeded"


def test_a_key_for_one_model_may_not_use_another(entry: EntryPoint) -> None:
    made = entry.create_key("narrow", "--model", "other")
    client = openai.OpenAI(base_url=entry.url, api_key=made["secret"], max_retries=0)
    with pytest.raises(openai.PermissionDeniedError):
        client.chat.completions.create(model="echo", messages=HELLO)


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="no-such-model", messages=HELLO)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert "echo" in caught.value.message


@pytest.mark.parametrize(
    ("extra", "param"),
    [({"max_tokens": "many"}, "max_tokens"), ({"messages": "hello"}, "messages"), ({"stream": "no"}, "stream")],
)
def test_wrong_types_are_bad_requests_that_name_the_field(
    client: openai.OpenAI, extra: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="echo", messages=HELLO, extra_body=extra)
    assert caught.value.param == param


@pytest.mark.case(27)
def test_a_body_beyond_the_limit_is_refused(simulated: EntryPoint) -> None:
    client = openai.OpenAI(base_url=simulated.url, api_key=simulated.key, max_retries=0)
    huge: list[ChatCompletionMessageParam] = [{"role": "user", "content": "x" * (33 * 1024 * 1024)}]
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="echo", messages=huge)
    assert caught.value.status_code == 413


@pytest.mark.parametrize(
    ("model", "error", "fault"),
    [
        ("sim-refuses", openai.BadRequestError, "caller"),
        ("sim-limited", openai.RateLimitError, "provider"),
        ("sim-broken", openai.InternalServerError, "provider"),
    ],
)
def test_a_providers_failure_keeps_its_meaning(
    simulated: EntryPoint, client: openai.OpenAI, model: str, error: type[openai.APIStatusError], fault: str
) -> None:
    for stream in (False, True):
        with pytest.raises(error) as caught:
            client.chat.completions.create(model=model, messages=HELLO, stream=stream)
        assert caught.value.response.headers["x-error-fault"] == fault
        assert caught.value.response.headers["x-request-id"].startswith("req_")


def test_a_providers_limit_says_when_to_come_back(simulated: EntryPoint, client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="sim-limited", messages=HELLO)
    assert caught.value.response.headers["retry-after"] == "7"


@pytest.mark.case(15)
def test_a_stream_that_breaks_off_raises_in_the_sdk(simulated: EntryPoint, client: openai.OpenAI) -> None:
    received = []

    def read() -> Iterator[None]:
        for chunk in client.chat.completions.create(model="sim-breaks-off", messages=HELLO, stream=True):
            received.append(chunk)
            yield

    with pytest.raises(openai.APIError):
        list(read())
    assert received
