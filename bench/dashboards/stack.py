"""The platform with its dashboards, its stores filled past the services."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.dashboards.books import MODELS, Books
from bench.dashboards.bulk import open_bulk
from bench.dashboards.population import Population, Size
from llm_platform.core import catalog
from llm_platform.core.database import sqlite_url
from tests.fleet import Fleet
from tests.integration.dashboards.visitor import Visitor
from tests.servers.postgresql import PostgresqlServer

PASSWORD = "a pass phrase of the benchmark 71"  # noqa: S105 - of people who live for minutes
PAGE = '<!doctype html><meta name="csp-nonce" content="%NONCE%"><title>Dashboard</title>'
CATCH_UP_SECONDS = 1800.0

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Amount:
    """How much there is."""

    size: Size
    rows: int
    days: int
    calls: int


@dataclass(frozen=True)
class Stack:
    """A running, filled fleet, and who is signed in: the platform's admin, an organisation's, and a developer."""

    fleet: Fleet
    admin: Visitor
    organization_admin: Visitor
    developer: Visitor
    population: Population
    facts: dict[str, int]
    """What there is, by name; ``cost``: of all usage in nano-dollars, by one sum over the ledger."""


@contextmanager
def filled(directory: Path, database: str, amount: Amount, seed: int, tell: Tell) -> Iterator[Stack]:
    """``database``: sqlite or postgresql."""
    with ExitStack() as opened:
        urls = _sqlite(directory)
        settings: dict[str, object] = {
            "providers": {name: {"type": "echo", "models": [m for m, of in MODELS.items() if of == name]}
                          for name in set(MODELS.values())},
            "billing": {"unknown_price": "free"},
        }  # fmt: skip
        if database == "postgresql":
            server = opened.enter_context(PostgresqlServer("shared_buffers=1GB", "work_mem=16MB"))
            urls = {"accounts_url": server.make_database(), "ledger_url": server.make_database()}
            settings["stores"] = urls
        pages = directory / "pages"
        pages.mkdir(parents=True)
        (pages / "index.html").write_text(PAGE)
        tell("starting the services")
        fleet = Fleet(directory, settings=settings, services=catalog.load().services, pages=pages)
        # Left by hand: what it ends with looks for secrets in every file, and there are gigabytes.
        opened.callback(fleet.stop)
        fleet.__enter__()
        password = fleet.command("bootstrap")["password"]
        admin = _signed_in(fleet, "admin", "admin", password)
        organization = admin.made("/api/organizations", {"name": "largest"})["organization_id"]
        people = {
            role: admin.made(
                "/api/users",
                {"name": f"the-{role}", "role": role, "organization": organization, "password": PASSWORD},
            )["user_id"]
            for role in ("admin", "developer")
        }
        chance = random.Random(seed)  # noqa: S311 - the same population each time
        now = time.time()
        population = Population(amount.size, organization, people["developer"], int(now * 1000), chance)
        books = Books(population.keys, amount.days, int(now * 1_000_000), chance)
        asyncio.run(_fill(fleet, urls, population, books, amount, tell))
        facts = asyncio.run(_facts(urls, tell))
        yield Stack(
            fleet,
            _signed_in(fleet, "admin", "admin", password),
            _signed_in(fleet, "admin", "the-admin", PASSWORD),
            _signed_in(fleet, "user", "the-developer", PASSWORD),
            population,
            facts,
        )


def _sqlite(directory: Path) -> dict[str, str]:
    data = directory / "data"
    return {
        "accounts_url": sqlite_url(data / "auth-service" / "accounts.sqlite"),
        "ledger_url": sqlite_url(data / "billing" / "ledger.sqlite"),
    }


def _signed_in(fleet: Fleet, dashboard: str, name: str, password: str) -> Visitor:
    visitor = Visitor(fleet.url(f"{dashboard}-dashboard-1"))
    visitor.sign_in(name, password)
    return visitor


async def _fill(
    fleet: Fleet, urls: dict[str, str], population: Population, books: Books, amount: Amount, tell: Tell
) -> None:
    services = [fleet["auth-service-1"], fleet["billing-1"]]
    for service in services:
        service.terminate()
    tell(f"{amount.size.keys:,} keys, {amount.size.audit_entries:,} entries of the audit log")
    accounts = await open_bulk(urls["accounts_url"])
    await population.write(accounts)
    await population.write_audit_log(accounts)
    await accounts.close()
    tell(f"about {amount.rows:,} rows of usage")
    ledger = await open_bulk(urls["ledger_url"])
    await books.write(ledger, amount.rows, amount.calls, tell)
    await ledger.close()
    for service in services:
        service.start()
    for service in services:
        service.wait_ready(120)


async def _facts(urls: dict[str, str], tell: Tell) -> dict[str, int]:
    """Waits until billing has rolled up what it was given."""
    ledger = await open_bulk(urls["ledger_url"])
    last = await ledger.value("SELECT max(sequence) FROM entries")
    deadline = time.monotonic() + CATCH_UP_SECONDS
    behind = "SELECT count(*) FROM summary_progress WHERE summarised_from > 0"
    while (done := await ledger.value("SELECT sequence FROM usage_progress")) < last or await ledger.value(behind):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Billing has rolled up {done} of {last} entries.")
        tell(f"billing rolls entries up: {done:,} of {last:,}")
        await asyncio.sleep(5)
    facts = {
        name: int(await ledger.value(query))
        for name, query in {
            "usage rows": "SELECT count(*) FROM usage_rollups",
            "entries": "SELECT count(*) FROM entries",
            "cost": "SELECT sum(cost) FROM (SELECT cost FROM archived_usage UNION ALL SELECT amount FROM entries "
            "WHERE kind IN ('settle', 'adjust')) AS parts",
        }.items()
    }
    await ledger.close()
    accounts = await open_bulk(urls["accounts_url"])
    facts["keys"] = int(await accounts.value("SELECT count(*) FROM api_keys"))
    await accounts.close()
    return facts
