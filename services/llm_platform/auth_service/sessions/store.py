"""Sessions, failed logins and passwords, in the accounts' database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_platform.auth_service import rows
from llm_platform.auth_service.audit.entry import Draft
from llm_platform.auth_service.audit.store import append
from llm_platform.auth_service.database import AccountDatabase
from llm_platform.auth_service.lookup import find_user, teams_of
from llm_platform.auth_service.schema import team_members, users
from llm_platform.auth_service.sessions.lockout import FORGET_SECONDS, Failures, Subject, one_more
from llm_platform.auth_service.sessions.schema import login_failures, oidc_flows, password_states, sessions
from llm_platform.core.actor import Actor
from llm_platform.proto import accounts_pb2

KEPT_SECONDS = 30 * 86_400
"""How long ended sessions stay in the database."""

_S = sessions.c


class Account(NamedTuple):
    """A user as far as signing in goes."""

    user: accounts_pb2.User
    password_hash: str
    must_change: bool
    password_expires_at: int | None
    """Unix milliseconds; None: never."""

    @property
    def active(self) -> bool:
        return not self.user.disabled_at


class Found(NamedTuple):
    """A session and whose it is."""

    row: dict[str, Any]
    account: Account


class SessionStore:
    """Every method is one transaction. Failures of the database are UNAVAILABLE."""

    def __init__(self, database: AccountDatabase) -> None:
        self._database = database

    async def account(self, *, name: str = "", user_id: str = "") -> Account | None:
        """The user of that name or id."""
        if "\0" in name + user_id:
            return None
        async with self._database.read() as connection:
            return await _account(connection, users.c.user_id == user_id if user_id else users.c.name == name)

    async def user(self, who: Actor, name: str) -> rows.Row:
        """The user of that id or name. Raises NOT_FOUND when it is not among those that the actor may see."""
        async with self._database.read() as connection:
            return await find_user(connection, who, name)

    async def attempt(self, subjects: Sequence[Subject], now_ms: int) -> list[tuple[Subject, Failures]]:
        """Counts an attempt, unless one of the subjects is locked: then nothing, and those that are are returned."""
        try:
            return await self._attempt(subjects, now_ms)
        except IntegrityError:  # another process counted the first attempt of the same subject
            return await self._attempt(subjects, now_ms)

    async def _attempt(self, subjects: Sequence[Subject], now_ms: int) -> list[tuple[Subject, Failures]]:
        async with self._database.write() as connection:
            known = await _failures(connection, subjects)
            locked = [(each, known[each.key]) for each in subjects if known[each.key].locked_until > now_ms]
            if not locked:
                for each in subjects:
                    await _put(connection, each.key, known[each.key], one_more(known[each.key], each.free, now_ms))
            return locked

    async def begin(
        self, row: dict[str, Any], account: Account, subjects: Sequence[Subject], audit: Draft, new_hash: str = ""
    ) -> bool:
        """Adds a session; the attempt was no failure. ``new_hash``: the password's, with today's parameters.

        False, and nothing is changed, when ``account`` is not any more what was proved.
        """
        by_password = row["method"] == "password"
        async with self._database.write() as connection:
            if not await _is_still(connection, account, by_password=by_password):
                return False
            await _forgive(connection, subjects)
            if new_hash:
                proved = (users.c.user_id == row["user_id"]) & (users.c.password_hash == account.password_hash)
                await connection.execute(update(users).where(proved).values(password_hash=new_hash))
            await connection.execute(insert(sessions).values(row))
            await append(connection, row["created_at"], audit)
            return True

    async def find(self, digest: str) -> Found | None:
        """The session of that token's digest, whatever has become of it."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(sessions).where(_S.digest == digest))).mappings().first()
            account = await _account(connection, users.c.user_id == row["user_id"]) if row else None
        return Found(dict(row), account) if row and account else None

    async def used(self, session_id: str, now_ms: int) -> None:
        async with self._database.write() as connection:
            await connection.execute(update(sessions).where(_S.session_id == session_id).values(used_at=now_ms))

    async def live(self, user_id: str, now_ms: int, idle_since: int) -> list[dict[str, Any]]:
        """The user's sessions that have not ended, newest first."""
        query = (
            select(sessions).where(_S.user_id == user_id, _is_live(now_ms, idle_since)).order_by(_S.created_at.desc())
        )
        async with self._database.read() as connection:
            return [dict(row) for row in (await connection.execute(query.limit(1_000))).mappings()]

    async def session(self, session_id: str) -> dict[str, Any] | None:
        if "\0" in session_id:
            return None
        async with self._database.read() as connection:
            row = (await connection.execute(select(sessions).where(_S.session_id == session_id))).mappings().first()
        return dict(row) if row else None

    async def count_live(self, now_ms: int, idle_since: int) -> int:
        async with self._database.read() as connection:
            query = select(func.count()).select_from(sessions).where(_is_live(now_ms, idle_since))
            return int((await connection.execute(query)).scalar_one())

    async def end(self, which: ColumnElement[bool], reason: str, now_ms: int, audit: Draft | None) -> int:
        """Ends those of ``which`` that have not ended; how many."""
        async with self._database.write() as connection:
            ended = await end_sessions(connection, which, reason, now_ms)
            if audit is not None and ended:
                await append(connection, now_ms, audit._replace(details={**audit.details, "sessions": ended}))
            return ended

    async def set_password(
        self,
        user_id: str,
        password_hash: str,
        state: dict[str, Any],
        keep: str,
        subjects: Sequence[Subject],
        audit: Draft,
        proved: Account | None = None,
    ) -> bool:
        """Sets the hash and what is known beside it, ends all sessions but ``keep``, forgets failures.

        False, and nothing is changed, when the account is not any more what was ``proved``.
        """
        async with self._database.write() as connection:
            if proved is not None and not await _is_still(connection, proved, by_password=True):
                return False
            await connection.execute(
                update(users).where(users.c.user_id == user_id).values(password_hash=password_hash)
            )
            await connection.execute(delete(password_states).where(password_states.c.user_id == user_id))
            await connection.execute(insert(password_states).values(state | {"user_id": user_id}))
            mine = (_S.user_id == user_id) & (_S.session_id != keep)
            ended = await end_sessions(connection, mine, "password", state["changed_at"])
            await _forgive(connection, subjects)
            await append(connection, state["changed_at"], audit._replace(details={"sessions_ended": ended}))
            return True

    async def tidy(self, now_ms: int) -> None:
        """Removes what nobody needs any more."""
        async with self._database.write() as connection:
            await connection.execute(delete(sessions).where(_S.expires_at < now_ms - KEPT_SECONDS * 1000))
            forgotten = login_failures.c.last_at < now_ms - FORGET_SECONDS * 1000
            await connection.execute(delete(login_failures).where(forgotten))
            await connection.execute(delete(oidc_flows).where(oidc_flows.c.expires_at < now_ms))


async def _account(connection: AsyncConnection, which: ColumnElement[bool]) -> Account | None:
    query = rows.select_users().where(which, users.c.deleted_at.is_(None))
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        return None
    known = select(password_states).where(password_states.c.user_id == row["user_id"])
    state = (await connection.execute(known)).mappings().first()
    user = rows.user(dict(row))
    own = teams_of(user.user_id).order_by(team_members.c.team_id)
    user.team_ids.extend(str(row[0]) for row in await connection.execute(own))
    return Account(
        user,
        row["password_hash"],
        bool(state and state["must_change"]),
        state["expires_at"] if state else None,
    )


async def _is_still(connection: AsyncConnection, account: Account, *, by_password: bool) -> bool:
    """Whether the user may still come in, with the same password; locked, so it stays true until the transaction ends.

    A password is checked for a tenth of a second and longer: it may have been reset, the user disabled meanwhile.
    """
    query = select(users.c.password_hash).where(
        users.c.user_id == account.user.user_id, users.c.disabled_at.is_(None), users.c.deleted_at.is_(None)
    )
    kept = (await connection.execute(query.with_for_update())).scalar()
    return kept is not None and (not by_password or kept == account.password_hash)


async def _failures(connection: AsyncConnection, subjects: Sequence[Subject]) -> dict[str, Failures]:
    """Locked in the order of their keys: two processes that count the same do not wait for each other in a ring."""
    keys = sorted(each.key for each in subjects)
    query = select(login_failures).where(login_failures.c.subject.in_(keys)).order_by(login_failures.c.subject)
    found = (await connection.execute(query.with_for_update())).mappings()
    known = {row["subject"]: Failures(row["failures"], row["last_at"], row["locked_until"]) for row in found}
    return {key: known.get(key, Failures()) for key in keys}


async def _put(connection: AsyncConnection, key: str, before: Failures, after: Failures) -> None:
    values = {"failures": after.number, "last_at": after.last_at, "locked_until": after.locked_until}
    if before.last_at:
        await connection.execute(update(login_failures).where(login_failures.c.subject == key).values(values))
    else:
        await connection.execute(insert(login_failures).values(values | {"subject": key}))


async def _forgive(connection: AsyncConnection, subjects: Sequence[Subject]) -> None:
    """The account begins anew; its address, which may try many accounts, only gets this attempt back."""
    for each in sorted(subjects, key=lambda subject: subject.key):
        mine = login_failures.c.subject == each.key
        if each.kind == "account":
            await connection.execute(delete(login_failures).where(mine))
        else:
            less = {"failures": login_failures.c.failures - 1, "locked_until": 0}
            await connection.execute(update(login_failures).where(mine, login_failures.c.failures > 0).values(less))


async def end_sessions(connection: AsyncConnection, which: ColumnElement[bool], reason: str, now_ms: int) -> int:
    """Ends those of ``which`` that have not ended, for good; how many."""
    change = update(sessions).where(which, _S.ended_at.is_(None)).values(ended_at=now_ms, end_reason=reason)
    return int((await connection.execute(change)).rowcount)


def _is_live(now_ms: int, idle_since: int) -> ColumnElement[bool]:
    return _S.ended_at.is_(None) & (_S.expires_at > now_ms) & (_S.used_at > idle_since)
