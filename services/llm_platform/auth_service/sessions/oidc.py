"""Signing in at an identity provider: authorization code with PKCE, state and nonce (docs/sign-in.md).

Who somebody is, is the provider's issuer and subject, nothing else: neither a name nor an address of mail makes
anybody an existing user.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from llm_platform.auth_service.audit.entry import NOBODY, Draft
from llm_platform.auth_service.names import user_name_of
from llm_platform.auth_service.sessions.identities import Identities, role_of
from llm_platform.auth_service.sessions.provider import Provider, RefusedLoginError
from llm_platform.auth_service.sessions.store import Account
from llm_platform.core import metrics
from llm_platform.core.actor import ROLES
from llm_platform.core.config.model import Oidc
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.proto import accounts_pb2, sessions_pb2

METHOD = "oidc"
_BARRED = "This user is disabled or deleted. Ask an administrator."

log = get_logger("auth-service.oidc")


class Accounts(Protocol):
    """What is needed to find a user."""

    async def account(self, *, name: str = "", user_id: str = "") -> Account | None: ...


class OidcLogins:
    """Logins at the provider of ``settings``."""

    def __init__(
        self,
        settings: Oidc,
        identities: Identities,
        accounts: Accounts,
        refused: Callable[[Draft], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._provider = Provider(settings, clock)
        self._identities = identities
        self._accounts = accounts
        self._refused = refused
        self._clock = clock

    async def begin(self, redirect_uri: str) -> sessions_pb2.OidcStart:
        """Where the browser goes. Raises INVALID_REQUEST for an address that the configuration does not list."""
        if redirect_uri not in self._settings.redirect_uris:
            raise PlatformError(
                Code.INVALID_REQUEST, "This address is not in oidc.redirect_uris.", param="redirect_uri"
            )
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        url = await self._provider.authorization_url(redirect_uri, state, nonce, verifier)
        content = {"redirect_uri": redirect_uri, "nonce": nonce, "verifier": verifier}
        await self._identities.begin(state, content, self._now_ms())
        return sessions_pb2.OidcStart(url=url, state=state)

    async def finish(self, state: str, code: str, origin: sessions_pb2.Origin) -> Account:
        """Whoever came back with ``code``. Raises UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE (the provider)."""
        try:
            claims = await self._claims(state, code)
            account = await self._account(claims)
        except RefusedLoginError as error:
            log.warning("a login at the identity provider is refused", reason=str(error))
            self._note(str(error), origin)
            raise PlatformError(Code.UNAUTHENTICATED, "Signing in did not succeed. Begin again.") from None
        except PlatformError as error:
            if error.code is Code.PERMISSION_DENIED:
                self._note(error.message, origin)
            raise
        if not account.active:
            self.refuse_user(account.user, origin)
        return account

    def refuse_user(self, user: accounts_pb2.User, origin: sessions_pb2.Origin) -> NoReturn:
        """Whoever came back is that user, who may not come in. Raises PERMISSION_DENIED."""
        self._note(_BARRED, origin, user)
        raise PlatformError(Code.PERMISSION_DENIED, _BARRED)

    async def check(self) -> None:
        """Tells in the log of what would keep everybody new out. Raises UNAVAILABLE."""
        if self._settings.create_users:
            await self._identities.check_organization(self._settings.organization)

    async def _claims(self, state: str, code: str) -> dict[str, Any]:
        kept = await self._identities.take(state, self._now_ms())
        if kept is None:
            raise RefusedLoginError("its state is unknown, used or too old")
        return await self._provider.exchange(code, kept["redirect_uri"], kept["nonce"], kept["verifier"])

    async def _account(self, claims: dict[str, Any]) -> Account:
        settings, now_ms = self._settings, self._now_ms()
        issuer, subject = settings.issuer, claims["sub"]
        if "\0" in subject or len(subject) > 255:
            raise RefusedLoginError("its subject is out of bounds")
        role = role_of(claims.get(settings.groups_claim), settings.roles, ROLES, settings.default_role)
        if not role:
            raise PlatformError(Code.PERMISSION_DENIED, "None of your groups may sign in here.")
        user_id = await self._identities.user_of(issuer, subject, role if settings.roles else "", now_ms)
        if user_id is None:
            if not settings.create_users:
                raise PlatformError(Code.PERMISSION_DENIED, "There is no user for this identity. Ask an administrator.")
            name, organization = _name(claims), settings.organization
            user_id = await self._identities.add_user(issuer, subject, name, role, organization, now_ms)
        account = await self._accounts.account(user_id=user_id)
        if account is None:  # deleted at this moment
            raise PlatformError(Code.PERMISSION_DENIED, _BARRED)
        return account

    def _note(self, reason: str, origin: sessions_pb2.Origin, user: accounts_pb2.User | None = None) -> None:
        metrics.logins.labels(METHOD, "refused").inc()
        draft = Draft("Sessions/FinishOidc", result="refused", reason=reason, who=NOBODY, source=origin.address)
        # Whom nobody knows would have come into this organisation: its owner sees it.
        organization_id = user.organization_id if user else self._settings.organization
        self._refused(draft._replace(target=user.user_id if user else "", organization_id=organization_id))

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _name(claims: dict[str, Any]) -> str:
    """What a new user is called, as names of users are: an address of mail only when the provider has verified it."""
    verified = claims.get("email") if claims.get("email_verified") is True else None
    for said in (claims.get("preferred_username"), verified, claims["sub"]):
        if isinstance(said, str) and (name := user_name_of(said)):
            return name
    return "user"
