"""What the tests of auth-service share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from llm_platform.auth_service.service import AccountService

OpenAccounts = Callable[[], AbstractAsyncContextManager[AccountService]]


class SetClock:
    """Seconds, as the test sets them."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def until(condition: Callable[[], object]) -> None:
    """Returns once the condition holds; fails after five seconds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is looked at tells nobody when it changes
            await asyncio.sleep(0.001)
