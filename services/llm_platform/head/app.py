"""Wiring of head."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llm_platform.billing.interfaces import LEDGER, Ledger
from llm_platform.core.config import Config
from llm_platform.core.errors import CannotStartError
from llm_platform.core.inference import Inference
from llm_platform.core.lifecycle import in_background
from llm_platform.core.plain_text import warn_of_plain_text
from llm_platform.head.dry_run import DryRun
from llm_platform.head.interfaces import ROUTING, Routing
from llm_platform.head.provider_health import ProviderHealth
from llm_platform.head.provider_limits import ProviderLimits
from llm_platform.head.reservations import Reservations
from llm_platform.head.routing import Decisions, HeadRouting, Router
from llm_platform.head.service import HeadInference
from llm_platform.head.store import database
from llm_platform.head.store.in_force import RulesInForce
from llm_platform.head.store.kept import Kept
from llm_platform.head.store.methods import RuleMethods
from llm_platform.head.store.replicas import Replicas
from llm_platform.model_proxy.interfaces import PROVIDERS, Providers
from llm_platform.rate_limiter.interfaces import LIMITER, Limiter

if TYPE_CHECKING:
    from llm_platform.core.lifecycle import Runtime

MODEL_PROXY = "model-proxy"


@dataclass(frozen=True)
class Head:
    """What head gives: inference and routing."""

    inference: Inference
    routing: Routing
    rules: RulesInForce
    provider_health: ProviderHealth
    reservations: Reservations
    provider_limits: ProviderLimits | None = None

    async def drain(self) -> None:
        """Waits until what was reserved for nothing is given back."""
        await self.reservations.aclose()
        if self.provider_limits is not None:
            await self.provider_limits.aclose()


@asynccontextmanager
async def open_head(
    config: Config,
    inference: Inference,
    ledger: Ledger,
    providers: Providers,
    limiter: Limiter | None = None,
    *,
    replicas: Mapping[str, Providers] | None = None,
    reread: Callable[[], Config] | None = None,
) -> AsyncIterator[Head]:
    """Head over model-proxy's inference and providers, and billing's ledger; ``limiter`` is for limits of providers.

    ``replicas`` are those of model-proxy by address, each by itself; default: ``providers`` is the only one. ``reread``
    gives the configuration as it is when rules are taken from the file.
    """
    health = ProviderHealth(providers)
    await health.refresh()
    proxies = Replicas(replicas if replicas is not None else {MODEL_PROXY: providers})
    reservations = Reservations(ledger)
    limits = ProviderLimits(config, limiter) if limiter is not None and config.limits.providers else None
    kept = Kept(config.service.data_dir / "routing.json") if database.is_server(config) else None
    known = await asyncio.to_thread(kept.read) if kept is not None else None
    patience = database.START_SECONDS if known is None else database.KNOWING_START_SECONDS
    try:
        async with database.open_store(config, patience) as store:
            rules = RulesInForce(config, store, proxies, kept, known)
            router = Router(rules, health)
            methods = RuleMethods(config, store, rules, proxies, reread)
            async with rules.running(), in_background(health.keep_refreshing(), "provider health"):
                await methods.tell_of_file()
                yield Head(
                    inference=HeadInference(
                        inference, router, reservations, config.traffic.default_output_tokens, limits, rules.api_of
                    ),
                    routing=HeadRouting(Decisions(router, DryRun(router, rules, health).decide), methods),
                    rules=rules,
                    provider_health=health,
                    reservations=reservations,
                    provider_limits=limits,
                )
    finally:
        await reservations.aclose()
        if limits is not None:
            await limits.aclose()


@asynccontextmanager
async def open_rules(config: Config, reread: Callable[[], Config]) -> AsyncIterator[RuleMethods]:
    """Only the rules, to be looked at and changed: whoever decides by them follows."""
    nobody = Replicas({})
    async with database.open_store(config) as store:
        rules = RulesInForce(config, store, nobody)
        if not store.absent:
            await rules.look()
        yield RuleMethods(config, store, rules, nobody, reread)


async def start(runtime: Runtime) -> None:
    """Runs head in a process of its own."""
    from llm_platform.relay.client import connect
    from llm_platform.relay.server import RelayServer
    from llm_platform.relay.settings import Settings
    from llm_platform.rpc.client import Peers
    from llm_platform.rpc.peer import peer_name
    from llm_platform.rpc.server import serve

    config = runtime.config
    if config.listen.grpc is None:
        raise CannotStartError("listen.grpc must be set: tail and gateway reach head there.")
    await database.prepare(config)
    peers = await runtime.enter(Peers(config))
    replicas = {
        endpoint: (await runtime.enter(Peers(_only(config, endpoint)))).remote(PROVIDERS)
        for endpoint in config.peers.get(peer_name(PROVIDERS), ())
    }
    inference = await runtime.enter(connect(config, MODEL_PROXY, settings=Settings(resend=False)))
    limiter = peers.remote(LIMITER) if config.limits.providers else None
    head = await runtime.enter(
        open_head(
            config,
            inference,
            peers.remote(LEDGER),
            peers.remote(PROVIDERS),
            limiter,
            replicas=replicas,
            reread=runtime.reread,
        )
    )
    if head.provider_limits is not None:
        runtime.health.add(LIMITER.provider, head.provider_limits.degraded, required=False)
    runtime.health.add(MODEL_PROXY, inference.health_check)
    runtime.health.add(LEDGER.provider, peers.health_check(LEDGER.provider))
    runtime.health.add("provider health", head.provider_health.unknown, required=False)
    runtime.health.add("routing rules", head.rules.problem, required=False)
    warn_of_plain_text(runtime.health, "the database of the routing rules", config.stores.routing_url)
    relay = RelayServer(config, head.inference)
    # Open calls end first, then their holds are given back.
    runtime.on_drain(relay.drain)
    await serve(runtime, {config.listen.grpc: [(ROUTING, head.routing)]}, extra_handlers=[relay.handler])
    runtime.on_drain(head.drain)
    await runtime.enter(aclosing(relay))


def _only(config: Config, endpoint: str) -> Config:
    """The same with one endpoint of model-proxy's control side: its replicas are each asked by themselves."""
    from llm_platform.rpc.peer import peer_name

    return config.model_copy(update={"peers": {peer_name(PROVIDERS): [endpoint]}})
