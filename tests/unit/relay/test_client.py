"""Which replica a request goes to, and what happens when that replica fails or drains."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from llm_platform.core.config import Config
from llm_platform.core.errors import CannotStartError, Code, PlatformError
from llm_platform.proto import inference_pb2
from llm_platform.relay.client import connect
from llm_platform.relay.connection import State
from tests.unit.relay.peers import QUICK, ScriptedService, call, client, linked, read, replica, until

NOBODY = "127.0.0.1:9"
IMPATIENT = replace(QUICK, wait_for_link=0.1)


class Gate:
    """Holds calls until it is opened."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    async def __call__(self, _call: inference_pb2.Open) -> None:
        await self.event.wait()


async def held(_call: inference_pb2.Open, _body: bytes) -> AsyncIterator[bytes]:
    yield b"first"
    await asyncio.Event().wait()


async def test_a_service_without_endpoints_is_a_configuration_error() -> None:
    with pytest.raises(CannotStartError, match=r"peers\.head names no endpoint"):
        async with connect(Config(), "head"):
            pass


async def test_requests_go_to_the_replica_with_the_fewest_open_ones() -> None:
    gate = Gate()
    one, two = ScriptedService(before=gate), ScriptedService(before=gate)
    async with replica(one) as first, replica(two) as second, client(first.endpoint, second.endpoint) as relay:
        await linked(relay, 2)
        opening = [asyncio.create_task(relay.open(call(), b"")) for _ in range(10)]
        await until(lambda: len(one.calls) + len(two.calls) == 10)
        assert (len(one.calls), len(two.calls)) == (5, 5)
        gate.event.set()
        for task in opening:
            await read(await task)


async def test_idle_replicas_take_turns() -> None:
    one, two = ScriptedService(), ScriptedService()
    async with replica(one) as first, replica(two) as second, client(first.endpoint, second.endpoint) as relay:
        await linked(relay, 2)
        for _ in range(10):
            await read(await relay.open(call(), b""))
        assert (len(one.calls), len(two.calls)) == (5, 5)


async def test_a_request_waits_for_a_replica_that_is_just_starting() -> None:
    async with replica(ScriptedService()) as spare:
        port = spare.port
    async with client(NOBODY, f"127.0.0.1:{port}") as relay:
        opening = asyncio.create_task(relay.open(call(), b"body"))
        await asyncio.sleep(0.1)
        async with replica(ScriptedService(), port=port):
            assert await read(await opening) == b"body"


async def test_without_a_replica_a_request_is_refused_after_a_bounded_wait() -> None:
    async with client(NOBODY, settings=IMPATIENT) as relay:
        with pytest.raises(PlatformError) as caught:
            await relay.open(call(), b"")
        assert caught.value.code is Code.UNAVAILABLE
        assert caught.value.retry_after == 1


async def test_the_wait_for_a_replica_is_never_longer_than_the_timeout_of_the_call() -> None:
    patient = replace(QUICK, wait_for_link=3600)
    async with client(NOBODY, settings=patient) as relay:
        with pytest.raises(PlatformError) as caught:
            await asyncio.wait_for(relay.open(call(timeout_ms=50), b""), 2)
        assert caught.value.code is Code.UNAVAILABLE


async def test_a_link_broken_before_the_first_byte_moves_the_request_to_another_replica() -> None:
    stuck, healthy = ScriptedService(before=Gate()), ScriptedService()
    async with replica(stuck) as first, client(first.endpoint, NOBODY) as relay:
        opening = asyncio.create_task(relay.open(call("req_1"), b"body"))
        await until(lambda: stuck.calls)
        async with replica(healthy) as second:
            relay._connections[second.endpoint] = relay._connection(second.endpoint)
            await linked(relay, 2)
            await first.kill()
            assert await read(await opening) == b"body"
            assert [each.request_id for each in healthy.calls] == ["req_1"]
            await until(lambda: stuck.cancelled == 1)


async def test_a_request_is_sent_again_only_once() -> None:
    service = ScriptedService(before=Gate())
    async with replica(service) as server, client(server.endpoint) as relay:
        opening = asyncio.create_task(relay.open(call(), b""))
        for attempt in (1, 2):
            await until(lambda attempt=attempt: len(service.calls) == attempt)  # type: ignore[misc]
            server.break_links()
        with pytest.raises(PlatformError) as caught:
            await opening
        assert caught.value.code is Code.LINK_BROKEN
        assert len(service.calls) == 2


@pytest.mark.parametrize("forbidden_by", ["call", "settings"])
async def test_a_request_that_must_not_be_sent_twice_fails_when_its_link_breaks(forbidden_by: str) -> None:
    service = ScriptedService(before=Gate())
    settings = replace(QUICK, resend=forbidden_by != "settings")
    async with (
        replica(service) as first,
        replica(service) as second,
        client(first.endpoint, second.endpoint, settings=settings) as relay,
    ):
        await linked(relay, 2)
        opening = asyncio.create_task(relay.open(call(forbid_retry=forbidden_by == "call"), b""))
        await until(lambda: service.calls)
        first.break_links()
        second.break_links()
        with pytest.raises(PlatformError) as caught:
            await opening
        assert caught.value.code is Code.LINK_BROKEN
        assert len(service.calls) == 1


async def test_a_request_whose_body_was_not_sent_whole_may_always_move() -> None:
    """The server cannot have begun it, so even ``forbid_retry`` allows it."""
    small_window = replace(QUICK, window_bytes=1000)
    service = ScriptedService()
    async with replica(service, settings=small_window) as server, client(server.endpoint) as relay:
        await linked(relay)
        (link,) = server.links
        link.control = lambda *_: None  # the server grants no more credit
        opening = asyncio.create_task(relay.open(call(forbid_retry=True), bytes(5000)))
        await until(lambda: server.server.open_requests)
        server.break_links()
        assert len(await read(await opening)) == 5000
        assert len(service.calls) == 1


async def test_a_link_broken_after_the_first_byte_is_never_retried() -> None:
    service = ScriptedService(held)
    async with replica(service) as first, replica(service) as second, client(first.endpoint, second.endpoint) as relay:
        await linked(relay, 2)
        reply = await relay.open(call(stream=True), b"")
        reader = aiter(reply)
        assert await anext(reader) == b"first"
        first.break_links()
        second.break_links()
        with pytest.raises(PlatformError) as caught:
            await anext(reader)
        assert caught.value.code is Code.LINK_BROKEN
        await until(lambda: service.closed == 1)
        assert len(service.calls) == 1


async def test_new_requests_leave_a_draining_replica_and_open_ones_finish_there() -> None:
    gate = Gate()
    old, new = ScriptedService(before=gate), ScriptedService()
    async with replica(old) as first, client(first.endpoint, NOBODY) as relay:
        opening = asyncio.create_task(relay.open(call("old"), b"old"))
        await until(lambda: old.calls)
        draining = asyncio.create_task(first.server.drain())
        async with replica(new) as second:
            relay._connections[second.endpoint] = relay._connection(second.endpoint)
            for _ in range(5):
                assert await read(await relay.open(call("new"), b"new")) == b"new"
            assert not draining.done()
            gate.event.set()
            assert await read(await opening) == b"old"
            await asyncio.wait_for(draining, 2)
    assert (len(old.calls), len(new.calls)) == (1, 5)


async def test_a_draining_replica_without_another_refuses_after_a_bounded_wait() -> None:
    service = ScriptedService()
    async with replica(service) as server, client(server.endpoint, settings=IMPATIENT) as relay:
        await linked(relay)
        await server.server.drain()
        with pytest.raises(PlatformError) as caught:
            await relay.open(call(), b"")
        assert caught.value.code is Code.DRAINING
        assert not service.calls


async def test_a_replica_found_draining_is_not_used() -> None:
    async with replica(ScriptedService()) as server:
        await server.server.drain()
        async with client(server.endpoint, settings=IMPATIENT) as relay:
            await linked(relay)
            with pytest.raises(PlatformError) as caught:
                await relay.open(call(), b"")
            assert caught.value.code is Code.DRAINING


async def test_an_overloaded_replica_is_passed_over_and_all_overloaded_is_said_at_once() -> None:
    one_stream = replace(QUICK, max_streams=1)
    service = ScriptedService(held)
    async with (
        replica(service, settings=one_stream) as first,
        replica(service, settings=one_stream) as second,
        client(first.endpoint, second.endpoint) as relay,
    ):
        await linked(relay, 2)
        replies = [await relay.open(call(stream=True), b"") for _ in range(2)]
        with pytest.raises(PlatformError) as caught:
            await relay.open(call(), b"")
        assert caught.value.code is Code.OVERLOADED
        assert len(service.calls) == 2
        assert all(len(link.streams) == 1 for link in relay._links)
        for reply in replies:
            await reply.aclose()


async def test_health_names_each_replica_and_why_it_takes_no_requests() -> None:
    async with replica(ScriptedService(), name="head-1") as server, client(server.endpoint, NOBODY) as relay:
        await linked(relay)
        assert await relay.health_check() is None
        states = {each.endpoint: (each.name, each.state) for each in relay.replicas}
        assert states == {server.endpoint: ("head-1", State.CONNECTED), NOBODY: ("", State.DOWN)}
        await server.server.drain()
        await until(lambda: relay._links[0].draining)
        reason = await relay.health_check()
        assert reason is not None
        assert "head-1 draining" in reason
        await until(lambda: "refused" in next(each.reason for each in relay.replicas if each.endpoint == NOBODY))


async def test_closing_the_client_cancels_what_is_open_and_leaves_no_task() -> None:
    service = ScriptedService(before=Gate())
    before = asyncio.all_tasks()
    async with replica(service) as server:
        async with client(server.endpoint, NOBODY) as relay:
            opening = asyncio.create_task(relay.open(call(forbid_retry=True), b""))
            await until(lambda: service.calls)
        with pytest.raises(PlatformError):
            await opening
        await until(lambda: service.cancelled == 1)
    await until(lambda: asyncio.all_tasks() == before)


async def test_a_request_that_waits_while_the_client_closes_is_refused() -> None:
    async with client(NOBODY) as relay:
        opening = asyncio.create_task(relay.open(call(), b""))
        await asyncio.sleep(0.02)
    with pytest.raises(PlatformError) as caught:
        await opening
    assert caught.value.code is Code.UNAVAILABLE
