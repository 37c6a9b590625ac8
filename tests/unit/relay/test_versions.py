"""Release N-1 and N interwork in both directions; what a later release adds is passed over."""

from __future__ import annotations

import asyncio

from llm_platform.proto import common_pb2, inference_pb2
from llm_platform.relay import frames
from tests.unit.relay.peers import (
    RawPeer,
    ScriptedService,
    call,
    client,
    hello,
    linked,
    raw_client,
    raw_server,
    read,
    replica,
    until,
)

OLDER = frames.VERSION - 1
LATER_FIELD = b"\xf2\x7f\x05later"  # field 2046, length-delimited
LATER_FRAMES = frames.frame(99, 0, b"of a later release") + frames.frame(98, 7, b"on a stream")


def older_hello() -> bytes:
    """As version 1 said it: no capabilities."""
    return hello(OLDER)


async def answer_like_the_older_release(peer: RawPeer) -> None:
    await peer.write(older_hello())
    while True:
        frame = await peer.read(frames.OPEN, frames.DATA, frames.PING)
        if frame.kind == frames.PING:
            await peer.write(frames.frame(frames.PONG, payload=frame.payload))
        elif frame.kind == frames.DATA and frame.flags & frames.LAST:
            start = inference_pb2.Start(status=200).SerializeToString()
            await peer.write(
                frames.frame(frames.START, frame.stream, start),
                frames.frame(frames.DATA, frame.stream, frame.payload),
                frames.frame(frames.END, frame.stream),
            )


async def test_a_client_of_this_release_is_served_by_an_older_server() -> None:
    async with raw_server(answer_like_the_older_release) as endpoint, client(endpoint) as relay:
        for size in (0, 10, 60_000):
            assert await read(await relay.open(call(), bytes(size))) == bytes(size)
        (link,) = relay._links
        assert link.peer is not None
        assert link.peer.protocol_version == OLDER


async def test_an_older_client_is_served_by_this_release() -> None:
    async with replica(ScriptedService()) as server, raw_client(server.endpoint) as peer:
        open_frame = frames.frame(frames.OPEN, 1, call().SerializeToString())
        await peer.write(older_hello(), open_frame, frames.frame(frames.DATA, 1, b"body", frames.LAST))
        assert frames.decode_hello((await peer.read(frames.HELLO)).payload).protocol_version == frames.VERSION
        assert (await peer.read(frames.START)).stream == 1
        assert (await peer.read(frames.DATA)).payload == b"body"
        assert (await peer.read(frames.END)).stream == 1


async def test_a_drain_does_not_wait_for_the_confirmation_of_a_client_that_knows_none() -> None:
    async with replica(ScriptedService()) as server, raw_client(server.endpoint) as peer:
        await peer.write(older_hello())
        await until(lambda: server.links and server.links[0].peer)
        draining = asyncio.create_task(server.server.drain())
        await peer.read(frames.DRAIN)
        ping = await peer.read(frames.PING)
        await peer.write(frames.frame(frames.PONG, payload=ping.payload))
        await asyncio.wait_for(draining, 0.9)  # shorter than the wait for a confirmation


async def test_the_drain_of_an_older_server_is_heeded() -> None:
    async def drains(peer: RawPeer) -> None:
        await peer.write(older_hello(), frames.frame(frames.DRAIN))
        await asyncio.Event().wait()

    service = ScriptedService()
    async with raw_server(drains) as old, replica(service) as new, client(old, new.endpoint) as relay:
        await linked(relay, 2)
        await until(lambda: any(link.draining for link in relay._links))
        for _ in range(4):
            await read(await relay.open(call(), b"body"))
        assert len(service.calls) == 4


async def test_kinds_flags_and_fields_of_a_later_release_are_passed_over_by_a_server() -> None:
    service = ScriptedService()
    async with replica(service) as server, raw_client(server.endpoint) as peer:
        said = inference_pb2.Hello(protocol_version=frames.VERSION + 5, capabilities=["later"], window_bytes=65536)
        await peer.write(
            frames.frame(frames.HELLO, payload=said.SerializeToString() + LATER_FIELD),
            LATER_FRAMES,
            frames.frame(frames.OPEN, 1, call("req_1").SerializeToString() + LATER_FIELD, flags=0x80),
            frames.frame(97, 1, b"on our stream"),
            frames.frame(frames.DATA, 1, b"body", frames.LAST | 0x80),
        )
        assert (await peer.read(frames.DATA)).payload == b"body"
        assert service.calls[0].request_id == "req_1"


async def test_kinds_flags_and_fields_of_a_later_release_are_passed_over_by_a_client() -> None:
    async def later(peer: RawPeer) -> None:
        await peer.write(hello(frames.VERSION + 5), LATER_FRAMES)
        stream = (await peer.read(frames.OPEN)).stream
        start = inference_pb2.Start(status=201).SerializeToString() + LATER_FIELD
        end = inference_pb2.End(attempts=2, usage=common_pb2.Usage(input_tokens=3)).SerializeToString() + LATER_FIELD
        await peer.write(
            frames.frame(frames.START, stream, start, flags=0x80),
            frames.frame(96, stream, b"on the stream"),
            frames.frame(frames.DATA, stream, b"answer", flags=0x80),
            frames.frame(frames.END, stream, end),
        )
        await asyncio.Event().wait()

    async with raw_server(later) as endpoint, client(endpoint) as relay:
        reply = await relay.open(call(), b"")
        assert reply.start.status == 201
        assert await read(reply) == b"answer"
        assert reply.end is not None
        assert (reply.end.attempts, reply.end.usage.input_tokens) == (2, 3)
