"""What one hop of the relay costs: two processes on loopback with mTLS, no HTTP, no provider.

Prints CPU microseconds (both processes together) per buffered request and per streamed event. The same
load on the service object itself, without a relay, is measured and subtracted. FACTS.md's budget: 60 per
buffered 1 KB request at 64 connections, 25 per event over three hops.

    PYTHONPATH=services python bench/relay.py [--seconds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path

import grpc.aio
import psutil
import structlog
import uvloop

from llm_platform.core import pki
from llm_platform.core.config import Config, Listen, Service, Tls
from llm_platform.core.inference import Inference
from llm_platform.proto import inference_pb2
from llm_platform.relay.client import RelayClient, connect
from llm_platform.relay.server import RelayServer
from llm_platform.rpc.credentials import SERVER_OPTIONS, Certificates, listen

EVENTS = 52
EVENT = b'data: {"choices":[{"delta":{"content":"token "}}]}\n\n'
PACE_SECONDS = 0.005
BUFFERED = b"x" * 1024
LARGE = bytes(20_000_000)


class _Reply:
    def __init__(self, call: inference_pb2.Open, body: bytes) -> None:
        self.start = inference_pb2.Start(status=200, content_type="application/json")
        self.end: inference_pb2.End | None = None
        self._chunks = self._paced() if call.stream else self._whole(body)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def aclose(self) -> None:
        pass

    async def _whole(self, body: bytes) -> AsyncIterator[bytes]:
        yield body if len(body) <= len(BUFFERED) else BUFFERED
        self.end = inference_pb2.End(attempts=1)

    async def _paced(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(random.uniform(0, PACE_SECONDS))  # noqa: S311 - or all streams would send at once
        due = loop.time()
        for _ in range(EVENTS):
            yield EVENT
            due += PACE_SECONDS
            await asyncio.sleep(due - loop.time())
        self.end = inference_pb2.End(attempts=1)


class _Service:
    async def open(self, call: inference_pb2.Open, body: bytes) -> _Reply:
        return _Reply(call, body)


def serve(config: Config, ports: Connection) -> None:
    """The server's process; ends with its parent."""
    _quiet()

    async def main() -> None:
        server = grpc.aio.server(options=SERVER_OPTIONS)
        server.add_generic_rpc_handlers((RelayServer(config, _Service()).handler,))
        assert config.tls is not None
        ports.send(listen(server, config, 0, Certificates(config.tls)))
        await server.start()
        await server.wait_for_termination()

    uvloop.run(main())


def _quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))


def _call(stream: bool) -> inference_pb2.Open:
    return inference_pb2.Open(
        request_id="req_0193f0a0b1c2d3e4f5a6b7c8d9e0f1a2",
        dialect="openai.chat",
        model="gpt-5",
        stream=stream,
        principal={"key_id": "key_0193f0a0b1c2", "user_id": "usr_0193f0a0b1c2", "role": "user"},
        max_output_tokens=256,
        timeout_ms=30_000,
    )


async def _buffered(inference: Inference, seconds: float, connections: int) -> int:
    """Requests answered."""
    call, end, count = _call(False), time.monotonic() + seconds, 0

    async def one() -> None:
        nonlocal count
        while time.monotonic() < end:
            async for _ in await inference.open(call, BUFFERED):
                pass
            count += 1

    await asyncio.gather(*(one() for _ in range(connections)))
    return count


async def _streamed(inference: Inference, seconds: float, connections: int) -> int:
    """Events received."""
    call, end, count = _call(True), time.monotonic() + seconds, 0

    async def one() -> None:
        nonlocal count
        while time.monotonic() < end:
            async for _ in await inference.open(call, BUFFERED):
                count += 1

    await asyncio.gather(*(one() for _ in range(connections)))
    return count


async def _beside_large(inference: Inference, seconds: float, large: int) -> tuple[list[float], float]:
    """Latencies of small requests (ms), one at a time, beside ``large`` 20 MB uploads; MB/s of those."""
    call, end, latencies, sent = _call(False), time.monotonic() + seconds, [], 0

    async def upload() -> None:
        nonlocal sent
        while time.monotonic() < end:
            async for _ in await inference.open(call, LARGE):
                pass
            sent += len(LARGE)

    async def small() -> None:
        while time.monotonic() < end:
            began = time.perf_counter()
            async for _ in await inference.open(call, BUFFERED):
                pass
            latencies.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.002)

    began = time.perf_counter()
    await asyncio.gather(small(), *(upload() for _ in range(large)))
    return latencies, sent / 1e6 / (time.perf_counter() - began)


Load = Callable[[Inference, float, int], Awaitable[int]]


async def _cost(
    load: Load, inference: Inference, seconds: float, connections: int, server: psutil.Process | None
) -> tuple[float, float]:
    """(CPU microseconds per unit, units a second), this process and the server together."""
    await load(inference, 0.3, connections)
    cpu, wall = _cpu(server), time.perf_counter()
    units = await load(inference, seconds, connections)
    return (_cpu(server) - cpu) / units * 1e6, units / (time.perf_counter() - wall)


def _cpu(server: psutil.Process | None) -> float:
    return time.process_time() + (sum(server.cpu_times()[:2]) if server is not None else 0.0)


async def _measure(relay: RelayClient, server: psutil.Process, seconds: float) -> None:
    await relay.open(_call(False), BUFFERED)
    (link,) = relay._links  # noqa: SLF001 - its counters are what is reported
    print(f"{'':32}{'per second':>12}{'CPU us':>9}{'relay us':>10}{'frames/message':>16}")
    rows: list[tuple[str, Load, int]] = [
        *((f"buffered 1 KB, c={c}", _buffered, c) for c in (1, 16, 64)),
        *((f"event, 5 ms apart, c={c}", _streamed, c) for c in (1, 16, 64)),
    ]
    for name, load, connections in rows:
        bare, _ = await _cost(load, _Service(), min(seconds, 1.0), connections, None)
        frames, messages = link.frames_received, link.messages_received
        cpu, rate = await _cost(load, relay, seconds, connections, server)
        coalesced = (link.frames_received - frames) / (link.messages_received - messages)
        print(f"{name:32}{rate:12,.0f}{cpu:9.1f}{cpu - bare:10.1f}{coalesced:16.1f}")
    for large in (0, 1, 4):
        latencies, throughput = await _beside_large(relay, seconds, large)
        p50, p99 = statistics.median(latencies), statistics.quantiles(latencies, n=100)[98]
        print(f"small beside {large} of 20 MB: p50 {p50:.2f} ms, p99 {p99:.2f} ms; large {throughput:,.0f} MB/s")


def _identity(directory: Path, authority: pki.Authority, service: str) -> Tls:
    return pki.write_bundle(directory / service, pki.issue_certificate(authority, service))


async def _run(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory, authority = Path(name), pki.issue_authority("bench.internal")
        serving = Config(
            service=Service(name="head", replica="head-1"), listen=Listen(), tls=_identity(directory, authority, "head")
        )
        here, there = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(serving, there), daemon=True)
        process.start()
        endpoint = f"127.0.0.1:{await asyncio.to_thread(here.recv)}"
        calling = Config(
            service=Service(name="tail", replica="tail-1"),
            tls=_identity(directory, authority, "tail"),
            peers={"head": [endpoint]},
        )
        try:
            async with connect(calling, "head") as relay:
                await _measure(relay, psutil.Process(process.pid), seconds)
        finally:
            process.terminate()
            process.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    _quiet()
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    uvloop.run(_run(parser.parse_args().seconds))
