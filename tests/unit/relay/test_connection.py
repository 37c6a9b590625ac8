"""How a client keeps its links: connecting again, giving up on dead peers, learning of replicas."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import grpc.aio
import pytest
from structlog.testing import capture_logs

from llm_platform.core.config import Config
from llm_platform.relay import connection, frames
from llm_platform.relay.client import connect
from tests.unit.relay.peers import (
    QUICK,
    RawPeer,
    ScriptedService,
    call,
    client,
    hello,
    linked,
    raw_server,
    read,
    replica,
    until,
)


async def test_a_lost_link_is_made_again() -> None:
    async with replica(ScriptedService()) as server, client(server.endpoint) as relay:
        for _ in range(3):
            await linked(relay)
            assert await read(await relay.open(call(), b"body")) == b"body"
            (link,) = relay._links
            server.break_links()
            await until(lambda link=link: link not in relay._links)  # type: ignore[misc]


async def test_a_replica_that_comes_back_on_its_address_is_used_again() -> None:
    async with replica(ScriptedService()) as server:
        port = server.port
        async with client(server.endpoint) as relay:
            await linked(relay)
            await server.kill()
            await until(lambda: not relay._links)
            async with replica(ScriptedService(), port=port):
                assert await read(await relay.open(call(), b"again")) == b"again"


async def test_an_endpoint_that_refuses_is_logged_once_and_tried_on(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0
    probe = connection.Connection._probe

    async def counting(self: connection.Connection) -> None:
        nonlocal tries
        tries += 1
        await probe(self)

    monkeypatch.setattr(connection.Connection, "_probe", counting)
    with capture_logs() as logs:
        async with client("127.0.0.1:9") as relay:
            await until(lambda: tries >= 5)
            assert "refused" in relay.replicas[0].reason.lower()
    assert len([line for line in logs if line["event"] == "relay link down"]) == 1


async def test_a_channel_that_cannot_be_opened_is_tried_again() -> None:
    tries = 0

    async with replica(ScriptedService()) as server:

        def at_last(config: Config, endpoint: str, service: str) -> grpc.aio.Channel:
            nonlocal tries
            tries += 1
            if tries < 3:
                raise FileNotFoundError("certificate.pem")
            return grpc.aio.insecure_channel(endpoint)

        config = Config(peers={"head": [server.endpoint]})
        async with connect(config, "head", settings=QUICK, open_channel=at_last) as relay:
            assert await read(await relay.open(call(), b"body")) == b"body"
    assert tries == 3


async def test_a_peer_that_accepts_and_says_nothing_is_given_up_and_tried_again() -> None:
    links = 0

    async def silent(_peer: RawPeer) -> None:
        nonlocal links
        links += 1
        await asyncio.Event().wait()

    hasty = replace(QUICK, hello_timeout=0.05)
    async with raw_server(silent) as endpoint, client(endpoint, settings=hasty) as relay:
        await until(lambda: links >= 2)
        assert await relay.health_check() is not None


async def test_a_peer_that_falls_silent_loses_its_requests_to_another_replica() -> None:
    async def falls_silent(peer: RawPeer) -> None:
        await peer.write(hello())
        await peer.read(frames.OPEN)
        await asyncio.Event().wait()

    service = ScriptedService()
    async with raw_server(falls_silent) as frozen, replica(service) as server, client(frozen) as relay:
        await linked(relay)
        opening = asyncio.create_task(relay.open(call(), b"body"))
        await asyncio.sleep(0)
        relay._connections[server.endpoint] = relay._connection(server.endpoint)
        assert await asyncio.wait_for(read(await opening), 5) == b"body"
        assert len(service.calls) == 1


async def test_a_server_that_sends_garbage_loses_only_its_own_link() -> None:
    async def rubbish(peer: RawPeer) -> None:
        await peer.write(hello(), frames.frame(frames.DATA, 0, b"") + b"\x00\x01")
        await asyncio.Event().wait()

    async with raw_server(rubbish) as bad, replica(ScriptedService()) as good, client(bad, good.endpoint) as relay:
        await linked(relay)
        for _ in range(10):
            assert await read(await relay.open(call(), b"body")) == b"body"


async def test_replicas_that_a_hello_announces_are_connected_too() -> None:
    service = ScriptedService()
    async with (
        replica(service, name="head-2") as second,
        replica(ScriptedService(), name="head-1", siblings=[second.endpoint]) as first,
        client(first.endpoint) as relay,
    ):
        await linked(relay, 2)
        assert {each.name for each in relay.replicas} == {"head-1", "head-2"}


async def test_an_announced_replica_that_cannot_be_reached_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TRIES_OF_ANNOUNCED", 2)
    async with replica(ScriptedService(), siblings=["127.0.0.1:9"]) as server, client(server.endpoint) as relay:
        await linked(relay)
        assert len(relay.replicas) == 2
        await until(lambda: len(relay.replicas) == 1)
        assert await read(await relay.open(call(), b"body")) == b"body"


async def test_stream_ids_wrap_around_and_skip_those_in_use() -> None:
    async with replica(ScriptedService()) as server, client(server.endpoint) as relay:
        await linked(relay)
        (link,) = relay._links
        link._next_id = 0xFFFF_FFFE
        replies = [await relay.open(call(), b"body") for _ in range(2)]
        assert [reply.id for reply in replies] == [0xFFFF_FFFF, 1]
        link.streams[2] = replies[0]
        assert link._free_id() == 3
        del link.streams[2]
        for reply in replies:
            await read(reply)
