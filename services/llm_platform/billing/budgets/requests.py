"""The methods about budgets: from messages to budgets and back. Admins of an organisation see and set only its own.

Billing does not know who belongs to an organisation, so a budget that its admin sets counts only calls of that
organisation: what it says of anyone else is nothing.
"""

from __future__ import annotations

from llm_platform.billing.budgets.budget import ENFORCEMENTS, HARD, SCOPES, Budget
from llm_platform.billing.budgets.store import BudgetStore, Identity, Stored
from llm_platform.billing.budgets.windows import FOREVER, PERIODS, is_time_zone, rfc3339
from llm_platform.billing.posting import MAX_BUDGET
from llm_platform.core.actor import DEVELOPER, READ_ONLY, Actor, actor
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.ids import new_id
from llm_platform.core.logging import get_logger
from llm_platform.proto import ledger_pb2

PAGE = 1_000
MAX_PAGE = 10_000
MAX_THRESHOLD = 1_000
MAX_THRESHOLDS = 20
LONGEST_ID = 200

log = get_logger("billing.budgets")


class BudgetRequests:
    """Raises SQLAlchemyError while the database fails."""

    def __init__(self, store: BudgetStore) -> None:
        self._store = store

    async def put(self, request: ledger_pb2.PutBudgetRequest, now: int) -> ledger_pb2.ScopedBudget:
        """Raises INVALID_REQUEST, CONFLICT."""
        wanted = request.budget
        of = _identity(wanted, "budget.")
        if not 0 <= wanted.limit <= MAX_BUDGET:
            raise _odd("budget.limit", f"A budget is between 0 and {MAX_BUDGET} nano-dollars.")
        time_zone = wanted.time_zone or "UTC"
        if not is_time_zone(time_zone):
            raise _odd("budget.time_zone", f"{time_zone[:60]!r} is not an IANA time zone like Europe/Berlin.")
        thresholds = tuple(sorted(set(wanted.thresholds)))
        if len(thresholds) > MAX_THRESHOLDS or any(not 0 < each <= MAX_THRESHOLD for each in thresholds):
            raise _odd(
                "budget.thresholds",
                f"Give at most {MAX_THRESHOLDS} percentages between 1 and {MAX_THRESHOLD}.",
            )
        budget = Budget(
            new_id("bud"), of.scope, of.scope_id, of.organization_id, of.period, of.enforcement, wanted.limit,
            time_zone, thresholds, 0, 1,
        )  # fmt: skip
        etag = "" if request.must_be_new else request.etag or None
        stored = await self._store.put(budget, now, actor.get().id, etag)
        log.info("a budget was set", scope=of.scope, scope_id=of.scope_id, period=of.period,
                 limit_nano_dollars=wanted.limit, by=actor.get().id)  # fmt: skip
        return _message(stored)

    async def delete(self, request: ledger_pb2.DeleteBudgetRequest, now: int) -> None:
        """Raises INVALID_REQUEST, NOT_FOUND, CONFLICT."""
        of = _identity(request, "")
        await self._store.delete(of, now, request.etag or None)
        log.info("a budget was removed", scope=of.scope, scope_id=of.scope_id, period=of.period, by=actor.get().id)

    async def find(self, query: ledger_pb2.BudgetsQuery, now: int) -> ledger_pb2.BudgetPage:
        """Raises INVALID_REQUEST, PERMISSION_DENIED."""
        who = actor.get()
        if query.scope and query.scope not in SCOPES:
            raise _odd("scope", f"A scope is one of {', '.join(SCOPES)}.")
        own_only = who.role in (DEVELOPER, READ_ONLY)
        if own_only and not _is_own(who, query):
            raise PlatformError(
                Code.PERMISSION_DENIED,
                "You may see your own budgets: scope user with your id, team with the id of one of yours, or key.",
                param="scope",
            )
        found = await self._store.listed(
            now,
            scope=query.scope,
            scope_id=query.scope_id,
            # Of oneself one may know also what the platform's admins have set.
            organization_id="" if own_only or query.scope_id == who.id else _organization(query.organization_id),
            own=who if own_only else None,
            after=query.after,
            limit=min(query.limit or PAGE, MAX_PAGE),
        )
        return ledger_pb2.BudgetPage(items=map(_message, found))


def _is_own(who: Actor, query: ledger_pb2.BudgetsQuery) -> bool:
    """Of keys any: only those that called as this user are listed."""
    own_team = query.scope == "team" and query.scope_id in who.teams
    return query.scope == "key" or own_team or (query.scope, query.scope_id) == ("user", who.id)


def _organization(asked: str) -> str:
    """Whose budgets are meant: for all but the platform's own admins their organisation's."""
    who = actor.get()
    if who.platform or not who.organization_id:
        return asked
    if asked not in ("", who.organization_id):
        raise PlatformError(Code.PERMISSION_DENIED, "This is another organisation's.", param="organization_id")
    return who.organization_id


def _identity(wanted: ledger_pb2.ScopedBudget | ledger_pb2.DeleteBudgetRequest, at: str) -> Identity:
    if wanted.scope not in SCOPES:
        raise _odd(f"{at}scope", f"A scope is one of {', '.join(SCOPES)}.")
    if not wanted.scope_id or len(wanted.scope_id) > LONGEST_ID or not wanted.scope_id.isprintable():
        raise _odd(f"{at}scope_id", f"Name the {wanted.scope} whose budget this is.")
    period, enforcement = wanted.period or "total", wanted.enforcement or HARD
    if period not in PERIODS:
        raise _odd(f"{at}period", f"A period is one of {', '.join(PERIODS)}.")
    if enforcement not in ENFORCEMENTS:
        raise _odd(f"{at}enforcement", f"The enforcement is one of {', '.join(ENFORCEMENTS)}.")
    organization_id = _organization(wanted.organization_id)
    if wanted.scope == "organization" and organization_id not in ("", wanted.scope_id):
        raise PlatformError(Code.PERMISSION_DENIED, "This is another organisation's.", param=f"{at}scope_id")
    return Identity(wanted.scope, wanted.scope_id, period, enforcement, organization_id)


def _message(stored: Stored) -> ledger_pb2.ScopedBudget:
    budget, within, balance = stored.budget, stored.window, stored.balance
    total = within.ends_at == FOREVER
    return ledger_pb2.ScopedBudget(
        scope=budget.scope,
        scope_id=budget.scope_id,
        period=budget.period,
        enforcement=budget.enforcement,
        limit=budget.amount,
        time_zone=budget.time_zone,
        thresholds=budget.thresholds,
        organization_id=budget.organization_id,
        budget_id=budget.budget_id,
        etag=stored.etag,
        spent=balance.spent,
        reserved=balance.reserved,
        remaining=budget.amount - balance.spent - balance.reserved,
        window_starts_at="" if total else rfc3339(within.starts_at),
        window_ends_at="" if total else rfc3339(within.ends_at),
        updated_at=rfc3339(stored.updated_at) if stored.updated_at else "",
        updated_by=stored.updated_by,
    )


def _odd(param: str, message: str) -> PlatformError:
    return PlatformError(Code.INVALID_REQUEST, message, param=param)
