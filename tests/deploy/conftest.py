"""Makes the plugins of the deployment importable the way Ansible imports them."""

from __future__ import annotations

from pathlib import Path

import ansible.module_utils
import pytest

ROOT = Path(__file__).parents[2]

ansible.module_utils.__path__.append(str(ROOT / "deploy" / "plugins" / "module_utils"))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
