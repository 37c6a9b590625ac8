"""What an actor may do to whom. Which roles may call a method at all is the catalogue's; here is whose rows they are.

* Nobody acts outside of their organisation but the owners and admins of the platform's own.
* An admin administers everyone but owners; only an owner makes or changes one.
* Nobody raises their own role or limits, or resets their own password; a developer sees and looks after its own keys.
"""

from __future__ import annotations

from typing import NoReturn

from llm_platform.auth_service.rows import Row
from llm_platform.core.actor import ADMIN, DEVELOPER, OWNER, ROLES, Actor, is_over_all
from llm_platform.core.errors import Code, PlatformError

_KEY_HOLDERS = (OWNER, ADMIN, DEVELOPER)


def scope(who: Actor) -> str | None:
    """The organisation whose rows it sees; None: every one."""
    return None if is_over_all(who) else who.organization_id


def own_only(who: Actor) -> str | None:
    """The user whose keys and teams are all that it sees; None: those of everyone in its scope."""
    return who.id if who.role == DEVELOPER else None


def administers(who: Actor, organization_id: str) -> bool:
    """Whether it is an administrator of that organisation, or of all of the platform."""
    return is_over_all(who) or (who.role in {OWNER, ADMIN} and who.organization_id == organization_id)


def require_administrator(who: Actor, organization_id: str) -> None:
    """Of that organisation. Raises PERMISSION_DENIED."""
    if not administers(who, organization_id):
        _deny("Only an administrator may do this.")


def require_platform_administrator(who: Actor) -> None:
    """Raises PERMISSION_DENIED."""
    if not is_over_all(who):
        _deny("Only an administrator of the platform may do this.")


def check_role_given(who: Actor, organization_id: str, role: str) -> None:
    """Whether it may make someone's role this one. Raises PERMISSION_DENIED."""
    require_administrator(who, organization_id)
    if role == OWNER and not _is_owner(who):
        _deny("Only an owner makes an owner.")


def check_user_changed(who: Actor, user: Row, role: str | None, *, limits: bool, barred: bool) -> None:
    """Whether it may give the user this role, other limits, or bar it (disable, delete). Raises PERMISSION_DENIED."""
    require_administrator(who, user["organization_id"])
    if user["as_role"] == OWNER and not _is_owner(who):
        _deny("Only an owner changes an owner.")
    if role is not None:
        check_role_given(who, user["organization_id"], role)
    if who.id != user["user_id"]:
        return
    if role is not None and ROLES.index(role) < ROLES.index(user["as_role"]):
        _deny("Nobody raises their own role.")
    if limits and not _is_owner(who):
        _deny("Only an owner changes their own limits.")
    if barred:
        _deny("Nobody disables or deletes themselves: ask another administrator.")


def check_password_reset(who: Actor, user: Row) -> None:
    """Whether it may give the user another password. Raises PERMISSION_DENIED."""
    if who.id == user["user_id"]:
        _deny("Nobody resets their own password: change it, with the old one.")
    check_user_changed(who, user, None, limits=False, barred=False)


def check_key_made(who: Actor, user: Row) -> None:
    """Whether it may hold a new secret of the user's. Raises PERMISSION_DENIED."""
    if who.id == user["user_id"]:
        if who.role not in _KEY_HOLDERS:
            _deny("Your role may not have keys.")
        return
    require_administrator(who, user["organization_id"])
    if user["as_role"] == OWNER and not _is_owner(who):
        _deny("Only an owner makes a key of an owner: it would speak for that owner.")


def check_key_changed(who: Actor, user: Row, *, only_name: bool) -> None:
    """Whether it may change a key of the user's. Raises PERMISSION_DENIED."""
    if only_name and who.id == user["user_id"]:
        return
    require_administrator(who, user["organization_id"])


def check_key_revoked(who: Actor, user: Row) -> None:
    """Raises PERMISSION_DENIED."""
    if who.id != user["user_id"]:
        require_administrator(who, user["organization_id"])


def check_organization_changed(who: Actor, organization: Row, *, limits: bool) -> None:
    """Raises PERMISSION_DENIED."""
    require_administrator(who, organization["organization_id"])
    if limits:
        require_platform_administrator(who)


def _is_owner(who: Actor) -> bool:
    return who.kind in {"operator", "service"} or who.role == OWNER


def _deny(message: str) -> NoReturn:
    raise PlatformError(Code.PERMISSION_DENIED, message)
