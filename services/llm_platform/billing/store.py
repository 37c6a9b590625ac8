"""The ledger's state in the database. One call of ``commit`` is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.billing.balances import Balances, Budgets, budget
from llm_platform.billing.budgets.budget import Crossed
from llm_platform.billing.notifications.notices import notice
from llm_platform.billing.plain_reserving import PlainReserving
from llm_platform.billing.posting import Operation, Posting, Releasing, Reserving, Result, Rules, Settling
from llm_platform.billing.records import Balance, EntryRow, Hold, Reserved
from llm_platform.billing.schema import reservations
from llm_platform.billing.statements import ask, statements_for
from llm_platform.core.database import reading
from llm_platform.core.transactions import Transaction, Transactions


@dataclass(frozen=True, slots=True)
class Committed:
    """What one transaction did."""

    results: list[Result]
    entries: list[EntryRow]
    overrun: int
    """Nano-dollars settled above their reservations."""
    crossed: list[Crossed]
    """Thresholds of budgets that were reached."""


class Store:
    """Reads and writes under the locks that make the rules of ``posting`` hold.

    SQLite: the whole database is locked from the beginning of the transaction (core/database.py).
    PostgreSQL: the balances of all keys of the transaction are locked (balances.py); every change of a reservation
    or an attempt needs the lock of its key.
    """

    def __init__(self, engine: AsyncEngine, transactions: Transactions, rules: Rules) -> None:
        self._engine = engine
        self._transactions = transactions
        self._rules = rules
        self._sql = statements_for(engine.dialect)
        self._balances = Balances(self._sql)
        # In a file a round trip costs nothing, and a statement of this size more than several small ones.
        served = engine.dialect.name == "postgresql"
        self._plain = PlainReserving(engine.dialect, transactions, rules) if served else None

    async def commit(self, operations: Sequence[Operation], now: int) -> Committed:
        """Applies the operations in order. ``now`` in microseconds. Raises SQLAlchemyError: nothing was done."""
        if self._plain is not None and (written := await self._plain.commit(operations, now)) is not None:
            return Committed([entry.amount for entry in written], written, 0, [])
        return await self._transactions.run(self._commit, operations, now)

    def _commit(self, transaction: Transaction, operations: Sequence[Operation], now: int) -> Committed:
        posting = self._read(transaction, operations, now)
        results = [posting.apply(operation) for operation in operations]
        crossed = posting.crossed()
        self._write(transaction, posting, crossed)
        if self._plain is not None:
            self._plain.note(posting)
        return Committed(results, posting.entries, posting.overrun, crossed)

    def _read(self, transaction: Transaction, operations: Sequence[Operation], now: int) -> Posting:
        reserves = [operation for operation in operations if isinstance(operation, Reserving)]
        settles = [operation for operation in operations if isinstance(operation, Settling)]
        releases = {operation.reservation_id for operation in operations if isinstance(operation, Releasing)}
        # A release does not say whose it is.
        freed = [hold.scopes for hold in self._holds(transaction, releases).values()]
        scopes = {*freed, *(each.hold.scopes for each in reserves), *(each.scopes for each in settles)}
        locked = self._balances.lock_keys(transaction, sorted({each.key_id for each in scopes}))
        ending = releases | {operation.reservation_id for operation in settles}
        scope_ids = {name for each in scopes for name in each if name}
        held, reserved, kinds, budgets = ask(
            transaction,
            (self._sql.holds, ending),
            (self._sql.reserve_entries, {operation.hold.reservation_id for operation in reserves}),
            (self._sql.kinds_of_entries, {operation.attempt_id for operation in settles}),
            (self._sql.budgets_of, scope_ids),
        )
        holds = {row[0]: Hold(*row) for row in held}
        while others := {hold.key_id for hold in holds.values()} - locked.keys():
            locked |= self._balances.lock_keys(transaction, sorted(others))
            holds = self._holds(transaction, ending)  # what was read before the locks were held may have changed
        if late := {operation.reservation_id for operation in settles} - holds.keys():
            reserved += self._sql.reserve_entries(transaction, sorted(late))
        posting = Posting(
            self._rules,
            now,
            locked,
            holds,
            reserved={row[0]: Reserved(*row[1:]) for row in reserved},
            settled={reference for reference, kind in kinds if kind == "settle"},
        )
        if not all(map(posting.knows, settles)):
            # What was removed was archived before, so that whoever no longer sees an entry sees this.
            posting.removed_before = transaction.run(self._sql.removed_before)[0][0]
        if locked:
            known = Budgets(scope_ids, [budget(row) for row in budgets])
            posting.accounts = self._balances.lock_accounts(transaction, posting.calls(operations), known)
        return posting

    def _holds(self, transaction: Transaction, ids: set[str]) -> dict[str, Hold]:
        return {row[0]: Hold(*row) for row in self._sql.holds(transaction, sorted(ids))}

    def _write(self, transaction: Transaction, posting: Posting, reached: list[Crossed]) -> None:
        sql = self._sql
        sql.append_entries(transaction, posting.entries)
        sql.open_reservations(transaction, [hold.row() for hold in posting.opened.values()])
        for name, hold in posting.partly_settled.items():
            transaction.write(sql.count_settled, (hold.settled, name))
        sql.close_reservations(transaction, posting.closed)
        self._balances.write(transaction, posting.balances, posting.accounts)
        for crossed in reached:
            transaction.write(sql.notify, notice(crossed, posting.now, deliver=self._rules.notifies))

    async def expired(self, now: int, limit: int) -> list[str]:
        """Reservations whose time has passed, oldest first."""
        query = (
            select(reservations.c.reservation_id)
            .where(reservations.c.expires_at <= now)
            .order_by(reservations.c.expires_at)
            .limit(limit)
        )
        async with reading(self._engine).connect() as connection:
            return list((await connection.execute(query)).scalars())

    async def open_reservations(self) -> int:
        async with reading(self._engine).connect() as connection:
            return (await connection.execute(select(func.count()).select_from(reservations))).scalar_one()

    async def set_budget(self, key_id: str, budget: int | None) -> Balance:
        """Sets or, with None, removes the budget of a key, known or not yet."""
        return await self._transactions.run(self._set_budget, key_id, budget)

    def _set_budget(self, transaction: Transaction, key_id: str, budget: int | None) -> Balance:
        balance = self._balances.lock_keys(transaction, [key_id])[key_id]
        transaction.run(self._sql.set_budget, (budget, key_id))
        balance.budget = budget
        return balance

    async def probe(self, now: int) -> None:
        """Raises SQLAlchemyError while the database takes no writes."""
        await self._transactions.run(lambda transaction: transaction.run(self._sql.touch_probe, (now,)))
