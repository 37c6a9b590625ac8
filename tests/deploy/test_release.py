"""A release is named after all that hosts are given, and after nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy.desired import hosts, plugin


def test_the_same_tree_and_settings_are_the_same_release_wherever_images_are_built() -> None:
    built_elsewhere = {"platform": {"reference": "llm-platform:1", "id": "sha256:2"}}
    assert plugin.release(hosts()) == plugin.release(hosts(platform_images=built_elsewhere))
    assert len(plugin.release(hosts())) == 12


@pytest.mark.parametrize(
    "different",
    [
        {"platform_images": {"platform": {"reference": "llm-platform:2", "id": "sha256:1"}}},
        {"platform_settings": {"billing": {"unknown_price": "free"}}},
        {"platform_replicas": {"tail": 2}},
        {"platform_resources": {"tail": {"memory_mb": 512}}},
        {"platform_drain_seconds": 30},
        {"platform_public_urls": {"tail": "https://llm.example.com"}},
    ],
    ids=lambda one: next(iter(one)),
)
def test_whatever_differs_on_a_host_is_another_release(different: dict[str, Any]) -> None:
    assert plugin.release(hosts(**different)) != plugin.release(hosts())


def test_a_setting_replaces_the_replicas_that_it_concerns_and_no_others() -> None:
    def checksums(service: str, **settings: Any) -> list[str]:
        given = hosts(platform_settings=settings)
        return [replica["checksum"] for replica in plugin.desired(given, "one", service)["replicas"]]

    changed = {"billing": {"unknown_price": "free"}}
    assert checksums("billing", **changed) != checksums("billing")
    assert checksums("tail", **changed) == checksums("tail")
