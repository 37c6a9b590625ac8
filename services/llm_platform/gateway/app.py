"""gateway, the managed entry: what tail does, CORS, and what operators may look at. Wiring."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llm_platform.auth_service.interfaces import ACCOUNTS, Accounts
from llm_platform.core.config import Config
from llm_platform.core.health import Health
from llm_platform.core.inference import Inference
from llm_platform.gateway.admin import ConfigView, ProvidersView
from llm_platform.gateway.cors import Cors
from llm_platform.head.interfaces import ROUTING, Routing
from llm_platform.http.dialects.openai import OpenAI
from llm_platform.http.opening import open_entry, shared_routes
from llm_platform.http.server.observation import GatewayObservation
from llm_platform.http.server.server import HttpServer, serving
from llm_platform.http.server.traffic import watching
from llm_platform.model_proxy.interfaces import PROVIDERS, Providers
from llm_platform.rate_limiter.interfaces import LIMITER, Limiter

if TYPE_CHECKING:
    from llm_platform.core.lifecycle import Runtime

NAME = "gateway"


@asynccontextmanager
async def open_gateway(
    config: Config,
    inference: Inference,
    accounts: Accounts,
    limiter: Limiter,
    routing: Routing,
    health: Health,
    providers: Providers,
) -> AsyncIterator[HttpServer]:
    """gateway listening on ``listen.http``. Raises ``OSError`` when the port is taken."""
    async with (
        open_entry(config, NAME, inference, accounts, limiter, routing, health) as entry,
        watching(config, NAME) as traffic,
    ):
        routes = shared_routes(entry, health, traffic)
        routes.add("GET", "/config", entry.only_admin(ConfigView(config)))
        routes.add("GET", "/health/providers", ProvidersView(providers))
        security = config.security
        filters = [Cors(security.cors_origins)] if security.cors_enabled and security.cors_origins else []
        observation = GatewayObservation(NAME, name_provider=config.logging.include_provider_info)
        async with serving(HttpServer(config, routes, OpenAI(), observation, filters)) as server:
            yield server


async def start(runtime: Runtime) -> None:
    """Runs gateway in a process of its own."""
    from llm_platform.relay.client import connect
    from llm_platform.rpc.client import Peers

    config = runtime.config
    peers = await runtime.enter(Peers(config))
    inference = await runtime.enter(connect(config, ROUTING.provider))
    runtime.health.add(ROUTING.provider, inference.health_check)
    runtime.health.add(ACCOUNTS.provider, peers.health_check(ACCOUNTS.provider))
    server = await runtime.enter(
        open_gateway(
            config,
            inference,
            peers.remote(ACCOUNTS),
            peers.remote(LIMITER),
            peers.remote(ROUTING),
            runtime.health,
            peers.remote(PROVIDERS),
        )
    )
    runtime.on_drain(server.drain)
