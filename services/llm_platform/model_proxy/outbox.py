"""Delivery of outcomes to billing: at least once, in order, until acknowledged.

The journal is the queue: the outbox only has its position in it. Billing takes a resend for what it is.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

from llm_platform.billing.interfaces import Ledger
from llm_platform.core import metrics
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.model_proxy.journal import Journal
from llm_platform.model_proxy.refused import set_aside
from llm_platform.proto import ledger_pb2

_log = get_logger("model_proxy.outbox")

_BATCH = 256
_LINGER_SECONDS = 0.2
"""Outcomes wait this long for company: a call and a commit in billing cost the same for one as for many. Meanwhile the
outcome is durable here, and its reservation holds the money there."""
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
_ADOPTION_SECONDS = 5.0


class Outbox:
    """Delivers one journal."""

    def __init__(self, journal: Journal, ledger: Ledger) -> None:
        self._journal = journal
        self._ledger = ledger
        self._position = journal.acknowledged
        self._news = asyncio.Event()
        self._delivered = asyncio.Event()
        self.failing_since: float | None = None
        """``loop.time()`` of the first failure since billing last took something."""
        journal.on_outcome = self._news.set

    async def run(self) -> None:
        """Delivers until cancelled."""
        while True:
            self._news.clear()
            await self.deliver_all()
            self._delivered.set()
            await self._news.wait()
            self._delivered.clear()
            await asyncio.sleep(_LINGER_SECONDS)

    async def deliver_all(self) -> int:
        """Delivers what is in the journal now; returns how many outcomes that were."""
        count = 0
        while True:
            outcomes, position = self._journal.read(self._position, _BATCH)
            if outcomes:
                await self._deliver(outcomes)
                count += len(outcomes)
                self._position = position
                self._journal.backlog -= len(outcomes)
                metrics.outcomes_delivered.labels("acknowledged").inc(len(outcomes))
                metrics.journal_backlog.set(max(self._journal.backlog, 0))
                self._journal.acknowledge(position)
            if len(outcomes) < _BATCH:
                return count

    @property
    def empty(self) -> bool:
        """Billing knows every outcome in the journal."""
        return not self._journal.read(self._position, 1)[0]

    async def flushed(self) -> None:
        """Returns when billing knows every outcome written so far."""
        while not self.empty:
            self._delivered.clear()
            self._news.set()
            await self._delivered.wait()

    async def _deliver(self, outcomes: Sequence[ledger_pb2.Outcome]) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._ledger.record(ledger_pb2.OutcomeBatch(items=outcomes))
            except PlatformError as error:
                if error.code is Code.INVALID_REQUEST:
                    await self._deliver_apart(outcomes, error)
                    return
                self._failed(error)
            except Exception as error:  # noqa: BLE001 - nothing that billing does may lose an outcome
                self._failed(error)
            else:
                self.failing_since = None
                metrics.journal_oldest.set(0)
                return
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _deliver_apart(self, outcomes: Sequence[ledger_pb2.Outcome], error: PlatformError) -> None:
        """Billing refuses something in the batch for good: the others must not wait for it."""
        if len(outcomes) > 1:
            middle = len(outcomes) // 2
            await self._deliver(outcomes[:middle])
            await self._deliver(outcomes[middle:])
            return
        await asyncio.to_thread(set_aside, self._journal.directory.parent, outcomes[0])
        metrics.outcomes_delivered.labels("refused").inc()
        _log.error("billing refuses an outcome; it was set aside", attempt=outcomes[0].attempt_id, reason=error.message)

    def _failed(self, error: Exception) -> None:
        now = asyncio.get_running_loop().time()
        metrics.outcomes_delivered.labels("failed").inc()
        metrics.journal_backlog.set(max(self._journal.backlog, 0))
        metrics.journal_oldest.set(now - (self.failing_since or now))
        if self.failing_since is None:
            self.failing_since = now
            _log.warning("billing takes no outcomes; they wait on disk", reason=str(error))


async def adopt_orphans(root: Path, ledger: Ledger) -> None:
    """Every few seconds, delivers the journals of processes that are gone. Runs until cancelled."""
    while True:
        for directory in await asyncio.to_thread(_journals, root):
            await _adopt(directory, ledger)
        await asyncio.sleep(_ADOPTION_SECONDS)


async def _adopt(directory: Path, ledger: Ledger) -> None:
    try:
        journal = await Journal.adopt(directory)
    except Exception as error:  # noqa: BLE001 - what one journal holds must not stop the service
        _log.error("a journal cannot be adopted", journal=directory.name, reason=str(error))
        return
    if journal is None:
        return
    delivered = False
    try:
        count = await Outbox(journal, ledger).deliver_all()
        delivered = True
        _log.info("the journal of a dead process was delivered", journal=directory.name, outcomes=count)
    finally:
        await journal.aclose(remove=delivered)


def _journals(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("jrn_*") if path.is_dir())
