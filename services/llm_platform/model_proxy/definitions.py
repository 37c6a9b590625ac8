"""The providers that the configuration defines: made at the start, and anew when a reload finds them changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from llm_platform.core import config
from llm_platform.core.config.document import ConfigError
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.http.client.client import HttpClient
from llm_platform.model_proxy.echo import Echo
from llm_platform.model_proxy.keys import ProviderKey, ProviderKeys
from llm_platform.model_proxy.openai_compatible import OpenAICompatible
from llm_platform.model_proxy.provider import Provider
from llm_platform.model_proxy.providers import Serving
from llm_platform.model_proxy.retry import RetryPolicy

log = get_logger("model_proxy.definitions")


class Definitions:
    """``servings`` is what is served now, by name."""

    def __init__(
        self,
        settings: config.Config,
        keys: ProviderKeys,
        client: HttpClient,
        reread: Callable[[], config.Config] | None = None,
    ) -> None:
        """``reread`` gives the configuration as it is now. Raises ``PlatformError`` for one that cannot be served."""
        self._version = settings.service.version
        self._keys = keys
        self._client = client
        self._reread = reread or (lambda: settings)
        self._reloading = asyncio.Lock()
        self.servings: dict[str, Serving] = {}
        self._serve(self._made(settings))

    async def reload(self) -> None:
        """Reads definitions and keys again. All of it takes effect, or nothing; open calls end as they began.

        A provider that is gone stays listed as disabled, so that head stops choosing it. Raises ``PlatformError``:
        INVALID_REQUEST when the configuration is refused, UNAVAILABLE when the keys cannot be had.
        """
        async with self._reloading:
            made = self._made(await self._read())
            await self._keys.fetch(_keys_of(made))
            gone = self.servings.keys() - made.keys()
            log.info(
                "the providers were read again",
                new=sorted(made.keys() - self.servings.keys()),
                changed=sorted(
                    name for name, known in self.servings.items() if name in made and made[name] is not known
                ),
                gone=sorted(gone),
            )
            self._serve(made | {name: _disabled(self.servings[name]) for name in gone})
            for serving in made.values():
                serving.health.reset()

    async def _read(self) -> config.Config:
        try:
            return await asyncio.to_thread(self._reread)
        except ConfigError as error:
            raise PlatformError(Code.INVALID_REQUEST, f"The configuration is refused: {error}") from error

    def _made(self, settings: config.Config) -> dict[str, Serving]:
        """What has not changed stays what it is, with its key and its health."""
        return {
            name: known
            if (known := self.servings.get(name)) and known.settings == definition
            else self._serving(name, definition)
            for name, definition in settings.providers.items()
        }

    def _serving(self, name: str, definition: config.Provider) -> Serving:
        provider: Provider
        key = None
        if definition.type == "echo":
            provider = Echo(name, definition)
        else:
            key = self._keys.of(name, definition)
            try:
                provider = OpenAICompatible(name, definition, key, self._client, version=self._version)
            except ValueError as error:
                raise PlatformError(Code.INVALID_REQUEST, f"providers.{name}.base_url {error}.") from None
        return Serving(
            provider,
            definition,
            key,
            RetryPolicy(definition.retry_count),
            definition.timeout / 1000,
            enabled=definition.enabled,
        )

    def _serve(self, servings: dict[str, Serving]) -> None:
        self._keys.follow(_keys_of(servings))
        self.servings.clear()
        self.servings.update(servings)


def _keys_of(servings: dict[str, Serving]) -> list[ProviderKey]:
    return [serving.key for serving in servings.values() if serving.key is not None]


def _disabled(serving: Serving) -> Serving:
    return replace(serving, enabled=False, settings=serving.settings.model_copy(update={"enabled": False}))
