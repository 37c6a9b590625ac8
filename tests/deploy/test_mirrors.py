"""Where images take Debian's packages from: the controller's own sources."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
specification = importlib.util.spec_from_file_location(
    "mirrors", ROOT / "deploy" / "plugins" / "lookup" / "llm_platform_debian_mirrors.py"
)
assert specification is not None
assert specification.loader is not None
plugin = importlib.util.module_from_spec(specification)
specification.loader.exec_module(plugin)

STANZAS = """\
Types: deb
# a comment
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""
LINES = """\
deb [signed-by=/k.gpg] https://third.example/apt thing main
deb-src http://source.example/debian trixie main
deb [arch=amd64] https://mirror.example/debian trixie main
deb https://security.example/debian-security trixie-security main
"""


@pytest.mark.parametrize(
    ("name", "text", "archive", "security"),
    [
        (
            "sources.list.d/debian.sources",
            STANZAS,
            "http://mirror.example/debian",
            "http://mirror.example/debian-security",
        ),
        ("sources.list", LINES, "https://mirror.example/debian", "https://security.example/debian-security"),
    ],
)
def test_the_mirrors_are_those_of_debian_itself(
    tmp_path: Path, name: str, text: str, archive: str, security: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert plugin.mirrors(tmp_path) == {"archive": archive, "security": security}


def test_a_machine_without_debian_sources_is_told_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="platform_debian_mirrors"):
        plugin.mirrors(tmp_path)
