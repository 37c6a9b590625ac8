"""Secrets as callers and auditors see them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from llm_platform.core import metrics
from llm_platform.core.config import Config, Service, Stores
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.key_file import UnusableKeyError
from llm_platform.proto import secrets_pb2
from llm_platform.rpc.caller import caller
from llm_platform.secrets_service.app import open_secrets
from llm_platform.secrets_service.encrypted_file import UnusableStoreError
from llm_platform.secrets_service.service import MAX_VALUE_BYTES, SecretService

PATH = "llm/openai/api_key"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(service=Service(data_dir=tmp_path))


@pytest.fixture
async def secrets(config: Config) -> AsyncIterator[SecretService]:
    async with open_secrets(config) as service:
        yield service


@pytest.fixture
def called_by_model_proxy() -> Iterator[None]:
    token = caller.set("model-proxy")
    yield
    caller.reset(token)


async def put(secrets: SecretService, path: str = PATH, value: bytes = b"value", **fields: Any) -> int:
    return (await secrets.put(secrets_pb2.PutSecretRequest(path=path, value=value, **fields))).version


async def get(secrets: SecretService, path: str = PATH, version: int = 0) -> secrets_pb2.Secret:
    return await secrets.get(secrets_pb2.GetSecretRequest(path=path, version=version))


async def refusal_of(call: Any) -> PlatformError:
    with pytest.raises(PlatformError) as refusal:
        await call
    return refusal.value


def audit_lines(config: Config) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (config.service.data_dir / "audit.log").read_text().splitlines()]


async def test_a_secret_is_put_read_listed_and_deleted(secrets: SecretService) -> None:
    assert await put(secrets, value=b"one") == 1
    assert await put(secrets, value=b"two", expected_version=1) == 2
    await put(secrets, path="ruvector-api-key")
    assert await get(secrets) == secrets_pb2.Secret(path=PATH, version=2, value=b"two")
    assert (await get(secrets, version=1)).value == b"one"
    (info,) = (await secrets.list(secrets_pb2.ListSecretsRequest(prefix="llm/"))).items
    assert (info.path, info.current_version, list(info.versions)) == (PATH, 2, [1, 2])
    await secrets.delete(secrets_pb2.DeleteSecretRequest(path=PATH))
    assert (await refusal_of(get(secrets))).code is Code.NOT_FOUND
    listed = await secrets.list(secrets_pb2.ListSecretsRequest())
    assert [info.path for info in listed.items] == ["ruvector-api-key"]


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


async def test_every_access_leaves_a_line_that_says_who_did_what_and_what_came_of_it(
    secrets: SecretService, config: Config, called_by_model_proxy: None
) -> None:
    await put(secrets)
    await get(secrets)
    await refusal_of(get(secrets, version=7))
    await refusal_of(put(secrets, expected_version=0))
    await refusal_of(get(secrets, path="no path, perhaps a secret"))
    await secrets.list(secrets_pb2.ListSecretsRequest(prefix="llm/"))
    await secrets.delete(secrets_pb2.DeleteSecretRequest(path=PATH))
    lines = audit_lines(config)
    assert {line["caller"] for line in lines} == {"model-proxy"}
    assert [(line["operation"], line["path"], line["version"], line["result"]) for line in lines] == [
        ("put", PATH, 1, "ok"),
        ("get", PATH, 1, "ok"),
        ("get", PATH, 7, "not_found"),
        ("put", PATH, 0, "conflict"),
        ("get", "", 0, "invalid_request"),
        ("list", "llm/", 0, "ok"),
        ("delete", PATH, 1, "ok"),
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
    assert (await get(secrets)).value == b"canary"


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


async def changes(watch: AsyncIterator[secrets_pb2.SecretInfo], number: int) -> list[tuple[str, int]]:
    async with asyncio.timeout(5):
        return [(info.path, info.current_version) for info in [await anext(watch) for _ in range(number)]]


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
    assert (await get(secrets)).version == 1


# Keys


def with_stores(config: Config, **stores: Any) -> Config:
    return config.model_copy(update={"stores": Stores(**stores)})


async def test_without_a_configured_key_one_is_made_beside_the_store(config: Config) -> None:
    async with open_secrets(config) as secrets:
        await put(secrets)
    assert (config.service.data_dir / "secrets.key").stat().st_mode & 0o777 == 0o600
    async with open_secrets(config) as secrets:
        assert (await get(secrets)).value == b"value"


async def test_a_configured_key_or_key_file_is_used_and_no_other_is_made(config: Config, tmp_path: Path) -> None:
    key = base64.b64encode(b"k" * 32).decode()
    async with open_secrets(with_stores(config, secrets_key=SecretStr(key))) as secrets:
        await put(secrets)
    file = tmp_path / "from-operator"
    file.write_text(key + "\n")
    async with open_secrets(with_stores(config, secrets_key_file=file)) as secrets:
        assert (await get(secrets)).value == b"value"
    assert not (tmp_path / "secrets.key").exists()


@pytest.mark.parametrize(
    ("stores", "error", "reason"),
    [
        ({"secrets_key": SecretStr("c2hvcnQ=")}, UnusableKeyError, "must be the base64 of 32 bytes"),
        ({"secrets_key_file": Path("/nowhere/key")}, UnusableKeyError, "cannot be read"),
        ({"secrets_key": SecretStr(base64.b64encode(b"w" * 32).decode())}, UnusableStoreError, "another key"),
    ],
)
async def test_a_key_that_does_not_fit_stops_the_start_and_changes_nothing(
    config: Config, tmp_path: Path, stores: dict[str, Any], error: type[Exception], reason: str
) -> None:
    async with open_secrets(config) as secrets:
        await put(secrets)
    before = (tmp_path / "secrets.json").read_bytes()
    with pytest.raises(error, match=reason):
        async with open_secrets(with_stores(config, **stores)):
            pass
    assert (tmp_path / "secrets.json").read_bytes() == before


async def test_a_lost_key_is_not_replaced_silently(config: Config, tmp_path: Path) -> None:
    async with open_secrets(config):
        pass
    (tmp_path / "secrets.key").unlink()
    with pytest.raises(UnusableKeyError, match="restore the key"):
        async with open_secrets(config):
            pass
    assert not (tmp_path / "secrets.key").exists()
