"""The built-in provider, through the same path as the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from llm_platform.core.errors import Code, PlatformError
from llm_platform.model_proxy.app import ModelProxy
from tests.unit.model_proxy.parts import MemoryLedger, call_of, chunks_of, opened, read


@pytest.fixture
async def proxy(tmp_path: Path, ledger: MemoryLedger) -> AsyncIterator[ModelProxy]:
    async with opened(tmp_path, ledger) as proxy:
        yield proxy


def said(text: str, **fields: Any) -> bytes:
    return msgspec.json.encode({"model": "echo", "messages": [{"role": "user", "content": text}]} | fields)


async def buffered(proxy: ModelProxy, body: bytes) -> ChatCompletion:
    reply = await proxy.inference.open(call_of("echo", provider="echo"), body)
    return ChatCompletion.model_validate_json(await read(reply), strict=True)


async def streamed(proxy: ModelProxy, body: bytes, **fields: Any) -> list[ChatCompletionChunk]:
    reply = await proxy.inference.open(call_of("echo", provider="echo", stream=True, **fields), body)
    return [ChatCompletionChunk.model_validate(chunk) for chunk in chunks_of(await read(reply))]


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


async def test_it_repeats_the_last_message_and_counts_the_same_either_way(
    proxy: ModelProxy, ledger: MemoryLedger
) -> None:
    whole = await buffered(proxy, said("Hello dear 世界, incomprehensibilities"))
    chunks = await streamed(proxy, said("Hello dear 世界, incomprehensibilities"), usage_wanted=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert whole.choices[0].message.content == text == "Hello dear 世界, incomprehensibilities"
    assert whole.usage is not None
    assert chunks[-1].usage == whole.usage
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (5, 5)
    assert whole.id == chunks[0].id
    await proxy.drain()
    one, other = ledger.outcomes.values()
    assert (one.kind, one.usage) == ("exact", other.usage)


async def test_max_tokens_cuts_the_answer(proxy: ModelProxy) -> None:
    answer = await buffered(proxy, said("one two three", max_tokens=2))
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("one two", "length")
    chunks = await streamed(proxy, said("one two three", max_completion_tokens=1))
    assert chunks[-1].choices[0].finish_reason == "length"


async def test_it_calls_the_tools_it_is_told_to(proxy: ModelProxy) -> None:
    tools = [tool("get_weather"), tool("get_time")]
    asked = said('Please call get_weather {"city": "Zürich"} and call get_time, call nobody', tools=tools)
    answer = await buffered(proxy, asked)
    calls = answer.choices[0].message.tool_calls or []
    functions = [(call.function.name, call.function.arguments) for call in calls if call.type == "function"]
    assert functions == [("get_weather", '{"city": "Zürich"}'), ("get_time", "{}")]
    assert answer.choices[0].finish_reason == "tool_calls"
    arguments: dict[int, str] = {}
    for chunk in await streamed(proxy, asked):
        for delta in chunk.choices[0].delta.tool_calls or ():
            assert delta.function is not None
            arguments[delta.index] = arguments.get(delta.index, "") + (delta.function.arguments or "")
    assert arguments == {0: '{"city": "Zürich"}', 1: "{}"}


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("required", "a"),
        ({"type": "function", "function": {"name": "b"}}, "b"),
        ("auto", None),
        ("none", None),
    ],
)
async def test_a_forced_tool_is_called(proxy: ModelProxy, choice: object, called: str | None) -> None:
    answer = await buffered(proxy, said("hi", tools=[tool("b"), tool("a")], tool_choice=choice))
    calls = answer.choices[0].message.tool_calls
    assert (calls[0].function.name if calls and calls[0].type == "function" else None) == called


async def test_a_tools_result_is_repeated_and_not_called_again(proxy: ModelProxy) -> None:
    messages = [{"role": "user", "content": "call a"}, {"role": "tool", "tool_call_id": "x", "content": "call a"}]
    answer = await buffered(proxy, said("", tools=[tool("a")], messages=messages))
    assert answer.choices[0].message.content == "call a"


async def test_directives_make_it_longer_and_slower(proxy: ModelProxy, ledger: MemoryLedger) -> None:
    began = time.monotonic()
    chunks = await streamed(proxy, said("a b [[tokens=10]] [[delay_ms=10]]"))
    assert time.monotonic() - began >= 0.1
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "a b" * 5
    call = call_of("echo", provider="echo", stream=True)
    reply = await proxy.inference.open(call, said("a b [[tokens=100]] [[delay_ms=10]]"))
    reading = asyncio.ensure_future(read(reply))
    await asyncio.sleep(0.1)
    reading.cancel()
    [outcome] = await ledger.closing(call.route.reservation_id)
    assert (outcome.result, outcome.kind) == ("cancelled", "estimated")
    assert outcome.usage.output_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
async def test_a_delay_beyond_the_timeout_is_a_timeout(proxy: ModelProxy, ledger: MemoryLedger, stream: bool) -> None:
    call = call_of("echo", provider="echo", stream=stream, timeout_ms=50)
    with pytest.raises(PlatformError) as refused:
        await read(await proxy.inference.open(call, said("a b [[delay_ms=5000]]")))
    assert refused.value.code is Code.PROVIDER_TIMEOUT
    [outcome] = await ledger.closing(call.route.reservation_id)
    assert (outcome.result, outcome.kind) == ("timeout", "estimated")
    await buffered(proxy, said("a caller's own delay does no harm to others"))


@pytest.mark.parametrize(
    "body", [b"{}", b"[", said("x", messages=[]), said("x", max_tokens=0), said("x", messages=[{"role": "king"}])]
)
async def test_it_refuses_what_is_no_request(proxy: ModelProxy, body: bytes) -> None:
    with pytest.raises(PlatformError) as refused:
        await proxy.inference.open(call_of("echo", provider="echo"), body)
    assert (refused.value.code, refused.value.status) == (Code.PROVIDER_REFUSED, 400)
