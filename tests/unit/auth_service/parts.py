"""What the tests of auth-service share."""

from __future__ import annotations

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
