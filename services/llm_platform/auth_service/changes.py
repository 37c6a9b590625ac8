"""The order of changes: what the entries must hear of, each with its number.

Whoever changes something does it in ``Changes.begin``: the row that it locks makes changes one after the other, on
every replica. So whatever such a transaction reads stays true until it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from sqlalchemy import Column, func, literal, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llm_platform.auth_service.schema import api_keys, organizations, revocation_counter, teams, users
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2

TURN_SECONDS = 5.0
"""How long a change waits for those before it."""

_COUNTER = 1

_CHANGED: tuple[tuple[str, Column[str], Column[int]], ...] = (
    ("key_id", api_keys.c.key_id, api_keys.c.revocation),
    ("user_id", users.c.user_id, users.c.change),
    ("team_id", teams.c.team_id, teams.c.change),
    ("organization_id", organizations.c.organization_id, organizations.c.change),
)


class Change(NamedTuple):
    """A transaction that changes something, and the number of the change."""

    connection: AsyncConnection
    number: int


class Changes:
    """Makes changes, one at a time: those that wait must not take the connections that authentication needs."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Change]:
        """A transaction, committed at the end. Raises OVERLOADED when its turn does not come soon."""
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            raise PlatformError(
                Code.OVERLOADED, "Too many changes of accounts at once. Try again shortly.", retry_after=1
            ) from None
        try:
            async with self._engine.begin() as connection:
                yield Change(connection, await _next_number(connection))
        finally:
            self._turn.release()


async def _next_number(connection: AsyncConnection) -> int:
    counter = (
        update(revocation_counter)
        .where(revocation_counter.c.id == _COUNTER)
        .values(value=revocation_counter.c.value + 1)
        .returning(revocation_counter.c.value)
    )
    return int((await connection.execute(counter)).scalar_one())


async def last_change(connection: AsyncConnection) -> int:
    """The number of the newest change."""
    return int((await connection.execute(select(func.max(revocation_counter.c.value)))).scalar_one())


async def changes_after(connection: AsyncConnection, number: int) -> list[accounts_pb2.Revocation]:
    """What was changed after that one, in order; of something changed twice, the last time."""
    query = union_all(
        *(
            select(literal(field).label("field"), subject.label("id"), change.label("number")).where(change > number)
            for field, subject, change in _CHANGED
        )
    ).order_by("number")
    rows = (await connection.execute(query)).all()
    return [accounts_pb2.Revocation(**{row.field: row.id}) for row in rows]
