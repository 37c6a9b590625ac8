"""Configurations of a secrets-service over Vault."""

from __future__ import annotations

from pathlib import Path

from llm_platform.core.config import Config, Service, Vault


def over(vault: Vault, directory: Path) -> Config:
    return Config(service=Service(data_dir=directory), vault=vault)
