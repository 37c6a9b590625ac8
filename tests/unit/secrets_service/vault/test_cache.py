"""What is known of Vault's secrets while it is away."""

from __future__ import annotations

import pytest

from llm_platform.secrets_service.info import Info, VersionInfo
from llm_platform.secrets_service.interfaces import Found
from llm_platform.secrets_service.vault.cache import VaultCache

PATH = "llm/openai/api_key"
END = 60_000


class Times:
    """Seconds, of both clocks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def cache(times: Times) -> VaultCache:
    """Of a secret whose version 1 was rotated, and is valid for a minute more."""
    cache = VaultCache(300, times, times)
    cache.remember(PATH, Found(2, b"new", overlapping={1: END}), newest=True)
    cache.remember(PATH, Found(1, b"old"), newest=False)
    return cache


def test_the_newest_is_known_with_what_overlaps(cache: VaultCache) -> None:
    assert cache.known(PATH, 0) == Found(2, b"new", cached=True, overlapping={1: END})
    assert cache.known(PATH, 1) == Found(1, b"old", cached=True)


def test_after_the_overlap_the_newest_is_known_and_the_old_one_no_longer(cache: VaultCache, times: Times) -> None:
    times.now = 60
    assert cache.known(PATH, 0) == Found(2, b"new", cached=True)
    assert cache.known(PATH, 1) is None


def test_an_old_version_that_was_never_read_or_was_disabled_does_not_overlap(cache: VaultCache) -> None:
    cache.forget(PATH)
    cache.remember(PATH, Found(2, b"new", overlapping={1: END}), newest=True)
    assert cache.known(PATH, 0) == Found(2, b"new", cached=True)


def test_an_old_version_that_vault_confirmed_too_long_ago_does_not_overlap(cache: VaultCache, times: Times) -> None:
    times.now = 50
    cache.remember(PATH, Found(2, b"new", overlapping={1: 900_000}), newest=True)
    times.now = 301
    assert cache.known(PATH, 0) == Found(2, b"new", cached=True)


def test_what_vault_lists_is_what_overlaps(cache: VaultCache) -> None:
    cache.remember(PATH, Found(2, b"new"), newest=True)  # as after a write of our own
    listed = Info(2, 0, {1: VersionInfo(valid_until=END), 2: VersionInfo()})
    cache.confirm({PATH: listed}, 0)
    assert cache.known(PATH, 0) == Found(2, b"new", cached=True, overlapping={1: END})
    cache.confirm({PATH: Info(2, 0, {1: VersionInfo(disabled=True), 2: VersionInfo()})}, 0)
    assert cache.known(PATH, 0) == Found(2, b"new", cached=True)
    assert cache.known(PATH, 1) is None
