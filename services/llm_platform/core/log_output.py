"""Where log lines go: a file, or a standard stream."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from typing import IO

FLUSH_SECONDS = 0.02
"""How long a line may wait for others. A busy entry logs a line a request: each as a system call of its own, which
wakes whoever reads the stream, costs more than making it."""
MOST_WAITING = 256
"""Lines."""


class LogOutput:
    """Takes whole lines, from any thread. A full disk or a closed pipe must not fail requests: such lines are counted.

    Under an event loop, lines of the levels ``debug`` and ``info`` wait up to FLUSH_SECONDS, so a process that is
    killed may lose its last ones; lines of higher levels are written at once, after those that wait.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._stream: IO[bytes] = sys.stdout.buffer
        self._lock = threading.Lock()
        self._waiting: list[bytes] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self.lost = 0

    def open(self, target: Path | IO[bytes]) -> None:
        """Writes to ``target`` from now on. Raises ``OSError`` when the file cannot be opened; then nothing changes."""
        path = target if isinstance(target, Path) else None
        stream = _opened(target) if isinstance(target, Path) else target
        with self._lock:
            self._write_waiting()
            previous = self._stream if self._path else None
            self._stream, self._path = stream, path
        if previous is not None:
            previous.close()

    def reopen(self) -> None:
        if self._path is not None:
            self.open(self._path)

    def write(self, line: bytes) -> None:
        """Writes what waits, and the line, now."""
        with self._lock:
            self._waiting.append(line)
            self._write_waiting()

    def post(self, line: bytes) -> None:
        """Writes the line soon; now, where no event loop runs."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.write(line)
            return
        with self._lock:
            first = not self._waiting or self._loop is not loop  # a loop that has ended writes nothing any more
            self._waiting.append(line)
            if len(self._waiting) >= MOST_WAITING:
                self._write_waiting()
            elif first:
                self._loop = loop
                loop.call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Writes what waits."""
        with self._lock:
            self._write_waiting()

    def _write_waiting(self) -> None:
        if not self._waiting:
            return
        lines, self._waiting = self._waiting, []
        try:
            self._stream.write(b"".join(lines))
            self._stream.flush()
        except (OSError, ValueError):
            self.lost += len(lines)

    # What structlog calls, by the line's level.
    debug = info = post
    msg = warning = error = critical = exception = log = fatal = failure = err = write


def _opened(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab", buffering=0)
