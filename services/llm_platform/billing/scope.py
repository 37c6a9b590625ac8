"""Whose calls an actor may see."""

from __future__ import annotations

from sqlalchemy import CompoundSelect, select, union

from llm_platform.billing.periods import DAY
from llm_platform.billing.schema import entries
from llm_platform.billing.schema_derived import usage_progress, usage_rollups
from llm_platform.core.actor import ADMIN, BILLING_VIEWER, OWNER, Actor
from llm_platform.core.errors import Code, PlatformError

_WHOLE_ORGANIZATION = frozenset({OWNER, ADMIN, BILLING_VIEWER})


def visible(actor: Actor) -> dict[str, str]:
    """Columns of ``entries`` and what they must hold; nothing: everything is visible.

    A service acting for itself has the rights that the catalogue gives it. Owners, admins and billing viewers see their
    organisation, those of the platform's own all of them; everybody else sees what they used themselves.
    """
    if actor.kind in ("operator", "service"):
        return {}
    if actor.role in _WHOLE_ORGANIZATION:
        return {} if actor.platform else {"organization_id": actor.organization_id}
    return {"organization_id": actor.organization_id, "user_id": actor.id}


def narrowed(asked: dict[str, str], actor: Actor) -> dict[str, str]:
    """The filters that were asked for, within what is visible. Raises PERMISSION_DENIED for what lies outside."""
    seen = visible(actor)
    for column, value in seen.items():
        if asked.get(column, value) != value:
            raise PlatformError(Code.PERMISSION_DENIED, "You may not see the usage of others.", param=column)
    return {**asked, **seen}


def keys_of(user_id: str) -> CompoundSelect[tuple[str]]:
    """Those that the user has called with: billing knows of no others whose they are. A key is one user's for ever."""
    progress = select(usage_progress.c.sequence).scalar_subquery()
    rolled_up = select(usage_rollups.c.key_id).where(usage_rollups.c.user_id == user_id, usage_rollups.c.grain == DAY)
    later = select(entries.c.key_id).where(entries.c.sequence > progress, entries.c.user_id == user_id)
    return union(rolled_up, later)
