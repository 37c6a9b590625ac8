"""Clients that leave, readers that stop, replies that break off: over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable

import pytest

from llm_platform.core.errors import Code, PlatformError
from llm_platform.http.server import connection
from tests.unit.http.parts import (
    CHAT,
    EVENTS,
    STREAM,
    ScriptedInference,
    ScriptedReply,
    client_of,
    config,
    entry_server,
    post,
    raw,
)

PATH = "/v1/chat/completions"


async def never() -> None:
    await asyncio.Event().wait()


async def settled(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the server has no event for tests
            await asyncio.sleep(0.01)


@pytest.mark.case(14)
@pytest.mark.parametrize("body", [CHAT, STREAM], ids=["buffered", "stream"])
async def test_a_client_that_leaves_before_the_first_byte_stops_the_call(body: dict[str, object]) -> None:
    inference = ScriptedInference()
    inference.before = never
    async with entry_server(inference) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(post(json.dumps(body).encode()))
        await settled(lambda: bool(inference.calls))
        writer.close()
        async with asyncio.timeout(5):
            await inference.cancelled.wait()
        await settled(lambda: server.open_requests == 0)


@pytest.mark.case(14)
@pytest.mark.parametrize("body", [CHAT, STREAM], ids=["buffered", "stream"])
async def test_a_client_that_leaves_in_the_middle_stops_the_call(body: dict[str, object]) -> None:
    async def one_then_silence() -> AsyncIterator[bytes]:
        yield EVENTS[0]
        await never()

    inference = ScriptedInference(script=one_then_silence)
    async with entry_server(inference) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(post(json.dumps(body).encode()))
        if "stream" in body:
            await reader.readuntil(b"\r\n\r\n")
        await settled(lambda: bool(inference.replies))
        writer.close()
        async with asyncio.timeout(5):
            await inference.cancelled.wait()
        await settled(lambda: inference.replies[0].closed and server.open_requests == 0)


@pytest.mark.case(15)
async def test_a_stream_that_fails_before_its_first_event_has_an_error_status() -> None:
    async def fail() -> AsyncIterator[bytes]:
        raise PlatformError(Code.PROVIDER_TIMEOUT, "Nothing came.")
        yield b""

    async with entry_server(ScriptedInference(script=fail)) as server, client_of(server) as client:
        reply = await client.post(PATH, json=STREAM)
        assert reply.status == 504
        assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (PlatformError(Code.PROVIDER_FAILED, "It broke off."), "provider_failed"),
        (RuntimeError("sk-secret"), "internal"),
    ],
)
async def test_a_stream_that_breaks_off_ends_with_an_error_event_and_no_done(failure: Exception, code: str) -> None:
    async def break_off() -> AsyncIterator[bytes]:
        yield EVENTS[0]
        raise failure

    async with entry_server(ScriptedInference(script=break_off)) as server, client_of(server) as client:
        reply = await client.post(PATH, json=STREAM)
        text = await reply.text()
        assert reply.status == 200
        first, last = text.strip().split("\n\n")
        assert first.encode() == EVENTS[0].strip()
        assert json.loads(last.removeprefix("data: "))["error"]["code"] == code
        assert "[DONE]" not in text
        assert "secret" not in text


async def test_an_empty_event_does_not_end_a_stream() -> None:
    async with entry_server(ScriptedInference(EVENTS[0], b"", EVENTS[1])) as server, client_of(server) as client:
        assert await (await client.post(PATH, json=STREAM)).read() == b"".join(EVENTS)


async def test_a_failure_after_a_stream_is_no_second_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_reply: ScriptedReply) -> None:
        raise RuntimeError("sk-secret")

    monkeypatch.setattr(ScriptedReply, "aclose", fail)
    async with entry_server(ScriptedInference()) as server:
        request = post(json.dumps(STREAM).encode()).replace(b"connection: close\r\n", b"")
        replies = await raw(server, request)
    assert replies.count(b"HTTP/1.1 ") == 1
    assert replies.endswith(b"0\r\n\r\n")


async def test_a_broken_connection_behind_the_entry_is_not_the_clients() -> None:
    async def refuse() -> None:
        raise ConnectionRefusedError

    inference = ScriptedInference()
    inference.before = refuse
    async with entry_server(inference) as server, client_of(server) as client:
        assert (await client.post(PATH, json=CHAT)).status == 500


async def test_a_buffered_reply_that_breaks_off_is_an_error_status() -> None:
    async def break_off() -> AsyncIterator[bytes]:
        yield b'{"object":'
        raise PlatformError(Code.LINK_BROKEN, "The link broke.")

    async with entry_server(ScriptedInference(script=break_off)) as server, client_of(server) as client:
        assert (await client.post(PATH, json=CHAT)).status == 502


async def test_a_stream_may_not_last_longer_than_allowed() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield EVENTS[0]
            await asyncio.sleep(0.05)

    settings = config(traffic={"stream_max_seconds": 1})
    inference = ScriptedInference(script=endless)
    async with entry_server(inference, settings=settings) as server, client_of(server) as client:
        text = await (await client.post(PATH, json=STREAM)).text()
    assert json.loads(text.strip().split("\n\n")[-1].removeprefix("data: "))["error"]["code"] == "timeout"


@pytest.mark.case(20)
async def test_a_reader_that_stops_holds_up_the_provider_not_memory() -> None:
    sent = 0

    async def flood() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"data: " + b"x" * 10_000 + b"\n\n"

    async with entry_server(ScriptedInference(script=flood)) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
        writer.write(post(json.dumps(STREAM).encode()))
        await settled(lambda: sent > 0)
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.1)
        assert sent * 10_000 < 16 * 1024 * 1024
        async with client_of(server) as client:
            assert (await client.get("/v1/models")).status == 200
        writer.close()


@pytest.mark.case(20)
async def test_a_reader_that_never_goes_on_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "WRITE_SECONDS", 0.1)

    async def flood() -> AsyncIterator[bytes]:
        while True:
            yield b"data: " + b"x" * 100_000 + b"\n\n"

    inference = ScriptedInference(script=flood)
    async with entry_server(inference) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
        writer.write(post(json.dumps(STREAM).encode()))
        await settled(lambda: bool(inference.replies) and inference.replies[0].closed)
        await settled(lambda: server.open_requests == 0)
        writer.close()


async def test_a_large_buffered_reply_is_compressed_when_asked_for() -> None:
    document = b'{"text":"' + b"hello " * 10_000 + b'"}'
    request = post(json.dumps(CHAT).encode(), ["accept-encoding: br, gzip;q=0.5"])
    async with entry_server(ScriptedInference(document)) as server:
        head, _, body = (await raw(server, request)).partition(b"\r\n\r\n")
        assert b"content-encoding: gzip" in head.lower()
        assert b"vary: accept-encoding" in head.lower()
        assert gzip.decompress(body) == document
        plain = await raw(server, post(json.dumps(CHAT).encode(), ["accept-encoding: gzip;q=0"]))
        assert plain.endswith(document)


async def test_streams_and_small_replies_are_never_compressed() -> None:
    async with entry_server(ScriptedInference()) as server, client_of(server) as client:
        for body in (CHAT, STREAM):
            reply = await client.post(PATH, json=body, headers={"accept-encoding": "gzip"})
            assert "content-encoding" not in reply.headers


@pytest.mark.case(19)
async def test_draining_finishes_what_is_open_serves_what_comes_and_asks_clients_to_leave() -> None:
    release = asyncio.Event()

    async def wait() -> AsyncIterator[bytes]:
        yield EVENTS[0]
        await release.wait()
        yield EVENTS[1]

    inference = ScriptedInference(script=wait)
    async with entry_server(inference) as server, client_of(server) as client:
        stream = await client.post(PATH, json=STREAM)
        draining = asyncio.create_task(server.drain())
        await asyncio.sleep(0.05)
        late = await client.get("/v1/models")
        assert late.status == 200
        assert late.headers["connection"] == "close"
        assert not draining.done()
        release.set()
        assert (await stream.read()).endswith(EVENTS[1])
        async with asyncio.timeout(5):
            await draining


async def test_probes_do_not_keep_a_server_from_draining() -> None:
    async with entry_server(ScriptedInference()) as server, client_of(server) as client:

        async def probe() -> None:
            while True:
                await client.get("/health/ready")
                await asyncio.sleep(0.02)

        probing = asyncio.create_task(probe())
        async with asyncio.timeout(5):
            await server.drain()
        probing.cancel()
