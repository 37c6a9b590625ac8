"""The journal of attempts on disk."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_platform.core import ids
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.provider_ids import provider_request_id
from llm_platform.model_proxy import records
from llm_platform.model_proxy.journal import Journal
from llm_platform.model_proxy.records import Kind, Position, TornRecordError
from llm_platform.proto import common_pb2, ledger_pb2
from tests.unit.model_proxy.parts import until

SMALL = 16 * 1024


def attempt(number: int = 1, reservation: str | None = None) -> ledger_pb2.Outcome:
    reservation = reservation or ids.new_id("rsv")
    return ledger_pb2.Outcome(
        attempt_id=f"{reservation}-{number}", reservation_id=reservation, provider="sim", model="gpt", key_id="key_1"
    )


def ended(record: ledger_pb2.Outcome, *, final: bool = True) -> ledger_pb2.Outcome:
    outcome = ledger_pb2.Outcome()
    outcome.CopyFrom(record)
    outcome.kind, outcome.result, outcome.status, outcome.final = "exact", "completed", 200, final
    outcome.usage.CopyFrom(common_pb2.Usage(input_tokens=2**40, output_tokens=2**40))
    return outcome


async def adopted(journal: Journal) -> list[ledger_pb2.Outcome]:
    """What another process finds after this one is gone."""
    os.close(journal._lock)
    other = await Journal.adopt(journal.directory)
    assert other is not None
    outcomes, _ = other.read(other.acknowledged, 1_000_000)
    await other.aclose(remove=False)
    return outcomes


def files(journal: Journal) -> list[int]:
    return records.segment_numbers(journal.directory)


async def test_outcomes_are_read_back_in_order_from_any_position(tmp_path: Path) -> None:
    journal = await Journal.create(tmp_path)
    attempts = [attempt() for _ in range(5)]
    await asyncio.gather(*(journal.sent(each) for each in attempts))
    for each in attempts:
        journal.outcome(ended(each))
    first, position = journal.read(journal.acknowledged, 2)
    rest, end = journal.read(position, 100)
    assert [each.attempt_id for each in first + rest] == [each.attempt_id for each in attempts]
    assert end == journal.written
    assert journal.read(end, 100) == ([], end)
    assert journal.unsettled == 0
    await journal.aclose(remove=True)
    assert not journal.directory.is_dir()


async def test_many_calls_share_one_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = await Journal.create(tmp_path)
    synced = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    await asyncio.gather(*(journal.sent(attempt()) for _ in range(100)))
    assert 1 <= len(synced) <= 3


async def test_an_open_attempt_of_a_dead_process_becomes_uncertain_and_final(tmp_path: Path) -> None:
    journal = await Journal.create(tmp_path)
    done, lost, between = attempt(), attempt(), attempt()
    for each in (done, lost, between):
        await journal.sent(each)
    journal.outcome(ended(done))
    journal.outcome(ended(between, final=False))
    outcomes = {each.attempt_id: each for each in await adopted(journal)}
    assert outcomes[done.attempt_id].kind == "exact"
    uncertain = outcomes[lost.attempt_id]
    assert (uncertain.kind, uncertain.result, uncertain.final) == ("uncertain", "lost", True)
    assert uncertain.usage == common_pb2.Usage()
    assert uncertain.key_id == "key_1"
    closed = outcomes[between.attempt_id]  # it was between two attempts: known, and now the last
    assert (closed.kind, closed.final) == ("exact", True)


async def test_a_journal_with_an_owner_is_not_adopted(tmp_path: Path) -> None:
    journal = await Journal.create(tmp_path)
    assert await Journal.adopt(journal.directory) is None
    await journal.aclose(remove=True)
    assert await Journal.adopt(journal.directory) is None


async def test_what_billing_knows_is_not_delivered_again_after_a_death(tmp_path: Path) -> None:
    journal = await Journal.create(tmp_path)
    attempts = [attempt() for _ in range(3)]
    for each in attempts:
        await journal.sent(each)
    journal.outcome(ended(attempts[0]))
    journal.acknowledge(journal.read(journal.acknowledged, 10)[1])
    journal.outcome(ended(attempts[1]))
    assert [each.attempt_id for each in await adopted(journal)] == [attempts[1].attempt_id, attempts[2].attempt_id]


async def test_an_adopter_that_dies_itself_leaves_everything_to_the_next(tmp_path: Path) -> None:
    journal = await Journal.create(tmp_path)
    lost = attempt()
    await journal.sent(lost)
    first = await adopted(journal)
    again = await Journal.adopt(journal.directory)
    assert again is not None
    assert again.read(again.acknowledged, 10)[0] == first
    assert again.unsettled == 0


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 3000), flip=st.integers(0, 3000), tear=st.booleans())
def test_a_torn_tail_loses_nothing_before_it(tmp_path: Path, cut: int, flip: int, tear: bool) -> None:
    payloads = [os.urandom(1 + 37 * number % 200) for number in range(12)]
    framed = [records.frame(Kind.OUTCOME, payload) for payload in payloads]
    whole = b"".join(framed)
    path = tmp_path / "segment"
    written = bytearray(whole[:cut] if tear else whole)
    if not tear:
        written[flip % len(written)] ^= 0x55
    path.write_bytes(written + bytes(5000))
    descriptor = os.open(path, os.O_RDONLY)
    found = []
    try:
        for record in records.scan(descriptor, 0):
            found.append(record.payload)  # noqa: PERF401 - what was found before it raises
    except TornRecordError:
        pass
    finally:
        os.close(descriptor)
    damaged_at = min(cut, len(whole)) if tear else flip % len(written)
    intact, size = 0, 0
    for each in framed:
        size += len(each)
        intact += size <= damaged_at
    assert found[:intact] == payloads[:intact]
    assert found == payloads[: len(found)] or len(found) <= intact + 1


async def test_segments_are_rolled_and_go_when_nobody_needs_them(tmp_path: Path) -> None:
    journal = await Journal.create(tmp_path, segment_bytes=SMALL)
    long_stream = attempt()
    await journal.sent(long_stream)
    for _ in range(300):
        each = attempt()
        await _patiently(journal, each)
        journal.outcome(ended(each))
        journal.acknowledge(journal.read(journal.acknowledged, 100)[1])
    assert len(files(journal)) > 3
    assert files(journal)[0] == 1  # the stream is still open there
    journal.outcome(ended(long_stream))
    journal.acknowledge(journal.read(journal.acknowledged, 100)[1])
    assert len(files(journal)) <= 2
    await journal.aclose(remove=True)


async def test_a_backlog_over_many_segments_is_read_in_order(tmp_path: Path) -> None:
    journal = await Journal.create(tmp_path, segment_bytes=SMALL)
    attempts = [attempt() for _ in range(200)]
    for each in attempts:
        await _patiently(journal, each)
        journal.outcome(ended(each))
    found, position = [], journal.acknowledged
    while batch := journal.read(position, 7):
        outcomes, position = batch
        found += [each.attempt_id for each in outcomes]
        if not outcomes:
            break
    assert found == [each.attempt_id for each in attempts]
    assert [each.attempt_id for each in await adopted(journal)] == found


async def test_a_full_disk_refuses_calls_but_loses_no_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = await Journal.create(tmp_path, segment_bytes=SMALL)
    full = True
    allocate = os.posix_fallocate

    def fallocate(descriptor: int, offset: int, size: int) -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        allocate(descriptor, offset, size)

    monkeypatch.setattr(os, "posix_fallocate", fallocate)
    sent = []
    with pytest.raises(PlatformError) as refused:  # noqa: PT012 - a loop ends so
        while True:
            each = attempt()
            await journal.sent(each)
            sent.append(each)
    assert refused.value.code is Code.UNAVAILABLE
    assert len(sent) > 5
    await until(lambda: "No space left" in (journal.problem() or ""))
    for each in sent:
        journal.outcome(ended(each, final=False))
        journal.outcome(ended(each))
    assert len(journal.read(journal.acknowledged, 1000)[0]) == 2 * len(sent)
    full = False
    await until(lambda: journal.problem() is None)
    await journal.sent(attempt())
    await journal.aclose(remove=True)


async def test_the_largest_outcome_fits_into_the_room_that_was_kept_for_it(tmp_path: Path) -> None:
    journal = await Journal.create(tmp_path)
    record = attempt()
    record.sent_at = "2026-01-01T00:00:00.000Z"
    await journal.sent(record)
    largest = ended(record, final=False)
    for kind in common_pb2.Usage.DESCRIPTOR.fields:
        setattr(largest.usage, kind.name, 2**64 - 1)
    largest.kind, largest.result, largest.status = "estimated", "completed", 999
    largest.first_byte_us = largest.duration_us = 2**64 - 1
    largest.provider_request_id = provider_request_id("x" * 1000)
    kept, before = journal._promised, journal.written.offset
    journal.outcome(largest)
    largest.final = True
    journal.outcome(largest)
    assert journal.written.offset - before <= kept
    await journal.aclose(remove=True)


async def test_a_failed_fsync_refuses_the_call_and_takes_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = await Journal.create(tmp_path)
    with monkeypatch.context() as patched:

        def fail(_: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(PlatformError) as refused:
            await journal.sent(attempt())
    assert refused.value.code is Code.UNAVAILABLE
    [outcome], _ = journal.read(journal.acknowledged, 10)
    assert (outcome.kind, outcome.result, outcome.final) == ("exact", "cancelled", True)
    await until(lambda: journal.problem() is None)
    await journal.sent(attempt())
    assert len(files(journal)) == 2  # what may not be durable is not written to again
    await journal.aclose(remove=True)


async def test_a_caller_who_leaves_while_it_is_made_durable_is_taken_back(tmp_path: Path) -> None:
    journal = await Journal.create(tmp_path)
    sending = asyncio.ensure_future(journal.sent(attempt()))
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    [outcome], _ = journal.read(journal.acknowledged, 10)
    assert (outcome.kind, outcome.result, outcome.final) == ("exact", "cancelled", True)
    assert journal.unsettled == 0
    await journal.aclose(remove=True)


async def test_a_segment_of_an_unknown_version_is_left_alone(tmp_path: Path) -> None:
    journal = await Journal.create(tmp_path)
    await journal.sent(attempt())
    os.pwrite(journal._descriptor, b"LLMJRNL\x02", 0)
    os.close(journal._lock)
    with pytest.raises(OSError, match="does not know"):
        await Journal.adopt(journal.directory)
    assert files(journal) == [1]


def test_positions_are_ordered_and_survive_encoding() -> None:
    assert Position(1, 500) < Position(2, 8) < Position(2, 9)
    assert Position.decode(Position(7, 123).encode()) == Position(7, 123)


async def _patiently(journal: Journal, each: ledger_pb2.Outcome) -> None:
    """A test outruns the preparation of the next segment, which a call would be told to retry for."""
    while True:
        try:
            return await journal.sent(each)
        except PlatformError:
            await asyncio.sleep(0.01)
