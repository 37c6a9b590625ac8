"""The values that were read, given out for a while when Vault is away. In memory only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from llm_platform.secrets_service.info import Info
from llm_platform.secrets_service.interfaces import Found

MAX_CACHED = 1_000


class _Cached(NamedTuple):
    found: Found
    confirmed_at: float


class VaultCache:
    """Of each path the newest version, and the others that were asked for.

    ``clock`` gives monotonic seconds, ``wall`` Unix seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        """``seconds`` since Vault last confirmed a value it may be given out."""
        self._seconds = seconds
        self._clock = clock
        self._wall = wall
        self._cached: dict[tuple[str, int], _Cached] = {}
        self._newest: dict[str, int] = {}

    def remember(self, path: str, found: Found, *, newest: bool) -> None:
        key = (path, found.version)
        if key not in self._cached and len(self._cached) >= MAX_CACHED:
            return
        if newest and found.version >= self._newest.get(path, 0):
            self._newest[path] = found.version
        self._cached[key] = _Cached(found, self._clock())

    def known(self, path: str, version: int) -> Found | None:
        """The newest for version 0, with those beside it that are known too. None: not known, or no longer."""
        found = self._fresh(path, version or self._newest.get(path, 0))
        if found is None or self._ended(path, found.version):
            return None
        overlapping = {
            number: until
            for number, until in found.overlapping.items()
            if until > self._wall() * 1000 and self._fresh(path, number) is not None
        }
        return found._replace(cached=True, overlapping=overlapping)

    def forget(self, path: str) -> None:
        self._newest.pop(path, None)
        for key in [each for each in self._cached if each[0] == path]:
            del self._cached[key]

    def confirm(self, entries: Mapping[str, Info], began: float) -> None:
        """Vault said at ``began`` that these are what there is."""
        for path, newest in list(self._newest.items()):
            if path not in entries or entries[path].current != newest:
                del self._newest[path]
        for (path, version), cached in list(self._cached.items()):
            info = entries.get(path)
            if info is None or not info.current or version not in info.enabled:
                del self._cached[path, version]
                continue
            found = cached.found
            if version == info.current:
                found = found._replace(overlapping=info.overlapping(int(self._wall() * 1000)))
            self._cached[path, version] = _Cached(found, began)

    def _fresh(self, path: str, version: int) -> Found | None:
        cached = self._cached.get((path, version))
        if cached is None:
            return None
        if self._clock() - cached.confirmed_at >= self._seconds:
            del self._cached[path, version]
            return None
        return cached.found

    def _ended(self, path: str, version: int) -> bool:
        """Whether a rotation replaced it and its overlap is over, as the newest says."""
        newest = self._cached.get((path, self._newest.get(path, 0)))
        until = newest.found.overlapping.get(version) if newest is not None else None
        return until is not None and until <= self._wall() * 1000

    def __repr__(self) -> str:
        return f"VaultCache({len(self._cached)} values)"
