"""Opens what tail and gateway have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llm_platform.auth_service.cache import KeyCache
from llm_platform.auth_service.interfaces import Accounts
from llm_platform.core.config import Config
from llm_platform.core.health import Health
from llm_platform.core.inference import Inference
from llm_platform.head.interfaces import Routing
from llm_platform.http.entry import Entry
from llm_platform.http.limits import RateLimits
from llm_platform.http.models import Models
from llm_platform.http.server.routes import Routes, add_side_paths
from llm_platform.http.server.traffic import Traffic
from llm_platform.rate_limiter.interfaces import Limiter


@asynccontextmanager
async def open_entry(
    config: Config,
    name: str,
    inference: Inference,
    accounts: Accounts,
    limiter: Limiter,
    routing: Routing,
    health: Health,
) -> AsyncIterator[Entry]:
    """The handlers of an entry over what it calls."""
    limits = RateLimits(config, limiter)
    health.add("rate-limiter", limits.degraded, required=False)
    async with KeyCache(accounts, config.auth.key_cache_seconds) as keys:
        try:
            yield Entry(config, name, inference, keys, limits, Models(routing))
        finally:
            await limits.aclose()


def shared_routes(entry: Entry, health: Health, traffic: Traffic) -> Routes:
    """The paths of both entries."""
    routes = Routes()
    routes.add("POST", "/v1/chat/completions", entry.infer)
    routes.add("GET", "/v1/models", entry.list_models)
    routes.add("GET", "/v1/models/", entry.one_model)
    add_side_paths(routes, health, traffic)
    return routes
