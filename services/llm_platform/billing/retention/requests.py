"""The methods about retention: from messages to states and back."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.billing.periods import DAY, rfc3339
from llm_platform.billing.retention import state
from llm_platform.billing.retention.confirmation import Confirmation, Range
from llm_platform.billing.retention.removal import Removal
from llm_platform.billing.retention.state import State
from llm_platform.core.actor import actor
from llm_platform.core.database import reading
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.proto import ledger_pb2

WORK_SECONDS = 1.0
"""How long one request removes entries."""
SHORTEST_PAUSE_SECONDS = 0.02

log = get_logger("billing.retention")


class RetentionRequests:
    """Raises SQLAlchemyError."""

    def __init__(self, engine: AsyncEngine, retention_days: int) -> None:
        self._engine = engine
        self._confirmation = Confirmation(engine)
        self._removal = Removal(engine)
        self._kept_microseconds = retention_days * DAY

    async def find(self, now: int) -> ledger_pb2.RetentionState:
        return self._message(await self._state(), now)

    async def confirm(self, request: ledger_pb2.ArchivedRange, now: int) -> ledger_pb2.RetentionState:
        """Raises INVALID_REQUEST, CONFLICT."""
        known = await self._state()
        if request.last > known.archived_to:
            archived = _range(request)
            if request.check_only:
                await self._confirmation.check(archived, now - self._kept_microseconds)
            else:
                by = actor.get().id
                known = await self._confirmation.confirm(archived, now - self._kept_microseconds, now, by)
                log.info("entries may be removed: they are archived", after=archived.after, last=archived.last, by=by)
        return self._message(known, now)

    async def remove(self, now: int) -> ledger_pb2.RetentionState:
        """Removes for about a second. Between two transactions calls have as long as each took."""
        loop = asyncio.get_running_loop()
        until = loop.time() + WORK_SECONDS
        known = before = await self._state()
        while known.examined_to < known.archived_to and loop.time() < until:
            began = loop.time()
            known = await self._removal.advance()
            await asyncio.sleep(max(loop.time() - began, SHORTEST_PAUSE_SECONDS))
        if known.removed != before.removed:
            log.info("archived entries were removed", count=known.removed - before.removed, by=actor.get().id)
        return self._message(known, now)

    async def _state(self) -> State:
        async with reading(self._engine).connect() as connection:
            return await state.read(connection)

    def _message(self, known: State, now: int) -> ledger_pb2.RetentionState:
        return ledger_pb2.RetentionState(
            archived_to=known.archived_to,
            examined_to=known.examined_to,
            removed=known.removed,
            removed_before=rfc3339(known.removed_before) if known.removed_before else "",
            removable_before=rfc3339(now - self._kept_microseconds),
        )


def _range(request: ledger_pb2.ArchivedRange) -> Range:
    if max(request.after, request.last) >= 2**63 or request.after >= request.last:
        raise PlatformError(Code.INVALID_REQUEST, "Give the entries after one, up to a later one.", param="last")
    return Range(request.after, request.last, request.sha256)
