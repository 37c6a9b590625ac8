"""The embedded store as a Store: the encrypted file, read and written in the disk's thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.secrets_service.disk import Disk
from llm_platform.secrets_service.encrypted_file import Entry, UnusableStoreError
from llm_platform.secrets_service.interfaces import Found
from llm_platform.secrets_service.store import SecretStore

Result = TypeVar("Result")

log = get_logger("secrets-service")


class EmbeddedStore:
    """A file that cannot be used is UNAVAILABLE; the log says why."""

    def __init__(self, store: SecretStore, disk: Disk) -> None:
        self._store = store
        self._disk = disk
        self._reason = ""

    async def entries(self) -> Mapping[str, Entry]:
        return await self._available(self._store.entries)

    async def get(self, path: str, version: int = 0) -> Found:
        return Found(*await self._available(lambda: self._store.get(path, version)))

    async def put(self, path: str, value: bytes, expected_version: int | None = None) -> int:
        return await self._available(lambda: self._store.put(path, value, expected_version))

    async def delete(self, path: str) -> int:
        return await self._available(lambda: self._store.delete(path))

    async def check(self) -> None:
        await self.entries()

    async def _available(self, work: Callable[[], Result]) -> Result:
        try:
            result = await self._disk(work)
        except UnusableStoreError as error:
            if str(error) != self._reason:  # once: it is looked at all the time
                self._reason = str(error)
                log.error("the store cannot be used", reason=self._reason)
            raise PlatformError(
                Code.UNAVAILABLE,
                "The store of secrets cannot be used; the log of secrets-service says why.",
                retry_after=5,
            ) from error
        self._reason = ""
        return result
