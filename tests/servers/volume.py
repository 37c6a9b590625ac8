"""A small file system of its own, to be filled."""

from __future__ import annotations

import errno
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


class Volume:
    """A tmpfs, which root may mount. Use it as a context manager; skips the test where mounting is not permitted."""

    def __init__(self, megabytes: int) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="llm-volume-"))
        self._filler = self.path / "filler"
        self._size = f"size={megabytes}m"

    def __enter__(self) -> Volume:
        mount = ["mount", "-t", "tmpfs", "-o", f"{self._size},mode=0777", "tmpfs", str(self.path)]
        done = subprocess.run(mount, capture_output=True, check=False)
        if done.returncode:
            self.path.rmdir()
            pytest.skip(f"a full disk needs a mount: {done.stderr.decode().strip()}")
        return self

    def __exit__(self, *_: object) -> None:
        # Lazily: what still runs there ends a moment later.
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)
        shutil.rmtree(self.path, ignore_errors=True)

    def fill(self) -> None:
        """Not a byte is free afterwards."""
        with self._filler.open("ab", buffering=0) as filler:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        filler.write(b"\0" * size)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)
