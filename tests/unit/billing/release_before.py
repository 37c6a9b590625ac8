"""What billing of the release before writes: entries, reservations and balances of keys, without the newer columns."""

from __future__ import annotations

from sqlalchemy import Column, MetaData, Table, delete, insert, update
from sqlalchemy.types import BigInteger, Text

from llm_platform.billing.schema import USAGE_COLUMNS
from llm_platform.billing.service import DatabaseLedger
from llm_platform.billing.statements import bound
from llm_platform.core.transactions import Transaction
from llm_platform.proto import ledger_pb2

_TEXTS = ("kind", "reference", "reservation_id", "request_id", "key_id", "user_id", "provider", "model", "certainty",
          "result", "price_revision")  # fmt: skip
_metadata = MetaData()
_entries = Table(
    "entries",
    _metadata,
    *(Column(name, Text) for name in _TEXTS),
    *(Column(name, BigInteger) for name in ("amount", "status", "created_at", *USAGE_COLUMNS)),
)
_reservations = Table(
    "reservations",
    _metadata,
    *(Column(name, Text) for name in ("reservation_id", "request_id", "key_id", "user_id", "provider", "model")),
    *(Column(name, BigInteger) for name in ("amount", "settled", "expires_at")),
)
_balances = Table(
    "balances", _metadata, Column("key_id", Text), *(Column(name, BigInteger) for name in ("spent", "reserved"))
)


class ReleaseBefore:
    """On the database of ``ledger``."""

    def __init__(self, ledger: DatabaseLedger) -> None:
        self._ledger = ledger
        self._store = ledger._store

    async def reserve(self, call: ledger_pb2.Reserve, amount: int) -> None:
        await self._store._transactions.run(self._reserve, call, amount)

    async def settle(self, call: ledger_pb2.Reserve, held: int, amount: int) -> None:
        """As the last attempt: it frees what is held."""
        await self._store._transactions.run(self._settle, call, held, amount)

    def _reserve(self, transaction: Transaction, call: ledger_pb2.Reserve, amount: int) -> None:
        self._append(transaction, call, "reserve", call.reservation_id, amount)
        row = {
            name: getattr(call, name)
            for name in ("reservation_id", "request_id", "key_id", "user_id", "provider", "model")
        }
        self._run(
            transaction, insert(_reservations).values(**row, amount=amount, settled=0, expires_at=self._now + 10**9)
        )
        self._balance(transaction, call, 0, amount)

    def _settle(self, transaction: Transaction, call: ledger_pb2.Reserve, held: int, amount: int) -> None:
        self._append(transaction, call, "settle", f"{call.reservation_id}-1", amount)
        self._append(transaction, call, "release", call.reservation_id, held)
        gone = delete(_reservations).where(_reservations.c.reservation_id == call.reservation_id)
        self._run(transaction, gone)
        self._balance(transaction, call, amount, -held)

    def _append(
        self, transaction: Transaction, call: ledger_pb2.Reserve, kind: str, reference: str, amount: int
    ) -> None:
        values = dict.fromkeys(_TEXTS, "") | dict.fromkeys(USAGE_COLUMNS, 0)
        values |= {name: getattr(call, name) for name in ("reservation_id", "request_id", "key_id", "user_id")}
        values |= {"kind": kind, "reference": reference, "amount": amount, "status": 0, "created_at": self._now}
        self._run(transaction, insert(_entries).values(values))

    def _balance(self, transaction: Transaction, call: ledger_pb2.Reserve, spent: int, reserved: int) -> None:
        transaction.run(self._store._sql.make_balance, (call.key_id, 0, 0))
        changed = update(_balances).where(_balances.c.key_id == call.key_id)
        self._run(
            transaction, changed.values(spent=_balances.c.spent + spent, reserved=_balances.c.reserved + reserved)
        )

    @property
    def _now(self) -> int:
        return self._ledger._now()

    def _run(self, transaction: Transaction, statement: object) -> None:
        transaction.run(*bound(self._store._engine.dialect, statement))  # type: ignore[arg-type]
