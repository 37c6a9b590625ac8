"""Archives of the ledger: what was changed in them is found, and a run that was broken off goes on."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from llm_platform.billing import archive, reports
from llm_platform.billing.archive import differing, verified, write
from llm_platform.billing.periods import rfc3339
from llm_platform.billing.service import DatabaseLedger
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, ledger_pb2
from tests.unit.billing.calls import entries, outcome, record, reserve, reserve_each
from tests.unit.billing.conftest import Clock


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SEGMENT_ENTRIES", 6)
    monkeypatch.setattr(reports, "READ_BACK", 4)


async def book(ledger: DatabaseLedger, clock: Clock, calls: int) -> str:
    """Answers a time after all of them."""
    for number in range(calls):
        call = reserve(model=f'模型 {number} "\n\u2028')
        await reserve_each(ledger, call)
        await record(ledger, outcome(call, input_tokens=number))
    clock.now += 600
    return rfc3339(int((clock.now - 300) * 1_000_000))


async def test_every_entry_is_archived_once_and_the_chain_is_the_same_however_often_it_was_broken_off(
    ledger: DatabaseLedger, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    before = await book(ledger, clock, 7)
    done = await write(ledger, before, whole)
    assert (done.segments, done.entries) == (3, 21)
    assert (await write(ledger, before, whole)).segments == 0
    end = verified(whole)
    lines = [
        json.loads(line)
        for path in sorted(whole.iterdir())
        for line in gzip.decompress(path.read_bytes()).splitlines()[1:-1]
    ]
    kept = await entries(ledger)
    assert [line["sequence"] for line in lines] == [entry.sequence for entry in kept]
    assert [(line["model"], line["amount"]) for line in lines] == [(entry.model, entry.amount) for entry in kept]
    assert await differing(ledger, whole, clock=clock) is None
    changed(2, lambda lines: lines.__setitem__(2, lines[2].replace(b"key_a", b"key_b")))(whole)
    assert await differing(ledger, whole, clock=clock) == lines[9]["sequence"]

    read_back, pages = ledger.read_back, 0

    async def fails_now_and_then(query: ledger_pb2.ReadBackQuery) -> ledger_pb2.ReadBackPage:
        nonlocal pages
        pages += 1
        if pages % 3 == 0:
            raise PlatformError(Code.UNAVAILABLE, "Not now.")
        return await read_back(query)

    monkeypatch.setattr(ledger, "read_back", fails_now_and_then)
    for _ in range(20):
        try:
            await write(ledger, before, broken)
            break
        except PlatformError:
            (broken / "ledger-00000009.partial").write_bytes(b"torn")
            verified(broken)
    monkeypatch.setattr(ledger, "read_back", read_back)
    assert verified(broken) == end
    later = await book(ledger, clock, 1)
    assert (await write(ledger, later, broken)).entries == 3


def changed(number: int, change: Callable[[list[bytes]], object]) -> Callable[[Path], object]:
    def apply(directory: Path) -> None:
        path = directory / f"ledger-{number:08d}.jsonl.gz"
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        change(lines)
        path.write_bytes(gzip.compress(b"".join(lines)))

    return apply


TAMPERING: dict[str, Callable[[Path], object]] = {
    "a line is changed": changed(1, lambda lines: lines.__setitem__(1, lines[1].replace(b"200000", b"100000"))),
    "a line is missing": changed(2, lambda lines: lines.pop(1)),
    "a line is there twice": changed(2, lambda lines: lines.insert(1, lines[1])),
    "lines are exchanged": changed(1, lambda lines: lines.insert(1, lines.pop(2))),
    "the foot is missing": changed(1, lambda lines: lines.pop()),
    "everything is missing": changed(1, lambda lines: lines.clear()),
    "a line is no JSON": changed(1, lambda lines: lines.__setitem__(3, b"[" * 90_000 + b"\n")),
    "the first segment is missing": lambda directory: (directory / "ledger-00000001.jsonl.gz").unlink(),
    "a segment is cut off": lambda directory: _cut(directory / "ledger-00000002.jsonl.gz"),
    "a segment is another": lambda directory: (directory / "ledger-00000002.jsonl.gz").write_bytes(
        (directory / "ledger-00000001.jsonl.gz").read_bytes()
    ),
}


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-15])


@pytest.mark.parametrize("how", TAMPERING)
async def test_an_archive_that_was_tampered_with_is_refused(
    ledger: DatabaseLedger, clock: Clock, tmp_path: Path, how: str
) -> None:
    directory = tmp_path / "archive"
    directory.mkdir()
    await write(ledger, await book(ledger, clock, 5), directory)
    TAMPERING[how](directory)
    with pytest.raises(PlatformError) as refused:
        verified(directory)
    assert refused.value.code is Code.CONFLICT
    with pytest.raises(PlatformError):
        await write(ledger, rfc3339(int((clock.now - 61) * 1_000_000)), directory)


async def test_an_archive_that_has_missed_what_was_removed_is_not_continued(
    ledger: DatabaseLedger, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(ledger, await book(ledger, clock, 2), tmp_path)
    later = await book(ledger, clock, 2)
    state = ledger_pb2.RetentionState(archived_to=12)

    async def retention(_request: common_pb2.Empty) -> ledger_pb2.RetentionState:
        return state

    monkeypatch.setattr(ledger, "retention", retention)
    with pytest.raises(PlatformError, match="ends with entry 6"):
        await write(ledger, later, tmp_path)
    assert verified(tmp_path).last == 6
    empty = tmp_path / "empty"
    empty.mkdir()
    assert (await write(ledger, later, empty)).entries == 12


async def test_what_may_still_change_is_not_archived(ledger: DatabaseLedger, clock: Clock, tmp_path: Path) -> None:
    await book(ledger, clock, 1)
    for wrong in (rfc3339(int((clock.now - 59) * 1_000_000)), "", "yesterday", "2026-01-01"):
        with pytest.raises(PlatformError) as refused:
            await write(ledger, wrong, tmp_path)
        assert refused.value.code is Code.INVALID_REQUEST
    assert verified(tmp_path) == archive.BEGINNING
