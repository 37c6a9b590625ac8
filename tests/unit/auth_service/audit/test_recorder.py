"""How other services' entries reach the audit log, also when auth-service is away for a while."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import REGISTRY

from llm_platform.auth_service.audit import recorder as recorders
from llm_platform.auth_service.audit.entry import Draft
from llm_platform.auth_service.audit.recorder import Recorder
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import audit_pb2, common_pb2
from tests.unit.auth_service.parts import until


class Remote:
    """auth-service's audit log: takes batches, or fails as it is told."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.failures: list[PlatformError] = []
        self.refused = ""
        self.answering = asyncio.Event()
        self.answering.set()

    async def record(self, request: audit_pb2.AuditBatch) -> common_pb2.Empty:
        await self.answering.wait()
        if self.failures:
            raise self.failures.pop(0)
        if any(item.target == self.refused for item in request.items):
            raise PlatformError(Code.INVALID_REQUEST, "no")
        self.taken += [item.target for item in request.items]
        return common_pb2.Empty()

    async def list(self, request: audit_pb2.ListAuditRequest) -> audit_pb2.AuditEntries:
        raise NotImplementedError

    async def verify(self, request: audit_pb2.VerifyAuditRequest) -> audit_pb2.AuditVerification:
        raise NotImplementedError


AWAY = PlatformError(Code.UNAVAILABLE, "away")


def lost() -> float:
    return REGISTRY.get_sample_value("llm_audit_entries_lost_total") or 0


async def test_entries_are_delivered_in_their_order_again_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorders, "RETRY_SECONDS", 0.01)
    remote = Remote()
    remote.failures = [AWAY, AWAY]
    recorder = Recorder(lambda: remote)
    async with recorder.running():
        for number in range(250):
            recorder.note(Draft("Secrets/Put", target=str(number)))
        await until(lambda: len(remote.taken) == 250)
    assert remote.taken == [str(number) for number in range(250)]


async def test_a_stopping_process_delivers_the_rest() -> None:
    remote = Remote()
    recorder = Recorder(lambda: remote)
    async with recorder.running():
        recorder.note(Draft("Secrets/Put", target="last"))
    assert remote.taken == ["last"]


async def test_what_can_never_be_delivered_is_counted_as_lost_and_holds_nothing_up() -> None:
    before = lost()
    remote = Remote()
    remote.failures = [PlatformError(Code.INVALID_REQUEST, "no")]
    recorder = Recorder(lambda: remote)
    async with recorder.running():
        recorder.note(Draft("Secrets/Put", target="bad"))
        await until(lambda: lost() == before + 1)
        recorder.note(Draft("Secrets/Put", target="good"))
        await until(lambda: remote.taken == ["good"])


async def test_while_auth_service_is_away_a_bounded_number_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorders, "KEPT", 10)
    before = lost()
    remote = Remote()
    recorder = Recorder(lambda: remote)
    for number in range(15):
        recorder.note(Draft("Secrets/Put", target=str(number)))
    assert lost() == before + 5
    async with recorder.running():
        await until(lambda: len(remote.taken) == 10)
    assert remote.taken == [str(number) for number in range(5, 15)]


async def test_an_entry_that_is_refused_for_good_takes_no_other_with_it() -> None:
    before = lost()
    remote = Remote()
    remote.refused = "3"
    recorder = Recorder(lambda: remote)
    for number in range(6):
        recorder.note(Draft("Secrets/Put", target=str(number)))
    async with recorder.running():
        await until(lambda: len(remote.taken) == 5)
    assert remote.taken == ["0", "1", "2", "4", "5"]
    assert lost() == before + 1


async def test_what_is_on_its_way_makes_no_room_for_what_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorders, "KEPT", 4)
    before = lost()
    remote = Remote()
    remote.answering.clear()
    recorder = Recorder(lambda: remote)
    for number in range(4):
        recorder.note(Draft("Secrets/Put", target=str(number)))
    async with recorder.running():
        await asyncio.sleep(0.01)
        for number in range(4, 8):
            recorder.note(Draft("Secrets/Put", target=str(number)))
        remote.answering.set()
        await until(lambda: len(remote.taken) == 8)
    assert remote.taken == [str(number) for number in range(8)]
    assert lost() == before
