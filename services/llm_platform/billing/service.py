"""billing: the ``Ledger`` over a database.

Whatever is asked while a transaction is under way waits and goes into the next one together (group
commit). No balance is kept in memory: several of these may work on one database at once.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from llm_platform.billing import instruments
from llm_platform.billing.budgets.adoption import Adoption
from llm_platform.billing.budgets.requests import BudgetRequests
from llm_platform.billing.notifications.requests import NotificationRequests
from llm_platform.billing.orders import Pricing
from llm_platform.billing.posting import MAX_BUDGET, Operation, Releasing, Result
from llm_platform.billing.pricing.requests import PriceRequests
from llm_platform.billing.reconciliation.requests import AttemptRequests
from llm_platform.billing.reports import Reports
from llm_platform.billing.retention.requests import RetentionRequests
from llm_platform.billing.store import Committed, Store
from llm_platform.core.batch import Batcher
from llm_platform.core.database_failures import is_full, is_transient, unavailable
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.proto import common_pb2, ledger_pb2

COMMIT_PATIENCE_SECONDS = 2.5
"""How long a transaction is begun again after deadlocks, locks and lost connections."""
FULL_SECONDS = 5.0
"""How long readiness remembers that a commit found the disk full."""
SWEEP_SECONDS = 5.0
SWEEP_LIMIT = 500
_SUBMISSIONS = 64
_EMPTY = common_pb2.Empty()

T = TypeVar("T")
log = get_logger("billing")


class DatabaseLedger:
    """Implements ``Ledger``. Every method raises UNAVAILABLE while the database fails; nothing is half done then."""

    def __init__(
        self,
        store: Store,
        reports: Reports,
        pricing: Pricing,
        budgets: BudgetRequests,
        notifications: NotificationRequests,
        adoption: Adoption,
        attempts: AttemptRequests,
        retention: RetentionRequests,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._budgets = budgets
        self._notifications = notifications
        self._prices = PriceRequests(pricing.book, clock)
        self._adoption = adoption
        self._attempts = attempts
        self._retention = retention
        self._reports = reports
        self._pricing = pricing
        self._clock = clock
        self._writer: Batcher[Sequence[Operation], list[Result] | PlatformError] = Batcher(
            self._commit, limit=_SUBMISSIONS, in_flight=1
        )
        self._failure: PlatformError | None = None
        self._full_until = 0.0

    async def reserve(self, request: ledger_pb2.ReserveBatch) -> ledger_pb2.ReserveReplies:
        """Holds an upper bound of each call's cost. A refusal stands in its own reply."""
        now = self._now()
        orders = [self._pricing.reserving(item, now) for item in request.items]
        operations = [order for order in orders if not isinstance(order, PlatformError)]
        done = iter(await self._submit(operations) if operations else ())
        replies = ledger_pb2.ReserveReplies()
        for order in orders:
            result = order if isinstance(order, PlatformError) else next(done)
            if isinstance(result, PlatformError):
                instruments.refused(result.code)
                replies.items.add(error=result.to_proto())
            else:
                replies.items.add(amount=result)
        return replies

    async def release(self, request: ledger_pb2.ReleaseBatch) -> common_pb2.Empty:
        """Frees what reservations hold; unknown and closed ones are passed over."""
        if request.reservation_ids:
            await self._submit([Releasing(name, "released") for name in request.reservation_ids])
        return _EMPTY

    async def record(self, request: ledger_pb2.OutcomeBatch) -> ledger_pb2.RecordReply:
        """Charges calls. Raises INVALID_REQUEST on an outcome without attempt id, for the whole batch, and on one that
        may be among removed entries: then the others are charged, and to deliver them again is harmless."""
        now = self._now()
        operations = [self._pricing.settling(item, place, now) for place, item in enumerate(request.items)]
        results = await self._submit(operations) if operations else []
        for result in results:
            if isinstance(result, PlatformError):
                raise result
        recorded = sum(1 for result in results if result is True)
        return ledger_pb2.RecordReply(recorded=recorded, known=len(results) - recorded)

    async def usage(self, request: ledger_pb2.UsageQuery) -> ledger_pb2.UsageReport:
        return await _available(self._reports.usage(request))

    async def entries(self, request: ledger_pb2.EntriesQuery) -> ledger_pb2.EntryPage:
        return await _available(self._reports.entries(request))

    async def set_budget(self, request: ledger_pb2.Budget) -> ledger_pb2.Budget:
        """Sets ``limit`` (negative: none) and answers the key's balance."""
        if not request.key_id:
            raise PlatformError(Code.INVALID_REQUEST, "Name the key whose budget this is.", param="key_id")
        if request.limit > MAX_BUDGET:
            raise PlatformError(Code.INVALID_REQUEST, f"A budget is at most {MAX_BUDGET} nano-dollars.", param="limit")
        limit = None if request.limit < 0 else request.limit
        balance = await _available(self._store.set_budget(request.key_id, limit))
        return ledger_pb2.Budget(
            key_id=request.key_id,
            limit=-1 if balance.budget is None else balance.budget,
            spent=balance.spent,
            reserved=balance.reserved,
        )

    async def list_budgets(self, request: common_pb2.Empty) -> ledger_pb2.Budgets:  # noqa: ARG002 - the port's shape
        return await _available(self._reports.budgets())

    async def put_budget(self, request: ledger_pb2.PutBudgetRequest) -> ledger_pb2.ScopedBudget:
        """Makes or replaces a budget. Raises INVALID_REQUEST; CONFLICT when it is not the one of ``etag``."""
        return await _available(self._budgets.put(request, self._now()))

    async def delete_budget(self, request: ledger_pb2.DeleteBudgetRequest) -> common_pb2.Empty:
        """Raises INVALID_REQUEST, NOT_FOUND, CONFLICT."""
        await _available(self._budgets.delete(request, self._now()))
        return _EMPTY

    async def find_budgets(self, request: ledger_pb2.BudgetsQuery) -> ledger_pb2.BudgetPage:
        return await _available(self._budgets.find(request, self._now()))

    async def attempts(self, request: ledger_pb2.AttemptsQuery) -> ledger_pb2.AttemptPage:
        """Calls of providers as they are charged now. Raises INVALID_REQUEST."""
        return await _available(self._attempts.find(request))

    async def resolve(self, request: ledger_pb2.ResolveBatch) -> ledger_pb2.ResolveReplies:
        """Corrects calls by the provider's own books. Raises INVALID_REQUEST."""
        return await _available(self._attempts.resolve(request, self._now()))

    async def notifications(self, request: ledger_pb2.NotificationsQuery) -> ledger_pb2.NotificationPage:
        return await _available(self._notifications.find(request))

    async def retry_notification(self, request: ledger_pb2.NotificationRef) -> ledger_pb2.Notification:
        """Has a notification that was given up sent again. Raises NOT_FOUND."""
        return await _available(self._notifications.retry(request, self._now()))

    async def prices(self, request: ledger_pb2.PricesQuery) -> ledger_pb2.PricePage:
        """Own prices, or the one of calls to a model. Raises INVALID_REQUEST, NOT_FOUND."""
        return self._prices.find(request)

    async def read_back(self, request: ledger_pb2.ReadBackQuery) -> ledger_pb2.ReadBackPage:
        """Whole entries, for archives. Raises INVALID_REQUEST."""
        return await _available(self._reports.read_back(request))

    async def retention(self, request: common_pb2.Empty) -> ledger_pb2.RetentionState:  # noqa: ARG002 - the port's shape
        return await _available(self._retention.find(self._now()))

    async def confirm_archive(self, request: ledger_pb2.ArchivedRange) -> ledger_pb2.RetentionState:
        """Has entries that are in an archive removed from now on. Raises INVALID_REQUEST, CONFLICT."""
        return await _available(self._retention.confirm(request, self._now()))

    async def remove_archived(self, request: common_pb2.Empty) -> ledger_pb2.RetentionState:  # noqa: ARG002 - the port's shape
        """Removes some of them: all are when ``examined_to`` is ``archived_to``."""
        return await _available(self._retention.remove(self._now()))

    async def verify(self, request: common_pb2.Empty) -> ledger_pb2.VerifyReport:  # noqa: ARG002 - the port's shape
        return await _available(self._reports.verify())

    async def check(self) -> None:
        """The readiness check: whether the database takes writes. Raises UNAVAILABLE with the reason."""
        if self._failure is not None and time.monotonic() < self._full_until:
            raise self._failure  # what the probe writes is small enough to find a place
        await _available(self._store.probe(self._now()))
        self._failure = None

    async def sweep(self) -> int:
        """Releases reservations whose time has passed; answers how many."""
        names = await _available(self._store.expired(self._now(), SWEEP_LIMIT))
        released = 0
        if names:
            released = sum(map(bool, await self._submit([Releasing(name, "expired") for name in names])))
            instruments.expired(released)
            log.warning("reservations expired", count=released)
        while adopted := await _available(self._adoption.adopt(self._now(), SWEEP_LIMIT)):
            log.info("entries of the release before were posted to budgets", count=adopted)
        instruments.open_reservations(await _available(self._store.open_reservations()))
        return released

    async def sweep_forever(self) -> None:
        """Sweeps until cancelled; a failing database is waited for."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - spreads replicas
            try:
                await self.sweep()
            except PlatformError as error:
                log.warning("expired reservations could not be released", reason=error.message)

    async def aclose(self) -> None:
        """Waits for what was accepted."""
        await self._writer.aclose()

    def _now(self) -> int:
        return int(self._clock() * 1_000_000)

    async def _submit(self, operations: Sequence[Operation]) -> list[Result]:
        results = await self._writer(operations)
        if isinstance(results, PlatformError):
            raise results
        return results

    async def _commit(self, submissions: Sequence[Sequence[Operation]]) -> list[list[Result] | PlatformError]:
        """One transaction for all that waits. If the database refuses a value in it, each submission goes alone."""
        try:
            committed = await self._commit_patiently([each for submission in submissions for each in submission])
        except (DataError, IntegrityError) as error:
            if len(submissions) > 1:
                return [(await self._commit([submission]))[0] for submission in submissions]
            log.error("the ledger refused a value", exc_info=error)
            return [PlatformError(Code.INTERNAL, "The ledger could not store this.")]
        except SQLAlchemyError as error:
            self._failure = unavailable(error, "The ledger's database")
            self._full_until = time.monotonic() + FULL_SECONDS if is_full(error) else 0.0
            log.error("a commit failed", reason=self._failure.message, items=len(submissions))
            raise self._failure from error
        self._failure = None
        results = iter(committed.results)
        return [[next(results) for _ in submission] for submission in submissions]

    async def _commit_patiently(self, operations: Sequence[Operation]) -> Committed:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for attempt in itertools.count():
            try:
                committed = await self._store.commit(operations, self._now())
            except SQLAlchemyError as error:
                # Two writers of one id on PostgreSQL: the second sees the first's row when it begins again.
                again = is_transient(error) or (isinstance(error, IntegrityError) and attempt == 0)
                # While the database is known to fail, callers learn it at once.
                if not again or self._failure or loop.time() - began > COMMIT_PATIENCE_SECONDS:
                    raise
                instruments.repeated(error)
                await asyncio.sleep(min(0.005 * 2**attempt, 0.5) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            else:
                instruments.committed(committed, loop.time() - began)
                return committed
        raise AssertionError("unreachable")


async def _available(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except SQLAlchemyError as error:
        raise unavailable(error, "The ledger's database") from error
