"""Passwords: argon2id in a thread, few at a time.

Parameters are the library's profile RFC_9106_LOW_MEMORY (RFC 9106, section 4, second choice): 64 MiB, 3
passes, 4 lanes. ``AT_ONCE`` bounds the memory that logins can take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from llm_platform.core.errors import Code, PlatformError

AT_ONCE = 2
WAITING = 32
MIN_LENGTH = 12
MAX_LENGTH = 1_024

Result = TypeVar("Result")


class Passwords:
    """Hashes and verifies. More than WAITING at a time are refused with OVERLOADED."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The encoded argon2id hash. Raises INVALID_REQUEST when the length is out of bounds."""
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
            raise PlatformError(
                Code.INVALID_REQUEST,
                f"A password has between {MIN_LENGTH} and {MAX_LENGTH} characters.",
                param="password",
            )
        return await self._in_thread(lambda: self._hasher.hash(password))

    async def verify(self, encoded: str | None, password: str) -> bool:
        """Whether it is the password; without a hash (unknown user, no password) the work is the same."""
        if len(password) > MAX_LENGTH:
            return False
        if self._nobody is None:
            self._nobody = await self.hash("nobody has this password")
        matches = await self._in_thread(lambda: self._matches(encoded or str(self._nobody), password))
        return matches and bool(encoded)

    def is_outdated(self, encoded: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(encoded)

    def _matches(self, encoded: str, password: str) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except (VerifyMismatchError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= WAITING:
            raise PlatformError(Code.OVERLOADED, "Too many logins at once. Try again shortly.", retry_after=1)
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1
