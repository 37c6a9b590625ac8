"""The providers that are served: those that head applied last, until then the configuration file's.

They are made at the start, and anew when others are applied or a reload finds them changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from llm_platform.core import config
from llm_platform.core.config.document import ConfigError
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.core.routing_document import applied as applied_document
from llm_platform.core.routing_document import understood
from llm_platform.http.client.client import HttpClient
from llm_platform.model_proxy.echo import Echo
from llm_platform.model_proxy.kept import AppliedRules, Kept
from llm_platform.model_proxy.keys import ProviderKey, ProviderKeys
from llm_platform.model_proxy.openai_compatible import OpenAICompatible
from llm_platform.model_proxy.provider import Provider
from llm_platform.model_proxy.providers import Serving
from llm_platform.model_proxy.retry import RetryPolicy
from llm_platform.proto.rules_pb2 import ProviderDefinition, RoutingDocument

log = get_logger("model_proxy.definitions")


KEY_SECONDS = 1.0
"""How long an application waits for the keys of new providers."""
LEAVING_SECONDS = 3.0
"""How long a provider that is gone or disabled by an application still takes calls: so long a head may know it. What
head decides by has changed by then, so nobody meets the end of it."""


class Definitions:
    """``servings`` is what is served now, by name."""

    def __init__(
        self,
        settings: config.Config,
        keys: ProviderKeys,
        client: HttpClient,
        reread: Callable[[], config.Config] | None = None,
        kept: Kept | None = None,
    ) -> None:
        """``reread`` gives the configuration as it is now, ``kept`` what was applied last. Raises ``PlatformError``
        for what cannot be served."""
        self._version = settings.service.version
        self._keys = keys
        self._client = client
        self._reread = reread or (lambda: settings)
        self._changing = asyncio.Lock()
        self._file = settings
        self._kept = kept
        self._leaving: asyncio.TimerHandle | None = None
        self.applied = kept.read() if kept is not None else None
        self.servings: dict[str, Serving] = {}
        self._serve(self._made(self._defined(self.applied)))

    async def reload(self) -> None:
        """Reads definitions and keys again. All of it takes effect, or nothing; open calls end as they began.

        A provider that is gone stays listed as disabled, so that head stops choosing it. Raises ``PlatformError``:
        INVALID_REQUEST when the configuration is refused, UNAVAILABLE when the keys cannot be had.
        """
        async with self._changing:
            file = await self._read()
            before, self._file = self._file, file
            try:
                made = self._made(self._defined(self.applied))
                await self._keys.fetch(_keys_of(made))
            except BaseException:
                self._file = before
                raise
            gone = self.servings.keys() - made.keys()
            self._tell("the providers were read again", made)
            if self.applied is not None:
                log.info("the file's definitions are not looked at: head's are served", revision=self.applied.number)
            self._serve(made | {name: _disabled(self.servings[name]) for name in gone})
            for serving in made.values():
                serving.health.reset()

    async def apply(self, rules: AppliedRules | None, before: tuple[int, str]) -> None:
        """Serves ``rules`` (None: the configuration file's), also after a restart. What has not changed goes on as it
        is, with its key and its health.

        Raises CONFLICT when not ``before`` (number, digest) is served now, INVALID_REQUEST when it cannot be served.
        """
        async with self._changing:
            if self.serves != before:
                raise PlatformError(Code.CONFLICT, "Other definitions are served than those to be replaced.")
            made = self._made(self._defined(rules))
            await self._fetch_new(made)
            self._tell("definitions were applied", made)
            leaving = {
                name: serving
                for name, serving in self.servings.items()
                if serving.enabled and not (name in made and made[name].enabled)
            }
            self._serve(made | leaving)
            self._leaving = asyncio.get_running_loop().call_later(LEAVING_SECONDS, self._serve, made)
            self.applied = rules
            if self._kept is not None:
                await asyncio.to_thread(self._kept.write, rules)

    @property
    def serves(self) -> tuple[int, str]:
        """Number and digest of head's revision; (0, ""): the configuration file's."""
        return (self.applied.number, self.applied.digest) if self.applied is not None else (0, "")

    def definition(self, given: ProviderDefinition) -> config.Provider:
        """One that is not served, with the configured key of its name. Raises INVALID_REQUEST."""
        document = RoutingDocument(providers=[given])
        alone = self._file.model_copy(update={"routing": config.Routing()})
        return self._with_key(given.name, applied_document(document, alone).providers[given.name])

    def close(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()

    def _defined(self, rules: AppliedRules | None) -> dict[str, config.Provider]:
        if rules is None:
            return self._file.providers
        defined, left_out = understood(rules.document, self._file)
        if left_out:
            log.warning("this release does not understand these providers", providers=left_out)
        return {name: self._with_key(name, each) for name, each in defined.providers.items()}

    def _with_key(self, name: str, definition: config.Provider) -> config.Provider:
        """Documents hold no keys; one of the file still serves the provider of that name."""
        known = self._file.providers.get(name)
        return definition if known is None else definition.model_copy(update={"api_key": known.api_key})

    async def _fetch_new(self, made: dict[str, Serving]) -> None:
        """Keys that cannot be had now come later: whoever is without one takes no calls."""
        new = [key for key in _keys_of(made) if not key.known]
        try:
            async with asyncio.timeout(KEY_SECONDS):
                await self._keys.fetch(new)
        except (PlatformError, TimeoutError, OSError) as error:
            log.warning("the keys of new providers cannot be fetched yet", reason=str(error) or "timeout")

    def _tell(self, what: str, made: dict[str, Serving]) -> None:
        log.info(
            what,
            new=sorted(made.keys() - self.servings.keys()),
            changed=sorted(name for name, known in self.servings.items() if name in made and made[name] is not known),
            gone=sorted(self.servings.keys() - made.keys()),
        )

    async def _read(self) -> config.Config:
        try:
            return await asyncio.to_thread(self._reread)
        except ConfigError as error:
            raise PlatformError(Code.INVALID_REQUEST, f"The configuration is refused: {error}") from error

    def _made(self, defined: dict[str, config.Provider]) -> dict[str, Serving]:
        """What has not changed stays what it is, with its key and its health."""
        return {
            name: known
            if (known := self.servings.get(name)) and known.settings == definition
            else self._serving(name, definition)
            for name, definition in defined.items()
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
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        self._keys.follow(_keys_of(servings))
        self.servings.clear()
        self.servings.update(servings)


def _keys_of(servings: dict[str, Serving]) -> list[ProviderKey]:
    return [serving.key for serving in servings.values() if serving.key is not None]


def _disabled(serving: Serving) -> Serving:
    return replace(serving, enabled=False, settings=serving.settings.model_copy(update={"enabled": False}))
