"""The embedded store as a Store: the encrypted file, read and written in the disk's thread, and its seal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from llm_platform.core import metrics
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.key_file import UnusableKeyError
from llm_platform.core.logging import get_logger
from llm_platform.proto import secrets_pb2
from llm_platform.secrets_service.disk import Disk
from llm_platform.secrets_service.embedded.encrypted_file import UnusableStoreError
from llm_platform.secrets_service.embedded.keyring import ConfiguredKeys, KeyFiles, SealedError
from llm_platform.secrets_service.embedded.versions import SecretStore
from llm_platform.secrets_service.info import Change, Info
from llm_platform.secrets_service.interfaces import Found

Result = TypeVar("Result")

log = get_logger("secrets-service")


class EmbeddedStore:
    """A file that cannot be used is UNAVAILABLE; the log says why. So is a sealed one."""

    def __init__(self, path: Path, keys: ConfiguredKeys | KeyFiles, disk: Disk) -> None:
        self._path = path
        self._keys = keys
        self._disk = disk
        self._store: SecretStore | None = None
        self._reason = ""

    async def open(self) -> None:
        """Stays sealed when nobody has given the passphrase. Raises UnusableStoreError, UnusableKeyError."""
        try:
            await self._disk(self._opened)
        except SealedError as sealed:
            log.warning("the store of secrets is sealed", reason=sealed.message)

    async def entries(self) -> Mapping[str, Info]:
        return await self._available(lambda store: store.entries())

    async def get(self, path: str, version: int = 0) -> Found:
        return await self._available(lambda store: store.get(path, version))

    async def put(
        self, path: str, value: bytes, expected_version: int | None = None, *, by: str = "", overlap: int | None = None
    ) -> int:
        return await self._available(lambda store: store.put(path, value, expected_version, by=by, overlap=overlap))

    async def describe(self, path: str, change: Change, by: str) -> int:
        return await self._available(lambda store: store.describe(path, change, by))

    async def delete(self, path: str, version: int = 0, *, by: str = "") -> int:
        return await self._available(lambda store: store.delete(path, version, by))

    async def disable(self, path: str, version: int, by: str) -> int:
        return await self._available(lambda store: store.disable(path, version, by))

    async def enable(self, path: str, version: int, by: str) -> int:
        return await self._available(lambda store: store.enable(path, version, by))

    async def check(self) -> None:
        await self.entries()

    async def seal_status(self) -> secrets_pb2.SecretsSeal:
        status = secrets_pb2.SecretsSeal(
            store="embedded",
            passphrase=isinstance(self._keys, KeyFiles) and self._keys.has_passphrase,
            confirmable=self._keys.confirmable,
        )
        try:
            status.key_id = await self._available(lambda store: store.key_id)
        except SealedError:
            status.sealed = True
        return status

    async def seal(self, passphrase: bytes) -> None:
        """Forgets the key. ``passphrase`` is a new one, needed the first time. Raises INVALID_REQUEST, CONFLICT."""
        keys = self._key_files()
        if passphrase:
            await self._available(lambda store: store.locked_keys(lambda: keys.put_under(passphrase)))

        def seal() -> None:
            keys.seal()
            self._store = None

        await self._named(seal)
        log.warning("the store of secrets was sealed")

    async def unseal(self, passphrase: bytes, *, initialize: bool) -> None:
        """Raises PERMISSION_DENIED for a wrong passphrase, CONFLICT, INVALID_REQUEST, UNAVAILABLE."""
        keys = self._key_files()

        def unseal() -> None:
            keys.unseal(passphrase, initialize=initialize)
            self._opened()

        await self._named(unseal)
        log.info("the store of secrets is open")

    async def rotate_key(self) -> None:
        await self._available(lambda store: store.rotate_key())

    async def confirm_key(self) -> None:
        await self._available(lambda store: store.confirm_key())

    def _key_files(self) -> KeyFiles:
        if isinstance(self._keys, ConfiguredKeys):
            raise PlatformError(
                Code.INVALID_REQUEST,
                "The store's key comes from the configuration (stores.secrets_key or its file): whoever starts the "
                "service has it, so it cannot be sealed. Remove it there to have the store keep its key itself.",
            )
        return self._keys

    def _opened(self) -> SecretStore:
        if self._store is None:
            self._store = SecretStore(self._path, self._keys)
        return self._store

    async def _available(self, work: Callable[[SecretStore], Result]) -> Result:
        return await self._named(lambda: work(self._opened()))

    async def _named(self, work: Callable[[], Result]) -> Result:
        try:
            result = await self._disk(work)
        except SealedError:
            metrics.secrets_sealed.set(1)
            raise
        except (UnusableStoreError, UnusableKeyError) as error:
            if str(error) != self._reason:  # once: it is looked at all the time
                self._reason = str(error)
                log.error("the store cannot be used", reason=self._reason)
            raise PlatformError(
                Code.UNAVAILABLE,
                "The store of secrets cannot be used; the log of secrets-service says why.",
                retry_after=5,
            ) from error
        self._reason = ""
        metrics.secrets_sealed.set(self._store is None)
        return result
