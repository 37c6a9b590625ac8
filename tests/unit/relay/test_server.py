"""What a server does with peers that ask too much, say nonsense, or belong to another release."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, inference_pb2
from llm_platform.relay import frames
from llm_platform.relay.server import RelayServer
from tests.unit.relay.peers import (
    QUICK,
    RawPeer,
    ScriptedService,
    call,
    client,
    hello,
    linked,
    message,
    raw_client,
    read,
    replica,
    serving,
    until,
)


def open_frame(stream: int, request_id: str = "req") -> bytes:
    return frames.frame(frames.OPEN, stream, call(request_id).SerializeToString())


def body_frame(stream: int, body: bytes = b"body") -> bytes:
    return frames.frame(frames.DATA, stream, body, frames.LAST)


async def error_of(peer: RawPeer) -> common_pb2.Error:
    return common_pb2.Error.FromString((await peer.read(frames.ERROR)).payload)


async def test_a_body_above_the_limit_is_refused_and_the_link_stays() -> None:
    service = ScriptedService()
    async with replica(service, max_body_bytes=100_000) as server, client(server.endpoint) as relay:
        with pytest.raises(PlatformError) as caught:
            await relay.open(call(), bytes(5_000_000))
        assert caught.value.code is Code.BODY_TOO_LARGE
        assert not service.calls
        assert await read(await relay.open(call(), bytes(100_000))) == bytes(100_000)
        (link,) = server.links
        assert link.peer.replica == "standalone-1"


async def test_more_streams_than_allowed_are_refused_as_not_begun() -> None:
    service = ScriptedService()
    few = replace(QUICK, max_streams=3)
    async with replica(service, settings=few) as server, raw_client(server.endpoint) as peer:
        await peer.write(hello(), *[open_frame(stream) for stream in range(1, 6)])
        for _ in range(2):
            frame = await peer.read(frames.ERROR)
            assert common_pb2.Error.FromString(frame.payload).code == Code.OVERLOADED
            assert frame.flags & frames.REFUSED
        await peer.write(body_frame(1))
        assert (await peer.read(frames.END)).stream == 1


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\xff\xff\xff\xff not a protobuf", id="no batch"),
        pytest.param(message(hello(), b"\x04\x00\x00"), id="header cut short"),
        pytest.param(message(hello(), frames.header(frames.DATA, 0, 1, 2**32 - 1)), id="huge length"),
        pytest.param(message(open_frame(1)), id="no hello"),
        pytest.param(message(frames.frame(frames.HELLO, payload=b"\xff")), id="hello is no message"),
        pytest.param(message(hello(), frames.frame(frames.OPEN, 1, b"\xff\xff")), id="open is no message"),
        pytest.param(message(hello(), open_frame(1), open_frame(1)), id="stream opened twice"),
        pytest.param(message(hello(), frames.frame(frames.OPEN, 1), frames.frame(frames.CREDIT, 1)), id="empty credit"),
    ],
)
async def test_garbage_closes_its_link_with_a_log_line_and_other_links_live_on(garbage: bytes) -> None:
    service = ScriptedService()
    async with replica(service) as server, client(server.endpoint) as relay, raw_client(server.endpoint) as peer:
        await linked(relay)
        with capture_logs() as logs:
            await peer.transport.write(garbage)
            await until(lambda: any(line["log_level"] == "warning" for line in logs))
            await until(lambda: len(server.links) == 1)
        assert [line["event"] for line in logs if line["log_level"] == "warning"] == [
            "relay peer broke the protocol, link closed"
        ]
        assert await read(await relay.open(call(), b"fine")) == b"fine"


async def test_a_peer_that_exceeds_its_credit_is_cut_off() -> None:
    async with replica(ScriptedService()) as server, raw_client(server.endpoint) as peer:
        await peer.write(hello(), open_frame(1))
        await until(lambda: server.server.open_requests == 1)
        await peer.write(frames.frame(frames.DATA, 1, bytes(300_000)))
        await until(lambda: not server.links)


async def test_late_frames_of_an_ended_stream_are_ignored() -> None:
    service = ScriptedService()
    async with replica(service) as server, raw_client(server.endpoint) as peer:
        await peer.write(hello(), open_frame(1), body_frame(1))
        await peer.read(frames.END)
        late = [frames.frame(kind, 1, b"\0\0\0\1") for kind in (frames.DATA, frames.CANCEL, frames.CREDIT)]
        await peer.write(*late, open_frame(2), body_frame(2))
        assert (await peer.read(frames.END)).stream == 2


async def test_a_client_whose_link_breaks_leaves_no_call_running() -> None:
    async def forever(_call: inference_pb2.Open) -> None:
        await asyncio.Event().wait()

    service = ScriptedService(before=forever)
    async with replica(service) as server:
        async with raw_client(server.endpoint) as peer:
            await peer.write(hello(), *[open_frame(stream) + body_frame(stream) for stream in range(1, 11)])
            await until(lambda: len(service.calls) == 10)
        await until(lambda: service.cancelled == 10)
        await until(lambda: not server.server.tasks)


async def test_drain_returns_only_when_the_peer_has_read_the_last_reply() -> None:
    gate = asyncio.Event()

    async def wait(_call: inference_pb2.Open) -> None:
        await gate.wait()

    async with replica(ScriptedService(before=wait)) as server, raw_client(server.endpoint) as peer:
        await peer.write(hello(capabilities=[frames.CONFIRMS_DRAIN]), open_frame(1), body_frame(1))
        await until(lambda: server.server.open_requests)
        draining = asyncio.create_task(server.server.drain())
        await peer.read(frames.DRAIN)
        await peer.write(frames.frame(frames.DRAIN))
        gate.set()
        await peer.read(frames.END)
        ping = await peer.read(frames.PING)
        assert not draining.done()
        await peer.write(frames.frame(frames.PONG, payload=ping.payload))
        await asyncio.wait_for(draining, 2)


async def test_an_open_that_crosses_the_drain_is_refused_as_not_begun() -> None:
    service = ScriptedService()
    async with replica(service) as server, raw_client(server.endpoint) as peer:
        await peer.write(hello(capabilities=[frames.CONFIRMS_DRAIN]))
        await until(lambda: server.links and server.links[0].peer)
        draining = asyncio.create_task(server.server.drain())
        await peer.write(open_frame(1), body_frame(1))
        frame = await peer.read(frames.ERROR)
        assert common_pb2.Error.FromString(frame.payload).code == Code.DRAINING
        assert frame.flags & frames.REFUSED
        assert not service.calls
        draining.cancel()


async def test_calls_run_in_the_context_of_their_link() -> None:
    """An interceptor says there who the caller is."""
    caller: ContextVar[str] = ContextVar("caller")
    seen: list[str] = []

    async def note(_call: inference_pb2.Open) -> None:
        seen.append(caller.get("nobody"))

    server = RelayServer(Config(), ScriptedService(before=note), settings=QUICK)

    async def admit(requests: object, context: Any) -> None:
        caller.set("tail")
        await server._connect(requests, context)

    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(admit)
    async with serving(grpc.method_handlers_generic_handler("llm.v1.Relay", {"Connect": handler})) as (_, port):
        async with client(f"127.0.0.1:{port}") as relay:
            await read(await relay.open(call(), b""))
        await server.aclose()
    assert seen == ["tail"]


async def test_draining_an_idle_server_without_peers_returns_at_once() -> None:
    async with replica(ScriptedService()) as server:
        await asyncio.wait_for(server.server.drain(), 1)


async def test_drain_does_not_wait_for_a_peer_that_dies_meanwhile() -> None:
    async with replica(ScriptedService()) as server:
        async with raw_client(server.endpoint) as peer:
            await peer.write(hello(capabilities=[frames.CONFIRMS_DRAIN]))
            await until(lambda: server.links and server.links[0].peer)
            draining = asyncio.create_task(server.server.drain())
            await peer.read(frames.DRAIN)
        await asyncio.wait_for(draining, 3)


async def test_a_stopping_server_leaves_no_task() -> None:
    before = asyncio.all_tasks()

    async def forever(_call: inference_pb2.Open) -> None:
        await asyncio.Event().wait()

    service = ScriptedService(before=forever)
    async with client("127.0.0.1:9") as relay:
        clients = asyncio.all_tasks()
        async with replica(service) as server:
            relay._connections[server.endpoint] = relay._connection(server.endpoint)
            opening = asyncio.create_task(relay.open(call(forbid_retry=True), b""))
            await until(lambda: service.calls)
        with pytest.raises(PlatformError):
            await opening
        assert not server.server.tasks
        assert clients
    await until(lambda: asyncio.all_tasks() == before)
