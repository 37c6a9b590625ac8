"""Looking again and again at what other processes change as well."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from llm_platform.core.lifecycle import in_background
from llm_platform.core.logging import get_logger

POLL_SECONDS = 0.5
"""The longest until a change by another process is seen, unless said otherwise."""

log = get_logger("poller")


class Poller:
    """Calls ``look`` every ``seconds``, and at once after a change in this process.

    ``failures`` are the exceptions that it may raise: they are logged once, until it succeeds again. After each the
    wait doubles, up to ``longest`` seconds.
    """

    def __init__(
        self,
        what: str,
        look: Callable[[], Awaitable[None]],
        failures: tuple[type[Exception], ...],
        seconds: float = POLL_SECONDS,
        longest: float = 0,
    ) -> None:
        self._what = what
        self._look = look
        self._failures = failures
        self._seconds = seconds
        self._longest = max(seconds, longest)
        self._changed = asyncio.Event()
        self.failing = False

    def changed(self) -> None:
        """Something was changed here: look now."""
        self._changed.set()

    def running(self) -> AbstractAsyncContextManager[None]:
        """Polls until left."""
        return in_background(self._run(), f"poll {self._what}")

    async def _run(self) -> None:
        wait = self._seconds
        while True:
            self._changed.clear()
            try:
                await self._look()
                self.failing = False
                wait = self._seconds
            except self._failures as error:
                if not self.failing:
                    log.error(f"{self._what} cannot be read", reason=str(error))
                self.failing = True
                wait = min(wait * 2, self._longest)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()
