"""Takes archived entries out of the ledger, a few at a time; what they add up to stays in ``archived_usage``.

Only whole calls go: all entries of a reservation that was released and has none after the archive's end. The others
stay until that is so. A batch is one transaction: killed at any moment, the ledger is as it was before it or after it.
It locks nothing that calls wait for on PostgreSQL, and SQLite's one write lock for a moment.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Executable, cast, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llm_platform.billing.budgets import counting
from llm_platform.billing.retention import state
from llm_platform.billing.retention.state import State
from llm_platform.billing.schema import entries, reservations, unposted
from llm_platform.billing.schema_derived import archived_usage, removals, resolutions, retention
from llm_platform.billing.usage.grains import QUARTER
from llm_platform.billing.usage.sums import MEASURES, measured, number

AT_ONCE = 500
"""Entries that a transaction begins with: on SQLite nobody else writes during it."""


class Member(NamedTuple):
    """An entry of a call."""

    sequence: int
    reservation_id: str
    kind: str
    reference: str
    amount: int


_MEMBER = tuple(entries.c[name] for name in Member._fields)


def whole_calls(members: Sequence[Member], archived_to: int, staying: Collection[str] = ()) -> list[Member]:
    """The entries of calls that are over and archived. ``members`` has all of each call's; ``staying``: reservations
    that something else still needs."""
    held: Counter[str] = Counter()
    beyond = set(staying)
    for each in members:
        held[each.reservation_id] += {"reserve": each.amount, "release": -each.amount}.get(each.kind, 0)
        if each.sequence > archived_to:
            beyond.add(each.reservation_id)
    return [each for each in members if not held[each.reservation_id] and each.reservation_id not in beyond]


class Removal:
    """Any number of processes may do this. Raises SQLAlchemyError; what a transaction did not finish is done again."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        # Each database has its own way to say it; the other's module stays out of memory.
        self._insert: Any = importlib.import_module(f"sqlalchemy.dialects.{engine.dialect.name}").insert

    async def advance(self) -> State:
        """One batch. There is nothing left to do when all is examined that is archived.

        Rows are asked for by lists of their ids: whatever the server believes of its tables, it uses their indexes.
        """
        async with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(text("SET LOCAL enable_seqscan = off"))
                await connection.execute(text("SET LOCAL jit = off"))  # what no index helps would seem worth compiling
            known = await state.read(connection, lock=True)
            following = (
                select(entries.c.sequence, entries.c.request_id)
                .where(entries.c.sequence > known.examined_to, entries.c.sequence <= known.archived_to)
                .order_by(entries.c.sequence)
                .limit(AT_ONCE)
            )
            batch = (await connection.execute(following)).all()
            going = await self._going(connection, {row[1] for row in batch}, known.archived_to)
            if going:
                await self._remove(connection, going)
            examined_to = batch[-1][0] if len(batch) == AT_ONCE else known.archived_to
            await connection.execute(
                update(retention).values(examined_to=examined_to, removed=retention.c.removed + len(going))
            )
            return known._replace(examined_to=examined_to, removed=known.removed + len(going))

    async def _going(self, connection: AsyncConnection, requests: set[str], archived_to: int) -> list[Member]:
        members = await _members(connection, requests)
        attempts = [each.reference for each in members if each.kind == "settle"]
        corrected = select(resolutions.c.attempt_id).where(resolutions.c.attempt_id.in_(attempts)).with_for_update()
        if (await connection.execute(corrected)).all():
            # Whoever corrected one of them at this moment was waited for, and its entry is there now.
            members = await _members(connection, requests)
        names = {each.reservation_id for each in members}
        is_open = select(reservations.c.reservation_id).where(reservations.c.reservation_id.in_(names))
        staying = set((await connection.execute(is_open)).scalars())
        waiting = select(unposted.c.sequence).where(unposted.c.sequence.in_([each.sequence for each in members]))
        unseen = set((await connection.execute(waiting)).scalars())
        staying |= {each.reservation_id for each in members if each.sequence in unseen}
        return whole_calls(members, archived_to, staying)

    async def _remove(self, connection: AsyncConnection, going: Sequence[Member]) -> None:
        named = [each.sequence for each in going]
        charged = [each.sequence for each in going if each.kind in ("settle", "adjust")]
        attempts = [each.reference for each in going if each.kind == "settle"]
        await connection.execute(insert(removals), [{"sequence": sequence} for sequence in named])
        await connection.execute(self._carrying(charged))
        await connection.execute(delete(resolutions).where(resolutions.c.attempt_id.in_(attempts)))
        await connection.execute(delete(entries).where(entries.c.sequence.in_(named)))
        await connection.execute(delete(removals))

    def _carrying(self, charged: Sequence[int]) -> Executable:
        call = counting.counted.where(counting.SEQUENCE.in_(charged)).subquery("call")
        scopes = [call.c.key_id, call.c.user_id, call.c.team_id, call.c.organization_id]
        key = [call.c.counts_at - call.c.counts_at % number(QUARTER), *scopes, entries.c.model]
        added = (
            select(*key, *(cast(func.sum(column), BigInteger) for column in measured()))
            .select_from(entries.join(call, call.c.sequence == entries.c.sequence))
            .where(entries.c.sequence.in_(charged))
            .group_by(*key)
        )
        names = [column.name for column in archived_usage.primary_key]
        adding = self._insert(archived_usage).from_select([*names, *MEASURES], added)
        total = {name: archived_usage.c[name] + adding.excluded[name] for name in MEASURES}
        statement: Executable = adding.on_conflict_do_update(index_elements=names, set_=total)
        return statement


async def _members(connection: AsyncConnection, requests: set[str]) -> list[Member]:
    """All entries of a call have its request id, which has an index."""
    rows = await connection.execute(select(*_MEMBER).where(entries.c.request_id.in_(requests)))
    return [Member(*row) for row in rows]
