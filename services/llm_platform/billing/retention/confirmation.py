"""That entries are in an archive: billing reads them itself, and their digest must be that of the archive's lines."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.billing.periods import DAY
from llm_platform.billing.records import archived_form
from llm_platform.billing.retention import state
from llm_platform.billing.retention.state import State
from llm_platform.billing.schema import entries
from llm_platform.billing.schema_derived import retention, usage_progress
from llm_platform.core.database import reading
from llm_platform.core.errors import Code, PlatformError

READ_AT_ONCE = 500
CLOCKS_DIFFER = DAY
"""An outcome's ``sent_at`` is by the clock of model-proxy: it may be this much later than when it was booked here."""


@dataclass(frozen=True, slots=True)
class Range:
    """The entries with ``after < sequence <= last``, and the SHA-256 of them as they stand in the archive."""

    after: int
    last: int
    sha256: str


class _Read(NamedTuple):
    last: int
    youngest: int
    sha256: str


class Confirmation:
    """Raises SQLAlchemyError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def check(self, archived: Range, removable_before: int) -> int:
        """When the youngest of them was booked, in microseconds. Raises CONFLICT: the ledger has them otherwise;
        INVALID_REQUEST: they are too young (booked at ``removable_before`` or later)."""
        async with reading(self._engine).connect() as connection:
            rolled_up = (await connection.execute(select(usage_progress.c.sequence))).scalar_one()
            known = await state.read(connection)
        if archived.after < known.archived_to:
            raise _changed_meanwhile(known)
        if archived.last > rolled_up:
            raise PlatformError(
                Code.CONFLICT, "Not all of these entries are in the usage's roll-ups yet. Try again in a minute."
            )
        found = await self._read(archived)
        if (found.last, found.sha256) != (archived.last, archived.sha256):
            raise PlatformError(
                Code.CONFLICT,
                f"The entries {archived.after + 1} to {archived.last} of the ledger are not those of the archive. "
                "Nothing was removed.",
            )
        if found.youngest >= removable_before:
            raise PlatformError(
                Code.INVALID_REQUEST,
                "Some of these entries are too young to be removed (billing.retention_days).",
                param="last",
            )
        return found.youngest

    async def confirm(self, archived: Range, removable_before: int, now: int, by: str) -> State:
        """From now on these entries may be removed. Raises as ``check``."""
        youngest = await self.check(archived, removable_before)
        async with self._engine.begin() as connection:
            known = await state.read(connection, lock=True)
            if known.archived_to != archived.after:
                raise _changed_meanwhile(known)
            values = {
                "archived_to": archived.last,
                "examined_to": 0,  # calls that were not over before may be now
                "removed_before": max(known.removed_before, youngest + 1 + CLOCKS_DIFFER),
                "sha256": archived.sha256,
                "confirmed_at": now,
                "confirmed_by": by,
            }
            await connection.execute(update(retention).values(values))
            return await state.read(connection)

    async def _read(self, wanted: Range) -> _Read:
        """They are too old to be followed by one with a lower number, so that pages fit together."""
        hashed = hashlib.sha256()
        last, youngest = wanted.after, 0
        while last < wanted.last:
            statement = (
                select(entries)
                .where(entries.c.sequence > last, entries.c.sequence <= wanted.last)
                .order_by(entries.c.sequence)
                .limit(READ_AT_ONCE)
            )
            async with reading(self._engine).connect() as connection:
                rows = (await connection.execute(statement)).mappings().all()
            if not rows:
                break
            for row in rows:
                hashed.update(archived_form(row) + b"\n")
                youngest = max(youngest, row["created_at"])
            last = rows[-1]["sequence"]
        return _Read(last, youngest, hashed.hexdigest())


def _changed_meanwhile(known: State) -> PlatformError:
    return PlatformError(
        Code.CONFLICT,
        f"Entries up to {known.archived_to} are known to be archived by now: somebody else removes too. Run it again.",
    )
