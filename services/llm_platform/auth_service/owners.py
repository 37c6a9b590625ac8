"""An organisation keeps an owner, whoever takes the role away."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_platform.auth_service import rows
from llm_platform.auth_service.schema import users
from llm_platform.core.actor import OWNER, PLATFORM_ORGANIZATION
from llm_platform.core.errors import Code, PlatformError


async def check_not_last_owner(connection: AsyncConnection, row: rows.Row, *, may_be_last_member: bool = False) -> None:
    """Of the user's organisation; to be called in ``AccountDatabase.change``. Raises CONFLICT.

    The last member of one but the platform's may go, or it could never be deleted.
    """
    if row["as_role"] != OWNER or row["disabled_at"] is not None:
        return
    others = (
        select(func.count(), func.count().filter(rows.role() == OWNER, users.c.disabled_at.is_(None)))
        .select_from(users)
        .where(
            users.c.organization_id == row["organization_id"],
            users.c.deleted_at.is_(None),
            users.c.user_id != row["user_id"],
        )
    )
    members, owners = (await connection.execute(others)).one()
    alone = may_be_last_member and not members and row["organization_id"] != PLATFORM_ORGANIZATION
    if not owners and not alone:
        raise PlatformError(
            Code.CONFLICT, "This is the last owner of the organisation: make another one first.", param="user"
        )
