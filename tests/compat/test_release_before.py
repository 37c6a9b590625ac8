"""The release before runs on the schema of this one, and gives way to it and comes back without a loss.

``tests/compat/released`` names the last released revision; its own code is taken out of the history and run.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_platform.core.database import sqlite_url
from llm_platform.proto import common_pb2, ledger_pb2
from tests.fleet import Fleet
from tests.fleet.ledger import ledger_of
from tests.fleet.process import ROOT
from tests.integration.conftest import eventually
from tests.servers.postgresql import PostgresqlServer

SERVICES = ("secrets-service", "auth-service", "billing", "rate-limiter", "model-proxy", "head", "tail")
DATABASES = {"accounts": "auth-service", "ledger": "billing"}
MAY_MISS = "RELEASED_MAY_BE_MISSING"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the last released revision."""
    revision = (ROOT / "tests" / "compat" / "released").read_text().strip()
    archive = subprocess.run(
        ["git", "archive", revision, "services", "deploy/catalog.yml"], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode:
        missing = f"{revision} of tests/compat/released is not in this checkout: fetch the whole history ({MAY_MISS}=1)"
        if os.environ.get(MAY_MISS):
            pytest.skip(missing)
        pytest.fail(f"{missing}; git says: {archive.stderr.decode().strip()}")
    tree = tmp_path_factory.mktemp("released")
    subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)
    return tree


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Of the accounts and the ledger; on PostgreSQL they share a database."""
    if request.param == "sqlite":
        data = tmp_path / "fleet" / "data"
        yield {name: sqlite_url(data / service / f"{name}.sqlite") for name, service in DATABASES.items()}
        return
    with PostgresqlServer() as server:
        yield dict.fromkeys(DATABASES, server.make_database())


@pytest.fixture
def fleet(released: Path, urls: dict[str, str], tmp_path: Path) -> Iterator[Fleet]:
    """Of the last release, on databases that it made itself."""
    stores = {f"{name}_url": url for name, url in urls.items()}
    fleet = Fleet(tmp_path / "fleet", settings={"stores": stores}, services=SERVICES)
    fleet.of_release(released)
    with fleet:
        yield fleet


def migrate(urls: dict[str, str]) -> None:
    """As the present services do when they start."""
    for name, service in DATABASES.items():
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "llm_platform.core.migration",
                f"llm_platform.{service.replace('-', '_')}.migrations",
            ],
            input=urls[name].encode(),
            capture_output=True,
            check=False,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT / "services")},
        )
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


def restart(fleet: Fleet, root: Path) -> None:
    fleet.of_release(root)
    for service in DATABASES.values():
        process = fleet[f"{service}-1"]
        process.terminate()
        process.start()
    for service in DATABASES.values():
        fleet[f"{service}-1"].wait_ready()


def complete(fleet: Fleet, key: str) -> None:
    """A completion: authenticated, reserved, settled. Its callers find a service that was restarted after a moment."""
    eventually(lambda: is_completed(fleet, key), "a completion", 30)


def is_completed(fleet: Fleet, key: str) -> bool:
    body = {"model": "echo", "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 20}
    request = urllib.request.Request(
        f"{fleet.url('tail-1')}/v1/chat/completions",
        json.dumps(body).encode(),
        {"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return bool(json.load(response)["choices"])
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return False


async def settled(fleet: Fleet, calls: int) -> list[str]:
    """What is wrong in the ledger, as soon as so many calls are settled and nothing is held any more."""
    async with asyncio.timeout(30), ledger_of(fleet) as ledger:
        while True:  # outcomes are delivered a moment after the answer
            report = await ledger.verify(common_pb2.Empty())
            page = await ledger.entries(ledger_pb2.EntriesQuery(kind="settle", limit=1000))
            if (len(page.items), report.open_reservations) == (calls, 0):
                return list(report.problems)
            await asyncio.sleep(0.2)


@pytest.mark.case(31)
async def test_the_last_release_runs_on_the_schema_of_this_one(
    fleet: Fleet, urls: dict[str, str], released: Path
) -> None:
    fleet.command("bootstrap")
    key = fleet.create_key()
    fleet.command("budgets", "set", key, "1")
    complete(fleet, key)

    migrate(urls)  # under the processes of the release before, as in an update
    complete(fleet, key)
    restart(fleet, released)  # they start on it, too
    complete(fleet, key)
    complete(fleet, made_before := fleet.create_key("before"))

    restart(fleet, ROOT)
    complete(fleet, key)
    complete(fleet, made_before)

    restart(fleet, released)  # rolled back: the database stays
    complete(fleet, key)
    assert await settled(fleet, 7) == []
