"""What clients do while a platform is updated: a steady rate of requests, and streams that stay open.

Bounded in rate, number and time. Every failure is kept with its time and reason.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field

import aiohttp

REQUESTS_PER_SECOND = 30
OPEN_STREAMS = 10
STREAM_TOKENS = 80
STREAM_PACE_MS = 100
LONGEST_SECONDS = 600


@dataclass(frozen=True)
class Target:
    """Where chat completions are answered, and what a request there carries."""

    url: str
    headers: dict[str, str]


def entry(address: str, key: str) -> Target:
    return Target(f"{address}/v1/chat/completions", {"authorization": f"Bearer {key}"})


@dataclass
class Traffic:
    """The same share of everything goes to each of ``targets``. ``failed`` are requests without a good answer,
    ``cut`` are streams that ended before their end."""

    targets: list[Target]
    answered: int = 0
    streamed: int = 0
    open_streams: int = 0
    failed: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _began: float = field(default_factory=time.monotonic)

    async def run(self) -> None:
        """Until ``stop``, and then until the last open stream has ended."""
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=60)
        async with (
            asyncio.timeout(LONGEST_SECONDS),
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            asyncio.TaskGroup() as group,
        ):
            for number in range(OPEN_STREAMS):
                group.create_task(self._stream_again_and_again(session, self.targets[number % len(self.targets)]))
            count = 0
            while not self._stop.is_set():
                group.create_task(self._request(session, self.targets[count % len(self.targets)]))
                count += 1
                await asyncio.sleep(1 / REQUESTS_PER_SECOND)

    def stop(self) -> None:
        self._stop.set()

    async def _request(self, session: aiohttp.ClientSession, target: Target) -> None:
        try:
            async with session.post(**self._call(target, "Hello", stream=False)) as response:
                text = await response.text()
                if response.status == 200 and json.loads(text)["choices"][0]["message"]["content"] == "Hello":
                    self.answered += 1
                else:
                    self._note(self.failed, f"{target.url}: {response.status} {text[:200]}")
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            self._note(self.failed, f"{target.url}: {type(error).__name__}: {error}")

    async def _stream_again_and_again(self, session: aiohttp.ClientSession, target: Target) -> None:
        while not self._stop.is_set():
            self.open_streams += 1
            try:
                await self._stream(session, target)
            finally:
                self.open_streams -= 1

    async def _stream(self, session: aiohttp.ClientSession, target: Target) -> None:
        message = f"word [[tokens={STREAM_TOKENS}]][[delay_ms={STREAM_PACE_MS}]]"
        text = ""
        try:
            async with session.post(**self._call(target, message, stream=True)) as response:
                async for chunk in response.content.iter_any():
                    text += chunk.decode()
        except (aiohttp.ClientError, TimeoutError) as error:
            self._note(self.cut, f"{target.url}: {type(error).__name__}: {error}")
            return
        if text.rstrip().endswith("data: [DONE]"):
            self.streamed += 1
        else:
            self._note(self.cut, f"{target.url}: …{text[-200:]}")

    def _call(self, target: Target, message: str, *, stream: bool) -> dict[str, object]:
        request = {"model": "echo", "messages": [{"role": "user", "content": message}], "stream": stream}
        return {"url": target.url, "json": request, "headers": target.headers}

    def _note(self, where: list[str], what: str) -> None:
        where.append(f"at {time.monotonic() - self._began:.1f} s, {what}")
