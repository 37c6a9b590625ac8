"""The audit trail: one JSON line for each access, on the disk before the access is answered.

Lines are appended whole (O_APPEND) under a lock, so processes share the file, and each carries the hash of itself and
of the one before it: one that is changed, removed or put in between is found (``verify``). What comes together is
made durable by one fsync. A full file is renamed (audit.log.1 is the newest); so may others rename it. When a line
cannot be written the access fails: an access that nobody can account for does not happen.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from llm_platform.core import metrics
from llm_platform.core.actor import actor
from llm_platform.core.batch import Batcher
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.rpc.caller import caller
from llm_platform.secrets_service.accesses import Accesses, AuditLine, newest_accesses
from llm_platform.secrets_service.disk import Disk

LOCK_SECONDS = 2.0
"""How long a line waits for another process that writes some."""

_TAIL_BYTES = 64 * 1024
"""No line is longer."""
_CHAINED = re.compile(rb'(\{.*),"chain":"([0-9a-f]{64})"\}\Z')

log = get_logger("secrets-service")


class AuditLog:
    """Appends to ``path`` (mode 0600) and to the service's log. ``clock`` gives Unix seconds."""

    def __init__(
        self,
        path: Path,
        disk: Disk,
        clock: Callable[[], float] = time.time,
        *,
        file_bytes: int = 64 * 1024 * 1024,
        files: int = 10,
    ) -> None:
        self._disk = disk
        self._clock = clock
        self._path = path
        self._file = _ChainedFile(path, file_bytes, files)
        self._append: Batcher[AuditLine, None] = Batcher(self._append_batch, in_flight=1)

    async def record(self, operation: str, path: str, version: int, result: str) -> None:
        """Returns once the line is on the disk. Raises UNAVAILABLE when it cannot be written."""
        now = self._clock()
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        line = AuditLine(at, caller.get(), actor.get().id, operation, path, version, result)
        metrics.secret_accesses.labels(operation, result).inc()
        log.info(
            "secret accessed",
            caller=line.caller,
            actor=line.actor,
            operation=operation,
            version=version,
            result=result,
            path=path,
        )
        await self._append(line)

    async def accesses(self, path: str, limit: int) -> Accesses:
        """The newest accesses to a path. Raises UNAVAILABLE when the log cannot be read."""
        try:
            return await asyncio.to_thread(newest_accesses, log_files(self._path), path, limit)
        except OSError as error:
            raise PlatformError(Code.UNAVAILABLE, f"The audit log cannot be read: {error.strerror}.") from error

    async def aclose(self) -> None:
        """Waits for what was accepted."""
        await self._append.aclose()

    async def _append_batch(self, lines: Sequence[AuditLine]) -> Sequence[None]:
        try:
            await self._disk(lambda: self._file.append([msgspec.json.encode(each) for each in lines]))
        except OSError as error:
            log.error("the audit log cannot be written, so secrets are not given out", reason=str(error))
            raise PlatformError(
                Code.UNAVAILABLE, "The access could not be written to the audit log, so it is refused.", retry_after=1
            ) from error
        return [None] * len(lines)


class _ChainedFile:
    """The file on the disk. Blocks."""

    def __init__(self, path: Path, file_bytes: int, files: int) -> None:
        self._path = path
        self._file_bytes = file_bytes
        self._files = files
        self._chain = ""
        self._end = (0, 0)
        """Inode and size after our own last line: then the chain is known."""

    def append(self, lines: Iterable[bytes]) -> None:
        with self._opened() as file:
            if os.fstat(file).st_size < self._file_bytes:
                self._append_to(file, lines)
                return
            self._make_room()
        with self._opened() as file:
            self._append_to(file, lines)

    def _append_to(self, file: int, lines: Iterable[bytes]) -> None:
        status = os.fstat(file)
        chain = self._chain_at(file, status)
        text = b"" if self._ends_whole(file, status.st_size) else b"\n"  # a crash tore the last line off
        for line in lines:
            chain = chained(chain, line)
            text += b'%b,"chain":"%b"}\n' % (line[:-1], chain.encode())
        written = os.write(file, text)
        if written < len(text):
            raise OSError(f"{self._path}: only {written} of {len(text)} bytes could be written")
        os.fsync(file)
        self._chain, self._end = chain, (status.st_ino, status.st_size + written)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        file = self._open()
        try:
            yield file
        finally:
            os.close(file)

    def _open(self) -> int:
        """Locked until it is closed."""
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(file), self._path.stat()):
                    return file
            except (BlockingIOError, FileNotFoundError):
                pass
            except BaseException:
                os.close(file)
                raise
            os.close(file)
            if time.monotonic() > deadline:
                raise OSError(f"{self._path}: another process keeps it locked")
            time.sleep(0.005)

    def _chain_at(self, file: int, status: os.stat_result) -> str:
        if (status.st_ino, status.st_size) == self._end:
            return self._chain
        if status.st_size:
            return _last_chain(os.pread(file, _TAIL_BYTES, max(0, status.st_size - _TAIL_BYTES)))
        if self._chain:
            return self._chain  # renamed by somebody
        try:
            with self._rotated(1).open("rb") as before:
                before.seek(max(0, os.fstat(before.fileno()).st_size - _TAIL_BYTES))
                return _last_chain(before.read())
        except FileNotFoundError:
            return ""

    def _ends_whole(self, file: int, size: int) -> bool:
        return size == 0 or os.pread(file, 1, size - 1) == b"\n"

    def _make_room(self) -> None:
        """Oldest first: what a crash leaves, or what more files were kept before, is one chain still."""
        for number, file in _renamed(self._path):
            if number >= self._files:
                file.unlink()
        for number in range(self._files - 1, 0, -1):
            if self._rotated(number).exists():
                self._rotated(number).replace(self._rotated(number + 1))
        self._path.replace(self._rotated(1))
        self._rotated(self._files).unlink(missing_ok=True)

    def _rotated(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class Verified(NamedTuple):
    """What a look at the chain found."""

    lines: int
    torn: int
    """Unfinished ones: a crash leaves such, and its access was not answered."""
    broken: str
    """Where the chain breaks, as FILE:LINE; empty when it does not."""


def chained(chain: str, line: bytes) -> str:
    """The hash of a line (without its own) that follows one with the hash ``chain``."""
    return hashlib.sha256(chain.encode() + line).hexdigest()


def verify(path: Path) -> Verified:
    """Checks the log and its renamed files, oldest first. Lines of releases that had no chain stand at its beginning.

    Raises OSError.
    """
    count = torn = 0
    chain: str | None = None
    for file in log_files(path):
        for number, line in enumerate(file.read_bytes().splitlines(), 1):
            found = _CHAINED.match(line)
            if found is None:
                if chain is not None:
                    if _is_line(line):
                        return Verified(count, torn, f"{file}:{number}")
                    torn += 1
                continue
            if chain is not None and chained(chain, found[1] + b"}") != found[2].decode():
                return Verified(count, torn, f"{file}:{number}")
            chain = found[2].decode()
            count += 1
    return Verified(count, torn, "")


def log_files(path: Path) -> list[Path]:
    """All that are kept, oldest first."""
    return [*(each for _, each in _renamed(path)), path]


def _renamed(path: Path) -> list[tuple[int, Path]]:
    """The files that once had this path, with their numbers, oldest first."""
    files = ((each.suffix[1:], each) for each in path.parent.glob(f"{path.name}.*"))
    return sorted(((int(number), each) for number, each in files if number.isdigit()), reverse=True)


def _is_line(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return True


def _last_chain(tail: bytes) -> str:
    for line in reversed(tail.splitlines()):
        if found := _CHAINED.match(line):
            return found[2].decode()
    return ""
