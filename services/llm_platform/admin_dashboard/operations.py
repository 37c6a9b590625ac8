"""The operations of the admin dashboard."""

from __future__ import annotations

from llm_platform.dashboard.common import OPERATIONS as COMMON
from llm_platform.dashboard.common import accounts, audit, ledger, routing, sessions
from llm_platform.dashboard.operations import Operation, operations_of
from llm_platform.model_proxy.interfaces import PROVIDERS
from llm_platform.secrets_service.interfaces import SECRETS

providers = operations_of(PROVIDERS)
secrets = operations_of(SECRETS)
_VALUE = ("value",)

PROVIDER_HEALTH = providers("GET /api/providers", "Health", "Lists the providers and how they are.")

OPERATIONS: tuple[Operation, ...] = (
    *COMMON,
    # Accounts
    accounts("POST /api/teams", "CreateTeam", "Makes a team."),
    accounts("PATCH /api/teams/{team}", "UpdateTeam", "Changes a team."),
    accounts("DELETE /api/teams/{team}", "DeleteTeam", "Deletes a team and revokes its keys, for good."),
    accounts("PUT /api/teams/{team}/members/{user}", "AddTeamMember", "Adds a user to a team."),
    accounts(
        "DELETE /api/teams/{team}/members/{user}", "RemoveTeamMember", "Removes a user, and its keys of the team."
    ),
    accounts("GET /api/users", "ListUsers", "Lists users."),
    accounts("POST /api/users", "CreateUser", "Makes a user or a service account."),
    accounts("PATCH /api/users/{user}", "UpdateUser", "Changes, disables or enables a user."),
    accounts("DELETE /api/users/{user}", "DeleteUser", "Deletes a user and revokes its keys, for good."),
    sessions("POST /api/users/{user}:reset-password", "ResetPassword", "A password for one login; all sessions end."),
    sessions("DELETE /api/users/{user}/sessions", "End", "Ends all sessions of a user."),
    accounts("GET /api/organizations", "ListOrganizations", "Lists organisations."),
    accounts("POST /api/organizations", "CreateOrganization", "Makes an organisation."),
    accounts("PATCH /api/organizations/{organization}", "UpdateOrganization", "Changes an organisation."),
    accounts("DELETE /api/organizations/{organization}", "DeleteOrganization", "Deletes an empty organisation."),
    # Money
    ledger("PUT /api/budgets", "PutBudget", "Sets a budget."),
    ledger("DELETE /api/budgets", "DeleteBudget", "Removes a budget."),
    ledger("GET /api/entries", "Entries", "Lists entries of the ledger, of a request or of all."),
    ledger("GET /api/attempts", "Attempts", "Lists calls of providers as they are charged now."),
    ledger("GET /api/notifications", "Notifications", "Lists notifications of budgets."),
    ledger("POST /api/notifications/{event_id}:retry", "RetryNotification", "Sends a notification again."),
    ledger("POST /api/ledger:verify", "Verify", "Derives every balance again from the entries."),
    # Secrets
    secrets("GET /api/secrets", "List", "Lists secrets, without their values."),
    secrets("GET /api/secrets/{path...}:accesses", "Accesses", "Lists who read or changed a secret, the newest first."),
    secrets("PUT /api/secrets/{path...}", "Put", "Sets a secret: a new version.", _VALUE),
    secrets("PATCH /api/secrets/{path...}", "Describe", "Describes a secret."),
    secrets("DELETE /api/secrets/{path...}", "Delete", "Deletes a secret, or a version of it, for good."),
    secrets(
        "POST /api/secrets/{path...}:rotate", "Rotate", "A new version; the old one is valid a while more.", _VALUE
    ),
    secrets("POST /api/secrets/{path...}:disable", "Disable", "Disables a version."),
    secrets("POST /api/secrets/{path...}:enable", "Enable", "Enables a version again."),
    # The platform
    PROVIDER_HEALTH,
    providers("POST /api/providers:reload", "Reload", "Has the providers and their keys read again."),
    providers("POST /api/providers/{name}:test", "Test", "Asks a provider for its list of models, with its key."),
    routing("POST /api/routing:decide", "Decide", "Decides as for a request, and calls nobody."),
    routing("GET /api/routing", "Rules", "Shows the routing rules and definitions of providers in force."),
    routing("PUT /api/routing", "PutRules", "Changes them: a new revision.", etag=True),
    routing("POST /api/routing:import", "ImportRules", "Takes those of the configuration file.", etag=True),
    routing("GET /api/routing/revisions", "ListRevisions", "Lists revisions with what each changed, newest first."),
    routing("GET /api/routing/revisions/{number}", "GetRevision", "Shows a revision."),
    routing(
        "POST /api/routing/revisions/{number}:restore",
        "RestoreRevision",
        "A new revision that says what an earlier one did.",
        etag=True,
    ),
    audit("POST /api/audit:verify", "Verify", "Checks that the audit log is as it was written."),
)
