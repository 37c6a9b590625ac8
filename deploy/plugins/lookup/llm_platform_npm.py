"""Where this machine's npm packages come from: what the dashboards' pages are built from, too."""

from __future__ import annotations

DOCUMENTATION = r"""
name: llm_platform_npm
short_description: Where the controller's npm gets packages from
description:
  - Reads npm's configuration of this user and this machine as npm does, which need not be installed.
  - Returns one dict. C(registry) is the registry, empty where nobody configured one. C(configuration) are the lines of
    an C(.npmrc) with registries, how to sign in there, and proxies, and with nothing that exists on this machine only.
options: {}
"""

EXAMPLES = r"""
images_npm: "{{ lookup('llm_platform_npm').configuration }}"
"""

RETURN = r"""
_raw: {description: C(registry) and C(configuration)., type: dict}
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase

OF_THE_MACHINE = ("/usr/local/etc/npmrc", "/usr/etc/npmrc", "/etc/npmrc")
"""Of npm's own prefixes and Debian's."""
PREFIX = "npm_config_"
OPTIONS = ("registry", "proxy", "https-proxy", "noproxy", "strict-ssl", "fetch-retries", "fetch-timeout")
PROXIES = {"https-proxy": "https_proxy", "proxy": "http_proxy", "noproxy": "no_proxy"}
"""npm's option -> the environment variable that it stands in for."""


def npm(environment: Mapping[str, str], of_the_machine: tuple[str, ...] = OF_THE_MACHINE) -> dict[str, str]:
    """``registry`` and ``configuration``. What comes later wins: machine, user, environment."""
    user = environment.get("NPM_CONFIG_USERCONFIG") or f"{environment.get('HOME', '/root')}/.npmrc"
    options = {option: environment[name] for option, name in PROXIES.items() if environment.get(name)}
    for file in map(Path, [*of_the_machine, user]):
        options.update(_lines(file, environment))
    options.update(_variables(environment))
    known = {option: value for option, value in options.items() if value and _says_where(option)}
    return {
        "registry": known.get("registry", ""),
        "configuration": "".join(f"{option}={value}\n" for option, value in known.items()),
    }


def _says_where(option: str) -> bool:
    """Also scopes with a registry of their own (``@scope:registry``) and sign-ins (``//host/:_authToken``)."""
    return option in OPTIONS or option.startswith("//") or (option.startswith("@") and option.endswith(":registry"))


def _lines(file: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    try:
        text = file.read_text()
    except OSError:
        return
    for line in text.splitlines():
        option, separator, value = line.strip().partition("=")
        if separator and not option.startswith(("#", ";")):
            yield option.strip(), _expanded(value.strip().strip("\"'"), environment)


def _expanded(value: str, environment: Mapping[str, str]) -> str:
    """``${NAME}`` is the environment's; npm leaves an unknown one as it is."""
    return re.sub(r"\$\{(\w+)\}", lambda name: environment.get(name[1], name[0]), value)


def _variables(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in environment.items():
        if name.lower().startswith(PREFIX):
            option = name[len(PREFIX) :]
            yield option if option.startswith(("//", "@")) else option.lower().replace("_", "-"), value


class LookupModule(LookupBase):
    """What Ansible finds here."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **_: Any) -> list[dict[str, str]]:  # noqa: ARG002
        return [npm(os.environ)]
