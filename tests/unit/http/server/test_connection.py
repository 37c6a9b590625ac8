"""What a connection does with HTTP as clients really speak it: over real sockets."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from llm_platform.http.server import connection
from llm_platform.http.server.request import response_head
from tests.unit.http.parts import CHAT, DOCUMENT, STREAM, ScriptedInference, entry_server, post, raw

BODY = json.dumps(CHAT).encode()
LAST = b"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer good\r\nconnection: close\r\n\r\n"

CHUNKED = b"%b%x\r\n%b\r\n0\r\n\r\n" % (
    post(b"").replace(b"content-length: 0", b"transfer-encoding: chunked").replace(b"connection: close\r\n", b""),
    len(BODY),
    BODY,
)


def kept_open(request: bytes) -> bytes:
    return request.replace(b"connection: close\r\n", b"")


def statuses(replies: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) [A-Z]", replies)]


async def test_requests_follow_each_other_on_one_connection() -> None:
    async with entry_server(ScriptedInference()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in range(3):
            writer.write(kept_open(post(BODY)))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"connection: close" not in head
            assert await reader.readexactly(len(DOCUMENT)) == DOCUMENT
        writer.close()


async def test_requests_sent_ahead_are_answered_in_their_order() -> None:
    inference = ScriptedInference()
    first = asyncio.Event()
    inference.before = first.wait
    async with entry_server(inference) as server:
        asyncio.get_running_loop().call_later(0.05, first.set)
        replies = await raw(server, kept_open(post(BODY)) + kept_open(post(b"{")) + LAST)
    assert statuses(replies) == [200, 400, 200]
    assert replies.endswith(b"]}")


async def test_a_body_that_comes_while_the_request_before_it_is_served_is_read() -> None:
    inference = ScriptedInference()
    first = asyncio.Event()
    inference.before = first.wait
    request = kept_open(post(BODY))
    async with entry_server(inference) as server:
        asyncio.get_running_loop().call_later(0.05, first.set)
        assert statuses(await raw(server, request + request[:-10], request[-10:] + LAST, pause=0.1)) == [200, 200, 200]
    assert inference.bodies == [BODY, BODY]


async def test_reads_may_end_anywhere_in_requests_sent_ahead() -> None:
    requests = kept_open(post(BODY)) * 400 + LAST
    pieces = [requests[at : at + 20_011] for at in range(0, len(requests), 20_011)]
    async with entry_server(ScriptedInference()) as server:
        assert statuses(await raw(server, *pieces, pause=0.01)) == [200] * 401


@pytest.mark.parametrize("size", [700, 5000])
async def test_a_head_within_the_limits_may_come_in_pieces(size: int) -> None:
    request = LAST[:-2] + b"".join(b"x-%d: %b\r\n" % (n, b"a" * 1000) for n in range(14)) + b"\r\n"
    async with entry_server(ScriptedInference()) as server:
        pieces = [request[at : at + size] for at in range(0, len(request), size)]
        assert statuses(await raw(server, *pieces, pause=0.005)) == [200]


async def test_nothing_after_a_request_that_asks_to_close_is_served() -> None:
    async with entry_server(ScriptedInference()) as server:
        assert statuses(await raw(server, LAST + LAST)) == [200]


async def test_a_reply_of_http_1_0_has_no_chunks_and_ends_with_the_connection() -> None:
    request = post(json.dumps(STREAM).encode()).replace(b"HTTP/1.1", b"HTTP/1.0")
    async with entry_server(ScriptedInference()) as server:
        head, _, body = (await raw(server, request)).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert body.startswith(b"data: ")
    assert body.endswith(b"data: [DONE]\n\n")


async def test_http_1_0_keeps_a_connection_when_asked_to() -> None:
    request = LAST.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"connection: close", b"connection: keep-alive")
    async with entry_server(ScriptedInference()) as server:
        replies = await raw(server, request, LAST, pause=0.05)
    assert statuses(replies) == [200, 200]
    assert b"connection: keep-alive" in replies.partition(b"\r\n\r\n")[0]


async def test_head_gets_the_headers_only() -> None:
    async with entry_server(ScriptedInference()) as server:
        reply = await raw(server, LAST.replace(b"GET", b"HEAD"))
    head, _, body = reply.partition(b"\r\n\r\n")
    assert b"content-length: " in head
    assert b"date: " in head
    assert not body


async def test_a_chunked_body_with_extensions_and_trailers_is_read_and_its_trailers_are_not_believed() -> None:
    chunks = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(part), part) for part in (BODY[:7], BODY[7:]))
    request = (
        post(b"").replace(b"content-length: 0", b"transfer-encoding: chunked").replace(b"Bearer good", b"Bearer bad")
    )
    trailers = b"0\r\nauthorization: Bearer good\r\n\r\n"
    async with entry_server(ScriptedInference()) as server:
        assert statuses(await raw(server, request.replace(b"Bearer bad", b"Bearer good") + chunks + trailers)) == [200]
        assert statuses(await raw(server, request + chunks + trailers)) == [401]


@pytest.mark.parametrize("split", [1, 30, 150])
async def test_an_upgrade_is_passed_over_and_the_request_answered(split: int) -> None:
    """Java's HTTP client asks for HTTP/2 with its first request, body and all."""
    upgrade = ["connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAEAAEAAAAIAAAABAAMAAABk"]
    inference = ScriptedInference()
    request = kept_open(post(BODY, upgrade))
    async with entry_server(inference) as server:
        assert statuses(await raw(server, request + LAST)) == [200, 200]
        assert statuses(await raw(server, request[:-split], request[-split:] + LAST, pause=0.05)) == [200, 200]
        without_body = kept_open(LAST).replace(b"host: x", b"host: x\r\n" + "\r\n".join(upgrade).encode())
        assert statuses(await raw(server, without_body + LAST)) == [200, 200]
    assert inference.bodies == [BODY, BODY]


async def test_many_requests_sent_ahead_may_each_ask_for_an_upgrade() -> None:
    request = kept_open(LAST).replace(b"host: x", b"host: x\r\nconnection: upgrade\r\nupgrade: h2c")
    async with entry_server(ScriptedInference()) as server:
        assert statuses(await raw(server, request * 1000 + LAST)) == [200] * 1001


@pytest.mark.parametrize("target", [b"http://x/v1/models", b"HTTP://user@x:80/v1/models?at=http://y/"])
async def test_a_target_may_name_its_host(target: bytes) -> None:
    async with entry_server(ScriptedInference()) as server:
        assert statuses(await raw(server, LAST.replace(b"/v1/models", target))) == [200]
        assert b"Unknown path." in await raw(server, LAST.replace(b"GET /v1/models", b"OPTIONS *"))


async def test_a_client_of_http_1_0_is_not_told_to_go_on() -> None:
    head, _, _ = post(BODY, ["expect: 100-continue"]).replace(b"HTTP/1.1", b"HTTP/1.0").partition(BODY)
    async with entry_server(ScriptedInference()) as server:
        assert statuses(await raw(server, head, BODY, pause=0.05)) == [200]


@pytest.mark.case(27)
@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /v1/models HTTP/1.1\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        (b"GET /v1/models HTTP/2.0\r\nhost: a\r\n\r\n", 505),
        (b"GET /v1/models HTTP/1.1\nhost: a\n\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nhost: a\r\n folded\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n\x16\x03\x01", 404),
        (post(b"").replace(b"content-length: 0", b"transfer-encoding: gzip"), 400),
        (CHUNKED.replace(b": chunked", b": gzip, chunked"), 400),
        (CHUNKED.replace(b"transfer", b"transfer-encoding: identity\r\ntransfer"), 400),
        (CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"host:", b"connection: keep-alive\r\nhost:"), 400),
        (CHUNKED[:-2] + b"Connection: close\r\n\r\n", 400),
        (CHUNKED[:-2] + b"content-length: 5\r\n\r\n", 400),
        (post(b"").replace(b"content-length: 0", b"content-length: -1"), 400),
        (post(b"").replace(b"content-length: 0", b"content-length: 1_0"), 400),
        (post(b"").replace(b"content-length: 0", b"transfer-encoding: chunked") + b"zz\r\n", 400),
    ],
)
async def test_what_can_be_read_in_two_ways_is_refused(request_bytes: bytes, status: int) -> None:
    inference = ScriptedInference()
    async with entry_server(inference) as server:
        replies = await raw(server, request_bytes + LAST)
    assert statuses(replies) == [status]
    assert b"connection: close" in replies
    assert not inference.calls


async def test_a_head_that_comes_in_drips_is_limited_too() -> None:
    async with entry_server(ScriptedInference()) as server:
        drips = [b"GET / HTTP/1.1\r\nhost: x\r\nx-long: ", *[b"a" * 5000] * 4]
        assert statuses(await raw(server, *drips, pause=0.02)) == [431]


@pytest.mark.parametrize("line", [b"0\r\nx-long: ", b"0\r\nx", b"5;x="], ids=["trailer", "trailer's name", "extension"])
async def test_a_line_that_never_ends_is_limited_in_a_body_too(line: bytes) -> None:
    head = kept_open(post(b"")).replace(b"content-length: 0", b"transfer-encoding: chunked")
    async with entry_server(ScriptedInference()) as server:
        assert statuses(await raw(server, head, line, *[b"a" * 5000] * 4, pause=0.02)) == [400]


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (LAST[:-2] + b"x-long: ", 431),
        (post(b"").replace(b"content-length: 0", b"transfer-encoding: chunked") + b"zz\r\n", 400),
    ],
    ids=["head", "body"],
)
async def test_a_client_that_is_still_sending_sees_why_it_is_refused(start: bytes, status: int) -> None:
    async with entry_server(ScriptedInference()) as server:
        assert statuses(await raw(server, start + b"a" * 8_000_000)) == [status]


async def test_a_last_reply_that_is_never_read_does_not_keep_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "KEEP_ALIVE_SECONDS", 0.2)
    monkeypatch.setattr(connection, "UNREAD_BYTES", 64 * 1024 * 1024)  # so that nobody waits for the client
    async with entry_server(ScriptedInference(b"x" * 20_000_000)) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
        writer.write(post(BODY))
        async with asyncio.timeout(5):
            while not server.connections or server.open_requests:  # noqa: ASYNC110 - the server has no event for tests
                await asyncio.sleep(0.01)
            while server.connections:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        writer.close()


async def test_requests_before_a_broken_one_are_answered() -> None:
    async with entry_server(ScriptedInference()) as server:
        assert statuses(await raw(server, kept_open(post(BODY)) + b"NOT HTTP\r\n\r\n")) == [200, 400]


async def test_a_body_sent_in_small_pieces_is_whole() -> None:
    inference = ScriptedInference()
    request = post(BODY)
    async with entry_server(inference) as server:
        pieces = [request[at : at + 40] for at in range(0, len(request), 40)]
        assert statuses(await raw(server, *pieces, pause=0.002)) == [200]
    assert inference.bodies == [BODY]


async def test_a_body_that_nobody_reads_stops_the_socket() -> None:
    """The call is refused for want of a place while 40 MB are on their way."""
    async with entry_server(ScriptedInference()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = post(b"").replace(b"content-length: 0", b"content-length: 40000000")
        writer.write(head.replace(b"Bearer good", b"Bearer bad"))
        writer.write(b"x" * 40_000_000)
        async with asyncio.timeout(5):
            assert b" 401 " in await reader.readline()
        writer.close()


@pytest.mark.parametrize("value", ["a\r\nx-injected: 1", "a\nb", "a\rb"])
def test_a_header_cannot_end_its_line(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        response_head(200, {"x-provider-request-id": value}, "")


async def test_open_connections_end_with_the_server() -> None:
    async with entry_server(ScriptedInference()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(kept_open(LAST))
        await reader.readuntil(b"\r\n\r\n")
    async with asyncio.timeout(5):
        await reader.read()
    writer.close()
