"""Looking again and again."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from llm_platform.core import poller
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.poller import Poller


class Seen:
    """Counts looks, and fails while told to."""

    def __init__(self) -> None:
        self.looks = 0
        self.failing = False
        self._looked = asyncio.Event()

    async def look(self) -> None:
        self.looks += 1
        self._looked.set()
        if self.failing:
            raise ValueError("the disk is gone")

    async def wait(self, looks: int) -> None:
        async with asyncio.timeout(5):
            while self.looks < looks:
                self._looked.clear()
                await self._looked.wait()


async def test_it_looks_at_once_after_a_change_and_else_in_its_rhythm(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen()
    monkeypatch.setattr(poller, "POLL_SECONDS", 3600)
    polling = Poller("things", seen.look, (ValueError,))
    async with polling.running():
        await seen.wait(1)
        polling.changed()
        await seen.wait(2)
        monkeypatch.setattr(poller, "POLL_SECONDS", 0.001)
        polling.changed()
        await seen.wait(10)
    before = seen.looks
    await asyncio.sleep(0.01)
    assert seen.looks == before


async def test_a_failure_is_told_once_and_polling_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen()
    monkeypatch.setattr(poller, "POLL_SECONDS", 0.001)
    polling = Poller("things", seen.look, (ValueError,))
    seen.failing = True
    with capture_logs() as logs:
        async with polling.running():
            await seen.wait(5)
            assert polling.failing
            seen.failing = False
            await seen.wait(seen.looks + 2)
            assert not polling.failing
    assert [(line["event"], line["reason"]) for line in logs] == [("things cannot be read", "the disk is gone")]


class Looked:
    """Looks fail while ``failing``; ``waits`` are the timeouts between them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failing = True
        self.looks = 0
        self.waits: list[float] = []
        real = asyncio.timeout

        def timeout(seconds: float) -> asyncio.Timeout:
            self.waits.append(seconds)
            return real(0)

        monkeypatch.setattr("llm_platform.core.poller.asyncio.timeout", timeout)

    async def look(self) -> None:
        self.looks += 1
        if self.failing:
            raise PlatformError(Code.UNAVAILABLE, "away")


async def until(looked: Looked, looks: int) -> None:
    while looked.looks < looks:  # noqa: ASYNC110 - nobody is told
        await asyncio.sleep(0)


async def test_what_cannot_be_read_is_looked_at_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Looked(monkeypatch)
    async with Poller("it", looked.look, (PlatformError,), 5, longest=20).running():
        await until(looked, 4)
        looked.failing = False
        await until(looked, looked.looks + 2)
    assert looked.waits[:3] == [10, 20, 20]
    assert looked.waits[-1] == 5


async def test_without_a_longest_wait_it_stays_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Looked(monkeypatch)
    async with Poller("it", looked.look, (PlatformError,), 0.5).running():
        await until(looked, 3)
    assert set(looked.waits) == {0.5}
