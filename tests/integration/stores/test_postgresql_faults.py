"""What happens to the ledger and the accounts when their PostgreSQL server fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from llm_platform.auth_service.app import open_accounts
from llm_platform.billing.app import open_ledger
from llm_platform.billing.service import DatabaseLedger
from llm_platform.core.config import Config, Service, Stores
from llm_platform.core.database import UnusableDatabaseError, migrate_apart
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2, ledger_pb2
from tests.servers.postgresql import PASSWORD, PostgresqlServer
from tests.unit.billing.calls import balance, entries, outcome, problems, record, reserve, reserve_each

BOUND_SECONDS = 10
"""Far above every limit in time of the code, far below for ever."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    """A small one of their own, to be stopped at will."""
    with PostgresqlServer(max_connections=20) as started:
        yield started


@pytest.fixture
def config(server: PostgresqlServer, tmp_path: Path) -> Config:
    """The ledger and the accounts in one database."""
    url = server.make_database()
    return Config(service=Service(data_dir=tmp_path), stores=Stores(ledger_url=url, accounts_url=url))


class Load:
    """Callers that reserve and settle, and deliver an outcome until it is acknowledged, as model-proxy does."""

    def __init__(self, ledger: DatabaseLedger) -> None:
        self._ledger = ledger
        self.settled: set[str] = set()
        self.unavailable = 0

    @asynccontextmanager
    async def running(self, callers: int = 8) -> AsyncIterator[Load]:
        """Ends with every outcome delivered. A caller that meets anything but UNAVAILABLE ends it too."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(callers):
                tasks.create_task(self._call(stop))
            yield self
            stop.set()

    async def goes_on(self) -> None:
        """Returns when 20 more calls are settled."""
        enough = len(self.settled) + 20
        async with asyncio.timeout(3 * BOUND_SECONDS):
            while len(self.settled) < enough:  # noqa: ASYNC110 - the callers tell nobody
                await asyncio.sleep(0.01)

    async def _call(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            call = reserve()
            try:
                await reserve_each(self._ledger, call)
            except PlatformError as error:
                self._count(error)
                continue
            await self._deliver(outcome(call, input_tokens=10))

    async def _deliver(self, item: ledger_pb2.Outcome) -> None:
        while True:
            try:
                await record(self._ledger, item)
            except PlatformError as error:
                self._count(error)
                await asyncio.sleep(0.02)
            else:
                self.settled.add(item.attempt_id)
                return

    def _count(self, error: PlatformError) -> None:
        assert error.code is Code.UNAVAILABLE, error
        assert PASSWORD not in error.message
        self.unavailable += 1


async def exact(ledger: DatabaseLedger, load: Load) -> None:
    """Every acknowledged outcome is charged once, nothing else is, and the sums are right."""
    await ledger.check()
    assert await problems(ledger) == []
    page = await ledger.entries(ledger_pb2.EntriesQuery(kind="settle", limit=10_000))
    assert {entry.attempt_id for entry in page.items} == load.settled
    assert (await balance(ledger))[0] == 10_000 * len(load.settled)


async def refused(awaitable: object) -> PlatformError:
    """The refusal, which comes within BOUND_SECONDS."""
    async with asyncio.timeout(BOUND_SECONDS):
        with pytest.raises(PlatformError) as caught:
            await awaitable  # type: ignore[misc]
    assert caught.value.code is Code.UNAVAILABLE
    assert PASSWORD not in str(caught.value)
    return caught.value


@pytest.mark.case(7)
@pytest.mark.parametrize("fault", ["stop", "crash"])
async def test_a_server_that_dies_under_load_and_comes_back_leaves_the_ledger_exact(
    server: PostgresqlServer, config: Config, fault: str
) -> None:
    async with open_ledger(config) as ledger, Load(ledger).running() as load:
        await load.goes_on()
        await asyncio.to_thread(getattr(server, fault))
        await refused(balance(ledger))
        async with asyncio.timeout(BOUND_SECONDS):
            while not load.unavailable:  # noqa: ASYNC110 - the callers tell nobody
                await asyncio.sleep(0.05)
        await refused(ledger.check())
        await asyncio.to_thread(server.start)
        await load.goes_on()
    async with open_ledger(config) as ledger:
        await exact(ledger, load)


@pytest.mark.case(12)
async def test_a_frozen_server_hangs_no_call_and_the_ledger_is_exact_after_it(
    server: PostgresqlServer, config: Config
) -> None:
    async with open_ledger(config) as ledger, open_accounts(config) as accounts:
        made = await accounts.bootstrap(accounts_pb2.BootstrapRequest())
        asked = accounts_pb2.AuthenticateBatch(keys=[made.key.secret])
        async with Load(ledger).running() as load:
            await load.goes_on()
            server.freeze()
            try:
                await asyncio.gather(
                    *(refused(accounts.authenticate(asked)) for _ in range(10)),
                    *(refused(balance(ledger)) for _ in range(10)),
                    refused(reserve_each(ledger, reserve())),
                )
                assert "did not answer in time" in (await refused(ledger.check())).message
                assert "did not answer in time" in (await refused(accounts.check())).message
            finally:
                server.thaw()
            await load.goes_on()
        assert not (await accounts.authenticate(asked)).items[0].refusal
        await accounts.check()
        await exact(ledger, load)


async def test_a_server_frozen_for_a_moment_under_load_leaves_the_ledger_exact(
    server: PostgresqlServer, config: Config
) -> None:
    async with open_ledger(config) as one, open_ledger(config) as two, Load(one).running(4) as load:
        async with Load(two).running(4) as other:
            await load.goes_on()
            server.freeze()
            await asyncio.sleep(3)
            server.thaw()
            await asyncio.gather(load.goes_on(), other.goes_on())
        load.settled |= other.settled
    async with open_ledger(config) as ledger:
        load.settled |= other.settled
        await exact(ledger, load)


@pytest.mark.case(4)
async def test_a_real_deadlock_is_tried_again_and_loses_nothing(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A foreign transaction holds what the commit wants and then wants what the commit holds."""
    import asyncpg

    async with open_ledger(config) as ledger:
        first, second = reserve(key="key_a"), reserve(key="key_b")
        await reserve_each(ledger, first, second)
        commit, failures = ledger._store.commit, []

        async def watched(*arguments: object) -> object:
            try:
                return await commit(*arguments)  # type: ignore[arg-type]
            except DBAPIError as error:
                failures.append(error.orig.sqlstate)  # type: ignore[union-attr]
                raise

        monkeypatch.setattr(ledger._store, "commit", watched)
        url = str(config.stores.ledger_url).replace("+asyncpg", "")
        foreign = await asyncpg.connect(url, server_settings={"deadlock_timeout": "10s"})
        try:
            # Who looks for deadlocks first is ended: the commit does, half a second after it began to wait.
            await foreign.execute("ALTER SYSTEM SET deadlock_timeout = '500ms'")
            await foreign.execute("SELECT pg_reload_conf()")
            await foreign.execute("BEGIN")
            await foreign.execute("SELECT * FROM balances WHERE key_id = 'key_b' FOR UPDATE")
            recording = asyncio.create_task(
                record(ledger, outcome(first, input_tokens=5), outcome(second, input_tokens=7))
            )
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1"
            while not await foreign.fetchval(waiting, url.rpartition("/")[2]):  # noqa: ASYNC110 - the server's own
                await asyncio.sleep(0.01)
            await foreign.execute("SELECT * FROM balances WHERE key_id = 'key_a' FOR UPDATE")
            await foreign.execute("ROLLBACK")
            assert await recording == (2, 0)
            assert failures[0] == "40P01"
        finally:
            await foreign.execute("ALTER SYSTEM RESET deadlock_timeout")
            await foreign.execute("SELECT pg_reload_conf()")
            await foreign.close()
        assert await balance(ledger, "key_a") == (5_000, 0)
        assert await balance(ledger, "key_b") == (7_000, 0)
        assert await problems(ledger) == []


class Losing:
    """A connection that the server ends around the first COMMIT."""

    def __init__(self, connection: Any, server: PostgresqlServer, when: str) -> None:
        self._connection = connection
        self._server = server
        self._when = when

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def execute(self, statement: str) -> Any:
        if statement == "COMMIT" and self._when == "after the commit":
            await self._connection.execute(statement)
        if statement == "COMMIT":
            self._server.sql(f"SELECT pg_terminate_backend({self._connection.get_server_pid()}, 5000)")
        return await self._connection.execute(statement)


@pytest.mark.case(4)
@pytest.mark.parametrize("when", ["before the commit", "after the commit"])
async def test_a_connection_lost_around_the_commit_charges_once(
    server: PostgresqlServer, config: Config, when: str
) -> None:
    """Lost after it, the transaction is in the database, though nobody was told."""
    async with open_ledger(config) as ledger:
        call = reserve()
        await reserve_each(ledger, call)
        transactions: Any = ledger._store._transactions
        transactions._connection = losing = Losing(transactions._connection, server, when)
        assert await record(ledger, outcome(call, input_tokens=5)) == ((1, 0) if when.startswith("before") else (0, 1))
        assert transactions._connection is not losing
        assert await balance(ledger) == (5_000, 0)
        assert len(await entries(ledger, "settle")) == 1
        assert await problems(ledger) == []


async def test_a_server_without_a_free_connection_is_unavailable_and_then_used_again(
    server: PostgresqlServer, config: Config
) -> None:
    import asyncpg

    async with open_ledger(config) as ledger:
        ours = f"datname = '{str(config.stores.ledger_url).rpartition('/')[2]}'"
        server.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")  # noqa: S608 - a test's own
        taken: list[Any] = []
        with suppress(asyncpg.TooManyConnectionsError):
            while True:
                taken.append(await asyncpg.connect(str(config.stores.ledger_url).replace("+asyncpg", "")))
        try:
            assert "too many connections" in (await refused(balance(ledger))).message
            assert "too many connections" in (await refused(reserve_each(ledger, reserve()))).message
            await refused(ledger.check())
        finally:
            for connection in taken:
                await connection.close()
        async with asyncio.timeout(BOUND_SECONDS):
            while await _fails(ledger):  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.05)
        assert await reserve_each(ledger, reserve()) == [200_000]


async def _fails(ledger: DatabaseLedger) -> bool:
    try:
        await ledger.check()
        await balance(ledger)
    except PlatformError:
        return True
    return False


@pytest.mark.case(11)
async def test_a_server_that_is_down_at_boot_is_waited_for(server: PostgresqlServer, config: Config) -> None:
    url = str(config.stores.ledger_url)
    await asyncio.to_thread(server.stop)
    try:
        with pytest.raises(UnusableDatabaseError, match="it cannot be reached") as refusal:
            async with open_ledger(config):
                pytest.fail("it must not open")
        assert PASSWORD not in str(refusal.value)
        migrating = asyncio.create_task(migrate_apart(url, "llm_platform.billing.migrations"))
        await asyncio.sleep(1)
        assert not migrating.done()
    finally:
        await asyncio.to_thread(server.start)
    async with asyncio.timeout(6 * BOUND_SECONDS):
        await migrating
    async with open_ledger(config) as ledger:
        assert await reserve_each(ledger, reserve()) == [200_000]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("hunter2-of-the-tests", "wrong"), "refuses the user or the password|password authentication failed"),
        (("/test_", "/nothing_"), "no database of that name|does not exist"),
        (("/test_", "/test_?nonsense=1&x="), "nonsense, x is not known"),
        (("/test_", "/test_?sslmode=verify-full&sslrootcert=/nowhere/ca.pem&x="), "sslrootcert cannot be read|x is"),
    ],
)
async def test_what_waiting_does_not_mend_ends_the_start_at_once(
    config: Config, change: tuple[str, str], reason: str
) -> None:
    url = str(config.stores.ledger_url).replace(*change)
    with pytest.raises(UnusableDatabaseError, match=reason) as refusal:
        await migrate_apart(url, "llm_platform.billing.migrations")
    assert PASSWORD not in str(refusal.value)
