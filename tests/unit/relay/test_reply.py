"""One call across a link: what its client sees, how it ends, and what a slow reader does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import inference_pb2
from tests.unit.relay.peers import QUICK, ScriptedService, call, client, linked, read, replica, until


async def forever(_call: inference_pb2.Open) -> None:
    await asyncio.Event().wait()


async def one_then_silence(_call: inference_pb2.Open, _body: bytes) -> AsyncIterator[bytes]:
    yield b"one"
    await asyncio.Event().wait()


async def endless(_call: inference_pb2.Open, body: bytes) -> AsyncIterator[bytes]:
    """``body`` says how large a chunk is; endless unless it is empty."""
    while body:
        yield bytes(int(body))
        await asyncio.sleep(0)
    yield b"done"


async def test_call_body_start_chunks_and_end_cross_unchanged() -> None:
    service = ScriptedService()
    sent = call("req_1", correlation_id="abc")
    async with replica(service) as server, client(server.endpoint) as relay:
        reply = await relay.open(sent, b"body")
        assert (reply.start.status, reply.start.content_type) == (200, "text/plain")
        assert await read(reply) == b"body"
        assert reply.end == inference_pb2.End(attempts=1)
        assert service.calls == [sent]
        await until(lambda: service.closed == 1)


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 262_144, 20_000_000])
async def test_bodies_of_every_size_arrive_whole_in_both_directions(size: int) -> None:
    service = ScriptedService()
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    async with replica(service) as server, client(server.endpoint) as relay:
        assert await read(await relay.open(call(), body)) == body
        assert service.bodies == [body]


@pytest.mark.case(18)
async def test_a_streamed_chunk_larger_than_frame_and_window_stays_one_chunk() -> None:
    async def events(_call: inference_pb2.Open, _body: bytes) -> AsyncIterator[bytes]:
        yield b"data: small\n\n"
        yield b"data: " + b"x" * 1_000_000 + b"\n\n"
        yield b"data: [DONE]\n\n"

    async with replica(ScriptedService(events)) as server, client(server.endpoint) as relay:
        chunks = [len(chunk) async for chunk in await relay.open(call(stream=True), b"")]
    assert chunks == [13, 1_000_008, 14]


@pytest.mark.case(14)
async def test_a_client_that_leaves_before_the_first_byte_cancels_the_call() -> None:
    service = ScriptedService(before=forever)
    async with replica(service) as server, client(server.endpoint) as relay:
        opening = asyncio.create_task(relay.open(call(), b"body"))
        await until(lambda: service.calls)
        opening.cancel()
        await until(lambda: service.cancelled == 1)
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert server.server.open_requests == 0


@pytest.mark.case(14)
async def test_a_client_that_leaves_between_chunks_closes_the_reply() -> None:
    service = ScriptedService(one_then_silence)
    async with replica(service) as server, client(server.endpoint) as relay:
        reply = await relay.open(call(stream=True), b"")
        assert await anext(aiter(reply)) == b"one"
        await reply.aclose()
        await until(lambda: service.closed == 1)
        await reply.aclose()
        assert server.server.open_requests == 0


async def test_closing_a_finished_reply_sends_nothing() -> None:
    async with replica(ScriptedService()) as server, client(server.endpoint) as relay:
        reply = await relay.open(call(), b"body")
        await read(reply)
        (link,) = relay._links
        frames = link.frames_sent
        await reply.aclose()
        assert link.frames_sent == frames
        assert not link._control


async def test_a_refusal_of_the_service_reaches_the_client_whole() -> None:
    async def refuse(_call: inference_pb2.Open) -> None:
        raise PlatformError(Code.PROVIDER_REFUSED, "No such tool.", 1.5, "tools[0]", 422)

    service = ScriptedService(before=refuse)
    async with replica(service) as server, client(server.endpoint) as relay:
        with pytest.raises(PlatformError) as caught:
            await relay.open(call(), b"")
        assert caught.value == PlatformError(Code.PROVIDER_REFUSED, "No such tool.", 1.5, "tools[0]", 422)
        assert len(service.calls) == 1, "an error of the service is not a reason to ask another replica"


async def test_a_failure_after_the_first_byte_ends_the_iteration_after_what_came_before() -> None:
    async def breaks(_call: inference_pb2.Open, _body: bytes) -> AsyncIterator[bytes]:
        yield b"partial"
        raise PlatformError(Code.PROVIDER_FAILED, "The provider broke off.")

    service = ScriptedService(breaks)
    async with replica(service) as server, client(server.endpoint) as relay:
        reply = await relay.open(call(stream=True), b"")
        reader = aiter(reply)
        assert await anext(reader) == b"partial"
        with pytest.raises(PlatformError) as caught:
            await anext(reader)
        assert (caught.value.code, reply.end) == (Code.PROVIDER_FAILED, None)
        await until(lambda: service.closed == 1)


async def test_an_unexpected_failure_is_internal_and_shows_nothing() -> None:
    async def bug(_call: inference_pb2.Open) -> None:
        raise KeyError("secret detail")

    async with replica(ScriptedService(before=bug)) as server, client(server.endpoint) as relay:
        with pytest.raises(PlatformError) as caught:
            await relay.open(call(), b"")
        assert caught.value.code is Code.INTERNAL
        assert "secret" not in caught.value.message


async def test_a_call_that_its_service_gives_up_ends_at_the_client() -> None:
    async def give_up(_call: inference_pb2.Open) -> None:
        raise asyncio.CancelledError

    async with replica(ScriptedService(before=give_up)) as server, client(server.endpoint) as relay:
        with pytest.raises(PlatformError) as caught:
            await relay.open(call(), b"")
        assert caught.value.code is Code.UNAVAILABLE


async def test_no_first_byte_in_time_is_a_timeout_and_cancels_the_call() -> None:
    service = ScriptedService(before=forever)
    async with replica(service) as server, client(server.endpoint) as relay:
        await linked(relay)
        with pytest.raises(PlatformError) as caught:
            await relay.open(call(timeout_ms=50), b"")
        assert caught.value.code is Code.TIMEOUT
        await until(lambda: service.cancelled == 1)


async def test_silence_between_chunks_is_a_timeout_and_cancels_the_call() -> None:
    service = ScriptedService(one_then_silence)
    async with replica(service) as server, client(server.endpoint) as relay:
        await linked(relay)
        reply = await relay.open(call(stream=True, timeout_ms=100), b"")
        with pytest.raises(PlatformError) as caught:
            await read(reply)
        assert caught.value.code is Code.TIMEOUT
        await until(lambda: service.closed == 1)


async def test_a_stream_longer_than_the_timeout_goes_on_while_chunks_come() -> None:
    async def paced(_call: inference_pb2.Open, _body: bytes) -> AsyncIterator[bytes]:
        for _ in range(15):
            await asyncio.sleep(0.02)
            yield b"x"

    async with replica(ScriptedService(paced)) as server, client(server.endpoint) as relay:
        await linked(relay)
        assert await read(await relay.open(call(stream=True, timeout_ms=150), b"")) == b"x" * 15


async def test_a_reader_that_pauses_is_not_taken_for_a_silent_peer() -> None:
    async with replica(ScriptedService()) as server, client(server.endpoint) as relay:
        await linked(relay)
        reply = await relay.open(call(timeout_ms=50), b"body")
        await asyncio.sleep(0.15)
        assert await read(reply) == b"body"


@pytest.mark.case(20)
async def test_a_reader_that_stops_holds_back_its_own_provider_and_nobody_else() -> None:
    settings = replace(QUICK, window_bytes=64 * 1024)
    service = ScriptedService(endless)
    async with replica(service, settings=settings) as server, client(server.endpoint, settings=settings) as relay:
        stopped = await relay.open(call(stream=True), b"1000")
        await until(lambda: service.produced >= 64 * 1024)
        for _ in range(50):
            assert await read(await relay.open(call(), b"")) == b"done"
        bound = 64 * 1024 + 64 * 1024 + 2 * 1000  # the client's window, the server's unsent, a chunk on each side
        assert service.produced <= bound + 50 * len(b"done")
        assert sum(len(chunk) for chunk, _ in stopped._chunks) <= 64 * 1024
        (link,) = server.links
        assert sum(stream.pending for stream in link.streams.values()) <= 64 * 1024 + 1000

        produced = service.produced
        reader = aiter(stopped)
        for _ in range(100):
            await anext(reader)
        await until(lambda: service.produced > produced)
        await stopped.aclose()
        await until(lambda: server.server.open_requests == 0)


async def test_what_arrived_before_the_link_broke_is_still_read() -> None:
    service = ScriptedService(one_then_silence)
    async with replica(service) as server, client(server.endpoint) as relay:
        reply = await relay.open(call(stream=True), b"")
        await until(lambda: reply._chunks)
        server.break_links()
        await until(lambda: not relay._links or reply._failure)
        reader = aiter(reply)
        assert await anext(reader) == b"one"
        with pytest.raises(PlatformError) as caught:
            await anext(reader)
        assert caught.value.code is Code.LINK_BROKEN
        assert reply.end is None
