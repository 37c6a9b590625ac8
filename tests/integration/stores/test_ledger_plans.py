"""How PostgreSQL finds the rows of a commit: by their ids, however many others there are."""

from __future__ import annotations

from pathlib import Path

from llm_platform.billing.app import open_ledger
from llm_platform.core.config import Config, Service, Stores
from llm_platform.proto import ledger_pb2
from tests.servers.postgresql import PostgresqlServer
from tests.unit.billing.calls import outcome, reserve

BATCH = 48
BATCHES = 20


async def test_a_commit_reads_no_entries_but_its_own(postgresql: PostgresqlServer, tmp_path: Path) -> None:
    """On tables that have no statistics yet, as in the first minutes of a platform."""
    database = postgresql.make_database()
    config = Config(service=Service(data_dir=tmp_path), stores=Stores(ledger_url=database))
    async with open_ledger(config) as ledger:
        for _ in range(BATCHES):
            calls = [reserve() for _ in range(BATCH)]
            await ledger.reserve(ledger_pb2.ReserveBatch(items=calls))
            await ledger.record(ledger_pb2.OutcomeBatch(items=[outcome(call, input_tokens=10) for call in calls]))

    def counted(column: str, view: str, name: str) -> int:
        return int(postgresql.sql(f"SELECT sum({column}) FROM {view} WHERE {name}", database))  # noqa: S608

    assert counted("n_tup_ins", "pg_stat_user_tables", "relname = 'entries'") == 3 * BATCH * BATCHES
    assert counted("seq_tup_read", "pg_stat_user_tables", "relname = 'entries'") == 0
    assert counted("idx_tup_read", "pg_stat_user_indexes", "indexrelname = 'ix_entries_usage'") == 0
    # Each is looked for when it is reserved, when its attempt is, and when it is changed.
    found = counted("idx_tup_read", "pg_stat_user_indexes", "relname = 'entries'")
    assert found < 10 * BATCH * BATCHES
