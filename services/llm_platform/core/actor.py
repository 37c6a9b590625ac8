"""On whose behalf a method of a service runs.

The certificate says which *service* calls (``rpc/caller.py``); the actor is the person or program behind it.
The guard sets it for each RPC, services read it to see whose data it may be and to write it into audit logs.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Literal, NamedTuple

OWNER, ADMIN, BILLING_VIEWER, DEVELOPER, READ_ONLY = ROLES = (
    "owner",
    "admin",
    "billing_viewer",
    "developer",
    "read_only",
)
"""What a user may be in an organisation, most powerful first."""


PLATFORM_ORGANIZATION = "org_platform"
"""The id of the platform's own organisation, which the accounts' first migration of organisations makes."""


MOST_TEAMS = 30
"""Of an actor: what it says of itself travels with every call on its behalf."""


class Actor(NamedTuple):
    """Who acts."""

    id: str
    """Of a user or service account; else the name of the service."""
    name: str
    """As people know it."""
    kind: Literal["operator", "user", "service_account", "service"]
    role: str
    """Of ``ROLES``; empty for a service, whose rights are the catalogue's alone."""
    organization_id: str
    """Empty: every one."""
    platform: bool
    """Whether the organisation is the platform's own, whose owners and admins administer all of it."""
    teams: tuple[str, ...] = ()
    """Ids of the teams it is in, at most MOST_TEAMS; of people and programs."""


OPERATOR = Actor("operator", "operator", "operator", OWNER, "", platform=True)
"""Whoever holds the operator's certificate, and the process itself when everything runs in one."""

actor: ContextVar[Actor] = ContextVar("actor", default=OPERATOR)


def is_over_all(who: Actor) -> bool:
    """Whether it acts on all of the platform. A service without a person behind it has the catalogue's rights alone."""
    return who.kind in {"operator", "service"} or (who.platform and who.role in {OWNER, ADMIN})


def administers_platform(organization_id: str, role: str) -> bool:
    """Whether this role in this organisation administers all of the platform."""
    return organization_id == PLATFORM_ORGANIZATION and role in {OWNER, ADMIN}
