"""What is read from the ledger: usage, entries, budgets, and the proof that the sums are right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, cast, distinct, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.billing.audit import CHECKS
from llm_platform.billing.schema import USAGE_COLUMNS, balances, entries, reservations
from llm_platform.core.database import reading
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, ledger_pb2

PAGE = 1_000
MAX_PAGE = 10_000
_COSTS = entries.c.kind.in_(("settle", "adjust"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(field: str, value: str) -> int:
    """An RFC 3339 time as microseconds since 1970. Raises INVALID_REQUEST."""
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise PlatformError(
            Code.INVALID_REQUEST, f"{field}: give a time with its offset, like 2026-01-31T00:00:00Z.", param=field
        )
    return (time - _EPOCH) // timedelta(microseconds=1)


def _rfc3339(value: int) -> str:
    return (_EPOCH + timedelta(microseconds=value)).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Reports:
    """Each report is one consistent view and never makes a writer wait. Raises SQLAlchemyError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = reading(engine)

    async def usage(self, query: ledger_pb2.UsageQuery) -> ledger_pb2.UsageReport:
        statement = (
            select(
                entries.c.key_id,
                entries.c.provider,
                entries.c.model,
                func.count(distinct(entries.c.reservation_id)),
                _sum(entries.c.amount),
                *(_sum(entries.c[name]) for name in USAGE_COLUMNS),
            )
            .where(_COSTS)
            .group_by(entries.c.key_id, entries.c.provider, entries.c.model)
            .order_by(entries.c.key_id, entries.c.provider, entries.c.model)
        )
        if query.key_id:
            statement = statement.where(entries.c.key_id == query.key_id)
        if query.since:
            statement = statement.where(entries.c.created_at >= microseconds("since", query.since))
        if query.until:
            statement = statement.where(entries.c.created_at < microseconds("until", query.until))
        async with self._engine.connect() as connection:
            rows = (await connection.execute(statement)).all()
        return ledger_pb2.UsageReport(
            rows=[
                ledger_pb2.UsageRow(
                    key_id=key_id,
                    provider=provider,
                    model=model,
                    requests=requests,
                    cost=cost,
                    usage=common_pb2.Usage(**dict(zip(USAGE_COLUMNS, counts, strict=True))),
                )
                for key_id, provider, model, requests, cost, *counts in rows
            ]
        )

    async def entries(self, query: ledger_pb2.EntriesQuery) -> ledger_pb2.EntryPage:
        statement = (
            select(entries)
            .where(entries.c.sequence > query.after)
            .order_by(entries.c.sequence)
            .limit(min(query.limit or PAGE, MAX_PAGE))
        )
        if query.kind:
            statement = statement.where(entries.c.kind == query.kind)
        if query.request_id:
            statement = statement.where(entries.c.request_id == query.request_id)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(statement)).mappings().all()
        return ledger_pb2.EntryPage(items=[_entry(row) for row in rows])

    async def budgets(self) -> ledger_pb2.Budgets:
        async with self._engine.connect() as connection:
            rows = (await connection.execute(select(balances).order_by(balances.c.key_id))).all()
        return ledger_pb2.Budgets(
            items=[
                ledger_pb2.Budget(
                    key_id=row.key_id,
                    limit=-1 if row.budget is None else row.budget,
                    spent=row.spent,
                    reserved=row.reserved,
                )
                for row in rows
            ]
        )

    async def verify(self) -> ledger_pb2.VerifyReport:
        """Derives every balance and every open reservation from the entries again; names each difference."""
        async with self._engine.connect() as connection:
            return ledger_pb2.VerifyReport(
                problems=[problem for check in CHECKS for problem in await check.problems(connection)],
                entries=(await connection.execute(select(func.count()).select_from(entries))).scalar_one(),
                open_reservations=(
                    await connection.execute(select(func.count()).select_from(reservations))
                ).scalar_one(),
            )


def _sum(column: Any) -> Any:
    # PostgreSQL sums bigint as numeric.
    return cast(func.coalesce(func.sum(column), 0), BigInteger)


def _entry(row: Any) -> ledger_pb2.Entry:
    return ledger_pb2.Entry(
        sequence=row["sequence"],
        kind=row["kind"],
        reservation_id=row["reservation_id"],
        attempt_id=row["reference"] if row["kind"] == "settle" else "",
        key_id=row["key_id"],
        provider=row["provider"],
        model=row["model"],
        amount=row["amount"],
        certainty=row["certainty"],
        usage=common_pb2.Usage(**{name: row[name] for name in USAGE_COLUMNS}),
        result=row["result"],
        price_revision=row["price_revision"],
        created_at=_rfc3339(row["created_at"]),
        request_id=row["request_id"],
    )
