"""An inference call as a procedure: retries, time, who pays when it breaks, and callers who leave."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from llm_platform.core.errors import Code, PlatformError
from llm_platform.model_proxy.app import ModelProxy
from llm_platform.model_proxy.journal import Journal
from llm_platform.proto import common_pb2, ledger_pb2
from tests.simulator import Simulator
from tests.unit.model_proxy.parts import MemoryLedger, call_of, opened, read, request, until


def summary(outcomes: list[ledger_pb2.Outcome]) -> list[tuple[str, str, int, bool]]:
    return [(each.result, each.kind, each.status, each.final) for each in outcomes]


@pytest.mark.case(7)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
async def test_a_failure_before_the_first_byte_is_tried_again(
    proxy: ModelProxy, ledger: MemoryLedger, simulator: Simulator, status: int, stream: bool
) -> None:
    call = call_of(f"gpt-test+fail=2+status={status}+retry_after_ms=1", stream=stream)
    reply = await proxy.inference.open(call, request(stream=stream))
    await read(reply)
    outcomes = await ledger.closing(call.route.reservation_id)
    assert summary(outcomes) == [
        ("failed", "exact", status, False),
        ("failed", "exact", status, False),
        ("completed", "exact", 200, True),
    ]
    assert [each.usage.output_tokens for each in outcomes] == [0, 0, 8]
    assert reply.end is not None
    assert reply.end.attempts == 3
    assert [each.attempt_id for each in simulator.record.calls] == [
        f"{call.route.reservation_id}-{number}" for number in (1, 2, 3)
    ]


async def test_a_request_that_forbids_it_is_sent_once(proxy: ModelProxy, simulator: Simulator) -> None:
    with pytest.raises(PlatformError):
        await proxy.inference.open(call_of("gpt-test+fail=1", forbid_retry=True), request())
    assert len(simulator.record.calls) == 1


@pytest.mark.parametrize(
    "how",
    [
        "status=400",
        "should_retry=false",
        "status=429+code=credit_balance_exhausted",
        "status=429+code=insufficient_quota",
        "status=429+code=daily_spend_limit_exceeded",
    ],
)
async def test_what_a_retry_cannot_mend_is_not_tried_again(proxy: ModelProxy, simulator: Simulator, how: str) -> None:
    with pytest.raises(PlatformError):
        await proxy.inference.open(call_of(f"gpt-test+fail=1+{how}"), request())
    assert len(simulator.record.calls) == 1


async def test_nobody_waits_longer_than_the_caller_does(proxy: ModelProxy, simulator: Simulator) -> None:
    with pytest.raises(PlatformError) as failed:
        await proxy.inference.open(call_of("gpt-test+fail=1+status=429+retry_after=60"), request())
    assert (failed.value.code, failed.value.retry_after) == (Code.PROVIDER_RATE_LIMITED, 60)
    assert len(simulator.record.calls) == 1


@pytest.mark.case(7)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_provider_that_does_not_begin_is_a_timeout_and_pays_for_the_prompt(
    proxy: ModelProxy, ledger: MemoryLedger, simulator: Simulator, stream: bool
) -> None:
    call = call_of("gpt-test+first_byte=0.6", stream=stream, timeout_ms=200)
    with pytest.raises(PlatformError) as failed:
        await proxy.inference.open(call, request(stream=stream))
    assert failed.value.code is Code.PROVIDER_TIMEOUT
    [outcome] = await ledger.closing(call.route.reservation_id)
    assert summary([outcome]) == [("timeout", "estimated", 0, True)]
    assert outcome.usage.input_tokens > 0
    assert outcome.usage.output_tokens == 0
    assert len(simulator.record.calls) == 1


@pytest.mark.case(7)
@pytest.mark.case(15)
@pytest.mark.parametrize(
    ("behaviour", "code", "result"),
    [
        ("cut_after=4", Code.PROVIDER_FAILED, "failed"),
        ("error_after=4", Code.PROVIDER_FAILED, "failed"),
        ("stall_after=4", Code.PROVIDER_TIMEOUT, "timeout"),
        ("tokens=3+done=false", Code.PROVIDER_FAILED, "failed"),
    ],
)
async def test_a_stream_that_breaks_is_an_error_after_what_came_and_is_never_repeated(
    proxy: ModelProxy, ledger: MemoryLedger, simulator: Simulator, behaviour: str, code: Code, result: str
) -> None:
    call = call_of(f"gpt-test+pace=0.02+{behaviour}", stream=True, timeout_ms=600)
    reply = await proxy.inference.open(call, request(stream=True))
    body = b""
    with pytest.raises(PlatformError) as failed:  # noqa: PT012 - a loop ends so
        async for part in reply:
            body += part
    [outcome] = await ledger.closing(call.route.reservation_id)
    assert failed.value.code is code
    assert "Grüße" in body.decode()
    assert b"The model failed" not in body
    assert reply.end is None
    assert (outcome.result, outcome.final) == (result, True)
    assert outcome.usage.input_tokens > 0
    assert outcome.usage.output_tokens >= 3
    assert len(simulator.record.calls) == 1


@pytest.mark.case(15)
@pytest.mark.parametrize("behaviour", ["cut_after=0", "error_after=0"])
async def test_a_stream_that_breaks_before_its_first_event_fails_before_the_status_is_decided(
    proxy: ModelProxy, ledger: MemoryLedger, simulator: Simulator, behaviour: str
) -> None:
    call = call_of(f"gpt-test+{behaviour}", stream=True)
    with pytest.raises(PlatformError) as failed:
        await proxy.inference.open(call, request(stream=True))
    assert failed.value.code is Code.PROVIDER_FAILED
    outcomes = await ledger.closing(call.route.reservation_id)
    assert [each.final for each in outcomes] == [False, False, True]
    assert len(simulator.record.calls) == 3


@pytest.mark.case(7)
async def test_a_connection_cut_before_the_answer_is_tried_again_as_an_attempt_of_its_own(
    proxy: ModelProxy, ledger: MemoryLedger, simulator: Simulator
) -> None:
    call = call_of("gpt-test+refuse_connection=1")
    await read(await proxy.inference.open(call, request()))
    outcomes = await ledger.closing(call.route.reservation_id)
    assert summary(outcomes) == [("failed", "estimated", 0, False), ("completed", "exact", 200, True)]
    assert outcomes[0].usage.input_tokens > 0  # the request had left: the provider may have worked on it
    assert [each.repeated for each in simulator.record.calls] == [False, False]


async def test_a_provider_that_is_not_there_costs_nothing(
    tmp_path: Path, ledger: MemoryLedger, simulator: Simulator
) -> None:
    async with opened(tmp_path, ledger, simulator, base_url="http://127.0.0.1:1/v1", retry_count=1) as proxy:
        call = call_of()
        with pytest.raises(PlatformError) as failed:
            await proxy.inference.open(call, request())
        outcomes = await ledger.closing(call.route.reservation_id)
    assert failed.value.code is Code.PROVIDER_FAILED
    assert summary(outcomes) == [("failed", "exact", 0, False), ("failed", "exact", 0, True)]
    assert all(each.usage == common_pb2.Usage() for each in outcomes)


@pytest.mark.case(8)
@pytest.mark.case(14)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_caller_who_leaves_before_the_first_byte_ends_the_provider_call(
    proxy: ModelProxy, ledger: MemoryLedger, simulator: Simulator, stream: bool
) -> None:
    call = call_of("gpt-test+first_byte=0.3", stream=stream)
    opening = asyncio.ensure_future(proxy.inference.open(call, request(stream=stream)))
    await until(lambda: bool(simulator.record.calls))
    opening.cancel()
    [outcome] = await ledger.closing(call.route.reservation_id)
    assert opening.cancelled()
    assert summary([outcome]) == [("cancelled", "estimated", 0, True)]
    assert outcome.usage.input_tokens > 0
    await asyncio.sleep(0.4)
    [served] = simulator.record.calls
    assert served.client_gone
    assert served.completion_tokens == 8  # it goes on and charges, as providers do


@pytest.mark.case(8)
async def test_a_caller_who_leaves_before_anything_was_sent_pays_nothing(
    tmp_path: Path, ledger: MemoryLedger, simulator: Simulator
) -> None:
    connected = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()  # the greeting of TLS, which stays unanswered
        writer.close()

    listener = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    async with opened(tmp_path, ledger, simulator, base_url=url) as proxy:
        call = call_of()
        opening = asyncio.ensure_future(proxy.inference.open(call, request()))
        await connected.wait()
        opening.cancel()
        [outcome] = await ledger.closing(call.route.reservation_id)
    listener.close()
    assert summary([outcome]) == [("cancelled", "exact", 0, True)]
    assert outcome.usage == common_pb2.Usage()


async def test_a_retry_that_cannot_be_journaled_is_not_made_and_the_reservation_is_closed(
    proxy: ModelProxy, ledger: MemoryLedger, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = call_of("gpt-test+fail=1+retry_after_ms=1500")
    opening = asyncio.ensure_future(proxy.inference.open(call, request()))
    await until(lambda: f"{call.route.reservation_id}-1" in ledger.outcomes)

    def no_room(self: Journal, size: int, promise: int) -> None:
        raise PlatformError(Code.UNAVAILABLE, "The call cannot be journaled: no space.")

    monkeypatch.setattr(Journal, "_make_room", no_room)
    with pytest.raises(PlatformError) as refused:
        await opening
    assert refused.value.code is Code.UNAVAILABLE
    await ledger.closing(call.route.reservation_id)
    assert len(simulator.record.calls) == 1


@pytest.mark.case(8)
@pytest.mark.case(14)
@pytest.mark.parametrize("how", ["aclose", "cancel"])
async def test_a_caller_who_leaves_a_stream_pays_for_what_was_produced(
    proxy: ModelProxy, ledger: MemoryLedger, simulator: Simulator, how: str
) -> None:
    call = call_of("gpt-test+pace=0.02+tokens=50", stream=True, max_output_tokens=50)
    reply = await proxy.inference.open(call, request(stream=True, max_tokens=50))

    async def read_some() -> None:
        count = 0
        async for _ in reply:
            count += 1
            if count == 6 and how == "aclose":
                break

    reading = asyncio.ensure_future(read_some())
    if how == "cancel":
        await asyncio.sleep(0.15)
        reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await reply.aclose()
    await reply.aclose()
    [outcome] = await ledger.closing(call.route.reservation_id)
    assert summary([outcome]) == [("cancelled", "estimated", 200, True)]
    assert 1 <= outcome.usage.output_tokens <= 50
    await until(lambda: simulator.record.calls[0].state != "opened")
    assert simulator.record.calls[0].client_gone


async def test_a_caller_who_leaves_between_two_attempts_closes_the_reservation(
    proxy: ModelProxy, ledger: MemoryLedger, simulator: Simulator
) -> None:
    call = call_of("gpt-test+fail=1+retry_after=3")
    opening = asyncio.ensure_future(proxy.inference.open(call, request()))
    await until(lambda: f"{call.route.reservation_id}-1" in ledger.outcomes)
    assert call.route.reservation_id not in ledger.closed
    opening.cancel()
    outcomes = await ledger.closing(call.route.reservation_id)
    assert summary(outcomes)[0][:3] == ("failed", "exact", 500)
    assert len(simulator.record.calls) == 1


async def test_a_stream_longer_than_allowed_is_ended(
    tmp_path: Path, ledger: MemoryLedger, simulator: Simulator
) -> None:
    async with opened(tmp_path, ledger, simulator, stream_max=1) as proxy:
        call = call_of("gpt-test+pace=0.05+tokens=100", stream=True)
        with pytest.raises(PlatformError) as ended:
            await read(await proxy.inference.open(call, request(stream=True)))
        [outcome] = await ledger.closing(call.route.reservation_id)
    assert ended.value.code is Code.TIMEOUT
    assert summary([outcome]) == [("timeout", "estimated", 200, True)]


async def test_draining_refuses_new_calls_and_waits_for_open_ones_and_for_billing(
    tmp_path: Path, ledger: MemoryLedger, simulator: Simulator
) -> None:
    async with opened(tmp_path, ledger, simulator) as proxy:
        call = call_of("gpt-test+pace=0.02+tokens=20", stream=True)
        reply = await proxy.inference.open(call, request(stream=True))
        draining = asyncio.ensure_future(proxy.drain())
        await asyncio.sleep(0.01)
        with pytest.raises(PlatformError) as refused:
            await proxy.inference.open(call_of(), request())
        assert refused.value.code is Code.DRAINING
        assert not draining.done()
        assert (await read(reply)).endswith(b"[DONE]\n\n")
        async with asyncio.timeout(3):
            await draining
        assert call.route.reservation_id in ledger.closed
    assert not list((tmp_path / "journal").glob("jrn_*"))


async def test_an_unknown_provider_is_refused_before_anything_is_journaled(
    proxy: ModelProxy, ledger: MemoryLedger
) -> None:
    with pytest.raises(PlatformError) as refused:
        await proxy.inference.open(call_of(provider="nobody"), request())
    assert refused.value.code is Code.NO_HEALTHY_PROVIDERS
    assert "echo, sim" in refused.value.message
    assert not ledger.outcomes


async def test_a_failing_provider_is_left_alone_and_taken_back(
    proxy: ModelProxy, ledger: MemoryLedger, simulator: Simulator
) -> None:
    failing: dict[str, Any] = {"forbid_retry": True}
    simulator.behave("gpt-test", fail=5)
    for _ in range(5):
        with pytest.raises(PlatformError):
            await proxy.inference.open(call_of(**failing), request())
    with pytest.raises(PlatformError) as refused:
        await proxy.inference.open(call_of(), request())
    assert refused.value.code is Code.NO_HEALTHY_PROVIDERS
    assert refused.value.retry_after
    assert len(simulator.record.calls) == 5
    states = {each.name: each for each in (await proxy.providers.health(common_pb2.Empty())).items}
    assert (states["sim"].state, states["sim"].circuit, states["sim"].failures) == ("down", "open", 5)
    assert (states["echo"].state, states["echo"].score) == ("healthy", 1)
    await proxy.providers.reload(common_pb2.Empty())
    await read(await proxy.inference.open(call_of(), request()))
    states = {each.name: each for each in (await proxy.providers.health(common_pb2.Empty())).items}
    assert (states["sim"].state, states["sim"].circuit) == ("healthy", "closed")
