"""Messages as head and model-proxy send them. Provider ``echo``: $1 and $2 a million tokens."""

from __future__ import annotations

from typing import Any

from llm_platform.billing.service import DatabaseLedger
from llm_platform.core.errors import Code
from llm_platform.core.ids import new_id
from llm_platform.proto import common_pb2, ledger_pb2
from llm_platform.proto.ledger_pb2 import ScopedBudget

INPUT, OUTPUT = 1_000, 2_000
"""Nano-dollars a token of ``echo``."""


def reserve(
    *,
    key: str = "key_a",
    reservation: str | None = None,
    prompt: int = 100,
    output: int = 50,
    default_output: int = 0,
    provider: str = "echo",
    model: str = "echo",
    user: str = "usr_a",
    team: str = "",
    organization: str = "",
) -> ledger_pb2.Reserve:
    """Costs at most ``prompt`` x INPUT + ``output`` x OUTPUT: 200,000 nano-dollars as it stands."""
    return ledger_pb2.Reserve(
        reservation_id=reservation or new_id("rsv"),
        request_id=new_id("req"),
        key_id=key,
        user_id=user,
        team_id=team,
        organization_id=organization,
        provider=provider,
        model=model,
        prompt_tokens_bound=prompt,
        max_output_tokens=output,
        default_output_tokens=default_output,
    )


def outcome(
    of: ledger_pb2.Reserve,
    *,
    n: int = 1,
    kind: str = "exact",
    final: bool = True,
    result: str = "completed",
    status: int = 200,
    **usage: int,
) -> ledger_pb2.Outcome:
    return ledger_pb2.Outcome(
        attempt_id=f"{of.reservation_id}-{n}",
        reservation_id=of.reservation_id,
        request_id=of.request_id,
        key_id=of.key_id,
        user_id=of.user_id,
        team_id=of.team_id,
        organization_id=of.organization_id,
        provider=of.provider,
        model=of.model,
        kind=kind,
        status=status,
        result=result,
        final=final,
        usage=common_pb2.Usage(**usage),
    )


async def reserve_each(ledger: DatabaseLedger, *items: ledger_pb2.Reserve) -> list[int | Code]:
    """What each was answered: the amount held, or the code of the refusal."""
    replies = await ledger.reserve(ledger_pb2.ReserveBatch(items=items))
    return [Code(reply.error.code) if reply.HasField("error") else reply.amount for reply in replies.items]


async def record(ledger: DatabaseLedger, *items: ledger_pb2.Outcome) -> tuple[int, int]:
    """Recorded and known."""
    reply = await ledger.record(ledger_pb2.OutcomeBatch(items=items))
    return reply.recorded, reply.known


async def release(ledger: DatabaseLedger, *reservation_ids: str) -> None:
    await ledger.release(ledger_pb2.ReleaseBatch(reservation_ids=reservation_ids))


async def balance(ledger: DatabaseLedger, key: str = "key_a") -> tuple[int, int]:
    """Spent and reserved."""
    budgets = await ledger.list_budgets(common_pb2.Empty())
    return next(((each.spent, each.reserved) for each in budgets.items if each.key_id == key), (0, 0))


async def entries(ledger: DatabaseLedger, kind: str = "") -> list[ledger_pb2.Entry]:
    return list((await ledger.entries(ledger_pb2.EntriesQuery(kind=kind))).items)


async def problems(ledger: DatabaseLedger) -> list[str]:
    return list((await ledger.verify(common_pb2.Empty())).problems)


async def put_budget(ledger: DatabaseLedger, scope: str, scope_id: str, limit: int, **fields: Any) -> ScopedBudget:
    """``fields`` of the budget; ``etag`` and ``must_be_new`` of the request."""
    request = {name: fields.pop(name) for name in ("etag", "must_be_new") if name in fields}
    budget = ScopedBudget(scope=scope, scope_id=scope_id, limit=limit, **fields)
    return await ledger.put_budget(ledger_pb2.PutBudgetRequest(budget=budget, **request))


async def find_budgets(ledger: DatabaseLedger, **query: Any) -> list[ScopedBudget]:
    return list((await ledger.find_budgets(ledger_pb2.BudgetsQuery(**query))).items)


async def room(ledger: DatabaseLedger, **query: Any) -> list[tuple[int, int, int]]:
    """Spent, reserved and remaining of each budget found."""
    return [(each.spent, each.reserved, each.remaining) for each in await find_budgets(ledger, **query)]
