"""The simulator is held to what the real API does, by the openai SDK itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.simulator import KEY, Simulator, running
from tests.simulator.export import export
from tests.simulator.record import read


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[Simulator]:
    async with running(record=tmp_path / "record.jsonl") as simulator:
        yield simulator


@pytest.fixture
async def sdk(simulator: Simulator) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=simulator.url, api_key=KEY, max_retries=0) as sdk:
        yield sdk


MESSAGES: Any = [{"role": "user", "content": "Hello"}]


async def ask(sdk: openai.AsyncOpenAI, attempt: str = "rsv_1-1", model: str = "gpt-test", **fields: Any) -> Any:
    headers = {"X-Client-Request-Id": attempt}
    settings = {"messages": MESSAGES} | fields
    return await sdk.chat.completions.create(model=model, extra_headers=headers, **settings)


async def test_the_sdk_reads_what_it_says_and_the_record_has_the_same_usage(
    sdk: openai.AsyncOpenAI, simulator: Simulator, tmp_path: Path
) -> None:
    answer = await ask(sdk, "rsv_1-1")
    stream = await ask(sdk, "rsv_2-1", stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == answer.choices[0].message.content
    assert chunks[-1].usage == answer.usage
    for call in (simulator.call("rsv_1-1"), simulator.call("rsv_2-1")):
        assert (call.state, call.status) == ("completed", 200)
        assert (call.prompt_tokens, call.completion_tokens) == (
            answer.usage.prompt_tokens,
            answer.usage.completion_tokens,
        )
    assert list(read(tmp_path / "record.jsonl")) == simulator.record.calls
    head, *lines = map(json.loads, export(read(tmp_path / "record.jsonl"), "openai", prices={"gpt-test": (1, 2)}))
    assert (head["export"]["provider"], head["export"]["complete"]) == ("openai", True)
    usage = answer.usage
    assert [(line["attempt_id"], line["input_tokens"], line["output_tokens"]) for line in lines] == [
        (name, usage.prompt_tokens, usage.completion_tokens) for name in ("rsv_1-1", "rsv_2-1")
    ]
    assert Decimal(lines[0]["cost"]) == Decimal(usage.prompt_tokens + 2 * usage.completion_tokens) / 10**12


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"extra_body": {"brand_new": 1}}, "Unrecognized request argument supplied: brand_new"),
        ({"messages": [{"role": "user", "content": "x", "odd": 1}]}, "odd"),
        ({"extra_body": {"user": None}}, "user"),
        ({"temperature": "hot"}, "temperature"),
        ({"messages": []}, "empty array"),
        ({"messages": [{"role": "king", "content": "x"}]}, "Invalid value: 'king'"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "must answer"),
        ({"stream_options": {"include_usage": True}}, "only allowed when 'stream'"),
        ({"tool_choice": "auto"}, "only allowed when 'tools'"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
async def test_it_refuses_what_the_api_refuses(sdk: openai.AsyncOpenAI, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(openai.BadRequestError, match=says):
        await ask(sdk, **fields)


async def test_it_refuses_a_wrong_key_and_counts_repeated_attempts(
    sdk: openai.AsyncOpenAI, simulator: Simulator
) -> None:
    with pytest.raises(openai.AuthenticationError):
        await ask(sdk.with_options(api_key="sk-wrong"))
    await ask(sdk, "rsv_1-1")
    await ask(sdk, "rsv_1-1")
    assert [call.repeated for call in simulator.record.calls] == [False, True]


async def test_parallel_tools_come_side_by_side_a_character_at_a_time(sdk: openai.AsyncOpenAI) -> None:
    tools = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in "ab"]
    arguments = {0: "", 1: ""}
    async for chunk in await ask(sdk, stream=True, tools=tools):
        for delta in chunk.choices[0].delta.tool_calls or ():
            assert len(delta.function.arguments) <= 1
            arguments[delta.index] += delta.function.arguments
    assert arguments == {0: '{"city": "Zürich", "n": 0}', 1: '{"city": "Zürich", "n": 1}'}


async def test_behaviour_is_chosen_by_name_or_set_from_outside(sdk: openai.AsyncOpenAI, simulator: Simulator) -> None:
    with pytest.raises(openai.InternalServerError):
        await ask(sdk, model="gpt-test+fail=1")
    await ask(sdk, model="gpt-test+fail=1")
    simulator.behave("other", fail=-1, status=429, retry_after="7")
    with pytest.raises(openai.RateLimitError) as limited:
        await ask(sdk, model="other")
    assert limited.value.response.headers["retry-after"] == "7"
    with pytest.raises(openai.NotFoundError):
        await ask(sdk, model="gpt-test+no_such_field=1")
    with pytest.raises(openai.APIConnectionError):
        await ask(sdk, model="gpt-test+garbage=true")


async def test_it_goes_on_producing_and_charging_when_the_client_leaves(
    sdk: openai.AsyncOpenAI, simulator: Simulator
) -> None:
    stream = await ask(sdk, model="gpt-test+pace=0.02+tokens=10", stream=True)
    async for _ in stream:
        break
    await stream.close()
    call = simulator.call("rsv_1-1")
    async with asyncio.timeout(5):
        while call.state == "opened":  # noqa: ASYNC110 - the provider is on its own
            await asyncio.sleep(0.01)
    assert (call.state, call.client_gone, call.completion_tokens) == ("completed", True, 10)
