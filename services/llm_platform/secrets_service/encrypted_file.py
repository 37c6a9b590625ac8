"""The embedded store's file, shared by the processes on one directory.

JSON in two lines, so that the second can be authenticated byte for byte:

    {"format": 1, "key": "<key id>", "signature": "<HMAC-SHA256 of the second line>"}
    {"store": "<id>", "secrets": {"llm/openai/api_key": {"last": 2, "updated_at": …, "versions": {"2": "<base64>"}}}}

Paths, version numbers and times are readable, values are sealed (store.py). A write replaces the whole
file (draft, fsync, rename, fsync of the folder) under an exclusive lock. Everything here blocks on the disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from llm_platform.core.errors import CannotStartError, Code, PlatformError
from llm_platform.core.ids import new_id
from llm_platform.core.key_file import sync_folder
from llm_platform.secrets_service.sealing import Sealer, TamperedError

FORMAT = 1
LOCK_SECONDS = 2.0
"""How long a write waits for another process that is writing; less than its caller waits for us."""


class UnusableStoreError(CannotStartError):
    """The store cannot be used with this key, or at all. Says why and what to do; nothing was changed."""


class Entry(msgspec.Struct, frozen=True):
    """One path. Without versions it is deleted; ``last`` goes on counting, so no number ever comes back."""

    last: int
    updated_at: int  # Unix milliseconds
    versions: dict[int, bytes]  # number -> sealed value

    @property
    def current(self) -> int:
        """The newest version; 0: deleted."""
        return max(self.versions, default=0)


class Content(msgspec.Struct, frozen=True):
    """What the file says."""

    store: str  # its id: values of one store do not open in another
    secrets: dict[str, Entry]


class _Header(msgspec.Struct, frozen=True):
    format: int
    key: str
    signature: str


class _Stamp(NamedTuple):
    """Tells one content of the file from another: every write makes a new inode."""

    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> _Stamp:
        return cls(status.st_ino, status.st_size, status.st_mtime_ns)


class EncryptedFile:
    """Reads and replaces the file. Made when missing; refused, and left as it is, when it cannot be trusted."""

    def __init__(self, path: Path, sealer: Sealer) -> None:
        """Raises UnusableStoreError, and PlatformError when another process keeps the lock."""
        self._path = path
        self._sealer = sealer
        self._content = Content(store="", secrets={})
        self._stamp: _Stamp | None = None
        with self._named_failures():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.locked():
            if path.exists():
                self.read()
            else:
                self.replace(Content(store=new_id("store"), secrets={}))

    def read(self) -> Content:
        """The content as it stands on the disk now; read again only when it changed. Raises UnusableStoreError."""
        with self._named_failures():
            if _Stamp.of(self._path.stat()) == self._stamp:
                return self._content
            with self._path.open("rb") as file:
                stamp = _Stamp.of(os.fstat(file.fileno()))
                header, _, body = file.read().partition(b"\n")
        self._content, self._stamp = self._trusted(header, body.removesuffix(b"\n")), stamp
        return self._content

    def replace(self, content: Content) -> None:
        """Writes; on return it is on the disk. Only inside ``locked``. Raises UnusableStoreError."""
        body = msgspec.json.encode(content)
        header = _Header(format=FORMAT, key=self._sealer.key_id, signature=self._sealer.sign(body))
        with self._named_failures():
            self._stamp = _replace(self._path, msgspec.json.encode(header) + b"\n" + body + b"\n")
        self._content = content

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """The write lock of all processes on the directory; it ends with the process that holds it.

        Raises UNAVAILABLE when another process keeps it for LOCK_SECONDS.
        """
        with self._named_failures():
            lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + LOCK_SECONDS
            while not _try_lock(lock):
                if time.monotonic() > deadline:
                    raise PlatformError(
                        Code.UNAVAILABLE, "Another process is writing secrets. Try again shortly.", retry_after=1
                    )
                time.sleep(0.01)
            yield
        finally:
            os.close(lock)

    def unusable(self, reason: str) -> UnusableStoreError:
        return UnusableStoreError(f"The store of secrets {self._path} {reason}.")

    def _trusted(self, header_line: bytes, body: bytes) -> Content:
        try:
            header = msgspec.json.decode(header_line, type=_Header)
        except msgspec.MsgspecError:
            raise self.unusable("is not a store of secrets, or is damaged; restore it from a backup") from None
        if header.format != FORMAT:
            raise self.unusable(f"has format {header.format}, this release reads {FORMAT}; run the newer release")
        if header.key != self._sealer.key_id:
            raise self.unusable(
                f"was written with another key ({header.key}; given is {self._sealer.key_id}); give the right one"
            )
        try:
            self._sealer.check(body, header.signature)
            return msgspec.json.decode(body, type=Content)
        except (TamperedError, msgspec.MsgspecError):
            raise self.unusable("was changed by something else, or is damaged; restore it from a backup") from None

    @contextlib.contextmanager
    def _named_failures(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self.unusable(f"cannot be used: {error.strerror}") from error


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _replace(path: Path, content: bytes) -> _Stamp:
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            stamp = _Stamp.of(os.fstat(file.fileno()))
        Path(draft).replace(path)
        sync_folder(path.parent)
    finally:
        Path(draft).unlink(missing_ok=True)
    return stamp
