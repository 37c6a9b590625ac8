"""Archives of the ledger: compressed segments of JSON lines, chained by their hashes.

A segment holds consecutive entries between a head, which carries the hash of the segment before, and a foot, which
carries its own. A changed, missing, added or exchanged line, or a whole segment, breaks the chain. A segment is written
beside its place and moved there when it is on the disk: a crash leaves whole segments, and the next run goes on.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, NoReturn

from llm_platform.billing.periods import rfc3339
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, ledger_pb2

if TYPE_CHECKING:
    from llm_platform.billing.interfaces import Ledger

SEGMENT_ENTRIES = 50_000
FORMAT = "llm-platform-ledger-1"
_FIRST_HASH = "0" * 64
_SETTLED_SECONDS = 120
"""Younger entries are not read back (``reports.py``); billing's clock may be some seconds behind."""
_LONGEST_LINE = 1024 * 1024


class Link(NamedTuple):
    """The end of a chain: where the next segment goes on."""

    segment: int
    last: int
    """The sequence of its last entry."""
    sha256: str


BEGINNING = Link(0, 0, _FIRST_HASH)


@dataclass
class Archived:
    """What a run has done."""

    segments: int = 0
    entries: int = 0


async def write(ledger: Ledger, before: str, directory: Path) -> Archived:
    """Goes on after the last segment in the directory. Raises PlatformError, OSError; whole segments stay."""
    link = verified(directory)
    known = await ledger.retention(common_pb2.Empty())
    if link.segment and link.last < known.archived_to:
        raise PlatformError(
            Code.CONFLICT,
            f"This archive ends with entry {link.last}, and entries up to {known.archived_to} were removed as another "
            "one has them: go on with that one, or begin one in an empty folder, which has what is left.",
        )
    done = Archived()
    while True:
        with _Segment(directory, link) as segment:
            end = await _fill(segment, ledger, before)
            if not segment.entries:
                return done
            link = segment.finish()
        done.segments += 1
        done.entries += segment.entries
        if end:
            return done


async def _fill(segment: _Segment, ledger: Ledger, before: str) -> bool:
    """Whether there are no more entries."""
    while segment.entries < SEGMENT_ENTRIES:
        page = await ledger.read_back(ledger_pb2.ReadBackQuery(after=segment.last, before=before))
        for entry in page.entries:
            segment.add(entry)
        segment.last = page.last
        if page.end:
            return True
    return False


class _Segment:
    """One that is being written; without ``finish`` nothing is left of it."""

    def __init__(self, directory: Path, after: Link) -> None:
        self._number = after.segment + 1
        self._path = _path(directory, self._number)
        self._partial = self._path.with_suffix(".partial")
        self._hash = hashlib.sha256()
        self.last = after.last
        self.entries = 0
        head = {"format": FORMAT, "segment": self._number, "after": after.last, "previous_sha256": after.sha256}
        self._head = json.dumps(head)

    def __enter__(self) -> _Segment:
        self._raw = self._partial.open("wb")
        # The same entries give the same bytes, whenever they are archived.
        self._file = gzip.GzipFile(filename="", mode="wb", fileobj=self._raw, mtime=0)
        self._line(self._head)
        return self

    def add(self, entry: str) -> None:
        self._line(entry)
        self.entries += 1

    def finish(self) -> Link:
        digest = self._hash.hexdigest()
        self._line(json.dumps({"entries": self.entries, "last": self.last, "sha256": digest}))
        self._file.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._partial.rename(self._path)
        _sync(self._path.parent)
        return Link(self._number, self.last, digest)

    def __exit__(self, *_error: object) -> None:
        self._file.close()
        self._raw.close()
        with suppress(FileNotFoundError):
            self._partial.unlink()

    def _line(self, text: str) -> None:
        line = text.encode() + b"\n"
        self._hash.update(line)
        self._file.write(line)


def verified(directory: Path) -> Link:
    """Checks the segments and their chain; where it ends. Raises CONFLICT for the first that is not right, OSError."""
    link = BEGINNING
    for number in sorted(int(path.name[7:15]) for path in directory.glob("ledger-[0-9]*.jsonl.gz")):
        if number != link.segment + 1:
            _refuse(link.segment + 1, "it is missing")
        link, _ = deque(segment_lines(directory, link), maxlen=1).pop()
    return link


def found(directory: Path, attempt_ids: Collection[str]) -> Iterator[str]:
    """The entries of attempts, as they are archived. Raises as ``verified``."""
    references = set(attempt_ids)
    end, link = verified(directory), BEGINNING
    while link.segment < end.segment:
        for reached, line in segment_lines(directory, link):
            link = reached
            if line and json.loads(line)["reference"].partition("~")[0] in references:
                yield line


async def differing(ledger: Ledger, directory: Path, *, clock: Callable[[], float] = time.time) -> int | None:
    """The sequence of the first entry that the ledger has otherwise than the archive, or not; None: there is none.
    That it was removed is no difference."""
    live = _Live(ledger, rfc3339(int((clock() - _SETTLED_SECONDS) * 1_000_000)))
    link = BEGINNING
    while _path(directory, link.segment + 1).exists():
        for reached, entry in segment_lines(directory, link):
            if entry and not await live.agrees(reached.last, entry):
                return reached.last
            end = reached
        link = end
    return None


class _Live:
    """The ledger's entries, one by one."""

    def __init__(self, ledger: Ledger, before: str) -> None:
        self._ledger = ledger
        self._before = before
        self._page = ledger_pb2.ReadBackPage()
        self._waiting: list[str] = []

    async def agrees(self, sequence: int, entry: str) -> bool:
        """Whether the ledger has it as it is here, or has removed it. To be asked in the order of the entries."""
        if not self._waiting and not self._page.end:
            query = ledger_pb2.ReadBackQuery(after=self._page.last, before=self._before)
            self._page = await self._ledger.read_back(query)
            self._waiting = list(reversed(self._page.entries))
        if self._waiting and self._waiting[-1] == entry:
            self._waiting.pop()
            return True
        following = json.loads(self._waiting[-1])["sequence"] if self._waiting else self._page.archived_to + 1
        return sequence < following and sequence <= self._page.archived_to


def segment_lines(directory: Path, after: Link) -> Iterator[tuple[Link, str]]:
    """The entries of the next segment, each with the link at it; the last item is the segment's end, without one."""
    number = after.segment + 1
    hashed = hashlib.sha256()
    with gzip.open(_path(directory, number), "rb") as file:
        head = _object(number, _read(number, file), hashed)
        expected = {"format": FORMAT, "segment": number, "after": after.last, "previous_sha256": after.sha256}
        if head != expected:
            _refuse(number, "it does not follow the one before")
        entries, last = 0, after.last
        line = _read(number, file)
        while following := _read(number, file, end=True):
            entry = _object(number, line, hashed)
            sequence = entry.get("sequence")
            if not isinstance(sequence, int) or sequence <= last:
                _refuse(number, "its entries are not in order")
            entries, last = entries + 1, sequence
            yield Link(number, last, ""), line.decode().rstrip("\n")
            line = following
        digest = hashed.hexdigest()
        if _object(number, line, hashed) != {"entries": entries, "last": last, "sha256": digest}:
            _refuse(number, "its foot does not agree with its entries")
    yield Link(number, last, digest), ""


def _read(number: int, file: IO[bytes] | gzip.GzipFile, *, end: bool = False) -> bytes:
    try:
        line = file.readline(_LONGEST_LINE)
    except (EOFError, OSError, ValueError) as error:
        _refuse(number, f"it cannot be read: {error}")
    if not line and not end:
        _refuse(number, "it is cut off")
    return line


def _object(number: int, line: bytes, hashed: Any) -> dict[str, Any]:
    hashed.update(line)
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        _refuse(number, "a line of it is not a JSON object")
    return found


def _path(directory: Path, number: int) -> Path:
    return directory / f"ledger-{number:08d}.jsonl.gz"


def _sync(directory: Path) -> None:
    folder = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _refuse(number: int, reason: str) -> NoReturn:
    raise PlatformError(Code.CONFLICT, f"Segment {number} of the archive: {reason}.")
