"""The models that callers may name: head knows them, the entry keeps them for a few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.head.interfaces import Routing
from llm_platform.proto import common_pb2, routing_pb2

FRESH_SECONDS = 5.0
ANSWER_SECONDS = 5.0

log = get_logger("http.models")


class Models:
    """The list of models as head gave it last; while head does not answer, the old list serves."""

    def __init__(self, routing: Routing) -> None:
        self._routing = routing
        self._models: list[routing_pb2.Model] | None = None
        self._fetched = -FRESH_SECONDS
        self._fetching = asyncio.Lock()

    async def of(self, principal: common_pb2.Principal) -> Sequence[routing_pb2.Model]:
        """What the principal may call."""
        models = await self._current()
        allowed = set(principal.allowed_models)
        return [model for model in models if not allowed or model.id in allowed]

    async def one(self, principal: common_pb2.Principal, name: str) -> routing_pb2.Model:
        """Raises ``PlatformError`` MODEL_NOT_FOUND, also for a model the principal may not call."""
        for model in await self.of(principal):
            if model.id == name:
                return model
        raise PlatformError(
            Code.MODEL_NOT_FOUND,
            f"The model '{name[:200]}' does not exist or this key may not use it. GET /v1/models lists what it may.",
            param="model",
        )

    async def _current(self) -> list[routing_pb2.Model]:
        async with self._fetching:
            if self._models is None or time.monotonic() - self._fetched > FRESH_SECONDS:
                self._models = await self._fetch()
                self._fetched = time.monotonic()
            return self._models

    async def _fetch(self) -> list[routing_pb2.Model]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return list((await self._routing.models(common_pb2.Empty())).items)
        except (PlatformError, TimeoutError) as error:
            if self._models is None:
                raise PlatformError(
                    Code.UNAVAILABLE, "The list of models is not available yet. Try again.", retry_after=1
                ) from error
            log.warning("head does not answer, the last list of models serves", reason=str(error) or "timeout")
            return self._models
