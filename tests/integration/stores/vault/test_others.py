"""What operators do in Vault by other means."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from llm_platform.core.config import Vault
from llm_platform.core.errors import Code
from llm_platform.secrets_service.service import SecretService
from tests.integration.stores.vault.configuration import over
from tests.servers.openbao import OpenBao
from tests.unit.secrets_service.calls import (
    EVERYTHING,
    PATH,
    delete,
    describe,
    disable,
    get,
    info,
    put,
    refusal_of,
    rotate,
    told,
)
from tests.unit.secrets_service.contract import Open


async def test_what_operators_write_delete_and_remove_in_vault_is_followed(
    openbao: OpenBao, vault: Vault, kept: SecretService
) -> None:
    kv, name = openbao.root.secrets.kv.v2, f"{vault.prefix}/{PATH}"
    watch = kept.watch(EVERYTHING)
    await told(watch, PATH, 1)
    kv.create_or_update_secret(name, {"value": "theirs"})
    await told(watch, PATH, 2)
    assert await get(kept) == b"theirs"
    kv.delete_latest_version_of_secret(name)
    await told(watch, PATH, 0)
    assert (await refusal_of(get(kept))).code is Code.NOT_FOUND
    assert [each.enabled for each in (await info(kept)).details] == [True, False]
    assert await put(kept, expected_version=0) == 3
    await told(watch, PATH, 3)
    kv.delete_metadata_and_all_versions(name)
    await told(watch, PATH, 0)


@pytest.mark.parametrize("fields", [{"key": "x"}, {"value": 7}, {"value": ""}, {"value": "%", "encoding": "base64"}])
async def test_a_secret_of_another_shape_is_said_to_be_none(
    openbao: OpenBao, vault: Vault, kept: SecretService, fields: dict[str, Any]
) -> None:
    openbao.root.secrets.kv.v2.create_or_update_secret(f"{vault.prefix}/{PATH}", fields)
    refusal = await refusal_of(get(kept))
    assert refusal.code is Code.NOT_FOUND
    assert 'field "value"' in refusal.message


async def test_names_that_are_no_paths_are_passed_over(openbao: OpenBao, vault: Vault, kept: SecretService) -> None:
    openbao.root.secrets.kv.v2.create_or_update_secret(f"{vault.prefix}/a name", {"value": "x"})
    assert [info.path for info in (await kept.list(EVERYTHING)).items] == [PATH]


async def test_where_vault_demands_check_and_set_a_version_must_be_said(
    openbao: OpenBao, vault: Vault, kept: SecretService
) -> None:
    openbao.root.secrets.kv.v2.update_metadata(f"{vault.prefix}/{PATH}", cas_required=True)
    assert (await refusal_of(put(kept))).param == "expected_version"
    assert await put(kept, expected_version=1) == 2


async def test_what_is_known_of_a_secret_is_custom_metadata_beside_that_of_others(
    openbao: OpenBao, vault: Vault, kept: SecretService
) -> None:
    kv, name = openbao.root.secrets.kv.v2, f"{vault.prefix}/{PATH}"
    await describe(kept, description="of the team", labels={"env": "prod"})
    theirs = kv.read_secret_metadata(name)["data"]["custom_metadata"] | {"owner": "red", "llm.valid_until": "no JSON"}
    kv.update_metadata(name, max_versions=4, delete_version_after="24h", custom_metadata=theirs)
    await describe(kept, labels={"env": "dev"})
    found = await info(kept)
    assert (found.description, dict(found.labels)) == ("of the team", {"env": "dev", "owner": "red"})
    metadata = kv.read_secret_metadata(name)["data"]
    assert (metadata["max_versions"], metadata["delete_version_after"]) == (4, "24h0m0s")


async def test_after_the_overlap_vault_itself_refuses_the_old_version(
    openbao: OpenBao, vault: Vault, kept: SecretService
) -> None:
    await rotate(kept, overlap_seconds=1)
    metadata = openbao.root.secrets.kv.v2.read_secret_metadata
    async with asyncio.timeout(20):
        while not metadata(f"{vault.prefix}/{PATH}")["data"]["versions"]["1"]["deletion_time"]:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.1)
    await get(kept)


async def test_with_the_policy_of_the_release_before_values_are_written_but_not_rotated(
    openbao: OpenBao, vault: Vault, tmp_path: Path, replica: Open
) -> None:
    policy = """
    path "secret/data/llm-platform/*" { capabilities = ["create", "read", "update"] }
    path "secret/metadata/llm-platform/*" { capabilities = ["read", "list"] }
    path "secret/destroy/llm-platform/*" { capabilities = ["update"] }
    """
    openbao.root.sys.create_or_update_policy("before", policy)
    openbao.role("before", ("before",))
    secrets = await replica(over(openbao.settings("before"), tmp_path))
    assert await put(secrets, value=b"one") == 1
    for call in (rotate(secrets, value=b"two"), describe(secrets, description="x"), disable(secrets, 1)):
        assert (await refusal_of(call)).code is Code.PERMISSION_DENIED
    assert await get(secrets) == b"one"
    assert list((await info(secrets)).versions) == [1]
    await delete(secrets)
