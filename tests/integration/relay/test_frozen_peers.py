"""Peers that stop without closing anything: only the application's ping can tell."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llm_platform.core import pki
from llm_platform.core.config import Config, Service
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.inference import Reply
from llm_platform.proto import inference_pb2
from llm_platform.relay.client import RelayClient, connect
from llm_platform.relay.connection import State
from tests.integration.relay.replica_process import SETTINGS, TRUST_DOMAIN, tls

ROOT = Path(__file__).parents[3]


class Process:
    """A replica; ``signal`` goes to it alone."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.relay.replica_process", name, str(directory)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'services'}:{ROOT}"},
        )

    def port(self) -> int:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip().isdigit():
                return int(line)
        raise AssertionError("the replica did not start")

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    authority = pki.issue_authority(TRUST_DOMAIN)
    for service in ("head", "tail"):
        pki.write_bundle(tmp_path / service, pki.issue_certificate(authority, service))
    return tmp_path


@pytest.fixture
def replicas(certificates: Path) -> Iterator[list[Process]]:
    started = [Process(name, certificates / "head") for name in ("head-1", "head-2")]
    yield started
    for process in started:
        process.end()


@pytest.fixture
def config(certificates: Path, replicas: list[Process]) -> Config:
    return Config(
        service=Service(name="tail", replica="tail-1"),
        tls=tls(certificates / "tail"),
        peers={"head": [f"127.0.0.1:{process.port()}" for process in replicas]},
    )


def call(model: str, *, stream: bool = False) -> inference_pb2.Open:
    return inference_pb2.Open(request_id="req", model=model, timeout_ms=20_000, stream=stream)


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.02)


def connected(relay: RelayClient) -> list[str]:
    return sorted(each.name for each in relay.replicas if each.state is State.CONNECTED)


async def open_on(relay: RelayClient, name: str, model: str) -> Reply:
    """A reply from the replica called ``name``; idle replicas take turns."""
    for _ in range(4):
        reply = await relay.open(call(model, stream=True), b"event")
        if reply.start.provider == name:
            return reply
        await reply.aclose()
    raise AssertionError(f"{name} was not chosen")


async def test_a_stopped_replica_is_found_and_its_requests_move_or_end(config: Config, replicas: list[Process]) -> None:
    async with connect(config, "head", settings=SETTINGS) as relay:
        await until(lambda: connected(relay) == ["head-1", "head-2"])
        begun = await open_on(relay, "head-1", "stream")
        reader = aiter(begun)
        assert await anext(reader) == b"event"
        waiting = [asyncio.create_task(relay.open(call("echo"), b"body")) for _ in range(8)]
        replicas[0].signal(signal.SIGSTOP)
        waiting += [asyncio.create_task(relay.open(call("echo"), b"body")) for _ in range(8)]

        async with asyncio.timeout(10):
            with pytest.raises(PlatformError) as caught:
                await anext(reader)
            assert caught.value.code is Code.LINK_BROKEN
            for reply in await asyncio.gather(*waiting):
                assert [chunk async for chunk in reply] == [b"body"]
        await until(lambda: connected(relay) == ["head-2"])
        assert next(each.reason for each in relay.replicas if each.name == "head-1")

        replicas[0].signal(signal.SIGCONT)
        await until(lambda: connected(relay) == ["head-1", "head-2"])
        assert [chunk async for chunk in await open_on(relay, "head-1", "echo")] == [b"event"]


async def test_a_replica_with_a_blocked_loop_is_found_and_its_request_moves(
    config: Config, replicas: list[Process]
) -> None:
    async with connect(config, "head", settings=SETTINGS) as relay:
        await until(lambda: connected(relay) == ["head-1", "head-2"])
        async with asyncio.timeout(10):
            replies = await asyncio.gather(*(relay.open(call("freeze head-1"), b"body") for _ in range(2)))
            assert [reply.start.provider for reply in replies] == ["head-2", "head-2"]
        assert connected(relay) == ["head-2"]


async def test_a_killed_replica_is_left_at_once(config: Config, replicas: list[Process]) -> None:
    async with connect(config, "head", settings=SETTINGS) as relay:
        await until(lambda: connected(relay) == ["head-1", "head-2"])
        waiting = [asyncio.create_task(relay.open(call("wait"), b"")) for _ in range(2)]
        await asyncio.sleep(0.1)
        replicas[0].end()
        await until(lambda: connected(relay) == ["head-2"])
        link = relay._links[0]
        await until(lambda: len(link.streams) == 2)
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await until(lambda: not link.streams)
