"""Whose money a command is about: keys, users, teams and organisations by their ids or names.

Billing does not know who there is: what is booked on an id that nobody has binds, and charges, nobody.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llm_platform.cli.billing import key_id_in
from llm_platform.cli.connection import with_accounts
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2

if TYPE_CHECKING:
    from llm_platform.auth_service.interfaces import Accounts

ANONYMOUS = "anonymous"
"""Who calls an open entry without a key (``http/credentials.py``)."""


def known(config: Path | None, scope: str, name: str) -> str | None:
    """The id that calls count as; None: the accounts know nobody of that id or name."""
    if scope == "key" and name == ANONYMOUS:
        return name
    try:
        return with_accounts(config, lambda accounts: _id(accounts, scope, name))
    except PlatformError as error:
        if error.code is not Code.NOT_FOUND:
            raise
    return None


def known_or_gone(config: Path | None, scope: str, name: str) -> str:
    """The same; who is no longer known is named by the id."""
    return known(config, scope, name) or (key_id_in(name) if scope == "key" else name)


async def _id(accounts: Accounts, scope: str, name: str) -> str:
    match scope:
        case "key":
            return (await accounts.get_key(accounts_pb2.KeyName(key=key_id_in(name)))).counted_as
        case "user":
            return (await accounts.get_user(accounts_pb2.UserName(user=name))).user_id
        case "team":
            return (await accounts.get_team(accounts_pb2.TeamName(team=name))).team_id
        case _:
            return (await accounts.get_organization(accounts_pb2.OrganizationName(organization=name))).organization_id
