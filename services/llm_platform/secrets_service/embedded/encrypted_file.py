"""The embedded store's file, shared by the processes on one directory.

JSON in two lines, so that the second can be authenticated byte for byte:

    {"format": 1, "key": "<key id>", "signature": "<HMAC-SHA256 of the second line>"}
    {"store": "<id>", "secrets": {"llm/openai/api_key": {"last": 2, "updated_at": …, "versions": {"2": "<base64>"}, …}}}

Paths and all but the values are readable, values are sealed (versions.py). A write replaces the whole file
(durable.py) under an exclusive lock. What is not known of a release before is left out while it is empty, so that
one reads what it knows. Everything here blocks on the disk.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from llm_platform.core.durable import remove_file, write_file
from llm_platform.core.errors import CannotStartError
from llm_platform.core.ids import new_id
from llm_platform.secrets_service.embedded.keyring import Keyring
from llm_platform.secrets_service.embedded.lock import OPENING_SECONDS, write_lock
from llm_platform.secrets_service.embedded.sealing import Sealer, TamperedError
from llm_platform.secrets_service.info import Info, VersionInfo

FORMAT = 1


class UnusableStoreError(CannotStartError):
    """The store cannot be used with this key, or at all. Says why and what to do; nothing was changed."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One path. Without versions it is deleted; ``last`` goes on counting, so no number ever comes back."""

    last: int
    updated_at: int  # Unix milliseconds
    versions: dict[int, bytes]  # number -> sealed value
    details: dict[int, VersionInfo] = {}
    created_at: int = 0
    created_by: str = ""
    updated_by: str = ""
    description: str = ""
    labels: dict[str, str] = {}
    expires_at: int = 0

    def info(self, now: int) -> Info:
        """As it is at a time (Unix milliseconds): the overlap of a rotation may have ended."""
        return Info(
            last=self.last,
            updated_at=self.updated_at,
            versions={number: self._version(number, now) for number in sorted(self.versions)},
            created_at=self.created_at,
            created_by=self.created_by,
            updated_by=self.updated_by,
            description=self.description,
            labels=self.labels,
            expires_at=self.expires_at,
        )

    def _version(self, number: int, now: int) -> VersionInfo:
        detail = self.details.get(number, VersionInfo())
        ended = number != self.last and 0 < detail.valid_until <= now
        return msgspec.structs.replace(detail, disabled=True) if ended else detail


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

    def __init__(self, path: Path, keyring: Keyring) -> None:
        """Raises UnusableStoreError, UnusableKeyError, SealedError, and UNAVAILABLE when another keeps the lock."""
        self._path = path
        self._keyring = keyring
        self._sealer: Sealer | None = None
        self._content = Content(store="", secrets={})
        self._stamp: _Stamp | None = None
        with self._named_failures():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.locked(OPENING_SECONDS):
            if path.exists():
                self.read()
                keyring.settle(self.sealer.key_id)
            else:
                self.replace(Content(store=new_id("store"), secrets={}), keyring.first())

    @property
    def sealer(self) -> Sealer:
        """What the content is sealed with, as it was read last."""
        assert self._sealer is not None  # noqa: S101 - set by whatever opened the file
        return self._sealer

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

    def replace(self, content: Content, sealer: Sealer | None = None) -> None:
        """Writes; on return it is on the disk. Only inside ``locked``. Raises UnusableStoreError.

        ``sealer`` is another one than before: then the content as it was is kept beside it.
        """
        body = msgspec.json.encode(content)
        used = sealer or self.sealer
        header = _Header(format=FORMAT, key=used.key_id, signature=used.sign(body))
        with self._named_failures():
            if sealer is not None and self._path.exists():
                write_file(self._kept, self._path.read_bytes())
            self._stamp = _Stamp.of(write_file(self._path, msgspec.json.encode(header) + b"\n" + body + b"\n"))
        self._content, self._sealer = content, used

    def forget_previous(self) -> None:
        """Removes what a change of the key kept."""
        with self._named_failures():
            remove_file(self._kept)

    @property
    def _kept(self) -> Path:
        return self._path.with_name(f"{self._path.name}.previous")

    @contextlib.contextmanager
    def locked(self, seconds: float | None = None) -> Iterator[None]:
        """While no other process writes. Raises UNAVAILABLE when one keeps the lock."""
        with contextlib.ExitStack() as held:
            with self._named_failures():
                held.enter_context(write_lock(self._path, seconds))
            yield

    def unusable(self, reason: str) -> UnusableStoreError:
        return UnusableStoreError(f"The store of secrets {self._path} {reason}.")

    def _trusted(self, header_line: bytes, body: bytes) -> Content:
        try:
            header = msgspec.json.decode(header_line, type=_Header)
        except msgspec.MsgspecError:
            raise self.unusable("is not a store of secrets, or is damaged; restore it from a backup") from None
        if header.format != FORMAT:
            raise self.unusable(f"has format {header.format}, this release reads {FORMAT}; run the newer release")
        sealer = self._sealer
        if sealer is None or header.key != sealer.key_id:
            sealer = self._keyring.find(header.key)
        if sealer is None:
            given = self._keyring.first().key_id
            raise self.unusable(f"was written with another key ({header.key}; given is {given}); give the right one")
        try:
            sealer.check(body, header.signature)
            content = msgspec.json.decode(body, type=Content)
        except (TamperedError, msgspec.MsgspecError):
            raise self.unusable("was changed by something else, or is damaged; restore it from a backup") from None
        self._sealer = sealer
        return content

    @contextlib.contextmanager
    def _named_failures(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self.unusable(f"cannot be used: {error.strerror}") from error
