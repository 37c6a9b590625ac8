"""What one unary call costs, both sides together; told, not judged: machines differ."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable

import pytest

from llm_platform.billing.interfaces import LEDGER
from llm_platform.proto import ledger_pb2
from llm_platform.rpc.client import Peers
from tests.integration.rpc.conftest import Everything, Site

CALLS = 1000


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("concurrency", [1, 32])
async def test_the_cpu_of_a_unary_call_is_reported(
    site: Site, concurrency: int, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    request = ledger_pb2.ReserveBatch(items=[ledger_pb2.Reserve(reservation_id="rsv_1")])
    async with (
        site.serving("billing", (LEDGER, Everything(ledger_pb2.ReserveReplies()))) as serving,
        Peers(site.config("head", billing=[serving.port])) as peers,
    ):
        ledger = peers.remote(LEDGER)
        await ledger.reserve(request)

        async def call() -> None:
            for _ in range(CALLS // concurrency):
                await ledger.reserve(request)

        before = cpu_seconds()
        await asyncio.gather(*(call() for _ in range(concurrency)))
        microseconds = (cpu_seconds() - before) / CALLS * 1e6
    record_property("cpu_us_per_call", microseconds)
    with capsys.disabled():
        print(f"\nunary call over mTLS, both sides, {concurrency} at once: {microseconds:.0f} us of CPU")
