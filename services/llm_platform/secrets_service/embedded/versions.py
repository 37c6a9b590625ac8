"""Versioned secrets in the encrypted file. Calls block on the disk: one thread makes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from llm_platform.core.errors import Code, PlatformError
from llm_platform.secrets_service.embedded.encrypted_file import Content, EncryptedFile, Entry
from llm_platform.secrets_service.embedded.keyring import Keyring
from llm_platform.secrets_service.embedded.sealing import Sealer, TamperedError
from llm_platform.secrets_service.info import Change, Info, VersionInfo
from llm_platform.secrets_service.interfaces import Found

MAX_VERSIONS = 10
"""Older versions of a secret are destroyed."""
MAX_PATHS = 10_000

_DAMAGED = "was changed by something else; restore it from a backup"


class SecretStore:
    """What is put under a path becomes its next version; numbers never come back, not even after a deletion.

    Each value is sealed to store, path and version: it can neither be moved nor taken to another store.
    Every method sees what any process wrote before it, and raises UnusableStoreError when the file can no
    longer be trusted.
    """

    def __init__(self, path: Path, keyring: Keyring, clock: Callable[[], float] = time.time) -> None:
        self._keyring = keyring
        self._file = EncryptedFile(path, keyring)
        self._clock = clock
        self._seen: tuple[Content, float, Mapping[str, Info]] | None = None

    @property
    def key_id(self) -> str:
        self._file.read()
        return self._file.sealer.key_id

    def entries(self) -> Mapping[str, Info]:
        """All paths, the deleted too. The same object while nothing changed."""
        content, now = self._file.read(), self._now_ms()
        if self._seen is None or self._seen[0] is not content or now >= self._seen[1]:
            infos = {path: entry.info(now) for path, entry in content.secrets.items()}
            ends = (end for info in infos.values() for end in info.overlapping(now).values())
            self._seen = content, min(ends, default=float("inf")), infos
        return self._seen[2]

    def get(self, path: str, version: int = 0) -> Found:
        """The newest for version 0. Raises NOT_FOUND."""
        content, now = self._file.read(), self._now_ms()
        entry = content.secrets.get(path)
        info = entry.info(now) if entry else None
        number = version or (info.last if info else 0)
        if entry is None or info is None or number not in info.versions:
            raise not_found(path, version)
        if info.versions[number].disabled:
            raise disabled(path, number)
        return Found(number, self._open(content, path, number), overlapping=info.overlapping(now))

    def put(
        self, path: str, value: bytes, expected_version: int | None = None, *, by: str = "", overlap: int | None = None
    ) -> int:
        """Adds a version and returns its number. ``expected_version`` is the newest one (0: there is none).

        Raises CONFLICT when it is not, or when the store is full. ``overlap``: how many seconds those before are valid.
        """
        with self._file.locked():
            content, now = self._file.read(), self._now_ms()
            entry = content.secrets.get(path)
            if entry is None and len(content.secrets) >= MAX_PATHS:
                raise PlatformError(Code.CONFLICT, f"The store is full: it holds {MAX_PATHS} paths.", param="path")
            current = entry.info(now).current if entry else 0
            if expected_version is not None and expected_version != current:
                raise not_newest(path, current, expected_version)
            before = entry or Entry(last=0, updated_at=now, versions={})
            number = before.last + 1
            sealed = self._file.sealer.seal(value, _place(content, path, number))
            versions = before.versions | {number: sealed}
            kept = {each: versions[each] for each in sorted(versions)[-MAX_VERSIONS:]}
            details = {each: before.details.get(each, VersionInfo()) for each in kept}
            if overlap is not None:
                details |= {each: _ending(details[each], now + overlap * 1000) for each in kept if each != number}
            details[number] = VersionInfo(created_at=now, created_by=by)
            first = {} if before.versions else {"created_at": now, "created_by": by}
            self._change(content, path, before, by, last=number, versions=kept, details=details, **first)
            return number

    def describe(self, path: str, change: Change, by: str) -> int:
        """Returns the newest version. Raises NOT_FOUND."""
        with self._file.locked():
            content = self._file.read()
            entry = _there(content, path)
            self._change(
                content,
                path,
                entry,
                by,
                labels=change.labels_after(entry.labels),
                description=entry.description if change.description is None else change.description,
                expires_at=entry.expires_at if change.expires_at is None else change.expires_at,
            )
            return entry.last

    def delete(self, path: str, version: int = 0, by: str = "") -> int:
        """Destroys a version, every one for 0; returns its number or the newest's. Raises NOT_FOUND."""
        with self._file.locked():
            content, now = self._file.read(), self._now_ms()
            entry = _there(content, path, version)
            versions = {each: sealed for each, sealed in entry.versions.items() if version not in (0, each)}
            details = {each: entry.details[each] for each in versions if each in entry.details}
            if versions:
                self._change(content, path, entry, by, versions=versions, details=details)
            else:
                self._replace(content, path, Entry(last=entry.last, updated_at=now, versions={}, updated_by=by))
            return version or entry.info(now).current or entry.last

    def disable(self, path: str, version: int, by: str) -> int:
        """The version cannot be read until it is enabled. Raises NOT_FOUND."""
        return self._detail(path, version, by, lambda each: msgspec.structs.replace(each, disabled=True))

    def enable(self, path: str, version: int, by: str) -> int:
        """Undoes ``disable`` and the end of an overlap. Raises NOT_FOUND."""
        return self._detail(
            path, version, by, lambda each: msgspec.structs.replace(each, disabled=False, valid_until=0)
        )

    def rotate_key(self) -> None:
        """Seals everything anew under another key; what was is kept until ``confirm_key``. Raises CONFLICT."""
        with self._file.locked():
            content = self._file.read()
            before, after = self._file.sealer, self._keyring.following(self._file.sealer.key_id)
            secrets = {path: self._resealed(content, path, entry, before, after)
                       for path, entry in content.secrets.items()}  # fmt: skip
            self._file.replace(Content(store=content.store, secrets=secrets), after)
            self._keyring.settle(after.key_id)

    def confirm_key(self) -> None:
        """Destroys what ``rotate_key`` kept, after a look at every value."""
        with self._file.locked():
            content = self._file.read()
            self._keyring.settle(self._file.sealer.key_id)
            for path, entry in content.secrets.items():
                for number in entry.versions:
                    self._open(content, path, number)
            self._file.forget_previous()
            self._keyring.forget_previous()

    def locked_keys(self, work: Callable[[], None]) -> None:
        """Changes key files while no other process does."""
        with self._file.locked():
            self._file.read()
            self._keyring.settle(self._file.sealer.key_id)
            work()

    def _detail(self, path: str, version: int, by: str, change: Callable[[VersionInfo], VersionInfo]) -> int:
        with self._file.locked():
            content = self._file.read()
            entry = _there(content, path, version)
            details = entry.details | {version: change(entry.details.get(version, VersionInfo()))}
            self._change(content, path, entry, by, details=details)
            return version

    def _open(self, content: Content, path: str, number: int) -> bytes:
        try:
            return self._file.sealer.open(content.secrets[path].versions[number], _place(content, path, number))
        except TamperedError:
            raise self._file.unusable(_DAMAGED) from None

    def _resealed(self, content: Content, path: str, entry: Entry, before: Sealer, after: Sealer) -> Entry:
        versions = {}
        for number, sealed in entry.versions.items():
            place = _place(content, path, number)
            try:
                versions[number] = after.seal(before.open(sealed, place), place)
            except TamperedError:
                raise self._file.unusable(_DAMAGED) from None
        return msgspec.structs.replace(entry, versions=versions)

    def _change(self, content: Content, path: str, entry: Entry, by: str, **changes: object) -> None:
        changed = msgspec.structs.replace(entry, updated_at=self._now_ms(), updated_by=by, **changes)
        self._replace(content, path, changed)

    def _replace(self, content: Content, path: str, entry: Entry) -> None:
        self._file.replace(Content(store=content.store, secrets=content.secrets | {path: entry}))

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _there(content: Content, path: str, version: int = 0) -> Entry:
    entry = content.secrets.get(path)
    if entry is None or not entry.versions or (version and version not in entry.versions):
        raise not_found(path, version)
    return entry


def _ending(version: VersionInfo, at: int) -> VersionInfo:
    """An overlap that ends earlier already is not made longer."""
    until = min(version.valid_until, at) if version.valid_until else at
    return msgspec.structs.replace(version, valid_until=until)


def _place(content: Content, path: str, version: int) -> str:
    return f"{content.store}\n{path}\n{version}"


def not_found(path: str, version: int = 0) -> PlatformError:
    """``version`` 0: the newest was asked for."""
    which = f"version {version} of secret {path}" if version else f"secret {path}"
    return PlatformError(Code.NOT_FOUND, f"There is no {which}.", param="path")


def disabled(path: str, version: int) -> PlatformError:
    return PlatformError(
        Code.NOT_FOUND, f"Version {version} of secret {path} is disabled; it can be enabled again.", param="version"
    )


def not_newest(path: str, current: int, expected: int) -> PlatformError:
    """A write expected another version than it found."""
    return PlatformError(
        Code.CONFLICT,
        f"The newest version of secret {path} is {current}, not {expected} (0: there is none).",
        param="expected_version",
    )
