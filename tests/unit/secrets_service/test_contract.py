from __future__ import annotations

from pathlib import Path

import pytest

from llm_platform.core.config import Config, Service
from tests.unit.secrets_service.contract import SecretsContract, replica, secrets

__all__ = ["replica", "secrets"]


class TestEncryptedFile(SecretsContract):
    @pytest.fixture
    def config(self, tmp_path: Path) -> Config:
        return Config(service=Service(data_dir=tmp_path))
