"""Key material in a file of its own: made once, by whichever process comes first."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from llm_platform.core.errors import CannotStartError

KEY_BYTES = 32


class UnusableKeyError(CannotStartError):
    """The key is missing or damaged: the service must not start. Says why and what to do."""


def parse_key(text: str, name: str) -> bytes:
    """The 256-bit key written as base64; ``name`` says in the error where it stands. Raises UnusableKeyError."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise UnusableKeyError(
            f"{name} must be the base64 of {KEY_BYTES} bytes; `openssl rand -base64 {KEY_BYTES}` makes one."
        )
    return key


def read_key(path: Path) -> bytes:
    """The key in the file. Raises UnusableKeyError."""
    try:
        text = path.read_text("ascii", errors="replace")
    except OSError as error:
        raise UnusableKeyError(f"The key file {path} cannot be read: {error.strerror}.") from error
    return parse_key(text, f"The key file {path}")


def read_or_make_key(path: Path) -> bytes:
    """The key in the file, which is made (mode 0600) when there is none. Raises UnusableKeyError.

    Processes that start together get the same key: the file appears complete, under its name, once (link(2)
    fails when the name exists).
    """
    if not path.exists():
        try:
            _make(path)
        except OSError as error:
            raise UnusableKeyError(f"The key file {path} cannot be made: {error.strerror}.") from error
    return read_key(path)


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its key is the key
            os.link(draft, path)
        sync_folder(path.parent)
    finally:
        Path(draft).unlink()


def sync_folder(path: Path) -> None:
    """Makes names in the folder (created, linked, replaced) survive a power cut."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
