"""What the release before writes while both run, posted to the windows of budgets."""

from __future__ import annotations

from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.billing.balances import Balances
from llm_platform.billing.budgets import counting
from llm_platform.billing.notifications.notices import notice
from llm_platform.billing.records import Scopes
from llm_platform.billing.schema import unposted
from llm_platform.billing.statements import bound, statements_for
from llm_platform.core.database import reading
from llm_platform.core.transactions import Transaction, Transactions


class Adoption:
    """Takes entries from ``unposted``. Raises SQLAlchemyError."""

    def __init__(self, engine: AsyncEngine, transactions: Transactions, *, notifies: bool) -> None:
        self._engine = reading(engine)
        self._transactions = transactions
        self._notifies = notifies
        self._dialect = engine.dialect
        self._sql = statements_for(engine.dialect)
        self._balances = Balances(self._sql)

    async def adopt(self, now: int, limit: int) -> int:
        """Posts at most ``limit`` entries, each once whoever else does this too; answers how many."""
        async with self._engine.connect() as connection:
            if not (await connection.execute(select(exists().select_from(unposted)))).scalar_one():
                return 0
        return await self._transactions.run(self._adopt, now, limit)

    def _adopt(self, transaction: Transaction, now: int, limit: int) -> int:
        waiting = select(unposted.c.sequence).order_by(unposted.c.sequence).limit(limit)
        taken = [row[0] for row in transaction.run(*bound(self._dialect, waiting.with_for_update(skip_locked=True)))]
        if not taken:
            return 0
        query = select(counting.counted.where(counting.SEQUENCE.in_(taken)).subquery("counted"))
        rows = transaction.run(*bound(self._dialect, query))
        calls = [(Scopes(*scopes), at, spent, reserved) for _, *scopes, at, spent, reserved in rows]
        balances = self._balances.lock_keys(transaction, sorted({scopes.key_id for scopes, *_ in calls}))
        accounts = self._balances.lock_accounts(transaction, [(scopes, at) for scopes, at, *_ in calls])
        for scopes, at, spent, reserved in calls:
            for account in accounts.of(scopes, at):
                account.balance.spend(spent)
                account.balance.reserve(reserved)
        self._balances.write(transaction, {}, accounts)
        for crossed in (*accounts.crossed({}), *accounts.reached(balances)):
            transaction.run(self._sql.notify, notice(crossed, now, deliver=self._notifies))
        transaction.run(*bound(self._dialect, delete(unposted).where(unposted.c.sequence.in_(taken))))
        return len(taken)
