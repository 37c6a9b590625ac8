"""Planted secrets come out nowhere, least of all when something is wrong."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.fleet import Fleet
from tests.fleet.canaries import Canaries
from tests.integration.conftest import PROVIDER_KEY, Platform, eventually

ENTRIES = ("tail-1", "gateway-1")


def ask(url: str, body: bytes | None = None, **headers: str) -> str:
    """Whatever comes back: status, headers and body."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, sent), timeout=20) as response:
            return f"{response.status} {response.headers} {response.read().decode()}"
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.headers} {error.read().decode()}"


@pytest.mark.case(21)
@pytest.mark.parametrize("entry", ENTRIES)
def test_no_answer_shows_a_key(platform: Platform, entry: str) -> None:
    """What stays in logs, traces and metrics is looked for when the fleet ends: ``Fleet.__exit__``."""
    canaries = platform.fleet.canaries
    assert PROVIDER_KEY in canaries.values.values()
    url = f"{platform.fleet.url(entry)}/v1/chat/completions"
    failing = b'{"model": "unreachable-model", "messages": [{"role": "user", "content": "Hello"}]}'
    stranger = canaries["user-key"]
    answers = {
        "an unreachable provider": ask(url, failing, authorization=f"Bearer {platform.key}"),
        "an unknown key": ask(url, failing, authorization=f"Bearer {stranger}"),
        "a key in another header": ask(url, failing, x_api_key=stranger, x_goog_api_key=stranger),
        "a key in the query": ask(f"{url}?key={stranger}", failing),
        "a key in the path": ask(f"{platform.fleet.url(entry)}/v1/{stranger}"),
        "a key that is no token": ask(url, failing, authorization=stranger),
        "a body that is none": ask(url, b"{", authorization=f"Bearer {platform.key}"),
        "the configuration": ask(f"{platform.fleet.url(entry)}/config", authorization=f"Bearer {platform.key}"),
        "the providers": ask(f"{platform.fleet.url(entry)}/health/providers", authorization=f"Bearer {platform.key}"),
    }
    assert answers["an unknown key"].startswith("401")
    assert not answers["an unreachable provider"].startswith("200")
    for what, answer in answers.items():
        canaries.look(answer, f"the answer to {what}")


@pytest.mark.case(21)
@pytest.mark.case(22)
def test_services_whose_stores_are_away_do_not_show_how_they_log_in(tmp_path: Path) -> None:
    secrets = Canaries()
    database = f"postgresql+asyncpg://llm:{secrets['database-password']}@127.0.0.1:9"
    settings = {
        "vault": {"address": "http://127.0.0.1:9", "token": secrets["vault-token"]},
        "stores": {
            "ledger_url": f"{database}/ledger",
            "accounts_url": f"{database}/accounts",
            "limits_url": f"redis://llm:{secrets['webhook-secret']}@127.0.0.1:9",
        },
        "logging": {"level": "debug"},
    }
    services = ["secrets-service", "auth-service", "billing", "rate-limiter"]
    fleet = Fleet(tmp_path, settings=settings, services=services)
    assert set(secrets.values.values()) & set(fleet.canaries.values.values())
    try:
        for process in fleet.processes.values():
            process.start()
        for replica in fleet.processes:
            eventually(lambda replica=replica: _has_spoken(fleet, replica), f"{replica} says what is wrong", 60)
        time.sleep(1)  # and tries once more
        fleet.look_at_metrics()
    finally:
        fleet.stop()
    fleet.look_for_leaks()


def _has_spoken(fleet: Fleet, replica: str) -> bool:
    """It has ended, or complains."""
    return not fleet[replica].running or any(
        f'"level":"{level}"' in fleet[replica].log.read_text() for level in ("warning", "error")
    )
