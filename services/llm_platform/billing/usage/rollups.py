"""Keeps the roll-ups of usage up to date: an incremental job that any number of billing processes may run.

Sequence numbers are given before a transaction commits, so that a lower one may become visible after a higher one. Only
entries of some age are rolled up: by then every transaction that could hold a lower number has ended (it has
2 s, core/postgresql.py), also where the clocks of two hosts differ by most of a minute.
"""

from __future__ import annotations

import asyncio
import importlib
import random
from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, Executable, cast, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.billing.schema import entries
from llm_platform.billing.schema_derived import usage_progress, usage_rollups
from llm_platform.billing.usage.sums import COSTS, DIMENSIONS, GRAINS, MEASURES, measured, number
from llm_platform.core.database_failures import unavailable
from llm_platform.core.logging import get_logger

SETTLED_MICROSECONDS = 60_000_000
"""How old an entry is before it is rolled up."""
AT_ONCE = 5_000
"""Entries of one transaction: on SQLite nobody else writes during it."""

EVERY_SECONDS = 10.0
CATCHING_UP_SECONDS = 0.25

log = get_logger("billing.rollups")


class RollUps:
    """Raises SQLAlchemyError; what a transaction did not finish is done again."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._stopping = asyncio.Event()
        # Each database has its own way to say it; the other's module stays out of memory.
        self._insert: Any = importlib.import_module(f"sqlalchemy.dialects.{engine.dialect.name}").insert

    async def advance(self, now: int) -> bool:
        """Rolls up the next entries older than a minute before ``now`` (microseconds); whether more are waiting."""
        async with self._engine.begin() as connection:
            done = (await connection.execute(select(usage_progress.c.sequence).with_for_update())).scalar_one()
            following = (
                select(entries.c.sequence)
                .where(entries.c.sequence > done, entries.c.created_at < now - SETTLED_MICROSECONDS)
                .order_by(entries.c.sequence)
                .limit(AT_ONCE)
                .subquery()
            )
            count, last = (
                await connection.execute(select(func.count(), func.max(following.c.sequence)).select_from(following))
            ).one()
            if not count:
                return False
            for grain in GRAINS:
                await connection.execute(self._adding(grain, done, last))
            await connection.execute(update(usage_progress).values(sequence=last))
        return bool(count == AT_ONCE)

    async def advance_until_stopped(self, clock: Callable[[], float]) -> None:
        """A failing database is waited for. Ends between two transactions, never within one."""
        pause = EVERY_SECONDS
        while not await self._stopped_within(pause * random.uniform(0.8, 1.2)):  # noqa: S311 - spreads replicas
            waiting = False
            try:
                waiting = await self.advance(int(clock() * 1_000_000))
            except SQLAlchemyError as error:
                log.warning("usage could not be rolled up", reason=unavailable(error, "The ledger's database").message)
            # Between two transactions there is room for those that calls wait for.
            pause = CATCHING_UP_SECONDS if waiting else EVERY_SECONDS

    def stop(self) -> None:
        self._stopping.set()

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._stopping.wait()
        except TimeoutError:
            return False

    def _adding(self, grain: int, done: int, last: int) -> Executable:
        starts_at = entries.c.created_at - entries.c.created_at % number(grain)
        key = [starts_at, *(entries.c[name] for name in DIMENSIONS.values())]
        sums = [cast(func.sum(column), BigInteger) for column in measured()]
        added = (
            select(number(grain), *key, *sums)
            .where(COSTS, entries.c.sequence > done, entries.c.sequence <= last)
            .group_by(*key)
        )
        insert = self._insert(usage_rollups).from_select(["grain", "starts_at", *DIMENSIONS.values(), *MEASURES], added)
        total = {name: usage_rollups.c[name] + insert.excluded[name] for name in MEASURES}
        statement: Executable = insert.on_conflict_do_update(index_elements=list(usage_rollups.primary_key), set_=total)
        return statement
