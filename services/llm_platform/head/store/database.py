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

START_SECONDS = 10.0
"""How long a start waits for the server."""
KNOWING_START_SECONDS = 2.0
"""The same where the rules are known from before."""
AGAIN_SECONDS = 5.0
"""How often one is tried that was reached and could not be used."""
CONNECTIONS = 2
NONE = "none"
"""In place of a URL: heads of several hosts that share no database keep no rules of their own."""
_MIGRATIONS = "llm_platform.head.migrations"

log = get_logger("head.store")


class RuleStore:
    """Gives the revisions once their database is open."""

    def __init__(self, revisions: Revisions | None = None, *, absent: bool = False) -> None:
        """``absent``: there is none, and the configuration file is in force."""
        self._revisions = revisions
        self.absent = absent
        self._settled = asyncio.Event()
        self.refused: UnusableDatabaseError | None = None

    @property
    def revisions(self) -> Revisions:
        """Raises UNAVAILABLE."""
        if self.absent:
            why = "Rules are the configuration file's here: heads on several hosts need one database for others"
            raise PlatformError(Code.UNAVAILABLE, f"{why} (stores.routing_url).")
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
async def open_store(config: Config, start_seconds: float = START_SECONDS) -> AsyncIterator[RuleStore]:
    """Raises UnusableDatabaseError, but not for a server that is only away: after ``start_seconds`` it may still be."""
    url = database_url(config)
    if url == NONE:
        yield RuleStore(absent=True)
        return
    if not is_server(config):
        async with open_database(url, _MIGRATIONS) as engine:
            yield RuleStore(Revisions(engine))
        return
    store = RuleStore()
    async with in_background(store.stay_open(url), "database of the routing rules"):
        try:
            async with asyncio.timeout(start_seconds):
                await store.settled()
        except TimeoutError:
            log.warning("the database of the routing rules cannot be reached, the rules last known are in force")
        if store.refused is not None:
            raise store.refused
        yield store


async def prepare(config: Config) -> None:
    """Does, in a process that ends again, what would leave much in memory: for ``open_store``."""
    if not is_server(config) and database_url(config) != NONE:
        await migrate_apart(database_url(config), _MIGRATIONS)


def database_url(config: Config) -> str:
    return config.stores.routing_url or sqlite_url(config.service.data_dir / "routing.sqlite")


def is_server(config: Config) -> bool:
    """Whether it may be away while head runs; a file never is."""
    return not database_url(config).startswith(("sqlite", NONE))
