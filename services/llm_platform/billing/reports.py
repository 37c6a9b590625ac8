"""What is read from the ledger: usage, entries, budgets, and the proof that the sums are right."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from sqlalchemy import func, join, select, true, union_all
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llm_platform.billing.periods import DAY, Period, microseconds, rfc3339
from llm_platform.billing.records import archived_form
from llm_platform.billing.retention import state as retention
from llm_platform.billing.schema import USAGE_COLUMNS, balances, entries, reservations
from llm_platform.billing.schema_derived import summary_progress, usage_progress, usage_rollups
from llm_platform.billing.scope import narrowed, visible
from llm_platform.billing.usage.page import Page, usage_filters
from llm_platform.billing.usage.rollups import SETTLED_MICROSECONDS
from llm_platform.billing.usage.sums import Progress, Question, sums
from llm_platform.billing.verification.derived import DERIVED_CHECKS
from llm_platform.billing.verification.ledger import CHECKS
from llm_platform.core.actor import actor
from llm_platform.core.database import reading, unhurried
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, ledger_pb2

PAGE = 1_000
MAX_PAGE = 10_000
READ_BACK = 2_000
"""Entries of a page of ``read_back``: about 1.5 MB."""


class Reports:
    """Each report is one consistent view and never makes a writer wait. Raises SQLAlchemyError."""

    def __init__(self, engine: AsyncEngine, *, clock: Callable[[], float] = time.time) -> None:
        self._engine = reading(engine)
        self._clock = clock
        self._verifying = asyncio.Lock()

    async def usage(self, query: ledger_pb2.UsageQuery) -> ledger_pb2.UsageReport:
        """Raises INVALID_REQUEST, PERMISSION_DENIED."""
        page = Page(query, narrowed(usage_filters(query), actor.get()), int(self._clock() * 1_000_000))
        async with self._engine.connect() as connection:
            question = await self._within_the_books(connection, page.question)
            if not question.is_rolled_up:
                _refuse_removed(question, (await retention.read(connection)).removed_before)
            progress = await _progress(connection)
            if page.only_ranks:
                question = page.narrowed(question, await self._ranked(connection, page, question, progress))
            rows = (await connection.execute(page.statement(sums(question, progress), connection.dialect))).all()
        return page.report(rows)

    async def _ranked(
        self, connection: AsyncConnection, page: Page, question: Question, progress: Progress
    ) -> Sequence[Any]:
        """Which groups are on the page, by what orders them alone: to sum up all of each would take several times as
        long."""
        summed = sums(question, progress, [page.order])
        ranked: Sequence[Any] = (await connection.execute(page.statement(summed, connection.dialect))).all()
        return ranked

    async def _within_the_books(self, connection: AsyncConnection, question: Question) -> Question:
        """To look for days where there is nothing would take long: the period begins with the first entry."""
        first = union_all(
            select(func.min(usage_rollups.c.starts_at)).where(usage_rollups.c.grain == DAY),
            select(entries.c.created_at).order_by(entries.c.sequence).limit(1).subquery().select(),
        )
        known = [at for at in (await connection.execute(first)).scalars() if at is not None]
        since = max(question.period.since, min(known, default=question.period.until) // DAY * DAY - DAY)
        return replace(question, period=Period(since, question.period.until))

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
        for column, value in visible(actor.get()).items():
            statement = statement.where(entries.c[column] == value)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(statement)).mappings().all()
        return ledger_pb2.EntryPage(items=[_entry(row) for row in rows])

    async def read_back(self, query: ledger_pb2.ReadBackQuery) -> ledger_pb2.ReadBackPage:
        """Raises INVALID_REQUEST."""
        before = microseconds("before", query.before)
        now = int(self._clock() * 1_000_000)
        if before > now - SETTLED_MICROSECONDS:
            # A lower sequence number might still be on its way (rollups.py).
            raise PlatformError(Code.INVALID_REQUEST, "before: give a time that is over a minute ago.", param="before")
        statement = (
            select(entries).where(entries.c.sequence > query.after).order_by(entries.c.sequence).limit(READ_BACK)
        )
        async with self._engine.connect() as connection:
            known = await retention.read(connection)
            rows = (await connection.execute(statement)).mappings().all()
        closed = list(takewhile(lambda row: row["created_at"] < before, rows))
        return ledger_pb2.ReadBackPage(
            entries=[archived_form(row).decode() for row in closed],
            last=closed[-1]["sequence"] if closed else query.after,
            end=len(closed) < READ_BACK,
            archived_to=known.archived_to,
        )

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
        """Derives every balance and every open reservation from the entries again; names each difference. It reads
        every entry and may take minutes; one runs at a time."""
        async with self._verifying, unhurried(self._engine) as connection:
            return ledger_pb2.VerifyReport(
                problems=[
                    problem for check in (*CHECKS, *DERIVED_CHECKS) for problem in await check.problems(connection)
                ],
                entries=(await connection.execute(select(func.count()).select_from(entries))).scalar_one(),
                removed=(await retention.read(connection)).removed,
                open_reservations=(
                    await connection.execute(select(func.count()).select_from(reservations))
                ).scalar_one(),
            )


async def _progress(connection: AsyncConnection) -> Progress:
    known = select(usage_progress.c.sequence, *(summary_progress.c[name] for name in ("sequence", "summarised_from")))
    return Progress(
        *(await connection.execute(known.select_from(join(usage_progress, summary_progress, true())))).one()
    )


def _refuse_removed(question: Question, removed_before: int) -> None:
    """Of entries that were removed there are only sums. Raises INVALID_REQUEST."""
    if any(not piece.grain and piece.since < removed_before for piece in question.pieces()):
        raise PlatformError(
            Code.INVALID_REQUEST,
            f"Entries from before {rfc3339(removed_before)} were archived and removed: of that time a period begins "
            "and ends with a quarter of an hour of UTC.",
            param="since",
        )


def _entry(row: Any) -> ledger_pb2.Entry:
    return ledger_pb2.Entry(
        sequence=row["sequence"],
        kind=row["kind"],
        reservation_id=row["reservation_id"],
        attempt_id=row["reference"].partition("~")[0] if row["kind"] in ("settle", "adjust") else "",
        key_id=row["key_id"],
        provider=row["provider"],
        model=row["model"],
        amount=row["amount"],
        certainty=row["certainty"],
        # A correction may take tokens back; a message has no way to say so, an amount has.
        usage=common_pb2.Usage(**{name: max(row[name], 0) for name in USAGE_COLUMNS}),
        result=row["result"],
        price_revision=row["price_revision"],
        created_at=rfc3339(row["created_at"]),
        request_id=row["request_id"],
        status=row["status"],
        sent_at=rfc3339(row["sent_at"]) if row["sent_at"] else "",
        first_byte_us=row["first_byte_us"] or 0,
        duration_us=row["duration_us"] or 0,
        provider_request_id=row["provider_request_id"],
        user_id=row["user_id"],
    )
