"""What the provider remembers of each call: its own books, to hold the platform's ledger against."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal

import msgspec

_encode = msgspec.json.Encoder().encode


class Call(msgspec.Struct):
    """One call as the provider saw it. ``state`` is ``opened`` until it has produced all it will."""

    attempt_id: str
    model: str
    stream: bool
    status: int = 0
    state: Literal["opened", "completed", "aborted", "refused"] = "opened"
    prompt_tokens: int = 0
    """What is charged, so far."""
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    client_gone: bool = False
    """The client left before the end; the call was charged to its end nevertheless."""
    repeated: bool = False
    """The attempt id was seen before: the platform never sends an attempt twice."""
    opened_at: float = 0.0
    ended_at: float | None = None
    """When it was received, and when the last of its reply was written: seconds of ``time.monotonic``."""
    received_at: float = 0.0
    """Seconds since 1970."""
    request_id: str = ""
    """The provider's own, as its answer said it; empty: it got no answer."""


class Record:
    """Calls by arrival; each change is a line of JSON appended to ``path``, which survives everyone."""

    def __init__(self, path: Path | None = None) -> None:
        self.calls: list[Call] = []
        self._by_attempt: dict[str, Call] = {}
        self._file: IO[bytes] | None = path.open("ab", buffering=0) if path else None

    def open(self, attempt_id: str, model: str, stream: bool) -> Call:
        call = Call(
            attempt_id,
            model,
            stream,
            repeated=attempt_id in self._by_attempt,
            opened_at=time.monotonic(),
            received_at=time.time(),
        )
        self.calls.append(call)
        self._by_attempt[attempt_id] = call
        self.note(call)
        return call

    def note(self, call: Call) -> None:
        if self._file:
            self._file.write(_encode(call) + b"\n")

    def of(self, attempt_id: str) -> Call:
        return self._by_attempt[attempt_id]

    def clear(self) -> None:
        self.calls.clear()
        self._by_attempt.clear()

    def close(self) -> None:
        if self._file:
            self._file.close()


def read(path: Path) -> Iterator[Call]:
    """The last state of each call in a record file, in order of arrival; repeated attempts come once for each line."""
    calls: dict[str, Call] = {}
    repeated = []
    with path.open("rb") as lines:
        for line in lines:
            call = msgspec.json.decode(line, type=Call)
            if call.repeated:
                repeated.append(call)
            else:
                calls[call.attempt_id] = call
    yield from calls.values()
    yield from repeated
