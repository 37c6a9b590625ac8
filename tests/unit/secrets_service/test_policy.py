"""Which service may do what with which paths."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from llm_platform.core.actor import ROLES, Actor, actor
from llm_platform.core.config import Config, Secrets, SecretsRule, Service
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, secrets_pb2
from llm_platform.secrets_service.service import SecretService
from tests.unit.secrets_service.calls import (
    EVERYTHING,
    audit_lines,
    called_by,
    delete,
    describe,
    disable,
    enable,
    get,
    put,
    refusal_of,
    rotate,
    told,
)
from tests.unit.secrets_service.contract import Open, replica, secrets

__all__ = ["replica", "secrets"]

PATHS = ("llm/openai/api_key", "ruvector-api-key", "billing/smtp", "auth/oidc", "llm2/x", "other")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(service=Service(data_dir=tmp_path))


@pytest.fixture
async def filled(secrets: SecretService) -> SecretService:
    for path in PATHS:
        await put(secrets, path)
    return secrets


async def readable(secrets: SecretService) -> set[str]:
    found = set()
    for path in PATHS:
        try:
            await get(secrets, path)
        except PlatformError as error:
            if error.code is not Code.PERMISSION_DENIED:
                raise
        else:
            found.add(path)
    return found


@pytest.mark.parametrize(
    ("service", "reads", "sees"),
    [
        ("model-proxy", {"llm/openai/api_key"}, {"llm/openai/api_key"}),
        ("head", {"ruvector-api-key"}, {"ruvector-api-key"}),
        ("billing", {"billing/smtp"}, {"billing/smtp"}),
        ("auth-service", {"auth/oidc"}, {"auth/oidc"}),
        ("admin-dashboard", set(), set(PATHS)),
        ("operator", set(PATHS), set(PATHS)),
        ("standalone", set(PATHS), set(PATHS)),
    ],
)
async def test_a_service_reads_and_sees_its_own_paths_only(
    filled: SecretService, service: str, reads: set[str], sees: set[str]
) -> None:
    with called_by(service):
        assert await readable(filled) == reads
        assert {info.path for info in (await filled.list(EVERYTHING)).items} == sees


@pytest.mark.parametrize("service", ["tail", "gateway", "rate-limiter", "user-dashboard"])
async def test_a_service_without_a_rule_may_nothing(filled: SecretService, service: str) -> None:
    with called_by(service):
        assert await readable(filled) == set()
        assert (await refusal_of(filled.list(EVERYTHING))).code is Code.PERMISSION_DENIED
        assert (await refusal_of(anext(filled.watch(EVERYTHING)))).code is Code.PERMISSION_DENIED


@pytest.mark.case(23)
@pytest.mark.parametrize("service", ["model-proxy", "head", "billing", "auth-service", "tail"])
async def test_only_operator_and_admin_dashboard_change_anything(
    filled: SecretService, config: Config, service: str
) -> None:
    path = "llm/openai/api_key"
    before = (config.service.data_dir / "secrets.json").read_bytes()
    with called_by(service):
        for call in (
            put(filled, path), rotate(filled, path), delete(filled, path), disable(filled, 1, path),
            enable(filled, 1, path), describe(filled, path, description="x"),
            filled.seal(secrets_pb2.SealSecretsRequest(passphrase=b"long enough")),
            filled.unseal(secrets_pb2.UnsealSecretsRequest(passphrase=b"long enough", initialize=True)),
            filled.rotate_store_key(secrets_pb2.RotateStoreKeyRequest()),
        ):  # fmt: skip
            assert (await refusal_of(call)).code is Code.PERMISSION_DENIED
    assert (config.service.data_dir / "secrets.json").read_bytes() == before
    refused = [line for line in audit_lines(config) if line["result"] == "permission_denied"]
    assert [line["operation"] for line in refused] == [
        "put", "rotate", "delete", "disable", "enable", "describe", "seal", "unseal", "rotate_key",
    ]  # fmt: skip
    assert {line["caller"] for line in refused} == {service}
    assert [line["path"] for line in refused[:6]] == [path] * 6


async def test_a_dashboard_writes_and_never_reads_back(filled: SecretService) -> None:
    with called_by("admin-dashboard"):
        assert await rotate(filled, "other", b"x") == 2
        assert (await refusal_of(get(filled, "other"))).message == (
            "admin-dashboard may not read other; secrets.policy of secrets-service says who may."
        )


@pytest.fixture(params=[(role, platform) for role in ROLES for platform in (True, False)])
def person(request: pytest.FixtureRequest) -> Iterator[Actor]:
    role, platform = request.param
    who = Actor("usr_1", "anna", "user", role, "org_1", platform=platform)
    token = actor.set(who)
    yield who
    actor.reset(token)


async def test_through_a_dashboard_only_who_administers_the_platform_may_anything(
    secrets: SecretService, person: Actor
) -> None:
    with called_by("admin-dashboard"):
        if person.platform and person.role in {"owner", "admin"}:
            assert await put(secrets) == 1
            assert (await secrets.list(EVERYTHING)).items
        else:
            assert (await refusal_of(put(secrets))).code is Code.PERMISSION_DENIED
            if person.platform and person.role == "read_only":
                assert not (await secrets.list(EVERYTHING)).items
            else:
                assert (await refusal_of(secrets.list(EVERYTHING))).code is Code.PERMISSION_DENIED


async def test_a_watch_tells_only_what_may_be_seen(secrets: SecretService) -> None:
    with called_by("model-proxy"):
        watch = secrets.watch(EVERYTHING)
        first = anext(watch)
    await put(secrets, "ruvector-api-key")
    await put(secrets, "llm/x/api_key")
    with called_by("model-proxy"):
        assert (await first).path == "llm/x/api_key"
    await put(secrets, "llm/y/api_key")
    with called_by("model-proxy"):
        await told(watch, "llm/y/api_key", 1)


async def test_the_configured_rule_of_a_service_takes_its_defaults_place(config: Config, replica: Open) -> None:
    rules = {"head": SecretsRule(read=["llm2/**"]), "ci": SecretsRule(write=["llm/**"], see=["llm/openai/api_key"])}
    secrets = await replica(config.model_copy(update={"secrets": Secrets(policy=rules)}))
    for path in PATHS:
        await put(secrets, path)
    with called_by("head"):
        assert await readable(secrets) == {"llm2/x"}
    with called_by("model-proxy"):
        assert await readable(secrets) == {"llm/openai/api_key"}
    with called_by("ci"):
        assert [info.path for info in (await secrets.list(EVERYTHING)).items] == ["llm/openai/api_key"]
        assert await put(secrets, "llm/new") == 1
        assert (await refusal_of(put(secrets, "other"))).code is Code.PERMISSION_DENIED


@pytest.mark.case(25)
@pytest.mark.parametrize("pattern", ["", "*", "llm/*", "llm**", "../x", "llm/../**", "/llm/**", "a//b", ".*", "(a+)+$"])
def test_a_pattern_that_means_something_else_elsewhere_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError, match="must be a secret's path"):
        SecretsRule(read=[pattern])


async def test_the_seal_may_be_looked_at_by_whoever_the_catalogue_lets(secrets: SecretService) -> None:
    assert not (await secrets.seal_status(common_pb2.Empty())).sealed
