"""The HTTP client against a server that does what it likes with the bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvloop

from llm_platform.http.client.client import (
    ClientError,
    ConnectError,
    HttpClient,
    Response,
    ResponseLostError,
    Target,
    TooManyConnectionsError,
    read_body,
)
from tests.unit.http.client.raw_server import HELLO, Peer, Script, Server, answering, serving, until

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the:pytest.PytestDeprecationWarning")


@pytest.fixture(params=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    return uvloop.EventLoopPolicy() if request.param == "uvloop" else asyncio.DefaultEventLoopPolicy()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient(connect_timeout=2)
    yield client
    await client.aclose()


async def post(client: HttpClient, server: Server, body: bytes = b"{}", **settings: Any) -> Response:
    limits = {"first_byte": 2.0, "silence": 2.0} | settings
    return await client.request(Target("POST", server.url), [("x-id", "1")], body, **limits)


async def fetch(client: HttpClient, server: Server, body: bytes = b"{}", **settings: Any) -> bytes:
    return await read_body(await post(client, server, body, **settings), 10_000_000)


async def test_a_request_is_written_once_with_its_headers_and_length(client: HttpClient, server: Server) -> None:
    assert await fetch(client, server, b'{"a":1}') == b"hello"
    [request] = server.requests
    head, body = request.split(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/x HTTP/1.1\r\nhost: 127.0.0.1:")
    assert b"\r\nx-id: 1\r\ncontent-length: 7" in head
    assert body == b'{"a":1}'


async def test_connections_are_kept_and_used_again(client: HttpClient, server: Server) -> None:
    for _ in range(3):
        assert await fetch(client, server) == b"hello"
    assert server.connections == 1
    assert client.connections(Target("POST", server.url)) == (1, 1)


ANSWERS = {
    "content-length": (HELLO, b"hello", True),
    "chunked": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\ntrailer: 1\r\n\r\n",
        b"hello",
        True,
    ),
    "until close": (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello", b"hello", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello", False),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + HELLO, b"hello", True),
    "bare reason": (b"HTTP/1.1 200\r\ncontent-length: 5\r\n\r\nhello", b"hello", True),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_response_is_the_same_wherever_its_bytes_are_cut(client: HttpClient, server: Server, name: str) -> None:
    answer, body, kept = ANSWERS[name]

    def script_of(*parts: bytes) -> Script:
        async def script(peer: Peer) -> None:
            while True:
                await peer.request()
                await peer.say(*parts)
                if not kept:
                    return

        return script

    server.script = script_of(answer)
    assert await fetch(client, server) == body
    server.script = script_of(*(answer[at : at + 1] for at in range(len(answer))))
    assert await fetch(client, server) == body
    for at in range(1, len(answer), 7):
        server.script = script_of(answer[:at], answer[at:])
        assert await fetch(client, server) == body


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\x01 no HTTP at all\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n" * 10_000,
    ],
)
async def test_garbage_is_refused_and_the_connection_closed(client: HttpClient, server: Server, answer: bytes) -> None:
    server.script = answering(answer)
    with pytest.raises(ResponseLostError) as lost:
        await fetch(client, server)
    assert not lost.value.stale
    async with asyncio.timeout(2):
        await server.closed.wait()
    assert client.connections(Target("POST", server.url)) == (0, 0)


@pytest.mark.parametrize("cut_at", [0, 10, 30, len(HELLO) - 1])
async def test_a_cut_response_is_lost_and_says_what_is_known(client: HttpClient, server: Server, cut_at: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(HELLO[:cut_at])

    server.script = script
    with pytest.raises(ResponseLostError) as lost:
        await fetch(client, server)
    assert (lost.value.began, lost.value.written, lost.value.stale) == (cut_at > 0, True, False)


async def test_a_kept_connection_that_closes_as_it_is_used_again_is_stale(client: HttpClient, server: Server) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(HELLO)
        await peer.request()  # and closes, without a word

    server.script = script
    assert await fetch(client, server) == b"hello"
    with pytest.raises(ResponseLostError) as lost:
        await fetch(client, server)
    assert lost.value.stale
    assert len(server.requests) == 2  # the client sends nothing twice by itself


async def test_a_kept_connection_closed_while_idle_is_not_used(client: HttpClient, server: Server) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(HELLO)

    server.script = script
    for count in (1, 2, 3):
        assert await fetch(client, server) == b"hello"
        assert server.connections == count
        await until(lambda: client.connections(Target("POST", server.url)) == (0, 0))


async def test_words_on_an_idle_connection_close_it(client: HttpClient, server: Server) -> None:
    server.script = answering(HELLO, HELLO)
    assert await fetch(client, server) == b"hello"
    async with asyncio.timeout(2):
        await server.closed.wait()
    server.script = answering(HELLO + HELLO)
    for count in (2, 3):
        assert await fetch(client, server) == b"hello"
        assert server.connections == count


async def test_idle_connections_go_after_their_time(server: Server) -> None:
    client = HttpClient(idle_seconds=0.05)
    target = Target("POST", server.url)
    await fetch(client, server)
    await until(lambda: client.connections(target) == (0, 0))
    server.script = answering(HELLO.replace(b"\r\n\r\n", b"\r\nkeep-alive: timeout=1, max=5\r\n\r\n"))
    client = HttpClient(idle_seconds=60)
    await fetch(client, server)
    await fetch(client, server)
    assert server.connections == 3  # a second before the server's own patience ends there is none left
    await client.aclose()


async def test_silence_before_the_head_ends_in_a_timeout_even_when_it_trickles(
    client: HttpClient, server: Server
) -> None:
    async def trickle(peer: Peer) -> None:
        await peer.request()
        for byte in HELLO:
            await peer.say(bytes([byte]))
            await asyncio.sleep(0.02)

    server.script = trickle
    with pytest.raises(ResponseLostError) as lost:
        await fetch(client, server, first_byte=0.1)
    assert lost.value.timeout
    assert lost.value.written


async def test_silence_in_the_body_ends_in_a_timeout_and_words_prolong_it(client: HttpClient, server: Server) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        for _ in range(8):
            await asyncio.sleep(0.05)
            await peer.say(b"x")
        await peer.reader.read()

    server.script = script
    response = await post(client, server, silence=0.2)
    body = b""
    with pytest.raises(ResponseLostError) as lost:  # noqa: PT012 - a loop ends so
        async for part in response:
            body += part
    assert lost.value.timeout
    assert body == b"x" * 8


async def test_cancelling_and_closing_cut_the_connection_at_once(client: HttpClient, server: Server) -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()
        await peer.reader.read()

    server.script = silent
    asking = asyncio.ensure_future(post(client, server))
    async with asyncio.timeout(2):
        await until(lambda: bool(server.requests))
        asking.cancel()
        await server.closed.wait()
    assert asking.cancelled()

    async def streaming(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx")
        await peer.reader.read()

    server.closed.clear()
    server.script = streaming
    response = await post(client, server)
    assert await anext(response) == b"x"
    response.close()
    async with asyncio.timeout(2):
        await server.closed.wait()
    with pytest.raises(ClientError):
        await anext(response)


async def test_leaving_lets_the_connection_be_used_again_or_cuts_it(client: HttpClient, server: Server) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nDONE\r\n")
            await asyncio.sleep(0.02)
            await peer.say(b"0\r\n\r\n")

    server.script = script
    response = await post(client, server)
    await anext(response)
    response.leave()
    await until(lambda: client.connections(Target("POST", server.url)) == (1, 1))

    async def endless(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\nDONE")
        await peer.reader.read()

    await client.aclose()
    server.script = endless
    other = HttpClient()
    response = await post(other, server)
    await anext(response)
    response.leave()
    await until(lambda: other.connections(Target("POST", server.url)) == (0, 0))


@pytest.mark.case(20)
async def test_a_reader_that_stops_stops_the_socket(client: HttpClient, server: Server) -> None:
    sent = 0

    async def flood(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: 50000000\r\n\r\n")
        for _ in range(500):
            await peer.say(b"x" * 100_000)
            sent += 100_000

    server.script = flood
    response = await post(client, server, silence=0.3)
    before = -1
    async with asyncio.timeout(5):
        while sent != before:  # until the sockets' own buffers are full
            before = sent
            await asyncio.sleep(0.3)
    assert sent < 40_000_000
    total = 0
    async for part in response:
        assert len(part) < 1_000_000
        total += len(part)
    assert total == 50_000_000


async def test_a_large_body_is_sent_and_an_early_answer_closes_the_connection(
    client: HttpClient, server: Server
) -> None:
    body = b"x" * 8_000_000
    assert await fetch(client, server, body) == b"hello"
    assert len(server.requests[0]) > 8_000_000

    async def early(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.say(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        await asyncio.sleep(0.05)

    server.script = early
    await client.aclose()
    other = HttpClient()
    response = await post(other, server, b"x" * 30_000_000)
    assert response.status == 413
    assert await read_body(response, 10) == b""
    await until(lambda: other.connections(Target("POST", server.url)) == (0, 0))


async def test_a_request_that_was_cut_while_it_was_written_says_so(client: HttpClient, server: Server) -> None:
    async def deaf(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.cut()

    server.script = deaf
    with pytest.raises(ResponseLostError) as lost:
        await post(client, server, b"x" * 30_000_000)
    assert not lost.value.written


async def test_nothing_was_sent_when_no_connection_came_about(server: Server) -> None:
    client = HttpClient(connect_timeout=0.2, max_connections=1)
    nobody = Target("POST", "http://127.0.0.1:1/")
    with pytest.raises(ConnectError):
        await client.request(nobody, [], b"", first_byte=1, silence=1)
    with pytest.raises(ConnectError):
        await client.request(Target("POST", "http://name.invalid/"), [], b"", first_byte=1, silence=1)
    server.script = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")
    held = await post(client, server)
    with pytest.raises(TooManyConnectionsError):
        await post(client, server)
    held.close()
    await client.aclose()
    with pytest.raises(ConnectError):
        await post(client, server)


async def test_a_read_past_the_limit_is_refused(client: HttpClient, server: Server) -> None:
    with pytest.raises(ValueError, match="larger than 4 bytes"):
        await read_body(await post(client, server), 4)
