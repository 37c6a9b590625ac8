"""The hot path's SQL: SQLAlchemy Core, compiled once, run with plain tuples.

Compiling and binding every statement anew costs more than SQLite itself. Values are always parameters. Rows go in
and ids are looked up in groups of a few fixed sizes, so that the database's own cache of prepared statements
hits: one statement for many rows costs SQLite less than the same statement many times, and it lets go of Python's
lock once instead of once a row, so that the event loop and the ledger's thread do not wait for each other.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, TypeAlias

from sqlalchemy import Select, Table, bindparam, delete, insert, literal_column, select, update
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.expression import BindParameter, ClauseElement, Delete

from llm_platform.billing.posting import EntryRow, Reserved
from llm_platform.billing.schema import balances, entries, probes, reservations
from llm_platform.core.transactions import Transaction

_LENGTHS = (1, 4, 16, 64, 256)
_GROUPS = (32, 16, 8, 4, 2, 1)

Ids: TypeAlias = list[BindParameter[str]]
Row: TypeAlias = Sequence[Any]


class ByIds:
    """A statement about the rows of some ids: the last id is repeated up to the next fixed length."""

    def __init__(self, dialect: Dialect, statement: Callable[[Ids], Select[Any] | Delete]) -> None:
        self._by_length = {length: _by_ids(dialect, statement, length) for length in _LENGTHS}

    def __call__(self, transaction: Transaction, ids: Sequence[str]) -> list[Row]:
        rows: list[Row] = []
        for start in range(0, len(ids), _LENGTHS[-1]):
            part = tuple(ids[start : start + _LENGTHS[-1]])
            length = next(length for length in _LENGTHS if length >= len(part))
            rows += transaction.run(self._by_length[length], part + part[-1:] * (length - len(part)))
        return rows


class Insert:
    """Rows for a table: ``columns`` names what they hold."""

    def __init__(self, dialect: Dialect, table: Table, columns: Sequence[str]) -> None:
        self._by_size = {size: _insert(dialect, table, columns, size) for size in _GROUPS}

    def __call__(self, transaction: Transaction, rows: Sequence[Row]) -> None:
        start = 0
        for size, statement in self._by_size.items():
            while len(rows) - start >= size:
                transaction.run(statement, tuple(chain.from_iterable(rows[start : start + size])))
                start += size


def _by_ids(dialect: Dialect, statement: Callable[[Ids], Select[Any] | Delete], length: int) -> str:
    names = [f"id_{n}" for n in range(length)]
    return _compiled(dialect, statement([bindparam(name, type_=entries.c.reference.type) for name in names]), names)


def _insert(dialect: Dialect, table: Table, columns: Sequence[str], size: int) -> str:
    rows: list[dict[str, BindParameter[Any]]] = [
        {column: bindparam(f"{column}_{n}") for column in columns} for n in range(size)
    ]
    names = [value.key for row in rows for value in row.values()]
    return _compiled(dialect, insert(table).values(rows), names)


def _compiled(dialect: Dialect, statement: ClauseElement, names: Sequence[str]) -> str:
    """The statement's text, whose parameters are ``names`` in this order."""
    compiled: Any = statement.compile(dialect=dialect)
    if tuple(compiled.positiontup) != tuple(names):
        raise AssertionError(f"parameters of {compiled} are {compiled.positiontup}, not {names}")
    return str(compiled)


class Statements:
    """For one kind of database. The parameters of each are named beside it."""

    def __init__(self, dialect: Dialect) -> None:
        # Each has its own way to say it; the other's module stays out of memory.
        native_insert = importlib.import_module(f"sqlalchemy.dialects.{dialect.name}").insert

        self.append_entries = Insert(dialect, entries, EntryRow._fields)
        # Hold.row()
        self.open_reservations = Insert(dialect, reservations, reservations.columns.keys())
        self.close_reservations = ByIds(
            dialect, lambda ids: delete(reservations).where(reservations.c.reservation_id.in_(ids))
        )
        # settled, reservation
        self.count_settled = _compiled(
            dialect,
            update(reservations)
            .where(reservations.c.reservation_id == bindparam("reservation"))
            .values(settled=bindparam("so_far")),
            ["so_far", "reservation"],
        )
        # change of spent, change of reserved, key
        self.change_balance = _compiled(
            dialect,
            update(balances)
            .where(balances.c.key_id == bindparam("key"))
            .values(
                spent=balances.c.spent + bindparam("spent_change"),
                reserved=balances.c.reserved + bindparam("reserved_change"),
            ),
            ["spent_change", "reserved_change", "key"],
        )
        # key, spent, reserved (both 0)
        self.make_balance = _compiled(
            dialect,
            native_insert(balances)
            .values(key_id=bindparam("key_id"), spent=bindparam("spent"), reserved=bindparam("reserved"))
            .on_conflict_do_nothing(),
            ["key_id", "spent", "reserved"],
        )
        # budget, key
        self.set_budget = _compiled(
            dialect,
            update(balances).where(balances.c.key_id == bindparam("key")).values(budget=bindparam("limit")),
            ["limit", "key"],
        )
        # now
        self.touch_probe = _compiled(dialect, update(probes).values(at=bindparam("now")), ["now"])

        self.locked_balances = ByIds(
            dialect,
            lambda ids: (
                select(balances.c.key_id, balances.c.budget, balances.c.spent, balances.c.reserved)
                .where(balances.c.key_id.in_(ids))
                .order_by(balances.c.key_id)
                .with_for_update()
            ),
        )
        self.holds = ByIds(
            dialect, lambda ids: select(*reservations.columns).where(reservations.c.reservation_id.in_(ids))
        )
        # reservation, then the fields of Reserved
        self.reserve_entries = ByIds(
            dialect,
            lambda ids: select(entries.c.reference, *(entries.c[name] for name in Reserved._fields)).where(
                entries.c.reference.in_(ids), entries.c.kind == literal_column("'reserve'")
            ),
        )
        self.settled_attempts = ByIds(
            dialect,
            lambda ids: select(entries.c.reference).where(
                entries.c.reference.in_(ids), entries.c.kind == literal_column("'settle'")
            ),
        )
