"""auth-service's public keys at another service: asked for when a token comes, then kept."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from llm_platform.auth_service.sessions.interfaces import Sessions
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2

if TYPE_CHECKING:
    from joserfc.jwk import OKPKey

FRESH_SECONDS = 300.0
"""How long known keys are used before they are asked for again: a key that was withdrawn holds no longer."""
STALE_SECONDS = 3600.0
"""How long they are used on while auth-service cannot be asked."""
PAUSE_SECONDS = 1.0
"""Between two questions: whoever sends tokens of unknown keys causes no more."""


class RemoteKeys:
    """The keys of ``Sessions/PublicKeys``, as ``rpc/actors.py`` wants them."""

    def __init__(self, sessions: Callable[[], Sessions], clock: Callable[[], float] = time.monotonic) -> None:
        """``sessions`` gives the client, made when it is first needed."""
        self._sessions = sessions
        self._clock = clock
        self._keys: dict[str, OKPKey] = {}
        self._known_at = self._asked_at = -float("inf")
        self._failing = False
        self._asking = asyncio.Lock()

    async def find(self, key_id: str) -> OKPKey | None:
        """The key of that id. Raises UNAVAILABLE when it must be asked for and auth-service does not answer."""
        if key_id not in self._keys or self._age() >= FRESH_SECONDS:
            async with self._asking:
                await self._refresh(key_id)
        return self._keys.get(key_id)

    def _age(self) -> float:
        return self._clock() - self._known_at

    async def _refresh(self, key_id: str) -> None:
        now = self._clock()
        if now - self._asked_at >= PAUSE_SECONDS:
            self._asked_at = now
            await self._ask(now)
        if self._failing and key_id not in self._keys:
            raise PlatformError(
                Code.UNAVAILABLE, "Whoever signed in cannot be checked: auth-service does not answer.", retry_after=1
            )

    async def _ask(self, now: float) -> None:
        try:
            answer = await self._sessions().public_keys(common_pb2.Empty())
        except PlatformError:
            self._failing = True
            if self._age() >= STALE_SECONDS:
                self._keys = {}
        else:
            self._failing = False
            self._keys, self._known_at = _read(answer.jwks), now


def _read(jwks: str) -> dict[str, OKPKey]:
    from joserfc.jwk import KeySet, OKPKey

    keys = KeySet.import_key_set(json.loads(jwks)).keys
    return {str(key.kid): key for key in keys if isinstance(key, OKPKey)}
