"""Provider keys: fetched from secrets-service, cached, and replaced within seconds of a rotation.

The key of provider NAME is the secret ``llm/NAME/api_key``; the configuration's ``api_key`` is used while there is
none. A secrets-service that goes away does not take the keys with it: the last ones known are used on.

A rotation does not reach the provider and this process in the same instant. So while a rotation's overlap lasts, a key
that the provider refuses is followed by the one before it; and a refused key is asked for anew, since it may have been
replaced just now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from llm_platform.core import metrics
from llm_platform.core.config import Provider
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.core.redaction import Secret
from llm_platform.proto import secrets_pb2
from llm_platform.secrets_service.interfaces import Secrets

_log = get_logger("model_proxy.keys")

REFUSED_SECONDS = 10.0
"""How long a key that the provider refused is only used when there is no other."""

_PREFIX = "llm/"
_RETRY_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 4.0
_FIRST_FETCH_SECONDS = 2.0
_LOOK_SECONDS = 1.0
"""How long a refused call waits for a newer key at most; and how often one is asked for."""


class _Stored(NamedTuple):
    version: int
    value: Secret[str]
    valid_until: float
    """Unix seconds."""


class ProviderKey:
    """The key of one provider, as it is now."""

    def __init__(
        self, provider: str, configured: str | None, fetch: Callable[[ProviderKey], Awaitable[None]] | None = None
    ) -> None:
        self.provider = provider
        self.path = f"{_PREFIX}{provider}/api_key"
        self.configured = _usable(configured)
        self._fetch = fetch
        self._stored: list[_Stored] = []
        self._refused: dict[Secret[str], float] = {}
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self.known = False
        """Whether secrets-service has been asked; until then a missing key may only be unknown."""

    @property
    def current(self) -> Secret[str] | None:
        """The newest that the provider did not refuse just now; or else the newest."""
        if not self._refused:
            return self._stored[0].value if self._stored else self.configured
        return next(iter(self._candidates()), None)

    def store(self, secret: secrets_pb2.Secret | None) -> None:
        """None: there is none."""
        self.known = True
        found = [] if secret is None else [_stored(secret.version, secret.value, float("inf"))]
        if secret is not None:
            found += [_stored(each.version, each.value, _seconds(each.valid_until)) for each in secret.overlapping]
        self._stored = [each for each in found if each is not None]

    async def another(self, refused: Collection[Secret[str]], used: Secret[str]) -> Secret[str] | None:
        """After the provider refused ``used``: one that it has not refused to this call. None when there is none."""
        if used not in self._refused:
            _log.warning("the provider refuses a key", provider=self.provider, path=self.path, version=self._of(used))
        self._refused[used] = time.monotonic() + REFUSED_SECONDS
        other = self._other(refused)
        if other is None:
            await self._look_again()
            other = self._other(refused)
        if other is not None:
            metrics.provider_key_fallbacks.labels(self.provider).inc()
        return other

    def _other(self, refused: Collection[Secret[str]]) -> Secret[str] | None:
        return next((each for each in self._candidates() if each not in refused), None)

    def _candidates(self) -> list[Secret[str]]:
        """Newest first, but the refused after all others."""
        now = time.monotonic()
        self._refused = {key: until for key, until in self._refused.items() if until > now}
        wall = time.time()
        stored = [each.value for each in self._stored if each.valid_until > wall]
        candidates = stored or ([self.configured] if self.configured else [])
        return sorted(candidates, key=lambda each: each in self._refused)

    async def _look_again(self) -> None:
        async with self._looking:
            if self._fetch is None or time.monotonic() - self._looked_at < _LOOK_SECONDS:
                return
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._fetch(self)
            except (PlatformError, TimeoutError, OSError) as error:
                _log.warning("a newer key could not be asked for", path=self.path, reason=str(error))
            finally:
                self._looked_at = time.monotonic()

    def _of(self, key: Secret[str]) -> int:
        """Its version; 0: the configured one."""
        return next((each.version for each in self._stored if each.value == key), 0)


class ProviderKeys:
    """Keeps the keys of all providers fresh while ``run`` runs."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._by_path: dict[str, ProviderKey] = {}
        self._failing = False

    def of(self, provider: str, settings: Provider) -> ProviderKey:
        """The one that is kept already, unless its configured value has changed; a new one is not yet kept."""
        configured = settings.api_key.get_secret_value() if settings.api_key else None
        key = ProviderKey(provider, configured, self._fetch)
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
        """Follows the changes until cancelled. After a break everything is fetched again: it may have changed.

        Who cannot be followed is tried less and less often.
        """
        pause = _RETRY_SECONDS
        while True:
            began = time.monotonic()
            try:
                await self._follow()
            except (PlatformError, OSError) as error:
                self._report(error)
            lasted = time.monotonic() - began > _LONGEST_RETRY_SECONDS
            pause = _RETRY_SECONDS if lasted else min(pause * 2, _LONGEST_RETRY_SECONDS)
            await asyncio.sleep(pause)

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
            secret = await self._secrets.get(secrets_pb2.GetSecretRequest(path=key.path, with_overlap=True))
        except PlatformError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            key.store(None)
        else:
            key.store(secret)

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


def _stored(version: int, value: bytes, valid_until: float) -> _Stored | None:
    usable = _usable(value.decode("utf-8", "replace"))
    return _Stored(version, usable, valid_until) if usable is not None else None


def _seconds(text: str) -> float:
    """Unix seconds of an RFC 3339 time."""
    return datetime.fromisoformat(text).timestamp()
