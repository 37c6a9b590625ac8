"""auth-service's public keys at another service: asked for when a token comes, then kept."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from llm_platform.auth_service.sessions.interfaces import Sessions
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.proto import common_pb2

if TYPE_CHECKING:
    from joserfc.jwk import OKPKey

RENEW_SECONDS = 150.0
"""From this age on known keys are asked for again, behind the tokens that come."""
FRESH_SECONDS = 300.0
"""How long known keys are used without an answer: a key that was withdrawn holds no longer."""
STALE_SECONDS = 3600.0
"""How long they are used on while auth-service cannot be asked."""
PAUSE_SECONDS = 1.0
"""Between an answer, or none, and the next question: whoever sends tokens of unknown keys causes no more."""
MOMENT_SECONDS = 1.0
"""How long a token of a known key waits for a late answer; while auth-service does not answer none waits."""

log = get_logger("rpc.public_keys")


class RemoteKeys:
    """The keys of ``Sessions/PublicKeys``, as ``rpc/actors.py`` wants them."""

    def __init__(self, sessions: Callable[[], Sessions], clock: Callable[[], float] = time.monotonic) -> None:
        """``sessions`` gives the client, made when it is first needed."""
        self._sessions = sessions
        self._clock = clock
        self._keys: dict[str, OKPKey] = {}
        self._known_at = self._asked_at = -float("inf")
        self._failing = False
        self._question: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> OKPKey | None:
        """The key of that id. Raises UNAVAILABLE when it must be asked for and auth-service does not answer."""
        key, age = self._keys.get(key_id), self._clock() - self._known_at
        if key is not None and age < RENEW_SECONDS:
            return key
        question = self._asked()
        if key is not None and (age < FRESH_SECONDS or (age < STALE_SECONDS and self._failing)):
            return key
        if question is not None:
            held = key is not None and age < STALE_SECONDS
            _, late = await asyncio.wait({question}, timeout=MOMENT_SECONDS if held else None)
            self._failing = self._failing or bool(late)
        if self._failing and key_id not in self._keys:
            raise PlatformError(
                Code.UNAVAILABLE, "Whoever signed in cannot be checked: auth-service does not answer.", retry_after=1
            )
        return self._keys.get(key_id)

    def _asked(self) -> asyncio.Task[None] | None:
        """The one question that is on its way for all; None so soon after the one before."""
        if self._question is None and self._clock() - self._asked_at >= PAUSE_SECONDS:
            self._question = asyncio.create_task(self._ask(), name="public keys")
        return self._question

    async def _ask(self) -> None:
        began = self._clock()
        try:
            answer = await self._sessions().public_keys(common_pb2.Empty())
            self._keys, self._known_at, self._failing = _read(answer.jwks), began, False
        except Exception as error:  # noqa: BLE001 - whatever it is, the keys that are known go on
            log.warning("auth-service does not say its public keys", reason=str(error))
            self._failing = True
            if self._clock() - self._known_at >= STALE_SECONDS:
                self._keys = {}
        finally:
            self._asked_at, self._question = self._clock(), None


def _read(jwks: str) -> dict[str, OKPKey]:
    from joserfc.jwk import KeySet, OKPKey

    keys = KeySet.import_key_set(json.loads(jwks)).keys
    return {str(key.kid): key for key in keys if isinstance(key, OKPKey)}
