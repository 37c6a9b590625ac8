"""Who read or changed a secret: looked up in the audit log, the newest line first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

LOOKED_UP = "accesses"
"""The operation of looking here, which is in the log but not in its own answers."""
SEARCHED_BYTES = 64 * 1024 * 1024
"""How much of the log one question reads: a whole file as it is configured by default."""
_BLOCK = 1024 * 1024


class AuditLine(msgspec.Struct, frozen=True):
    """Who did what to which secret, and what came of it. Never the value."""

    at: str  # RFC 3339
    caller: str
    actor: str  # on whose behalf
    operation: str
    path: str
    version: int
    result: str  # ok, cached (the store is away), or the error's code


class Accesses(NamedTuple):
    """What a look into the log found."""

    lines: list[AuditLine]
    back_to: str
    """When the oldest line was written that was looked at; empty: there is none."""


def newest_accesses(files: Sequence[Path], path: str, limit: int) -> Accesses:
    """Of ``files``, oldest first. Torn lines and those of nobody's format are passed over. Blocks. Raises OSError."""
    found: list[AuditLine] = []
    mark = b'"path":' + msgspec.json.encode(path)
    oldest = b""
    for line in _backwards(files, SEARCHED_BYTES):
        oldest = line
        if mark in line and (read := _read(line)) is not None and read.path == path and read.operation != LOOKED_UP:
            found.append(read)
            if len(found) == limit:
                break
    last = _read(oldest)
    return Accesses(found, last.at if last is not None else "")


def _backwards(files: Sequence[Path], most: int) -> Iterator[bytes]:
    """Whole lines, the last first, of at most ``most`` bytes."""
    for file in reversed(files):
        try:
            with file.open("rb") as opened:
                end = opened.seek(0, 2)
                rest = b""
                while end and most > 0:
                    start = max(0, end - _BLOCK)
                    opened.seek(start)
                    first, *lines = (opened.read(end - start) + rest).split(b"\n")
                    yield from (line for line in reversed(lines) if line)
                    most -= end - start
                    rest, end = first, start
                if not end and rest:
                    yield rest
        except FileNotFoundError:  # nothing was written yet, or it was renamed just now
            continue


def _read(line: bytes) -> AuditLine | None:
    try:
        return msgspec.json.decode(line, type=AuditLine)
    except msgspec.DecodeError:
        return None
