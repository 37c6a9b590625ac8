"""The write lock of all processes on the folder of an embedded store."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from llm_platform.core.errors import Code, PlatformError

LOCK_SECONDS = 2.0
"""How long a write waits for another process that is writing; less than its caller waits for us."""
OPENING_SECONDS = 10.0
"""The same for a store that is being opened: nobody waits for an answer yet, and replicas start at once."""


@contextlib.contextmanager
def write_lock(store: Path, seconds: float | None = None) -> Iterator[None]:
    """Held while the block runs; it ends with the process that holds it.

    Raises UNAVAILABLE when another process keeps it for ``seconds``, by default LOCK_SECONDS; OSError when there can be
    none.
    """
    lock = os.open(store.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + (LOCK_SECONDS if seconds is None else seconds)
        while not _try_lock(lock):
            if time.monotonic() > deadline:
                raise PlatformError(
                    Code.UNAVAILABLE, "Another process is writing secrets. Try again shortly.", retry_after=1
                )
            time.sleep(0.01)
        yield
    finally:
        os.close(lock)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
