"""This project, in one process and over three hops with mTLS; each with the embedded stores or PostgreSQL and Redis."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from typing import Any

import yaml

from bench.contestant import ROOT, Contestant
from bench.python import environment
from tests.fleet import Fleet, ProductionStores

MODEL = "gpt-4o-mini"
WITH_STORES = ", PostgreSQL and Redis"
"""What the name ends with."""


class _Platform(Contestant):
    @classmethod
    def install(cls) -> None:
        _python()

    def settings(self) -> dict[str, Any]:
        """Everything on: authentication, limits, ledger, metrics, logs, traces sampled at 1 %."""
        collector = self.upstream.removesuffix("/v1")
        provider = {
            "type": "openai",
            "base_url": self.upstream,
            "api_key": "sk-upstream",
            "models": [MODEL],
        }
        return {
            "providers": {"openai": provider, "echo": {"type": "echo", "models": ["echo"]}},
            "telemetry": {"enabled": True, "endpoint": collector, "sample_ratio": 0.01},
            "traffic": {"max_concurrent_requests": 1000, "requests_per_minute": 10_000_000},
            "stores": self.stores.settings if self.stores else {},
        }

    def headers(self) -> dict[str, str]:
        return {**super().headers(), "authorization": f"Bearer {self.key}"}

    key = ""
    stores: ProductionStores | None = None


class Standalone(_Platform):
    name = "standalone"

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "serve.yaml"
        data = {"data_dir": str(self.directory / "data")}
        config.write_text(
            yaml.safe_dump({"service": data, "listen": {"host": "127.0.0.1", "http": self.port}, **self.settings()})
        )
        program = [_python(), "-m", "llm_platform"]
        variables = {"PYTHONPATH": str(ROOT / "services")}
        self.launch([*program, "serve", "--config", str(config)], variables)
        created = subprocess.run(
            [*program, "keys", "create", "bench", "--config", str(config), "--format", "json"],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        self.key = json.loads(created.stdout)["secret"]


class ThreeHops(_Platform):
    name = "three hops, mTLS"

    def start(self) -> None:
        self.fleet = Fleet(self.directory, settings=self.settings(), python=_python())
        self.fleet.__enter__()
        self.port = int(self.fleet.url("tail-1").rpartition(":")[2])
        self.fleet.command("bootstrap")
        self.key = self.fleet.create_key("bench")

    def stop(self) -> None:
        self.fleet.stop()

    def processes(self) -> dict[str, int]:
        return {one.service: one.pid for one in self.fleet.processes.values()}


class _WithStores(_Platform):
    """With servers of its own, whose processor time is counted in."""

    def start(self) -> None:
        # As durable as the distribution makes it, and as the embedded stores are.
        self.stores = ProductionStores("fsync=on")
        self.stores.__enter__()
        super().start()

    def stop(self) -> None:
        super().stop()
        if self.stores:
            self.stores.__exit__(None, None, None)

    def processes(self) -> dict[str, int]:
        assert self.stores is not None
        return {**super().processes(), "postgresql": self.stores.postgresql.pid, "redis": self.stores.redis.pid}


class StandaloneWithStores(_WithStores, Standalone):
    name = f"{Standalone.name}{WITH_STORES}"


class ThreeHopsWithStores(_WithStores, ThreeHops):
    name = f"{ThreeHops.name}{WITH_STORES}"


def _python() -> str:
    """With what the images have, pinned."""
    lock = ROOT / "requirements" / "runtime.lock"
    pins = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    return str(environment(f"platform-{pins}", ["--require-hashes", "--requirement", str(lock)]))
