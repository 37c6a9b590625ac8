"""A provider's bytes passed on from where they arrive."""

from __future__ import annotations

import asyncio

import pytest

from llm_platform.http.client.client import HttpClient, ResponseLostError, Target
from llm_platform.http.client.response import Response
from tests.unit.http.client.raw_server import Peer, Server, serving

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


async def opened(client: HttpClient, server: Server) -> Response:
    return await client.request(Target("POST", server.url), [], b"{}", first_byte=2.0, silence=2.0)


async def test_all_that_comes_is_given_in_order_and_the_connection_is_kept() -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.say(HEAD)
            for number in range(20):
                await peer.say(b"3\r\n%03d\r\n" % number)
                await asyncio.sleep(0)
            await peer.say(b"0\r\n\r\n")

    client = HttpClient()
    async with serving() as server:
        server.script = script
        for _ in range(3):
            taken: list[bytes] = []
            await (await opened(client, server)).pour(taken.append)
            assert b"".join(taken) == b"".join(b"%03d" % number for number in range(20))
        assert client.connections(Target("POST", server.url)) == (1, 1)
        await client.aclose()


async def test_a_taker_without_room_stops_the_socket() -> None:
    sent = 0
    room = asyncio.Event()
    taken = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.say(HEAD)
        for _ in range(400):
            await peer.say(b"10000\r\n" + bytes(0x10000) + b"\r\n")
            sent += 0x10000
        await peer.say(b"0\r\n\r\n")

    def take(part: bytes) -> asyncio.Task[bool] | None:
        nonlocal taken
        taken += len(part)
        return None if room.is_set() else asyncio.ensure_future(room.wait())

    client = HttpClient()
    async with serving() as server:
        server.script = script
        pouring = asyncio.create_task((await opened(client, server)).pour(take))  # type: ignore[arg-type]
        await asyncio.sleep(0.2)
        assert sent < 400 * 0x10000
        room.set()
        await pouring
        assert taken == 400 * 0x10000
        await client.aclose()


async def test_a_response_that_breaks_off_raises_after_what_came() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(HEAD + b"3\r\nabc\r\n")

    taken: list[bytes] = []
    client = HttpClient()
    async with serving() as server:
        server.script = script
        with pytest.raises(ResponseLostError):
            await (await opened(client, server)).pour(taken.append)
        await client.aclose()
    assert taken == [b"abc"]


async def test_what_the_taker_raises_is_raised_here() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(HEAD + b"3\r\nabc\r\n")
        await asyncio.sleep(0.02)
        await peer.say(b"3\r\ndef\r\n")
        await asyncio.sleep(1)

    def take(_part: bytes) -> None:
        raise ConnectionResetError("the client left")

    client = HttpClient()
    async with serving() as server:
        server.script = script
        response = await opened(client, server)
        with pytest.raises(ConnectionResetError):
            await response.pour(take)
        response.close()
        await client.aclose()
