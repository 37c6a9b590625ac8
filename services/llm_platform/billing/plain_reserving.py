"""Reservations that need no decision: found to be such and written by one statement, on a server.

What ``posting`` decides has to be read under locks before: five round trips with the commit, which the caller of each
request waits for. Most reservations have room, and no budget but their key's own counts them. One statement
finds that out under the same locks and writes what ``posting`` would; otherwise it writes nothing.

Its parts see the tables as they were when it began, but ``balances`` as it is once its rows are locked, in the order
that everyone keeps. Whoever changes budgets stops postings before (balances.py), so that none is overlooked. A
reservation that is there already runs into the constraint of ``entries``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Text,
    and_,
    any_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import IntegrityError

from llm_platform.billing.posting import MAX_RESERVED, Operation, Posting, Reserving, Rules, entry_of
from llm_platform.billing.records import EntryRow
from llm_platform.billing.schema import balances, budgets, entries, reservations
from llm_platform.core.transactions import Transactions

_KNOWN_KEYS = 10_000


class PlainReserving:
    """Remembers whose reservations were plain the last time: only those are tried. Never what they decide on."""

    def __init__(self, dialect: Dialect, transactions: Transactions, rules: Rules) -> None:
        self._transactions = transactions
        self._rules = rules
        self._statement, self._parameters = _statement(dialect)
        self._plain: set[str] = set()

    async def commit(self, operations: Sequence[Operation], now: int) -> list[EntryRow] | None:
        """The entries of all, which hold what they asked for; None: nothing was done, and ``posting`` has to decide.

        Raises SQLAlchemyError."""
        reserving = [each for each in operations if isinstance(each, Reserving) and self._may_be_plain(each)]
        if len(reserving) < len(operations):
            return None
        rows = [entry_of(each.hold, "reserve", each.hold.amount, "", each.price_revision, now) for each in reserving]
        try:
            ((done,),) = await self._transactions.run_one(self._statement, self._values(reserving, rows))
        except IntegrityError:
            done = False
        if not done:
            self._plain.difference_update(row.key_id for row in rows)
        return rows if done else None

    def note(self, posting: Posting) -> None:
        """Of reservations that ``posting`` had to decide."""
        if posting.accounts.by_id:
            return
        if len(self._plain) > _KNOWN_KEYS:
            self._plain.clear()
        self._plain.update(hold.key_id for hold in posting.opened.values())

    def _may_be_plain(self, operation: Reserving) -> bool:
        return operation.hold.key_id in self._plain and (operation.bounded or not self._rules.strict_budgets)

    def _values(self, reserving: Sequence[Reserving], rows: Sequence[EntryRow]) -> list[Any]:
        amounts: dict[str, int] = {}
        for each in reserving:
            amounts[each.hold.key_id] = amounts.get(each.hold.key_id, 0) + each.hold.amount
        keys = sorted(amounts)
        columns = {
            "keys": keys,
            "amounts": [amounts[key] for key in keys],
            "scope_ids": sorted({name for each in reserving for name in each.hold.scopes if name}),
            **_arrays("entry", EntryRow._fields, rows),
            **_arrays("hold", reservations.columns.keys(), [each.hold.row() for each in reserving]),
        }
        return [columns[name] for name in self._parameters]


def _arrays(of: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    return {f"{of}_{name}": column for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def _statement(dialect: Dialect) -> tuple[str, Sequence[str]]:
    """Its text and the names of its parameters. Its answer: whether it did anything, which is all or nothing."""
    keys = bindparam("keys", type_=ARRAY(Text))
    asked = (
        func.unnest(keys, bindparam("amounts", type_=ARRAY(BigInteger)))
        .table_valued("key_id", "amount")
        .render_derived(name="asked")
    )
    reserved = balances.c.reserved + asked.c.amount
    budgeted = exists().where(budgets.c.scope_id == any_(bindparam("scope_ids", type_=ARRAY(Text))))
    roomy = (
        select(balances.c.key_id)
        .where(
            balances.c.key_id == asked.c.key_id,
            reserved <= literal_column(str(MAX_RESERVED)),
            or_(balances.c.budget.is_(None), balances.c.spent + reserved <= balances.c.budget),
        )
        .order_by(balances.c.key_id)
        .with_for_update(of=balances)
        .cte("roomy")
    )
    all_roomy = select(func.count()).select_from(roomy).scalar_subquery() == func.cardinality(keys)
    plain = select(select(and_(all_roomy, not_(budgeted)).label("so")).cte("plain").c.so).scalar_subquery()
    held = update(balances).where(balances.c.key_id == asked.c.key_id, plain).values(reserved=reserved).cte("held")
    opened = _insertion(reservations, "hold", reservations.columns.keys(), plain).cte("opened")
    noted = _insertion(entries, "entry", EntryRow._fields, plain).cte("noted")
    compiled: Any = select(plain).add_cte(held, opened, noted).compile(dialect=dialect)
    return str(compiled), compiled.positiontup


def _insertion(table: Any, of: str, names: Sequence[str], condition: Any) -> Any:
    arrays = [bindparam(f"{of}_{name}", type_=ARRAY(table.c[name].type)) for name in names]
    rows = func.unnest(*arrays).table_valued(*names).render_derived(name=f"{of}_rows")
    return insert(table).from_select(names, select(*rows.c).where(condition))
