"""The audit trail: one JSON line for each access, on the disk before the access is answered.

Lines are appended whole (O_APPEND), so processes share the file and it may be rotated by renaming it.
What comes together is made durable by one fsync. When a line cannot be written the access fails: an access
that nobody can account for does not happen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from llm_platform.core import metrics
from llm_platform.core.batch import Batcher
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.rpc.caller import caller
from llm_platform.secrets_service.disk import Disk

log = get_logger("secrets-service")


class AuditLine(msgspec.Struct, frozen=True):
    """Who did what to which secret, and what came of it. Never the value."""

    at: str  # RFC 3339
    caller: str
    operation: str
    path: str
    version: int
    result: str  # ok, cached (the store is away), or the error's code


class AuditLog:
    """Appends to ``path`` (mode 0600) and to the service's log."""

    def __init__(self, path: Path, disk: Disk, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._disk = disk
        self._clock = clock
        self._append: Batcher[AuditLine, None] = Batcher(self._append_batch, in_flight=1)

    async def record(self, operation: str, path: str, version: int, result: str) -> None:
        """Returns once the line is on the disk. Raises UNAVAILABLE when it cannot be written."""
        now = self._clock()
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        line = AuditLine(at, caller.get(), operation, path, version, result)
        metrics.secret_accesses.labels(operation, result).inc()
        log.info("secret accessed", caller=line.caller, operation=operation, version=version, result=result, path=path)
        await self._append(line)

    async def aclose(self) -> None:
        """Waits for what was accepted."""
        await self._append.aclose()

    async def _append_batch(self, lines: Sequence[AuditLine]) -> Sequence[None]:
        try:
            await self._disk(lambda: _append(self._path, b"".join(msgspec.json.encode(each) + b"\n" for each in lines)))
        except OSError as error:
            log.error("the audit log cannot be written, so secrets are not given out", reason=str(error))
            raise PlatformError(
                Code.UNAVAILABLE, "The access could not be written to the audit log, so it is refused.", retry_after=1
            ) from error
        return [None] * len(lines)


def _append(path: Path, lines: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        written = os.write(file, lines)
        if written < len(lines):
            raise OSError(f"{path}: only {written} of {len(lines)} bytes could be written")
        os.fsync(file)
    finally:
        os.close(file)
