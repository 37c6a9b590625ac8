"""Keeps the roll-ups of usage and their summaries up to date: a job that any number of billing processes may run.

Sequence numbers are given before a transaction commits, so that a lower one may become visible after a higher one. Only
entries of some age are rolled up: by then every transaction that could hold a lower number has ended (it has
2 s, core/postgresql.py), also where the clocks of two hosts differ by most of a minute.
"""

from __future__ import annotations

import asyncio
import importlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Executable, Table, and_, cast, func, literal, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llm_platform.billing.schema import entries
from llm_platform.billing.schema_derived import summary_progress, usage_progress, usage_rollups, usage_summaries
from llm_platform.billing.usage.grains import GRAINS, HOUR
from llm_platform.billing.usage.summaries import SUMMARIES, Summary
from llm_platform.billing.usage.sums import COSTS, DIMENSIONS, MEASURES, measured, number
from llm_platform.core.database_failures import unavailable
from llm_platform.core.logging import get_logger

SETTLED_MICROSECONDS = 60_000_000
"""How old an entry is before it is rolled up."""
AT_ONCE = 2_000
"""Entries of one transaction: on SQLite nobody else writes during it."""
HOURS_AT_ONCE = 6 * HOUR
"""Of older roll-ups that come into the summaries, for the same reason."""

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
            rolled_up, waiting = await _next(connection, done, entries.c.created_at < now - SETTLED_MICROSECONDS)
            if rolled_up > done:
                for grain in GRAINS:
                    await connection.execute(self._rolling_up(grain, done, rolled_up))
                await connection.execute(update(usage_progress).values(sequence=rolled_up))
            behind = await self._summarise(connection, rolled_up)
        return waiting or behind

    async def _summarise(self, connection: AsyncConnection, rolled_up: int) -> bool:
        """The next entries up to ``rolled_up``, which the release before may have done alone; then some hours of
        roll-ups from before there were summaries."""
        columns = (summary_progress.c.sequence, summary_progress.c.summarised_from)
        done, begin = (await connection.execute(select(*columns))).one()
        last, behind = await _next(connection, done, entries.c.sequence <= rolled_up)
        if last > done:
            for summary, grain in _EACH:
                await connection.execute(self._summarising(summary, grain, done, last, begin))
            await connection.execute(update(summary_progress).values(sequence=last))
        if behind or not begin:
            return behind
        older = select(func.max(usage_rollups.c.starts_at))
        older = older.where(usage_rollups.c.grain == HOUR, usage_rollups.c.starts_at < begin)
        newest = (await connection.execute(older)).scalar_one()
        since = newest - newest % HOURS_AT_ONCE if newest is not None else 0
        if newest is not None:
            for summary, grain in _EACH:
                await connection.execute(self._summarising_hours(summary, grain, since, min(begin, newest + HOUR)))
        await connection.execute(update(summary_progress).values(summarised_from=since))
        return newest is not None

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

    def _rolling_up(self, grain: int, done: int, last: int) -> Executable:
        starts_at = entries.c.created_at - entries.c.created_at % number(grain)
        key = {"starts_at": starts_at, **{name: entries.c[name] for name in DIMENSIONS.values()}}
        return self._adding(usage_rollups, {"grain": number(grain)}, key, measured(), _between(done, last))

    def _summarising(self, summary: Summary, grain: int, done: int, last: int, begin: int) -> Executable:
        starts_at = entries.c.created_at - entries.c.created_at % number(grain)
        key = {"starts_at": starts_at, **{name: entries.c[name] for name in summary.kept}}
        which = and_(_between(done, last), entries.c.created_at >= begin)
        return self._adding(usage_summaries, _same(summary, grain), key, measured(), which)

    def _summarising_hours(self, summary: Summary, grain: int, since: int, until: int) -> Executable:
        at = usage_rollups.c.starts_at
        key = {"starts_at": at - at % number(grain), **{name: usage_rollups.c[name] for name in summary.kept}}
        which = and_(usage_rollups.c.grain == min(grain, HOUR), at >= since, at < until)
        sums = [usage_rollups.c[name] for name in MEASURES]
        return self._adding(usage_summaries, _same(summary, grain), key, sums, which)

    def _adding(
        self,
        table: Table,
        same: Mapping[str, Any],
        key: Mapping[str, Any],
        measures: Sequence[ColumnElement[int]],
        which: ColumnElement[bool],
    ) -> Executable:
        """``same``: columns that are alike in every row, ``key``: the others of the primary key."""
        sums = [cast(func.sum(column), BigInteger) for column in measures]
        added = select(*same.values(), *key.values(), *sums).where(which).group_by(*key.values())
        insert = self._insert(table).from_select([*same, *key, *MEASURES], added)
        total = {name: table.c[name] + insert.excluded[name] for name in MEASURES}
        statement: Executable = insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=total)
        return statement


_EACH = tuple((summary, grain) for summary in SUMMARIES for grain in summary.grains)


def _same(summary: Summary, grain: int) -> dict[str, Any]:
    left_out = {name: literal("") for name in DIMENSIONS.values() if name not in summary.kept}
    return {"kept": literal(summary.name), "grain": number(grain), **left_out}


def _between(done: int, last: int) -> ColumnElement[bool]:
    return and_(COSTS, entries.c.sequence > done, entries.c.sequence <= last)


async def _next(connection: AsyncConnection, done: int, which: ColumnElement[bool]) -> tuple[int, bool]:
    """The last of the next entries after ``done``, ``done`` itself if there are none; whether there are more."""
    following = (
        select(entries.c.sequence)
        .where(entries.c.sequence > done, which)
        .order_by(entries.c.sequence)
        .limit(AT_ONCE)
        .subquery()
    )
    count, last = (
        await connection.execute(select(func.count(), func.max(following.c.sequence)).select_from(following))
    ).one()
    return (last, count == AT_ONCE) if count else (done, False)
