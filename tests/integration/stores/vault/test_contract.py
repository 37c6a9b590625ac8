from __future__ import annotations

from pathlib import Path

import pytest

from llm_platform.core.config import Config, Vault
from tests.integration.stores.vault.configuration import over
from tests.unit.secrets_service.contract import SecretsContract, secrets

__all__ = ["secrets"]


class TestOpenBao(SecretsContract):
    @pytest.fixture
    def config(self, vault: Vault, tmp_path: Path) -> Config:
        return over(vault, tmp_path)
