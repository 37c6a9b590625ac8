"""Chunks that a relay reply passes on from where they arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.inference import pour
from llm_platform.proto import inference_pb2
from tests.unit.relay.peers import ScriptedService, call, client, read, replica, until


async def numbered(_call: inference_pb2.Open, body: bytes) -> AsyncIterator[bytes]:
    for number in range(int(body)):
        yield b"%d\n" % number
        await asyncio.sleep(0.001)


async def mixed(_call: inference_pb2.Open, _body: bytes) -> AsyncIterator[bytes]:
    """Chunks of one frame and of many, back to back."""
    for number in range(20):
        yield b"small %d" % number
        yield b"%d" % number * 100_000


async def test_every_chunk_is_given_in_order_and_the_end_is_known() -> None:
    taken: list[bytes] = []
    async with replica(ScriptedService(numbered)) as server, client(server.endpoint) as relay:
        reply = await relay.open(call(stream=True), b"200")
        await pour(reply, taken.append)
        assert reply.end == inference_pb2.End(attempts=1)
    assert b"".join(taken) == b"".join(b"%d\n" % number for number in range(200))


async def test_chunks_of_one_frame_do_not_overtake_those_of_many() -> None:
    taken: list[bytes] = []
    async with replica(ScriptedService(mixed)) as server, client(server.endpoint) as relay:
        await pour(await relay.open(call(stream=True), b""), taken.append)
    assert taken == [chunk async for chunk in mixed(call(), b"")]


async def test_a_taker_without_room_holds_back_the_service_and_loses_nothing() -> None:
    service = ScriptedService(mixed)
    room = asyncio.Event()
    taken: list[bytes] = []

    async def until_room() -> None:
        await room.wait()

    def take(chunk: bytes) -> asyncio.Future[None] | None:
        taken.append(chunk)
        return None if room.is_set() else asyncio.ensure_future(until_room())

    async with replica(service) as server, client(server.endpoint) as relay:
        pouring = asyncio.create_task(pour(await relay.open(call(stream=True), b""), take))
        await asyncio.sleep(0.1)
        assert len(taken) == 1
        assert service.produced < 1_000_000
        room.set()
        await pouring
    assert taken == [chunk async for chunk in mixed(call(), b"")]


async def test_a_taker_that_fails_ends_its_own_call_and_not_the_link() -> None:
    def take(_chunk: bytes) -> None:
        raise ConnectionResetError("the client left")

    service = ScriptedService(numbered)
    async with replica(service) as server, client(server.endpoint) as relay:
        other = await relay.open(call(stream=True), b"50")
        reply = await relay.open(call(stream=True), b"1000")
        with pytest.raises(ConnectionResetError):
            await pour(reply, take)
        await reply.aclose()
        assert len((await read(other)).split()) == 50
        await until(lambda: service.closed == 2)


async def test_a_reply_that_breaks_off_raises_after_what_came_before() -> None:
    async def breaking(_call: inference_pb2.Open, _body: bytes) -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.sleep(0.01)
        raise PlatformError(Code.PROVIDER_FAILED, "gone")

    taken: list[bytes] = []
    async with replica(ScriptedService(breaking)) as server, client(server.endpoint) as relay:
        with pytest.raises(PlatformError, match="gone"):
            await pour(await relay.open(call(stream=True), b""), taken.append)
    assert taken == [b"one"]


async def test_a_stream_longer_than_the_timeout_goes_on_while_chunks_come() -> None:
    taken: list[bytes] = []
    async with replica(ScriptedService(numbered)) as server, client(server.endpoint) as relay:
        await pour(await relay.open(call(stream=True, timeout_ms=60), b"100"), taken.append)
    assert b"".join(taken).endswith(b"99\n")


async def test_silence_is_a_timeout() -> None:
    async def silent(_call: inference_pb2.Open, _body: bytes) -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.Event().wait()

    async with replica(ScriptedService(silent)) as server, client(server.endpoint) as relay:
        with pytest.raises(PlatformError) as caught:
            await pour(await relay.open(call(stream=True, timeout_ms=60), b""), lambda _chunk: None)
    assert caught.value.code is Code.TIMEOUT
