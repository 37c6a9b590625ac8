"""Versioned secrets in the encrypted file. Calls block on the disk: one thread makes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from llm_platform.core.errors import Code, PlatformError
from llm_platform.secrets_service.encrypted_file import Content, EncryptedFile, Entry
from llm_platform.secrets_service.sealing import Sealer, TamperedError

MAX_VERSIONS = 10
"""Older versions of a secret are destroyed."""
MAX_PATHS = 10_000


class SecretStore:
    """What is put under a path becomes its next version; numbers never come back, not even after a deletion.

    Each value is sealed to store, path and version: it can neither be moved nor taken to another store.
    Every method sees what any process wrote before it, and raises UnusableStoreError when the file can no
    longer be trusted.
    """

    def __init__(self, path: Path, sealer: Sealer, clock: Callable[[], float] = time.time) -> None:
        self._sealer = sealer
        self._file = EncryptedFile(path, sealer)
        self._clock = clock

    def entries(self) -> Mapping[str, Entry]:
        """All paths, the deleted too."""
        return self._file.read().secrets

    def get(self, path: str, version: int = 0) -> tuple[int, bytes]:
        """Version number and value; the newest for version 0. Raises NOT_FOUND."""
        content = self._file.read()
        entry = content.secrets.get(path)
        number = version or (entry.current if entry else 0)
        sealed = entry.versions.get(number) if entry else None
        if sealed is None:
            raise not_found(path, version)
        try:
            return number, self._sealer.open(sealed, _place(content, path, number))
        except TamperedError:
            raise self._file.unusable("was changed by something else; restore it from a backup") from None

    def put(self, path: str, value: bytes, expected_version: int | None = None) -> int:
        """Adds a version and returns its number. ``expected_version`` is the newest one (0: there is none).

        Raises CONFLICT when it is not, or when the store is full.
        """
        with self._file.locked():
            content = self._file.read()
            entry = content.secrets.get(path)
            if entry is None and len(content.secrets) >= MAX_PATHS:
                raise PlatformError(Code.CONFLICT, f"The store is full: it holds {MAX_PATHS} paths.", param="path")
            current = entry.current if entry else 0
            if expected_version is not None and expected_version != current:
                raise not_newest(path, current, expected_version)
            number = (entry.last if entry else 0) + 1
            versions = dict(entry.versions) if entry else {}
            versions[number] = self._sealer.seal(value, _place(content, path, number))
            kept = {each: versions[each] for each in sorted(versions)[-MAX_VERSIONS:]}
            self._replace(content, path, Entry(last=number, updated_at=self._now_ms(), versions=kept))
            return number

    def delete(self, path: str) -> int:
        """Destroys every version; returns the number of the newest. Raises NOT_FOUND."""
        with self._file.locked():
            content = self._file.read()
            entry = content.secrets.get(path)
            if entry is None or not entry.versions:
                raise not_found(path)
            self._replace(content, path, Entry(last=entry.last, updated_at=self._now_ms(), versions={}))
            return entry.current

    def _replace(self, content: Content, path: str, entry: Entry) -> None:
        self._file.replace(Content(store=content.store, secrets=content.secrets | {path: entry}))

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _place(content: Content, path: str, version: int) -> str:
    return f"{content.store}\n{path}\n{version}"


def not_found(path: str, version: int = 0) -> PlatformError:
    """``version`` 0: the newest was asked for."""
    which = f"version {version} of secret {path}" if version else f"secret {path}"
    return PlatformError(Code.NOT_FOUND, f"There is no {which}.", param="path")


def not_newest(path: str, current: int, expected: int) -> PlatformError:
    """A write expected another version than it found."""
    return PlatformError(
        Code.CONFLICT,
        f"The newest version of secret {path} is {current}, not {expected} (0: there is none).",
        param="expected_version",
    )
