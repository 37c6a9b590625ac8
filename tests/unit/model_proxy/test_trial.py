"""A connection is tried without a cost: what was found, or what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import providers_pb2
from llm_platform.proto.rules_pb2 import ProviderDefinition, ProviderModel
from tests.simulator import KEY, Simulator
from tests.unit.model_proxy.test_definitions import ECHO, Site, states


@pytest.fixture
def site(tmp_path: Path, simulator: Simulator) -> Site:
    simulator.behave("gpt-test")
    site = Site(tmp_path, simulator)
    site.write(sim=site.sim, echo=ECHO)
    return site


def unsaved(**fields: Any) -> ProviderDefinition:
    return ProviderDefinition(models=[ProviderModel(name="m", upstream="gpt-other")], **fields)


async def tried(site: Site, name: str, definition: ProviderDefinition | None = None) -> providers_pb2.TestReport:
    async with site.running() as proxy:
        report = await proxy.providers.test(providers_pb2.TestRequest(name=name, definition=definition))
        assert sum(each.successes + each.failures for each in (await states(proxy)).values()) == 0
        return report


async def test_a_provider_that_answers_is_fine_and_its_models_are_told(site: Site) -> None:
    report = await tried(site, "sim")
    assert (report.ok, report.status, list(report.models)) == (True, 200, ["gpt-test"])
    assert report.detail == "It answers and lists 1 models."


async def test_echo_answers_by_itself(site: Site) -> None:
    report = await tried(site, "echo")
    assert (report.ok, report.status, list(report.models)) == (True, 0, ["echo"])


async def test_models_that_are_not_listed_are_told_of(site: Site) -> None:
    report = await tried(site, "sim", unsaved(base_url=site.sim["base_url"]))
    assert (report.ok, report.detail) == (True, "It answers, but its list of 1 models lacks gpt-other.")


async def test_a_wrong_key_is_refused_and_not_told(site: Site) -> None:
    site.secrets = type(site.secrets)(sim="sk-of-somebody-else")
    report = await tried(site, "sim")
    assert (report.ok, report.status) == (False, 401)
    assert "refuses the platform's key" in report.detail
    assert "sk-of-somebody-else" not in str(report)


async def test_a_wrong_address_is_said_to_be_wrong(site: Site) -> None:
    report = await tried(site, "sim", unsaved(base_url=site.sim["base_url"] + "/wrong"))
    assert (report.ok, report.status) == (False, 404)
    assert "check base_url" in report.detail
    report = await tried(site, "sim", unsaved(base_url="http://127.0.0.1:9/v1"))
    assert (report.ok, report.status) == (False, 0)
    assert report.detail == "It cannot be reached: Connection refused."


async def test_without_a_key_nothing_is_sent(site: Site) -> None:
    report = await tried(site, "new", unsaved(base_url="https://x.example/v1"))
    assert (report.ok, report.detail) == (False, "There is no key. Set the secret llm/new/api_key.")


async def test_a_definition_that_could_not_be_put_and_an_unknown_name_are_refused(site: Site) -> None:
    for name, definition, code, param in (
        ("sim", unsaved(base_url="nowhere"), Code.INVALID_REQUEST, "providers.sim.base_url"),
        ("sim", unsaved(name="other"), Code.INVALID_REQUEST, "definition"),
        ("nobody", None, Code.NOT_FOUND, "name"),
    ):
        with pytest.raises(PlatformError) as caught:
            await tried(site, name, definition)
        assert (caught.value.code, caught.value.param) == (code, param)
    assert KEY not in str(caught.value)
