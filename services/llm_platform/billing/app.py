"""billing: wiring."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from fractions import Fraction

from llm_platform.billing.budgets.adoption import Adoption
from llm_platform.billing.budgets.requests import BudgetRequests
from llm_platform.billing.budgets.store import BudgetStore
from llm_platform.billing.interfaces import LEDGER
from llm_platform.billing.notifications.outbox import Outbox
from llm_platform.billing.notifications.requests import NotificationRequests
from llm_platform.billing.notifications.webhook import Webhook
from llm_platform.billing.orders import Pricing
from llm_platform.billing.posting import Rules
from llm_platform.billing.pricing.book import UNPRICED, PriceBook, catalogue_providers
from llm_platform.billing.pricing.catalogue import Catalogue, load_apart
from llm_platform.billing.pricing.price import Price, flat_price
from llm_platform.billing.reconciliation.requests import AttemptRequests
from llm_platform.billing.reconciliation.resolving import Resolver
from llm_platform.billing.reports import Reports
from llm_platform.billing.retention.requests import RetentionRequests
from llm_platform.billing.service import DatabaseLedger
from llm_platform.billing.store import Store
from llm_platform.billing.usage.rollups import RollUps
from llm_platform.core.config import Config
from llm_platform.core.config.model import Billing
from llm_platform.core.database import migrate_apart, open_database, sqlite_url
from llm_platform.core.lifecycle import Runtime, background, in_background
from llm_platform.core.plain_text import warn_of_plain_text
from llm_platform.core.transactions import open_transactions
from llm_platform.http.client.client import HttpClient

LOCK_PATIENCE_MS = 2_000
"""How long a transaction waits for another process's. With one repetition (service.py) this stays below the
deadline of the callers (rpc/client.py), so that they learn the reason."""
_MIGRATIONS = "llm_platform.billing.migrations"


@asynccontextmanager
async def open_ledger(
    config: Config, *, catalogue: Catalogue | None = None, clock: Callable[[], float] = time.time
) -> AsyncIterator[DatabaseLedger]:
    """The ledger over ``stores.ledger_url``, default ``ledger.sqlite`` in the data folder.

    Raises PlatformError for prices that cannot be believed, UnusableDatabaseError. Whoever runs it
    adds ``check`` of what it gets to its health.
    """
    billing = config.billing
    pricing = Pricing(
        PriceBook(config, catalogue, clock=clock),
        unknown=_unknown(billing),
        hold_seconds=config.traffic.stream_max_seconds + config.billing.hold_margin_seconds,
    )
    rules = Rules(
        Fraction(str(billing.uncertain_share)), billing.strict_budgets, notifies=billing.notifications is not None
    )
    async with (
        open_database(_url(config), _MIGRATIONS, connections=config.stores.database_connections) as engine,
        open_transactions(engine, busy_timeout_ms=LOCK_PATIENCE_MS) as transactions,
    ):
        outbox = Outbox(engine, transactions)
        ledger = DatabaseLedger(
            Store(engine, transactions, rules),
            Reports(engine, clock=clock),
            pricing,
            BudgetRequests(BudgetStore(engine, transactions, notifies=rules.notifies)),
            NotificationRequests(outbox),
            Adoption(engine, transactions, notifies=rules.notifies),
            AttemptRequests(engine, Resolver(engine, transactions, notifies=rules.notifies), pricing),
            RetentionRequests(engine, billing.retention_days),
            clock=clock,
        )
        client = HttpClient(max_connections=4)
        async with (
            aclosing(client),
            aclosing(ledger),
            in_background(ledger.sweep_forever(), "billing: sweeper"),
            AsyncExitStack() as notifying,
        ):
            if billing.notifications is not None:
                webhook = Webhook(client, billing.notifications.url, billing.notifications.secret.get_secret_value())
                delivering = in_background(outbox.deliver_forever(webhook, clock), "billing: notifications")
                await notifying.enter_async_context(delivering)
            rollups = RollUps(engine)
            rolling_up = background(rollups.advance_until_stopped(clock), "billing: roll-ups")
            try:
                yield ledger
            finally:
                rollups.stop()
                await rolling_up


def _unknown(billing: Billing) -> Price | None:
    """What models without a price cost."""
    if billing.default_price is not None:
        return flat_price("default", *billing.default_price)
    return UNPRICED if billing.unknown_price == "free" else None


def _url(config: Config) -> str:
    return config.stores.ledger_url or sqlite_url(config.service.data_dir / "ledger.sqlite")


async def prepare(config: Config) -> Catalogue | None:
    """Does, in processes that end again, what would leave much in memory: for ``open_ledger``, its ``catalogue``."""
    await migrate_apart(_url(config), _MIGRATIONS)
    named = catalogue_providers(config)
    return await load_apart(named) if named else None


async def start(runtime: Runtime) -> None:
    """Runs billing in a process of its own."""
    from llm_platform.rpc.server import serve

    config = runtime.config
    catalogue = await prepare(config)
    ledger = await runtime.enter(open_ledger(config, catalogue=catalogue))
    runtime.health.add("ledger", ledger.check)
    warn_of_plain_text(runtime.health, "the ledger's database", config.stores.ledger_url)
    await serve(runtime, ports={config.listen.grpc: [(LEDGER, ledger)]})
