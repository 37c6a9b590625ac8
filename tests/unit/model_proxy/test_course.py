"""How a provider call went: when it was sent, how long it took, and what the provider calls it."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import datetime
from pathlib import Path

import pytest

from llm_platform.core.errors import PlatformError
from llm_platform.core.provider_ids import provider_request_id
from llm_platform.model_proxy.app import ModelProxy
from llm_platform.model_proxy.attempt import Attempt
from llm_platform.model_proxy.journal import Journal
from llm_platform.model_proxy.provider import Prepared
from llm_platform.model_proxy.request_ids import id_in_body, id_in_events
from tests.simulator import Simulator
from tests.unit.model_proxy.parts import MemoryLedger, call_of, read, request


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("said", ["", "+request_id=req_theirs"])
async def test_an_attempt_says_when_it_was_sent_how_long_it_took_and_the_providers_id(
    proxy: ModelProxy, ledger: MemoryLedger, simulator: Simulator, stream: bool, said: str
) -> None:
    call = call_of(f"gpt-test+first_byte=0.05+pace=0.01{said}", stream=stream)
    began = time.time()
    await read(await proxy.inference.open(call, request(stream=stream)))
    [outcome] = await ledger.closing(call.route.reservation_id)
    passed = (time.time() - began) * 1_000_000
    [seen] = simulator.record.calls
    assert outcome.provider_request_id == seen.request_id != ""
    assert not said or outcome.provider_request_id == "req_theirs"
    assert 50_000 <= outcome.first_byte_us <= outcome.duration_us <= passed
    if stream:  # eight chunks follow the first
        assert outcome.duration_us - outcome.first_byte_us >= 70_000
    assert began - 0.001 <= datetime.fromisoformat(outcome.sent_at).timestamp() <= seen.received_at


async def test_echo_begins_when_its_first_word_comes(proxy: ModelProxy, ledger: MemoryLedger) -> None:
    text = {"role": "user", "content": "one two [[delay_ms=30]]"}
    for stream in (True, False):
        call = call_of("echo", provider="echo", stream=stream)
        await read(await proxy.inference.open(call, request("echo", messages=[text], stream=stream)))
        [outcome] = await ledger.closing(call.route.reservation_id)
        assert 30_000 <= outcome.first_byte_us <= outcome.duration_us
        assert outcome.provider_request_id.startswith("chatcmpl-")


async def test_each_attempt_of_a_call_has_its_own(proxy: ModelProxy, ledger: MemoryLedger) -> None:
    call = call_of("gpt-test+fail=1+retry_after_ms=1+request_id=req_theirs")
    await read(await proxy.inference.open(call, request()))
    first, second = await ledger.closing(call.route.reservation_id)
    assert first.provider_request_id == second.provider_request_id == "req_theirs"
    assert 0 < first.first_byte_us <= first.duration_us
    assert 0 < second.first_byte_us <= second.duration_us
    assert first.sent_at <= second.sent_at


async def test_what_never_came_is_not_said(proxy: ModelProxy, ledger: MemoryLedger) -> None:
    call = call_of("gpt-test+refuse_connection=-1")
    with pytest.raises(PlatformError):
        await proxy.inference.open(call, request())
    for outcome in await ledger.closing(call.route.reservation_id):
        assert (outcome.first_byte_us, outcome.provider_request_id) == (0, "")
        assert outcome.duration_us > 0


async def test_a_stream_that_breaks_off_keeps_what_was_known_of_it(proxy: ModelProxy, ledger: MemoryLedger) -> None:
    call = call_of("gpt-test+cut_after=4+pace=0.01", stream=True)
    reply = await proxy.inference.open(call, request(stream=True))
    with pytest.raises(PlatformError):
        await read(reply)
    [outcome] = await ledger.closing(call.route.reservation_id)
    assert outcome.provider_request_id.startswith("chatcmpl-")
    assert 0 < outcome.first_byte_us < outcome.duration_us


async def test_a_caller_who_leaves_a_stream_leaves_what_was_known_of_it(
    proxy: ModelProxy, ledger: MemoryLedger
) -> None:
    call = call_of("gpt-test+stall_after=3+request_id=req_theirs", stream=True)
    reply = await proxy.inference.open(call, request(stream=True))
    reading = asyncio.ensure_future(read(reply))
    await asyncio.sleep(0.05)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    [outcome] = await ledger.closing(call.route.reservation_id)
    assert (outcome.result, outcome.provider_request_id) == ("cancelled", "req_theirs")
    assert 0 < outcome.first_byte_us < outcome.duration_us


async def test_of_a_call_whose_process_died_only_when_it_was_sent_is_known(tmp_path: Path) -> None:
    journal = await Journal.create(tmp_path)
    await Attempt(journal, call_of(), Prepared(b"{}", stream=False, usage_wanted=False), 1).journal()
    os.close(journal._lock)
    adopted = await Journal.adopt(journal.directory)
    assert adopted is not None
    [outcome], _ = adopted.read(adopted.acknowledged, 10)
    assert (outcome.kind, outcome.first_byte_us, outcome.duration_us) == ("uncertain", 0, 0)
    assert outcome.provider_request_id == ""
    assert outcome.sent_at
    await adopted.aclose(remove=True)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("req_0123", "req_0123"),
        ("", ""),
        ("  req a  ", "req a"),
        ("x" * 100_000, "x" * 128),
        ("req\x00\x1b[31m\n1", "req[31m1"),
        ("Grüße 世界", "Gre "),
    ],
)
def test_of_the_providers_id_a_bounded_part_that_prints_is_kept(said: str, kept: str) -> None:
    assert provider_request_id(said) == kept
    assert len(provider_request_id(said)) <= 128


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"object":"x","choices":[{"id":"no"}],"id":"chatcmpl-1"}', "chatcmpl-1"),
        (b'{"choices":[{"message":{"tool_calls":[{"id":"call_1"}]}}]}', ""),
        (b'{"id":7}', ""),
        (b"[]", ""),
        (b"\xff", ""),
        (b"", ""),
    ],
)
def test_an_answers_id_is_the_one_of_the_answer_itself(body: bytes, found: str) -> None:
    assert id_in_body(body) == found
    assert id_in_events(b": still here\n\ndata:\n\ndata: " + body + b"\n\n") == found
