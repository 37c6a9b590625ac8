"""Micro-batching at the caller: one call for many, bounded, and no result lost or mixed up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from llm_platform.core.batch import COMPANY, Batcher
from llm_platform.core.errors import Code, PlatformError


class Recorder:
    """Doubles numbers; ``gate`` holds calls back."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        await self.gate.wait()
        return [item * 2 for item in items]


async def test_what_is_asked_in_one_turn_travels_as_one_call() -> None:
    recorder = Recorder()
    batch = Batcher(recorder)
    assert await asyncio.gather(*(batch(number) for number in range(5))) == [0, 2, 4, 6, 8]
    assert recorder.batches == [[0, 1, 2, 3, 4]]


async def test_while_calls_are_under_way_others_gather_up_to_the_limit() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    batch = Batcher(recorder, limit=3, in_flight=1)
    first = asyncio.create_task(batch(0))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(batch(number)) for number in range(1, 6)]
    await asyncio.sleep(0.01)
    assert recorder.batches == [[0]]
    recorder.gate.set()
    assert await asyncio.gather(first, *others) == [0, 2, 4, 6, 8, 10]
    assert recorder.batches == [[0], [1, 2, 3], [4, 5]]


async def test_the_backlog_is_bounded() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    batch = Batcher(recorder, backlog=2, in_flight=1)
    first = asyncio.create_task(batch(0))
    await asyncio.sleep(0.01)
    waiting = [asyncio.create_task(batch(number)) for number in (1, 2)]
    await asyncio.sleep(0)
    with pytest.raises(PlatformError) as refused:
        await batch(3)
    assert refused.value.code is Code.OVERLOADED
    recorder.gate.set()
    await asyncio.gather(first, *waiting)


async def test_a_failure_reaches_every_caller_as_its_own_error() -> None:
    async def fail(items: Sequence[int]) -> Sequence[int]:
        raise PlatformError(Code.UNAVAILABLE, "down", retry_after=2)

    batch = Batcher(fail)
    errors = await asyncio.gather(batch(1), batch(2), return_exceptions=True)
    assert [isinstance(error, PlatformError) and error.retry_after for error in errors] == [2, 2]
    assert errors[0] is not errors[1]


async def test_an_unexpected_failure_tells_callers_nothing_of_its_cause() -> None:
    async def fail(items: Sequence[int]) -> Sequence[int]:
        raise ValueError("secret detail")

    with pytest.raises(PlatformError) as failed:
        await Batcher(fail)(1)
    assert failed.value.code is Code.INTERNAL
    assert "secret" not in failed.value.message


async def test_a_caller_that_gives_up_takes_nothing_from_the_others() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    batch = Batcher(recorder)
    leaving, staying = asyncio.create_task(batch(1)), asyncio.create_task(batch(2))
    await asyncio.sleep(0.01)
    leaving.cancel()
    recorder.gate.set()
    assert await staying == 4
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_closing_waits_for_what_was_accepted() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    batch = Batcher(recorder, limit=1, in_flight=1)
    tasks = [asyncio.create_task(batch(number)) for number in range(3)]
    await asyncio.sleep(0.01)
    asyncio.get_running_loop().call_later(0.01, recorder.gate.set)
    await batch.aclose()
    assert await asyncio.gather(*tasks) == [0, 2, 4]


async def test_a_busy_callers_batches_wait_for_company_and_an_idle_callers_do_not() -> None:
    recorder = Recorder()
    batch = Batcher(recorder, linger=0.05)
    await batch(0)
    await asyncio.gather(*(batch(number) for number in range(COMPANY)))
    first = asyncio.create_task(batch(1))
    await asyncio.sleep(0.01)
    assert len(recorder.batches) == 2
    second = asyncio.create_task(batch(2))
    assert [await first, await second] == [2, 4]
    await batch(3)
    assert recorder.batches == [[0], list(range(COMPANY)), [1, 2], [3]]


async def test_closing_does_not_wait_for_company() -> None:
    recorder = Recorder()
    batch = Batcher(recorder, linger=60)
    await asyncio.gather(*(batch(number) for number in range(COMPANY)))
    batch.post(1)
    async with asyncio.timeout(5):
        await batch.aclose()
    assert recorder.batches[-1] == [1]
