"""tail, the lean entry: HTTP in, relay out. Wiring."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llm_platform.auth_service.interfaces import ACCOUNTS, Accounts
from llm_platform.core.config import Config
from llm_platform.core.health import Health
from llm_platform.core.inference import Inference
from llm_platform.head.interfaces import ROUTING, Routing
from llm_platform.http.dialects.openai import OpenAI
from llm_platform.http.opening import open_entry, shared_routes
from llm_platform.http.server.observation import Observation
from llm_platform.http.server.server import HttpServer, serving
from llm_platform.http.server.traffic import watching
from llm_platform.rate_limiter.interfaces import LIMITER, Limiter

if TYPE_CHECKING:
    from llm_platform.core.lifecycle import Runtime

NAME = "tail"


@asynccontextmanager
async def open_tail(
    config: Config, inference: Inference, accounts: Accounts, limiter: Limiter, routing: Routing, health: Health
) -> AsyncIterator[HttpServer]:
    """tail listening on ``listen.http``. Raises ``OSError`` when the port is taken."""
    async with (
        open_entry(config, NAME, inference, accounts, limiter, routing, health) as entry,
        watching(config, NAME) as traffic,
        serving(
            HttpServer(
                config,
                shared_routes(entry, health, traffic),
                OpenAI(),
                Observation(NAME, name_provider=config.logging.include_provider_info),
            )
        ) as server,
    ):
        yield server


async def start(runtime: Runtime) -> None:
    """Runs tail in a process of its own."""
    from llm_platform.relay.client import connect
    from llm_platform.rpc.client import Peers

    config = runtime.config
    peers = await runtime.enter(Peers(config))
    inference = await runtime.enter(connect(config, ROUTING.provider))
    runtime.health.add(ROUTING.provider, inference.health_check)
    runtime.health.add(ACCOUNTS.provider, peers.health_check(ACCOUNTS.provider))
    server = await runtime.enter(
        open_tail(
            config,
            inference,
            peers.remote(ACCOUNTS),
            peers.remote(LIMITER),
            peers.remote(ROUTING),
            runtime.health,
        )
    )
    runtime.on_drain(server.drain)
