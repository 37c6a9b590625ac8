"""Files that are replaced whole: either the old content is there or the new one, also after a power cut."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from llm_platform.core.key_file import sync_folder


def write_file(path: Path, content: bytes) -> os.stat_result:
    """Draft (mode 0600), fsync, rename, fsync of the folder. Raises OSError; then the old content is there."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            status = os.fstat(file.fileno())
        Path(draft).replace(path)
        sync_folder(path.parent)
    finally:
        Path(draft).unlink(missing_ok=True)
    return status


def remove_file(path: Path) -> None:
    """Raises OSError, but not when there is none."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)
