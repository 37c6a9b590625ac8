"""The build is told where npm packages come from, and nothing else of this machine."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "deploy" / "plugins" / "lookup" / "llm_platform_npm.py"
specification = importlib.util.spec_from_file_location("llm_platform_npm", SOURCE)
assert specification is not None
assert specification.loader is not None
plugin = importlib.util.module_from_spec(specification)
specification.loader.exec_module(plugin)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Its configuration of npm: of the whole machine, and of the user."""
    (tmp_path / "npmrc").write_text(
        "; ours\nregistry=https://all.test/npm/\ncafile=/etc/ssl/own.crt\nprefix = /opt/npm\n"
    )
    (tmp_path / ".npmrc").write_text(
        "# mine\nregistry = https://mine.test/npm/\n@team:registry=https://team.test/\n"
        "//mine.test/npm/:_authToken=${TOKEN}\n//team.test/:_authToken=${UNKNOWN}\nfund=false\n"
    )
    return tmp_path


def configured(machine: Path, **environment: str) -> dict[str, str]:
    found: dict[str, str] = plugin.npm({"HOME": str(machine), **environment}, (str(machine / "npmrc"),))
    return found


def test_the_user_is_stronger_than_the_machine_and_only_what_says_where_is_taken(machine: Path) -> None:
    found = configured(machine, TOKEN="t-1")
    assert found["registry"] == "https://mine.test/npm/"
    assert sorted(found["configuration"].splitlines()) == [
        "//mine.test/npm/:_authToken=t-1",
        "//team.test/:_authToken=${UNKNOWN}",
        "@team:registry=https://team.test/",
        "registry=https://mine.test/npm/",
    ]


def test_the_environment_is_stronger_than_both(machine: Path) -> None:
    found = configured(machine, NPM_CONFIG_REGISTRY="https://now.test/", npm_config_strict_ssl="false")
    assert found["registry"] == "https://now.test/"
    assert "strict-ssl=false\n" in found["configuration"]


def test_another_file_of_the_user_is_read_instead(machine: Path) -> None:
    (machine / "other").write_text("registry=https://other.test/\n")
    assert configured(machine, NPM_CONFIG_USERCONFIG=str(machine / "other"))["registry"] == "https://other.test/"


def test_the_proxy_of_the_environment_counts_where_npm_names_none(machine: Path) -> None:
    assert (
        "https-proxy=http://proxy.test:1\n" in configured(machine, https_proxy="http://proxy.test:1")["configuration"]
    )


def test_a_machine_without_a_configuration_has_npms_own(tmp_path: Path) -> None:
    assert configured(tmp_path) == {"registry": "", "configuration": ""}
