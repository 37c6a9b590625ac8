"""A reload: what the file defines takes effect without a restart, or nothing does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from llm_platform.core.config.file import read as read_file
from llm_platform.core.errors import Code, PlatformError
from llm_platform.model_proxy.app import ModelProxy, open_model_proxy
from llm_platform.proto import common_pb2, providers_pb2
from tests.simulator import KEY, Simulator
from tests.unit.model_proxy.parts import MemoryLedger, MemorySecrets, call_of, read, request

EMPTY = common_pb2.Empty()
ECHO = {"type": "echo", "models": ["echo"]}


class Site:
    """model-proxy on a configuration file."""

    def __init__(self, directory: Path, simulator: Simulator) -> None:
        self.file = directory / "config.yaml"
        self.directory = directory
        self.secrets = MemorySecrets(sim=KEY)
        self.sim = {"base_url": simulator.url, "models": ["gpt-test"]}

    def write(self, **providers: dict[str, Any]) -> None:
        settings = {"service": {"data_dir": str(self.directory)}, "providers": providers}
        self.file.write_text(json.dumps(settings))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ModelProxy]:
        config = read_file(self.file, {}).config
        ledger: Any = MemoryLedger()
        secrets: Any = self.secrets
        async with open_model_proxy(config, secrets, ledger, reread=lambda: read_file(self.file, {}).config) as proxy:
            yield proxy


@pytest.fixture
def site(tmp_path: Path, simulator: Simulator) -> Site:
    return Site(tmp_path, simulator)


async def states(proxy: ModelProxy) -> dict[str, providers_pb2.ProviderHealth]:
    return {each.name: each for each in (await proxy.providers.health(EMPTY)).items}


async def refusal(proxy: ModelProxy, provider: str) -> Code | None:
    """Why a call of the provider is refused; None when it is answered."""
    try:
        await read(await proxy.inference.open(call_of(provider=provider), request()))
    except PlatformError as error:
        return error.code
    return None


async def test_providers_come_and_go_without_a_restart(site: Site) -> None:
    site.write(echo=ECHO)
    async with site.running() as proxy:
        assert await refusal(proxy, "sim") is Code.NO_HEALTHY_PROVIDERS
        site.write(sim=site.sim)
        await proxy.providers.reload(EMPTY)
        assert await refusal(proxy, "sim") is None
        assert await refusal(proxy, "echo") is Code.NO_HEALTHY_PROVIDERS
        gone = (await states(proxy))["echo"]
        assert (gone.enabled, gone.state) == (False, "unconfigured")
        site.write(sim=site.sim | {"enabled": False}, echo=ECHO)
        await proxy.providers.reload(EMPTY)
        assert [await refusal(proxy, name) for name in ("sim", "echo")] == [Code.NO_HEALTHY_PROVIDERS, None]


async def test_a_changed_definition_is_used_and_an_unchanged_one_keeps_its_health(site: Site) -> None:
    site.write(sim=site.sim, other=site.sim | {"api_key": KEY})
    async with site.running() as proxy:
        assert await refusal(proxy, "sim") is None
        assert await refusal(proxy, "other") is None
        site.write(sim=site.sim, other=site.sim | {"api_key": KEY, "models": ["gpt-test", "gpt-new"]})
        await proxy.providers.reload(EMPTY)
        known = await states(proxy)
        assert (known["sim"].successes, known["other"].successes) == (1, 0)
        assert list(known["other"].models) == ["gpt-test", "gpt-new"]
        site.write(sim=site.sim, other=site.sim)  # its key is gone, and there is no secret
        await proxy.providers.reload(EMPTY)
        assert (await states(proxy))["other"].state == "healthy"  # plain HTTP may do without
        assert (await states(proxy))["sim"].successes == 1


async def test_a_key_that_came_with_the_provider_is_followed_from_then_on(site: Site) -> None:
    site.write(echo=ECHO)
    async with site.running() as proxy:
        site.write(later=site.sim | {"base_url": "https://provider.invalid/v1"})
        await proxy.providers.reload(EMPTY)
        assert "secrets set llm/later/api_key" in (await states(proxy))["later"].detail
        site.secrets.values["llm/later/api_key"] = b"sk-later"
        await proxy.providers.reload(EMPTY)
        assert (await states(proxy))["later"].state == "healthy"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("providers: {sim: {base_url: ftp://x}}", "config.yaml:1: providers.sim.base_url: must begin with https://"),
        ("providers: [", "not valid YAML"),
        ("providrs: {}", "unknown key"),
    ],
)
async def test_a_refused_file_changes_nothing_and_is_answered_with_the_reason(
    site: Site, text: str, reason: str
) -> None:
    site.write(sim=site.sim)
    async with site.running() as proxy:
        site.file.write_text(text)
        with pytest.raises(PlatformError) as refused:
            await proxy.providers.reload(EMPTY)
        assert refused.value.code is Code.INVALID_REQUEST
        assert reason in refused.value.message
        assert await refusal(proxy, "sim") is None


async def test_while_keys_cannot_be_had_nothing_changes(site: Site) -> None:
    site.write(sim=site.sim)
    async with site.running() as proxy:
        site.write(other=site.sim)
        site.secrets.down = True
        with pytest.raises(PlatformError, match="secrets-service is away"):
            await proxy.providers.reload(EMPTY)
        assert list(await states(proxy)) == ["sim"]
        assert await refusal(proxy, "sim") is None


async def test_an_open_call_ends_as_it_began(site: Site) -> None:
    site.write(sim=site.sim)
    async with site.running() as proxy:
        reply = await proxy.inference.open(
            call_of("gpt-test+pace=0.02+tokens=10", stream=True), request("gpt-test+pace=0.02+tokens=10", stream=True)
        )
        site.write(echo=ECHO)
        await proxy.providers.reload(EMPTY)
        assert b"[DONE]" in await read(reply)
