"""A real OpenBao for the tests of this folder, and secrets-services over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_platform.core.config import Vault
from llm_platform.secrets_service import app
from llm_platform.secrets_service.service import SecretService
from tests.integration.stores.vault.configuration import over
from tests.servers.openbao import OpenBao
from tests.unit.secrets_service.calls import get, put
from tests.unit.secrets_service.contract import Open, replica

__all__ = ["replica"]


@pytest.fixture(scope="session")
def openbao() -> Iterator[OpenBao]:
    """Shared: tests that stop it start it again."""
    with OpenBao() as server:
        yield server


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "VAULT_POLL_SECONDS", 0.3)


@pytest.fixture
def vault(openbao: OpenBao) -> Vault:
    return openbao.settings()


@pytest.fixture
async def kept(vault: Vault, tmp_path: Path, replica: Open) -> SecretService:
    """A secrets-service over OpenBao that has read PATH."""
    service: SecretService = await replica(over(vault, tmp_path))
    await put(service, value=b"known")
    assert await get(service) == b"known"
    return service
