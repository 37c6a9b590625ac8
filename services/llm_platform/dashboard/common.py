"""The operations that both dashboards have: what concerns oneself, or what one may see of others."""

from __future__ import annotations

from llm_platform.auth_service.audit.interfaces import AUDIT
from llm_platform.auth_service.interfaces import ACCOUNTS
from llm_platform.auth_service.sessions.interfaces import SESSIONS
from llm_platform.billing.interfaces import LEDGER
from llm_platform.dashboard.operations import Operation, operations_of
from llm_platform.head.interfaces import ROUTING

accounts = operations_of(ACCOUNTS)
audit = operations_of(AUDIT)
ledger = operations_of(LEDGER)
routing = operations_of(ROUTING)
sessions = operations_of(SESSIONS)

USAGE = ledger("GET /api/usage", "Usage", "What was used and what it cost, by key, user, team, model, provider, day.")

AUDIT_LIST = audit("GET /api/audit", "List", "Lists entries of the audit log.")

OPERATIONS: tuple[Operation, ...] = (
    accounts("GET /api/keys", "ListKeys", "Lists API keys, without their secrets."),
    accounts("POST /api/keys", "CreateKey", "Makes an API key; its secret is in this answer only."),
    accounts("GET /api/keys/{key}", "GetKey", "Shows an API key."),
    accounts("PATCH /api/keys/{key}", "UpdateKey", "Changes an API key."),
    accounts("DELETE /api/keys/{key}", "RevokeKey", "Revokes an API key, for good."),
    accounts("POST /api/keys/{key}:rotate", "RotateKey", "Replaces an API key; the old one still works for a while."),
    accounts("GET /api/teams", "ListTeams", "Lists teams."),
    accounts("GET /api/teams/{team}", "GetTeam", "Shows a team."),
    accounts("GET /api/users/{user}", "GetUser", "Shows a user."),
    accounts("GET /api/organizations/{organization}", "GetOrganization", "Shows an organisation."),
    sessions("GET /api/sessions", "List", "Lists the sessions of oneself, or of a user."),
    sessions("DELETE /api/sessions/{session_id}", "End", "Ends a session."),
    USAGE,
    ledger("GET /api/budgets", "FindBudgets", "Lists budgets, with what is spent and left of them."),
    ledger("GET /api/prices", "Prices", "Own prices, or the price of calls to a model."),
    routing("GET /api/models", "Models", "Lists the models that can be called."),
    AUDIT_LIST,
)
