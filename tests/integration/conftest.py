"""One fleet of all services for the tests that only call it; tests that stop services make their own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llm_platform.core import catalog
from tests.fleet import Fleet

PAGE = '<!doctype html><meta name="csp-nonce" content="%NONCE%"><title>Dashboard</title>'
"""Instead of the built pages, which their own tests look at."""
PROVIDER_KEY = "canary-of-a-provider-2f7a91c04be6"


@dataclass(frozen=True)
class Platform:
    """A running fleet and a key to call it with."""

    fleet: Fleet
    key: str
    traces: Path
    admin_password: str

    def spans(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.traces.read_text().splitlines()] if self.traces.exists() else []


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Every request is traced, into a file."""
    directory = tmp_path_factory.mktemp("fleet")
    traces = directory / "traces.jsonl"
    unreachable = {
        "type": "openai",
        "base_url": "http://127.0.0.1:9/v1",
        "api_key": PROVIDER_KEY,
        "retry_count": 0,
        "models": ["unreachable-model"],
    }
    settings = {
        "telemetry": {"enabled": True, "endpoint": f"file://{traces}", "sample_ratio": 1.0},
        "auth": {"key_cache_seconds": 1},
        "billing": {"unknown_price": "free"},
        "providers": {
            "echo": {"type": "echo", "models": ["echo"]},
            "narrow": {"type": "echo", "models": ["rare"]},
            "unreachable": unreachable,
        },
        "limits": {
            "models": {"rare": {"requests_per_minute": 60, "requests_burst": 10}},
            "providers": {"narrow": {"requests_per_minute": 2, "tokens_per_minute": 1_000_000}},
        },
    }
    pages = directory / "pages"
    pages.mkdir()
    (pages / "index.html").write_text(PAGE)
    (pages / "assets").mkdir()
    (pages / "assets" / "page.js").write_text("export {};")
    with Fleet(directory, settings=settings, services=catalog.load().services, pages=pages) as fleet:
        admin = fleet.command("bootstrap")["password"]
        yield Platform(fleet, fleet.create_key("integration"), traces, admin)


def eventually(condition: Callable[[], bool], what: str, seconds: float = 15) -> None:
    """Returns as soon as ``condition`` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        threading.Event().wait(0.05)
