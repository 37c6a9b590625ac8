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
    """Of each path the newest version, and the others that were asked for. ``clock`` gives monotonic seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        """``seconds`` since Vault last confirmed a value it may be given out."""
        self._seconds = seconds
        self._clock = clock
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
        """The newest for version 0; None when it is not known, or no longer."""
        key = (path, version or self._newest.get(path, 0))
        cached = self._cached.get(key)
        if cached is None:
            return None
        if self._clock() - cached.confirmed_at >= self._seconds:
            del self._cached[key]
            return None
        return cached.found._replace(cached=True)

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
            if info is not None and info.current and version in info.enabled:
                self._cached[path, version] = cached._replace(confirmed_at=began)
            else:
                del self._cached[path, version]

    def __repr__(self) -> str:
        return f"VaultCache({len(self._cached)} values)"
