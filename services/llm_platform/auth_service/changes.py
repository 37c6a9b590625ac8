"""What the entries must hear of, in the order of its numbers (``database.py``)."""

from __future__ import annotations

from sqlalchemy import Column, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_platform.auth_service.schema import api_keys, organizations, revocation_counter, teams, users
from llm_platform.proto import accounts_pb2

_CHANGED: tuple[tuple[str, Column[str], Column[int]], ...] = (
    ("key_id", api_keys.c.key_id, api_keys.c.revocation),
    ("user_id", users.c.user_id, users.c.change),
    ("team_id", teams.c.team_id, teams.c.change),
    ("organization_id", organizations.c.organization_id, organizations.c.change),
)


async def last_change(connection: AsyncConnection) -> int:
    """The number of the newest change."""
    return int((await connection.execute(select(func.max(revocation_counter.c.value)))).scalar_one())


async def changes_after(connection: AsyncConnection, number: int) -> list[accounts_pb2.Revocation]:
    """What was changed after that one, in order; of something changed twice, the last time."""
    query = union_all(
        *(
            select(literal(field).label("field"), subject.label("id"), change.label("number")).where(change > number)
            for field, subject, change in _CHANGED
        )
    ).order_by("number")
    rows = (await connection.execute(query)).all()
    return [accounts_pb2.Revocation(**{row.field: row.id}) for row in rows]
