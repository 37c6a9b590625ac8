"""The rules in force: the newest revision, or the configuration file's until there is one.

A revision takes effect in two steps, so that no call meets a provider that is not there yet: first every replica of
model-proxy that can be reached is given its definitions, then decisions follow it. What a replica does not have is
not chosen while it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llm_platform.core.config import Config, Provider
from llm_platform.core.errors import PlatformError
from llm_platform.core.lifecycle import in_background
from llm_platform.core.logging import get_logger
from llm_platform.core.poller import Poller
from llm_platform.core.routing_document import applied, understood
from llm_platform.head.engine import Rules
from llm_platform.head.rules import DailyRules
from llm_platform.head.store.database import RuleStore
from llm_platform.head.store.kept import Kept
from llm_platform.head.store.replicas import Replicas, rules_of
from llm_platform.head.store.revisions import Revision
from llm_platform.proto.rules_pb2 import RoutingDocument

LOOK_SECONDS = 1.0
"""How often the store is looked at, and whether the replicas serve what they are to."""
UNUSED_LOOK_SECONDS = 10.0
"""The same while nothing is stored: a replica may still serve what was."""

log = get_logger("head.rules")


class RulesInForce:
    """Called, it gives the rules of now, from memory."""

    def __init__(
        self,
        config: Config,
        store: RuleStore,
        replicas: Replicas,
        kept: Kept | None = None,
        known: Revision | None = None,
    ) -> None:
        """``kept`` takes each revision, where the store may be away at a start; ``known`` is what it held."""
        self._file = config
        self._store = store
        self._replicas = replicas
        self._kept = kept
        self._before = known
        self._daily = DailyRules(config)
        self._taking = asyncio.Lock()
        self._known = False
        self._lost = False
        self._config = config
        self._taken = config
        self._served: frozenset[str] | None = None
        self._apis: dict[str, str] = {}
        self._left_out: list[str] = []
        self.revision: Revision | None = None
        self._poller = Poller("the store of routing rules", self.look, (PlatformError,), LOOK_SECONDS)

    def __call__(self) -> Rules:
        return self._daily()

    def api_of(self, provider: str) -> str:
        """``echo`` or the base URL of a definition that the configuration file does not have so; else empty."""
        return self._apis.get(provider, "")

    def of(self, document: RoutingDocument) -> Rules:
        """What the rules would be. Raises INVALID_REQUEST for those that could not be put."""
        return self._daily.of(applied(document, self._file))

    def all(self) -> tuple[Rules, list[str]]:
        """The rules in force with the providers that calls are not given out to yet, and these providers."""
        missing = [] if self._served is None else [name for name in self._config.providers if name not in self._served]
        return self._daily.of(self._config), missing

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Begins with the newest revision, or else the one known last; follows the store until left."""
        if self._store.absent:
            self._known = True
            yield
            return
        if self._before is not None:
            await self.take(self._before)
        try:
            await self.look()
        except PlatformError as error:
            log.warning("the store of routing rules cannot be read", reason=error.message)
        async with self._poller.running(), in_background(self._keep_applied(), "definitions of model-proxy"):
            yield

    def problem(self) -> str | None:
        """For readiness: why the rules in force may not be the newest, or are not so everywhere."""
        problems = []
        if self._poller.failing or not (self._known or self._lost):
            problems.append("the database of the routing rules cannot be used, the last known rules are in force")
        if self._lost:
            problems.append("the database of the routing rules is empty, the last known rules are in force")
        if self._left_out:
            problems.append(f"this release does not understand the providers {', '.join(self._left_out)}")
        if self._known and (behind := self._replicas.problem(self.revision)):
            problems.append(behind)
        return "; ".join(problems) or None

    async def look(self) -> None:
        """Takes the newest revision if it is another. Raises UNAVAILABLE."""
        revisions = self._store.revisions
        number = await revisions.newest_number()
        self._lost = number == 0 and self.revision is not None
        if self._lost:
            return  # a database that was made anew is no reason to lose every provider
        if self._known and number == rules_of(self.revision)[0]:
            return
        newest = await revisions.newest() if number else None
        self._known = True
        await self.take(newest)

    async def take(self, revision: Revision | None) -> None:
        """Puts it in force: at model-proxy, then here."""
        async with self._taking:
            if rules_of(revision) == rules_of(self.revision):
                return
            config, left_out = (self._file, []) if revision is None else understood(revision.document, self._file)
            await self._replicas.look()
            if self._known:
                await self._replicas.apply(revision)
            self.revision, self._config, self._left_out = revision, config, left_out
            of_file = {name: _api(each) for name, each in self._file.providers.items()}
            self._apis = {
                name: api for name, each in config.providers.items() if (api := _api(each)) != of_file.get(name)
            }
            self._follow_replicas()
            number, digest = rules_of(revision)
            log.info("routing rules are in force", number=number, digest=digest[:12], left_out=left_out)
            if self._kept is not None:
                await asyncio.to_thread(self._kept.write, revision)

    def _follow_replicas(self) -> None:
        """Without a revision everybody has the file, as far as anybody knows."""
        served = (self._replicas.providers() or self._served) if self.revision is not None else None
        if served != self._served or self._config is not self._taken:
            self._served, self._taken = served, self._config
            self._daily.take(self._config, served)

    async def _keep_applied(self) -> None:
        """A replica that starts may serve others; one that could not be given them may take them now."""
        while True:
            await self._replicas.look()
            if self._known and self._replicas.others(rules_of(self.revision)):
                await self._apply_again()
            if self.revision is not None:
                self._follow_replicas()
            await asyncio.sleep(LOOK_SECONDS if self.revision is not None else UNUSED_LOOK_SECONDS)

    async def _apply_again(self) -> None:
        """Another head may have been faster here: what a replica serves is replaced by what the store says now."""
        try:
            await self.look()
        except PlatformError:
            return
        async with self._taking:
            await self._replicas.apply(self.revision)


def _api(provider: Provider) -> str:
    return "echo" if provider.type == "echo" else provider.base_url
