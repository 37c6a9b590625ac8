"""Refused keys, logins and calls in the audit log, without letting a flood of them fill the disk.

The same refusal again within a minute is counted and written once, with how often. Of kinds of refusals at most
``MOST`` are told apart a minute; what is more is counted under one entry for each method.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from llm_platform.auth_service.audit.entry import NOBODY, Draft
from llm_platform.core.actor import Actor
from llm_platform.core.actor import actor as acting
from llm_platform.core.errors import PlatformError
from llm_platform.core.lifecycle import in_background
from llm_platform.core.logging import get_logger

SECONDS = 60.0
MOST = 200

Write = Callable[..., Awaitable[None]]

log = get_logger("audit.refusals")


class _Kind(NamedTuple):
    """What makes two refusals the same."""

    action: str
    target: str
    reason: str
    source: str
    organization_id: str
    who: Actor
    service: str


class Refusals:
    """Collects refusals and writes them once a minute, and at the end."""

    def __init__(self, write: Write) -> None:
        """``write`` takes drafts; it raises PlatformError."""
        self._write = write
        self._counts: dict[_Kind, int] = {}

    def note(self, draft: Draft) -> None:
        """Counts a refusal. Who acts is taken now; ``details`` are not kept."""
        who = draft.who or acting.get()
        kind = _Kind(
            *(draft.action, draft.target, draft.reason, draft.source, draft.organization_id), who, draft.service
        )
        if kind not in self._counts and len(self._counts) >= MOST:
            kind = _Kind(draft.action, "", "further refusals", "", "", NOBODY, draft.service)
        self._add(kind, draft.repeated)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Writes once a minute until left, then the rest."""
        try:
            async with in_background(self._run(), "audit: refusals"):
                yield
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Writes what was counted; when that fails it is kept for the next time."""
        counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            await self._write(*(_draft(kind, count) for kind, count in counts.items()))
        except PlatformError as error:
            log.error("refusals could not be audited yet", reason=str(error))
            for kind, count in counts.items():
                self._add(kind, count)

    def _add(self, kind: _Kind, count: int) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + count

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            await self.flush()


def _draft(kind: _Kind, count: int) -> Draft:
    return Draft(
        action=kind.action,
        target=kind.target,
        reason=kind.reason,
        source=kind.source,
        organization_id=kind.organization_id,
        who=kind.who,
        service=kind.service,
        result="refused",
        repeated=count,
    )
