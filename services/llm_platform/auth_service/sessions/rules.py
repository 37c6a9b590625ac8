"""What signing in decides from what it was given, without a database."""

from __future__ import annotations

import ipaddress
from typing import Any

from llm_platform.auth_service.requests import rfc3339
from llm_platform.auth_service.sessions.store import Account
from llm_platform.core.actor import MOST_TEAMS, PLATFORM_ORGANIZATION, Actor
from llm_platform.core.addresses import is_within, networks, parsed
from llm_platform.proto import accounts_pb2, common_pb2, sessions_pb2


def actor_of(user: accounts_pb2.User) -> Actor:
    """Who acts when the user does."""
    kind: Any = user.kind or "user"
    platform = user.organization_id == PLATFORM_ORGANIZATION
    teams = tuple(user.team_ids[:MOST_TEAMS])
    return Actor(user.user_id, user.name, kind, user.role, user.organization_id, platform, teams)


def is_over(account: Account, now_ms: int) -> bool:
    """Whether its password was for one login, and not used in time."""
    return account.password_expires_at is not None and account.password_expires_at <= now_ms


def unfit(user: accounts_pb2.User, principal: common_pb2.Principal, address: str) -> str:
    """Why a good API key gives no token; empty when it does."""
    if user.kind != "service_account":
        return "it is not of a service account"
    if principal.allowed_entries or principal.allowed_models:
        return "it is for some entries or models only"
    if principal.ip_ranges and not is_within(parsed(address), networks(tuple(principal.ip_ranges))):
        return "it may not be used from this address"
    return ""


def network(address: str) -> str:
    """What is counted as one source: an IPv4 address, or the /64 that one customer has of IPv6. Raises ValueError."""
    found = parsed(address)
    if found is None:
        raise ValueError("not an IP address")
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))


def plain(text: str) -> str:
    """What a browser calls itself, on one line and of a bounded length."""
    return "".join(each if each.isprintable() else " " for each in text[:200])


def shown(row: dict[str, Any]) -> sessions_pb2.Session:
    """A row of the sessions as the port shows it."""
    return sessions_pb2.Session(
        session_id=row["session_id"],
        user_id=row["user_id"],
        method=row["method"],
        origin=sessions_pb2.Origin(address=row["source"], client=row["client"]),
        created_at=rfc3339(row["created_at"]),
        used_at=rfc3339(row["used_at"]),
        expires_at=rfc3339(row["expires_at"]),
    )
