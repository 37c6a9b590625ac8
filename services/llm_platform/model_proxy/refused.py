"""Outcomes that billing refuses for good: kept beside the journals until an operator delivers them again.

``refused.journal`` holds their frames (``records.py``). It belongs to every process on the folder, so each change of it
is made under a lock of the folder.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from llm_platform.billing.interfaces import Ledger
from llm_platform.core.errors import Code, PlatformError
from llm_platform.model_proxy import records
from llm_platform.model_proxy.records import Kind, TornRecordError
from llm_platform.proto import ledger_pb2

_NAME = "refused.journal"


class Replayed(NamedTuple):
    """What became of an outcome: ``recorded``, ``known`` (billing had it), or ``refused`` and why."""

    outcome: ledger_pb2.Outcome
    result: str
    reason: str = ""


def set_aside(root: Path, outcome: ledger_pb2.Outcome) -> None:
    """Adds an outcome; it is on the disk when this returns. Raises OSError."""
    with _locked(root):
        descriptor = os.open(root / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # What a crash tore off was never acknowledged, so it is delivered from its journal again.
            end = _scan(descriptor)[1]
            os.ftruncate(descriptor, end)
            os.pwrite(descriptor, records.frame(Kind.OUTCOME, outcome.SerializeToString()), end)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def kept(root: Path) -> list[ledger_pb2.Outcome]:
    """What was set aside, oldest first. ``root`` is the folder of the journals. Raises OSError."""
    try:
        descriptor = os.open(root / _NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    try:
        return _scan(descriptor)[0]
    finally:
        os.close(descriptor)


async def replay(root: Path, ledger: Ledger, not_archived: Collection[str] = ()) -> list[Replayed]:
    """Delivers what was set aside; what is refused again is kept. ``not_archived``: attempts that an operator has
    looked for in the ledger's archive, without finding them.

    Raises PlatformError when billing cannot be asked: then all of it is kept. Billing takes a resend for what it is.
    """
    if not (root / _NAME).exists():
        return []
    with _locked(root):
        replayed = [await _deliver(outcome, ledger, outcome.attempt_id in not_archived) for outcome in kept(root)]
        _keep(root, [each.outcome for each in replayed if each.result == "refused"])
    return replayed


async def _deliver(outcome: ledger_pb2.Outcome, ledger: Ledger, not_archived: bool) -> Replayed:
    asked = ledger_pb2.OutcomeBatch(items=[outcome])
    asked.items[0].not_archived = not_archived
    try:
        reply = await ledger.record(asked)
    except PlatformError as error:
        if error.code is not Code.INVALID_REQUEST:
            raise
        return Replayed(outcome, "refused", error.message)
    return Replayed(outcome, "recorded" if reply.recorded else "known")


def _keep(root: Path, outcomes: list[ledger_pb2.Outcome]) -> None:
    if not outcomes:
        (root / _NAME).unlink(missing_ok=True)
        return
    fresh = root / f".{_NAME}"
    with fresh.open("wb") as file:
        file.writelines(records.frame(Kind.OUTCOME, each.SerializeToString()) for each in outcomes)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(root / _NAME)


def _scan(descriptor: int) -> tuple[list[ledger_pb2.Outcome], int]:
    """The outcomes that are whole, and where they end."""
    outcomes, end = [], 0
    try:
        for record in records.scan(descriptor, 0):
            end = record.end
            if record.kind == Kind.OUTCOME:
                outcomes.append(ledger_pb2.Outcome.FromString(record.payload))
    except TornRecordError:
        pass
    return outcomes, end


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
