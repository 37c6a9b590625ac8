"""The hot path's SQL: SQLAlchemy Core, compiled once, run with plain tuples.

Compiling and binding every statement anew costs more than SQLite itself. Values are always
parameters. Ids are looked up in lists of a few fixed lengths (the last id repeated), so that the
database's own cache of prepared statements hits.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Select, bindparam, delete, insert, literal_column, select, update
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.expression import BindParameter, ClauseElement

from llm_platform.billing.posting import EntryRow
from llm_platform.billing.schema import balances, entries, reservations

_LENGTHS = (1, 4, 16, 64, 256)

Ids: TypeAlias = list[BindParameter[str]]


class Lookup:
    """A query for rows by ids."""

    def __init__(self, dialect: Dialect, query: Callable[[Ids], Select[Any]]) -> None:
        self._by_length = {length: _by_ids(dialect, query, length) for length in _LENGTHS}

    def __call__(self, connection: Connection, ids: Sequence[str]) -> Iterator[Sequence[Any]]:
        for start in range(0, len(ids), _LENGTHS[-1]):
            part = tuple(ids[start : start + _LENGTHS[-1]])
            length = next(length for length in _LENGTHS if length >= len(part))
            values = part + part[-1:] * (length - len(part))
            yield from connection.exec_driver_sql(self._by_length[length], values).all()


def _by_ids(dialect: Dialect, query: Callable[[Ids], Select[Any]], length: int) -> str:
    names = [f"id_{n}" for n in range(length)]
    return _compiled(dialect, query([bindparam(name, type_=entries.c.reference.type) for name in names]), names)


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

        # EntryRow
        self.append_entry = _compiled(
            dialect, insert(entries).values({name: bindparam(name) for name in EntryRow._fields}), EntryRow._fields
        )
        # Hold.row()
        columns = reservations.columns.keys()
        self.open_reservation = _compiled(
            dialect, insert(reservations).values({name: bindparam(name) for name in columns}), columns
        )
        # reservation
        self.close_reservation = _compiled(
            dialect,
            delete(reservations).where(reservations.c.reservation_id == bindparam("reservation")),
            ["reservation"],
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

        self.locked_balances = Lookup(
            dialect,
            lambda ids: (
                select(balances.c.key_id, balances.c.budget, balances.c.spent, balances.c.reserved)
                .where(balances.c.key_id.in_(ids))
                .order_by(balances.c.key_id)
                .with_for_update()
            ),
        )
        self.holds = Lookup(
            dialect, lambda ids: select(*reservations.columns).where(reservations.c.reservation_id.in_(ids))
        )
        self.reserved_amounts = Lookup(
            dialect,
            lambda ids: select(entries.c.reference, entries.c.amount).where(
                entries.c.reference.in_(ids), entries.c.kind == literal_column("'reserve'")
            ),
        )
        self.settled_attempts = Lookup(
            dialect,
            lambda ids: select(entries.c.reference).where(
                entries.c.reference.in_(ids), entries.c.kind == literal_column("'settle'")
            ),
        )
