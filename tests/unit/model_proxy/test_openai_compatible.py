"""The OpenAI-compatible provider, through the whole of model-proxy, against the strict simulator."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from llm_platform.core.errors import Code, Fault, PlatformError
from llm_platform.model_proxy.app import ModelProxy
from tests.simulator import KEY, Simulator
from tests.unit.model_proxy.parts import MemoryLedger, MemorySecrets, call_of, chunks_of, opened, read, request


async def test_a_buffered_call_is_passed_on_and_its_usage_is_exact(
    proxy: ModelProxy, ledger: MemoryLedger, simulator: Simulator
) -> None:
    call = call_of()
    reply = await proxy.inference.open(call, request())
    body = msgspec.json.decode(await read(reply))
    [outcome] = await ledger.closing(call.route.reservation_id)
    served = simulator.call(f"{call.route.reservation_id}-1")
    assert (reply.start.status, reply.start.provider) == (200, "sim")
    assert reply.start.content_type.startswith("application/json")
    assert body["choices"][0]["message"]["content"].startswith("Grüße aus 世界")
    assert (outcome.kind, outcome.result, outcome.status, outcome.final) == ("exact", "completed", 200, True)
    assert outcome.usage.input_tokens == served.prompt_tokens
    assert outcome.usage.output_tokens == served.completion_tokens
    assert reply.end is not None
    assert (reply.end.usage, reply.end.usage_kind, reply.end.attempts) == (outcome.usage, "exact", 1)
    assert outcome.key_id == "key_1"
    assert outcome.sent_at


@pytest.mark.case(1)
@pytest.mark.case(2)
@pytest.mark.case(3)
@pytest.mark.parametrize("shape", ["own_chunk", "last_choice", "every_chunk"])
@pytest.mark.parametrize("wanted", [True, False])
async def test_a_stream_bills_the_same_as_the_buffered_call(
    proxy: ModelProxy, ledger: MemoryLedger, shape: str, wanted: bool
) -> None:
    model = f"gpt-test+usage={shape}"
    buffered, streamed = call_of(model), call_of(model, stream=True, usage_wanted=wanted)
    await read(await proxy.inference.open(buffered, request()))
    options = {"stream_options": {"include_usage": True}} if wanted else {}
    await read(await proxy.inference.open(streamed, request(stream=True, **options)))
    [one] = await ledger.closing(buffered.route.reservation_id)
    [other] = await ledger.closing(streamed.route.reservation_id)
    assert one.usage == other.usage
    assert one.usage.cached_input_tokens
    assert one.usage.reasoning_tokens
    assert one.usage.input_audio_tokens == 1
    assert (one.kind, other.kind) == ("exact", "exact")


async def test_the_usage_chunk_is_passed_on_only_to_who_asked_for_it(proxy: ModelProxy) -> None:
    unasked = chunks_of(await read(await proxy.inference.open(call_of(stream=True), request(stream=True))))
    asked_for = request(stream=True, stream_options={"include_usage": True})
    asked = chunks_of(await read(await proxy.inference.open(call_of(stream=True, usage_wanted=True), asked_for)))
    assert all(chunk["choices"] for chunk in unasked)
    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"]["completion_tokens"] == 8


async def test_options_of_the_stream_that_the_caller_set_are_kept(proxy: ModelProxy) -> None:
    body = request(stream=True, stream_options={"include_obfuscation": False, "include_usage": False})
    reply = await proxy.inference.open(call_of(stream=True), body)
    assert (await read(reply)).endswith(b"data: [DONE]\n\n")
    assert reply.end is not None
    assert reply.end.usage_kind == "exact"


@pytest.mark.case(18)
async def test_fields_pass_through_unchanged_and_none_is_added(proxy: ModelProxy) -> None:
    known = request(temperature=0.1, metadata={"a": "b"}, seed=12345678901234567)
    await read(await proxy.inference.open(call_of(), known))
    with pytest.raises(PlatformError) as refused:
        await proxy.inference.open(call_of(), request(brand_new_field={"x": 1}))
    assert (refused.value.code, refused.value.status) == (Code.PROVIDER_REFUSED, 400)
    assert "brand_new_field" in refused.value.message
    assert refused.value.param == "brand_new_field"


async def test_the_model_is_renamed_to_the_providers_name(proxy: ModelProxy, simulator: Simulator) -> None:
    call = call_of("gpt-upstream")
    await read(await proxy.inference.open(call, request("my-alias")))
    await read(await proxy.inference.open(call_of("gpt-upstream"), b'{"messages":[{"role":"user","content":"x"}]}'))
    assert {each.model for each in simulator.record.calls} == {"gpt-upstream"}


@pytest.mark.case(16)
@pytest.mark.case(18)
@pytest.mark.parametrize("how", ["split=1", "split=3+crlf=true", "crlf=true+comments=true", "comments=true+split=7"])
async def test_streams_survive_any_way_of_being_cut(proxy: ModelProxy, ledger: MemoryLedger, how: str) -> None:
    names = ["get_weather", "get_time"]
    tools = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in names]
    for fields in ({}, {"tools": tools}):
        call = call_of(f"gpt-test+tokens=12+{how}", stream=True)
        parts = [part async for part in await proxy.inference.open(call, request(stream=True, **fields))]
        assert all(part.endswith(b"\n\n") for part in parts)
        chunks = chunks_of(b"".join(parts))
        [outcome] = await ledger.closing(call.route.reservation_id)
        assert outcome.kind == "exact"
        arguments = {0: "", 1: ""}
        for chunk in chunks:
            for delta in chunk["choices"][0]["delta"].get("tool_calls", ()):
                arguments[delta["index"]] += delta["function"]["arguments"]
        if fields:
            assert {key: msgspec.json.decode(value)["city"] for key, value in arguments.items()} == {
                0: "Zürich",
                1: "Zürich",
            }
        else:
            text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
            assert text.startswith('Grüße aus 世界, dear friend 🌍 and "quotes" \nGrüße')


@pytest.mark.case(18)
async def test_a_line_of_a_megabyte_passes(proxy: ModelProxy) -> None:
    reply = await proxy.inference.open(call_of("gpt-test+line=1000000", stream=True), request(stream=True))
    chunks = chunks_of(await read(reply))
    assert max(len(chunk["choices"][0]["delta"].get("content") or "") for chunk in chunks) == 1_000_000


async def test_a_stream_without_usage_is_estimated(proxy: ModelProxy, ledger: MemoryLedger) -> None:
    call = call_of("gpt-test+usage=none+tokens=40", stream=True)
    await read(await proxy.inference.open(call, request(stream=True)))
    [outcome] = await ledger.closing(call.route.reservation_id)
    assert (outcome.kind, outcome.result) == ("estimated", "completed")
    assert 40 <= outcome.usage.output_tokens <= 80
    assert 10 <= outcome.usage.input_tokens <= 60


@pytest.mark.case(2)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_usage_without_tokens_for_the_text_that_came_is_not_believed(
    stream: bool, proxy: ModelProxy, ledger: MemoryLedger
) -> None:
    call = call_of("gpt-test+uncounted=true+tokens=40", stream=stream)
    await read(await proxy.inference.open(call, request(stream=stream)))
    [outcome] = await ledger.closing(call.route.reservation_id)
    assert (outcome.kind, outcome.result) == ("estimated", "completed")
    assert 40 <= outcome.usage.output_tokens <= 80
    assert outcome.usage.cached_input_tokens == outcome.usage.input_tokens // 2  # as the provider says


async def test_a_provider_that_does_not_stream_is_still_answered(proxy: ModelProxy) -> None:
    reply = await proxy.inference.open(call_of("gpt-test+ignore_stream=true", stream=True), request(stream=True))
    assert reply.start.content_type.startswith("application/json")
    assert msgspec.json.decode(await read(reply))["object"] == "chat.completion"


@pytest.mark.parametrize(
    ("behaviour", "code", "status", "fault"),
    [
        ("fail=-1+status=400", Code.PROVIDER_REFUSED, 400, Fault.CALLER),
        ("fail=-1+status=404", Code.PROVIDER_REFUSED, 404, Fault.CALLER),
        ("fail=-1+status=422", Code.PROVIDER_REFUSED, 422, Fault.CALLER),
        ("fail=-1+status=401", Code.PROVIDER_AUTHENTICATION, 502, Fault.PROVIDER),
        ("fail=-1+status=403", Code.PROVIDER_AUTHENTICATION, 502, Fault.PROVIDER),
        ("fail=-1+status=429+retry_after_ms=1", Code.PROVIDER_RATE_LIMITED, 429, Fault.PROVIDER),
        ("fail=-1+status=503+retry_after_ms=1", Code.PROVIDER_FAILED, 502, Fault.PROVIDER),
        ("fail=-1+status=302", Code.PROVIDER_FAILED, 502, Fault.PROVIDER),
        ("garbage=true", Code.PROVIDER_FAILED, 502, Fault.PROVIDER),
    ],
)
async def test_a_providers_refusal_becomes_the_platforms_error(
    proxy: ModelProxy, ledger: MemoryLedger, behaviour: str, code: Code, status: int, fault: Fault
) -> None:
    call = call_of(f"gpt-test+{behaviour}")
    with pytest.raises(PlatformError) as failed:
        await proxy.inference.open(call, request())
    outcomes = await ledger.closing(call.route.reservation_id)
    assert (failed.value.code, failed.value.status, failed.value.fault) == (code, status, fault)
    assert [each.final for each in outcomes] == [False] * (len(outcomes) - 1) + [True]
    assert {each.result for each in outcomes} == {"failed"}


@pytest.mark.case(21)
@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_a_key_that_the_provider_echoes_goes_no_further(
    proxy: ModelProxy, simulator: Simulator, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    simulator.behave("gpt-test", fail=-1, status=status, message="Bad key {key} and {key}!", retry_after_ms="1")
    with pytest.raises(PlatformError) as failed:
        await proxy.inference.open(call_of(), request())
    assert KEY not in repr(failed.value)
    assert KEY not in str(failed.value.__cause__ or failed.value.__context__)
    output = capsys.readouterr()
    assert KEY not in output.out + output.err


async def test_a_rotated_key_is_used_within_seconds_and_a_lost_secrets_service_is_survived(
    tmp_path: Path, ledger: MemoryLedger, simulator: Simulator
) -> None:
    secrets = MemorySecrets(sim="sk-old-and-revoked-key")
    async with opened(tmp_path, ledger, simulator, secrets) as proxy:
        with pytest.raises(PlatformError) as refused:
            await proxy.inference.open(call_of(), request())
        assert refused.value.code is Code.PROVIDER_AUTHENTICATION
        secrets.set("sim", KEY + "\n")
        async with asyncio.timeout(5):
            while True:
                try:
                    await read(await proxy.inference.open(call_of(), request()))
                    break
                except PlatformError:
                    await asyncio.sleep(0.02)
        secrets.down = True
        await read(await proxy.inference.open(call_of(), request()))


async def test_a_provider_without_a_key_says_how_to_set_it(
    tmp_path: Path, ledger: MemoryLedger, simulator: Simulator
) -> None:
    settings = {"base_url": "https://provider.invalid/v1"}
    async with opened(tmp_path, ledger, simulator, MemorySecrets(), **settings) as proxy:
        with pytest.raises(PlatformError) as refused:
            await proxy.inference.open(call_of(), request())
    assert refused.value.code is Code.NO_HEALTHY_PROVIDERS
    assert "llm-gateway secrets set llm/sim/api_key" in refused.value.message


async def test_a_body_that_is_no_object_is_the_callers_fault(proxy: ModelProxy, simulator: Simulator) -> None:
    for body in (b"[]", b"{", b"\xff\xfe", b'"x"'):
        with pytest.raises(PlatformError) as refused:
            await proxy.inference.open(call_of(), body)
        assert refused.value.code is Code.INVALID_REQUEST
    assert not simulator.record.calls
