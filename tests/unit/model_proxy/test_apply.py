"""Definitions of head's: they take effect at once, survive a restart, and leave what has not changed alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llm_platform.core.errors import Code, PlatformError
from llm_platform.model_proxy import definitions
from llm_platform.model_proxy.app import ModelProxy
from llm_platform.proto.providers_pb2 import Applied, ApplyRequest
from llm_platform.proto.rules_pb2 import ProviderDefinition, ProviderModel, RoutingDocument
from tests.simulator import KEY, Simulator
from tests.unit.model_proxy.test_definitions import ECHO, EMPTY, Site, refusal, states

OF_FILE = Applied()


@pytest.fixture
def site(tmp_path: Path, simulator: Simulator) -> Site:
    site = Site(tmp_path, simulator)
    site.write(echo=ECHO)
    return site


def sim(site: Site, **changes: object) -> ProviderDefinition:
    models = [ProviderModel(name="gpt-test")]
    given = {"name": "sim", "type": "openai", "base_url": site.sim["base_url"], "models": models, **changes}
    return ProviderDefinition(**given)  # type: ignore[arg-type]


def echo(**changes: object) -> ProviderDefinition:
    return ProviderDefinition(name="echo", type="echo", models=[ProviderModel(name="echo")], **changes)  # type: ignore[arg-type]


async def apply(proxy: ModelProxy, number: int, *providers: ProviderDefinition, before: Applied) -> Applied:
    rules = Applied(number=number, digest=f"digest-{number}")
    request = ApplyRequest(rules=rules, document=RoutingDocument(providers=providers), before=before)
    return await proxy.providers.apply(request)


async def test_definitions_take_effect_and_are_said_to(site: Site) -> None:
    async with site.running() as proxy:
        assert (await proxy.providers.health(EMPTY)).applied == OF_FILE
        applied = await apply(proxy, 2, echo(), sim(site), before=OF_FILE)
        assert (applied.number, applied.digest) == (2, "digest-2")
        assert (await proxy.providers.health(EMPTY)).applied == applied
        assert [await refusal(proxy, name) for name in ("sim", "echo")] == [None, None]


async def test_a_restart_goes_on_with_them_and_a_reload_does_not_take_the_file(site: Site) -> None:
    async with site.running() as proxy:
        applied = await apply(proxy, 2, sim(site), before=OF_FILE)
    async with site.running() as proxy:
        assert (await proxy.providers.health(EMPTY)).applied == applied
        assert set(await states(proxy)) == {"sim"}
        await proxy.providers.reload(EMPTY)
        assert set(await states(proxy)) == {"sim"}
        await proxy.providers.apply(ApplyRequest(before=applied))
    async with site.running() as proxy:
        assert set(await states(proxy)) == {"echo"}


async def test_a_file_that_was_damaged_is_not_used(site: Site) -> None:
    (site.directory / "definitions.json").write_text("{")
    async with site.running() as proxy:
        assert set(await states(proxy)) == {"echo"}


async def test_what_has_not_changed_keeps_its_health(site: Site, simulator: Simulator) -> None:
    simulator.behave("gpt-test", fail=-1, status=400)
    async with site.running() as proxy:
        applied = await apply(proxy, 2, echo(), sim(site), before=OF_FILE)
        assert await refusal(proxy, "sim") is Code.PROVIDER_REFUSED
        applied = await apply(proxy, 3, sim(site), before=applied)
        assert (await states(proxy))["sim"].successes == 1
        await apply(proxy, 4, sim(site, retry_count=0), before=applied)
        assert (await states(proxy))["sim"].successes == 0


async def test_others_than_those_that_were_to_be_replaced_are_left(site: Site) -> None:
    async with site.running() as proxy:
        await apply(proxy, 2, echo(), before=OF_FILE)
        with pytest.raises(PlatformError) as caught:
            await apply(proxy, 3, sim(site), before=OF_FILE)
        assert caught.value.code is Code.CONFLICT
        assert set(await states(proxy)) == {"echo"}


async def test_who_is_gone_or_disabled_takes_calls_for_a_moment_more(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(definitions, "LEAVING_SECONDS", 0.3)
    async with site.running() as proxy:
        applied = await apply(proxy, 2, echo(), sim(site), before=OF_FILE)
        await apply(proxy, 3, sim(site, enabled=False), before=applied)
        assert [await refusal(proxy, name) for name in ("sim", "echo")] == [None, None]
        await asyncio.sleep(0.4)
        assert [await refusal(proxy, name) for name in ("sim", "echo")] == [Code.NO_HEALTHY_PROVIDERS] * 2
        assert set(await states(proxy)) == {"sim"}


async def test_a_key_of_the_file_still_serves_the_provider_of_its_name(site: Site) -> None:
    site.secrets = type(site.secrets)()
    site.write(sim=site.sim | {"api_key": KEY})
    async with site.running() as proxy:
        await apply(proxy, 2, sim(site, weight=5), before=OF_FILE)
        assert await refusal(proxy, "sim") is None
    assert KEY not in (site.directory / "definitions.json").read_text()


async def test_secrets_service_being_away_does_not_hold_definitions_up(site: Site) -> None:
    async with site.running() as proxy:
        site.secrets.down = True
        await apply(proxy, 2, echo(), ProviderDefinition(name="other", base_url="https://x.example"), before=OF_FILE)
        assert "could not be asked" in (await states(proxy))["other"].detail
        assert await refusal(proxy, "echo") is None


async def test_a_provider_that_only_a_later_release_knows_is_left_out(site: Site) -> None:
    async with site.running() as proxy:
        await apply(proxy, 2, echo(), ProviderDefinition(name="new", type="telepathy"), before=OF_FILE)
        assert set(await states(proxy)) == {"echo"}
