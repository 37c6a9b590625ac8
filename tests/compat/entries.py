"""The entries that the SDKs are tested against: how to start each, and how to make and revoke keys there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.fleet.fleet import Fleet
from tests.fleet.process import ROOT, ServiceProcess
from tests.simulator.server import KEY

FAILING = {
    "sim-refuses": "sim+fail=-1+status=400+code=context_length_exceeded",
    "sim-limited": "sim+fail=-1+status=429+retry_after=7",
    "sim-broken": "sim+fail=-1+status=500",
    "sim-breaks-off": "sim+cut_after=3",
}
"""Public name -> the simulator's model and how it behaves."""


class EntryPoint(NamedTuple):
    """An entry under test. ``create_key`` takes options of ``llm-gateway keys create``."""

    name: str
    url: str
    key: str
    create_key: Callable[..., dict[str, Any]]
    revoke_key: Callable[[str], object]


def settings(simulator: str) -> dict[str, Any]:
    """Sections that every service is given."""
    return {
        "providers": {
            "echo": {"type": "echo", "models": ["echo"]},
            "sim": {
                "type": "openai",
                "base_url": simulator,
                "api_key": KEY,
                "retry_count": 0,
                "timeout": 5000,
                "models": {"sim": "sim", **FAILING},
            },
        },
        "billing": {"unknown_price": "free"},
        "routing": {"default_model": "echo"},
    }


@contextmanager
def simulator() -> Iterator[str]:
    """The strict provider as a process; gives its base URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.simulator", "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def standalone(directory: Path, sections: dict[str, Any]) -> Iterator[EntryPoint]:
    """``llm-gateway serve``."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = int(holder.getsockname()[1])
    path = directory / "standalone.yaml"
    own = {"service": {"data_dir": str(directory / "data")}, "listen": {"host": "127.0.0.1", "http": port}}
    path.write_text(yaml.safe_dump(sections | own))
    command = _Command(path)
    process = _Standalone("serve", "standalone-1", path, port, directory, sys.executable)
    process.start()
    try:
        process.wait_ready()
        yield EntryPoint(
            "standalone",
            f"http://127.0.0.1:{port}/v1",
            command("keys", "create", "compat")["secret"],
            lambda name, *options: command("keys", "create", name, *options),
            lambda key_id: command("keys", "revoke", key_id),
        )
    finally:
        if process.running:
            process.terminate()


def of_fleet(fleet: Fleet, name: str) -> EntryPoint:
    """``tail`` or ``gateway``, three hops before the provider."""
    return EntryPoint(
        name,
        f"{fleet.url(f'{name}-1')}/v1",
        fleet.command("keys", "create", f"compat-{name}")["secret"],
        lambda key, *options: fleet.command("keys", "create", key, *options),
        lambda key_id: fleet.command("keys", "revoke", key_id),
    )


class _Standalone(ServiceProcess):
    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "llm_platform.cli.app", "serve", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                env=_environment(),
                cwd=ROOT,
            )


class _Command:
    def __init__(self, config: Path) -> None:
        self._config = config

    def __call__(self, *arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "llm_platform.cli.app"),
                *(*arguments, "--config", str(self._config), "--format", "json"),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=_environment(),
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "services"), "PYTHONUNBUFFERED": "1"}
