"""Head's snapshot of the providers' health: fresh, stale, unknown."""

from __future__ import annotations

import asyncio

import pytest

from llm_platform.core.errors import Code, PlatformError
from llm_platform.head import provider_health
from llm_platform.head.provider_health import ProviderHealth
from llm_platform.proto import providers_pb2
from tests.unit.head.parts import ProviderStates

AWAY = PlatformError(Code.UNAVAILABLE, "away")


@pytest.mark.parametrize(
    ("state", "circuit", "usable", "degraded"),
    [
        ("healthy", "closed", True, False),
        ("healthy", "half-open", True, True),
        ("degraded", "closed", True, True),
        ("healthy", "open", False, False),
        ("down", "closed", False, False),
        ("unconfigured", "", False, False),
    ],
)
async def test_what_counts_as_usable(state: str, circuit: str, usable: bool, degraded: bool) -> None:
    health = ProviderHealth(ProviderStates(providers_pb2.ProviderHealth(name="a", state=state, circuit=circuit)))
    await health.refresh()
    assert (health.states["a"].usable, health.states["a"].degraded) == (usable, degraded)


async def test_the_last_snapshot_holds_for_a_while_and_then_nothing_is_held_against_anybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    providers = ProviderStates(providers_pb2.ProviderHealth(name="a", state="down"))
    health = ProviderHealth(providers)
    await health.refresh()
    providers.error = AWAY
    await health.refresh()
    assert not health.states["a"].usable
    assert health.unknown()
    monkeypatch.setattr(provider_health, "STALE_SECONDS", 0.0)
    assert health.states == {}


async def test_a_model_proxy_that_comes_back_is_noticed() -> None:
    providers = ProviderStates()
    providers.error = AWAY
    health = ProviderHealth(providers)
    await health.refresh()
    assert health.unknown()
    providers.error = None
    await health.refresh()
    assert health.unknown() is None


@pytest.mark.case(12)
async def test_a_frozen_model_proxy_does_not_hang_the_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_health, "ANSWER_SECONDS", 0.05)
    providers = ProviderStates()

    async def frozen(request: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(providers, "health", frozen)
    health = ProviderHealth(providers)
    async with asyncio.timeout(5):
        await health.refresh()
    assert health.unknown()
