"""``ledger archive remove``: what an archive has leaves the ledger, once billing has held one against the other.

It may be broken off at any moment and run again: billing knows how far it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llm_platform.billing.archive import BEGINNING, Link, segment_lines, verified
from llm_platform.billing.periods import microseconds
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, ledger_pb2

if TYPE_CHECKING:
    from llm_platform.billing.interfaces import Ledger


@dataclass
class Removed:
    """What a run has done, or would do. ``archived_to``: the last entry that may be removed from now on."""

    archived_to: int
    confirmed: int = 0
    """Entries that are newly known to be in the archive."""
    removed: int = 0
    """Entries that left the ledger. Fewer where calls are not over, or reach beyond the archive's end."""


@dataclass(frozen=True)
class Wanted:
    """``before``: RFC 3339, empty: as late as billing lets. Only segments whose entries are all older are removed."""

    before: str = ""
    dry_run: bool = False


async def remove(
    ledger: Ledger, directory: Path, wanted: Wanted, tell: Callable[[ledger_pb2.RetentionState], None]
) -> Removed:
    """``tell`` hears how far it is. Raises PlatformError, OSError; what was removed by then is, and the rest is not."""
    end = verified(directory)
    state = await ledger.retention(common_pb2.Empty())
    before = _before(wanted, state)
    if not end.segment:
        raise PlatformError(Code.NOT_FOUND, f"There are no segments in {directory}: `ledger archive write` makes them.")
    await _refuse_wrong_books(ledger)
    done = Removed(state.archived_to)
    for archived, entries in _ranges(directory, end, before, state.archived_to):
        archived.check_only = wanted.dry_run
        await ledger.confirm_archive(archived)
        done.archived_to = archived.last
        done.confirmed += entries
    if not wanted.dry_run:
        done.removed = await _remove(ledger, tell)
    return done


def _before(wanted: Wanted, state: ledger_pb2.RetentionState) -> int:
    latest = microseconds("removable_before", state.removable_before)
    before = microseconds("before", wanted.before) if wanted.before else latest
    if before > latest:
        raise PlatformError(
            Code.INVALID_REQUEST,
            f"before: entries from {state.removable_before} on are kept (billing.retention_days).",
            param="before",
        )
    return before


async def _refuse_wrong_books(ledger: Ledger) -> None:
    """What is wrong is found while the entries are there."""
    if problems := (await ledger.verify(common_pb2.Empty())).problems:
        raise PlatformError(
            Code.CONFLICT, f"The ledger does not verify, so nothing was removed: {problems[0]} (`ledger verify`)."
        )


def _ranges(directory: Path, end: Link, before: int, known_to: int) -> Iterator[tuple[ledger_pb2.ArchivedRange, int]]:
    """What each segment has after ``known_to``, and how many entries, up to the first that is too young."""
    link = BEGINNING
    while link.segment < end.segment:
        hashed, entries = hashlib.sha256(), 0
        for reached, line in segment_lines(directory, link):
            link = reached
            if line and reached.last > known_to:
                if json.loads(line)["created_at"] >= before:
                    return
                hashed.update(line.encode() + b"\n")
                entries += 1
        if link.last > known_to:
            yield ledger_pb2.ArchivedRange(after=known_to, last=link.last, sha256=hashed.hexdigest()), entries
            known_to = link.last


async def _remove(ledger: Ledger, tell: Callable[[ledger_pb2.RetentionState], None]) -> int:
    first = state = await ledger.retention(common_pb2.Empty())
    while state.examined_to < state.archived_to:
        state = await ledger.remove_archived(common_pb2.Empty())
        tell(state)
    return state.removed - first.removed
