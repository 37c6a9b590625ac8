"""``entry``: each way into the platform in turn. One suite, the same for all.

Against a platform that runs elsewhere: COMPAT_URL (with /v1) and COMPAT_KEY; tests that need the simulator or
keys of their own are left out there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import openai
import pytest

from tests.compat.entries import EntryPoint, of_fleet, settings, simulator, standalone
from tests.fleet.fleet import Fleet

ELSEWHERE = os.environ.get("COMPAT_URL")


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    with simulator() as url:
        yield url


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory, provider: str) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("fleet"), settings=settings(provider)) as running:
        running.command("bootstrap")
        yield running


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory, provider: str) -> Iterator[EntryPoint]:
    with standalone(tmp_path_factory.mktemp("standalone"), settings(provider)) as running:
        yield running


@pytest.fixture(scope="session", params=["elsewhere"] if ELSEWHERE else ["standalone", "tail", "gateway"])
def entry(request: pytest.FixtureRequest) -> EntryPoint:
    name = request.param
    if ELSEWHERE:
        return EntryPoint(name, ELSEWHERE, os.environ["COMPAT_KEY"], _not_elsewhere, _not_elsewhere)
    if name == "standalone":
        alone: EntryPoint = request.getfixturevalue("alone")
        return alone
    return of_fleet(request.getfixturevalue("fleet"), name)


@pytest.fixture
def client(entry: EntryPoint) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=entry.url, api_key=entry.key, max_retries=0, timeout=20) as sdk:
        yield sdk


@pytest.fixture
def simulated(entry: EntryPoint) -> EntryPoint:
    """The entry, where the simulator is one of its providers."""
    if entry.name == "elsewhere":
        pytest.skip("needs the simulator")
    return entry


def _not_elsewhere(*_: str) -> dict[str, str]:
    pytest.skip("needs keys of its own")
