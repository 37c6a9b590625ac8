"""The outbox of notifications: each is sent until it arrives, again and again with longer pauses, then given up.

Whoever takes one moves its next attempt ahead, so that two processes seldom send the same; a receiver that must see
each once looks at the event's id.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.billing.notifications.notices import Notice
from llm_platform.billing.notifications.webhook import DeliveryError, Webhook
from llm_platform.billing.schema import notifications
from llm_platform.billing.statements import bound
from llm_platform.core import metrics
from llm_platform.core.database import reading
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.core.transactions import Transaction, Transactions

POLL_SECONDS = 2.0
LEASE = 60_000_000
"""Microseconds for which a taken notification is left alone by others."""
TAKEN = 2
"""At once: the last of them is sent, or given up, before others may take it."""
MAX_ATTEMPTS = 14
FIRST_PAUSE = 5_000_000
LONGEST_PAUSE = 3_600_000_000
"""Microseconds: 14 attempts take about five hours."""

log = get_logger("billing.notifications")


class Outbox:
    """Raises SQLAlchemyError."""

    def __init__(self, engine: AsyncEngine, transactions: Transactions) -> None:
        self._engine = reading(engine)
        self._transactions = transactions
        self._dialect = engine.dialect

    async def deliver_forever(self, webhook: Webhook, clock: Callable[[], float]) -> None:
        """Until cancelled; a failing database is waited for."""
        while True:
            try:
                while await self.deliver(webhook, int(clock() * 1_000_000)):
                    pass
            except SQLAlchemyError as error:
                log.warning("notifications could not be read", reason=type(error).__name__)
            await asyncio.sleep(POLL_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - spreads replicas

    async def deliver(self, webhook: Webhook, now: int) -> int:
        """Sends what is due, at most TAKEN; answers how many it tried."""
        async with self._engine.connect() as connection:
            if not (await connection.execute(select(_due(now).exists()))).scalar_one():
                return 0
        taken = await self._transactions.run(self._take, now)
        for each in taken:
            await self._send(webhook, each, now)
        return len(taken)

    async def _send(self, webhook: Webhook, each: Notice, now: int) -> None:
        try:
            await webhook.send(each.event_id, each.body, now)
        except DeliveryError as error:
            dead = each.attempts >= MAX_ATTEMPTS
            pause = min(FIRST_PAUSE * 2 ** (each.attempts - 1), LONGEST_PAUSE)
            state = "dead" if dead else "pending"
            log.error("a notification was given up" if dead else "a notification was not delivered",
                      event_id=each.event_id, attempts=each.attempts, reason=error.reason)  # fmt: skip
            await self._change(each, state=state, due_at=now + pause, reason=error.reason)
            metrics.notifications.labels("dead" if dead else "failed").inc()
        else:
            await self._change(each, state="delivered", reason="")
            metrics.notifications.labels("delivered").inc()

    def _take(self, transaction: Transaction, now: int) -> list[Notice]:
        query = _due(now).order_by(notifications.c.due_at).limit(TAKEN).with_for_update(skip_locked=True)
        rows = [Notice(*row) for row in transaction.run(*bound(self._dialect, query))]
        taken = [each._replace(attempts=each.attempts + 1, due_at=now + LEASE) for each in rows]
        for each in taken:
            self._update(transaction, each.event_id, {"attempts": each.attempts, "due_at": each.due_at})
        return taken

    async def _change(self, taken: Notice, **values: Any) -> None:
        """What came of it. If another process has taken it since, what came of that counts."""
        still = update(notifications).where(
            notifications.c.event_id == taken.event_id,
            notifications.c.state == "pending",
            notifications.c.attempts == taken.attempts,
        )
        await self._transactions.run(lambda transaction: transaction.run(*bound(self._dialect, still.values(values))))

    def _update(self, transaction: Transaction, event_id: str, values: dict[str, Any]) -> None:
        changed = update(notifications).where(notifications.c.event_id == event_id).values(values)
        transaction.run(*bound(self._dialect, changed))

    async def listed(self, state: str, limit: int) -> Sequence[Notice]:
        """The newest first; ``state`` empty: all."""
        query = select(notifications).order_by(notifications.c.created_at.desc(), notifications.c.event_id).limit(limit)
        query = query.where(notifications.c.state == state) if state else query
        async with self._engine.connect() as connection:
            return [Notice(*row) for row in (await connection.execute(query)).all()]

    async def retry(self, event_id: str, now: int) -> Notice:
        """Has one that was given up, or was never sent, sent again. Raises NOT_FOUND."""
        return await self._transactions.run(self._retry, event_id, now)

    def _retry(self, transaction: Transaction, event_id: str, now: int) -> Notice:
        this = select(notifications).where(notifications.c.event_id == event_id)
        rows = transaction.run(*bound(self._dialect, this))
        if not rows:
            raise PlatformError(Code.NOT_FOUND, "There is no such notification.", param="event_id")
        known = Notice(*rows[0])
        if known.state not in ("dead", "kept"):
            return known
        again: dict[str, Any] = {"state": "pending", "attempts": 0, "due_at": now}
        self._update(transaction, event_id, again)
        return known._replace(**again)


def _due(now: int) -> Select[Any]:
    return select(notifications).where(notifications.c.state == "pending", notifications.c.due_at <= now)
