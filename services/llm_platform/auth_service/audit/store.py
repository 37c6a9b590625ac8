"""The audit log in the accounts' database: appended to, read in pages, checked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import RowMapping, Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llm_platform.auth_service.audit.entry import FIRST_PREVIOUS, Draft, columns, hash_of
from llm_platform.auth_service.audit.schema import audit_entries, audit_head
from llm_platform.core.database import reading

STRETCH = 5_000
"""How many entries are checked in one go."""

_HEAD = 1
_E = audit_entries.c


async def append(connection: AsyncConnection, now_ms: int, *drafts: Draft) -> None:
    """Writes entries in the transaction of what they tell, so that both are committed or neither.

    To be called last in the transaction: the lock that makes one order of all entries is held until it ends.
    """
    if not drafts:
        return
    lock = update(audit_head).where(audit_head.c.id == _HEAD).values(number=audit_head.c.number + len(drafts))
    head = (await connection.execute(lock.returning(audit_head.c.number, audit_head.c.hash))).one()
    number, previous = head.number - len(drafts), head.hash
    rows = []
    for draft in drafts:
        number += 1
        rows.append(columns(draft, number, now_ms, previous))
        previous = rows[-1]["hash"]
    await connection.execute(insert(audit_entries), rows)
    await connection.execute(update(audit_head).where(audit_head.c.id == _HEAD).values(hash=previous))


class Filter(NamedTuple):
    """Which entries; what is empty does not narrow."""

    organization_id: str = ""
    actor: str = ""
    action: str = ""
    target: str = ""
    result: str = ""
    since: int | None = None
    until: int | None = None


class Checked(NamedTuple):
    """A stretch of the chain."""

    to: int
    hash: str
    end: bool
    broken: int = 0
    reason: str = ""


class AuditStore:
    """Every method is one transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = reading(engine)
        self._turn = asyncio.Lock()  # those that wait for the head's lock must not hold all connections

    async def append(self, now_ms: int, drafts: Sequence[Draft]) -> None:
        """Writes what is not there yet, by entry id."""
        async with self._turn, self._engine.begin() as connection:
            known = select(_E.entry_id).where(_E.entry_id.in_([each.entry_id for each in drafts if each.entry_id]))
            # Two deliveries of one entry at once: the second waits for the head's lock and then finds it.
            await connection.execute(update(audit_head).where(audit_head.c.id == _HEAD).values(id=_HEAD))
            there = set((await connection.execute(known)).scalars())
            new = {each.entry_id or str(index): each for index, each in enumerate(drafts) if each.entry_id not in there}
            await append(connection, now_ms, *new.values())

    async def page(self, wanted: Filter, after: int | None, most: int, newest_first: bool) -> list[dict[str, Any]]:
        """At most ``most`` entries in their order, or against it, behind the entry ``after``."""
        query = _narrowed(select(audit_entries), wanted)
        if after is not None:
            query = query.where(_E.number < after if newest_first else _E.number > after)
        query = query.order_by(_E.number.desc() if newest_first else _E.number).limit(most)
        async with self._reading.connect() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def check_chain(self, after: int, known_hash: str) -> Checked:
        """Checks the next stretch behind entry ``after``; ``known_hash`` is what its hash was (empty: not known)."""
        async with self._reading.connect() as connection:
            before = await _hash_at(connection, after) if after else FIRST_PREVIOUS
            if before is None:
                return Checked(after, known_hash, True, after, "it is missing")
            if known_hash and before != known_hash:
                return Checked(after, known_hash, True, after, "its hash is not what it was")
            query = select(audit_entries).where(_E.number > after).order_by(_E.number).limit(STRETCH)
            found = (await connection.execute(query)).mappings().all()
            number, previous = after, before
            for row in found:
                number += 1
                if reason := _broken(row, number, previous):
                    return Checked(number - 1, previous, True, number, reason)
                previous = row["hash"]
            if len(found) == STRETCH:
                return Checked(number, previous, False)
            return await _at_the_end(connection, number, previous)


async def _at_the_end(connection: AsyncConnection, number: int, last_hash: str) -> Checked:
    head = (await connection.execute(select(audit_head))).mappings().first()
    if head is None or head["number"] > number:
        return Checked(number, last_hash, True, number + 1, "it is missing: entries were removed from the end")
    if head["number"] < number or head["hash"] != last_hash:
        return Checked(number, last_hash, True, number, "it is not what was written last")
    return Checked(number, last_hash, True)


async def _hash_at(connection: AsyncConnection, number: int) -> str | None:
    return (await connection.execute(select(_E.hash).where(_E.number == number))).scalar()


def _broken(row: RowMapping, number: int, previous: str) -> str:
    if row["number"] != number:
        return "it is missing"
    if row["previous"] != previous:
        return "it does not follow the entry before"
    if hash_of(dict(row)) != row["hash"]:
        return "it was changed after it was written"
    return ""


def _narrowed(query: Select[Any], wanted: Filter) -> Select[Any]:
    for column, value in ((_E.organization_id, wanted.organization_id), (_E.target, wanted.target)):
        if value:
            query = query.where(column == value)
    if wanted.result:
        query = query.where(_E.result == wanted.result)
    if wanted.actor:
        query = query.where((_E.actor_id == wanted.actor) | (_E.actor_name == wanted.actor))
    if wanted.action.endswith("/"):
        query = query.where(_E.action.startswith(wanted.action, autoescape=True))
    elif wanted.action:
        query = query.where(_E.action == wanted.action)
    if wanted.since is not None:
        query = query.where(_E.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(_E.at < wanted.until)
    return query
