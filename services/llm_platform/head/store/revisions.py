"""The revisions in their database, SQLite or PostgreSQL. They are only ever added."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from sqlalchemy import RowMapping, func, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llm_platform.core.database import reading
from llm_platform.core.database_failures import unavailable
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.routing_document import digest_of, of_text, text_of
from llm_platform.head.store.schema import routing_revisions
from llm_platform.proto.rules_pb2 import RoutingDocument

_table = routing_revisions.c


class Revision(NamedTuple):
    """A document that was put in force, and by whom. ``number`` counts from 1; ``created_at``: Unix milliseconds."""

    number: int
    created_at: int
    actor_id: str
    actor_name: str
    note: str
    source: str
    restored: int | None
    digest: str
    document: RoutingDocument


def revision(
    number: int,
    document: RoutingDocument,
    *,
    created_at: int,
    actor: tuple[str, str],
    note: str,
    source: str,
    restored: int | None = None,
) -> Revision:
    """A new one. ``actor``: id and name."""
    digest = digest_of(text_of(document))
    return Revision(number, created_at, actor[0][:100], actor[1][:200], note, source, restored, digest, document)


class Revisions:
    """Its methods raise UNAVAILABLE when the database cannot be used."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = reading(engine)

    async def newest_number(self) -> int:
        """0: there is none."""
        async with self._read() as connection:
            return int((await connection.execute(select(func.max(_table.number)))).scalar_one() or 0)

    async def newest(self) -> Revision | None:
        found = await self._find(select(routing_revisions).order_by(_table.number.desc()).limit(1))
        return found[0] if found else None

    async def newest_of_file(self) -> Revision | None:
        """The last that was taken from the configuration file."""
        query = select(routing_revisions).where(_table.source == "file").order_by(_table.number.desc()).limit(1)
        found = await self._find(query)
        return found[0] if found else None

    async def get(self, number: int) -> Revision:
        """Raises NOT_FOUND."""
        found = await self._find(select(routing_revisions).where(_table.number == number))
        if not found:
            raise PlatformError(Code.NOT_FOUND, f"There is no revision {number}.", param="number")
        return found[0]

    async def up_to(self, number: int | None, count: int) -> list[Revision]:
        """``count`` of them, newest first, from ``number`` on (None: from the newest)."""
        query = select(routing_revisions).order_by(_table.number.desc()).limit(count)
        return await self._find(query if number is None else query.where(_table.number <= number))

    async def add(self, revisions: Sequence[Revision]) -> None:
        """All of them or none. They follow the newest, if there is one; raises CONFLICT (param etag) when that is not
        so any more."""
        try:
            async with self._engine.begin() as connection:
                newest = int((await connection.execute(select(func.max(_table.number)))).scalar_one() or 0)
                if newest not in (0, revisions[0].number - 1):
                    raise _stale()
                await connection.execute(insert(routing_revisions), [_row(each) for each in revisions])
        except IntegrityError:  # at the same moment
            raise _stale() from None
        except SQLAlchemyError as error:
            raise _unavailable(error) from None

    async def _find(self, query: Any) -> list[Revision]:
        async with self._read() as connection:
            return [_of_row(row) for row in (await connection.execute(query)).mappings()]

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._reading.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise _unavailable(error) from None


def _row(each: Revision) -> dict[str, Any]:
    return {**each._asdict(), "document": text_of(each.document)}


def _of_row(row: RowMapping) -> Revision:
    return Revision(**{**row, "document": of_text(row["document"])})


def _stale() -> PlatformError:
    return PlatformError(
        Code.CONFLICT, "Someone else changed the rules meanwhile. Read them again, then change them.", param="etag"
    )


def _unavailable(error: SQLAlchemyError) -> PlatformError:
    return unavailable(error, "The database of the routing rules")
