"""Secrets in a KV engine, version 2, of Vault or OpenBao.

A secret is the field ``value``, where ``vault kv put`` and its like write it too; what is no UTF-8 text is kept in
base64, with the field ``encoding``. Deleting destroys versions and leaves the metadata, so that numbers never come
back; disabling is Vault's own deletion, which can be undone. The newest version deleted by other means counts as
disabled too: an older value is not brought back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from llm_platform.core.config import Vault
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.secrets_service.info import Change, Info
from llm_platform.secrets_service.interfaces import Found
from llm_platform.secrets_service.vault.cache import VaultCache
from llm_platform.secrets_service.vault.engine import Engine
from llm_platform.secrets_service.vault.session import (
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

Result = TypeVar("Result")

log = get_logger("secrets-service")


class VaultStore:
    """Every call ends within ``vault.timeout``, whatever Vault does. Values read before outlive Vault for a while."""

    def __init__(
        self,
        settings: Vault,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        back: Callable[[], None] = lambda: None,
    ) -> None:
        """Does not connect. ``back`` is told when Vault serves again. Raises UnusableAuthorityError."""
        self._kv = Engine(settings, wall)
        self._session = VaultSession(settings, THREADS)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="vault")
        self._walkers = asyncio.Semaphore(WALKERS)
        self._seconds = settings.timeout / 1000
        self._clock = clock
        self._wall = wall
        self.back = back
        self._cache = VaultCache(settings.cache_seconds, clock, wall)
        self._entries: Mapping[str, Info] = {}
        self._away: VaultAwayError | None = None
        self._away_until = 0.0
        self._reason = ""
        self._may_retire = True

    def close(self) -> None:
        """Ends the threads after the calls they are in."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    async def check(self) -> None:
        """Raises UNAVAILABLE or PERMISSION_DENIED with the reason."""
        await self._call(lambda client: self._kv.folder(client, ""), min(CHECK_SECONDS, self._seconds))

    async def entries(self) -> Mapping[str, Info]:
        """All paths that there are below the prefix. What a rotation replaced is disabled when its time is over."""
        began = self._clock()
        entries: dict[str, Info] = {}
        try:
            async with asyncio.timeout(self._seconds):
                await self._walk("", entries)
        except TimeoutError:
            raise unanswered(self._seconds) from None
        self._cache.confirm(entries, began)
        if entries != self._entries:
            self._entries = entries
        await self._retire_overdue(entries)
        return self._entries

    async def get(self, path: str, version: int = 0) -> Found:
        """The newest for version 0; the last known while Vault is away. Raises NOT_FOUND."""
        try:
            found = await self._call(lambda client: self._kv.read(client, path, version))
        except VaultAwayError:
            if (known := self._cache.known(path, version)) is None:
                raise
            return known
        except PlatformError:
            if version == 0:
                self._cache.forget(path)
            raise
        self._cache.remember(path, found, newest=version == 0)
        return found

    async def put(
        self, path: str, value: bytes, expected_version: int | None = None, *, by: str = "", overlap: int | None = None
    ) -> int:
        """Adds a version and returns its number. Raises CONFLICT."""
        version = await self._write(
            lambda client: self._kv.write(client, path, value, expected_version, by, overlap)
        )  # fmt: skip
        self._cache.remember(path, Found(version, value), newest=True)
        return version

    async def describe(self, path: str, change: Change, by: str) -> int:
        return await self._write(lambda client: self._kv.describe(client, path, change, by))

    async def delete(self, path: str, version: int = 0, *, by: str = "") -> int:  # noqa: ARG002 - Vault keeps no author of it
        """Destroys a version, every one for 0; returns its number or the newest's. Raises NOT_FOUND."""
        number = await self._write(lambda client: self._kv.destroy(client, path, version))
        self._cache.forget(path)
        return number

    async def disable(self, path: str, version: int, by: str) -> int:
        number = await self._write(lambda client: self._kv.disable(client, path, version, by))
        self._cache.forget(path)
        return number

    async def enable(self, path: str, version: int, by: str) -> int:
        return await self._write(lambda client: self._kv.enable(client, path, version, by))

    async def _walk(self, folder: str, entries: dict[str, Info]) -> None:
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

    async def _retire_overdue(self, entries: Mapping[str, Info]) -> None:
        """Vault itself is to refuse them as well. Until it does we do: ``Engine.read``."""
        now = int(self._wall() * 1000)
        for path, info in entries.items():
            overdue = [
                number
                for number, each in info.versions.items()
                if number != info.last and not each.deleted and 0 < each.valid_until <= now
            ]
            if not overdue:
                continue
            try:
                await self._call(lambda client, path=path, overdue=overdue: self._kv.retire(client, path, overdue))  # type: ignore[misc]
                self._may_retire = True
            except PlatformError as error:
                if self._may_retire:
                    log.warning("replaced versions cannot be deleted in Vault", reason=error.message)
                self._may_retire = False
                return

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
            self.back()
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
