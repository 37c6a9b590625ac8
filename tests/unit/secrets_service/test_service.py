"""Secrets as callers and auditors see them, over the encrypted file."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from llm_platform.core import metrics
from llm_platform.core.actor import Actor, actor
from llm_platform.core.config import Config, Service
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import secrets_pb2
from llm_platform.secrets_service.app import open_secrets
from llm_platform.secrets_service.interfaces import Found
from llm_platform.secrets_service.service import MAX_VALUE_BYTES, SecretService
from tests.unit.secrets_service.calls import PATH, audit_lines, called_by, changes, get, overlapping, put, refusal_of
from tests.unit.secrets_service.contract import replica, secrets

__all__ = ["replica", "secrets"]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(service=Service(data_dir=tmp_path))


async def test_an_absent_expectation_differs_from_expecting_nothing(secrets: SecretService) -> None:
    await put(secrets)
    assert (await refusal_of(put(secrets, expected_version=0))).code is Code.CONFLICT
    assert await put(secrets) == 2


@pytest.mark.parametrize(
    "path",
    ["", "/", "/llm", "llm/", "llm//x", "../etc/passwd", "llm/../x", "llm/.x", "a b", "ü", "llm\n", "x" * 201, "a\x00"],
)
async def test_what_is_no_path_is_refused_everywhere(secrets: SecretService, path: str) -> None:
    calls = (get(secrets, path), put(secrets, path), secrets.delete(secrets_pb2.DeleteSecretRequest(path=path)))
    for call in calls:
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.param) == (Code.INVALID_REQUEST, "path")


@pytest.mark.parametrize("prefix", ["a" * 201, "%", "a b", "a\n"])
async def test_what_is_no_prefix_is_refused(secrets: SecretService, prefix: str) -> None:
    request = secrets_pb2.ListSecretsRequest(prefix=prefix)
    assert (await refusal_of(secrets.list(request))).param == "prefix"
    assert (await refusal_of(anext(secrets.watch(request)))).param == "prefix"


@pytest.mark.parametrize("value", [b"", b"x" * (MAX_VALUE_BYTES + 1)])
async def test_a_value_out_of_bounds_is_refused(secrets: SecretService, value: bytes) -> None:
    refusal = await refusal_of(put(secrets, value=value))
    assert (refusal.code, refusal.param) == (Code.INVALID_REQUEST, "value")


async def test_every_access_says_who_it_was(secrets: SecretService, config: Config) -> None:
    await put(secrets)
    anna = actor.set(Actor("usr_1", "anna", "user", "owner", "org_1", platform=True))
    try:
        with called_by("admin-dashboard"):
            await put(secrets)
            await refusal_of(get(secrets))
    finally:
        actor.reset(anna)
    with called_by("model-proxy"):
        await get(secrets)
    lines = [(line["caller"], line["actor"], line["result"]) for line in audit_lines(config)]
    assert lines == [
        ("standalone", "operator", "ok"),
        ("admin-dashboard", "usr_1", "ok"),
        ("admin-dashboard", "usr_1", "permission_denied"),
        ("model-proxy", "operator", "ok"),
    ]
    assert (config.service.data_dir / "audit.log").stat().st_mode & 0o777 == 0o600


async def test_accesses_at_once_are_all_in_the_audit_log_when_they_are_answered(
    secrets: SecretService, config: Config
) -> None:
    await put(secrets)
    await asyncio.gather(*(get(secrets) for _ in range(200)))
    assert len(audit_lines(config)) == 201


async def test_an_access_that_cannot_be_audited_is_refused(secrets: SecretService, config: Config) -> None:
    await put(secrets, value=b"canary")
    log = config.service.data_dir / "audit.log"
    log.rename(log.with_suffix(".1"))
    log.mkdir()
    refusal = await refusal_of(get(secrets))
    assert refusal.code is Code.UNAVAILABLE
    assert "audit log" in refusal.message
    log.rmdir()
    assert await get(secrets) == b"canary"


@pytest.mark.case(21)
async def test_a_planted_secret_appears_in_no_log_error_metric_audit_line_or_file(
    config: Config, tmp_path: Path
) -> None:
    canary = "canary-4711-do-not-show"
    told: list[object] = []
    with capture_logs() as logs:
        async with open_secrets(config) as secrets:
            await put(secrets, value=canary.encode())
            await get(secrets)
            told.append(await refusal_of(put(secrets, value=canary.encode(), expected_version=9)))
            told.append(await refusal_of(put(secrets, value=canary.encode() * 10_000)))
            told.append(await refusal_of(put(secrets, path=canary + " ", value=canary.encode())))
            told.append(await refusal_of(get(secrets, path=canary + "?")))
            (tmp_path / "secrets.json").write_text("damaged")
            told.append(await refusal_of(get(secrets)))
    shown = f"{logs}{told!r}{[error.__cause__ for error in told if isinstance(error, Exception)]!r}"
    assert canary not in shown
    assert canary.encode() not in metrics.exposition()
    files = sorted(tmp_path.glob("*"))  # noqa: ASYNC240 - a test may block its loop
    assert [file.name for file in files] == ["audit.log", "secrets.json", "secrets.key", "secrets.lock"]
    assert not [file for file in files if canary.encode() in file.read_bytes()]


async def test_a_watch_says_what_there_is_and_then_what_changes_without_values(secrets: SecretService) -> None:
    await put(secrets, path="llm/a", value=b"canary")
    await put(secrets, path="other", value=b"canary")
    async with asyncio.timeout(5):
        while not secrets._changes._said.get("other"):  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.01)
    watch = secrets.watch(secrets_pb2.ListSecretsRequest(prefix="llm/"))
    assert await changes(watch, 1) == [("llm/a", 1)]
    await put(secrets, path="other")
    await put(secrets, path="llm/b")
    assert await changes(watch, 1) == [("llm/b", 1)]
    await secrets.delete(secrets_pb2.DeleteSecretRequest(path="llm/a"))
    assert await changes(watch, 1) == [("llm/a", 0)]


async def test_a_watch_sees_what_another_process_on_the_directory_changes(config: Config) -> None:
    async with open_secrets(config) as here, open_secrets(config) as there:
        await put(here, path="llm/a")
        watch = here.watch(secrets_pb2.ListSecretsRequest(prefix=""))
        assert await changes(watch, 1) == [("llm/a", 1)]
        await put(there, path="llm/a")
        assert await changes(watch, 1) == [("llm/a", 2)]


class _AwayStore:
    """It is away, and knows the newest version only."""

    async def get(self, path: str, version: int = 0) -> Found:
        if version:
            raise PlatformError(Code.UNAVAILABLE, "away")
        return Found(2, b"known", cached=True, overlapping={1: int(time.time() * 1000) + 3_600_000})


async def test_a_replaced_version_that_is_not_known_while_the_store_is_away_does_not_keep_the_newest_back(
    secrets: SecretService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "_store", _AwayStore())
    assert await overlapping(secrets) == [(2, b"known")]


async def test_a_store_that_was_tampered_with_while_open_is_unavailable_and_not_ready(
    secrets: SecretService, config: Config
) -> None:
    await put(secrets)
    file = config.service.data_dir / "secrets.json"
    good = file.read_bytes()
    file.write_bytes(good.replace(b'"last":1', b'"last":2'))
    for call in (get(secrets), put(secrets), secrets.check()):
        assert (await refusal_of(call)).code is Code.UNAVAILABLE
    file.write_bytes(good)
    await secrets.check()
    assert await get(secrets) == b"value"


async def accesses(secrets: SecretService, path: str = PATH, page_size: int = 0) -> list[tuple[str, str, int, str]]:
    found = await secrets.accesses(secrets_pb2.AccessesRequest(path=path, page_size=page_size))
    return [(each.caller, each.operation, each.version, each.result) for each in found.items]


async def test_who_read_or_changed_a_secret_is_found_the_newest_first(secrets: SecretService) -> None:
    await put(secrets)
    await put(secrets, f"{PATH}2")
    with called_by("model-proxy"):
        await get(secrets)
        await refusal_of(put(secrets))
    assert await accesses(secrets, page_size=2) == [
        ("model-proxy", "put", 0, "permission_denied"),
        ("model-proxy", "get", 1, "ok"),
    ]
    assert [each[1:] for each in await accesses(secrets)][2:] == [("put", 1, "ok")]
    found = await secrets.accesses(secrets_pb2.AccessesRequest(path="never/used"))
    assert not found.items
    assert found.searched_back_to


async def test_accesses_are_told_to_those_who_may_see_the_secret(secrets: SecretService) -> None:
    await put(secrets)
    with called_by("model-proxy"):
        assert [each[1] for each in await accesses(secrets)] == ["put"]
    with called_by("head"):
        assert (await refusal_of(accesses(secrets))).code is Code.PERMISSION_DENIED
    assert (await refusal_of(accesses(secrets, "no/../path"))).code is Code.INVALID_REQUEST
