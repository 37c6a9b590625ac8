"""Where this machine's Debian packages come from: what images are built from, too."""

from __future__ import annotations

DOCUMENTATION = r"""
name: llm_platform_debian_mirrors
short_description: The package mirrors of the controller's own Debian
description:
  - Reads apt's sources and returns one dict with C(archive) and C(security), the addresses of the mirrors.
  - Ubuntu's and third parties' sources are not looked at.
options:
  _terms: {description: Directory of apt's configuration., default: [/etc/apt]}
"""

EXAMPLES = r"""
platform_debian_mirrors: "{{ lookup('llm_platform_debian_mirrors') }}"
"""

RETURN = r"""
_raw: {description: C(archive) and C(security)., type: dict}
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

SUITES = ("stable", "oldstable", "testing", "bookworm", "trixie", "forky")


def sources(directory: Path) -> Iterator[tuple[str, str]]:
    """Address and suite of every source, in apt's order of files."""
    for path in [directory / "sources.list", *sorted((directory / "sources.list.d").glob("*"))]:
        if path.suffix == ".list" and path.is_file():
            yield from _one_line(path.read_text())
        elif path.suffix == ".sources" and path.is_file():
            yield from _stanzas(path.read_text())


def _one_line(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        _options, bracket, rest = line.partition("]") if "[" in line else ("", "", line)
        words = rest.split() if bracket else rest.split()[1:]
        if line.split(None, 1)[:1] == ["deb"] and len(words) > 1:
            yield words[0], words[1]


def _stanzas(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in "\n".join(lines).split("\n\n"):
        fields = {name.strip().lower(): value.split() for name, _, value in map(_field, stanza.splitlines())}
        if "deb" in fields.get("types", []) and fields.get("enabled") != ["no"]:
            yield from ((uri, suite) for uri in fields.get("uris", []) for suite in fields.get("suites", []))


def _field(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def mirrors(directory: Path) -> dict[str, str]:
    """Raises LookupError when apt's sources name no mirror of Debian."""
    found: dict[str, str] = {}
    for address, suite in sources(directory):
        if suite in SUITES:
            found.setdefault("archive", address.rstrip("/"))
        elif suite.removesuffix("-security") in SUITES:
            found.setdefault("security", address.rstrip("/"))
    if len(found) < 2:
        raise LookupError(
            f"apt's sources in {directory} name no mirror of Debian and its security updates; set "
            "platform_debian_mirrors: {archive: ADDRESS, security: ADDRESS}"
        )
    return found


class LookupModule(LookupBase):
    """What Ansible finds here."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **_: Any) -> list[dict[str, str]]:  # noqa: ARG002
        try:
            return [mirrors(Path(terms[0] if terms else "/etc/apt"))]
        except LookupError as error:
            raise AnsibleLookupError(str(error)) from error
