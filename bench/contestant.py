"""What is compared: something that listens, forwards chat completions to the mock provider, and has processes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache" / "bench"
PROMPT = "Tell me about foxes. " * 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Contestant:
    """One system under test. Subclasses install themselves, start their processes and say how they are called."""

    name = ""
    path = "/v1/chat/completions"

    def __init__(self, directory: Path, upstream_port: int) -> None:
        self.directory = directory
        self.upstream = f"http://127.0.0.1:{upstream_port}/v1"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def install(cls) -> None:
        """Makes what it needs, in an environment of its own; does nothing when it is there."""

    def start(self) -> None:
        raise AssertionError(f"{type(self).__name__} must say how it starts")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def processes(self) -> dict[str, int]:
        """Name -> pid of what is charged to it, children included."""
        assert self._process is not None
        return {self.name: self._process.pid}

    def headers(self) -> dict[str, str]:
        return {"content-type": "application/json", "authorization": "Bearer sk-bench"}

    def body(self, *, stream: bool) -> str:
        request = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 200}
        return json.dumps(request | ({"stream": True} if stream else {}))

    def launch(self, command: list[str], environment: dict[str, str] | None = None, cwd: Path | None = None) -> None:
        """Starts ``command`` with its output in a file, and waits until its port answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        log = (self.directory / f"{self.name.replace(' ', '-')}.log").open("wb")
        self._process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **(environment or {})}, cwd=cwd
        )
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.name} stopped: see {log.name}")
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.2)
        raise RuntimeError(f"{self.name} does not listen: see {log.name}")
