"""model-proxy: wiring."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llm_platform.billing.interfaces import LEDGER, Ledger
from llm_platform.core.config import Config
from llm_platform.core.errors import CannotStartError, Code, PlatformError
from llm_platform.core.inference import Inference
from llm_platform.core.lifecycle import background
from llm_platform.http.client.client import HttpClient
from llm_platform.model_proxy.definitions import Definitions
from llm_platform.model_proxy.interfaces import PROVIDERS, Providers
from llm_platform.model_proxy.journal import Journal
from llm_platform.model_proxy.kept import Kept
from llm_platform.model_proxy.keys import ProviderKeys
from llm_platform.model_proxy.outbox import Outbox, adopt_orphans
from llm_platform.model_proxy.providers import ProvidersService
from llm_platform.model_proxy.service import ModelProxyService
from llm_platform.model_proxy.trial import Trial
from llm_platform.secrets_service.interfaces import SECRETS, Secrets

if TYPE_CHECKING:
    from llm_platform.core.lifecycle import Runtime


@dataclass(frozen=True)
class ModelProxy:
    """What model-proxy gives to the process that it runs in."""

    inference: Inference
    providers: Providers
    drain: Callable[[], Awaitable[None]]
    """Refuses new calls and returns when the open ones have ended and billing knows of them."""
    problem: Callable[[], str | None]
    """Why calls cannot be journaled, for readiness; None when they can."""


@asynccontextmanager
async def open_model_proxy(
    config: Config, secrets: Secrets, ledger: Ledger, *, reread: Callable[[], Config] | None = None
) -> AsyncIterator[ModelProxy]:
    """The real object: providers, the journal of attempts and its delivery to billing.

    ``reread`` gives the configuration as it is when the providers are reloaded.
    """
    root = config.service.data_dir / "journal"
    keys = ProviderKeys(secrets)
    client = HttpClient()
    definitions = Definitions(config, keys, client, reread, Kept(config.service.data_dir / "definitions.json"))
    journal = await _journal(root)
    outbox = Outbox(journal, ledger)
    await keys.fetch_first()
    tasks = [
        background(outbox.run(), "outbox"),
        background(adopt_orphans(root, ledger), "adoption of journals"),
        background(keys.run(), "provider keys"),
    ]
    service = ModelProxyService(definitions.servings, journal, stream_max_seconds=config.traffic.stream_max_seconds)

    async def drain() -> None:
        await service.drain()
        await outbox.flushed()

    try:
        trial = Trial(keys, client, config.service.version)
        yield ModelProxy(service, ProvidersService(definitions, trial), drain, journal.problem)
    finally:
        definitions.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await client.aclose()
        await journal.aclose(remove=outbox.empty and not journal.unsettled)


async def start(runtime: Runtime) -> None:
    """Runs model-proxy in a process of its own."""
    from llm_platform.relay.server import RelayServer
    from llm_platform.rpc.client import Peers
    from llm_platform.rpc.peer import peer_name
    from llm_platform.rpc.server import serve

    config = runtime.config
    if config.listen.grpc is None or config.listen.control is None:
        raise CannotStartError("listen.grpc and listen.control must be set: head and gateway reach model-proxy there.")
    peers = await runtime.enter(Peers(config))
    proxy = await runtime.enter(
        open_model_proxy(config, peers.remote(SECRETS), peers.remote(LEDGER), reread=runtime.reread)
    )
    runtime.health.add("journal", proxy.problem)
    # Known keys are used on, and outcomes wait on disk: calls go on without these two.
    runtime.health.add(SECRETS.provider, peers.health_check(peer_name(SECRETS)), required=False)
    runtime.health.add(LEDGER.provider, peers.health_check(peer_name(LEDGER)), required=False)
    relay = RelayServer(config, proxy.inference)
    runtime.on_drain(relay.drain)
    runtime.on_drain(proxy.drain)
    await serve(
        runtime,
        {config.listen.grpc: [], config.listen.control: [(PROVIDERS, proxy.providers)]},
        extra_handlers=[relay.handler],
    )
    await runtime.enter(aclosing(relay))


async def _journal(root: Path) -> Journal:
    try:
        return await Journal.create(root)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PlatformError(Code.UNAVAILABLE, f"No journal can be kept in {root}: {reason}.") from None
