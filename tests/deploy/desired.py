"""The filter that computes what hosts are given, and hosts to compute it for."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
specification = importlib.util.spec_from_file_location(
    "llm_platform_filter", ROOT / "deploy" / "plugins" / "filter" / "llm_platform.py"
)
assert specification is not None
assert specification.loader is not None
plugin = importlib.util.module_from_spec(specification)
specification.loader.exec_module(plugin)

GROUPS = ("head", "model-proxy", "tail", "ui")


def hosts(*, placed: dict[str, list[str]] | None = None, **different: Any) -> dict[str, dict[str, Any]]:
    """Hosts with the variables of dev: one of every group, or where ``placed`` (group -> hosts) has them."""
    groups = placed or {group: ["one"] for group in GROUPS}
    product = yaml.safe_load((ROOT / "deploy" / "group_vars" / "all.yml").read_text())
    variables = {
        **product,
        "platform_environment": "dev",
        "platform_networks": {},
        "platform_trust_domain": "dev.llm-platform.internal",
        "platform_release": "",
        "platform_images": {"platform": {"reference": "llm-platform:1", "id": "sha256:1"}},
        "groups": groups,
    }
    return dict.fromkeys(sorted({name for names in groups.values() for name in names}), variables | different)


def configuration(service: str, *, on: str = "one", **given: Any) -> dict[str, Any]:
    """The configuration of the first replica of ``service``."""
    (replica, *_) = plugin.desired(hosts(**given), on, service)["replicas"]
    loaded: dict[str, Any] = yaml.safe_load(replica["config"])
    return loaded
