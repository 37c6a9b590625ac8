"""What happens when the database fails, or the process dies."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from llm_platform.billing.app import open_ledger
from llm_platform.billing.service import DatabaseLedger
from llm_platform.core.config import Config, Service
from llm_platform.core.errors import Code, PlatformError
from tests.unit.billing.calls import balance, entries, outcome, problems, record, reserve, reserve_each


@contextmanager
def locked(config: Config) -> Iterator[None]:
    """Another process writes and does not end."""
    with closing(sqlite3.connect(config.service.data_dir / "ledger.sqlite", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def pragma(ledger: DatabaseLedger, on: str, off: str) -> Iterator[None]:
    """Sets and unsets something on the connection that writes."""
    connection = ledger._store._transactions._connection  # type: ignore[attr-defined] # SQLite's own
    connection.execute(f"PRAGMA {on}")
    yield
    connection.execute(f"PRAGMA {off}")


async def test_a_database_locked_for_long_makes_calls_unavailable_and_recovers_by_itself(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_platform.billing.app.LOCK_PATIENCE_MS", 50)
    monkeypatch.setattr("llm_platform.billing.service.COMMIT_PATIENCE_SECONDS", 0.1)
    async with open_ledger(config) as ledger:
        await ledger.check()
        with locked(config):
            for refused in (reserve_each(ledger, reserve()), ledger.check()):
                with pytest.raises(PlatformError) as caught:
                    await refused
                assert caught.value.code is Code.UNAVAILABLE
                assert caught.value.message == "The ledger's database cannot be used: it is locked by another process."
            assert await balance(ledger) == (0, 0)  # reading still works
        await ledger.check()
        assert await reserve_each(ledger, reserve()) == [200_000]
        assert await problems(ledger) == []


async def test_a_short_lock_is_waited_for(config: Config) -> None:
    async with open_ledger(config) as ledger:
        with locked(config):
            waiting = asyncio.create_task(reserve_each(ledger, reserve()))
            await asyncio.sleep(0.05)
            assert not waiting.done()
        assert await waiting == [200_000]


@pytest.mark.parametrize(
    ("on", "off", "reason"),
    [
        ("max_page_count = 1", "max_page_count = 1000000", "the disk is full"),
        ("query_only = ON", "query_only = OFF", "it is read-only"),
    ],
)
async def test_a_full_or_read_only_disk_leaves_nothing_half_done(
    ledger: DatabaseLedger, on: str, off: str, reason: str
) -> None:
    done = reserve()
    await reserve_each(ledger, done)
    before = await entries(ledger)
    calls = [reserve() for _ in range(200)]  # more than fits on the pages there are
    with pragma(ledger, on, off):
        with pytest.raises(PlatformError, match=reason):
            await reserve_each(ledger, *calls)
        assert await entries(ledger) == before
        with pytest.raises(PlatformError, match=reason):
            await ledger.check()  # though what it writes may find a place
    assert await reserve_each(ledger, *calls) == [200_000] * 200
    await ledger.check()
    assert await record(ledger, outcome(done, input_tokens=1)) == (1, 0)
    assert await problems(ledger) == []


async def test_verify_names_what_was_tampered_with(config: Config, ledger: DatabaseLedger) -> None:
    kept, lost = reserve(), reserve()
    await reserve_each(ledger, kept, lost)
    await record(ledger, outcome(reserve(key="key_b"), input_tokens=1))
    with closing(sqlite3.connect(config.service.data_dir / "ledger.sqlite")) as connection:
        connection.execute("UPDATE balances SET spent = spent + 1 WHERE key_id = 'key_a'")
        connection.execute("DELETE FROM balances WHERE key_id = 'key_b'")
        connection.execute("DELETE FROM reservations WHERE reservation_id = ?", (lost.reservation_id,))
        connection.execute("UPDATE reservations SET settled = 7 WHERE reservation_id = ?", (kept.reservation_id,))
        connection.commit()
    assert await problems(ledger) == [
        "key key_a: the balance says spent 1, reserved 400000; the entries say spent 0, reserved 400000",
        "key key_b: it has entries and no balance",
        f"reservation {kept.reservation_id}: it says settled 7, the entries say 0",
        f"reservation {lost.reservation_id}: it has no release entry and is not open",
    ]


_WRITER = """
import asyncio, sys
from pathlib import Path
from llm_platform.billing.app import open_ledger
from llm_platform.core.config import Config, Service
from tests.unit.billing.calls import outcome, record, reserve, reserve_each

async def call(ledger):
    while True:
        item = reserve()
        await reserve_each(ledger, item)
        done = outcome(item, input_tokens=10)
        await record(ledger, done)
        print(done.attempt_id, flush=True)

async def main():
    async with open_ledger(Config(service=Service(data_dir=Path(sys.argv[1])))) as ledger:
        await asyncio.gather(*(call(ledger) for _ in range(20)))

asyncio.run(main())
"""


@pytest.mark.case(7)
async def test_a_process_killed_while_it_commits_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    for _ in range(3):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", _WRITER, str(tmp_path)),
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        assert process.stdout is not None
        enough = len(acknowledged) + 100
        async with asyncio.timeout(30):
            while len(acknowledged) < enough:
                line = await process.stdout.readline()
                assert line, f"the writer stopped by itself, exit code {await process.wait()}"
                acknowledged.add(line.decode().strip())
        process.send_signal(signal.SIGKILL)
        rest = (await process.stdout.read()).decode()
        # The last line may be cut.
        acknowledged.update(line for line in rest.split("\n")[:-1])
        await process.wait()
    async with open_ledger(Config(service=Service(data_dir=tmp_path))) as ledger:
        assert await problems(ledger) == []
        spent, _ = await balance(ledger)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as connection:
        stored = {name for (name,) in connection.execute("SELECT reference FROM entries WHERE kind = 'settle'")}
    assert acknowledged <= stored
    assert spent == 10_000 * len(stored)
