"""However many calls there are at once, a store sees no more connections of a process than configured."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from llm_platform.auth_service.app import open_accounts
from llm_platform.billing.app import open_ledger
from llm_platform.core import postgresql as postgresql_engine
from llm_platform.core.config import Config, Service, Stores
from llm_platform.core.database import open_database, unhurried
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2, common_pb2, limiter_pb2
from llm_platform.rate_limiter.app import open_limiter
from tests.servers.postgresql import PostgresqlServer
from tests.servers.proxy import Proxy
from tests.servers.redis import RedisServer
from tests.unit.billing.calls import balance, reserve, reserve_each

CALLS = 500
CONNECTIONS = 3


async def ended(*calls: object) -> Counter[str]:
    """How the calls ended, all made at once: answered, or the code of the refusal. Nothing else may happen."""
    async with asyncio.timeout(60):
        results = await asyncio.gather(*calls, return_exceptions=True)  # type: ignore[call-overload]
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, PlatformError):
            raise result
    return Counter(str(result.code) if isinstance(result, PlatformError) else "answered" for result in results)


@pytest.mark.case(11)
async def test_billing_and_auth_service_hold_their_connections_and_no_more(
    postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    with Proxy(postgresql.port) as to_ledger, Proxy(postgresql.port) as to_accounts:
        url = postgresql.make_database()
        urls = [url.replace(f":{postgresql.port}/", f":{proxy.port}/") for proxy in (to_ledger, to_accounts)]
        stores = Stores(ledger_url=urls[0], accounts_url=urls[1], database_connections=CONNECTIONS)
        config = Config(service=Service(data_dir=tmp_path), stores=stores)
        async with open_ledger(config) as ledger, open_accounts(config) as accounts:
            made = await accounts.bootstrap(accounts_pb2.BootstrapRequest())
            asked = accounts_pb2.AuthenticateBatch(keys=[made.key.secret])
            to_ledger.most = to_accounts.most = 0
            calls = await ended(
                *(reserve_each(ledger, reserve()) for _ in range(CALLS)),
                *(balance(ledger) for _ in range(CALLS)),
                *(accounts.authenticate(asked) for _ in range(CALLS)),
            )
            assert calls["answered"] >= CALLS  # who finds no free connection in time is told to come again
            assert calls.keys() <= {"answered", Code.UNAVAILABLE}
            assert to_ledger.most <= CONNECTIONS + 1  # and the one of its transactions
            assert to_accounts.most <= CONNECTIONS


async def test_rate_limiter_holds_its_connections_and_no_more(tmp_path: Path) -> None:
    with RedisServer() as server, Proxy(server.port) as proxy:
        stores = Stores.model_validate(
            {"limits_url": f"redis://127.0.0.1:{proxy.port}/0", "limits_connections": CONNECTIONS}
        )
        async with open_limiter(Config(service=Service(data_dir=tmp_path), stores=stores)) as limiter:
            limits = common_pb2.Limits(concurrency=10_000)
            calls = await ended(
                *(
                    limiter.acquire(
                        limiter_pb2.AcquireBatch(
                            items=[limiter_pb2.Acquire(lease_id=f"lease-{n}", subject="key", limits=limits)]
                        )
                    )
                    for n in range(CALLS)
                )
            )
            assert calls["answered"] > 0
            assert calls.keys() <= {"answered", Code.UNAVAILABLE}
            assert 0 < proxy.most <= CONNECTIONS


async def test_what_reads_whole_tables_has_time_and_takes_no_connection_of_the_pool(
    postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_engine, "STATEMENT_SECONDS", 0.5)
    slow = text("SELECT pg_sleep(1)")
    url = postgresql.make_database()
    async with open_database(url, "llm_platform.billing.migrations", connections=1) as engine:
        with pytest.raises(SQLAlchemyError):
            async with engine.connect() as connection:
                await connection.execute(slow)
        async with engine.connect(), unhurried(engine) as patient:
            await patient.execute(slow)
