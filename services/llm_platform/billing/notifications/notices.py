"""What is sent when a budget's threshold is reached: a row of the outbox, written with the entries that reached it."""

from __future__ import annotations

import json
from typing import NamedTuple

from llm_platform.billing.budgets.budget import Crossed
from llm_platform.billing.budgets.windows import FOREVER, rfc3339
from llm_platform.core.ids import new_id

TYPE = "budget.threshold_reached"


class Notice(NamedTuple):
    """A row of ``notifications``, in the order of the columns."""

    event_id: str
    budget_id: str
    window_id: str
    threshold: int
    body: str
    state: str
    attempts: int
    due_at: int
    created_at: int
    reason: str


def notice(crossed: Crossed, now: int, *, deliver: bool) -> Notice:
    """``deliver``: whether there is anywhere to send it; else it is only kept."""
    account, threshold = crossed
    budget, within, balance = account.budget, account.window, account.balance
    event_id = new_id("evt")
    total = within.ends_at == FOREVER
    body = {
        "type": TYPE,
        "id": event_id,
        "timestamp": rfc3339(now),
        "data": {
            "budget_id": budget.budget_id,
            "scope": budget.scope,
            "scope_id": budget.scope_id,
            "organization_id": budget.organization_id,
            "period": budget.period,
            "enforcement": budget.enforcement,
            "time_zone": budget.time_zone,
            "window_starts_at": None if total else rfc3339(within.starts_at),
            "window_ends_at": None if total else rfc3339(within.ends_at),
            "threshold_percent": threshold,
            "limit_nano_dollars": budget.amount,
            "spent_nano_dollars": balance.spent,
            "reserved_nano_dollars": balance.reserved,
        },
    }
    state = "pending" if deliver else "kept"
    return Notice(
        event_id, budget.budget_id, budget.window_id(within), threshold, json.dumps(body), state, 0, now, now, ""
    )
