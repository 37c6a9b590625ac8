"""How the journal looks on disk.

A journal is a directory of segments, ``00000001.journal`` and on, each of a fixed size that is
allocated when it is made, so that writing to it cannot run out of disk. A segment is an eight-byte magic and
then frames: length of the payload (u32), CRC-32 of kind and payload (u32), kind (u8), payload; all little-endian.
Zeros follow the last frame. A frame that was torn by a crash fails its length or its CRC: what is before it
counts, what is after it never does.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

MAGIC = b"LLMJRNL\x01"
_FRAME = struct.Struct("<IIB")
_POSITION = struct.Struct("<QQ")
_LARGEST_PAYLOAD = 1024 * 1024
_READ_BYTES = 256 * 1024
OVERHEAD = _FRAME.size


class Kind(IntEnum):
    """A reader skips kinds it does not know: a newer release may have written them."""

    SENT = 1
    OUTCOME = 2
    ACKNOWLEDGED = 3


class Position(NamedTuple):
    """A place in a journal: everything before it is meant."""

    segment: int
    offset: int

    def encode(self) -> bytes:
        return _POSITION.pack(*self)

    @classmethod
    def decode(cls, payload: bytes) -> Position:
        return cls(*_POSITION.unpack(payload))


class Record(NamedTuple):
    kind: int
    payload: bytes
    end: int
    """Offset after it."""


class TornRecordError(Exception):
    """A frame is not whole; ``offset`` is where it begins."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"a record at offset {offset} is not whole")
        self.offset = offset


def frame(kind: Kind, payload: bytes) -> bytes:
    crc = zlib.crc32(payload, zlib.crc32(bytes((kind,))))
    return _FRAME.pack(len(payload), crc, kind) + payload


def scan(descriptor: int, start: int) -> Iterator[Record]:
    """The records from ``start`` to the end of what was written. Raises ``TornRecordError``."""
    offset = start
    while True:
        window = os.pread(descriptor, _READ_BYTES, offset)
        at = 0
        while at + OVERHEAD <= len(window):
            length, crc, kind = _FRAME.unpack_from(window, at)
            if length == 0 and crc == 0 and kind == 0:
                return
            if length > _LARGEST_PAYLOAD:
                raise TornRecordError(offset + at)
            end = at + OVERHEAD + length
            if end > len(window):
                break
            payload = window[at + OVERHEAD : end]
            if zlib.crc32(payload, zlib.crc32(bytes((kind,)))) != crc:
                raise TornRecordError(offset + at)
            yield Record(kind, payload, offset + end)
            at = end
        offset += at
        if len(window) < _READ_BYTES:
            if any(window[at:]):
                raise TornRecordError(offset)
            return
        if at == 0:
            raise TornRecordError(offset)


def segment_path(directory: Path, number: int) -> Path:
    return directory / f"{number:08d}.journal"


def segment_numbers(directory: Path) -> list[int]:
    """In order."""
    return sorted(int(path.stem) for path in directory.glob("*.journal") if path.stem.isdigit())


def create_segment(directory: Path, number: int, size: int) -> int:
    """Makes a segment whose room is allocated and durable; returns its descriptor. Raises ``OSError``."""
    path = segment_path(directory, number)
    unfinished = path.with_suffix(".new")
    descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
        os.pwrite(descriptor, MAGIC, 0)
        os.fsync(descriptor)
        unfinished.rename(path)
        _sync_directory(directory)
    except BaseException:
        os.close(descriptor)
        unfinished.unlink(missing_ok=True)
        raise
    return descriptor


def open_segment(directory: Path, number: int) -> int:
    """A descriptor for reading. Raises ``OSError``, or ``TornRecordError`` if it is no segment of a known version."""
    descriptor = os.open(segment_path(directory, number), os.O_RDONLY | os.O_CLOEXEC)
    if os.pread(descriptor, len(MAGIC), 0) != MAGIC:
        os.close(descriptor)
        raise TornRecordError(0)
    return descriptor


def lock(directory: Path) -> int | None:
    """Locks a journal's directory; None if a living process owns it, or it is gone."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        still_there = directory.stat().st_ino == os.fstat(descriptor).st_ino
    except (BlockingIOError, FileNotFoundError):
        still_there = False
    if still_there:
        return descriptor
    os.close(descriptor)
    return None


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
