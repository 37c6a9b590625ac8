"""A process's life, observed from outside: signals, exit codes, log lines."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SERVICES = Path(__file__).parents[3] / "services"

PROLOGUE = """
import asyncio, sys
from contextlib import asynccontextmanager
from pathlib import Path
from llm_platform.core import lifecycle
from llm_platform.core.config import Config, Listen, Service, Traffic
from llm_platform.core.errors import CannotStartError, Code, PlatformError
from llm_platform.core.logging import get_logger

log = get_logger("test")
config = Config(
    service=Service(name="head", replica="head-1"), listen=Listen(http=PORT), traffic=Traffic(drain_seconds=DRAIN)
)

@asynccontextmanager
async def part(name):
    log.info("opened", part=name)
    yield name
    log.info("closed", part=name)
"""
EPILOGUE = """
sys.exit(lifecycle.run(config, start))
"""


class Process:
    """A service made of a few lines, with its log."""

    def __init__(self, code: str, directory: Path, drain_seconds: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        prologue = PROLOGUE.replace("PORT", str(self.port)).replace("DRAIN", str(drain_seconds))
        self._log = directory / "log"
        self.child = subprocess.Popen(
            [sys.executable, "-c", prologue + textwrap.dedent(code) + EPILOGUE],
            stdout=self._log.open("wb"),
            stderr=subprocess.STDOUT,
            env={"PYTHONPATH": str(SERVICES)},
            cwd=directory,
        )

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.endswith("}")]

    def events(self) -> list[str]:
        return [f"{line['event']} {line['part']}" if "part" in line else line["event"] for line in self.lines()]

    def wait_for(self, event: str) -> None:
        deadline = time.monotonic() + 20
        while event not in self.events():
            assert time.monotonic() < deadline, f"no {event!r} in:\n{self._log.read_text()}"
            time.sleep(0.02)

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.child.send_signal(number)
        return self.child.wait(20)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(code: str, drain_seconds: int = 20) -> Process:
        started.append(Process(code, tmp_path, drain_seconds))
        return started[-1]

    yield start
    for process in started:
        if process.child.poll() is None:
            process.child.kill()
            process.child.wait()


TWO_PARTS = """
    async def start(runtime):
        await runtime.enter(part("store"))
        await runtime.enter(part("server"))
        runtime.health.add("store", lambda: None)

        async def finish_requests():
            log.info("finishing requests")
            while not Path("finished").exists():
                await asyncio.sleep(0.01)

        async def deliver_outcomes():
            log.info("delivering outcomes")

        runtime.on_drain(finish_requests)
        runtime.on_drain(deliver_outcomes)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.case(19)
def test_a_signal_drains_in_order_then_closes_in_reverse_and_exits_0(
    run: Callable[..., Process], tmp_path: Path, number: signal.Signals
) -> None:
    process = run(TWO_PARTS)
    process.wait_for("started")
    assert process.get("/health/ready")[0] == 200
    process.child.send_signal(number)
    process.wait_for("finishing requests")
    status, body = process.get("/ready")
    assert (status, json.loads(body)["status"]) == (503, "draining")
    assert process.get("/live")[0] == 200
    (tmp_path / "finished").touch()
    assert process.child.wait(20) == 0
    assert process.events() == [
        "starting", "listening", "opened store", "opened server", "started",
        "told to stop", "draining", "finishing requests", "delivering outcomes", "drained",
        "closed server", "closed store", "stopped",
    ]  # fmt: skip


def test_the_drain_is_bounded(run: Callable[..., Process]) -> None:
    process = run(TWO_PARTS, drain_seconds=1)
    process.wait_for("started")
    assert process.stop() == 0
    assert "drain limit reached, open requests are cut" in process.events()
    assert process.events()[-2:] == ["closed store", "stopped"]


def test_a_second_signal_hurries(run: Callable[..., Process]) -> None:
    process = run(TWO_PARTS, drain_seconds=600)
    process.wait_for("started")
    process.child.send_signal(signal.SIGTERM)
    process.wait_for("finishing requests")
    assert process.stop() == 0
    assert "second signal, not waiting any longer" in process.events()
    assert process.events()[-3:] == ["closed server", "closed store", "stopped"]


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ("PlatformError(Code.UNAVAILABLE, 'The ledger is away.')", "unavailable: The ledger is away."),
        ("CannotStartError('The key is damaged.')", "The key is damaged."),
        ("OSError(98, 'Address already in use')", "[Errno 98] Address already in use"),
        ("KeyError('odd')", "KeyError: 'odd'"),
    ],
)  # fmt: skip
def test_a_failed_start_is_one_line_and_exit_1(run: Callable[..., Process], failure: str, reason: str) -> None:
    process = run(f"""
    async def start(runtime):
        await runtime.enter(part("store"))
        raise {failure}
    """)
    assert process.child.wait(20) == 1
    (line,) = [line for line in process.lines() if line["level"] == "error"]
    assert (line["event"], line["reason"]) == ("cannot start", reason)
    assert process.events()[-2:] == ["closed store", "stopped"]


def test_a_taken_port_is_a_failed_start(run: Callable[..., Process]) -> None:
    first = run(TWO_PARTS)
    first.wait_for("started")
    second = run(TWO_PARTS + f"\n    config = config.model_copy(update={{'listen': Listen(http={first.port})}})")
    assert second.child.wait(20) == 1
    assert "address already in use" in second._log.read_text().lower()


def test_the_crash_of_a_background_task_ends_the_process(run: Callable[..., Process]) -> None:
    process = run("""
    async def fail():
        await asyncio.sleep(0.05)
        raise ValueError("broken")

    async def start(runtime):
        await runtime.enter(part("store"))
        runtime.task = lifecycle.background(fail(), "delivery")
    """)
    assert process.child.wait(20) == 1
    (line,) = [line for line in process.lines() if line["level"] == "error"]
    assert line["event"] == "background task delivery failed"
    assert "ValueError: broken" in line["exception"]
    assert process.events()[-2:] == ["closed store", "stopped"]


def test_a_signal_during_the_start_ends_it(run: Callable[..., Process]) -> None:
    process = run("""
    async def start(runtime):
        await runtime.enter(part("store"))
        await asyncio.sleep(600)
    """)
    process.wait_for("opened store")
    assert process.get("/ready")[0] == 503
    assert process.stop() == 0
    assert process.events()[-2:] == ["closed store", "stopped"]
    assert "started" not in process.events()


def test_the_side_server_answers_what_is_asked_and_nothing_else(run: Callable[..., Process]) -> None:
    process = run(TWO_PARTS)
    process.wait_for("started")
    for path in ("/health", "/health/live", "/live"):
        assert json.loads(process.get(path)[1])["status"] == "ok"
    status, body = process.get("/health/ready?verbose=1")
    assert (status, json.loads(body)["dependencies"]["store"]["state"]) == (200, "ok")
    assert "llm_build_info" in process.get("/metrics")[1]
    assert process.get("/live", "HEAD") == (200, "")
    assert process.get("/nothing")[0] == 404
    assert process.get("/live", "POST")[0] == 405


@pytest.mark.case(27)
@pytest.mark.parametrize(
    "sent", [b"\x00\xff garbage\r\n\r\n", b"GET /live\r\n\r\n", b"GET /live HTTP/1.1\r\n" + b"x: y\r\n" * 9000]
)
def test_the_side_server_survives_what_is_not_http(run: Callable[..., Process], sent: bytes) -> None:
    process = run(TWO_PARTS)
    process.wait_for("started")

    async def send() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
        writer.write(sent)
        try:
            return await asyncio.wait_for(reader.read(), 10)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    reply = asyncio.run(send())
    assert not reply or reply.split()[1] in {b"400", b"431", b"505"}
    assert process.get("/live")[0] == 200
    assert not [line for line in process.lines() if line["level"] == "error"]
