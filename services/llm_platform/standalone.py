"""``llm-gateway serve``: the services' own objects in one process, wired to each other directly.

No gRPC and no relay: every port is the object itself. State is kept under ``service.data_dir``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from llm_platform.auth_service import app as auth_service
from llm_platform.auth_service.app import open_accounts
from llm_platform.billing import app as billing
from llm_platform.billing.app import open_ledger
from llm_platform.billing.pricing.catalogue import Catalogue
from llm_platform.core import lifecycle
from llm_platform.core.config import Config
from llm_platform.core.logging import get_logger
from llm_platform.core.plain_text import warn_of_plain_text
from llm_platform.gateway.app import open_gateway
from llm_platform.head.app import open_head
from llm_platform.head.store import database as rules_of_head
from llm_platform.model_proxy.app import open_model_proxy
from llm_platform.proto import accounts_pb2
from llm_platform.rate_limiter.app import open_limiter
from llm_platform.secrets_service.app import open_secrets


def run(config: Config, notices: Sequence[str] = ()) -> int:
    """Runs the platform until it is told to stop; returns the exit code."""
    log = get_logger("config")

    async def start(runtime: lifecycle.Runtime) -> None:
        for notice in notices:
            log.warning(notice)
        _, catalogue, _ = await asyncio.gather(
            auth_service.prepare(config), billing.prepare(config), rules_of_head.prepare(config)
        )
        await open_platform(runtime, catalogue)

    return lifecycle.run(config, start, public=True)


async def open_platform(runtime: lifecycle.Runtime, catalogue: Catalogue | None = None) -> int:
    """Opens all services, the entry last; gives the port it listens on. Prices come from ``catalogue``."""
    config = runtime.config
    _look_at_encryption(runtime)
    limiter = await runtime.enter(open_limiter(config))
    runtime.health.add("limits", limiter.check, required=False)
    accounts = await runtime.enter(open_accounts(config))
    runtime.health.add("accounts", accounts.check)
    ledger = await runtime.enter(open_ledger(config, catalogue=catalogue))
    runtime.health.add("ledger", ledger.check)
    secrets = await runtime.enter(open_secrets(config))
    if config.vault is not None:
        runtime.health.add("vault", secrets.check, required=False)  # the keys read before are used on
    proxy = await runtime.enter(open_model_proxy(config, secrets, ledger))
    head = await runtime.enter(
        open_head(config, proxy.inference, ledger, proxy.providers, limiter, reread=runtime.reread)
    )
    runtime.health.add("routing rules", head.rules.problem, required=False)
    gateway = await runtime.enter(
        open_gateway(config, head.inference, accounts, limiter, head.routing, runtime.health, proxy.providers)
    )
    # Requests end at the entry first; what they leave behind is settled after that.
    for drain in (gateway.drain, head.drain, proxy.drain):
        runtime.on_drain(drain)
    made = await accounts.bootstrap(accounts_pb2.BootstrapRequest())
    if made.created:
        _welcome(made, f"http://{config.listen.host}:{gateway.port}", config.routing.default_model)
    return gateway.port


def _look_at_encryption(runtime: lifecycle.Runtime) -> None:
    stores, vault = runtime.config.stores, runtime.config.vault
    urls = {
        "the accounts' database": stores.accounts_url,
        "the ledger's database": stores.ledger_url,
        "the database of the routing rules": stores.routing_url,
        "the Redis of the limits": stores.limits_url.get_secret_value() if stores.limits_url else None,
        "Vault": vault.address if vault else None,
    }
    for what, url in urls.items():
        warn_of_plain_text(runtime.health, what, url)


def _welcome(made: accounts_pb2.Bootstrapped, url: str, model: str) -> None:
    """Shown once, to the person at the terminal: never in the log."""
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
    print(
        f"""
The platform is ready at {url}. Keep these now, they are not shown again:

  administrator  {made.admin.name}
  password       {made.password}
  first API key  {made.key.secret}

Try it:

  curl {url}/v1/chat/completions \\
    -H 'Authorization: Bearer {made.key.secret}' -H 'Content-Type: application/json' \\
    -d '{body}'
""",
        file=sys.stderr,
        flush=True,
    )
