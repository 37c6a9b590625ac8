"""Provider keys: fetched from secrets-service, cached, and replaced within seconds of a rotation.

The key of provider NAME is the secret ``llm/NAME/api_key``; the configuration's ``api_key`` is used while there is
none. A secrets-service that goes away does not take the keys with it: the last ones known are used on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from llm_platform.core.config import Provider
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.core.redaction import Secret
from llm_platform.proto import secrets_pb2
from llm_platform.secrets_service.interfaces import Secrets

_log = get_logger("model_proxy.keys")

_PREFIX = "llm/"
_RETRY_SECONDS = 1.0
_FIRST_FETCH_SECONDS = 2.0


class ProviderKey:
    """The key of one provider, as it is now."""

    def __init__(self, provider: str, configured: str | None) -> None:
        self.path = f"{_PREFIX}{provider}/api_key"
        self.configured = _usable(configured)
        self._stored: Secret[str] | None = None
        self.known = False
        """Whether secrets-service has been asked; until then a missing key may only be unknown."""

    @property
    def current(self) -> Secret[str] | None:
        return self._stored or self.configured

    def store(self, value: bytes | None) -> None:
        self.known = True
        self._stored = _usable(value.decode("utf-8", "replace")) if value is not None else None


class ProviderKeys:
    """Keeps the keys of all providers fresh while ``run`` runs."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._by_path: dict[str, ProviderKey] = {}
        self._failing = False

    def of(self, provider: str, settings: Provider) -> ProviderKey:
        """The one that is kept already, unless its configured value has changed; a new one is not yet kept."""
        key = ProviderKey(provider, settings.api_key.get_secret_value() if settings.api_key else None)
        known = self._by_path.get(key.path)
        return known if known and known.configured == key.configured else key

    def follow(self, keys: Iterable[ProviderKey]) -> None:
        """Keeps these, and no others."""
        self._by_path = {key.path: key for key in keys}

    async def fetch_first(self) -> None:
        """Fetches all keys, without holding the start up for long when secrets-service is away."""
        try:
            async with asyncio.timeout(_FIRST_FETCH_SECONDS):
                await self.refresh()
        except (PlatformError, TimeoutError, OSError) as error:
            self._report(error)

    async def refresh(self) -> None:
        """Fetches all keys again. Raises ``PlatformError`` when secrets-service cannot be reached."""
        await self.fetch(list(self._by_path.values()))

    async def fetch(self, keys: Iterable[ProviderKey]) -> None:
        """Like ``refresh``, also for keys that are not kept yet."""
        for key in keys:
            await self._fetch(key)
        self._failing = False

    async def run(self) -> None:
        """Follows the changes until cancelled. After a break everything is fetched again: it may have changed."""
        while True:
            try:
                await self._follow()
            except (PlatformError, OSError) as error:
                self._report(error)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(self) -> None:
        changes = self._secrets.watch(secrets_pb2.ListSecretsRequest(prefix=_PREFIX)).__aiter__()
        # The watch is open before the keys are fetched, so that no change falls between the two.
        change = asyncio.ensure_future(anext(changes, None))
        try:
            await asyncio.sleep(0)
            await self.refresh()
            while (info := await change) is not None:
                change = asyncio.ensure_future(anext(changes, None))
                if key := self._by_path.get(info.path):
                    await self._fetch(key)
                    _log.info("a provider's key has changed", path=info.path, version=info.current_version)
        finally:
            change.cancel()
            await asyncio.gather(change, return_exceptions=True)

    async def _fetch(self, key: ProviderKey) -> None:
        try:
            secret = await self._secrets.get(secrets_pb2.GetSecretRequest(path=key.path))
        except PlatformError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            key.store(None)
        else:
            key.store(secret.value)

    def _report(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            _log.warning("secrets-service cannot be asked; known keys are used on", reason=str(error))


def _usable(value: str | None) -> Secret[str] | None:
    """A key as it may stand in a header; None for one that may not, or is empty."""
    stripped = (value or "").strip()
    if not stripped.isascii() or not stripped.isprintable() or not stripped:
        return None
    return Secret(stripped)
