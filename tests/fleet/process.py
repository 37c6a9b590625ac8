"""One service as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


class ServiceProcess:
    """``llm-gateway run SERVICE`` with its log in a file. Ended by pid, never by name.

    ``root`` is the checkout it runs.
    """

    def __init__(self, service: str, replica: str, config: Path, http_port: int, directory: Path, python: str) -> None:
        self.root = ROOT
        self.service = service
        self.replica = replica
        self.config = config
        self.http_port = http_port
        self.python = python
        self.log = directory / f"{replica}.log"
        self.environment: Mapping[str, str] = {}
        """What the process finds there beside the tests' own."""
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.replica} was not started"
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        environment = {
            **os.environ,
            **self.environment,
            "PYTHONPATH": str(self.root / "services"),
            "PYTHONUNBUFFERED": "1",
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.python, "-m", "llm_platform", "run", self.service, "--config", str(self.config)],
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.root,
            )

    def signal(self, number: signal.Signals) -> None:
        if self.running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """``kill -9``, and waits until the process is gone."""
        self.signal(signal.SIGKILL)
        self.wait(10)

    def terminate(self, seconds: float = 20) -> int:
        """SIGTERM; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds: float) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def wait_ready(self, seconds: float = 60) -> None:
        """Returns once ``/ready`` answers 200; fails with the log's end."""
        deadline = time.monotonic() + seconds
        answer = "nothing"
        while time.monotonic() < deadline:
            if not self.running:
                raise AssertionError(f"{self.replica} stopped with code {self.wait(1)}:\n{self.log_tail()}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/ready", timeout=2):
                    return
            except urllib.error.HTTPError as error:
                answer = f"{error.code} {error.read().decode()}"
            except OSError as error:
                answer = str(error)
            time.sleep(0.05)
        raise AssertionError(f"{self.replica} is not ready after {seconds} s: {answer}\n{self.log_tail()}")

    def log_tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
