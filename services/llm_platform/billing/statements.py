"""The hot path's SQL: SQLAlchemy Core, compiled once, run with plain tuples.

Compiling and binding every statement anew costs more than SQLite itself. Values are always parameters. One statement
for many rows costs less than the same statement many times, and on SQLite lets go of Python's lock once instead of
once a row, so that the event loop and the ledger's thread do not wait for each other. PostgreSQL takes arrays: any
number of rows is one statement. For SQLite rows go in and ids are looked up in groups of a few fixed sizes, so that
its own cache of prepared statements hits.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, TypeAlias

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Table,
    Text,
    any_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.expression import BindParameter, ClauseElement

from llm_platform.billing.records import EntryRow, Reserved
from llm_platform.billing.schema import (
    balances,
    budget_windows,
    budgets,
    entries,
    notifications,
    probes,
    reservations,
)
from llm_platform.billing.schema_derived import retention
from llm_platform.core.transactions import Transaction

_LENGTHS = (1, 4, 16, 64, 256)
_GROUPS = (32, 16, 8, 4, 2, 1)

Row: TypeAlias = Sequence[Any]
Among: TypeAlias = Callable[[Column[str]], ColumnElement[bool]]
"""Whether a column is one of the ids in question."""
AboutIds: TypeAlias = Callable[[Among], ClauseElement]
_ID = Text()


class _ByIds:
    """A statement about the rows of some ids."""

    def __init__(self, dialect: Dialect, statement: AboutIds) -> None:
        if dialect.name == "postgresql":
            self._by_length = {0: _by_array(dialect, statement)}
        else:
            self._by_length = {length: _by_list(dialect, statement, length) for length in _LENGTHS}

    def parts(self, ids: Sequence[str]) -> Iterator[tuple[str, Sequence[Any]]]:
        """Statements and their values, none for no ids. A list's last id is repeated up to the next fixed length."""
        if 0 in self._by_length:
            if ids:
                yield self._by_length[0], (ids,)
            return
        for start in range(0, len(ids), _LENGTHS[-1]):
            part = tuple(ids[start : start + _LENGTHS[-1]])
            length = next(length for length in _LENGTHS if length >= len(part))
            yield self._by_length[length], part + part[-1:] * (length - len(part))


class ByIds(_ByIds):
    """A question."""

    def __call__(self, transaction: Transaction, ids: Sequence[str]) -> list[Row]:
        return [row for statement, values in self.parts(ids) for row in transaction.run(statement, values)]


def ask(transaction: Transaction, *questions: tuple[ByIds, Iterable[str]]) -> Iterator[list[Row]]:
    """Several questions, each about some ids, in one round trip; the rows of each."""
    asked = [list(question.parts(sorted(ids))) for question, ids in questions]
    answers = iter(transaction.ask([part for parts in asked for part in parts]))
    return ([row for _ in parts for row in next(answers)] for parts in asked)


class WriteByIds(_ByIds):
    """A change."""

    def __call__(self, transaction: Transaction, ids: Sequence[str]) -> None:
        for statement, values in self.parts(ids):
            transaction.write(statement, values)


class Insert:
    """Rows for a table: ``columns`` names what they hold."""

    def __init__(self, dialect: Dialect, table: Table, columns: Sequence[str]) -> None:
        self._by_size = {size: _insert(dialect, table, columns, size) for size in _GROUPS}

    def __call__(self, transaction: Transaction, rows: Sequence[Row]) -> None:
        start = 0
        for size, statement in self._by_size.items():
            while len(rows) - start >= size:
                transaction.write(statement, tuple(chain.from_iterable(rows[start : start + size])))
                start += size


class InsertArrays:
    """Any number of rows for a PostgreSQL table: an array a column."""

    def __init__(self, dialect: Dialect, table: Table, columns: Sequence[str]) -> None:
        arrays = [bindparam(column, type_=ARRAY(table.c[column].type)) for column in columns]
        rows = func.unnest(*arrays).table_valued(*columns).render_derived()
        self._statement = _compiled(dialect, insert(table).from_select(columns, select(*rows.c)), columns)

    def __call__(self, transaction: Transaction, rows: Sequence[Row]) -> None:
        if rows:
            transaction.write(self._statement, tuple(zip(*rows, strict=True)))


class Add:
    """Adds to numbers of rows: ``columns`` of the table, found by its column ``key``."""

    def __init__(self, dialect: Dialect, table: Table, key: str, columns: Sequence[str]) -> None:
        sums = {name: table.c[name] + bindparam(f"{name}_change") for name in columns}
        change = update(table).where(table.c[key] == bindparam("key")).values(sums)
        self._statement = _compiled(dialect, change, [*(f"{name}_change" for name in columns), "key"])

    def __call__(self, transaction: Transaction, rows: Sequence[Row]) -> None:
        """``rows``: the key, then what is added."""
        for key, *changes in rows:
            transaction.write(self._statement, (*changes, key))


class AddArrays:
    """The same for any number of rows of a PostgreSQL table at once."""

    def __init__(self, dialect: Dialect, table: Table, key: str, columns: Sequence[str]) -> None:
        names = [key, *columns]
        arrays = [bindparam(name, type_=ARRAY(table.c[name].type)) for name in names]
        changes = func.unnest(*arrays).table_valued(*names).render_derived(name="changes").c
        sums = {name: table.c[name] + changes[name] for name in columns}
        self._statement = _compiled(dialect, update(table).where(table.c[key] == changes[key]).values(sums), names)

    def __call__(self, transaction: Transaction, rows: Sequence[Row]) -> None:
        if rows:
            transaction.write(self._statement, tuple(zip(*rows, strict=True)))


def _by_list(dialect: Dialect, statement: AboutIds, length: int) -> str:
    names = [f"id_{n}" for n in range(length)]
    ids = [bindparam(name, type_=_ID) for name in names]
    return _compiled(dialect, statement(lambda column: column.in_(ids)), names)


def _by_array(dialect: Dialect, statement: AboutIds) -> str:
    ids = bindparam("ids", type_=ARRAY(_ID))
    return _compiled(dialect, statement(lambda column: column == any_(ids)), ["ids"])


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


def _made_once(dialect: Dialect, insertion: Any, columns: Sequence[str]) -> str:
    """Inserts a row, or leaves the one that is there as it is."""
    values: dict[str, BindParameter[Any]] = {column: bindparam(column) for column in columns}
    return _compiled(dialect, insertion.values(values).on_conflict_do_nothing(), columns)


def bound(dialect: Dialect, statement: ClauseElement) -> tuple[str, tuple[Any, ...]]:
    """A statement's text and its values: for what is run seldom."""
    compiled: Any = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    values = compiled.construct_params()
    return str(compiled), tuple(values[name] for name in compiled.positiontup)


class Statements:
    """For one kind of database. The parameters of each are named beside it."""

    def __init__(self, dialect: Dialect) -> None:
        # In conflict with the locks that reading a balance to change it takes, and with nothing that only reads.
        self.stop_postings = "" if dialect.name == "sqlite" else f"LOCK TABLE {balances.name} IN EXCLUSIVE MODE"
        # Each has its own way to say it; the other's module stays out of memory.
        native_insert = importlib.import_module(f"sqlalchemy.dialects.{dialect.name}").insert

        rows_into = InsertArrays if dialect.name == "postgresql" else Insert
        self.append_entries = rows_into(dialect, entries, EntryRow._fields)
        # Hold.row()
        self.open_reservations = rows_into(dialect, reservations, reservations.columns.keys())
        self.close_reservations = WriteByIds(
            dialect, lambda among: delete(reservations).where(among(reservations.c.reservation_id))
        )
        # settled, reservation
        self.count_settled = _compiled(
            dialect,
            update(reservations)
            .where(reservations.c.reservation_id == bindparam("reservation"))
            .values(settled=bindparam("so_far")),
            ["so_far", "reservation"],
        )
        add_to = AddArrays if dialect.name == "postgresql" else Add
        self.change_balances = add_to(dialect, balances, "key_id", ["spent", "reserved"])
        self.change_windows = add_to(dialect, budget_windows, "window_id", ["spent", "reserved"])
        # key, spent, reserved (both 0)
        self.make_balance = _made_once(dialect, native_insert(balances), ["key_id", "spent", "reserved"])
        # its columns; an open window has a balance of nothing
        self.make_window = _made_once(dialect, native_insert(budget_windows), budget_windows.columns.keys())
        self.notify = _made_once(dialect, native_insert(notifications), notifications.columns.keys())
        # budget, key
        self.set_budget = _compiled(
            dialect,
            update(balances).where(balances.c.key_id == bindparam("key")).values(budget=bindparam("limit")),
            ["limit", "key"],
        )
        # now
        self.touch_probe = _compiled(dialect, update(probes).values(at=bindparam("now")), ["now"])

        self.removed_before = _compiled(dialect, select(retention.c.removed_before), [])

        self.locked_balances = ByIds(
            dialect,
            lambda among: (
                select(balances.c.key_id, balances.c.budget, balances.c.spent, balances.c.reserved)
                .where(among(balances.c.key_id))
                .order_by(balances.c.key_id)
                .with_for_update()
            ),
        )
        # by whom they are for: a key, a user and a team of one id are told apart by their scope
        self.budgets_of = ByIds(dialect, lambda among: select(*budgets.columns).where(among(budgets.c.scope_id)))
        self.locked_windows = ByIds(
            dialect,
            lambda among: (
                select(budget_windows.c.window_id, budget_windows.c.spent, budget_windows.c.reserved)
                .where(among(budget_windows.c.window_id))
                .order_by(budget_windows.c.window_id)
                .with_for_update()
            ),
        )
        self.holds = ByIds(
            dialect, lambda among: select(*reservations.columns).where(among(reservations.c.reservation_id))
        )
        # reservation, then the fields of Reserved
        self.reserve_entries = ByIds(
            dialect,
            lambda among: select(entries.c.reference, *(entries.c[name] for name in Reserved._fields)).where(
                among(entries.c.reference), entries.c.kind == literal_column("'reserve'")
            ),
        )
        # Every kind: to ask for one would lead PostgreSQL, while its statistics are young, to read all entries of that
        # kind by their partial index.
        self.kinds_of_entries = ByIds(
            dialect, lambda among: select(entries.c.reference, entries.c.kind).where(among(entries.c.reference))
        )


_made: dict[tuple[str, str], Statements] = {}


def statements_for(dialect: Dialect) -> Statements:
    """The same for all who ask: compiling them takes a third of a second."""
    kind = (dialect.name, dialect.paramstyle)
    if kind not in _made:
        _made[kind] = Statements(dialect)
    return _made[kind]
