"""Bounded load on one entry: workers that send one request after the other and judge each answer."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field

import aiohttp

PATIENCE_SECONDS = 40
"""What takes longer hangs: the platform's own limits in time are all shorter."""


@dataclass
class Load:
    """Half of the requests are streamed. ``outcomes`` counts how they ended; ``unclear`` keeps what no client could
    understand: that is never allowed."""

    url: str
    key: str
    model: str
    in_flight: int = 0
    streams_in_flight: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    unclear: list[str] = field(default_factory=list)
    _stopping: bool = False

    async def run(self, workers: int) -> None:
        """Returns when told to ``stop`` and the last request has ended."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(self._work(session, stream=number % 2 == 0))

    def stop(self) -> None:
        self._stopping = True

    async def _work(self, session: aiohttp.ClientSession, *, stream: bool) -> None:
        while not self._stopping:
            self.in_flight += 1
            self.streams_in_flight += stream
            try:
                outcome = await self._request(session, stream=stream)
            except TimeoutError:
                self.unclear.append(f"no end within {PATIENCE_SECONDS} s")
                outcome = "unclear"
            except aiohttp.ClientError as error:
                # The entry itself was killed: the client's library says so.
                outcome = f"connection: {type(error).__name__}"
            finally:
                self.in_flight -= 1
                self.streams_in_flight -= stream
            self.outcomes[outcome] += 1
            if not outcome.startswith("answered"):
                await asyncio.sleep(0.05)

    async def _request(self, session: aiohttp.ClientSession, *, stream: bool) -> str:
        request = {
            "model": self.model,
            "messages": [{"role": "user", "content": "Tell me about foxes."}],
            "max_tokens": 100,
            "stream": stream,
        }
        headers = {"authorization": f"Bearer {self.key}"}
        async with session.post(f"{self.url}/v1/chat/completions", json=request, headers=headers) as response:
            text = await response.text()
        if response.status != 200:
            return self._refused(response.status, text)
        if text.rstrip().endswith("data: [DONE]") if stream else json.loads(text)["choices"]:
            return "answered"
        return self._broken_off(text)

    def _refused(self, status: int, text: str) -> str:
        try:
            error = json.loads(text)["error"]
            return f"refused: {status} {error['code']}"
        except (ValueError, KeyError, TypeError):
            self.unclear.append(f"{status}: {text[:200]}")
            return "unclear"

    def _broken_off(self, text: str) -> str:
        last = text.rstrip().rpartition("data: ")[2]
        try:
            return f"broken off: {json.loads(last)['error']['code']}"
        except (ValueError, KeyError, TypeError):
            self.unclear.append(f"a stream that just ends: …{text[-200:]}")
            return "unclear"
