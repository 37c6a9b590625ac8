"""Hands the first admin's password and key to the operator."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

import msgspec

from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.key_file import sync_folder
from llm_platform.proto import accounts_pb2


class Handover:
    """Writes the first credentials to ``path`` (JSON, mode 0600); without a path only the answer holds them.

    Written before the database commits them: whoever finds them committed finds the file too. The operator
    removes it once read.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    async def write(self, result: accounts_pb2.Bootstrapped) -> None:
        """Raises UNAVAILABLE when the file cannot be written: then nothing is committed."""
        if self._path is None:
            return
        try:
            await asyncio.to_thread(_replace, self._path, _encode(result))
        except OSError as error:
            raise PlatformError(
                Code.UNAVAILABLE,
                f"The first admin was not made: stores.bootstrap_file cannot be written ({error.strerror}).",
            ) from error


def _encode(result: accounts_pb2.Bootstrapped) -> bytes:
    content = {"admin": result.admin.name, "password": result.password, "key": result.key.secret}
    return msgspec.json.format(msgspec.json.encode(content)) + b"\n"


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
        sync_folder(path.parent)
    finally:
        Path(draft).unlink(missing_ok=True)
