"""Proof of who somebody is by a name and a password: counted, slowed down after failures, told to the audit log."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NoReturn

from llm_platform.auth_service.audit.entry import NOBODY, Draft
from llm_platform.auth_service.passwords import Passwords
from llm_platform.auth_service.sessions.lockout import Subject, subjects
from llm_platform.auth_service.sessions.rules import is_over, network
from llm_platform.auth_service.sessions.store import Account, SessionStore
from llm_platform.core import metrics
from llm_platform.core.config.model import SignIn
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import sessions_pb2


class PasswordProof:
    """Checks passwords for the methods that take one. ``action`` is the method, as the audit log names it."""

    def __init__(
        self,
        store: SessionStore,
        passwords: Passwords,
        *,
        pepper: bytes,
        settings: SignIn,
        refused: Callable[[Draft], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._pepper = pepper
        self._settings = settings
        self._refused = refused
        self._clock = clock

    def subjects(self, name: str, origin: sessions_pb2.Origin) -> Sequence[Subject]:
        """Whose failures are counted. Raises INVALID_REQUEST."""
        address = origin.address
        if address:
            try:
                address = network(address)
            except ValueError:
                raise PlatformError(Code.INVALID_REQUEST, "address is an IP address.", param="origin.address") from None
        return subjects(self._pepper, name, address, self._settings.lock_after, self._settings.lock_source_after)

    async def account(
        self, action: str, name: str, password: str, origin: sessions_pb2.Origin, counted: Sequence[Subject]
    ) -> Account:
        """The account of that name, if it is its password. Raises UNAUTHENTICATED, RATE_LIMITED."""
        now_ms = int(self._clock() * 1000)
        locked = await self._store.attempt(counted, now_ms)
        account = await self._store.account(name=name)
        if locked:
            left_ms = max(failures.locked_until for _, failures in locked) - now_ms
            self._locked(action, account, locked[0][0], left_ms, origin)
        usable = account is not None and account.active and not is_over(account, now_ms)
        # The same work and the same answer whether or not there is such a user.
        right = await self._passwords.verify(account.password_hash if account and usable else None, password)
        if not right or account is None:
            self.refuse(action, account, origin)
        return account

    async def outdated(self, account: Account, password: str) -> str:
        """The hash that replaces the account's, if that was made with other parameters than today's; else empty."""
        return await self._passwords.hash(password) if self._passwords.is_outdated(account.password_hash) else ""

    def refuse(self, action: str, account: Account | None, origin: sessions_pb2.Origin) -> NoReturn:
        """Whoever it is has not proved to be the account's. Raises UNAUTHENTICATED."""
        metrics.logins.labels("password", "refused").inc()
        self._note(action, account, "the name or the password is wrong", origin)
        raise PlatformError(Code.UNAUTHENTICATED, "The name or the password is wrong.")

    def _locked(
        self, action: str, account: Account | None, subject: Subject, left_ms: int, origin: sessions_pb2.Origin
    ) -> NoReturn:
        metrics.logins.labels("password", "locked").inc()
        metrics.lockouts.labels(subject.kind).inc()
        self._note(action, account, f"locked by {subject.kind}", origin)
        raise PlatformError(
            Code.RATE_LIMITED, "Too many failed logins. Try again later, or ask an administrator for a new password.",
            retry_after=left_ms / 1000,
        )  # fmt: skip

    def _note(self, action: str, account: Account | None, reason: str, origin: sessions_pb2.Origin) -> None:
        draft = Draft(action, result="refused", reason=reason, who=NOBODY, source=origin.address)
        if account is not None:  # what else was typed may be a password
            draft = draft._replace(target=account.user.user_id, organization_id=account.user.organization_id)
        self._refused(draft)
