"""The database of the revisions: SQLite in the data folder, or PostgreSQL (``stores.routing_url``).

head must start while that server is away, since its rules are known from before: it is opened as soon as it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llm_platform.core.config import Config
from llm_platform.core.database import UnusableDatabaseError, migrate_apart, open_database, sqlite_url
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.lifecycle import in_background
from llm_platform.core.logging import get_logger
from llm_platform.head.store.revisions import Revisions

START_SECONDS = 3.0
"""How long a start waits for the server."""
AGAIN_SECONDS = 5.0
"""How often one is tried that was reached and could not be used."""
CONNECTIONS = 2
_MIGRATIONS = "llm_platform.head.migrations"

log = get_logger("head.store")


class RuleStore:
    """Gives the revisions once their database is open."""

    def __init__(self, revisions: Revisions | None = None) -> None:
        self._revisions = revisions
        self._settled = asyncio.Event()
        self.refused: UnusableDatabaseError | None = None

    @property
    def revisions(self) -> Revisions:
        """Raises UNAVAILABLE."""
        if self._revisions is None:
            why = "cannot be used" if self.refused else "has not been reached yet"
            raise PlatformError(Code.UNAVAILABLE, f"The database of the routing rules {why}.", retry_after=5)
        return self._revisions

    async def settled(self) -> None:
        """Returns when it is open, or has been refused once."""
        await self._settled.wait()

    async def stay_open(self, url: str) -> None:
        """Opens it as soon as it can be; runs until cancelled."""
        while True:
            try:
                await migrate_apart(url, _MIGRATIONS)
                async with open_database(url, _MIGRATIONS, connections=CONNECTIONS) as engine:
                    self._revisions = Revisions(engine)
                    self.refused = None
                    self._settled.set()
                    await asyncio.Event().wait()
            except UnusableDatabaseError as error:
                self.refused = error
                self._settled.set()
                log.error("the database of the routing rules cannot be used", reason=str(error))
                await asyncio.sleep(AGAIN_SECONDS)


@asynccontextmanager
async def open_store(config: Config) -> AsyncIterator[RuleStore]:
    """Raises UnusableDatabaseError, but not for a server that is only away."""
    url = config.stores.routing_url
    if url is None:
        async with open_database(_embedded(config), _MIGRATIONS) as engine:
            yield RuleStore(Revisions(engine))
        return
    store = RuleStore()
    async with in_background(store.stay_open(url), "database of the routing rules"):
        try:
            async with asyncio.timeout(START_SECONDS):
                await store.settled()
        except TimeoutError:
            log.warning("the database of the routing rules cannot be reached, the rules last known are in force")
        if store.refused is not None:
            raise store.refused
        yield store


async def prepare(config: Config) -> None:
    """Does, in a process that ends again, what would leave much in memory: for ``open_store``."""
    if config.stores.routing_url is None:
        await migrate_apart(_embedded(config), _MIGRATIONS)


def _embedded(config: Config) -> str:
    return sqlite_url(config.service.data_dir / "routing.sqlite")
