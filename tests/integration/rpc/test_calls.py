"""Calls between services: errors, deadlines, cancelling, several replicas, drain, traces."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from llm_platform.auth_service.interfaces import ACCOUNTS
from llm_platform.billing.interfaces import LEDGER
from llm_platform.core import tracing
from llm_platform.core.config import Config, Telemetry
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.lifecycle import Runtime
from llm_platform.model_proxy.interfaces import PROVIDERS
from llm_platform.proto import accounts_pb2, common_pb2, ledger_pb2, providers_pb2
from llm_platform.rpc.caller import caller
from llm_platform.rpc.client import Peers
from llm_platform.rpc.server import serve
from tests.integration.rpc.conftest import BOUND, Everything, Site, until


class Billing(Everything):
    """A ledger whose ``reserve`` does what it was told."""

    def __init__(self, behaviour: Callable[[], Any] | None = None) -> None:
        super().__init__(common_pb2.Empty())
        self._behaviour = behaviour
        self.callers: list[str] = []
        self.cancelled = asyncio.Event()

    async def reserve(self, request: ledger_pb2.ReserveBatch) -> ledger_pb2.ReserveReplies:
        self.calls.append("reserve")
        self.callers.append(caller.get())
        try:
            if self._behaviour is not None:
                await self._behaviour()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return ledger_pb2.ReserveReplies(items=[ledger_pb2.ReserveReply(amount=len(request.items))])


class Revocations(Everything):
    """Accounts whose watch never ends."""

    async def watch_revocations(self, _request: common_pb2.Empty) -> AsyncIterator[accounts_pb2.Revocation]:
        yield accounts_pb2.Revocation(key_id=caller.get())
        await asyncio.Event().wait()


def free_port() -> int:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return int(holder.getsockname()[1])


BATCH = ledger_pb2.ReserveBatch(items=[ledger_pb2.Reserve(reservation_id="rsv_1")])


async def test_a_call_reaches_the_implementation_with_its_caller(site: Site) -> None:
    billing = Billing()
    async with (
        site.serving("billing", (LEDGER, billing)) as serving,
        Peers(site.config("head", billing=[serving.port])) as peers,
    ):
        reply = await peers.remote(LEDGER).reserve(BATCH)
    assert reply.items[0].amount == 1
    assert billing.callers == ["head"]


@pytest.mark.parametrize("code", list(Code))
async def test_an_error_crosses_unchanged(site: Site, code: Code) -> None:
    raised = PlatformError(code, "Größer geht nicht.", retry_after=1.5, param="messages", upstream_status=418)

    async def fail() -> None:
        raise raised

    async with (
        site.serving("billing", (LEDGER, Billing(fail))) as serving,
        Peers(site.config("head", billing=[serving.port])) as peers,
    ):
        with pytest.raises(PlatformError) as caught:
            await peers.remote(LEDGER).reserve(BATCH)
    assert caught.value == raised


async def test_a_bug_in_the_implementation_tells_the_caller_nothing_of_itself(site: Site) -> None:
    async def fail() -> None:
        raise RuntimeError("the password is hunter2")

    async with (
        site.serving("billing", (LEDGER, Billing(fail))) as serving,
        Peers(site.config("head", billing=[serving.port])) as peers,
    ):
        with pytest.raises(PlatformError) as caught:
            await peers.remote(LEDGER).reserve(BATCH)
    assert caught.value == PlatformError(Code.INTERNAL, "An internal call failed.")


async def test_a_caller_that_stops_waiting_stops_the_call(site: Site) -> None:
    billing = Billing(asyncio.Event().wait)
    async with (
        site.serving("billing", (LEDGER, billing)) as serving,
        Peers(site.config("head", billing=[serving.port])) as peers,
    ):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(peers.remote(LEDGER).reserve(BATCH), 0.2)
        await asyncio.wait_for(billing.cancelled.wait(), BOUND)


async def test_a_call_without_an_answer_ends_at_its_deadline(site: Site) -> None:
    billing = Billing(asyncio.Event().wait)
    async with (
        site.serving("billing", (LEDGER, billing)) as serving,
        Peers(site.config("head", billing=[serving.port])) as peers,
    ):
        with pytest.raises(PlatformError) as caught:
            await peers.remote(LEDGER, timeout=0.3).reserve(BATCH)
        await asyncio.wait_for(billing.cancelled.wait(), BOUND)
    assert caught.value.code is Code.TIMEOUT


async def test_a_server_stream_is_an_async_iterator_and_ends_when_it_is_left(site: Site) -> None:
    async with (
        site.serving("auth-service", (ACCOUNTS, Revocations())) as serving,
        Peers(site.config("tail", auth_service=[serving.port])) as peers,
    ):
        watch = peers.remote(ACCOUNTS).watch_revocations(common_pb2.Empty())
        assert (await anext(watch)).key_id == "tail"
        await watch.aclose()  # type: ignore[attr-defined]


async def test_a_draining_server_ends_watches_and_finishes_unary_calls(site: Site) -> None:
    release = asyncio.Event()
    billing = Billing(release.wait)
    async with (
        site.serving("billing", (LEDGER, billing), (ACCOUNTS, Revocations())) as serving,
        Peers(site.config("head", billing=[serving.port])) as peers,
    ):
        call = asyncio.create_task(peers.remote(LEDGER).reserve(BATCH))
        await until(lambda: billing.calls)
        drain = asyncio.create_task(serving.runtime.drain())
        await asyncio.sleep(0.1)
        assert not drain.done()
        release.set()
        assert (await call).items[0].amount == 1
        await asyncio.wait_for(drain, BOUND)


async def test_a_watch_ends_with_draining_when_its_server_drains(site: Site) -> None:
    async with (
        site.serving("auth-service", (ACCOUNTS, Revocations())) as serving,
        Peers(site.config("tail", auth_service=[serving.port])) as peers,
    ):
        watch = peers.remote(ACCOUNTS).watch_revocations(common_pb2.Empty())
        await anext(watch)
        await asyncio.wait_for(serving.runtime.drain(), BOUND)
        with pytest.raises(PlatformError) as caught:
            await asyncio.wait_for(anext(watch), BOUND)
    assert caught.value.code is Code.DRAINING


async def test_replicas_share_the_calls_and_refusing_slots_are_passed_over(site: Site) -> None:
    replicas = [Billing(), Billing()]
    async with AsyncExitStack() as stack:
        ports = [(await stack.enter_async_context(site.serving("billing", (LEDGER, each)))).port for each in replicas]
        slots = [ports[0], free_port(), ports[1], free_port()]
        ledger = (await stack.enter_async_context(Peers(site.config("head", billing=slots)))).remote(LEDGER)
        async with asyncio.timeout(BOUND):
            while not all(each.calls for each in replicas):
                await ledger.reserve(BATCH)
        for each in replicas:
            each.calls.clear()
        for _ in range(40):
            await ledger.reserve(BATCH)
    # In turns, give or take a few on a busy machine.
    assert sum(len(each.calls) for each in replicas) == 40
    assert min(len(each.calls) for each in replicas) >= 15


async def test_a_replacement_replica_takes_over_without_a_failed_call(site: Site) -> None:
    """Start-first, as a rollout does it: slot b comes up, then slot a drains and goes."""
    slot_a, slot_b = free_port(), free_port()
    async with Peers(site.config("head", billing=[slot_a, slot_b])) as peers:
        ledger, answered = peers.remote(LEDGER), 0

        async def call() -> None:
            nonlocal answered
            while True:
                await ledger.reserve(BATCH)
                answered += 1
                await asyncio.sleep(0.001)

        async with AsyncExitStack() as stack:
            old = await stack.enter_async_context(site.serving("billing", (LEDGER, Billing()), port=slot_a))
            async with asyncio.TaskGroup() as group:
                callers = [group.create_task(call()) for _ in range(8)]
                await asyncio.sleep(0.2)
                new = Billing()
                await stack.enter_async_context(site.serving("billing", (LEDGER, new), port=slot_b))
                await old.stop()
                before = answered
                await until(lambda: answered >= before + 100)
                for each in callers:
                    each.cancel()
            assert len(new.calls) >= 100


async def test_a_peer_that_is_away_at_the_start_is_found_when_it_comes(site: Site) -> None:
    port = free_port()
    async with Peers(site.config("head", billing=[port])) as peers:
        ledger = peers.remote(LEDGER)
        check = peers.health_check("billing")
        with pytest.raises(PlatformError) as caught:
            await ledger.reserve(BATCH)
        assert caught.value == PlatformError(Code.UNAVAILABLE, "The service billing cannot be reached.", retry_after=1)
        assert "Connection refused" in str(await check())
        async with site.serving("billing", (LEDGER, Billing()), port=port):
            async with asyncio.timeout(BOUND):
                while await check() is not None:  # noqa: ASYNC110 - a state of gRPC's
                    await asyncio.sleep(0.01)
            await ledger.reserve(BATCH)


async def test_a_replica_whose_connection_breaks_is_asked_again_elsewhere_if_the_rpc_may_be_repeated(
    site: Site,
) -> None:
    """The peer dies with the call inside it. ``Reserve`` is declared idempotent."""
    dying, alive = free_port(), Billing()
    process = replica_that_never_answers(site, dying)
    try:
        async with (
            site.serving("billing", (LEDGER, alive)) as serving,
            Peers(site.config("head", billing=[dying, serving.port])) as peers,
        ):
            ledger = peers.remote(LEDGER)
            calls: list[asyncio.Task[ledger_pb2.ReserveReplies]] = []
            arrival = asyncio.create_task(asyncio.to_thread(process.stdout.readline))
            while not arrival.done():
                calls.append(asyncio.create_task(ledger.reserve(BATCH)))
                await asyncio.sleep(0.05)
            assert arrival.result() == b"call\n"
            os.kill(process.pid, signal.SIGKILL)
            replies = await asyncio.wait_for(asyncio.gather(*calls), BOUND)
        assert all(reply.items[0].amount == 1 for reply in replies)
    finally:
        process.kill()
        process.wait()


def replica_that_never_answers(site: Site, port: int) -> Any:
    script = Path(__file__).with_name("silent_billing.py")
    config = site.config("billing", grpc_port=port).model_dump(mode="json")
    process = subprocess.Popen(
        [sys.executable, str(script), json.dumps(config)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    while b"waiting for calls" not in process.stdout.readline():
        assert process.poll() is None
    return process


async def test_two_ports_of_one_service_serve_different_methods(site: Site) -> None:
    health = providers_pb2.ProviderHealths(items=[providers_pb2.ProviderHealth(name="echo")])
    main, control = free_port(), free_port()
    runtime = Runtime(site.config("model-proxy", grpc_port=main))
    await serve(runtime, {control: [(PROVIDERS, Everything(health))], main: []})
    config = site.config("head").model_copy(
        update={"peers": {"model-proxy/control": [f"127.0.0.1:{control}"], "model-proxy": [f"127.0.0.1:{main}"]}}
    )
    async with Peers(config) as peers:
        assert (await peers.remote(PROVIDERS).health(common_pb2.Empty())).items[0].name == "echo"
        assert await peers.health_check("model-proxy/control")() is None
    await runtime.close()


async def test_a_port_that_is_taken_is_named(site: Site) -> None:
    async with site.serving("billing", (LEDGER, Billing())) as serving:
        runtime = Runtime(site.config("billing", grpc_port=serving.port))
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{serving.port}"):
            await serve(runtime, {serving.port: [(LEDGER, Billing())]})


async def test_a_missing_endpoint_list_is_named(site: Site) -> None:
    async with Peers(site.config("head")) as peers:
        with pytest.raises(PlatformError, match=r"no endpoints in peers\.billing"):
            peers.remote(LEDGER)


async def test_calls_are_counted_and_timed(site: Site) -> None:
    labels = {"grpc_service": "llm.v1.Ledger", "grpc_method": "Reserve"}

    def counted(code: str) -> float:
        return REGISTRY.get_sample_value("grpc_server_handled_total", {**labels, "grpc_code": code}) or 0

    def timed() -> float:
        return REGISTRY.get_sample_value("grpc_server_handling_seconds_count", labels) or 0

    async def fail() -> None:
        raise PlatformError(Code.BUDGET_EXCEEDED, "Spent.")

    before = counted("OK"), counted("RESOURCE_EXHAUSTED"), timed()
    async with AsyncExitStack() as stack:
        for behaviour in (None, fail):
            serving = await stack.enter_async_context(site.serving("billing", (LEDGER, Billing(behaviour))))
            peers = await stack.enter_async_context(Peers(site.config("head", billing=[serving.port])))
            await asyncio.gather(peers.remote(LEDGER).reserve(BATCH), return_exceptions=True)
    assert (counted("OK"), counted("RESOURCE_EXHAUSTED"), timed()) == (before[0] + 1, before[1] + 1, before[2] + 2)


async def test_a_sampled_trace_goes_on_at_the_callee(site: Site, tmp_path: Path) -> None:
    seen: list[str] = []

    async def note() -> None:
        seen.append(tracing.current.get())

    tracing.configure(
        Config(telemetry=Telemetry(enabled=True, endpoint=f"http://127.0.0.1:{free_port()}", sample_ratio=1))
    )
    try:
        async with (
            site.serving("billing", (LEDGER, Billing(note))) as serving,
            Peers(site.config("head", billing=[serving.port])) as peers,
        ):
            ledger = peers.remote(LEDGER)
            with tracing.entry("request") as span:
                await ledger.reserve(BATCH)
            await ledger.reserve(BATCH)
    finally:
        await asyncio.to_thread(tracing.shutdown)
    assert seen[0][:36] == span.traceparent[:36]  # the same trace, another span
    assert seen[0] != span.traceparent
    assert seen[1] == ""


def test_the_remote_says_what_it_is(site: Site) -> None:
    peers = Peers(site.config("head", billing=[1]))
    assert repr(peers.remote(LEDGER)) == "<remote llm.v1.Ledger of billing>"
