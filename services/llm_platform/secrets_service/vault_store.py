"""Secrets in a KV engine, version 2, of Vault or OpenBao (https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2).

A secret is the field ``value``, where ``vault kv put`` and its like write it too; what is no UTF-8 text is kept in
base64, with the field ``encoding``. Deleting destroys all versions and leaves the metadata, so that numbers never come
back. The newest version deleted by other means counts as the secret deleted: an older value is not brought back.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import msgspec
from hvac.exceptions import InvalidPath, InvalidRequest

from llm_platform.core.config import Vault
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.secrets_service.interfaces import Found
from llm_platform.secrets_service.store import not_found, not_newest
from llm_platform.secrets_service.vault_session import (
    RETRY_SECONDS,
    VaultAwayError,
    VaultSession,
    VaultSilentError,
    unanswered,
)

THREADS = 4
WALKERS = 3
"""Threads that listing may take: one is always left for whoever wants a value."""
CHECK_SECONDS = 1.5
"""Less than a readiness check may take."""
MAX_CACHED = 1_000

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/?\Z")

Result = TypeVar("Result")

log = get_logger("secrets-service")


class VaultEntry(msgspec.Struct, frozen=True):
    """One path, without its values."""

    updated_at: int
    versions: tuple[int, ...]
    last: int
    """The newest number that was ever given."""

    @property
    def current(self) -> int:
        return self.versions[-1] if self.versions else 0


class _Cached(NamedTuple):
    found: Found
    confirmed_at: float


class VaultStore:
    """Every call ends within ``vault.timeout``, whatever Vault does. Values read before outlive Vault for a while."""

    def __init__(self, settings: Vault, clock: Callable[[], float] = time.monotonic) -> None:
        """Does not connect. Raises UnusableAuthorityError."""
        self._kv = _Engine(settings)
        self._session = VaultSession(settings, THREADS)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="vault")
        self._walkers = asyncio.Semaphore(WALKERS)
        self._seconds = settings.timeout / 1000
        self._clock = clock
        self._cache_seconds = settings.cache_seconds
        self._cache: dict[str, _Cached] = {}
        self._away: VaultAwayError | None = None
        self._away_until = 0.0
        self._reason = ""

    def close(self) -> None:
        """Ends the threads after the calls they are in."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    async def check(self) -> None:
        """Raises UNAVAILABLE or PERMISSION_DENIED with the reason."""
        await self._call(lambda client: self._kv.folder(client, ""), min(CHECK_SECONDS, self._seconds))

    async def entries(self) -> Mapping[str, VaultEntry]:
        """All paths that there are below the prefix."""
        began = self._clock()
        entries: dict[str, VaultEntry] = {}
        try:
            async with asyncio.timeout(self._seconds):
                await self._walk("", entries)
        except TimeoutError:
            raise unanswered(self._seconds) from None
        for path, cached in list(self._cache.items()):
            if path in entries and entries[path].current == cached.found.version:
                self._cache[path] = cached._replace(confirmed_at=began)
            else:
                del self._cache[path]
        return entries

    async def get(self, path: str, version: int = 0) -> Found:
        """The newest for version 0; the last known while Vault is away. Raises NOT_FOUND."""
        try:
            found = await self._call(lambda client: self._kv.read(client, path, version))
        except VaultAwayError:
            if (known := self._known(path, version)) is None:
                raise
            return known
        except PlatformError:
            if version == 0:
                self._cache.pop(path, None)
            raise
        if version == 0:
            self._remember(path, found)
        return found

    async def put(self, path: str, value: bytes, expected_version: int | None = None) -> int:
        """Adds a version and returns its number. Raises CONFLICT."""
        version = await self._write(lambda client: self._kv.write(client, path, value, expected_version))
        self._remember(path, Found(version, value))
        return version

    async def delete(self, path: str) -> int:
        """Destroys every version; returns the number of the newest. Raises NOT_FOUND."""
        version = await self._write(lambda client: self._kv.destroy(client, path))
        self._cache.pop(path, None)
        return version

    async def _walk(self, folder: str, entries: dict[str, VaultEntry]) -> None:
        async def visit(name: str) -> None:
            if name.endswith("/"):
                await self._walk(name, entries)
                return
            async with self._walkers:
                entry = await self._call(lambda client: self._kv.entry(client, name))
            if entry is not None:
                entries[name] = entry

        async with self._walkers:
            names = await self._call(lambda client: self._kv.folder(client, folder))
        await asyncio.gather(*(visit(folder + name) for name in names))

    async def _write(self, work: Callable[[Any], int]) -> int:
        try:
            return await self._call(work)
        except VaultAwayError as error:
            if isinstance(error, VaultSilentError):
                what = "The change is not confirmed: see which version is the newest before trying again."
            else:
                what = "Nothing was changed."
            raise PlatformError(Code.UNAVAILABLE, f"{error.message} {what}", retry_after=RETRY_SECONDS) from None

    async def _call(self, work: Callable[[Any], Result], seconds: float | None = None) -> Result:
        """Runs ``work`` in a thread. Who comes within RETRY_SECONDS after Vault was away gets the same answer at once.

        A frozen Vault so holds few threads, and what is cached is given out quickly.
        """
        if self._away is not None and self._clock() < self._away_until:
            raise VaultAwayError(Code.UNAVAILABLE, self._away.message, retry_after=RETRY_SECONDS)
        seconds = seconds or self._seconds
        try:
            async with asyncio.timeout(seconds):
                result = await asyncio.get_running_loop().run_in_executor(self._threads, self._session, work)
        except TimeoutError:
            raise self._gone(unanswered(seconds)) from None
        except VaultAwayError as error:
            raise self._gone(error) from None
        except PlatformError as error:
            if error.code is Code.UNAVAILABLE:
                self._tell(error.message)
            raise
        if self._reason:
            log.info("Vault serves again")
        self._away, self._reason = None, ""
        return result

    def _gone(self, error: VaultAwayError) -> VaultAwayError:
        self._away, self._away_until = error, self._clock() + RETRY_SECONDS
        self._tell(error.message)
        return error

    def _tell(self, reason: str) -> None:
        if reason != self._reason:  # once: it is asked all the time
            self._reason = reason
            log.error("secrets cannot be read or written", reason=reason)

    def _remember(self, path: str, found: Found) -> None:
        known = self._cache.get(path)
        if known is None and len(self._cache) >= MAX_CACHED:
            return
        if known is None or found.version >= known.found.version:
            self._cache[path] = _Cached(found, self._clock())

    def _known(self, path: str, version: int) -> Found | None:
        cached = self._cache.get(path)
        if cached is None or version not in (0, cached.found.version):
            return None
        if self._clock() - cached.confirmed_at >= self._cache_seconds:
            del self._cache[path]
            return None
        return cached.found._replace(cached=True)


class _Engine:
    """The requests of the KV engine. They block, and raise hvac's errors but for those that belong to a secret."""

    def __init__(self, settings: Vault) -> None:
        self._mount = settings.mount.strip("/")
        self._prefix = f"{settings.prefix.strip('/')}/" if settings.prefix.strip("/") else ""

    def folder(self, client: Any, folder: str) -> list[str]:
        """What is directly in the folder; folders end with /. Names that are no paths of secrets are left out."""
        try:
            answer = client.secrets.kv.v2.list_secrets(path=self._prefix + folder, mount_point=self._mount)
        except InvalidPath as error:
            if error.errors:
                raise
            return []
        return [name for name in answer["data"]["keys"] if _PART.match(name)]

    def entry(self, client: Any, path: str) -> VaultEntry | None:
        """None: there has never been such a secret."""
        try:
            answer = client.secrets.kv.v2.read_secret_metadata(path=self._prefix + path, mount_point=self._mount)
        except InvalidPath as error:
            if error.errors:
                raise
            return None
        return _entry(answer["data"])

    def read(self, client: Any, path: str, version: int) -> Found:
        try:
            answer = client.secrets.kv.v2.read_secret_version(
                path=self._prefix + path,
                version=version or None,
                mount_point=self._mount,
                raise_on_deleted_version=True,
            )
        except InvalidPath as error:
            if error.errors:
                raise
            raise not_found(path, version) from None
        value = _value(answer["data"]["data"])
        if value is None:
            raise PlatformError(
                Code.NOT_FOUND,
                f'The secret {path} in Vault has no text in a field "value"; put it there.',
                param="path",
            )
        return Found(answer["data"]["metadata"]["version"], value)

    def write(self, client: Any, path: str, value: bytes, expected: int | None) -> int:
        last: int | None = None
        if expected is not None:
            entry = self.entry(client, path)
            current, last = (entry.current, entry.last) if entry else (0, 0)
            if expected != current:
                raise not_newest(path, current, expected)
        try:
            answer = client.secrets.kv.v2.create_or_update_secret(
                path=self._prefix + path, secret=_fields(value), cas=last, mount_point=self._mount
            )
        except InvalidRequest as error:
            if not any("check-and-set" in each for each in error.errors or ()):
                raise
            if expected is None:
                raise PlatformError(
                    Code.CONFLICT,
                    f"Vault takes secret {path} with check-and-set only: say the expected version.",
                    param="expected_version",
                ) from None
            entry = self.entry(client, path)
            raise not_newest(path, entry.current if entry else 0, expected) from None
        return int(answer["data"]["version"])

    def destroy(self, client: Any, path: str) -> int:
        entry = self.entry(client, path)
        if entry is None or not entry.current:
            raise not_found(path)
        client.secrets.kv.v2.destroy_secret_versions(
            path=self._prefix + path,
            versions=list(range(entry.versions[0], entry.last + 1)),
            mount_point=self._mount,
        )
        return entry.current


def _entry(metadata: dict[str, Any]) -> VaultEntry:
    now = datetime.now(UTC)
    alive = sorted(
        int(number)
        for number, each in metadata["versions"].items()
        if not each["destroyed"]
        and not (each["deletion_time"] and datetime.fromisoformat(each["deletion_time"]) <= now)
    )
    last = int(metadata["current_version"])
    updated_at = int(datetime.fromisoformat(metadata["updated_time"]).timestamp() * 1000)
    return VaultEntry(updated_at, tuple(alive) if last in alive else (), last)


def _fields(value: bytes) -> dict[str, str]:
    try:
        return {"value": value.decode()}
    except UnicodeDecodeError:
        return {"value": base64.b64encode(value).decode(), "encoding": "base64"}


def _value(fields: dict[str, Any]) -> bytes | None:
    value = fields.get("value")
    if not isinstance(value, str) or not value:
        return None
    if fields.get("encoding") != "base64":
        return value.encode()
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
