"""Wiring of head."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from llm_platform.billing.interfaces import Ledger
from llm_platform.core.config import Config
from llm_platform.core.inference import Inference
from llm_platform.core.lifecycle import background
from llm_platform.head.interfaces import Routing
from llm_platform.head.provider_health import ProviderHealth
from llm_platform.head.reservations import Reservations
from llm_platform.head.routing import HeadRouting, Router
from llm_platform.head.rules import rules_from
from llm_platform.head.service import HeadInference
from llm_platform.model_proxy.interfaces import Providers


@dataclass(frozen=True)
class Head:
    """What head gives: inference and routing."""

    inference: Inference
    routing: Routing
    provider_health: ProviderHealth
    reservations: Reservations

    async def drain(self) -> None:
        """Waits until what was reserved for nothing is given back."""
        await self.reservations.aclose()


@asynccontextmanager
async def open_head(config: Config, inference: Inference, ledger: Ledger, providers: Providers) -> AsyncIterator[Head]:
    """Head over model-proxy's inference and providers, and billing's ledger."""
    health = ProviderHealth(providers)
    await health.refresh()
    refreshing = background(health.keep_refreshing(), "provider health")
    router = Router(rules_from(config), health)
    reservations = Reservations(ledger)
    try:
        yield Head(
            inference=HeadInference(inference, router, reservations, config.traffic.default_output_tokens),
            routing=HeadRouting(router),
            provider_health=health,
            reservations=reservations,
        )
    finally:
        refreshing.cancel()
        with suppress(asyncio.CancelledError):
            await refreshing
        await reservations.aclose()
