"""Signing in, sessions, and the tokens that say to other services who acts (docs/sign-in.md)."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

from llm_platform.auth_service import permissions
from llm_platform.auth_service.audit.entry import Draft
from llm_platform.auth_service.passwords import Passwords
from llm_platform.auth_service.requests import rfc3339
from llm_platform.auth_service.rows import Row
from llm_platform.auth_service.sessions import tokens
from llm_platform.auth_service.sessions.lockout import Subject
from llm_platform.auth_service.sessions.proof import PasswordProof
from llm_platform.auth_service.sessions.rules import actor_of, plain, shown, unfit
from llm_platform.auth_service.sessions.schema import sessions
from llm_platform.auth_service.sessions.signing_keys import SigningKeys
from llm_platform.auth_service.sessions.store import Account, Found, SessionStore
from llm_platform.auth_service.sessions.strength import check_strength
from llm_platform.core import metrics
from llm_platform.core.actor import actor
from llm_platform.core.actor_token import LIFETIME_SECONDS, Claims
from llm_platform.core.config.model import SignIn
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.ids import new_id
from llm_platform.core.lifecycle import in_background
from llm_platform.core.logging import get_logger
from llm_platform.proto import accounts_pb2, common_pb2, sessions_pb2

if TYPE_CHECKING:
    from llm_platform.auth_service.sessions.oidc import OidcLogins

ONE_TIME_SECONDS = 86_400
"""How long a password that an administrator made can be used to sign in once."""
USED_SECONDS = 60
"""How exactly it is kept when a session was used last."""
TIDY_SECONDS = 300.0
FIRST_TIDY_SECONDS = 10.0
"""A command that opens the accounts for a moment does not tidy them."""

log = get_logger("auth-service.sessions")


class Keys(Protocol):
    """What is needed of the accounts: who a key belongs to."""

    async def authenticate(self, request: accounts_pb2.AuthenticateBatch) -> accounts_pb2.AuthenticateReplies: ...


class SessionService:
    """The real Sessions. Failures of its database are UNAVAILABLE, never a refusal."""

    def __init__(
        self,
        store: SessionStore,
        keys: SigningKeys,
        accounts: Keys,
        passwords: Passwords,
        *,
        pepper: bytes,
        settings: SignIn,
        refused: Callable[[Draft], None],
        oidc: OidcLogins | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``refused`` is told of each refusal, for the audit log."""
        self._oidc = oidc
        self.keys = keys
        self._store = store
        self._accounts = accounts
        self._passwords = passwords
        self._pepper = pepper
        self._settings = settings
        self._refused = refused
        self._clock = clock
        self._proof = PasswordProof(store, passwords, pepper=pepper, settings=settings, refused=refused, clock=clock)

    async def public_keys(self, request: common_pb2.Empty) -> sessions_pb2.PublicKeySet:  # noqa: ARG002
        """The keys that tokens are checked with."""
        return sessions_pb2.PublicKeySet(jwks=await self.keys.jwks())

    async def replace_signing_key(self, request: sessions_pb2.ReplaceSigningKeyRequest) -> sessions_pb2.PublicKeySet:
        """A new key signs from now on; ``withdraw``: no token signed so far holds."""
        await self.keys.replace(withdraw=request.withdraw)
        return sessions_pb2.PublicKeySet(jwks=await self.keys.jwks())

    # Signing in

    async def login(self, request: sessions_pb2.PasswordLogin) -> sessions_pb2.SignedIn:
        """A session for a name and a password.

        Raises UNAUTHENTICATED, the same and after the same time for an unknown name, and RATE_LIMITED with how long to
        wait after failures of the name or of the address.
        """
        action, origin = "Sessions/Login", request.origin
        counted = self._proof.subjects(request.name, origin)
        account = await self._proof.account(action, request.name, request.password, origin, counted)
        new_hash = await self._proof.outdated(account, request.password)
        session = await self._begin(account, "password", origin, counted, new_hash)
        if session is None:
            self._proof.refuse(action, account, origin)
        return session

    async def begin_oidc(self, request: sessions_pb2.BeginOidcRequest) -> sessions_pb2.OidcStart:
        """Begins a login at the identity provider. Raises NOT_FOUND without one, INVALID_REQUEST, UNAVAILABLE."""
        return await self._logins().begin(request.redirect_uri)

    async def finish_oidc(self, request: sessions_pb2.FinishOidcRequest) -> sessions_pb2.SignedIn:
        """A session for whoever came back from it. Raises UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE."""
        account = await self._logins().finish(request.state, request.code, request.origin)
        session = await self._begin(account._replace(must_change=False), "oidc", request.origin)
        if session is None:
            self._logins().refuse_user(account.user, request.origin)
        return session

    def _logins(self) -> OidcLogins:
        if self._oidc is None:
            raise PlatformError(Code.NOT_FOUND, "No identity provider is configured: see oidc in the configuration.")
        return self._oidc

    async def _begin(
        self,
        account: Account,
        method: str,
        origin: sessions_pb2.Origin,
        counted: Sequence[Subject] = (),
        new_hash: str = "",
    ) -> sessions_pb2.SignedIn | None:
        """A session for somebody who has proved who it is; None when that does not hold any more."""
        now_ms, token = self._now_ms(), tokens.new_token()
        row = {
            "session_id": new_id("ses"),
            "digest": tokens.digest(self._pepper, token),
            "user_id": account.user.user_id,
            "method": method,
            "source": origin.address[:64],
            "client": plain(origin.client),
            "created_at": now_ms,
            "used_at": now_ms,
            "expires_at": now_ms + self._settings.session_seconds * 1000,
        }
        who = actor_of(account.user)
        audit = Draft("Sessions/Login", target=account.user.user_id, who=who, source=origin.address, reason=method)
        if not await self._store.begin(row, account, counted, audit, new_hash):
            return None
        metrics.logins.labels(method, "ok").inc()
        return sessions_pb2.SignedIn(token=token, session=shown(row), must_change_password=account.must_change)

    async def logout(self, request: sessions_pb2.SessionToken) -> common_pb2.Empty:
        """Ends the session; one that has ended or never was is no failure."""
        found = await self._store.find(tokens.digest(self._pepper, request.token))
        if found is not None:
            audit = Draft("Sessions/Logout", target=found.row["session_id"], who=actor_of(found.account.user))
            which = sessions.c.session_id == found.row["session_id"]
            await self._store.end(which, "logout", self._now_ms(), audit)
        return common_pb2.Empty()

    # Tokens

    async def token(self, request: sessions_pb2.SessionToken) -> sessions_pb2.ActorToken:
        """A token for the session.

        Raises UNAUTHENTICATED when it has ended, PERMISSION_DENIED while the password that it was begun with is one
        for a single login.
        """
        found = await self._live(request.token)
        if found.account.must_change and found.row["method"] == "password":
            self._no_token("session", found.account.user, "the password must be changed")
            raise PlatformError(Code.PERMISSION_DENIED, "Change the password first.", param="password")
        now_ms = self._now_ms()
        if now_ms - found.row["used_at"] >= USED_SECONDS * 1000:
            await self._store.used(found.row["session_id"], now_ms)
        return await self._issue(found.account.user, found.row["session_id"], "session")

    async def program_token(self, request: sessions_pb2.ApiKeyLogin) -> sessions_pb2.ActorToken:
        """A token for a service account, by one of its API keys. Raises UNAUTHENTICATED, PERMISSION_DENIED."""
        (reply,) = (await self._accounts.authenticate(accounts_pb2.AuthenticateBatch(keys=[request.key]))).items
        account = None
        if not reply.refusal:
            account = await self._store.account(user_id=reply.principal.user_id)
        if account is None or not account.active:
            metrics.tokens_issued.labels("key", "refused").inc()
            raise PlatformError(Code.UNAUTHENTICATED, "This API key does not hold.")
        if reason := unfit(account.user, reply.principal, request.origin.address):
            self._no_token("key", account.user, reason)
            raise PlatformError(Code.PERMISSION_DENIED, f"This API key gives no token: {reason}.", param="key")
        return await self._issue(account.user, "", "key")

    async def _issue(self, user: accounts_pb2.User, session_id: str, method: str) -> sessions_pb2.ActorToken:
        expires_at = int(self._clock()) + LIFETIME_SECONDS
        who = actor_of(user)
        token = await self.keys.sign(Claims(who, session_id, expires_at))
        metrics.tokens_issued.labels(method, "ok").inc()
        return sessions_pb2.ActorToken(
            token=token,
            expires_at=rfc3339(expires_at * 1000),
            user_id=who.id,
            name=who.name,
            role=who.role,
            organization_id=who.organization_id,
            platform=who.platform,
        )

    def _no_token(self, method: str, user: accounts_pb2.User, reason: str) -> None:
        metrics.tokens_issued.labels(method, "refused").inc()
        action = "Sessions/Token" if method == "session" else "Sessions/ProgramToken"
        self._refused(Draft(action, result="refused", reason=reason, who=actor_of(user)))

    # Sessions

    async def list(self, request: sessions_pb2.ListSessionsRequest) -> sessions_pb2.SessionList:
        """Live sessions, own or of somebody whom the actor administers. Raises NOT_FOUND."""
        user_id = (await self._administered(request.user or actor.get().id))["user_id"]
        rows = await self._store.live(user_id, self._now_ms(), self._idle_since())
        return sessions_pb2.SessionList(items=[shown(row) for row in rows])

    async def end(self, request: sessions_pb2.EndSessionsRequest) -> sessions_pb2.EndedSessions:
        """Ends one session, or all of a user. Tokens given for them hold for five minutes at most.

        Raises NOT_FOUND, PERMISSION_DENIED.
        """
        if bool(request.session_id) == bool(request.user):
            raise PlatformError(Code.INVALID_REQUEST, "Name a session or a user.", param="session_id")
        row = await self._store.session(request.session_id) if request.session_id else None
        user = await self._administered(row["user_id"] if row else request.user)
        which = sessions.c.user_id == user["user_id"]
        if request.session_id:
            which = sessions.c.session_id == request.session_id
        target = request.session_id or user["user_id"]
        audit = Draft("Sessions/End", target=target, organization_id=user["organization_id"])
        return sessions_pb2.EndedSessions(sessions=await self._store.end(which, "ended", self._now_ms(), audit))

    # Passwords

    async def change_password(self, request: sessions_pb2.ChangePasswordRequest) -> common_pb2.Empty:
        """A new password for whoever is signed in; other sessions end. Raises as ``login``, and INVALID_REQUEST."""
        found = await self._live(request.token)
        user, action, origin = found.account.user, "Sessions/ChangePassword", request.origin
        counted = self._proof.subjects(user.name, origin)
        if request.new_password == request.old_password:
            raise PlatformError(Code.INVALID_REQUEST, "The new password is the old one.", param="new_password")
        check_strength(request.new_password, user.name)
        new_hash = await self._passwords.hash(request.new_password)
        proved = await self._proof.account(action, user.name, request.old_password, origin, counted)
        state = {"must_change": False, "changed_at": self._now_ms(), "expires_at": None}
        audit = Draft(action, target=user.user_id, who=actor_of(user), source=origin.address)
        keep = found.row["session_id"]
        if not await self._store.set_password(user.user_id, new_hash, state, keep, counted, audit, proved):
            self._proof.refuse(action, proved, origin)
        return common_pb2.Empty()

    async def reset_password(self, request: sessions_pb2.ResetPasswordRequest) -> sessions_pb2.OneTimePassword:
        """A password for one login, after which it must be changed; all sessions end, and a lock.

        Raises NOT_FOUND, PERMISSION_DENIED.
        """
        user = await self._administered(request.user, reset=True)
        if user["kind"] != "user":
            raise PlatformError(Code.INVALID_REQUEST, "A service account has no password.", param="user")
        password, user_id = secrets.token_urlsafe(18), user["user_id"]
        new_hash, now_ms = await self._passwords.hash(password), self._now_ms()
        state = {"must_change": True, "changed_at": now_ms, "expires_at": now_ms + ONE_TIME_SECONDS * 1000}
        audit = Draft("Sessions/ResetPassword", target=user_id, organization_id=user["organization_id"])
        counted = self._proof.subjects(user["name"], sessions_pb2.Origin())
        await self._store.set_password(user_id, new_hash, state, "", counted, audit)
        return sessions_pb2.OneTimePassword(password=password, expires_at=rfc3339(state["expires_at"]))

    def running(self) -> AbstractAsyncContextManager[None]:
        """Removes what nobody needs and counts sessions, until left."""
        return in_background(self._tidy(), "sessions: tidy")

    async def _tidy(self) -> None:
        await asyncio.sleep(FIRST_TIDY_SECONDS)
        while True:
            try:
                await self._store.tidy(self._now_ms())
                metrics.sessions.set(await self._store.count_live(self._now_ms(), self._idle_since()))
            except PlatformError as error:
                log.warning("sessions could not be tidied", reason=str(error))
            await asyncio.sleep(TIDY_SECONDS)

    # What they share

    async def _live(self, token: str) -> Found:
        digest = tokens.digest(self._pepper, token)
        found = await self._store.find(digest) if digest else None
        if found is None or not self._is_live(found):
            metrics.tokens_issued.labels("session", "refused").inc()
            raise PlatformError(Code.UNAUTHENTICATED, "The session has ended: sign in again.")
        return found

    def _is_live(self, found: Found) -> bool:
        row = found.row
        in_time = row["expires_at"] > self._now_ms() and row["used_at"] > self._idle_since()
        return row["ended_at"] is None and in_time and found.account.active

    async def _administered(self, name: str, *, reset: bool = False) -> Row:
        """The user of that id or name, if it is the actor or one that the actor administers.

        Raises NOT_FOUND, PERMISSION_DENIED.
        """
        who = actor.get()
        user = await self._store.user(who, name)
        if who.id == user["user_id"] and not reset:
            return user
        if who.id != user["user_id"] and not permissions.administers(who, user["organization_id"]):
            raise PlatformError(Code.NOT_FOUND, "There is no such user.", param="user")
        if reset:
            permissions.check_password_reset(who, user)
        else:
            permissions.check_user_changed(who, user, None, limits=False, barred=False)
        return user

    def _idle_since(self) -> int:
        return self._now_ms() - self._settings.session_idle_seconds * 1000

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)
