"""Keys of providers through all services: two replicas of secrets-service on one store, and a sealed one."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from tests.compat.entries import simulator
from tests.fleet import Fleet
from tests.integration.conftest import eventually

KEYS = [f"sk-simulated-key-number-{number}" for number in range(3)]
PATH = "llm/sim/api_key"


class Provider:
    """The simulator as a process, and what it takes."""

    def __init__(self, url: str) -> None:
        self.url = url

    def take(self, *keys: str) -> None:
        request = urllib.request.Request(
            self.url.removesuffix("/v1") + "/keys", json.dumps(keys).encode(), method="PUT"
        )  # fmt: skip
        urllib.request.urlopen(request, timeout=5).close()


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with simulator() as url:
        yield Provider(url)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Fleet]:
    sim = {"type": "openai", "base_url": provider.url, "retry_count": 0, "models": ["sim"]}
    settings = {"providers": {"sim": sim}, "billing": {"unknown_price": "free"}, "routing": {"default_model": "sim"}}
    services = ["secrets-service", "auth-service", "billing", "rate-limiter", "model-proxy", "head", "gateway"]
    directory = tmp_path_factory.mktemp("fleet")
    with Fleet(directory, settings=settings, services=services, replicas={"secrets-service": 2}) as fleet:
        fleet.command("bootstrap")
        yield fleet


@pytest.fixture(scope="module")
def key(fleet: Fleet) -> str:
    return fleet.create_key()


def call(fleet: Fleet, key: str) -> int:
    """The status of a completion."""
    body = json.dumps({"model": "sim", "messages": [{"role": "user", "content": "Hello"}]}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    request = urllib.request.Request(f"{fleet.url('gateway-1')}/v1/chat/completions", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        fleet.canaries.look(error.read(), "an error")
        return error.code


class Load:
    """Completions, one after the other, until it is left."""

    def __init__(self, fleet: Fleet, key: str) -> None:
        self._fleet = fleet
        self._key = key
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.statuses: list[int] = []

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.join(30)

    def more(self, calls: int) -> None:
        wanted = len(self.statuses) + calls
        eventually(lambda: len(self.statuses) >= wanted, f"{calls} more calls")

    def _run(self) -> None:
        while not self._leaving.is_set():
            self.statuses.append(call(self._fleet, self._key))


def test_keys_are_rotated_over_two_replicas_without_a_failed_request(
    fleet: Fleet, provider: Provider, key: str
) -> None:
    provider.take(KEYS[0])
    fleet.command("secrets", "set", PATH, stdin=KEYS[0])
    eventually(lambda: call(fleet, key) == 200, "the first key is used")
    with Load(fleet, key) as load:
        load.more(5)
        fleet.command("secrets", "rotate", PATH, stdin=KEYS[1])  # before the provider knows of it
        load.more(5)
        provider.take(KEYS[0], KEYS[1])
        load.more(5)
        provider.take(KEYS[1])
        load.more(5)
        fleet["secrets-service-1"].kill()
        provider.take(KEYS[1], KEYS[2])  # the provider first
        load.more(5)
        fleet.command("secrets", "rotate", PATH, "--overlap", "0", stdin=KEYS[2])
        changed = f'"version":{fleet.command("secrets", "show", PATH)["version"]}'
        eventually(lambda: changed in _changes_seen_by(fleet), "model-proxy has learned of it")
        provider.take(KEYS[2])
        load.more(5)
    assert set(load.statuses) == {200}
    fleet["secrets-service-1"].start()
    fleet["secrets-service-1"].wait_ready()


def test_while_the_store_is_sealed_requests_go_on_and_changes_are_refused(
    fleet: Fleet, provider: Provider, key: str
) -> None:
    provider_key = fleet.canaries["provider-key"]
    provider.take(provider_key)
    fleet.command("secrets", "set", PATH, stdin=provider_key)
    eventually(lambda: call(fleet, key) == 200, "the key is used")
    words = "correct horse battery staple"
    sealed = fleet.command("secrets", "seal", "--passphrase", stdin=words)
    assert [each["sealed"] for each in sealed] == [True, True]
    for replica in ("secrets-service-1", "secrets-service-2"):
        status, text = _ready(fleet, replica)
        assert status == 503
        assert "sealed" in text
    with pytest.raises(AssertionError, match="The store of secrets is sealed"):
        fleet.command("secrets", "set", PATH, stdin="never-stored-anywhere")
    assert call(fleet, key) == 200
    assert all(not each["sealed"] for each in fleet.command("secrets", "unseal", stdin=words))
    for replica in ("secrets-service-1", "secrets-service-2"):
        fleet[replica].wait_ready()
    assert fleet.command("secrets", "rotate-key")[0]["unconfirmed"]
    assert [each["path"] for each in fleet.command("secrets", "list")] == [PATH]
    assert not fleet.command("secrets", "rotate-key", "--confirm")[0]["unconfirmed"]


def test_secrets_are_exported_and_imported(fleet: Fleet, tmp_path: Path) -> None:
    file, words = tmp_path / "secrets.export", "correct horse battery staple"
    fleet.command("secrets", "set", "billing/webhook", stdin=fleet.canaries["webhook-secret"])
    assert fleet.command("secrets", "export", "--output", str(file), stdin=words)["secrets"] == 2
    fleet.canaries.look(file.read_bytes(), "the export")

    def imported(*options: str) -> dict[str, str]:
        rows: list[dict[str, Any]] = fleet.command("secrets", "import", str(file), *options, stdin=words)
        return {row["path"]: row["result"] for row in rows}

    assert imported() == {"billing/webhook": "unchanged", PATH: "unchanged"}
    fleet.command("secrets", "set", "billing/webhook", stdin="another-value-than-exported")
    before = fleet.command("secrets", "list")
    assert imported() == {"billing/webhook": "kept", PATH: "unchanged"}
    assert imported("--overwrite", "--dry-run") == {"billing/webhook": "replaced", PATH: "unchanged"}
    assert fleet.command("secrets", "list") == before
    assert imported("--overwrite") == {"billing/webhook": "replaced", PATH: "unchanged"}
    assert imported() == {"billing/webhook": "unchanged", PATH: "unchanged"}
    with pytest.raises(AssertionError, match="The passphrase is wrong"):
        fleet.command("secrets", "import", str(file), "--overwrite", stdin="another passphrase")


def test_the_audit_log_of_both_replicas_is_one_chain(fleet: Fleet) -> None:
    found = fleet.command("secrets", "verify-audit", "--file", str(fleet.data_dir("secrets-service") / "audit.log"))
    assert not found["broken"]
    assert found["lines"] > 20


def _changes_seen_by(fleet: Fleet) -> str:
    lines = fleet["model-proxy-1"].log.read_text().splitlines()
    return "\n".join(line for line in lines if "a provider's key has changed" in line)


def _ready(fleet: Fleet, replica: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{fleet.url(replica)}/ready", timeout=5) as response:
            return int(response.status), response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
