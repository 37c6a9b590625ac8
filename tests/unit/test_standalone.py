"""``llm-gateway serve``: the whole platform in one process, from the first start to the last request."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SERVICES = Path(__file__).parents[2] / "services"
HELLO = {"model": "echo", "messages": [{"role": "user", "content": "Hello over there"}]}


class Platform:
    """A served platform on a free port, with its output."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.directory = directory
        self.environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SERVICES), **environment}
        self._out, self._err = directory / "out", directory / "err"
        self.child = subprocess.Popen(
            [sys.executable, "-m", "llm_platform", "serve", "--port", "0", "--data-dir", str(directory / "data")],
            stdout=self._out.open("wb"),
            stderr=self._err.open("wb"),
            env=self.environment,
            cwd=directory,
        )
        self.port = int(self._wait_for("listening", "port"))
        self._wait_for("started", "event")
        self.key = key[0] if (key := re.findall(r"first API key  (\S+)", self.said)) else ""

    @property
    def said(self) -> str:
        return self._err.read_text()

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._out.read_text().splitlines() if line.endswith("}")]

    def _wait_for(self, event: str, field: str) -> Any:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.child.poll() is None:
            for line in self.log:
                if line["event"] == event:
                    return line[field]
            time.sleep(0.02)
        raise AssertionError(self._out.read_text() + self.said)

    def ask(self, path: str, body: dict[str, Any] | None = None, key: str | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"authorization": f"Bearer {self.key if key is None else key}", "content-type": "application/json"}
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()

    def command(self, *arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "llm_platform", *arguments, "--format", "json"],
            capture_output=True, text=True, timeout=30, check=True, env=self.environment, cwd=self.directory,
        )  # fmt: skip
        return json.loads(done.stdout)

    def stop(self) -> int:
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        return self.child.wait(30)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    directory = tmp_path_factory.mktemp("platform")
    (directory / "config.yaml").write_text(json.dumps({"service": {"data_dir": str(directory / "data")}}))
    platform = Platform(directory, LLM_GATEWAY_CONFIG=str(directory / "config.yaml"), RUVECTOR_SERVICE_URL="http://x")
    yield platform
    platform.stop()


def test_the_first_start_shows_credentials_on_the_terminal_and_not_in_the_log(platform: Platform) -> None:
    assert platform.key.startswith("sk-")
    assert "administrator" in platform.said
    assert f"curl http://127.0.0.1:{platform.port}/v1/chat/completions" in platform.said
    log = json.dumps(platform.log)
    assert platform.key not in log
    assert re.findall(r"password +(\S+)", platform.said)[0] not in log


def test_the_shown_curl_works(platform: Platform) -> None:
    command = platform.said[platform.said.index("  curl ") :].strip()
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=20, check=True)
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "Hello"


def test_a_completion(platform: Platform) -> None:
    status, body = platform.ask("/v1/chat/completions", HELLO)
    assert status == 200
    assert json.loads(body)["choices"][0]["message"]["content"] == "Hello over there"


def test_a_stream(platform: Platform) -> None:
    status, body = platform.ask("/v1/chat/completions", {**HELLO, "stream": True})
    assert status == 200
    events = [line.removeprefix("data: ") for line in body.splitlines() if line]
    assert events[-1] == "[DONE]"
    pieces = [json.loads(event)["choices"][0]["delta"].get("content", "") for event in events[:-1]]
    assert "".join(pieces) == "Hello over there"
    assert len(pieces) > 3


def test_health_metrics_models_and_configuration(platform: Platform) -> None:
    assert json.loads(platform.ask("/health/ready")[1])["status"] == "ready"
    assert "echo" in platform.ask("/v1/models")[1]
    assert json.loads(platform.ask("/config")[1])["service"]["name"] == "standalone"
    assert "llm_requests_total" in platform.ask("/metrics")[1]


def test_no_key_and_a_wrong_key_are_refused(platform: Platform) -> None:
    assert platform.ask("/v1/chat/completions", HELLO, key="")[0] == 401
    assert platform.ask("/v1/chat/completions", HELLO, key="sk-llm-wrong")[0] == 401


def test_what_has_no_effect_is_in_the_log(platform: Platform) -> None:
    assert any(
        "RUVECTOR_SERVICE_URL has no effect yet" in line["event"] for line in platform.log if line["level"] == "warning"
    )


def test_every_request_is_one_access_line_and_in_the_ledger(platform: Platform) -> None:
    made = platform.command("keys", "create", "counted")
    for _ in range(3):
        assert platform.ask("/v1/chat/completions", HELLO, key=made["secret"])[0] == 200
    deadline = time.monotonic() + 10
    lines: list[Any] = []
    # A request's line is written after its answer.
    while time.monotonic() < deadline and len(lines) < 3:
        lines = [line for line in platform.log if line.get("key_id") == made["key_id"] and line["event"] == "request"]
    assert [line["status"] for line in lines] == [200, 200, 200]
    assert len({line["request_id"] for line in lines}) == 3
    usage: list[Any] = []
    while time.monotonic() < deadline and not (usage and usage[0]["requests"] == 3):
        usage = [row for row in platform.command("usage") if row["key_id"] == made["key_id"]]
    assert usage[0]["requests"] == 3
    assert platform.command("ledger", "verify")["problems"] == []


@pytest.mark.case(26)
def test_a_key_revoked_by_the_command_line_stops_within_the_stated_time(platform: Platform) -> None:
    made = platform.command("keys", "create", "short-lived")
    assert platform.ask("/v1/models", key=made["secret"])[0] == 200
    platform.command("keys", "revoke", made["key_id"])
    deadline = time.monotonic() + 5 + 2  # auth.key_cache_seconds, and a margin for this machine
    while platform.ask("/v1/models", key=made["secret"])[0] == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.case(19)
def test_a_stop_finishes_open_requests_and_the_next_start_knows_everything(tmp_path: Path) -> None:
    first = Platform(tmp_path)
    answers: list[tuple[int, str]] = []
    slow = {
        "model": "echo",
        "messages": [{"role": "user", "content": "[[tokens=20]][[delay_ms=50]] words"}],
        "stream": True,
    }
    asking = threading.Thread(target=lambda: answers.append(first.ask("/v1/chat/completions", slow)))
    asking.start()
    while not answers and not first.ask("/metrics")[1].count('llm_requests_open{service="model-proxy"} 1.0'):
        pass
    assert first.stop() == 0
    asking.join(10)
    assert answers[0][0] == 200
    assert answers[0][1].rstrip().endswith("data: [DONE]")
    second = Platform(tmp_path)
    try:
        assert second.said.strip() == ""
        assert second.ask("/v1/chat/completions", HELLO, key=first.key)[0] == 200
    finally:
        assert second.stop() == 0


def test_a_taken_port_is_one_clear_line(platform: Platform, tmp_path: Path) -> None:
    arguments = ["serve", "--port", str(platform.port), "--data-dir", str(tmp_path / "data")]
    done = subprocess.run(
        [sys.executable, "-m", "llm_platform", *arguments],
        capture_output=True, text=True, timeout=30, check=False, env=platform.environment, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = [json.loads(line) for line in done.stdout.splitlines() if '"error"' in line]
    assert line["event"] == "cannot start"
    assert "address already in use" in line["reason"].lower()
