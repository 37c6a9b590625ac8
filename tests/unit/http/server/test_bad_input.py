"""Requests that hurt: each is refused in the dialect, at once, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from tests.unit.http.parts import CHAT, ScriptedInference, client_of, config, entry_server, post, raw

PATH = "/v1/chat/completions"
BODY = json.dumps(CHAT).encode()

pytestmark = pytest.mark.case(27)


def parsed(reply: bytes) -> tuple[int, dict[str, object]]:
    head, _, body = reply.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]


async def test_a_body_declared_too_large_is_refused_before_it_is_sent() -> None:
    head = post(b"")[: -len("\r\n\r\n")].replace(b"content-length: 0", b"content-length: 100000000")
    async with entry_server(ScriptedInference()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head + b"\r\n\r\n{")
        async with asyncio.timeout(5):
            assert b" 413 " in await reader.readline()
        writer.close()


async def test_a_body_without_a_length_is_read_only_up_to_the_limit() -> None:
    settings = config(traffic={"max_body_bytes": 10_000})

    async def endless() -> object:
        while True:
            yield b"x" * 1000

    async with entry_server(ScriptedInference(), settings=settings) as server, client_of(server) as client:
        headers = {"content-type": "application/json"}
        reply = await client.post(PATH, data=endless(), headers=headers)
        assert reply.status == 413
        assert (await reply.json())["error"]["code"] == "body_too_large"


async def test_a_client_that_asks_first_is_refused_without_sending() -> None:
    head = post(b"", ["expect: 100-continue"]).replace(b"content-length: 0", b"content-length: 100000000")
    async with entry_server(ScriptedInference()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head)
        async with asyncio.timeout(5):
            assert b" 413 " in await reader.readline()
        writer.close()


async def test_a_client_that_asks_first_is_told_to_go_on() -> None:
    head = post(b"", ["expect: 100-continue"]).replace(b"content-length: 0", b"content-length: %d" % len(BODY))
    async with entry_server(ScriptedInference()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head)
        async with asyncio.timeout(5):
            assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
            await reader.readline()
            writer.write(BODY)
            assert b" 200 " in await reader.readline()
        writer.close()


async def test_a_body_that_trickles_in_is_given_up() -> None:
    settings = config(traffic={"request_timeout": 200})
    head = post(b"").replace(b"content-length: 0", b"content-length: 100")
    async with entry_server(ScriptedInference(), settings=settings) as server:
        status, error = parsed(await raw(server, head, b"{", b'"', pause=0.05))
    assert (status, error["code"]) == (408, "request_timeout")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": "APPLICATION/JSON"}, 200),
    ],
)
async def test_only_json_is_taken(headers: dict[str, str], status: int) -> None:
    async with entry_server(ScriptedInference()) as server, client_of(server) as client:
        assert (await client.post(PATH, data=BODY, headers=headers)).status == status


async def test_a_compressed_body_is_refused_unopened() -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    async with entry_server(ScriptedInference()) as server, client_of(server) as client:
        assert (await client.post(PATH, data=bomb, headers=headers)).status == 415


async def test_a_body_of_no_use_is_refused_in_the_dialect() -> None:
    inference = ScriptedInference()
    async with entry_server(inference) as server, client_of(server) as client:
        for body in (b"{", b"\xff\xfe", b'{"messages":[{"role":"user"}],"n":NaN}', b"[" * 100_000):
            reply = await client.post(PATH, data=body, headers={"content-type": "application/json"})
            assert reply.status == 400
            assert (await reply.json())["error"]["type"] == "invalid_request_error"
    assert not inference.calls


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NOT HTTP\r\n\r\n",
        post(BODY, ["content-length: 7"]),
        post(BODY, ["transfer-encoding: chunked"]),
        post(BODY, ["x-long: " + "a" * 20_000]),
        post(BODY, [f"x-{n}: y" for n in range(500)]),
        post(BODY, ["bad header"]),
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
    ids=["no-http", "two-lengths", "length-and-chunked", "long-header", "many-headers", "bad-header", "long-path"],
)
async def test_what_is_no_readable_request_is_refused_in_the_dialect(request_bytes: bytes) -> None:
    inference = ScriptedInference()
    async with entry_server(inference) as server:
        reply = await raw(server, request_bytes)
        status, error = parsed(reply)
        assert 400 <= status < 500
        assert set(error) == {"message", "type", "param", "code"}
        assert b"x-request-id: req_" in reply.lower()
        assert b"aiohttp" not in reply
        assert b"Traceback" not in reply
    assert not inference.calls


async def test_a_client_that_never_finishes_its_headers_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_platform.http.server.connection.KEEP_ALIVE_SECONDS", 0.2)
    async with entry_server(ScriptedInference()) as server:
        assert await raw(server, b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n") == b""


async def test_a_refused_body_that_is_still_coming_is_not_read_as_the_next_request() -> None:
    head = post(b"").replace(b"content-length: 0", b"content-length: 100").replace(b"connection: close\r\n", b"")
    hidden = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".ljust(100)
    async with entry_server(ScriptedInference()) as server:
        answer = await raw(server, head.replace(b"Bearer good", b"Bearer bad"), hidden, pause=0.05)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answer.lower()


async def test_a_body_cut_off_is_no_call() -> None:
    inference = ScriptedInference()
    async with entry_server(inference) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(post(BODY)[:-10])
        await writer.drain()
        writer.close()
        await asyncio.sleep(0.05)
        assert server.open_requests == 0
    assert not inference.calls
