"""Requests that ended are counted and logged a moment later: none of them is lost, whatever happens until then."""

from __future__ import annotations

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from llm_platform.core.logging import request_id
from llm_platform.http.server.exchange import Exchange
from llm_platform.http.server.observation import Observation
from tests.unit.http.parts import CHAT, ScriptedInference, client_of, entry_server, post


async def test_requests_that_the_server_cuts_off_are_logged() -> None:
    started = asyncio.Event()

    async def never() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)  # letting go of what it holds takes a moment

    inference = ScriptedInference()
    inference.before = never
    with capture_logs() as logs:
        async with entry_server(inference) as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(post(json.dumps(CHAT).encode()))
            await started.wait()
        writer.close()
    assert server.open_requests == 0
    assert [line["status"] for line in logs if line["event"] == "request"] == [499]


async def test_the_last_requests_are_logged_at_the_end_and_leave_no_id_behind() -> None:
    with capture_logs() as logs:
        async with entry_server(ScriptedInference()) as server, client_of(server) as client:
            await client.get("/v1/models")
    assert [line["status"] for line in logs if line["event"] == "request"] == [200]
    assert request_id.get() == ""


async def test_one_that_cannot_be_counted_does_not_lose_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    count = Observation._count

    def fail(self: Observation, exchange: Exchange, seconds: float) -> None:
        if exchange.route == "/v1/models/":
            raise ValueError
        count(self, exchange, seconds)

    monkeypatch.setattr(Observation, "_count", fail)
    with capture_logs() as logs:
        async with entry_server(ScriptedInference()) as server, client_of(server) as client:
            for path in ("/v1/models/m", "/v1/models", "/v1/models"):
                await client.get(path)
    assert [line["event"] for line in logs if line["logger_name"] == "http.access"] == [
        "a request was not counted",
        "request",
        "request",
    ]
