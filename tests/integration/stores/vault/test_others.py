"""What operators do in Vault by other means."""

from __future__ import annotations

from typing import Any

import pytest

from llm_platform.core.config import Vault
from llm_platform.core.errors import Code
from llm_platform.secrets_service.service import SecretService
from tests.servers.openbao import OpenBao
from tests.unit.secrets_service.calls import EVERYTHING, PATH, get, info, put, refusal_of, told


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
