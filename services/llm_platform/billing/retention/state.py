"""How far the ledger is archived and removed: the row of ``retention``."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_platform.billing.schema_derived import retention


class State(NamedTuple):
    """Sequences of entries, and a time in microseconds."""

    archived_to: int
    """Every entry up to this one is in an archive that was held against the ledger."""
    examined_to: int
    """Up to here those that could go have gone."""
    removed: int
    """How many have gone, ever."""
    removed_before: int
    """Nothing that was sent at this time or later has been removed; 0: nothing has."""


COLUMNS = tuple(retention.c[name] for name in State._fields)


async def read(connection: AsyncConnection, *, lock: bool = False) -> State:
    """With ``lock`` nobody else removes or confirms until the end of the transaction."""
    statement = select(*COLUMNS)
    return State(*(await connection.execute(statement.with_for_update() if lock else statement)).one())
