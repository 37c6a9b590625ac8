"""The ledger's state in the database. One call of ``commit`` is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.billing.posting import (
    Balance,
    EntryRow,
    Hold,
    Operation,
    Posting,
    Reserving,
    Result,
    Rules,
    Settling,
)
from llm_platform.billing.schema import balances, probes, reservations
from llm_platform.billing.statements import Statements
from llm_platform.core.database import Transactions, reading


@dataclass(frozen=True, slots=True)
class Committed:
    """What one transaction did."""

    results: list[Result]
    entries: list[EntryRow]
    overrun: int
    """Nano-dollars settled above their reservations."""


class Store:
    """Reads and writes under the locks that make the rules of ``posting`` hold.

    SQLite: the whole database is locked from the beginning of the transaction (core/database.py).
    PostgreSQL: the balances of all keys of the transaction are locked, in the order of the keys; every
    change of a reservation or an attempt needs the lock of its key.
    """

    def __init__(self, engine: AsyncEngine, transactions: Transactions, rules: Rules) -> None:
        self._engine = engine
        self._transactions = transactions
        self._rules = rules
        self._sql = Statements(engine.dialect)
        self._locks_rows = engine.dialect.name != "sqlite"

    async def commit(self, operations: Sequence[Operation], now: int) -> Committed:
        """Applies the operations in order. ``now`` in microseconds. Raises SQLAlchemyError: nothing was done."""
        return await self._transactions.run(self._commit, operations, now)

    def _commit(self, connection: Connection, operations: Sequence[Operation], now: int) -> Committed:
        posting = self._read(connection, operations, now)
        results = [posting.apply(operation) for operation in operations]
        self._write(connection, posting)
        return Committed(results, posting.entries, posting.overrun)

    def _read(self, connection: Connection, operations: Sequence[Operation], now: int) -> Posting:
        reserves = [operation for operation in operations if isinstance(operation, Reserving)]
        settles = [operation for operation in operations if isinstance(operation, Settling)]
        ending = {operation.reservation_id for operation in operations if not isinstance(operation, Reserving)}
        reserving = {operation.hold.reservation_id for operation in reserves}
        uncertain = {operation.reservation_id for operation in settles if operation.amount is None}
        attempts = {operation.attempt_id for operation in settles}
        keys = {operation.hold.key_id for operation in reserves} | {operation.key_id for operation in settles}
        holds = self._holds(connection, ending)
        keys.update(hold.key_id for hold in holds.values())
        locked = self._lock_balances(connection, sorted(keys))
        if self._locks_rows:
            # What was read before the locks were held may have changed.
            holds = self._holds(connection, ending)
            locked |= self._lock_balances(connection, sorted({hold.key_id for hold in holds.values()} - locked.keys()))
        return Posting(
            self._rules,
            now,
            locked,
            holds,
            reserved=dict(map(tuple, self._sql.reserved_amounts(connection, sorted(reserving | uncertain)))),
            settled={reference for (reference,) in self._sql.settled_attempts(connection, sorted(attempts))},
        )

    def _holds(self, connection: Connection, ids: set[str]) -> dict[str, Hold]:
        return {row[0]: Hold(*row) for row in self._sql.holds(connection, sorted(ids))}

    def _lock_balances(self, connection: Connection, keys: Sequence[str]) -> dict[str, Balance]:
        locked = {row[0]: Balance(*row[1:]) for row in self._sql.locked_balances(connection, keys)}
        missing = [key for key in keys if key not in locked]
        if missing:
            connection.exec_driver_sql(self._sql.make_balance, [(key, 0, 0) for key in missing])
            locked.update((row[0], Balance(*row[1:])) for row in self._sql.locked_balances(connection, missing))
        return locked

    def _write(self, connection: Connection, posting: Posting) -> None:
        sql = self._sql
        changes = [
            (balance.spent_change, balance.reserved_change, key)
            for key, balance in posting.balances.items()
            if balance.spent_change or balance.reserved_change
        ]
        for statement, rows in (
            (sql.append_entry, posting.entries),
            (sql.open_reservation, [hold.row() for hold in posting.opened.values()]),
            (sql.count_settled, [(hold.settled, name) for name, hold in posting.partly_settled.items()]),
            (sql.close_reservation, [(name,) for name in posting.closed]),
            (sql.change_balance, changes),
        ):
            if rows:
                connection.exec_driver_sql(statement, rows)

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

    def _set_budget(self, connection: Connection, key_id: str, budget: int | None) -> Balance:
        balance = self._lock_balances(connection, [key_id])[key_id]
        connection.execute(update(balances).where(balances.c.key_id == key_id).values(budget=budget))
        balance.budget = budget
        return balance

    async def probe(self, now: int) -> None:
        """Raises SQLAlchemyError while the database takes no writes."""
        await self._transactions.run(lambda connection: connection.execute(update(probes).values(at=now)) and None)
