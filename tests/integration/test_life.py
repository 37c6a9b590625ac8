"""How the services live together: start in any order, stop without losing a request, leave nothing running."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos.load import Load
from tests.fleet import Fleet
from tests.fleet.ledger import ledger_of, settled_entries
from tests.integration.conftest import eventually
from tests.simulator import running

MODEL = "gpt-4o-mini"
TWICE = ("head", "model-proxy", "billing", "auth-service", "rate-limiter", "secrets-service")


@pytest.mark.case(32)
def test_services_start_in_any_order(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    with ExitStack() as stack:
        stack.push(fleet)
        for process in reversed(fleet.processes.values()):
            process.start()
        for process in fleet.processes.values():
            process.wait_ready(40)


@pytest.mark.case(19)
async def test_replicas_that_are_told_to_stop_lose_no_request(tmp_path: Path) -> None:
    async with running() as simulator:
        simulator.behave(MODEL, tokens=20, pace=0.03)
        openai = {"type": "openai", "base_url": simulator.url, "api_key": simulator.key, "models": [MODEL]}
        replicas = dict.fromkeys(TWICE, 2)
        settings = {"providers": {"openai": openai}}
        async with Fleet(tmp_path, settings=settings, replicas=replicas) as fleet:
            await asyncio.to_thread(fleet.command, "bootstrap")
            load = Load(fleet.url("tail-1"), await asyncio.to_thread(fleet.create_key), MODEL)
            loading = asyncio.create_task(load.run(workers=10))
            for replica in (f"{service}-1" for service in TWICE):
                await asyncio.sleep(0.5)
                assert load.in_flight > 0
                assert await asyncio.to_thread(fleet[replica].terminate) == 0, fleet[replica].log_tail()
                fleet[replica].start()
                await asyncio.to_thread(fleet[replica].wait_ready)
            load.stop()
            await loading
    assert set(load.outcomes) == {"answered"}, load.outcomes


@pytest.mark.case(14)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_stops_the_call_at_the_provider(tmp_path: Path, *, stream: bool) -> None:
    async with running() as simulator:
        simulator.behave(MODEL, tokens=200, pace=0.1, first_byte=0 if stream else 60)
        openai = {"type": "openai", "base_url": simulator.url, "api_key": simulator.key, "models": [MODEL]}
        async with Fleet(tmp_path, settings={"providers": {"openai": openai}}) as fleet:
            await asyncio.to_thread(fleet.command, "bootstrap")
            key = await asyncio.to_thread(fleet.create_key)
            client = await asyncio.to_thread(leave_after_asking, fleet.url("tail-1"), key, stream=stream)
            await asyncio.to_thread(eventually, lambda: bool(simulator.record.calls), "the provider was called")
            await asyncio.sleep(0.5)
            client.close()
            if stream:
                call = simulator.record.calls[0]
                await asyncio.to_thread(eventually, lambda: call.client_gone, "the provider's connection was closed", 5)
            async with ledger_of(fleet) as ledger, asyncio.timeout(15):
                while not (entries := await settled_entries(ledger)):  # noqa: ASYNC110 - written by another process
                    await asyncio.sleep(0.1)
            assert [(entry.result, entry.certainty) for entry in entries] == [("cancelled", "estimated")]


def leave_after_asking(url: str, key: str, *, stream: bool) -> socket.socket:
    host, _, port = url.removeprefix("http://").partition(":")
    body = json.dumps({"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "hi"}]})
    client = socket.create_connection((host, int(port)))
    client.sendall(
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
    )
    return client


async def test_a_frozen_head_is_noticed_and_its_requests_end_with_a_clear_error(tmp_path: Path) -> None:
    async with Fleet(tmp_path, replicas={"head": 2}) as fleet:
        await asyncio.to_thread(fleet.command, "bootstrap")
        load = Load(fleet.url("tail-1"), await asyncio.to_thread(fleet.create_key), "echo")
        loading = asyncio.create_task(load.run(workers=4))
        await asyncio.sleep(1)
        fleet["head-1"].signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(6)
            answered = load.outcomes["answered"]
            await asyncio.sleep(1)
            assert load.outcomes["answered"] > answered, "the other head serves"
            load.stop()
            await asyncio.wait_for(loading, 30)
        finally:
            fleet["head-1"].signal(signal.SIGCONT)
    assert load.unclear == []
