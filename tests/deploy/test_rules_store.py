"""Where heads keep routing rules."""

from __future__ import annotations

from tests.deploy.desired import configuration

APART = {"head": ["core", "spare"], "model-proxy": ["core"], "tail": ["core"], "ui": ["core"]}


def test_heads_of_several_hosts_keep_rules_only_in_a_database_that_they_share() -> None:
    assert "stores" not in configuration("head")
    assert configuration("head", on="spare", placed=APART)["stores"] == {"routing_url": "none"}
    shared = {"stores": {"routing_url": "postgresql+asyncpg://db.example/routing"}}
    assert configuration("head", on="spare", placed=APART, platform_settings=shared)["stores"] == shared["stores"]
    assert "stores" not in configuration("model-proxy", platform_settings=shared)
