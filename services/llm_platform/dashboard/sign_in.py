"""Signing in and out, and who is signed in: ``/api/session``, ``/sign-in/...``."""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from llm_platform.auth_service.sessions.interfaces import Sessions
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.dashboard import protection
from llm_platform.dashboard.address import Addresses
from llm_platform.dashboard.rights import Rights
from llm_platform.dashboard.sessions import Cookie, SignedIn, csrf_token
from llm_platform.proto import sessions_pb2

CALLBACK = "/sign-in/callback"
_OIDC_COOKIE = "llm_sign_in"
_OIDC_SECONDS = 600
"""As long as auth-service remembers a login that was begun."""
MAX_PASSWORD = 1_024

log = get_logger("dashboard.sign_in")


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /api/session``."""

    name: str
    password: str


class NewPassword(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /api/session/password``."""

    old_password: str
    new_password: str


class SignIn:
    """The handlers."""

    def __init__(
        self, sessions: Sessions, signed_in: SignedIn, cookie: Cookie, addresses: Addresses, rights: Rights
    ) -> None:
        self._sessions = sessions
        self._signed_in = signed_in
        self._cookie = cookie
        self._addresses = addresses
        self._rights = rights

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/session", self.show),
            web.post("/api/session", self.begin),
            web.delete("/api/session", self.end),
            web.post("/api/session/password", self.change_password),
            web.get("/sign-in/oidc", self.begin_oidc),
            web.get(CALLBACK, self.finish_oidc),
        ]

    async def show(self, request: web.Request) -> web.Response:
        try:
            person = await self._signed_in.person(request)
        except PlatformError as error:
            if error.code is Code.PERMISSION_DENIED and error.param == "password":
                return _answer(self._unfinished(self._cookie.read(request)))
            raise
        return _answer(self._shown(person.actor, person.csrf))

    async def begin(self, request: web.Request) -> web.Response:
        protection.check_page(request, self._addresses.public_host(request))
        given = await _body(request, Credentials)
        if len(given.password) > MAX_PASSWORD or len(given.name) > MAX_PASSWORD:
            raise PlatformError(Code.UNAUTHENTICATED, "The name or the password is wrong.")
        login = sessions_pb2.PasswordLogin(name=given.name, password=given.password, origin=self._origin(request))
        return await self._begun(await self._sessions.login(login))

    async def change_password(self, request: web.Request) -> web.Response:
        # The session may be good for nothing but this: so nobody is asked who it is.
        token = self._token(request)
        self._check_change(request, token)
        given = await _body(request, NewPassword)
        await self._sessions.change_password(
            sessions_pb2.ChangePasswordRequest(
                token=token,
                old_password=given.old_password,
                new_password=given.new_password,
                origin=self._origin(request),
            )
        )
        self._signed_in.forget(token)
        return _answer(await self._who(token))

    async def end(self, request: web.Request) -> web.Response:
        if token := self._cookie.read(request):
            self._check_change(request, token)
            await self._sessions.logout(sessions_pb2.SessionToken(token=token))
            self._signed_in.forget(token)
        response = web.Response(status=204)
        self._cookie.clear(response)
        return response

    # At an identity provider

    async def begin_oidc(self, request: web.Request) -> web.Response:
        """Sends the browser there. What it is to come back to is kept in the browser."""
        back = _local(request.query.get("return_to", "/"))
        try:
            started = await self._sessions.begin_oidc(
                sessions_pb2.BeginOidcRequest(redirect_uri=self._addresses.public_url(request) + CALLBACK)
            )
        except PlatformError as error:
            return _sign_in_page(error, back)
        response = web.HTTPSeeOther(started.url)
        # Lax: the browser comes back from another site.
        response.set_cookie(
            _OIDC_COOKIE,
            f"{started.state} {back}",
            path=CALLBACK,
            max_age=_OIDC_SECONDS,
            httponly=True,
            secure=self._addresses.secure,
            samesite="Lax",
        )
        return response

    async def finish_oidc(self, request: web.Request) -> web.Response:
        state, _, back = request.cookies.get(_OIDC_COOKIE, "").partition(" ")
        back = _local(back)
        given = request.query.get("state", "")
        if not state or not hmac.compare_digest(state.encode(), given.encode()):
            failure = PlatformError(Code.UNAUTHENTICATED, "This browser did not begin this login.")
            return _sign_in_page(failure, back)
        code = request.query.get("code", "")
        if not code:
            log.info("the identity provider refused a login", error=request.query.get("error", "")[:100])
            return _sign_in_page(PlatformError(Code.UNAUTHENTICATED, "The identity provider refused."), back)
        finish = sessions_pb2.FinishOidcRequest(state=state, code=code, origin=self._origin(request))
        try:
            begun = await self._sessions.finish_oidc(finish)
        except PlatformError as error:
            return _sign_in_page(error, back)
        response = web.HTTPSeeOther(back)
        self._cookie.set(response, begun.token)
        response.del_cookie(_OIDC_COOKIE, path=CALLBACK)
        return response

    # Pieces

    async def _begun(self, begun: sessions_pb2.SignedIn) -> web.Response:
        shown = self._unfinished(begun.token) if begun.must_change_password else await self._who(begun.token)
        response = _answer(shown)
        self._cookie.set(response, begun.token)
        return response

    async def _who(self, token: str) -> dict[str, Any]:
        return self._shown(await self._sessions.token(sessions_pb2.SessionToken(token=token)), csrf_token(token))

    def _shown(self, actor: sessions_pb2.ActorToken, csrf: str) -> dict[str, Any]:
        return {
            "user_id": actor.user_id,
            "name": actor.name,
            "role": actor.role,
            "organization_id": actor.organization_id,
            "platform": actor.platform,
            "csrf_token": csrf,
            "must_change_password": False,
            "allowed": self._rights.allowed(actor),
        }

    @staticmethod
    def _unfinished(token: str) -> dict[str, Any]:
        """Signed in with a password for one login: nothing is open but to change it."""
        return {"must_change_password": True, "csrf_token": csrf_token(token), "allowed": []}

    def _token(self, request: web.Request) -> str:
        if token := self._cookie.read(request):
            return token
        raise PlatformError(Code.UNAUTHENTICATED, "Nobody is signed in.")

    def _check_change(self, request: web.Request, token: str) -> None:
        protection.check_change(request, csrf_token(token), self._addresses.public_host(request))

    def _origin(self, request: web.Request) -> sessions_pb2.Origin:
        return sessions_pb2.Origin(
            address=self._addresses.of(request), client=request.headers.get("user-agent", "")[:200]
        )


async def _body(request: web.Request, kind: type[Any]) -> Any:
    if request.content_type != "application/json":
        raise PlatformError(Code.UNSUPPORTED_MEDIA_TYPE, "The body is to be application/json.")
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.DecodeError as error:
        raise PlatformError(Code.INVALID_REQUEST, f"The body does not fit: {error}.") from None


def _answer(shown: dict[str, Any]) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(shown), content_type="application/json", headers={"cache-control": "no-store"}
    )


def _sign_in_page(error: PlatformError, back: str) -> web.Response:
    return web.HTTPSeeOther("/sign-in?" + urlencode({"error": error.code.value, "return_to": back}))


def _local(path: str) -> str:
    """A path of this site, whatever was asked for: browsers take ``//host`` and ``/\\host`` for other sites."""
    good = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and len(path) < 1_000
    return path if good else "/"
