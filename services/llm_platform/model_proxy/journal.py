"""The journal of attempts: every provider call stands on disk before it is made.

``sent`` is durable before a byte of the request is written; many calls share one fdatasync, in a thread.
``outcome`` is with the operating system when it returns, so it survives the death of the process, and on disk with the
next fdatasync. The outbox reads outcomes back from here, so the backlog of a billing that is away is on
disk and not in memory. A call is refused when it cannot be journaled; the room for its outcome is
kept from the start, so a full disk never loses what a call has cost.

The directory is owned by a lock (flock) that ends with the process. Journals without an owner are adopted:
see ``Journal.adopt``.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.ids import new_id
from llm_platform.core.logging import get_logger
from llm_platform.model_proxy import records
from llm_platform.model_proxy.group_sync import GroupSync
from llm_platform.model_proxy.records import Kind, Position, TornRecordError
from llm_platform.proto import common_pb2, ledger_pb2

_log = get_logger("model_proxy.journal")

_SEGMENT_BYTES = 8 * 1024 * 1024
_FIRST = Position(1, len(records.MAGIC))
# An outcome is its `sent` record with kind, result, status, usage (at most seven varints), two durations and the
# provider's own id (at most 128 bytes) filled in.
_OUTCOME_GROWTH = 288
_ROOM_OF_A_CALL = 4096
_PREPARE_AGAIN_SECONDS = 1.0


@dataclass
class _Unsettled:
    """A reservation that has no final outcome yet."""

    segment: int
    """Where its first record is: that segment must stay."""
    promised: int
    """Bytes kept for its outcomes in the segment being written."""
    last: ledger_pb2.Outcome
    open: bool
    """Its last attempt was sent and has no outcome."""


class Journal:
    """One directory of segments, owned by this process. Made by ``create`` or ``adopt``."""

    def __init__(self, directory: Path, lock: int, segment_bytes: int) -> None:
        self.directory = directory
        self.on_outcome: Callable[[], None] = _nobody
        """Called after each outcome; the outbox waits for it."""
        self.backlog = 0
        """Outcomes written by this process that billing has not acknowledged."""
        self._lock = lock
        self._segment_bytes = segment_bytes
        self._number = 0
        self._descriptor = -1
        self._offset = 0
        self._next: int | None = None
        self._preparing = False
        self._prepare_again_at = 0.0
        self._problem: str | None = None
        self._suspect = False
        self._unsettled: dict[str, _Unsettled] = {}
        self._promised = 0
        self._acknowledged = _FIRST
        self._thread = ThreadPoolExecutor(1, "journal")
        self._group = GroupSync(self._thread, lambda: self._descriptor, self._not_durable)
        self._reading: tuple[int, int] | None = None

    @classmethod
    async def create(cls, root: Path, *, segment_bytes: int = _SEGMENT_BYTES) -> Journal:
        """A new journal of this process under ``root``. Raises ``OSError`` if it cannot be made."""
        return await asyncio.to_thread(cls._create, root, segment_bytes)

    @classmethod
    def _create(cls, root: Path, segment_bytes: int) -> Journal:
        root.mkdir(parents=True, exist_ok=True)
        name = new_id("jrn")
        unfinished = root / f".{name}"
        unfinished.mkdir(mode=0o700)
        lock = records.lock(unfinished)
        if lock is None:
            raise OSError(f"{unfinished} is locked by another process")
        directory = unfinished.rename(root / name)  # seen by others only now that it is locked
        journal = cls(directory, lock, segment_bytes)
        try:
            journal._begin(1)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            journal._close_files()
            raise
        return journal

    @classmethod
    async def adopt(cls, directory: Path, *, segment_bytes: int = _SEGMENT_BYTES) -> Journal | None:
        """The journal of a process that is gone, or None while it has an owner.

        Every reservation in it comes to an end: an attempt without an outcome was open when the process died, and
        becomes ``uncertain`` and ``lost``; one whose last attempt was to be followed by another is closed with it.
        """
        lock = records.lock(directory)
        if lock is None:
            return None
        journal = cls(directory, lock, segment_bytes)
        try:
            numbers = await asyncio.to_thread(journal._recover)
            if journal._unsettled:
                await asyncio.to_thread(journal._begin, numbers[-1] + 1)
                journal._resolve()
                await asyncio.to_thread(os.fdatasync, journal._descriptor)
        except BaseException:
            journal._close_files()
            raise
        return journal

    # What a call does

    async def sent(self, record: ledger_pb2.Outcome) -> None:
        """Returns when the attempt is durable. Raises UNAVAILABLE, and then the attempt must not be made."""
        payload = record.SerializeToString()
        promise = 2 * (records.OVERHEAD + len(payload) + _OUTCOME_GROWTH)
        self._make_room(records.OVERHEAD + len(payload), promise)
        self._append(Kind.SENT, payload)
        unsettled = self._unsettled.get(record.reservation_id)
        if unsettled is None:
            self._unsettled[record.reservation_id] = _Unsettled(self._number, promise, record, open=True)
        else:
            unsettled.promised += promise
            unsettled.last, unsettled.open = record, True
        self._promised += promise
        try:
            await self._group.durable()
        except BaseException:
            self._withdraw(record)
            raise

    def outcome(self, record: ledger_pb2.Outcome) -> None:
        """Written when it returns: the death of this process does not lose it."""
        self._append(Kind.OUTCOME, record.SerializeToString())
        self._account(record)
        self.backlog += 1
        self.on_outcome()

    def problem(self) -> str | None:
        """Why calls are refused, for readiness; None when they are not."""
        if not self._suspect and self._has_room(_ROOM_OF_A_CALL):
            return None
        if self._next is not None:
            return None
        self._prepare_next()
        return self._problem

    # What the outbox does

    def read(self, after: Position, limit: int) -> tuple[list[ledger_pb2.Outcome], Position]:
        """Up to ``limit`` outcomes after a position, and the position after them."""
        outcomes: list[ledger_pb2.Outcome] = []
        position = after
        while len(outcomes) < limit and position < self.written:
            try:
                for record in records.scan(self._reader(position.segment), position.offset):
                    position = Position(position.segment, record.end)
                    if record.kind == Kind.OUTCOME:
                        outcomes.append(ledger_pb2.Outcome.FromString(record.payload))
                        if len(outcomes) == limit:
                            return outcomes, position
            except TornRecordError as torn:
                _log.warning("a torn record ends a segment", segment=position.segment, offset=torn.offset)
            if position.segment >= self._number:
                break
            position = Position(position.segment + 1, len(records.MAGIC))
        return outcomes, position

    def acknowledge(self, position: Position) -> None:
        """Billing knows every outcome before ``position``. Segments that nobody needs any more go."""
        if position <= self._acknowledged:
            return
        self._acknowledged = position
        payload = position.encode()
        if self._descriptor >= 0 and self._has_room(records.OVERHEAD + len(payload)):
            self._append(Kind.ACKNOWLEDGED, payload)
        needed = min((each.segment for each in self._unsettled.values()), default=position.segment)
        for number in records.segment_numbers(self.directory):
            if number >= min(needed, position.segment):
                break
            records.segment_path(self.directory, number).unlink(missing_ok=True)

    @property
    def acknowledged(self) -> Position:
        return self._acknowledged

    @property
    def written(self) -> Position:
        """The end of what was written."""
        return Position(self._number, self._offset)

    @property
    def unsettled(self) -> int:
        """Reservations without a final outcome."""
        return len(self._unsettled)

    async def aclose(self, *, remove: bool) -> None:
        """Gives the journal up: ``remove`` says that everything in it was acknowledged, else another adopts it."""
        await asyncio.to_thread(self._thread.shutdown)
        await asyncio.sleep(0)  # what the thread has reported is taken in
        try:
            if remove:
                shutil.rmtree(self.directory, ignore_errors=True)
            elif self._descriptor >= 0:
                await asyncio.to_thread(os.fdatasync, self._descriptor)
        finally:
            self._close_files()

    # Writing

    def _has_room(self, size: int) -> bool:
        return self._offset + size + self._promised <= self._segment_bytes

    def _make_room(self, size: int, promise: int) -> None:
        if (self._suspect or not self._has_room(size + promise)) and self._next is not None:
            self._roll(self._next)
        if self._suspect or not self._has_room(size + promise):
            self._prepare_next()
            reason = self._problem or "the next segment is not ready yet"
            raise PlatformError(Code.UNAVAILABLE, f"The call cannot be journaled: {reason}.", retry_after=1)
        if self._offset > self._segment_bytes // 2 and self._next is None:
            self._prepare_next()

    def _append(self, kind: Kind, payload: bytes) -> None:
        framed = records.frame(kind, payload)
        written = os.pwrite(self._descriptor, framed, self._offset)
        if written != len(framed):
            raise OSError(f"only {written} of {len(framed)} bytes were written to the journal")
        self._offset += written

    def _account(self, record: ledger_pb2.Outcome) -> None:
        unsettled = self._unsettled.get(record.reservation_id)
        if unsettled is None:
            return
        unsettled.last, unsettled.open = record, False
        if record.final:
            self._promised -= unsettled.promised
            del self._unsettled[record.reservation_id]

    def _withdraw(self, record: ledger_pb2.Outcome) -> None:
        """The attempt stands in the journal but is not made: it cost nothing."""
        outcome = ledger_pb2.Outcome()
        outcome.CopyFrom(record)
        outcome.kind, outcome.result, outcome.final = "exact", "cancelled", True
        self.outcome(outcome)

    def _begin(self, number: int) -> None:
        self._descriptor = records.create_segment(self.directory, number, self._segment_bytes)
        self._number, self._offset = number, len(records.MAGIC)

    def _roll(self, descriptor: int) -> None:
        self._group.retire(self._descriptor)
        self._descriptor, self._next, self._suspect = descriptor, None, False
        self._number += 1
        self._offset = len(records.MAGIC)

    def _prepare_next(self) -> None:
        loop = asyncio.get_running_loop()
        if self._preparing or self._next is not None or loop.time() < self._prepare_again_at:
            return
        self._preparing = True
        work = self._thread.submit(records.create_segment, self.directory, self._number + 1, self._segment_bytes)
        work.add_done_callback(lambda done: loop.call_soon_threadsafe(self._prepared, done))

    def _prepared(self, done: Future[int]) -> None:
        self._preparing = False
        error = done.exception()
        if error is None:
            self._next, self._problem = done.result(), None
            return
        self._prepare_again_at = asyncio.get_running_loop().time() + _PREPARE_AGAIN_SECONDS
        self._problem = f"no new segment: {error.strerror if isinstance(error, OSError) else error}"
        _log.error("the journal cannot grow", reason=self._problem)

    def _not_durable(self, error: BaseException) -> None:
        self._suspect = True
        self._problem = f"writing to disk failed: {error.strerror if isinstance(error, OSError) else error}"
        _log.error("the journal is not durable", reason=self._problem)
        self._prepare_next()

    # Recovery

    def _recover(self) -> list[int]:
        """Reads what a dead process left. Returns its segments' numbers."""
        numbers = records.segment_numbers(self.directory)
        for number in numbers:
            try:
                descriptor = records.open_segment(self.directory, number)
            except TornRecordError:
                raise OSError(f"{self.directory.name} was written by a release that this one does not know") from None
            try:
                for record in records.scan(descriptor, len(records.MAGIC)):
                    self._replay(number, record)
            except TornRecordError as torn:
                _log.warning("a torn record ends a segment", segment=number, offset=torn.offset)
            finally:
                os.close(descriptor)
            self._number, self._offset = number, self._segment_bytes
        if numbers and self._acknowledged.segment < numbers[0]:
            self._acknowledged = Position(numbers[0], len(records.MAGIC))
        return numbers

    def _replay(self, number: int, record: records.Record) -> None:
        if record.kind == Kind.ACKNOWLEDGED:
            self._acknowledged = Position.decode(record.payload)
        elif record.kind == Kind.SENT:
            sent = ledger_pb2.Outcome.FromString(record.payload)
            first = self._unsettled.get(sent.reservation_id)
            segment = first.segment if first else number
            self._unsettled[sent.reservation_id] = _Unsettled(segment, 0, sent, open=True)
        elif record.kind == Kind.OUTCOME:
            self._account(ledger_pb2.Outcome.FromString(record.payload))

    def _resolve(self) -> None:
        for unsettled in list(self._unsettled.values()):
            outcome = ledger_pb2.Outcome()
            outcome.CopyFrom(unsettled.last)
            if unsettled.open:
                outcome.kind, outcome.result = "uncertain", "lost"
                outcome.usage.CopyFrom(common_pb2.Usage())
            outcome.final = True
            self.outcome(outcome)

    def _reader(self, number: int) -> int:
        if self._reading is not None and self._reading[0] == number:
            return self._reading[1]
        if self._reading is not None:
            os.close(self._reading[1])
            self._reading = None
        self._reading = number, records.open_segment(self.directory, number)
        return self._reading[1]

    def _close_files(self) -> None:
        self._thread.shutdown(wait=False)
        self._group.close()
        descriptors = [self._descriptor, self._next, self._reading[1] if self._reading else None]
        for descriptor in descriptors:
            if descriptor is not None and descriptor >= 0:
                os.close(descriptor)
        self._descriptor, self._next, self._reading = -1, None, None
        os.close(self._lock)


def _nobody() -> None:
    """No outbox is attached."""
