"""Transactions on the accounts' database. Its failures are UNAVAILABLE.

Whoever changes something does it in ``AccountDatabase.change``: the row that it locks makes changes one after the
other, on every replica. So whatever such a transaction reads stays true until it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llm_platform.auth_service.schema import revocation_counter
from llm_platform.core.database import reading
from llm_platform.core.database_failures import unavailable
from llm_platform.core.errors import Code, PlatformError

TURN_SECONDS = 5.0
"""How long a change waits for those before it."""

_COUNTER = 1


class Change(NamedTuple):
    """A transaction that changes something, and the number of the change."""

    connection: AsyncConnection
    number: int


class AccountDatabase:
    """Makes changes one at a time: those that wait must not take the connections that authentication needs."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = reading(engine)
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads."""
        try:
            async with self._reading.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise _unavailable(error) from None

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes what no entry needs to hear of, committed at the end.

        IntegrityError is left to whoever may meet another writer.
        """
        try:
            async with self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise _unavailable(error) from None

    @asynccontextmanager
    async def change(self) -> AsyncIterator[Change]:
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
        except IntegrityError:
            # Of the release before, which makes users without a turn. The driver's words would quote the row.
            raise PlatformError(
                Code.CONFLICT, "Something of that name was made at the same moment.", param="name"
            ) from None
        except SQLAlchemyError as error:
            raise _unavailable(error) from None
        finally:
            self._turn.release()


def _unavailable(error: SQLAlchemyError) -> PlatformError:
    return unavailable(error, "The accounts' database")


async def _next_number(connection: AsyncConnection) -> int:
    counter = (
        update(revocation_counter)
        .where(revocation_counter.c.id == _COUNTER)
        .values(value=revocation_counter.c.value + 1)
        .returning(revocation_counter.c.value)
    )
    return int((await connection.execute(counter)).scalar_one())
