"""The audit log as another service writes to it: in the background, delivered until auth-service has it.

What was noted is kept in memory while auth-service is away, at most ``KEPT`` entries: of more, the oldest are lost,
counted and logged whole. A process that is killed loses what it had not delivered, usually the last few milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence

from llm_platform.auth_service.audit.entry import Draft
from llm_platform.auth_service.audit.interfaces import Audit
from llm_platform.auth_service.requests import rfc3339
from llm_platform.core import metrics
from llm_platform.core.actor import actor
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.ids import new_id
from llm_platform.core.lifecycle import in_background
from llm_platform.core.logging import get_logger
from llm_platform.proto import audit_pb2

KEPT = 10_000
BATCH = 100
RETRY_SECONDS = 1.0
LAST_SECONDS = 3.0
"""How long a stopping process tries to deliver the rest."""

log = get_logger("audit.recorder")


class Recorder:
    """Takes entries at once and delivers them in their order."""

    def __init__(self, audit: Callable[[], Audit], clock: Callable[[], float] = time.time) -> None:
        """``audit`` gives the client, made when it is first needed."""
        self._audit = audit
        self._clock = clock
        self._waiting: deque[audit_pb2.AuditEntry] = deque()
        self._noted = asyncio.Event()

    def note(self, draft: Draft) -> None:
        """Takes an entry; who acts and when is now."""
        if len(self._waiting) >= KEPT:
            self._lose(self._waiting.popleft(), "too many wait")
        self._waiting.append(self._entry(draft))
        self._noted.set()

    async def write(self, *drafts: Draft) -> None:
        """The same for several; never raises."""
        for draft in drafts:
            self.note(draft)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Delivers until left; then tries once more to deliver the rest."""
        try:
            async with in_background(self._run(), "audit: recorder"):
                yield
        finally:
            await self._deliver_the_rest()

    async def _run(self) -> None:
        while True:
            await self._noted.wait()
            self._noted.clear()
            while self._waiting:
                if not await self._deliver():
                    await asyncio.sleep(RETRY_SECONDS)

    async def _deliver(self) -> bool:
        """Delivers a batch; whether it is gone. What was delivered twice stands in the log once, by its id."""
        # Taken out first: what is noted meanwhile may have to make room by itself.
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        try:
            await self._send(batch)
        except BaseException as error:
            self._waiting.extendleft(reversed(batch))
            if not isinstance(error, PlatformError):
                raise
            log.warning("the audit log cannot be written to yet", waiting=len(self._waiting), reason=str(error))
            return False
        return True

    async def _send(self, batch: Sequence[audit_pb2.AuditEntry]) -> None:
        """One that is refused for good does not take the others with it."""
        try:
            await self._audit().record(audit_pb2.AuditBatch(items=batch))
        except PlatformError as error:
            if error.code is not Code.INVALID_REQUEST:
                raise
            if len(batch) == 1:
                self._lose(batch[0], str(error))
                return
            for entry in batch:
                await self._send([entry])

    async def _deliver_the_rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                while self._waiting and await self._deliver():
                    pass
        while self._waiting:
            self._lose(self._waiting.popleft(), "the process stopped")

    def _lose(self, entry: audit_pb2.AuditEntry, reason: str) -> None:
        metrics.audit_lost.inc()
        log.error(
            "an audit entry is lost",
            reason=reason,
            action=entry.action,
            target=entry.target,
            actor=entry.actor_id,
            result=entry.result,
            at=entry.at,
        )

    def _entry(self, draft: Draft) -> audit_pb2.AuditEntry:
        who = draft.who or actor.get()
        return audit_pb2.AuditEntry(
            entry_id=draft.entry_id or new_id("aud"),
            at=rfc3339(int(self._clock() * 1000)),
            actor_id=who.id,
            actor_name=who.name,
            actor_kind=who.kind,
            actor_role=who.role,
            organization_id=draft.organization_id or who.organization_id,
            action=draft.action,
            target=draft.target,
            result=draft.result,
            reason=draft.reason,
            request_id=draft.request_id,
            source=draft.source,
            repeated=draft.repeated,
        )
