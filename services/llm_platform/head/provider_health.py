"""What head knows of the providers' health: a snapshot from model-proxy, refreshed in the background.

While model-proxy does not answer, the last snapshot holds for STALE_SECONDS; then every provider
counts as healthy, since a call that fails says more than a snapshot of long ago.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from llm_platform.core.errors import PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.head.engine import ProviderState
from llm_platform.model_proxy.interfaces import Providers
from llm_platform.proto import common_pb2, providers_pb2

REFRESH_SECONDS = 1.0
ANSWER_SECONDS = 2.0
STALE_SECONDS = 10.0

log = get_logger("head.provider_health")


class ProviderHealth:
    """The snapshot that decisions use."""

    def __init__(self, providers: Providers) -> None:
        self._providers = providers
        self._states: Mapping[str, ProviderState] = {}
        self._refreshed = -STALE_SECONDS
        self._answered = True

    @property
    def states(self) -> Mapping[str, ProviderState]:
        """By provider; empty when nothing recent is known."""
        return self._states if time.monotonic() - self._refreshed < STALE_SECONDS else {}

    def unknown(self) -> str | None:
        """For readiness: why the snapshot cannot be had, None when it is fresh."""
        return None if self._answered else "model-proxy does not say how its providers are; all count as healthy"

    async def refresh(self) -> None:
        """Asks once; a failure keeps what was known."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                healths = await self._providers.health(common_pb2.Empty())
        except (PlatformError, TimeoutError) as error:
            if self._answered:
                log.warning("no provider health from model-proxy", reason=str(error) or "timeout")
            self._answered = False
            return
        self._answered = True
        self._states = {health.name: _state(health) for health in healths.items}
        self._refreshed = time.monotonic()

    async def keep_refreshing(self) -> None:
        """Runs until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(REFRESH_SECONDS)


def _state(health: providers_pb2.ProviderHealth) -> ProviderState:
    open_circuit = health.circuit == "open"
    description = f"{health.state}, circuit open" if open_circuit else health.state
    if health.detail:
        description += f" ({health.detail})"
    return ProviderState(
        usable=health.state not in {"down", "unconfigured"} and not open_circuit,
        degraded=health.state == "degraded" or health.circuit == "half-open",
        score=health.score,
        description=description,
    )
