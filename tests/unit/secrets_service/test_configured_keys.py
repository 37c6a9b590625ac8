"""Where the embedded store's key comes from."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from llm_platform.core.config import Config, Service, Stores
from llm_platform.core.key_file import UnusableKeyError
from llm_platform.secrets_service.app import open_secrets
from llm_platform.secrets_service.embedded.encrypted_file import UnusableStoreError
from tests.unit.secrets_service.calls import get, put


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(service=Service(data_dir=tmp_path))


def with_stores(config: Config, **stores: Any) -> Config:
    return config.model_copy(update={"stores": Stores(**stores)})


async def test_without_a_configured_key_one_is_made_beside_the_store(config: Config) -> None:
    async with open_secrets(config) as secrets:
        await put(secrets)
    assert (config.service.data_dir / "secrets.key").stat().st_mode & 0o777 == 0o600
    async with open_secrets(config) as secrets:
        assert await get(secrets) == b"value"


async def test_a_configured_key_or_key_file_is_used_and_no_other_is_made(config: Config, tmp_path: Path) -> None:
    key = base64.b64encode(b"k" * 32).decode()
    async with open_secrets(with_stores(config, secrets_key=SecretStr(key))) as secrets:
        await put(secrets)
    file = tmp_path / "from-operator"
    file.write_text(key + "\n")
    async with open_secrets(with_stores(config, secrets_key_file=file)) as secrets:
        assert await get(secrets) == b"value"
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
