"""From messages to attempts and their corrections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Select
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.billing.orders import Pricing
from llm_platform.billing.periods import microseconds, rfc3339
from llm_platform.billing.posting import MAX_AMOUNT, MAX_TOKENS
from llm_platform.billing.reconciliation.attempts import (
    Attempt,
    Place,
    by_ids,
    by_provider_ids,
    newest,
    of_period,
    unresolved,
)
from llm_platform.billing.reconciliation.resolving import ABSENT, EXPORT, Resolver, Resolving
from llm_platform.billing.records import UsageCounts
from llm_platform.core.database import reading
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.provider_ids import provider_request_id
from llm_platform.proto import common_pb2, ledger_pb2

MOST_IDS = 1_000
MOST_RESOLUTIONS = 500
PAGE = 100
"""Of the newest, if it is not said."""
_FILTERS = ("key_id", "user_id", "model", "certainty")


class AttemptRequests:
    """Raises SQLAlchemyError."""

    def __init__(self, engine: AsyncEngine, resolver: Resolver, pricing: Pricing) -> None:
        self._engine = reading(engine)
        self._resolver = resolver
        self._pricing = pricing

    async def find(self, query: ledger_pb2.AttemptsQuery) -> ledger_pb2.AttemptPage:
        """Raises INVALID_REQUEST."""
        for name in ("attempt_ids", "provider_request_ids"):
            if len(getattr(query, name)) > MOST_IDS:
                raise _invalid(f"Ask for at most {MOST_IDS} at once.", name)
        if query.limit > MOST_IDS:
            raise _invalid(f"A page has at most {MOST_IDS}.", "limit")
        filters = {name: getattr(query, name) for name in _FILTERS if getattr(query, name)}
        if filters and not query.newest_first:
            raise _invalid("Only newest_first has this filter.", next(iter(filters)))
        after = _place(query.cursor)
        since = microseconds("since", query.since) if query.since else 0
        until = microseconds("until", query.until) if query.until else 2**62

        def find(connection: Connection) -> tuple[list[Attempt], Place | None]:
            def run(statement: Select[Any]) -> Sequence[Sequence[Any]]:
                return connection.execute(statement).all()

            if query.attempt_ids:
                return by_ids(run, list(query.attempt_ids)), None
            if query.provider_request_ids:
                ids = [provider_request_id(each) for each in query.provider_request_ids]
                return by_provider_ids(run, query.provider, ids), None
            if query.newest_first:
                if query.provider:
                    filters["provider"] = query.provider
                before = after if query.cursor else None
                return newest(run, filters, since, until, before, query.limit or PAGE)
            if query.unresolved:
                return unresolved(run, query.provider, since, until, after)
            return of_period(run, query.provider, since, until, after)

        async with self._engine.connect() as connection:
            attempts, end = await connection.run_sync(find)
        cursor = msgspec.json.encode(list(end)).decode() if end else ""
        return ledger_pb2.AttemptPage(items=map(_message, attempts), cursor=cursor)

    async def resolve(self, request: ledger_pb2.ResolveBatch, now: int) -> ledger_pb2.ResolveReplies:
        """A refusal stands in its own reply. Raises INVALID_REQUEST for the whole batch; ``now`` in microseconds."""
        names = [item.attempt_id for item in request.items]
        if len(names) > MOST_RESOLUTIONS or len(set(names)) != len(names):
            raise _invalid(f"Resolve at most {MOST_RESOLUTIONS} different attempts at once.", "items")
        known = {each.attempt_id: each for each in (await self.find(ledger_pb2.AttemptsQuery(attempt_ids=names))).items}
        orders = [self._resolving(item, known.get(item.attempt_id)) for item in request.items] if names else []
        resolving = [order for order in orders if isinstance(order, Resolving)]
        done = await self._resolver.resolve(resolving, now) if resolving else {}
        replies = ledger_pb2.ResolveReplies()
        for order in orders:
            if isinstance(order, PlatformError):
                replies.items.add(error=order.to_proto())
            else:
                resolved = done[order.attempt_id]
                made = resolved.adjusted is not None
                replies.items.add(amount=resolved.amount, adjusted=resolved.adjusted or 0, made=made)
        return replies

    def _resolving(self, item: ledger_pb2.Resolution, attempt: ledger_pb2.Attempt | None) -> Resolving | PlatformError:
        if attempt is None:
            return PlatformError(Code.NOT_FOUND, "There is no such attempt in the ledger.", param="attempt_id")
        if item.absent:
            return Resolving(item.attempt_id, 0, UsageCounts(), "", ABSENT)
        usage = UsageCounts(*(getattr(item.usage, name) for name in UsageCounts._fields))
        at = microseconds("reserved_at", attempt.reserved_at) / 1_000_000
        priced = self._pricing.cost(attempt.provider, attempt.model, item.usage, at) if any(usage) else None
        if priced is None and item.HasField("cost"):
            priced = item.cost, "export"
        if priced is None:
            return PlatformError(
                Code.PRICE_UNKNOWN, "Neither our price nor the provider's cost is known.", param="cost"
            )
        amount, revision = priced
        if not 0 <= amount <= MAX_AMOUNT or max(usage) > MAX_TOKENS:
            return _invalid("It cost more than is believed, or less than nothing.", "cost")
        return Resolving(item.attempt_id, amount, usage, revision, EXPORT)


def _place(cursor: str) -> Place:
    if not cursor:
        return Place(0, 0)
    try:
        place = Place(*msgspec.json.decode(cursor, type=tuple[int, int]))
    except msgspec.DecodeError:
        place = Place(-1, -1)
    if not all(0 <= value < 2**63 for value in place):
        raise _invalid("It is none of a page of this report.", "cursor")
    return place


def _message(attempt: Attempt) -> ledger_pb2.Attempt:
    return ledger_pb2.Attempt(
        attempt_id=attempt.attempt_id,
        key_id=attempt.key_id,
        provider=attempt.provider,
        model=attempt.model,
        certainty=attempt.certainty,
        resolved=attempt.revision > 0,
        amount=attempt.amount,
        usage=common_pb2.Usage(**{name: max(value, 0) for name, value in attempt.usage._asdict().items()}),
        reserved_at=rfc3339(attempt.reserved_at),
        request_id=attempt.request_id,
        user_id=attempt.user_id,
        result=attempt.result,
        status=attempt.status,
        sent_at=rfc3339(attempt.course.sent_at) if attempt.course.sent_at else "",
        first_byte_us=attempt.course.first_byte_us or 0,
        duration_us=attempt.course.duration_us or 0,
        provider_request_id=attempt.course.provider_request_id,
    )


def _invalid(message: str, param: str) -> PlatformError:
    return PlatformError(Code.INVALID_REQUEST, message, param=param)
